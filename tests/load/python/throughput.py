"""Sends and receives as fast as `azure-servicebus` goes, and prints the rates as JSON.

Nothing is pipelined, and settlements follow each other: its senders and receivers are not to be used by several threads or
tasks at once, and with 64 tasks on one sender it hangs.
"""

import json
import os
import time

from azure.servicebus import ServiceBusClient, ServiceBusMessage

BATCH = 100


def number(name):
    return int(os.environ[name])


BODY = bytes(number("LOAD_BODY"))


def single(sender, count):
    for _ in range(count):
        sender.send_messages(ServiceBusMessage(BODY))


def batch(sender, count):
    for _ in range(0, count, BATCH):
        messages = sender.create_message_batch()
        for _ in range(BATCH):
            messages.add_message(ServiceBusMessage(BODY))
        sender.send_messages(messages)


def receive(receiver, count):
    while count > 0:
        messages = receiver.receive_messages(max_message_count=min(count, BATCH), max_wait_time=30)
        for message in messages:
            receiver.complete_message(message)
        count -= len(messages)


def main():
    queue, warm_up = os.environ["LOAD_QUEUE"], number("LOAD_WARM_UP")
    counts = {step: number(f"LOAD_{step.__name__.upper()}") for step in (single, batch)}
    rates = {"pipelined": None}
    with ServiceBusClient.from_connection_string(os.environ["SERVICE_BUS_CONNECTION_STRING"]) as client:
        with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
            for step in counts:
                step(sender, warm_up)
            receive(receiver, len(counts) * warm_up)
            for step, count in counts.items():
                began = time.monotonic()
                step(sender, count)
                rates[step.__name__] = count / (time.monotonic() - began)
            count = sum(counts.values())
            began = time.monotonic()
            receive(receiver, count)
            rates["receive"] = count / (time.monotonic() - began)
    print(json.dumps(rates))


main()

"""Traffic of every kind on `azure-servicebus`, logged line by line. See the README of this folder's parent."""

import os
import threading
import time
from datetime import timedelta

from azure.servicebus import ServiceBusClient, ServiceBusMessage

CONNECTION = os.environ["SERVICE_BUS_CONNECTION_STRING"]
QUEUE = os.environ["SOAK_QUEUE"]
CLIENT = os.environ["SOAK_CLIENT"]
RATE = float(os.environ["SOAK_RATE"])
SEED = int(os.environ["SOAK_SEED"])
TIME_TO_LIVE = timedelta(seconds=float(os.environ["SOAK_TIME_TO_LIVE_SECONDS"]))
END = time.monotonic() + float(os.environ["SOAK_SECONDS"])

GROUP = 5
MIXTURE = ["complete"] * 12 + ["abandon"] * 3 + ["leave", "expire"] + ["dead-letter"] * 2 + ["poison"]

log = open(os.environ["SOAK_LOG"], "w", buffering=1, encoding="utf-8")


def write(event, *words):
    # One call, one line: text files are locked while they are written to.
    log.write(" ".join([event, *map(str, words)]) + "\n")


def note(error):
    write("error", type(error).__name__, " ".join(str(error).split()))


def message(number):
    plan = MIXTURE[(number * 7 + SEED % 20) % 20]
    options = {"time_to_live": TIME_TO_LIVE} if plan == "expire" else {}
    return ServiceBusMessage("soak", message_id=f"{CLIENT}-{number}", subject=plan, **options)


def send_group(sender, number):
    messages = [message(number + offset) for offset in range(GROUP)]
    # One by one and together in turn.
    together = (number // GROUP) % 2 == 1
    for group in [messages] if together else [[one] for one in messages]:
        for one in group:
            write("sending", one.message_id)
        try:
            sender.send_messages(group if together else group[0])
            event = "sent"
        except Exception as error:  # Whatever it is, the run goes on.
            note(error)
            event = "unconfirmed"
        for one in group:
            write(event, one.message_id)


def send():
    number = 0
    with ServiceBusClient.from_connection_string(CONNECTION) as client:
        with client.get_queue_sender(QUEUE) as sender:
            while (began := time.monotonic()) < END:
                send_group(sender, number)
                number += GROUP
                time.sleep(max(0.0, GROUP / RATE - (time.monotonic() - began)))


def obey(receiver, received):
    identifier = received.message_id
    write("received", identifier, received.delivery_count)
    plan, again = received.subject, received.delivery_count > 0
    if plan in ("leave", "expire") and not again:
        write("left", identifier)
        return
    if plan == "poison" or (plan == "abandon" and not again):
        before, after, settle = "abandoning", "abandoned", receiver.abandon_message
    elif plan == "dead-letter":
        before, after, settle = "dead-lettering", "dead-lettered", receiver.dead_letter_message
    else:
        before, after, settle = "completing", "completed", receiver.complete_message
    write(before, identifier)
    try:
        settle(received)
        write(after, identifier)
    except Exception as error:
        note(error)
        write("unsettled", identifier)


def receive_all(client):
    with client.get_queue_receiver(QUEUE) as receiver:
        while time.monotonic() < END:
            for received in receiver.receive_messages(max_message_count=20, max_wait_time=1):
                obey(receiver, received)
            # So that the fastest client does not take everything.
            time.sleep(0.1)


def receive():
    while time.monotonic() < END:
        try:
            with ServiceBusClient.from_connection_string(CONNECTION) as client:
                receive_all(client)
        except Exception as error:
            note(error)


sending = threading.Thread(target=send)
sending.start()
receive()
sending.join()
write("end")

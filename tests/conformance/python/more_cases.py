"""More of what a user of `azure-servicebus` may rely on: work side by side, lasting locks, and limits."""

from concurrent.futures import ThreadPoolExecutor

from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError, MessageSizeExceededError, ServiceBusQuotaExceededError

from world import assert_empty, raises, receive, send, text


def a_binary_body_arrives_as_it_was_sent(world):
    body = b"\x00\xff\xfe\x20"
    with world.client() as client:
        send(client, world.queue, ServiceBusMessage(body))
        with client.get_queue_receiver(world.queue) as receiver:
            [message] = receive(receiver, 1)
            receiver.complete_message(message)
    assert b"".join(message.body) == body


def senders_side_by_side_lose_nothing(world):
    with world.client() as client:

        def send_some(n):
            send(client, world.queue, *(ServiceBusMessage(f"{n}-{m}") for m in range(25)))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send_some, range(4)))
        with client.get_queue_receiver(world.queue) as receiver:
            messages = receive(receiver, 100)
            for message in messages:
                receiver.complete_message(message)
            assert_empty(receiver)
    assert len({text(message) for message in messages}) == 100


def a_lost_lock_cannot_be_renewed(world):
    with world.client() as client:
        send(client, world.short_lock_queue, ServiceBusMessage("slow"))
        with (
            client.get_queue_receiver(world.short_lock_queue) as slow,
            client.get_queue_receiver(world.short_lock_queue) as other,
        ):
            [message] = receive(slow, 1)
            [again] = receive(other, 1)
            raises(MessageLockLostError, lambda: slow.renew_message_lock(message))
            other.complete_message(again)


def a_batch_takes_no_more_than_may_be_sent(world):
    with world.client() as client:
        with client.get_queue_sender(world.queue) as sender:
            batch = sender.create_message_batch()

            def fill():
                while len(batch) < 100:
                    batch.add_message(ServiceBusMessage(b"x" * 50 * 1024))

            raises(MessageSizeExceededError, fill)
            count = len(batch)
            assert count > 1, count
            sender.send_messages(batch)
        with client.get_queue_receiver(world.queue) as receiver:
            for message in receive(receiver, count):
                receiver.complete_message(message)


def a_full_queue_takes_no_more(world):
    sent = 0
    with world.client(retry_total=0) as client:

        def fill():
            nonlocal sent
            while sent < 100:
                send(client, world.small_queue, ServiceBusMessage(b"x" * 16 * 1024))
                sent += 1

        raises(ServiceBusQuotaExceededError, fill)
        with client.get_queue_receiver(world.small_queue) as receiver:
            for message in receive(receiver, sent):
                receiver.complete_message(message)
            # There is room again.
            send(client, world.small_queue, ServiceBusMessage("more"))
            [message] = receive(receiver, 1)
            receiver.complete_message(message)


MORE_CASES = [
    a_binary_body_arrives_as_it_was_sent,
    senders_side_by_side_lose_nothing,
    a_lost_lock_cannot_be_renewed,
    a_batch_takes_no_more_than_may_be_sent,
    a_full_queue_takes_no_more,
]
# Cases that other languages have, and why this SDK cannot do them.
NOT_APPLICABLE = {
    "a_subscription_completes_what_its_handler_took": "the SDK has no processor: messages are received by calls only",
}

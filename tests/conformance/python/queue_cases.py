"""What queues do besides taking and giving: schedule, defer, show, expire, renew. One function a case."""

import datetime

from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import MessageAlreadySettled, MessageLockLostError, MessageNotFoundError

from world import EMPTY_AFTER, assert_empty, raises, receive, send, text

DEAD_LETTER = ServiceBusSubQueue.DEAD_LETTER


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def deferred(client, queue, count):
    """The numbers of so many messages, sent and deferred."""
    send(client, queue, *(ServiceBusMessage(str(n)) for n in range(count)))
    with client.get_queue_receiver(queue) as receiver:
        messages = receive(receiver, count)
        for message in messages:
            receiver.defer_message(message)
        assert_empty(receiver)
    return [message.sequence_number for message in messages]


def a_scheduled_message_comes_at_its_time(world):
    at = now() + datetime.timedelta(seconds=2)
    with world.client() as client:
        with client.get_queue_sender(world.queue) as sender:
            [number] = sender.schedule_messages(ServiceBusMessage("by request"), at)
            sender.send_messages(ServiceBusMessage("by property", scheduled_enqueue_time_utc=at))
        with client.get_queue_receiver(world.queue) as receiver:
            peeked = receiver.peek_messages(max_message_count=10, sequence_number=number)
            assert [message.state for message in peeked] == [ServiceBusMessageState.SCHEDULED] * 2, peeked
            messages = receive(receiver, 2)
            assert [text(message) for message in messages] == ["by request", "by property"]
            for message in messages:
                assert abs(message.enqueued_time_utc - at) < datetime.timedelta(milliseconds=2)
                assert message.sequence_number > number + 1, "it has a new number"
                receiver.complete_message(message)
            assert_empty(receiver)


def a_cancelled_message_never_comes(world):
    later = now() + datetime.timedelta(seconds=1)
    with world.client() as client, client.get_queue_sender(world.queue) as sender:
        numbers = sender.schedule_messages([ServiceBusMessage(text) for text in "abc"], later)
        sender.cancel_scheduled_messages([numbers[0], numbers[2]])
        raises(MessageNotFoundError, lambda: sender.cancel_scheduled_messages(numbers[0]))
        with client.get_queue_receiver(world.queue) as receiver:
            [message] = receive(receiver, 1)
            assert text(message) == "b"
            receiver.complete_message(message)
            assert_empty(receiver)


def deferred_messages_come_by_their_numbers(world):
    with world.client() as client:
        numbers = deferred(client, world.queue, 4)
        with client.get_queue_receiver(world.queue) as receiver:
            raises(MessageNotFoundError, lambda: receiver.receive_deferred_messages([numbers[0], 10**9]))
            completed, abandoned, dead, again = receiver.receive_deferred_messages(numbers)
            assert [text(message) for message in (completed, abandoned, dead, again)] == list("0123")
            assert completed.state == ServiceBusMessageState.DEFERRED, completed.state
            assert completed.locked_until_utc > now()
            receiver.complete_message(completed)
            receiver.abandon_message(abandoned)
            receiver.dead_letter_message(dead, reason="Unreadable", error_description="not JSON")
            receiver.defer_message(again)
            raises(MessageNotFoundError, lambda: receiver.receive_deferred_messages(numbers[0]))
            left = receiver.receive_deferred_messages([numbers[1], numbers[3]])
            assert [message.delivery_count for message in left] == [1, 0]
            for message in left:
                receiver.complete_message(message)
            assert_empty(receiver)
        with client.get_queue_receiver(world.queue, sub_queue=DEAD_LETTER) as receiver:
            [message] = receive(receiver, 1)
            assert message.dead_letter_reason == "Unreadable", message.dead_letter_reason
            assert message.dead_letter_error_description == "not JSON"
            receiver.complete_message(message)


def a_deferred_message_can_be_received_and_deleted(world):
    with world.client() as client:
        numbers = deferred(client, world.queue, 1)
        with client.get_queue_receiver(
            world.queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver:
            [message] = receiver.receive_deferred_messages(numbers)
            assert text(message) == "0"
            raises(MessageNotFoundError, lambda: receiver.receive_deferred_messages(numbers))


def peeking_sees_what_is_there_and_takes_nothing(world):
    with world.client() as client:
        send(client, world.queue, *(ServiceBusMessage(str(n)) for n in range(5)))
        with client.get_queue_receiver(world.queue) as receiver, client.get_queue_receiver(world.queue) as looking:
            [locked] = receive(receiver, 1)
            assert [text(message) for message in looking.peek_messages(3)] == list("012")
            assert [text(message) for message in looking.peek_messages(3)] == list("34"), "it goes on"
            assert looking.peek_messages(3) == []
            from_here = looking.peek_messages(2, sequence_number=locked.sequence_number + 2)
            assert [text(message) for message in from_here] == list("23")
            assert from_here[0].delivery_count == 0 and from_here[0].enqueued_time_utc <= now()
            assert from_here[0].state == ServiceBusMessageState.ACTIVE
            receiver.complete_message(locked)
            for message in receive(receiver, 4):
                receiver.complete_message(message)
            assert looking.peek_messages(3, sequence_number=1) == []


def a_renewed_lock_lasts_longer(world):
    with world.client() as client:
        send(client, world.short_lock_queue, ServiceBusMessage("slow"), ServiceBusMessage("slower"))
        with client.get_queue_receiver(world.short_lock_queue) as receiver:
            [renewed, lost] = receive(receiver, 2)
            again = []
            # The end of the other lock, which is not renewed, is seen by its message coming again.
            while not again:
                before = renewed.locked_until_utc
                assert before <= receiver.renew_message_lock(renewed) == renewed.locked_until_utc
                again = receiver.receive_messages(max_message_count=1, max_wait_time=EMPTY_AFTER)
            assert text(again[0]) == text(lost) and again[0].delivery_count == 1
            raises(MessageLockLostError, lambda: receiver.complete_message(lost))
            receiver.complete_message(renewed)
            receiver.complete_message(again[0])
            raises((MessageLockLostError, MessageAlreadySettled), lambda: receiver.renew_message_lock(renewed))
            assert_empty(receiver)


def an_expired_message_becomes_a_dead_letter(world):
    with world.client() as client:
        short = datetime.timedelta(seconds=1)
        send(client, world.expiring_queue, ServiceBusMessage("short", time_to_live=short))
        with client.get_queue_receiver(world.expiring_queue, sub_queue=DEAD_LETTER) as receiver:
            [message] = receive(receiver, 1)
            assert text(message) == "short"
            assert message.dead_letter_reason == "TTLExpiredException", message.dead_letter_reason
            receiver.complete_message(message)
        # Where dead-lettering is off, it is gone: it is there no more when the one behind it comes.
        with client.get_queue_sender(world.queue) as sender:
            sender.send_messages(ServiceBusMessage("gone", time_to_live=short))
            sender.schedule_messages(ServiceBusMessage("there"), now() + 2 * short)
        with client.get_queue_receiver(world.queue) as receiver:
            peeked = []
            while not peeked or peeked[0].state == ServiceBusMessageState.SCHEDULED or text(peeked[0]) == "gone":
                peeked = receiver.peek_messages(1, sequence_number=1)
            [message] = receive(receiver, 1)
            assert text(message) == "there"
            receiver.complete_message(message)
            assert_empty(receiver)


def a_queues_own_time_to_live_is_the_longest(world):
    with world.client() as client:
        hour = datetime.timedelta(hours=1)
        send(client, world.expiring_queue, ServiceBusMessage("long", time_to_live=10 * hour), ServiceBusMessage("none"))
        with client.get_queue_receiver(world.expiring_queue) as receiver:
            for message in receive(receiver, 2):
                assert message.expires_at_utc == message.enqueued_time_utc + hour, message.expires_at_utc
                receiver.complete_message(message)


QUEUE_CASES = [
    a_scheduled_message_comes_at_its_time,
    a_cancelled_message_never_comes,
    deferred_messages_come_by_their_numbers,
    a_deferred_message_can_be_received_and_deleted,
    peeking_sees_what_is_there_and_takes_nothing,
    a_renewed_lock_lasts_longer,
    an_expired_message_becomes_a_dead_letter,
    a_queues_own_time_to_live_is_the_longest,
]

"""What a user of `azure-servicebus` may rely on, one function a case. A case leaves the queues empty."""

import datetime
import re
import uuid

from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from queue_cases import QUEUE_CASES
from session_cases import SESSION_CASES
from world import EMPTY_AFTER, PATIENCE, assert_empty, raises, receive, send, text

DEAD_LETTER = ServiceBusSubQueue.DEAD_LETTER


def send_receive_complete(world):
    with world.client() as client:
        send(client, world.queue, ServiceBusMessage("hello", message_id="one"))
        with client.get_queue_receiver(world.queue) as receiver:
            [message] = receive(receiver, 1)
            assert text(message) == "hello" and message.message_id == "one"
            assert message.delivery_count == 0, message.delivery_count
            assert message.sequence_number >= 1
            uuid.UUID(str(message.lock_token))
            now = datetime.datetime.now(datetime.timezone.utc)
            assert message.enqueued_time_utc <= now < message.locked_until_utc
            receiver.complete_message(message)
            assert_empty(receiver)


def properties_arrive_as_they_were_sent(world):
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    identifier = uuid.uuid4()
    system = {
        "message_id": "id-1",
        "correlation_id": "correlation-1",
        "content_type": "application/octet-stream",
        "subject": "subject-1",
        "to": "to-1",
        "reply_to": "reply-1",
        "reply_to_session_id": "reply-session-1",
        "partition_key": "partition-1",
        "time_to_live": datetime.timedelta(hours=1),
    }
    sent = {"text": "Gruß", "int": -8, "float": 1.5, "bool": True, "bytes": b"\x01\x02", "uuid": identifier}
    # The SDK hands texts and names out as bytes, and a timestamp as its milliseconds.
    expected = {name.encode(): value for name, value in sent.items()}
    expected |= {b"text": "Gruß".encode(), b"time": int(moment.timestamp() * 1000)}
    with world.client() as client:
        message = ServiceBusMessage(
            b"\x00\xff\xfe body", application_properties={**sent, "time": moment}, **system
        )
        send(client, world.queue, message)
        with client.get_queue_receiver(world.queue) as receiver:
            [message] = receive(receiver, 1)
            receiver.complete_message(message)
    for name, value in system.items():
        assert getattr(message, name) == value, f"{name}: {getattr(message, name)!r}"
    assert b"".join(message.body) == b"\x00\xff\xfe body"
    assert message.expires_at_utc == message.enqueued_time_utc + system["time_to_live"]
    assert message.application_properties == expected, message.application_properties


def a_message_without_an_id_can_be_settled(world):
    with world.client() as client:
        send(client, world.queue, ServiceBusMessage("no id"))
        with client.get_queue_receiver(world.queue) as receiver:
            [message] = receive(receiver, 1)
            receiver.complete_message(message)
            assert_empty(receiver)


def completes_in_any_order(world):
    with world.client() as client:
        send(client, world.queue, *(ServiceBusMessage(str(n)) for n in range(5)))
        with client.get_queue_receiver(world.queue) as receiver:
            messages = receive(receiver, 5)
            assert [text(message) for message in messages] == list("01234")
            for index in (3, 0, 4, 2, 1):
                receiver.complete_message(messages[index])
            assert_empty(receiver)


def abandon_raises_the_delivery_count(world):
    with world.client() as client:
        send(client, world.queue, ServiceBusMessage("again"))
        with client.get_queue_receiver(world.queue) as receiver:
            [first] = receive(receiver, 1)
            receiver.abandon_message(first)
            [second] = receive(receiver, 1)
            assert second.delivery_count == 1, second.delivery_count
            assert second.sequence_number == first.sequence_number
            assert second.lock_token != first.lock_token
            receiver.complete_message(second)


def dead_letters_with_reason_and_description(world):
    with world.client() as client:
        send(client, world.queue, ServiceBusMessage("bad", message_id="bad-1", application_properties={"kept": "yes"}))
        with client.get_queue_receiver(world.queue) as receiver:
            [message] = receive(receiver, 1)
            receiver.dead_letter_message(message, reason="Unreadable", error_description="not JSON")
            assert_empty(receiver)
        with client.get_queue_receiver(world.queue, sub_queue=DEAD_LETTER) as receiver:
            [dead] = receive(receiver, 1)
            assert (dead.message_id, text(dead)) == ("bad-1", "bad")
            assert dead.dead_letter_reason == "Unreadable", dead.dead_letter_reason
            assert dead.dead_letter_error_description == "not JSON", dead.dead_letter_error_description
            assert dead.application_properties[b"kept"] == b"yes"
            receiver.complete_message(dead)
            assert_empty(receiver)


def dead_letters_after_the_last_delivery(world):
    with world.client() as client:
        send(client, world.two_deliveries_queue, ServiceBusMessage("poison"))
        with client.get_queue_receiver(world.two_deliveries_queue) as receiver:
            for _ in range(2):
                [message] = receive(receiver, 1)
                receiver.abandon_message(message)
        with client.get_queue_receiver(world.two_deliveries_queue, sub_queue=DEAD_LETTER) as receiver:
            [dead] = receive(receiver, 1)
            assert dead.dead_letter_reason == "MaxDeliveryCountExceeded", dead.dead_letter_reason
            receiver.complete_message(dead)


def a_batch_arrives_whole_and_in_order(world):
    with world.client() as client:
        with client.get_queue_sender(world.queue) as sender:
            batch = sender.create_message_batch()
            for n in range(100):
                batch.add_message(ServiceBusMessage(f"item {n}", message_id=str(n)))
            sender.send_messages(batch)
        with client.get_queue_receiver(world.queue) as receiver:
            messages = receive(receiver, 100)
            assert [message.message_id for message in messages] == [str(n) for n in range(100)]
            numbers = [message.sequence_number for message in messages]
            assert numbers == sorted(set(numbers))
            for message in messages:
                receiver.complete_message(message)


def carries_200_kilobytes(world):
    body = bytes(range(256)) * 800
    with world.client() as client:
        send(client, world.queue, ServiceBusMessage(body))
        with client.get_queue_receiver(world.queue) as receiver:
            [message] = receive(receiver, 1)
            assert b"".join(message.body) == body
            receiver.complete_message(message)


def an_empty_queue_gives_nothing_in_the_time_asked_for(world):
    with world.client() as client, client.get_queue_receiver(world.queue) as receiver:
        assert receiver.receive_messages(max_message_count=10, max_wait_time=EMPTY_AFTER) == []
        # The receiver goes on working after it found nothing.
        send(client, world.queue, ServiceBusMessage("late"))
        [message] = receive(receiver, 1)
        receiver.complete_message(message)


def receive_and_delete_needs_no_settlement(world):
    with world.client() as client:
        send(client, world.queue, ServiceBusMessage("gone"))
        with client.get_queue_receiver(
            world.queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver:
            [message] = receive(receiver, 1)
            assert text(message) == "gone"
            assert_empty(receiver)


def competing_receivers_never_share_a_message(world):
    with world.client() as client:
        send(client, world.queue, *(ServiceBusMessage(str(n)) for n in range(10)))
        with client.get_queue_receiver(world.queue) as left, client.get_queue_receiver(world.queue) as right:
            seen = []
            for receiver in (left, right):
                for message in receive(receiver, 5):
                    seen.append(text(message))
                    receiver.complete_message(message)
        assert sorted(seen) == list("0123456789"), seen


def a_lost_lock_cannot_be_settled(world):
    with world.client() as client:
        send(client, world.short_lock_queue, ServiceBusMessage("slow"))
        with client.get_queue_receiver(world.short_lock_queue) as slow:
            [message] = receive(slow, 1)
            # The lock's end is seen by the message coming again, not by waiting for a time.
            with client.get_queue_receiver(world.short_lock_queue) as other:
                [again] = receive(other, 1)
                assert again.delivery_count == 1, again.delivery_count
                raises(MessageLockLostError, lambda: slow.complete_message(message))
                other.complete_message(again)
                assert_empty(other)


def a_duplicate_is_accepted_and_dropped(world):
    identifier = str(uuid.uuid4())
    with world.client() as client:
        send(client, world.duplicate_detection_queue, *(ServiceBusMessage(n, message_id=identifier) for n in "ab"))
        with client.get_queue_receiver(world.duplicate_detection_queue) as receiver:
            [message] = receive(receiver, 1)
            assert text(message) == "a"
            receiver.complete_message(message)
            assert_empty(receiver)


def too_large_a_message_is_refused(world):
    with world.client(retry_total=0) as client:
        raises(
            MessageSizeExceededError,
            lambda: send(client, world.queue, ServiceBusMessage(b"x" * (2 * 1024 * 1024))),
        )
        with client.get_queue_receiver(world.queue) as receiver:
            assert_empty(receiver)


def a_queue_that_is_not_there_is_named(world):
    with world.client(retry_total=0) as client:

        def listen():
            with client.get_queue_receiver(world.missing_queue) as receiver:
                receiver.receive_messages(max_wait_time=PATIENCE)

        for action in (lambda: send(client, world.missing_queue, ServiceBusMessage("x")), listen):
            # The service refuses the token already, with status 404, which this SDK shows as failed authentication.
            error = raises((MessagingEntityNotFoundError, ServiceBusAuthenticationError), action)
            assert "404" in error.exc_msg and world.missing_queue in error.exc_msg, error.exc_msg


def a_wrong_key_is_refused(world):
    wrong = re.sub(r"SharedAccessKey=[^;]*", "SharedAccessKey=d3Jvbmc=", world.connection_string)
    with world.client(connection_string=wrong, retry_total=0) as client:
        raises(
            (ServiceBusAuthenticationError, ServiceBusAuthorizationError),
            lambda: send(client, world.queue, ServiceBusMessage("x")),
        )


def a_wrong_secret_is_refused(world):
    with world.client(secret="not-the-secret", retry_total=0) as client:
        error = raises(
            (ClientAuthenticationError, ServiceBusError),
            lambda: send(client, world.queue, ServiceBusMessage("x")),
        )
        assert "AADSTS7000215" in str(error), error
        assert "not-the-secret" not in str(error)


def a_queue_without_a_role_is_refused(world):
    with world.client(retry_total=0) as client:

        def listen():
            with client.get_queue_receiver(world.forbidden_queue) as receiver:
                receiver.receive_messages(max_wait_time=PATIENCE)

        for action in (lambda: send(client, world.forbidden_queue, ServiceBusMessage("x")), listen):
            raises((ServiceBusAuthenticationError, ServiceBusAuthorizationError), action)


COMMON = [
    send_receive_complete,
    properties_arrive_as_they_were_sent,
    a_message_without_an_id_can_be_settled,
    completes_in_any_order,
    abandon_raises_the_delivery_count,
    dead_letters_with_reason_and_description,
    dead_letters_after_the_last_delivery,
    a_batch_arrives_whole_and_in_order,
    carries_200_kilobytes,
    an_empty_queue_gives_nothing_in_the_time_asked_for,
    receive_and_delete_needs_no_settlement,
    competing_receivers_never_share_a_message,
    a_lost_lock_cannot_be_settled,
    a_duplicate_is_accepted_and_dropped,
    too_large_a_message_is_refused,
    a_queue_that_is_not_there_is_named,
    *QUEUE_CASES,
    *SESSION_CASES,
]
CASES = {
    "connection-string": [*COMMON, a_wrong_key_is_refused],
    # With an endpoint of one's own this SDK shows any refused token as a failed connection, without the reason.
    "websocket": [case for case in COMMON if case is not a_queue_that_is_not_there_is_named],
    "token": [*COMMON, a_wrong_secret_is_refused, a_queue_without_a_role_is_refused],
}

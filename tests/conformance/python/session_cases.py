"""Messages received by session. One function a case."""

import datetime

from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from world import PATIENCE, assert_empty, raises, receive, send, text


def of(session, body):
    return ServiceBusMessage(body, session_id=session)


def a_session_is_received_in_order_by_one_receiver(world):
    with world.client(retry_total=0) as client:
        send(client, world.sessions_queue, of("a", "a1"), of("b", "b1"), of("a", "a2"))
        with client.get_queue_receiver(world.sessions_queue, session_id="a") as receiver:
            messages = receive(receiver, 2)
            assert [text(message) for message in messages] == ["a1", "a2"]
            assert {message.session_id for message in messages} == {"a"}
            assert receiver.session.locked_until_utc > datetime.datetime.now(datetime.timezone.utc)

            def accept():
                with client.get_queue_receiver(world.sessions_queue, session_id="a"):
                    pass

            raises(SessionCannotBeLockedError, accept)
            for message in messages:
                receiver.complete_message(message)
            assert_empty(receiver)
        with client.get_queue_receiver(world.sessions_queue, session_id="b") as receiver:
            [message] = receive(receiver, 1)
            receiver.complete_message(message)


def the_next_free_session_is_given(world):
    with world.client() as client:
        send(client, world.sessions_queue, of("one", "1"), of("two", "2"))
        seen = []
        for _ in range(2):
            with client.get_queue_receiver(
                world.sessions_queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=PATIENCE
            ) as receiver:
                [message] = receive(receiver, 1)
                assert message.session_id == receiver.session.session_id
                seen.append(receiver.session.session_id)
                receiver.complete_message(message)
        assert seen == ["one", "two"], seen


def without_a_session_that_is_free_the_wait_ends_in_time(world):
    with world.client(retry_total=0) as client:

        def accept():
            with client.get_queue_receiver(
                world.sessions_queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1
            ):
                pass

        raises(OperationTimeoutError, accept)


def a_session_keeps_its_state(world):
    with world.client() as client:
        send(client, world.sessions_queue, of("s", "x"))
        with client.get_queue_receiver(world.sessions_queue, session_id="s") as receiver:
            assert receiver.session.get_state() is None
            receiver.session.set_state("step 2")
        with client.get_queue_receiver(world.sessions_queue, session_id="s") as receiver:
            assert receiver.session.get_state() == b"step 2"
            [message] = receive(receiver, 1)
            assert message.delivery_count == 0
            receiver.complete_message(message)
            assert list(client.list_queue_sessions(world.sessions_queue)) == ["s"]
            receiver.session.set_state(None)
            assert receiver.session.get_state() is None
        assert list(client.list_queue_sessions(world.sessions_queue)) == []


def a_session_lock_is_renewed(world):
    with world.client() as client:
        with client.get_queue_receiver(world.sessions_queue, session_id="r") as receiver:
            before = receiver.session.locked_until_utc
            assert before <= receiver.session.renew_lock() == receiver.session.locked_until_utc


def a_session_whose_lock_ran_out_is_lost(world):
    with world.client(retry_total=0) as client:
        send(client, world.sessions_queue, of("slow", "x"))
        with client.get_queue_receiver(world.sessions_queue, session_id="slow") as slow:
            [message] = receive(slow, 1)
            # The lock's end is seen by another getting the session.
            with client.get_queue_receiver(
                world.sessions_queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=PATIENCE
            ) as other:
                [again] = receive(other, 1)
                assert (other.session.session_id, again.delivery_count) == ("slow", 1)
                raises(SessionLockLostError, lambda: slow.complete_message(message))
                other.complete_message(again)


def deferred_messages_of_a_session_come_by_their_numbers(world):
    with world.client() as client:
        send(client, world.sessions_queue, of("d", "later"))
        with client.get_queue_receiver(world.sessions_queue, session_id="d") as receiver:
            [message] = receive(receiver, 1)
            receiver.defer_message(message)
            assert [text(peeked) for peeked in receiver.peek_messages(9, sequence_number=1)] == ["later"]
            [message] = receiver.receive_deferred_messages(message.sequence_number)
            assert text(message) == "later"
            receiver.complete_message(message)


def sessions_are_used_where_they_are_required_and_nowhere_else(world):
    with world.client(retry_total=0) as client:

        def without():
            with client.get_queue_receiver(world.sessions_queue) as receiver:
                receiver.receive_messages(max_wait_time=1)

        def needless():
            with client.get_queue_receiver(world.queue, session_id="s"):
                pass

        for action in (without, needless, lambda: send(client, world.sessions_queue, ServiceBusMessage("no session"))):
            error = raises(ServiceBusError, action)
            assert "session" in str(error).lower(), error


SESSION_CASES = [
    a_session_is_received_in_order_by_one_receiver,
    the_next_free_session_is_given,
    without_a_session_that_is_free_the_wait_ends_in_time,
    a_session_keeps_its_state,
    a_session_lock_is_renewed,
    a_session_whose_lock_ran_out_is_lost,
    deferred_messages_of_a_session_come_by_their_numbers,
    sessions_are_used_where_they_are_required_and_nowhere_else,
]

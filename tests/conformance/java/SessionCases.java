// Messages received by session. One method a case.

import com.azure.messaging.servicebus.ServiceBusException;
import com.azure.messaging.servicebus.ServiceBusFailureReason;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Cases of both ways. */
final class SessionCases {
    static final List<Conformance.Named> ALL = List.of(
        new Conformance.Named(
            "a_session_is_received_in_order_by_one_receiver", SessionCases::aSessionIsReceivedInOrderByOneReceiver),
        new Conformance.Named("the_next_free_session_is_given", SessionCases::theNextFreeSessionIsGiven),
        new Conformance.Named(
            "without_a_session_that_is_free_the_wait_ends_in_time",
            SessionCases::withoutASessionThatIsFreeTheWaitEndsInTime),
        new Conformance.Named("a_session_keeps_its_state", SessionCases::aSessionKeepsItsState),
        new Conformance.Named("a_session_lock_is_renewed", SessionCases::aSessionLockIsRenewed),
        new Conformance.Named("a_session_whose_lock_ran_out_is_lost", SessionCases::aSessionWhoseLockRanOutIsLost),
        new Conformance.Named(
            "deferred_messages_of_a_session_come_by_their_numbers",
            SessionCases::deferredMessagesOfASessionComeByTheirNumbers),
        new Conformance.Named(
            "sessions_are_used_where_they_are_required_and_nowhere_else",
            SessionCases::sessionsAreUsedWhereTheyAreRequiredAndNowhereElse));

    private static final Set<ServiceBusFailureReason> LOST =
        Set.of(ServiceBusFailureReason.SESSION_LOCK_LOST, ServiceBusFailureReason.MESSAGE_LOCK_LOST);

    private SessionCases() {}

    private static ServiceBusMessage of(String sessionId, String body) {
        return Session.text(body).setSessionId(sessionId);
    }

    private static void aSessionIsReceivedInOrderByOneReceiver(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            session.send(world.sessionsQueue, of("a", "a1"), of("b", "b1"), of("a", "a2"));
            ServiceBusReceiverClient receiver = session.accept(world.sessionsQueue, "a");
            List<ServiceBusReceivedMessage> messages = Session.receive(receiver, 2);
            Session.expectEqual("a1a2", Session.bodies(messages));
            Session.expectEqual("a", messages.get(0).getSessionId());
            messages.forEach(receiver::complete);
            // By a connection of its own: on the same one the SDK hands out the link that it has. It asks for the session
            // when the receiver is first used.
            try (Session another = world.sessionWithoutRetry()) {
                Refusals.refused(
                    ServiceBusFailureReason.SESSION_CANNOT_BE_LOCKED,
                    () -> Session.upTo(another.accept(world.sessionsQueue, "a"), 1, Session.PATIENCE));
            }
            receiver.close();
            ServiceBusReceiverClient next = session.accept(world.sessionsQueue, "b");
            next.complete(Session.receiveOne(next));
        }
    }

    private static void theNextFreeSessionIsGiven(World world) {
        try (Session session = world.session()) {
            session.send(world.sessionsQueue, of("one", "1"), of("two", "2"));
            for (String expected : List.of("one", "two")) {
                ServiceBusReceiverClient receiver = session.accept(world.sessionsQueue, null);
                Session.expectEqual(expected, receiver.getSessionId());
                ServiceBusReceivedMessage message = Session.receiveOne(receiver);
                Session.expectEqual(expected, message.getSessionId());
                receiver.complete(message);
                receiver.close();
            }
        }
    }

    private static void withoutASessionThatIsFreeTheWaitEndsInTime(World world) {
        try (Session session = world.sessionThatWaits(2)) {
            session.accept(world.sessionsQueue, null);
        } catch (ServiceBusException refusal) {
            Session.expectEqual(ServiceBusFailureReason.SERVICE_TIMEOUT, refusal.getReason());
            return;
        } catch (IllegalStateException timedOut) {
            // The SDK's own limit of a synchronous call.
            Session.check(timedOut.toString().toLowerCase(Locale.ROOT).contains("timeout"), timedOut.toString());
            return;
        }
        throw new AssertionError("a session was given");
    }

    private static String state(ServiceBusReceiverClient receiver) {
        byte[] state = receiver.getSessionState();
        return state == null ? null : new String(state, StandardCharsets.UTF_8);
    }

    private static void aSessionKeepsItsState(World world) {
        try (Session session = world.session()) {
            session.send(world.sessionsQueue, of("s", "x"));
            ServiceBusReceiverClient receiver = session.accept(world.sessionsQueue, "s");
            Session.expectEqual(null, state(receiver));
            receiver.setSessionState("step 2".getBytes(StandardCharsets.UTF_8));
            receiver.close();
        }
        // By a connection of its own: on the same one the SDK hands out, for a moment longer, the link that was closed.
        try (Session session = world.session()) {
            ServiceBusReceiverClient receiver = session.accept(world.sessionsQueue, "s");
            Session.expectEqual("step 2", state(receiver));
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            Session.expectEqual(0L, message.getDeliveryCount());
            receiver.complete(message);
            receiver.setSessionState(null);
            Session.expectEqual(null, state(receiver));
        }
    }

    private static void aSessionLockIsRenewed(World world) {
        try (Session session = world.session()) {
            ServiceBusReceiverClient receiver = session.accept(world.sessionsQueue, "r");
            OffsetDateTime first = receiver.renewSessionLock();
            Session.check(first.isAfter(OffsetDateTime.now()), "locked until " + first);
            Session.check(!receiver.renewSessionLock().isBefore(first), "it does not last longer");
        }
    }

    private static void aSessionWhoseLockRanOutIsLost(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            session.send(world.sessionsQueue, of("slow", "x"));
            ServiceBusReceiverClient slow = session.accept(world.sessionsQueue, "slow", Duration.ZERO);
            ServiceBusReceivedMessage message = Session.receiveOne(slow);
            // The lock's end is seen by another getting the session.
            ServiceBusReceiverClient other = session.accept(world.sessionsQueue, null);
            Session.expectEqual("slow", other.getSessionId());
            ServiceBusReceivedMessage again = Session.receiveOne(other);
            Session.expectEqual(1L, again.getDeliveryCount());
            try {
                slow.complete(message);
                throw new AssertionError("a lost message was completed");
            } catch (ServiceBusException refusal) {
                // The link is gone with the session, so the SDK settles by request; both locks are lost then.
                Session.check(LOST.contains(refusal.getReason()), refusal.getReason() + ": " + refusal.getMessage());
            }
            other.complete(again);
        }
    }

    private static void deferredMessagesOfASessionComeByTheirNumbers(World world) {
        try (Session session = world.session()) {
            session.send(world.sessionsQueue, of("d", "later"));
            ServiceBusReceiverClient receiver = session.accept(world.sessionsQueue, "d");
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            receiver.defer(message);
            Session.expectEqual("later", Session.bodies(receiver.peekMessages(9, 1)));
            ServiceBusReceivedMessage deferred = receiver.receiveDeferredMessage(message.getSequenceNumber());
            Session.expectEqual("later", deferred.getBody().toString());
            receiver.complete(deferred);
        }
    }

    private static void sessionsAreUsedWhereTheyAreRequiredAndNowhereElse(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            for (Runnable action : List.<Runnable>of(
                () -> Session.upTo(session.peekLock(world.sessionsQueue), 1, Session.PATIENCE),
                () -> Session.upTo(session.accept(world.queue, "s"), 1, Session.PATIENCE),
                () -> session.send(world.sessionsQueue, Session.text("no session")))) {
                // No reason of the SDK's stands for it, and the cause of a receiver's end is no AMQP exception.
                String said = "nothing was refused";
                try {
                    action.run();
                } catch (RuntimeException refusal) {
                    said = refusal + " " + refusal.getCause();
                }
                Session.check(said.toLowerCase(Locale.ROOT).contains("session"), said);
            }
        }
    }
}

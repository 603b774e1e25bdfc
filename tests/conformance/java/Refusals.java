// What a user of `azure-messaging-servicebus` learns when something is refused: the SDK's own exception with its reason.
// One method a case.

import com.azure.core.amqp.exception.AmqpException;
import com.azure.core.exception.ClientAuthenticationException;
import com.azure.messaging.servicebus.ServiceBusErrorSource;
import com.azure.messaging.servicebus.ServiceBusException;
import com.azure.messaging.servicebus.ServiceBusFailureReason;
import com.azure.messaging.servicebus.ServiceBusMessageBatch;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/** The cases that expect a refusal. */
final class Refusals {
    private Refusals() {}

    static List<Conformance.Named> of(String way) {
        List<Conformance.Named> cases = new ArrayList<>(List.of(
            new Conformance.Named("a_lost_lock_cannot_be_settled", Refusals::aLostLockCannotBeSettled),
            new Conformance.Named("a_lost_lock_cannot_be_renewed", Refusals::aLostLockCannotBeRenewed),
            new Conformance.Named("too_large_a_message_is_refused", Refusals::tooLargeAMessageIsRefused),
            new Conformance.Named("a_batch_takes_no_more_than_may_be_sent", Refusals::aBatchTakesNoMoreThanMayBeSent),
            new Conformance.Named("a_full_queue_takes_no_more", Refusals::aFullQueueTakesNoMore),
            new Conformance.Named("a_queue_that_is_not_there_is_named", Refusals::aQueueThatIsNotThereIsNamed)));
        if (way.equals(World.BY_CONNECTION_STRING)) {
            cases.add(new Conformance.Named("a_wrong_key_is_refused", Refusals::aWrongKeyIsRefused));
        } else {
            cases.add(new Conformance.Named("a_wrong_secret_is_refused", Refusals::aWrongSecretIsRefused));
            cases.add(new Conformance.Named("a_queue_without_a_role_is_refused", Refusals::aQueueWithoutARoleIsRefused));
        }
        return cases;
    }

    /** The exception that {@code action} throws, which must be the SDK's own for {@code reason}. */
    static ServiceBusException refused(ServiceBusFailureReason reason, Runnable action) {
        ServiceBusException refusal;
        try {
            action.run();
            throw new AssertionError("nothing was refused");
        } catch (ServiceBusException thrown) {
            refusal = thrown;
        } catch (RuntimeException terminated) {
            // A synchronous receiver gives up with the AMQP exception itself, or with one of its own that it caused.
            Throwable cause = terminated instanceof AmqpException ? terminated : terminated.getCause();
            Session.check(cause instanceof AmqpException, terminated + ": " + cause);
            refusal = new ServiceBusException(cause, ServiceBusErrorSource.RECEIVE);
        }
        Session.check(refusal.getReason() == reason, refusal.getReason() + ": " + refusal.getMessage());
        return refusal;
    }

    private static void aLostLockCannotBeSettled(World world) {
        withLostLock(world, ServiceBusReceiverClient::complete);
    }

    private static void aLostLockCannotBeRenewed(World world) {
        withLostLock(world, ServiceBusReceiverClient::renewMessageLock);
    }

    private static void withLostLock(World world, BiConsumer<ServiceBusReceiverClient, ServiceBusReceivedMessage> action) {
        try (Session session = world.session()) {
            session.send(world.shortLockQueue, Session.text("slow"));
            ServiceBusReceiverClient slow = session.peekLock(world.shortLockQueue);
            ServiceBusReceivedMessage message = Session.receiveOne(slow);
            // The lock's end is seen by the message coming again, not by waiting for a time.
            ServiceBusReceiverClient other = session.peekLock(world.shortLockQueue);
            ServiceBusReceivedMessage again = Session.receiveOne(other);
            Session.expectEqual(1L, again.getDeliveryCount());
            refused(ServiceBusFailureReason.MESSAGE_LOCK_LOST, () -> action.accept(slow, message));
            other.complete(again);
            Session.expectEmpty(other);
        }
    }

    private static void tooLargeAMessageIsRefused(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            refused(
                ServiceBusFailureReason.MESSAGE_SIZE_EXCEEDED,
                () -> session.send(world.queue, Session.bytes(2 * 1024 * 1024)));
            Session.expectEmpty(session.peekLock(world.queue));
        }
    }

    private static void aBatchTakesNoMoreThanMayBeSent(World world) {
        try (Session session = world.session()) {
            var sender = session.sender(world.queue);
            ServiceBusMessageBatch batch = sender.createMessageBatch();
            while (batch.tryAddMessage(Session.bytes(50 * 1024))) {
                Session.check(batch.getCount() < 100, "it takes anything");
            }
            Session.check(batch.getCount() > 1, batch.getCount() + " messages fit");
            sender.sendMessages(batch);
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            Session.receive(receiver, batch.getCount()).forEach(receiver::complete);
        }
    }

    private static void aFullQueueTakesNoMore(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            int[] sent = {0};
            refused(ServiceBusFailureReason.QUOTA_EXCEEDED, () -> {
                for (; sent[0] < 100; sent[0]++) {
                    session.send(world.smallQueue, Session.bytes(16 * 1024));
                }
            });
            ServiceBusReceiverClient receiver = session.peekLock(world.smallQueue);
            Session.receive(receiver, sent[0]).forEach(receiver::complete);
            // There is room again.
            session.send(world.smallQueue, Session.text("more"));
            receiver.complete(Session.receiveOne(receiver));
        }
    }

    /** What is said of a queue that cannot be used, to a sender and to a receiver. */
    private static List<ServiceBusException> sendAndListen(Session session, String queue, ServiceBusFailureReason reason) {
        return List.of(
            refused(reason, () -> session.send(queue, Session.text("x"))),
            refused(reason, () -> Session.upTo(session.peekLock(queue), 1, Session.PATIENCE)));
    }

    private static void aQueueThatIsNotThereIsNamed(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            for (var refusal : sendAndListen(
                session, world.missingQueue, ServiceBusFailureReason.MESSAGING_ENTITY_NOT_FOUND)) {
                Session.check(refusal.getMessage().contains(world.missingQueue), refusal.getMessage());
            }
        }
    }

    private static void aWrongKeyIsRefused(World world) {
        String wrong = world.connectionString().replaceAll("SharedAccessKey=[^;]*", "SharedAccessKey=d3Jvbmc=");
        try (Session session = world.sessionOf(wrong)) {
            refused(ServiceBusFailureReason.UNAUTHORIZED, () -> session.send(world.queue, Session.text("x")));
        }
    }

    private static void aWrongSecretIsRefused(World world) {
        try (Session session = world.sessionWithSecret("not-the-secret")) {
            session.send(world.queue, Session.text("x"));
        } catch (ServiceBusException | ClientAuthenticationException refusal) {
            String said = refusal + " " + refusal.getCause();
            Session.check(said.contains("AADSTS7000215"), said);
            Session.check(!said.contains("not-the-secret"), "the secret is told");
            return;
        }
        throw new AssertionError("nothing was refused");
    }

    private static void aQueueWithoutARoleIsRefused(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            sendAndListen(session, world.forbiddenQueue, ServiceBusFailureReason.UNAUTHORIZED);
        }
    }
}

// What queues do besides taking and giving: schedule, defer, show, expire, renew. One method a case.

import com.azure.messaging.servicebus.ServiceBusFailureReason;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.models.DeadLetterOptions;
import com.azure.messaging.servicebus.models.ServiceBusMessageState;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import com.azure.messaging.servicebus.models.SubQueue;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/** Cases of both ways. */
final class QueueCases {
    static final List<Conformance.Named> ALL = List.of(
        new Conformance.Named("a_scheduled_message_comes_at_its_time", QueueCases::aScheduledMessageComesAtItsTime),
        new Conformance.Named("a_cancelled_message_never_comes", QueueCases::aCancelledMessageNeverComes),
        new Conformance.Named("deferred_messages_come_by_their_numbers", QueueCases::deferredMessagesComeByTheirNumbers),
        new Conformance.Named(
            "a_deferred_message_can_be_received_and_deleted", QueueCases::aDeferredMessageCanBeReceivedAndDeleted),
        new Conformance.Named(
            "peeking_sees_what_is_there_and_takes_nothing", QueueCases::peekingSeesWhatIsThereAndTakesNothing),
        new Conformance.Named("a_renewed_lock_lasts_longer", QueueCases::aRenewedLockLastsLonger),
        new Conformance.Named("an_expired_message_becomes_a_dead_letter", QueueCases::anExpiredMessageBecomesADeadLetter),
        new Conformance.Named("a_queues_own_time_to_live_is_the_longest", QueueCases::aQueuesOwnTimeToLiveIsTheLongest));

    private QueueCases() {}

    /** The numbers of so many messages, sent and deferred. */
    private static List<Long> sendAndDefer(Session session, String queue, int count) {
        session.send(queue, Cases.texts("", count));
        ServiceBusReceiverClient receiver = session.peekLock(queue);
        List<ServiceBusReceivedMessage> messages = Session.receive(receiver, count);
        messages.forEach(receiver::defer);
        Session.expectEmpty(receiver);
        return messages.stream().map(ServiceBusReceivedMessage::getSequenceNumber).toList();
    }

    private static List<ServiceBusReceivedMessage> deferred(ServiceBusReceiverClient receiver, List<Long> numbers) {
        return receiver.receiveDeferredMessageBatch(numbers).stream().toList();
    }

    private static List<ServiceBusReceivedMessage> peek(ServiceBusReceiverClient receiver, int count, long from) {
        return receiver.peekMessages(count, from).stream().toList();
    }

    private static void aScheduledMessageComesAtItsTime(World world) {
        OffsetDateTime at = OffsetDateTime.now().plusSeconds(2).truncatedTo(ChronoUnit.MILLIS);
        try (Session session = world.session()) {
            var sender = session.sender(world.queue);
            long number = sender.scheduleMessage(Session.text("by request"), at);
            sender.sendMessage(Session.text("by property").setScheduledEnqueueTime(at));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            List<ServiceBusReceivedMessage> peeked = peek(receiver, 10, number);
            Session.expectEqual(2, peeked.size());
            Session.expectEqual(ServiceBusMessageState.SCHEDULED, peeked.get(0).getState());
            List<ServiceBusReceivedMessage> messages = Session.receive(receiver, 2);
            Session.expectEqual("by requestby property", Session.bodies(messages));
            for (ServiceBusReceivedMessage message : messages) {
                Duration off = Duration.between(at, message.getEnqueuedTime()).abs();
                Session.check(off.toMillis() < 2, "enqueued " + message.getEnqueuedTime() + ", not " + at);
                Session.check(message.getSequenceNumber() > number + 1, "it has no new number");
                receiver.complete(message);
            }
            Session.expectEmpty(receiver);
        }
    }

    private static void aCancelledMessageNeverComes(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            var sender = session.sender(world.queue);
            List<Long> numbers = new ArrayList<>();
            sender.scheduleMessages(
                List.of(Session.text("a"), Session.text("b"), Session.text("c")), OffsetDateTime.now().plusSeconds(1))
                .forEach(numbers::add);
            sender.cancelScheduledMessages(List.of(numbers.get(0), numbers.get(2)));
            // This SDK passes over numbers of which the service says that there is no message.
            sender.cancelScheduledMessage(numbers.get(0));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            Session.expectEqual("b", message.getBody().toString());
            receiver.complete(message);
            Session.expectEmpty(receiver);
        }
    }

    private static void deferredMessagesComeByTheirNumbers(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            List<Long> numbers = sendAndDefer(session, world.queue, 4);
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            // This SDK gives nothing where the service says that there is no message.
            Session.expectEqual(List.of(), deferred(receiver, List.of(numbers.get(0), 1_000_000_000L)));
            List<ServiceBusReceivedMessage> messages = deferred(receiver, numbers);
            Session.expectEqual("0123", Session.bodies(messages));
            Session.expectEqual(ServiceBusMessageState.DEFERRED, messages.get(0).getState());
            Session.check(messages.get(0).getLockedUntil().isAfter(OffsetDateTime.now()), "it is not locked");
            receiver.complete(messages.get(0));
            receiver.abandon(messages.get(1));
            receiver.deadLetter(messages.get(2), new DeadLetterOptions().setDeadLetterReason("Unreadable"));
            receiver.defer(messages.get(3));
            Session.expectEqual(List.of(), deferred(receiver, List.of(numbers.get(0))));
            List<ServiceBusReceivedMessage> left = deferred(receiver, List.of(numbers.get(1), numbers.get(3)));
            Session.expectEqual(
                List.of(1L, 0L), left.stream().map(ServiceBusReceivedMessage::getDeliveryCount).toList());
            left.forEach(receiver::complete);
            Session.expectEmpty(receiver);
            ServiceBusReceiverClient deadLetters = session.deadLetters(world.queue);
            ServiceBusReceivedMessage dead = Session.receiveOne(deadLetters);
            Session.expectEqual("Unreadable", dead.getDeadLetterReason());
            deadLetters.complete(dead);
        }
    }

    private static void aDeferredMessageCanBeReceivedAndDeleted(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            List<Long> numbers = sendAndDefer(session, world.queue, 1);
            var receiver = session.receiver(world.queue, ServiceBusReceiveMode.RECEIVE_AND_DELETE, SubQueue.NONE);
            Session.expectEqual("0", Session.bodies(deferred(receiver, numbers)));
            Session.expectEqual(List.of(), deferred(receiver, numbers));
        }
    }

    private static void peekingSeesWhatIsThereAndTakesNothing(World world) {
        try (Session session = world.session()) {
            session.send(world.queue, Cases.texts("", 5));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            ServiceBusReceiverClient looking = session.peekLock(world.queue);
            ServiceBusReceivedMessage locked = Session.receiveOne(receiver);
            long first = locked.getSequenceNumber();
            Session.expectEqual("012", Session.bodies(peek(looking, 3, first)));
            Session.expectEqual("34", Session.bodies(peek(looking, 9, first + 3)));
            List<ServiceBusReceivedMessage> from = peek(looking, 2, first + 2);
            Session.expectEqual("23", Session.bodies(from));
            Session.expectEqual(ServiceBusMessageState.ACTIVE, from.get(0).getState());
            receiver.complete(locked);
            Session.receive(receiver, 4).forEach(receiver::complete);
            Session.expectEqual(List.of(), peek(looking, 3, 1));
        }
    }

    private static void aRenewedLockLastsLonger(World world) {
        try (Session session = world.sessionWithoutRetry()) {
            session.send(world.shortLockQueue, Session.text("slow"), Session.text("slower"));
            ServiceBusReceiverClient receiver = session.peekLock(world.shortLockQueue);
            List<ServiceBusReceivedMessage> messages = Session.receive(receiver, 2);
            ServiceBusReceivedMessage renewed = messages.get(0);
            OffsetDateTime end = renewed.getLockedUntil();
            List<ServiceBusReceivedMessage> again = List.of();
            // The end of the other lock, which is not renewed, is seen by its message coming again.
            while (again.isEmpty()) {
                OffsetDateTime before = end;
                end = receiver.renewMessageLock(renewed);
                Session.check(!end.isBefore(before), "locked until " + end);
                again = Session.upTo(receiver, 1, Session.EMPTY_AFTER);
            }
            Session.expectEqual("slower", Session.bodies(again));
            Session.expectEqual(1L, again.get(0).getDeliveryCount());
            Refusals.refused(ServiceBusFailureReason.MESSAGE_LOCK_LOST, () -> receiver.complete(messages.get(1)));
            receiver.complete(renewed);
            receiver.complete(again.get(0));
            Session.expectEmpty(receiver);
        }
    }

    private static void anExpiredMessageBecomesADeadLetter(World world) {
        Duration brief = Duration.ofSeconds(1);
        try (Session session = world.session()) {
            session.send(world.expiringQueue, Session.text("short").setTimeToLive(brief));
            ServiceBusReceiverClient deadLetters = session.deadLetters(world.expiringQueue);
            ServiceBusReceivedMessage dead = Session.receiveOne(deadLetters);
            Session.expectEqual("short", dead.getBody().toString());
            Session.expectEqual("TTLExpiredException", dead.getDeadLetterReason());
            deadLetters.complete(dead);
            // Where dead-lettering is off, it is gone: it is there no more when the one behind it is.
            session.send(
                world.queue,
                Session.text("gone").setTimeToLive(brief),
                Session.text("there").setScheduledEnqueueTime(OffsetDateTime.now().plus(brief.multipliedBy(2))));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            while (Session.bodies(peek(receiver, 1, 1)).equals("gone")) {
                // It expires.
            }
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            Session.expectEqual("there", message.getBody().toString());
            receiver.complete(message);
        }
    }

    private static void aQueuesOwnTimeToLiveIsTheLongest(World world) {
        try (Session session = world.session()) {
            session.send(
                world.expiringQueue, Session.text("long").setTimeToLive(Duration.ofHours(10)), Session.text("none"));
            ServiceBusReceiverClient receiver = session.peekLock(world.expiringQueue);
            for (ServiceBusReceivedMessage message : Session.receive(receiver, 2)) {
                Session.expectEqual(message.getEnqueuedTime().plusHours(1), message.getExpiresAt());
                receiver.complete(message);
            }
        }
    }
}

// What a user of `azure-messaging-servicebus` may rely on, one method a case. A case leaves the queues empty.

import com.azure.core.util.BinaryData;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusMessageBatch;
import com.azure.messaging.servicebus.ServiceBusProcessorClient;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.models.DeadLetterOptions;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import com.azure.messaging.servicebus.models.SubQueue;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The cases of both ways. */
final class Cases {
    static final List<Conformance.Named> ALL = List.of(
        new Conformance.Named("send_receive_complete", Cases::sendReceiveComplete),
        new Conformance.Named("properties_arrive_as_they_were_sent", Cases::propertiesArriveAsTheyWereSent),
        new Conformance.Named("a_binary_body_arrives_as_it_was_sent", Cases::aBinaryBodyArrivesAsItWasSent),
        new Conformance.Named("a_message_without_an_id_can_be_settled", Cases::aMessageWithoutAnIdCanBeSettled),
        new Conformance.Named("completes_in_any_order", Cases::completesInAnyOrder),
        new Conformance.Named("abandon_raises_the_delivery_count", Cases::abandonRaisesTheDeliveryCount),
        new Conformance.Named("dead_letters_with_reason_and_description", Cases::deadLettersWithReasonAndDescription),
        new Conformance.Named("dead_letters_after_the_last_delivery", Cases::deadLettersAfterTheLastDelivery),
        new Conformance.Named("a_batch_arrives_whole_and_in_order", Cases::aBatchArrivesWholeAndInOrder),
        new Conformance.Named("carries_200_kilobytes", Cases::carries200Kilobytes),
        new Conformance.Named(
            "an_empty_queue_gives_nothing_in_the_time_asked_for", Cases::anEmptyQueueGivesNothingInTheTimeAskedFor),
        new Conformance.Named("receive_and_delete_needs_no_settlement", Cases::receiveAndDeleteNeedsNoSettlement),
        new Conformance.Named("competing_receivers_never_share_a_message", Cases::competingReceiversNeverShareAMessage),
        new Conformance.Named("senders_side_by_side_lose_nothing", Cases::sendersSideBySideLoseNothing),
        new Conformance.Named(
            "a_subscription_completes_what_its_handler_took", Cases::aSubscriptionCompletesWhatItsHandlerTook),
        new Conformance.Named("a_duplicate_is_accepted_and_dropped", Cases::aDuplicateIsAcceptedAndDropped));

    private Cases() {}

    private static void sendReceiveComplete(World world) {
        try (Session session = world.session()) {
            session.send(world.queue, Session.text("hello").setMessageId("one"));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            Session.expectEqual("hello", message.getBody().toString());
            Session.expectEqual("one", message.getMessageId());
            Session.expectEqual(0L, message.getDeliveryCount());
            Session.check(message.getSequenceNumber() >= 1, "sequence number " + message.getSequenceNumber());
            UUID.fromString(message.getLockToken());
            OffsetDateTime now = OffsetDateTime.now();
            Session.check(!message.getEnqueuedTime().isAfter(now), "enqueued " + message.getEnqueuedTime());
            Session.check(message.getLockedUntil().isAfter(now), "locked until " + message.getLockedUntil());
            receiver.complete(message);
            Session.expectEmpty(receiver);
        }
    }

    private static void propertiesArriveAsTheyWereSent(World world) {
        Map<String, Object> properties = new HashMap<>(Map.of(
            "text", "Gruß", "int", -8, "long", -(1L << 40), "float", 1.5, "bool", true, "uuid", UUID.randomUUID(),
            "time", OffsetDateTime.parse("2026-01-02T03:04:05Z")));
        ServiceBusMessage sent = Session.text("body")
            .setMessageId("id-1").setCorrelationId("correlation-1").setContentType("application/octet-stream")
            .setSubject("subject-1").setTo("to-1").setReplyTo("reply-1").setReplyToSessionId("reply-session-1")
            .setPartitionKey("partition-1").setTimeToLive(Duration.ofHours(1));
        sent.getApplicationProperties().putAll(properties);
        try (Session session = world.session()) {
            session.send(world.queue, sent);
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            receiver.complete(message);
            Session.expectEqual(sent.getMessageId(), message.getMessageId());
            Session.expectEqual(sent.getCorrelationId(), message.getCorrelationId());
            Session.expectEqual(sent.getContentType(), message.getContentType());
            Session.expectEqual(sent.getSubject(), message.getSubject());
            Session.expectEqual(sent.getTo(), message.getTo());
            Session.expectEqual(sent.getReplyTo(), message.getReplyTo());
            Session.expectEqual(sent.getReplyToSessionId(), message.getReplyToSessionId());
            Session.expectEqual(sent.getPartitionKey(), message.getPartitionKey());
            Session.expectEqual(sent.getTimeToLive(), message.getTimeToLive());
            Session.expectEqual(message.getEnqueuedTime().plusHours(1), message.getExpiresAt());
            Session.expectEqual(properties, message.getApplicationProperties());
        }
    }

    private static void aBinaryBodyArrivesAsItWasSent(World world) {
        sendAndReceive(world, new byte[] {0x00, (byte) 0xff, (byte) 0xfe, 0x20});
    }

    private static void carries200Kilobytes(World world) {
        sendAndReceive(world, "abcdefgh".repeat(25 * 1024).getBytes(StandardCharsets.US_ASCII));
    }

    private static void sendAndReceive(World world, byte[] body) {
        try (Session session = world.session()) {
            session.send(world.queue, new ServiceBusMessage(BinaryData.fromBytes(body)));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            receiver.complete(message);
            Session.check(Arrays.equals(body, message.getBody().toBytes()), "other bytes");
        }
    }

    private static void aMessageWithoutAnIdCanBeSettled(World world) {
        try (Session session = world.session()) {
            session.send(world.queue, Session.text("no id"));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            receiver.complete(Session.receiveOne(receiver));
            Session.expectEmpty(receiver);
        }
    }

    private static void completesInAnyOrder(World world) {
        try (Session session = world.session()) {
            session.send(world.queue, texts("", 5));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            List<ServiceBusReceivedMessage> messages = Session.receive(receiver, 5);
            Session.expectEqual("01234", Session.bodies(messages));
            for (int index : new int[] {3, 0, 4, 2, 1}) {
                receiver.complete(messages.get(index));
            }
            Session.expectEmpty(receiver);
        }
    }

    private static void abandonRaisesTheDeliveryCount(World world) {
        try (Session session = world.session()) {
            session.send(world.queue, Session.text("again"));
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            ServiceBusReceivedMessage first = Session.receiveOne(receiver);
            receiver.abandon(first);
            ServiceBusReceivedMessage second = Session.receiveOne(receiver);
            Session.expectEqual(1L, second.getDeliveryCount());
            Session.expectEqual(first.getSequenceNumber(), second.getSequenceNumber());
            Session.check(!first.getLockToken().equals(second.getLockToken()), "the same lock token");
            receiver.complete(second);
        }
    }

    private static void deadLettersWithReasonAndDescription(World world) {
        try (Session session = world.session()) {
            ServiceBusMessage bad = Session.text("bad").setMessageId("bad-1");
            bad.getApplicationProperties().put("kept", "yes");
            session.send(world.queue, bad);
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            receiver.deadLetter(
                Session.receiveOne(receiver),
                new DeadLetterOptions().setDeadLetterReason("Unreadable").setDeadLetterErrorDescription("not JSON"));
            Session.expectEmpty(receiver);
            ServiceBusReceiverClient deadLetters = session.deadLetters(world.queue);
            ServiceBusReceivedMessage dead = Session.receiveOne(deadLetters);
            Session.expectEqual("bad-1", dead.getMessageId());
            Session.expectEqual("bad", dead.getBody().toString());
            Session.expectEqual("Unreadable", dead.getDeadLetterReason());
            Session.expectEqual("not JSON", dead.getDeadLetterErrorDescription());
            Session.expectEqual("yes", dead.getApplicationProperties().get("kept"));
            deadLetters.complete(dead);
            Session.expectEmpty(deadLetters);
        }
    }

    private static void deadLettersAfterTheLastDelivery(World world) {
        try (Session session = world.session()) {
            session.send(world.twoDeliveriesQueue, Session.text("poison"));
            ServiceBusReceiverClient receiver = session.peekLock(world.twoDeliveriesQueue);
            for (int delivery = 0; delivery < 2; delivery++) {
                receiver.abandon(Session.receiveOne(receiver));
            }
            ServiceBusReceiverClient deadLetters = session.deadLetters(world.twoDeliveriesQueue);
            ServiceBusReceivedMessage dead = Session.receiveOne(deadLetters);
            Session.expectEqual("MaxDeliveryCountExceeded", dead.getDeadLetterReason());
            deadLetters.complete(dead);
        }
    }

    private static void aBatchArrivesWholeAndInOrder(World world) {
        try (Session session = world.session()) {
            var sender = session.sender(world.queue);
            ServiceBusMessageBatch batch = sender.createMessageBatch();
            for (int n = 0; n < 100; n++) {
                Session.check(batch.tryAddMessage(Session.text("item " + n).setMessageId("" + n)), n + " does not fit");
            }
            sender.sendMessages(batch);
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            List<ServiceBusReceivedMessage> messages = Session.receive(receiver, 100);
            for (int n = 0; n < 100; n++) {
                Session.expectEqual("" + n, messages.get(n).getMessageId());
                receiver.complete(messages.get(n));
            }
            Session.expectEmpty(receiver);
        }
    }

    private static void anEmptyQueueGivesNothingInTheTimeAskedFor(World world) {
        try (Session session = world.session()) {
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            Session.expectEmpty(receiver);
            // The receiver goes on working after it found nothing.
            session.send(world.queue, Session.text("late"));
            receiver.complete(Session.receiveOne(receiver));
        }
    }

    private static void receiveAndDeleteNeedsNoSettlement(World world) {
        try (Session session = world.session()) {
            session.send(world.queue, Session.text("gone"));
            var receiver = session.receiver(world.queue, ServiceBusReceiveMode.RECEIVE_AND_DELETE, SubQueue.NONE);
            Session.expectEqual("gone", Session.receiveOne(receiver).getBody().toString());
            Session.expectEmpty(receiver);
        }
    }

    private static void competingReceiversNeverShareAMessage(World world) {
        try (Session session = world.session()) {
            session.send(world.queue, texts("", 10));
            Set<String> seen = new HashSet<>();
            for (ServiceBusReceiverClient receiver : List.of(session.peekLock(world.queue), session.peekLock(world.queue))) {
                for (ServiceBusReceivedMessage message : Session.receive(receiver, 5)) {
                    seen.add(message.getBody().toString());
                    receiver.complete(message);
                }
            }
            Session.expectEqual(10, seen.size());
        }
    }

    private static void sendersSideBySideLoseNothing(World world) {
        try (Session session = world.session()) {
            List<CompletableFuture<Void>> sending = new ArrayList<>();
            for (int n = 0; n < 4; n++) {
                var sender = session.sender(world.queue);
                String prefix = n + "-";
                sending.add(CompletableFuture.runAsync(() -> Arrays.stream(texts(prefix, 25)).forEach(sender::sendMessage)));
            }
            sending.forEach(CompletableFuture::join);
            ServiceBusReceiverClient receiver = session.peekLock(world.queue);
            Set<String> seen = new HashSet<>();
            for (ServiceBusReceivedMessage message : Session.receive(receiver, 100)) {
                seen.add(message.getBody().toString());
                receiver.complete(message);
            }
            Session.expectEqual(100, seen.size());
            Session.expectEmpty(receiver);
        }
    }

    private static void aSubscriptionCompletesWhatItsHandlerTook(World world) throws InterruptedException {
        try (Session session = world.session()) {
            session.send(world.queue, texts("", 20));
            Set<String> seen = ConcurrentHashMap.newKeySet();
            List<Throwable> errors = new ArrayList<>();
            CountDownLatch taken = new CountDownLatch(20);
            try (ServiceBusProcessorClient processor = session.builder().processor().queueName(world.queue)
                .maxConcurrentCalls(5).prefetchCount(0)
                .processMessage(context -> {
                    seen.add(context.getMessage().getBody().toString());
                    taken.countDown();
                })
                .processError(context -> errors.add(context.getException()))
                .buildProcessorClient()) {
                processor.start();
                Session.check(taken.await(Session.PATIENCE.toSeconds(), TimeUnit.SECONDS), "only " + seen + " came");
                // The last message is completed after its handler has ended, and not by a processor that is closed.
                ServiceBusReceiverClient looking = session.peekLock(world.queue);
                long end = System.nanoTime() + Session.PATIENCE.toNanos();
                while (looking.peekMessage(1) != null) {
                    Session.check(System.nanoTime() < end, "a message is still there");
                }
            }
            Session.expectEqual(List.of(), errors);
            Session.expectEqual(20, seen.size());
            Session.expectEmpty(session.peekLock(world.queue));
        }
    }

    private static void aDuplicateIsAcceptedAndDropped(World world) {
        String id = UUID.randomUUID().toString();
        try (Session session = world.session()) {
            session.send(world.duplicateDetectionQueue, Session.text("a").setMessageId(id), Session.text("b").setMessageId(id));
            ServiceBusReceiverClient receiver = session.peekLock(world.duplicateDetectionQueue);
            ServiceBusReceivedMessage message = Session.receiveOne(receiver);
            Session.expectEqual("a", message.getBody().toString());
            receiver.complete(message);
            Session.expectEmpty(receiver);
        }
    }

    /** Messages whose texts are numbers. */
    static ServiceBusMessage[] texts(String prefix, int count) {
        ServiceBusMessage[] messages = new ServiceBusMessage[count];
        Arrays.setAll(messages, n -> Session.text(prefix + n));
        return messages;
    }
}

// The SDK's clients as the cases use them.

import com.azure.core.util.BinaryData;
import com.azure.messaging.servicebus.ServiceBusClientBuilder;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.ServiceBusSessionReceiverClient;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import com.azure.messaging.servicebus.models.SubQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Senders and receivers on one connection, which are closed together. */
final class Session implements AutoCloseable {
    /** Long enough for a busy machine, and never waited for when all is well. */
    static final Duration PATIENCE = Duration.ofSeconds(30);
    /** How long an empty queue is listened to before it counts as empty. */
    static final Duration EMPTY_AFTER = Duration.ofMillis(500);

    private final ServiceBusClientBuilder builder;
    private final List<AutoCloseable> open = new ArrayList<>();

    Session(ServiceBusClientBuilder builder) {
        this.builder = builder;
    }

    ServiceBusClientBuilder builder() {
        return builder;
    }

    ServiceBusSenderClient sender(String queue) {
        ServiceBusSenderClient sender = builder.sender().queueName(queue).buildClient();
        add(sender::close);
        return sender;
    }

    private synchronized void add(AutoCloseable client) {
        open.add(client);
    }

    ServiceBusReceiverClient peekLock(String queue) {
        return receiver(queue, ServiceBusReceiveMode.PEEK_LOCK, SubQueue.NONE);
    }

    ServiceBusReceiverClient deadLetters(String queue) {
        return receiver(queue, ServiceBusReceiveMode.PEEK_LOCK, SubQueue.DEAD_LETTER_QUEUE);
    }

    /** A receiver that renews nothing by itself and asks for nothing ahead. */
    ServiceBusReceiverClient receiver(String queue, ServiceBusReceiveMode mode, SubQueue subQueue) {
        var receiver = builder.receiver().queueName(queue).subQueue(subQueue).receiveMode(mode).prefetchCount(0);
        if (mode == ServiceBusReceiveMode.PEEK_LOCK) {
            receiver.maxAutoLockRenewDuration(Duration.ZERO);
        }
        ServiceBusReceiverClient client = receiver.buildClient();
        add(client::close);
        return client;
    }

    /** A receiver of one session, whose lock the SDK renews, so that a busy machine is no matter. */
    ServiceBusReceiverClient accept(String queue, String sessionId) {
        return accept(queue, sessionId, PATIENCE.multipliedBy(2));
    }

    /**
     * A receiver of one session, by its name or, without one, of the next that is free, whose lock is renewed for so long.
     * It is closed with the rest.
     */
    ServiceBusReceiverClient accept(String queue, String sessionId, Duration renewed) {
        ServiceBusSessionReceiverClient acceptor = builder.sessionReceiver().queueName(queue).prefetchCount(0)
            .maxAutoLockRenewDuration(renewed).buildClient();
        add(acceptor::close);
        ServiceBusReceiverClient receiver =
            sessionId == null ? acceptor.acceptNextSession() : acceptor.acceptSession(sessionId);
        add(receiver::close);
        return receiver;
    }

    /** Sends each message by itself. */
    void send(String queue, ServiceBusMessage... messages) {
        try (ServiceBusSenderClient sender = builder.sender().queueName(queue).buildClient()) {
            for (ServiceBusMessage message : messages) {
                sender.sendMessage(message);
            }
        }
    }

    /** A message with nothing but a text. */
    static ServiceBusMessage text(String body) {
        return new ServiceBusMessage(body);
    }

    /** A message of so many bytes. */
    static ServiceBusMessage bytes(int count) {
        return new ServiceBusMessage(BinaryData.fromBytes(new byte[count]));
    }

    /** Up to {@code count} messages, and none when none comes in time. */
    static List<ServiceBusReceivedMessage> upTo(ServiceBusReceiverClient receiver, int count, Duration wait) {
        return receiver.receiveMessages(count, wait).stream().toList();
    }

    /** Exactly {@code count} messages, however many receives it takes. */
    static List<ServiceBusReceivedMessage> receive(ServiceBusReceiverClient receiver, int count) {
        List<ServiceBusReceivedMessage> messages = new ArrayList<>();
        while (messages.size() < count) {
            List<ServiceBusReceivedMessage> more = upTo(receiver, count - messages.size(), PATIENCE);
            check(!more.isEmpty(), messages.size() + " of " + count + " messages came in " + PATIENCE);
            messages.addAll(more);
        }
        return messages;
    }

    static ServiceBusReceivedMessage receiveOne(ServiceBusReceiverClient receiver) {
        return receive(receiver, 1).get(0);
    }

    /** The texts of messages, one after the other. */
    static String bodies(Iterable<ServiceBusReceivedMessage> messages) {
        StringBuilder all = new StringBuilder();
        messages.forEach(message -> all.append(message.getBody()));
        return all.toString();
    }

    /** Nothing can be received. */
    static void expectEmpty(ServiceBusReceiverClient receiver) {
        for (ServiceBusReceivedMessage left : upTo(receiver, 1, EMPTY_AFTER)) {
            throw new AssertionError(left.getMessageId() + " is still there");
        }
    }

    /** Fails the case unless {@code holds}. */
    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void expectEqual(Object expected, Object actual) {
        check(Objects.equals(expected, actual), "expected " + expected + ", not " + actual);
    }

    @Override
    public void close() {
        for (AutoCloseable client : open) {
            try {
                client.close();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }
    }
}

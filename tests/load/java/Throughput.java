import com.azure.core.util.BinaryData;
import com.azure.messaging.servicebus.ServiceBusClientBuilder;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusMessageBatch;
import com.azure.messaging.servicebus.ServiceBusReceiverAsyncClient;
import com.azure.messaging.servicebus.ServiceBusSenderAsyncClient;
import java.util.Locale;
import reactor.core.publisher.Flux;

/** Sends and receives as fast as azure-messaging-servicebus goes, and prints the rates as JSON. */
public final class Throughput {
    private static final int IN_FLIGHT = 64;
    private static final int BATCH = 100;

    private final ServiceBusSenderAsyncClient sender;
    private final ServiceBusReceiverAsyncClient receiver;
    private final byte[] body = new byte[number("LOAD_BODY")];

    private interface Step {
        void run(int count) throws Exception;
    }

    private Throughput(ServiceBusSenderAsyncClient sender, ServiceBusReceiverAsyncClient receiver) {
        this.sender = sender;
        this.receiver = receiver;
    }

    public static void main(String[] arguments) throws Exception {
        ServiceBusClientBuilder builder =
                new ServiceBusClientBuilder().connectionString(System.getenv("SERVICE_BUS_CONNECTION_STRING"));
        String queue = System.getenv("LOAD_QUEUE");
        try (ServiceBusSenderAsyncClient sender = builder.sender().queueName(queue).buildAsyncClient();
                ServiceBusReceiverAsyncClient receiver =
                        builder.receiver().queueName(queue).disableAutoComplete().prefetchCount(BATCH)
                                .buildAsyncClient()) {
            new Throughput(sender, receiver).run();
        }
    }

    private void run() throws Exception {
        int warmUp = number("LOAD_WARM_UP");
        single(warmUp);
        pipelined(warmUp);
        batch(warmUp);
        receive(3 * warmUp);
        int single = number("LOAD_SINGLE");
        int pipelined = number("LOAD_PIPELINED");
        int batch = number("LOAD_BATCH");
        double[] rates = {
            rate(this::single, single),
            rate(this::pipelined, pipelined),
            rate(this::batch, batch),
            rate(this::receive, single + pipelined + batch),
        };
        System.out.printf(
                Locale.ROOT,
                "{\"single\": %f, \"pipelined\": %f, \"batch\": %f, \"receive\": %f}%n",
                rates[0], rates[1], rates[2], rates[3]);
    }

    private static double rate(Step step, int count) throws Exception {
        long began = System.nanoTime();
        step.run(count);
        return count * 1e9 / (System.nanoTime() - began);
    }

    private void single(int count) {
        for (int sent = 0; sent < count; sent++) {
            sender.sendMessage(message()).block();
        }
    }

    private void pipelined(int count) {
        Flux.range(0, count).flatMap(number -> sender.sendMessage(message()), IN_FLIGHT).then().block();
    }

    private void batch(int count) {
        for (int sent = 0; sent < count; sent += BATCH) {
            ServiceBusMessageBatch batch = sender.createMessageBatch().block();
            while (batch.getCount() < BATCH) {
                if (!batch.tryAddMessage(message())) {
                    throw new IllegalStateException("the batch is full");
                }
            }
            sender.sendMessages(batch).block();
        }
    }

    /** A stream of messages, since this SDK opens a link anew for each call that asks for a number of them. */
    private void receive(int count) {
        receiver.receiveMessages()
                .flatMap(message -> receiver.complete(message).thenReturn(message), IN_FLIGHT)
                // After the completions: it closes the link.
                .take(count)
                .then()
                .block();
    }

    private ServiceBusMessage message() {
        return new ServiceBusMessage(BinaryData.fromBytes(body));
    }

    private static int number(String name) {
        return Integer.parseInt(System.getenv(name));
    }
}

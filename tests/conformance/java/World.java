// What the program is told about the world it runs in, and the SDK clients that reach it.
//
// Everything comes from the environment, so that the same program runs against the lab, Microsoft's emulator or a real
// namespace. Two ways lead in: a connection string over plain AMQP, or a token of Microsoft Entra ID over TLS.

import com.azure.core.amqp.AmqpRetryOptions;
import com.azure.core.credential.TokenCredential;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.azure.messaging.servicebus.ServiceBusClientBuilder;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import com.azure.messaging.servicebus.models.SubQueue;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** One way into one namespace. */
final class World {
    static final String BY_CONNECTION_STRING = "connection-string";
    static final String BY_TOKEN = "token";

    final String way;
    final String queue;
    final String shortLockQueue;
    final String duplicateDetectionQueue;
    final String twoDeliveriesQueue;
    final String expiringQueue;
    final String sessionsQueue;
    final String smallQueue;
    final String missingQueue;
    final String forbiddenQueue;
    private final Map<String, String> environment;

    World(Map<String, String> environment) throws GeneralSecurityException, IOException {
        this.environment = environment;
        way = required("CONFORMANCE_WAY");
        queue = required("CONFORMANCE_QUEUE");
        shortLockQueue = required("CONFORMANCE_SHORT_LOCK_QUEUE");
        duplicateDetectionQueue = required("CONFORMANCE_DUPLICATE_DETECTION_QUEUE");
        twoDeliveriesQueue = required("CONFORMANCE_TWO_DELIVERIES_QUEUE");
        expiringQueue = required("CONFORMANCE_EXPIRING_QUEUE");
        sessionsQueue = required("CONFORMANCE_SESSIONS_QUEUE");
        smallQueue = required("CONFORMANCE_SMALL_QUEUE");
        missingQueue = required("CONFORMANCE_MISSING_QUEUE");
        forbiddenQueue = required("CONFORMANCE_FORBIDDEN_QUEUE");
        switch (way) {
            case BY_CONNECTION_STRING -> required("SERVICE_BUS_CONNECTION_STRING");
            case BY_TOKEN -> trust(Path.of(required("CONFORMANCE_CA_FILE")));
            default -> throw new IllegalArgumentException(
                "CONFORMANCE_WAY is " + way + ": expected " + BY_CONNECTION_STRING + " or " + BY_TOKEN);
        }
    }

    private String required(String name) {
        String value = environment.get(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException(name + " is not set");
        }
        return value;
    }

    /** Trusts the authority in a file, as an operator does with keytool and javax.net.ssl.trustStore. */
    private static void trust(Path file) throws GeneralSecurityException, IOException {
        char[] password = "changeit".toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, password);
        try (InputStream pem = Files.newInputStream(file)) {
            store.setCertificateEntry("lab", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        Path path = Files.createTempFile("trust", ".p12");
        path.toFile().deleteOnExit();
        try (OutputStream out = Files.newOutputStream(path)) {
            store.store(out, password);
        }
        System.setProperty("javax.net.ssl.trustStore", path.toString());
        System.setProperty("javax.net.ssl.trustStorePassword", new String(password));
    }

    String connectionString() {
        return required("SERVICE_BUS_CONNECTION_STRING");
    }

    /** A client by the world's own way, to be closed. */
    Session session() {
        return new Session(builder(way.equals(BY_TOKEN) ? null : connectionString(), null));
    }

    /** The same for cases that expect a refusal: it should come at once. */
    Session sessionWithoutRetry() {
        return new Session(builder(way.equals(BY_TOKEN) ? null : connectionString(), null).retryOptions(noRetry()));
    }

    /** The same that waits so many seconds for what it asks. */
    Session sessionThatWaits(int seconds) {
        return new Session(builder(way.equals(BY_TOKEN) ? null : connectionString(), null)
            .retryOptions(noRetry().setTryTimeout(Duration.ofSeconds(seconds))));
    }

    Session sessionOf(String connectionString) {
        return new Session(builder(connectionString, null).retryOptions(noRetry()));
    }

    Session sessionWithSecret(String secret) {
        return new Session(builder(null, secret).retryOptions(noRetry()));
    }

    private ServiceBusClientBuilder builder(String connectionString, String secret) {
        ServiceBusClientBuilder builder = new ServiceBusClientBuilder();
        if (connectionString != null) {
            return builder.connectionString(connectionString);
        }
        return builder.credential(required("SERVICE_BUS_NAMESPACE"), credential(secret));
    }

    /** The application's credential, as its owner would write it. */
    private TokenCredential credential(String secret) {
        return new ClientSecretCredentialBuilder()
            .authorityHost(required("AZURE_AUTHORITY_HOST"))
            // A private authority is in no public instance metadata.
            .disableInstanceDiscovery()
            .tenantId(required("AZURE_TENANT_ID"))
            .clientId(required("AZURE_CLIENT_ID"))
            .clientSecret(secret == null ? required("AZURE_CLIENT_SECRET") : secret)
            .build();
    }

    private static AmqpRetryOptions noRetry() {
        return new AmqpRetryOptions().setMaxRetries(0).setTryTimeout(Session.PATIENCE);
    }

    /** Empties the queues and their dead-letter queues, so that a failed case spoils no other. */
    void drain() {
        try (Session session = session()) {
            for (String name : List.of(
                queue, shortLockQueue, duplicateDetectionQueue, twoDeliveriesQueue, expiringQueue, smallQueue)) {
                for (SubQueue subQueue : List.of(SubQueue.NONE, SubQueue.DEAD_LETTER_QUEUE)) {
                    var receiver = session.receiver(name, ServiceBusReceiveMode.RECEIVE_AND_DELETE, subQueue);
                    while (!Session.upTo(receiver, 100, Duration.ofSeconds(1)).isEmpty()) {
                        // Deleted by being received.
                    }
                }
            }
        }
    }
}

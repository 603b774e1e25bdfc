// Apache ActiveMQ Artemis with one queue and its dead letters, for a client that was written for Service Bus.
//
// Everything on the wire is Artemis's own. Two things are arranged around it. The dead letters' address has the name that
// Service Bus gives them. And a put-token request, which a Service Bus client sends before anything else, is made its own
// answer: this broker asks nobody for a token.
//
// It listens on a free port of the loopback interface, prints `ready PORT`, and ends with its standard input.

import java.util.Map;
import org.apache.activemq.artemis.api.core.Message;
import org.apache.activemq.artemis.api.core.QueueConfiguration;
import org.apache.activemq.artemis.api.core.RoutingType;
import org.apache.activemq.artemis.api.core.SimpleString;
import org.apache.activemq.artemis.core.config.CoreAddressConfiguration;
import org.apache.activemq.artemis.core.config.impl.ConfigurationImpl;
import org.apache.activemq.artemis.core.remoting.impl.netty.NettyAcceptor;
import org.apache.activemq.artemis.core.server.ServerSession;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.core.server.plugin.ActiveMQServerPlugin;
import org.apache.activemq.artemis.core.settings.impl.AddressSettings;
import org.apache.activemq.artemis.core.transaction.Transaction;
import org.apache.activemq.artemis.protocol.amqp.broker.AMQPMessage;

public final class PeerBroker {
    private static final String QUEUE = "q";
    private static final String DEAD_LETTERS = QUEUE + "/$DeadLetterQueue";
    private static final String CBS = "$cbs";
    private static final int MAX_DELIVERIES = 3;

    private PeerBroker() {}

    public static void main(String[] arguments) throws Exception {
        ConfigurationImpl configuration = new ConfigurationImpl();
        configuration.setPersistenceEnabled(false).setSecurityEnabled(false).setJMXManagementEnabled(false);
        configuration.addAcceptorConfiguration("amqp", "tcp://127.0.0.1:0?protocols=AMQP;saslMechanisms=ANONYMOUS");
        configuration.addAddressConfiguration(anycast(QUEUE)).addAddressConfiguration(anycast(DEAD_LETTERS));
        // Every link that reads from it gets every answer, and passes over those to others.
        configuration.addAddressConfiguration(
                new CoreAddressConfiguration().setName(CBS).addRoutingType(RoutingType.MULTICAST));
        AddressSettings settings = new AddressSettings();
        settings.setDeadLetterAddress(SimpleString.of(DEAD_LETTERS)).setMaxDeliveryAttempts(MAX_DELIVERIES);
        // A queue that nobody has made does not come into being, as with Service Bus.
        settings.setAutoCreateAddresses(false).setAutoCreateQueues(true);
        configuration.setAddressSettings(Map.of("#", settings));
        configuration.registerBrokerPlugin(new EveryTokenIsGood());

        EmbeddedActiveMQ broker = new EmbeddedActiveMQ();
        broker.setConfiguration(configuration).start();
        NettyAcceptor acceptor =
                (NettyAcceptor) broker.getActiveMQServer().getRemotingService().getAcceptor("amqp");
        System.out.println("ready " + acceptor.getActualPort());
        while (System.in.read() >= 0) {
            // Until whoever started it closes it, or is gone.
        }
        broker.stop();
    }

    private static CoreAddressConfiguration anycast(String name) {
        QueueConfiguration queue =
                QueueConfiguration.of(name).setAddress(name).setRoutingType(RoutingType.ANYCAST).setDurable(false);
        return new CoreAddressConfiguration()
                .setName(name)
                .addRoutingType(RoutingType.ANYCAST)
                .addQueueConfig(queue);
    }

    private static final class EveryTokenIsGood implements ActiveMQServerPlugin {
        @Override
        public void beforeSend(
                ServerSession session, Transaction transaction, Message message, boolean direct, boolean noAutoCreateQueue) {
            if (message instanceof AMQPMessage request && CBS.equals(message.getAddress())) {
                request.setCorrelationID(request.getProperties().getMessageId());
                request.putIntProperty("status-code", 202);
                request.reencode();
            }
        }
    }
}

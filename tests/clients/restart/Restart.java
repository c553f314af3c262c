import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import java.util.Map;

/** What a Java program finds after the server was killed and started again. */
public final class Restart {
    private static final String EXCHANGE = "restart.java";
    private static final String QUEUE = "restart.java.queue";
    private static final int CONFIRMED = 200;
    private static final int IN_FLIGHT = 100;

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static void publish(Channel channel, String body) throws Exception {
        channel.basicPublish(
                EXCHANGE, "key", true, MessageProperties.PERSISTENT_BASIC, body.getBytes("UTF-8"));
    }

    private static void before(Channel channel) throws Exception {
        channel.exchangeDeclare(EXCHANGE, "direct", true);
        channel.queueDeclare(QUEUE, true, false, false, Map.of("x-queue-type", "quorum"));
        channel.queueBind(QUEUE, EXCHANGE, "key");
        channel.confirmSelect();
        for (int number = 0; number < CONFIRMED; number++) {
            publish(channel, "" + number);
        }
        channel.waitForConfirmsOrDie(10_000);
        for (int number = 0; number < IN_FLIGHT; number++) {
            publish(channel, "in flight " + number);
        }
    }

    private static void after(Channel channel) throws Exception {
        channel.exchangeDeclarePassive(EXCHANGE);
        channel.queueDeclare(QUEUE, true, false, false, Map.of("x-queue-type", "quorum"));
        int found = 0;
        for (GetResponse got; (got = channel.basicGet(QUEUE, false)) != null; found++) {
            String body = new String(got.getBody(), "UTF-8");
            String expected = found < CONFIRMED ? "" + found : "in flight " + (found - CONFIRMED);
            check(body.equals(expected), body + " instead of " + expected);
            // Nobody was given any: a quorum queue knows that after a crash.
            check(!got.getEnvelope().isRedeliver(), body + " is flagged redelivered");
            channel.basicAck(got.getEnvelope().getDeliveryTag(), false);
        }
        check(found >= CONFIRMED, "only " + found + " messages are there");
        channel.confirmSelect();
        publish(channel, "after");
        channel.waitForConfirmsOrDie(10_000);
        channel.exchangeDelete(EXCHANGE);
        check(channel.queueDelete(QUEUE).getMessageCount() == 1, "the binding is lost");
    }

    public static void main(String[] arguments) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(System.getenv("AMQP_URL").replaceFirst("^(amqps?://[^/]*)/$", "$1"));
        factory.setAutomaticRecoveryEnabled(false);
        Connection connection = factory.newConnection();
        before(connection.createChannel());
        Process restart = new ProcessBuilder(System.getenv("LEVERET_RESTART")).inheritIO().start();
        check(restart.waitFor() == 0, "the server does not start again");
        try (Connection again = factory.newConnection()) {
            after(again.createChannel());
        }
        System.out.println("ok java");
        System.exit(0);
    }
}

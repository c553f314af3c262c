import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** What a program written with RabbitMQ's Java client relies on, end to end. */
public final class Client {
    private static final int WAIT_MS = 10_000;
    private static final String RUN = "clients.java." + UUID.randomUUID();
    private static final String EXCHANGE = RUN + ".exchange";
    private static final String QUEUE = RUN + ".queue";
    private static final String RPC_QUEUE = RUN + ".rpc";
    private static final String REPLY_TO = "amq.rabbitmq.reply-to";

    private final Connection connection;
    private final Channel channel;

    private Client(Connection connection) throws IOException {
        this.connection = connection;
        this.channel = connection.createChannel();
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static <T> T next(BlockingQueue<T> stream, String what) throws InterruptedException {
        T value = stream.poll(WAIT_MS, TimeUnit.MILLISECONDS);
        check(value != null, "waited " + WAIT_MS + " ms for " + what);
        return value;
    }

    private static AMQP.BasicProperties call(String replyTo, String correlationId) {
        return new AMQP.BasicProperties.Builder()
                .replyTo(replyTo).correlationId(correlationId).build();
    }

    /** Publishes one mandatory message and waits for its confirm. */
    private void publish(String exchange, String key, AMQP.BasicProperties properties, byte[] body)
            throws Exception {
        channel.basicPublish(exchange, key, true, properties, body);
        check(channel.waitForConfirms(WAIT_MS), "the publish to " + key + " was nacked");
    }

    private static String consume(Channel on, String queue, boolean noAck,
            BlockingQueue<Delivery> into) throws IOException {
        return on.basicConsume(queue, noAck, (tag, delivery) -> into.add(delivery), tag -> { });
    }

    private void declare() throws IOException {
        channel.exchangeDeclare(EXCHANGE, "direct");
        channel.queueDeclare(QUEUE, false, false, false, null);
        channel.queueBind(QUEUE, EXCHANGE, "key");
        channel.confirmSelect();
    }

    private void publishAndReturn() throws Exception {
        BlockingQueue<Return> returns = new LinkedBlockingQueue<>();
        channel.addReturnListener(returns::add);
        publish(EXCHANGE, "key", null, "routed".getBytes());
        check(returns.isEmpty(), "a routed message was returned");
        publish(EXCHANGE, "nowhere", null, "lost".getBytes());
        Return returned = next(returns, "basic.return");
        check(returned.getReplyCode() == 312, "reply code " + returned.getReplyCode());
        check("NO_ROUTE".equals(returned.getReplyText()), returned.getReplyText());
        check("lost".equals(new String(returned.getBody())), "the returned body changed");
        GetResponse got = channel.basicGet(QUEUE, true);
        check(got != null && "routed".equals(new String(got.getBody())), "basic.get gave " + got);
        check(channel.basicGet(QUEUE, true) == null, "the queue should be empty");
    }

    private void prefetch() throws Exception {
        for (int n = 0; n < 10; n++) {
            publish(EXCHANGE, "key", null, String.valueOf(n).getBytes());
        }
        channel.basicQos(3);
        BlockingQueue<Delivery> stream = new LinkedBlockingQueue<>();
        String tag = consume(channel, QUEUE, false, stream);
        StringBuilder seen = new StringBuilder();
        Delivery last = null;
        for (int first = 0; first < 9; first += 3) {
            for (int n = 0; n < 3; n++) {
                last = next(stream, "a delivery within the prefetch");
                seen.append(new String(last.getBody()));
            }
            // A round trip behind all earlier deliveries.
            int ready = channel.queueDeclarePassive(QUEUE).getMessageCount();
            check(ready == 7 - first, ready + " ready, expected " + (7 - first));
            check(stream.isEmpty(), "more than 3 unacked with a prefetch of 3");
            channel.basicAck(last.getEnvelope().getDeliveryTag(), true);
        }
        last = next(stream, "the last delivery");
        seen.append(new String(last.getBody()));
        check("0123456789".contentEquals(seen), "out of order: " + seen);
        channel.basicAck(last.getEnvelope().getDeliveryTag(), false);
        channel.basicCancel(tag);
    }

    private void requeue() throws Exception {
        BlockingQueue<Delivery> stream = new LinkedBlockingQueue<>();
        String tag = consume(channel, QUEUE, false, stream);
        publish(EXCHANGE, "key", null, "again".getBytes());
        Delivery first = next(stream, "the first delivery");
        check(!first.getEnvelope().isRedeliver(), "the first delivery is marked redelivered");
        channel.basicNack(first.getEnvelope().getDeliveryTag(), false, true);
        Delivery second = next(stream, "the second delivery");
        check(second.getEnvelope().isRedeliver(), "the second is not marked redelivered");
        channel.basicAck(second.getEnvelope().getDeliveryTag(), false);
        channel.basicCancel(tag);
    }

    private void rpc() throws Exception {
        Channel server = connection.createChannel();
        server.queueDeclare(RPC_QUEUE, false, true, false, null);
        BlockingQueue<Delivery> requests = new LinkedBlockingQueue<>();
        BlockingQueue<Delivery> replies = new LinkedBlockingQueue<>();
        String serving = consume(server, RPC_QUEUE, false, requests);
        String tag = consume(channel, REPLY_TO, true, replies);
        publish("", RPC_QUEUE, call(REPLY_TO, "call-1"), "question".getBytes());
        Delivery request = next(requests, "the request");
        String address = request.getProperties().getReplyTo();
        check(address.startsWith(REPLY_TO + "."), "reply address " + address);
        String id = request.getProperties().getCorrelationId();
        server.basicPublish("", address, call(null, id), "QUESTION".getBytes());
        server.basicAck(request.getEnvelope().getDeliveryTag(), false);
        Delivery reply = next(replies, "the reply");
        check("call-1".equals(reply.getProperties().getCorrelationId()), "correlation id");
        check("QUESTION".equals(new String(reply.getBody())), "the reply's body");
        channel.basicCancel(tag);
        server.basicCancel(serving);
        server.queueDelete(RPC_QUEUE);
        server.close();
    }

    private void largeBody() throws Exception {
        byte[] sent = new byte[1 << 20];
        new Random().nextBytes(sent);
        publish(EXCHANGE, "key", new AMQP.BasicProperties.Builder()
                .deliveryMode(2).headers(Map.of("attempt", 7)).build(), sent);
        GetResponse got = channel.basicGet(QUEUE, false);
        check(got != null, "the 1 MiB message is not in the queue");
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        check(Arrays.equals(sha.digest(sent), sha.digest(got.getBody())), "the body changed");
        check(got.getProps().getDeliveryMode() == 2, "delivery mode");
        check(Map.of("attempt", 7).equals(got.getProps().getHeaders()), "headers");
        channel.basicAck(got.getEnvelope().getDeliveryTag(), false);
    }

    private void cleanUp() throws Exception {
        channel.queueUnbind(QUEUE, EXCHANGE, "key");
        check(channel.queueDelete(QUEUE).getMessageCount() == 0, "messages were left over");
        channel.exchangeDelete(EXCHANGE);
        try {
            connection.createChannel().queueDeclarePassive(QUEUE);
            throw new AssertionError("the deleted queue still exists");
        } catch (IOException refused) {
            ShutdownSignalException signal = (ShutdownSignalException) refused.getCause();
            int code = ((AMQP.Channel.Close) signal.getReason()).getReplyCode();
            check(code == 404, "passive declare of a deleted queue: " + code);
        }
        channel.close();
    }

    public static void main(String[] arguments) throws Exception {
        String uri = System.getenv().getOrDefault("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/");
        ConnectionFactory factory = new ConnectionFactory();
        // The Java client takes a bare trailing slash for the virtual host "".
        factory.setUri(uri.replaceFirst("^(amqps?://[^/]*)/$", "$1"));
        factory.setConnectionTimeout(WAIT_MS);
        factory.setChannelRpcTimeout(WAIT_MS);
        factory.setAutomaticRecoveryEnabled(false);
        try (Connection connection = factory.newConnection()) {
            Client client = new Client(connection);
            client.declare();
            client.publishAndReturn();
            client.prefetch();
            client.requeue();
            client.rpc();
            client.largeBody();
            client.cleanUp();
        }
        System.out.println("ok java");
    }
}

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.stream.ByteCapacity;
import com.rabbitmq.stream.Consumer;
import com.rabbitmq.stream.ConsumerBuilder;
import com.rabbitmq.stream.Environment;
import com.rabbitmq.stream.Message;
import com.rabbitmq.stream.MessageBuilder;
import com.rabbitmq.stream.NoOffsetException;
import com.rabbitmq.stream.OffsetSpecification;
import com.rabbitmq.stream.Producer;
import com.rabbitmq.stream.compression.Compression;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What a program written with RabbitMQ's Java stream client relies on, end to end.
 *
 * <p>With arguments: finds one event of each of these clients in the stream that all write to.
 */
public final class Client {
    private static final String NAME = "stream-java";
    private static final int WAIT_MS = 10_000;
    private static final String RUN = "clients." + NAME + "." + UUID.randomUUID();
    private static final String EVENTS = setting("LEVERET_EVENTS", "clients.events");

    private final Environment environment;

    private Client(Environment environment) {
        this.environment = environment;
    }

    private record Got(long offset, Message message) {
        String text() {
            return new String(message.getBodyAsBinary(), StandardCharsets.UTF_8);
        }
    }

    private static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static void expect(Object got, Object expected, String what) {
        check(got.equals(expected), what + ": got " + got + ", expected " + expected);
    }

    private static void waitUntil(Callable<Boolean> condition, String what) throws Exception {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WAIT_MS);
        while (!condition.call()) {
            check(System.nanoTime() < end, "waited " + WAIT_MS + " ms for " + what);
            Thread.sleep(10);
        }
    }

    private static List<String> numbers(int from, int to) {
        return IntStream.range(from, to).mapToObj(String::valueOf).toList();
    }

    private String create(String name) {
        String stream = RUN + "." + name;
        environment.streamCreator().stream(stream).maxLengthBytes(ByteCapacity.MB(20)).create();
        return stream;
    }

    private static Message message(Producer producer, String text) {
        return producer.messageBuilder().addData(text.getBytes(StandardCharsets.UTF_8)).build();
    }

    /** Sends messages and waits until all of them are confirmed. */
    private static void send(Producer producer, List<Message> messages) throws Exception {
        AtomicInteger confirmed = new AtomicInteger();
        for (Message message : messages) {
            producer.send(message, status -> {
                if (status.isConfirmed()) {
                    confirmed.incrementAndGet();
                }
            });
        }
        waitUntil(() -> confirmed.get() == messages.size(), messages.size() + " confirms");
    }

    private static void sendTexts(Producer producer, List<String> texts) throws Exception {
        send(producer, texts.stream().map(text -> message(producer, text)).toList());
    }

    private Producer publisher(String stream) {
        return environment.producerBuilder().stream(stream).build();
    }

    /** Reads a stream from its beginning, or as told, until there are so many messages. */
    private List<Got> read(String stream, int count, UnaryOperator<ConsumerBuilder> as)
            throws Exception {
        LinkedBlockingQueue<Got> got = new LinkedBlockingQueue<>();
        ConsumerBuilder builder = environment.consumerBuilder().stream(stream)
                .offset(OffsetSpecification.first())
                .messageHandler((context, message) -> got.add(new Got(context.offset(), message)));
        try (Consumer ignored = as.apply(builder).build()) {
            waitUntil(() -> got.size() >= count, count + " messages of " + stream);
        }
        return new ArrayList<>(got);
    }

    private static List<String> texts(List<Got> got) {
        return got.stream().map(Got::text).toList();
    }

    private void confirms() throws Exception {
        String stream = create("confirms");
        Producer producer = publisher(stream);
        sendTexts(producer, numbers(0, 1000));
        List<Got> got = read(stream, 1000, as -> as);
        expect(texts(got), numbers(0, 1000), "messages");
        expect(got.get(999).offset(), 999L, "the last offset");
        expect(environment.queryStreamStats(stream).firstOffset(), 0L, "the first offset");
        expect(environment.queryStreamStats(stream).committedOffset(), 999L, "what is committed");
        producer.close();
        environment.deleteStream(stream);
        expect(environment.streamExists(stream), false, "whether it exists");
    }

    private void deduplication() throws Exception {
        String stream = create("deduplication");
        long last = 0;
        for (int[] range : new int[][] {{1, 6}, {3, 9}, {1, 9}}) {
            Producer producer = environment.producerBuilder().stream(stream).name("me").build();
            List<Message> messages = new ArrayList<>();
            for (int id = range[0]; id < range[1]; id++) {
                messages.add(producer.messageBuilder().publishingId(id)
                        .addData(String.valueOf(id).getBytes(StandardCharsets.UTF_8)).build());
            }
            send(producer, messages);
            last = Math.max(last, range[1] - 1);
            expect(producer.getLastPublishingId(), last, "the last id");
            producer.close();
        }
        expect(texts(read(stream, 8, as -> as)), numbers(1, 9), "messages");
        environment.deleteStream(stream);
    }

    private void filters() throws Exception {
        String stream = create("filters");
        Producer producer = environment.producerBuilder().stream(stream)
                .filterValue(message -> (String) message.getApplicationProperties().get("region"))
                .build();
        for (String region : List.of("eu", "us", "eu")) {
            List<Message> messages = new ArrayList<>();
            for (String number : numbers(0, 20)) {
                messages.add(producer.messageBuilder()
                        .applicationProperties().entry("region", region).messageBuilder()
                        .addData((region + " " + number).getBytes(StandardCharsets.UTF_8)).build());
            }
            send(producer, messages);
        }
        Predicate<Message> isEu =
                message -> message.getApplicationProperties().get("region").equals("eu");
        List<Got> got =
                read(stream, 40, as -> as.filter().values("eu").postFilter(isEu).builder());
        List<String> once = numbers(0, 20).stream().map(number -> "eu " + number).toList();
        expect(texts(got), Stream.concat(once.stream(), once.stream()).toList(), "what was chosen");
        producer.close();
        environment.deleteStream(stream);
    }

    private void compression() throws Exception {
        String stream = create("compression");
        List<String> expected = new ArrayList<>();
        for (Compression compression : Compression.values()) {
            Producer producer = environment.producerBuilder().stream(stream)
                    .subEntrySize(50).compression(compression).build();
            List<String> texts = numbers(0, 100).stream()
                    .map(number -> compression + " " + number).toList();
            sendTexts(producer, texts);
            expected.addAll(texts);
            producer.close();
        }
        expect(texts(read(stream, expected.size(), as -> as)), expected, "messages");
        environment.deleteStream(stream);
    }

    private void offsets() throws Exception {
        String stream = create("offsets");
        Producer producer = publisher(stream);
        for (String number : numbers(0, 10)) {
            sendTexts(producer, List.of(number));
        }
        try (Consumer consumer = environment.consumerBuilder().stream(stream).name("me")
                .offset(OffsetSpecification.first()).manualTrackingStrategy().builder()
                .messageHandler((context, message) -> {
                    if (context.offset() == 5) {
                        context.storeOffset();
                    }
                }).build()) {
            waitUntil(() -> storedOffset(consumer) == 5, "the offset");
        }
        List<Got> rest = read(stream, 4, as -> as.name("me").manualTrackingStrategy().builder());
        expect(texts(rest), numbers(6, 10), "the rest");
        List<Got> last = read(stream, 1, as -> as.offset(OffsetSpecification.last()));
        expect(texts(last), List.of("9"), "the last");
        producer.close();
        environment.deleteStream(stream);
    }

    private static long storedOffset(Consumer consumer) {
        try {
            return consumer.storedOffset();
        } catch (NoOffsetException none) {
            return -1;
        }
    }

    /** One of a group that shares a super stream; notes which partitions it is active on. */
    private Consumer member(String superStream, String who, Map<String, String> active,
            Map<String, String> got) {
        return environment.consumerBuilder().superStream(superStream).name("app")
                .singleActiveConsumer().noTrackingStrategy()
                .offset(OffsetSpecification.first())
                .consumerUpdateListener(context -> {
                    if (context.isActive()) {
                        active.put(context.stream(), who);
                    }
                    return OffsetSpecification.first();
                })
                .messageHandler((context, message) -> got.put(new Got(0, message).text(), who))
                .build();
    }

    private static long share(Map<String, String> active, String who) {
        return active.values().stream().filter(who::equals).count();
    }

    private void superStreams() throws Exception {
        String name = RUN + ".super";
        environment.streamCreator().name(name).superStream().partitions(3).creator().create();
        Map<String, String> active = new ConcurrentHashMap<>();
        Map<String, String> got = new ConcurrentHashMap<>();
        Consumer one = member(name, "one", active, got);
        waitUntil(() -> share(active, "one") == 3, "all partitions");
        expect(new TreeSet<>(active.keySet()),
                new TreeSet<>(List.of(name + "-0", name + "-1", name + "-2")), "partitions");
        Consumer other = member(name, "other", active, got);
        waitUntil(() -> share(active, "other") >= 1, "the other's share");
        Producer producer = environment.producerBuilder().superStream(name)
                .routing(message -> message.getProperties().getMessageIdAsString())
                .producerBuilder().build();
        List<Message> messages = new ArrayList<>();
        for (String number : numbers(0, 60)) {
            messages.add(producer.messageBuilder()
                    .properties().messageId("key" + number).messageBuilder()
                    .addData(number.getBytes(StandardCharsets.UTF_8)).build());
        }
        send(producer, messages);
        waitUntil(() -> got.size() == 60, "60 messages");
        expect(new TreeSet<>(got.keySet()), new TreeSet<>(numbers(0, 60)), "messages");
        one.close();
        waitUntil(() -> share(active, "other") == 3, "the partitions of who has gone");
        other.close();
        producer.close();
        environment.deleteSuperStream(name);
    }

    private void overAmqp() throws Exception {
        String stream = create("amqp");
        ConnectionFactory factory = new ConnectionFactory();
        String uri = setting("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/");
        // The Java client takes a bare trailing slash for the virtual host "".
        factory.setUri(uri.replaceFirst("^(amqps?://[^/]*)/$", "$1"));
        try (Connection connection = factory.newConnection();
                Channel channel = connection.createChannel();
                Producer producer = publisher(stream)) {
            publishOverAmqp(channel, stream);
            Message message = read(stream, 1, as -> as).get(0).message();
            expect(new Got(0, message).text(), "from amqp-client", "body");
            expect(message.getProperties().getMessageId(), "id", "message id");
            expect(message.getApplicationProperties().get("n"), 5L, "a header");
            expect(message.getMessageAnnotations().get("x-key"), "kept", "a header with x-");
            expect(message.getMessageAnnotations().get("x-routing-key"), stream, "the key");
            send(producer, List.of(event(producer, "from stream-java", "other")));
            readOverAmqp(channel, stream);
        }
        environment.deleteStream(stream);
    }

    private static void publishOverAmqp(Channel channel, String stream) throws Exception {
        channel.confirmSelect();
        AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                .messageId("id").contentType("text/plain")
                .headers(Map.of("n", 5L, "x-key", "kept")).build();
        byte[] body = "from amqp-client".getBytes(StandardCharsets.UTF_8);
        channel.basicPublish("", stream, properties, body);
        check(channel.waitForConfirms(WAIT_MS), "the publish over AMQP was nacked");
    }

    private static void readOverAmqp(Channel channel, String stream) throws Exception {
        LinkedBlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        channel.basicQos(10);
        channel.basicConsume(stream, false, Map.of("x-stream-offset", "first"),
                (tag, delivery) -> deliveries.add(delivery), tag -> { });
        String[][] expected = {{"from amqp-client", "id"}, {"from stream-java", "other"}};
        for (int offset = 0; offset < expected.length; offset++) {
            Delivery delivery = deliveries.poll(WAIT_MS, TimeUnit.MILLISECONDS);
            check(delivery != null, "no delivery over AMQP");
            String body = new String(delivery.getBody(), StandardCharsets.UTF_8);
            expect(List.of(body, delivery.getProperties().getMessageId()),
                    Arrays.asList(expected[offset]), "a delivery over AMQP");
            expect(delivery.getProperties().getHeaders().get("x-stream-offset"), (long) offset,
                    "its offset");
            channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        }
    }

    private static Message event(Producer producer, String text, String id) {
        MessageBuilder builder = producer.messageBuilder();
        return builder.properties().messageId(id).messageBuilder()
                .applicationProperties().entry("from", NAME).messageBuilder()
                .addData(text.getBytes(StandardCharsets.UTF_8)).build();
    }

    private void writeEvent() throws Exception {
        if (!environment.streamExists(EVENTS)) {
            environment.streamCreator().stream(EVENTS).create();
        }
        try (Producer producer = publisher(EVENTS)) {
            send(producer, List.of(event(producer, "event of " + NAME, "id of " + NAME)));
        }
    }

    private void readEvents(List<String> names) throws Exception {
        Map<String, Got> events = new ConcurrentHashMap<>();
        try (Consumer ignored = environment.consumerBuilder().stream(EVENTS)
                .offset(OffsetSpecification.first())
                .messageHandler((context, message) -> events.put(
                        String.valueOf(message.getApplicationProperties().get("from")),
                        new Got(context.offset(), message)))
                .build()) {
            for (String name : names) {
                waitUntil(() -> events.containsKey(name), "the event of " + name);
                Got event = events.get(name);
                expect(event.text(), "event of " + name, "an event");
                expect(event.message().getProperties().getMessageId(), "id of " + name, "its id");
            }
        }
    }

    private void run() throws Exception {
        confirms();
        deduplication();
        filters();
        compression();
        offsets();
        superStreams();
        overAmqp();
        writeEvent();
    }

    public static void main(String[] names) throws Exception {
        String address = setting("LEVERET_STREAM", "127.0.0.1:5552");
        int colon = address.lastIndexOf(':');
        try (Environment environment = Environment.builder()
                .host(address.substring(0, colon))
                .port(Integer.parseInt(address.substring(colon + 1))).build()) {
            Client client = new Client(environment);
            if (names.length > 0) {
                client.readEvents(List.of(names));
            } else {
                client.run();
            }
        }
        System.out.println("ok " + NAME);
    }
}

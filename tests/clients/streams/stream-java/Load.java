import com.rabbitmq.stream.ByteCapacity;
import com.rabbitmq.stream.Environment;
import com.rabbitmq.stream.Message;
import com.rabbitmq.stream.Producer;
import com.rabbitmq.stream.compression.Compression;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Publishes with RabbitMQ's Java stream client, and tells the rate and the server's CPU time.
 *
 * <p>Arguments: URI, process id of the server, messages, octets of each, entries of a batch within a
 * batch (1 for none), compression or "none". Prints one line of JSON.
 */
public final class Load {
    private static final double TICKS_PER_SECOND = 100;

    /** User and system time of a process, in seconds. */
    private static double cpu(String process) throws Exception {
        String stat = Files.readString(Path.of("/proc", process, "stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
    }

    public static void main(String[] args) throws Exception {
        String process = args[1];
        long count = Long.parseLong(args[2]);
        byte[] body = new byte[Integer.parseInt(args[3])];
        int entries = Integer.parseInt(args[4]);
        String stream = "load." + System.nanoTime();
        try (Environment environment = Environment.builder().uri(args[0]).build()) {
            environment.streamCreator().stream(stream).maxLengthBytes(ByteCapacity.GB(2))
                    .maxSegmentSizeBytes(ByteCapacity.MB(500)).create();
            var builder = environment.producerBuilder().stream(stream).batchSize(100)
                    .maxUnconfirmedMessages(10_000).enqueueTimeout(Duration.ZERO);
            if (entries > 1) {
                Compression compression =
                        args[5].equals("none") ? Compression.NONE
                                : Compression.valueOf(args[5].toUpperCase());
                builder = builder.subEntrySize(entries).compression(compression);
            }
            Producer producer = builder.build();
            AtomicLong confirmed = new AtomicLong();
            double cpuBefore = cpu(process);
            long begun = System.nanoTime();
            for (long sent = 0; sent < count; sent++) {
                Message message = producer.messageBuilder().addData(body).build();
                producer.send(message, status -> {
                    if (status.isConfirmed()) {
                        confirmed.incrementAndGet();
                    }
                });
            }
            while (confirmed.get() < count) {
                Thread.sleep(1);
            }
            double seconds = (System.nanoTime() - begun) / 1e9;
            double used = cpu(process) - cpuBefore;
            producer.close();
            environment.deleteStream(stream);
            System.out.printf("{\"per_second\":%.0f,\"cpu_us\":%.3f}%n", count / seconds,
                    used * 1e6 / count);
        }
    }
}

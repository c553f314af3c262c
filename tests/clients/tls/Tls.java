import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultSaslConfig;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.Random;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** RabbitMQ's Java client over TLS: with a password, and with a certificate alone. */
public final class Tls {
    private static final String FOLDER = System.getenv("TLS_DIR");
    private static final String[] ADDRESS = System.getenv("AMQPS").split(":");

    private static SSLContext context(String version, boolean withCertificate) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (InputStream ca = new FileInputStream(FOLDER + "/ca.pem")) {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            trusted.setCertificateEntry("ca", factory.generateCertificate(ca));
        }
        TrustManagerFactory trust =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyManager[] keys = null;
        if (withCertificate) {
            KeyStore own = KeyStore.getInstance("PKCS12");
            try (InputStream file = new FileInputStream(FOLDER + "/guest.p12")) {
                own.load(file, "secret".toCharArray());
            }
            KeyManagerFactory factory =
                    KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(own, "secret".toCharArray());
            keys = factory.getKeyManagers();
        }
        SSLContext context = SSLContext.getInstance(version);
        context.init(keys, trust.getTrustManagers(), null);
        return context;
    }

    private static void exchangeMessage(SSLContext context, boolean external) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(ADDRESS[0]);
        factory.setPort(Integer.parseInt(ADDRESS[1]));
        factory.useSslProtocol(context);
        factory.enableHostnameVerification();
        if (external) {
            factory.setSaslConfig(DefaultSaslConfig.EXTERNAL);
        }
        byte[] body = new byte[1 << 20];
        new Random().nextBytes(body);
        try (Connection connection = factory.newConnection(); Channel channel = connection.createChannel()) {
            channel.confirmSelect();
            String queue = channel.queueDeclare().getQueue();
            channel.basicPublish("", queue, true, null, body);
            channel.waitForConfirmsOrDie(10_000);
            byte[] got = channel.basicGet(queue, true).getBody();
            if (!Arrays.equals(body, got)) {
                throw new AssertionError("the message is another");
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (String version : new String[] {"TLSv1.2", "TLSv1.3"}) {
            exchangeMessage(context(version, false), false);
            exchangeMessage(context(version, true), true);
        }
        System.out.println("ok java");
    }
}

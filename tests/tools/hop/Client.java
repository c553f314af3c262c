// Administers a broker with hop, RabbitMQ's Java client of the HTTP API: every call of it that means
// something here.
//
//     java -cp ... Client.java HTTP_PORT AMQP_PORT

import com.rabbitmq.http.client.ClientParameters;
import com.rabbitmq.http.client.GetAckMode;
import com.rabbitmq.http.client.GetEncoding;
import com.rabbitmq.http.client.HttpClientException;
import com.rabbitmq.http.client.domain.*;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;

class Client {
    static final String HOST = "hop";
    static com.rabbitmq.http.client.Client api;

    public static void main(String[] ports) throws Exception {
        api = client(ports[0], "guest", "guest");
        node();
        hostsAndUsers(ports[0]);
        objects();
        messages();
        policies();
        transfers("amqp://guest:guest@127.0.0.1:" + ports[1] + "/" + HOST);
        api.getDefinitions();
        api.deleteUser("joe");
        api.deleteVhost(HOST);
        expect("deleted virtual host", api.getVhost(HOST), null);
    }

    static com.rabbitmq.http.client.Client client(String port, String user, String password)
            throws Exception {
        String url = "http://127.0.0.1:" + port + "/api/";
        return new com.rabbitmq.http.client.Client(
                new ClientParameters().url(url).username(user).password(password));
    }

    static void expect(String what, Object is, Object want) {
        if (!Objects.equals(is, want)) {
            throw new AssertionError(what + ": " + is + ", not " + want);
        }
    }

    static <T> T waitFor(String what, Callable<T> ask) throws Exception {
        for (long end = System.currentTimeMillis() + 30_000; System.currentTimeMillis() < end; ) {
            T answer = ask.call();
            if (answer != null) {
                return answer;
            }
            Thread.sleep(20);
        }
        throw new AssertionError(what + " does not come");
    }

    static void node() {
        OverviewResponse overview = api.getOverview();
        List<NodeInfo> nodes = api.getNodes();
        expect("nodes", nodes.size(), 1);
        expect("node", overview.getNode(), nodes.get(0).getName());
        expect("running", api.getNode(overview.getNode()).isRunning(), true);
        expect("whoami", api.whoAmI().getName(), "guest");
        expect("aliveness", api.alivenessTest("/"), true);
        api.deleteQueue("/", "aliveness-test");
        String name = api.getClusterName().getName();
        api.setClusterName("one node");
        expect("cluster name", api.getClusterName().getName(), "one node");
        api.setClusterName(name);
        api.getExtensions();
    }

    static void hostsAndUsers(String port) throws Exception {
        api.createVhost(HOST, "of a test", "a", "b");
        expect("description", api.getVhost(HOST).getDescription(), "of a test");
        expect("virtual hosts", api.getVhosts().size(), 2);
        api.limitMaxNumberOfQueues(HOST, 100);
        api.limitMaxNumberOfConnections(HOST, 90);
        expect("max queues", api.getVhostLimits(HOST).getMaxQueues(), 100);
        expect("max connections", api.getVhostLimits().get(0).getMaxConnections(), 90);
        api.clearMaxQueuesLimit(HOST);
        api.clearMaxConnectionsLimit(HOST);

        api.createUser("joe", "secret".toCharArray(), List.of("management"));
        api.updateUser("joe", "other".toCharArray(), List.of("monitoring"));
        expect("tags", api.getUser("joe").getTags(), List.of("monitoring"));
        expect("users", api.getUsers().size(), 2);
        expect("whoami", client(port, "joe", "other").whoAmI().getName(), "joe");
        try {
            client(port, "joe", "secret").whoAmI();
            throw new AssertionError("the password is another one");
        } catch (HttpClientException refused) {
            expect("status", refused.status(), 401);
        }
        api.updatePermissions(HOST, "joe", new UserPermissions("^r", "^w", "^c"));
        expect("of host", api.getPermissionsIn(HOST).size(), 2);
        expect("of user", api.getPermissionsOf("joe").size(), 1);
        expect("all", api.getPermissions().size(), 3);
        expect("configure", api.getPermissions(HOST, "joe").getConfigure(), "^c");
        TopicPermissions topics = new TopicPermissions("amq.topic", "^w", "^r");
        api.updateTopicPermissions(HOST, "joe", topics);
        expect("of host", api.getTopicPermissionsIn(HOST).size(), 1);
        expect("of user", api.getTopicPermissionsOf("joe").size(), 1);
        expect("all", api.getTopicPermissions().size(), 1);
        expect("write", api.getTopicPermissions(HOST, "joe").get(0).getExchange(), "amq.topic");
        api.clearTopicPermissions(HOST, "joe");
        api.clearPermissions(HOST, "joe");
        expect("left", api.getPermissionsIn(HOST).size(), 1);
    }

    static void objects() {
        api.declareExchange(HOST, "from", new ExchangeInfo("topic", true, false));
        api.declareExchange(HOST, "to", new ExchangeInfo("fanout", true, false));
        expect("type", api.getExchange(HOST, "from").getType(), "topic");
        int exchanges = api.getExchanges(HOST).size();
        QueryParameters page = new QueryParameters().pagination().pageSize(5).query();
        expect("page", api.getExchanges(HOST, page).getItems().length, 5);
        expect("exchanges", api.getExchanges(HOST, page).getTotalCount(), exchanges);
        api.getExchanges(page);
        api.getExchanges();

        Map<String, Object> arguments = Map.of("x-max-length", 9);
        api.declareQueue(HOST, "q", new QueueInfo(true, false, false, arguments));
        api.declareQueue(HOST, "other", new QueueInfo(true, false, false));
        expect("argument", api.getQueue(HOST, "q").getArguments().get("x-max-length"), 9);
        expect("queues", api.getQueues(HOST).size(), 2);
        expect("page", api.getQueues(HOST, page).getItems().length, 2);
        expect("all", api.getQueues().size(), 2);
        expect("page of all", api.getQueues(page).getFilteredCount(), 2);
        DetailsParameters details = new DetailsParameters().messageRates(60, 5).lengths(60, 5);
        api.getQueue(HOST, "q", details);
        api.getQueues(details);
        api.getQueues(HOST, details);

        api.bindQueue(HOST, "q", "from", "a.#");
        api.bindQueue(HOST, "q", "from", "b", Map.of("colour", "red"));
        api.bindExchange(HOST, "to", "from", "#");
        expect("of queue", api.getQueueBindings(HOST, "q").size(), 3);
        expect("between", api.getQueueBindingsBetween(HOST, "from", "q").size(), 2);
        expect("exchanges", api.getExchangeBindingsBetween(HOST, "from", "to").size(), 1);
        expect("by source", api.getBindingsBySource(HOST, "from").size(), 3);
        expect("by destination", api.getExchangeBindingsByDestination(HOST, "to").size(), 1);
        expect("all", api.getBindings().size(), api.getBindings(HOST).size());
        api.unbindExchange(HOST, "to", "from", "#");
        expect("left", api.getBindingsBySource(HOST, "from").size(), 2);
    }

    static void messages() {
        OutboundMessage message = new OutboundMessage().payload("hello").utf8Encoded();
        expect("routed", api.publish(HOST, "from", "a.b", message), true);
        expect("not routed", api.publish(HOST, "from", "c", message), false);
        GetAckMode requeue = GetAckMode.NACK_REQUEUE_TRUE, take = GetAckMode.ACK_REQUEUE_FALSE;
        List<InboundMessage> got = api.get(HOST, "q", 5, requeue, GetEncoding.AUTO);
        expect("payload", got.get(0).getPayload(), "hello");
        got = api.get(HOST, "q", 5, take, GetEncoding.BASE64, 3);
        expect("again", got.get(0).isRedelivered(), true);
        expect("none", api.get(HOST, "q"), null);
        api.publish(HOST, "from", "a.b", message);
        api.purgeQueue(HOST, "q");
        expect("purged", api.get(HOST, "q"), null);
        api.unbindQueue(HOST, "q", "from", "a.#");
        api.deleteQueue(HOST, "other", new DeleteQueueParameters(true, true));
        api.deleteExchange(HOST, "to");
    }

    static void policies() {
        PolicyInfo policy = new PolicyInfo("^q", 3, "queues", Map.of("max-length", 5));
        api.declarePolicy(HOST, "p", policy);
        expect("priority", api.getPolicies(HOST).get(0).getPriority(), 3);
        expect("all", api.getPolicies().size(), 1);
        expect("of queue", api.getQueue(HOST, "q").getPolicy(), "p");
        api.deletePolicy(HOST, "p");
        api.declareOperatorPolicy(HOST, "p", policy);
        expect("of operators", api.getOperatorPolicies(HOST).size(), 1);
        expect("all", api.getOperatorPolicies().size(), 1);
        api.deleteOperatorPolicy(HOST, "p");
    }

    static void transfers(String uri) throws Exception {
        ShovelDetails shovel = new ShovelDetails(uri, uri, 1, false, null);
        shovel.setSourceQueue("q");
        shovel.setDestinationQueue("moved");
        api.declareShovel(HOST, new ShovelInfo("moving", shovel));
        expect("shovels", api.getShovels(HOST).size() + api.getShovels().size(), 2);
        waitFor("a shovel that runs", () -> api.getShovelsStatus(HOST).stream()
                .filter(status -> status.getState().equals("running")).findAny().orElse(null));
        expect("status", api.getShovelsStatus().size(), 1);
        OutboundMessage message = new OutboundMessage().payload("moved").utf8Encoded();
        api.publish(HOST, "amq.default", "q", message);
        waitFor("the message", () -> api.get(HOST, "moved"));
        connections();
        api.deleteShovel(HOST, "moving");
        waitFor("its end", () -> api.getConnections().isEmpty() ? true : null);

        api.declareUpstream(HOST, "up", new UpstreamDetails().setUri(uri).setMaxHops(2));
        expect("hops", api.getUpstreams(HOST).get(0).getValue().getMaxHops(), 2);
        api.declareUpstreamSet(HOST, "set", List.of(new UpstreamSetDetails().setUpstream("up")));
        expect("sets", api.getUpstreamSets(HOST).size() + api.getUpstreamSets().size(), 2);
        api.deleteUpstreamSet(HOST, "set");
        api.deleteUpstream(HOST, "up");
        expect("left", api.getUpstreams().size(), 0);
    }

    // With those of a shovel.
    static void connections() throws Exception {
        waitFor("a consumer", () -> api.getConsumers().isEmpty() ? null : true);
        expect("consumers", api.getConsumers(HOST).size(), 1);
        List<ConnectionInfo> all = api.getConnections();
        String name = all.get(0).getName();
        expect("connection", api.getConnection(name).getUser(), "guest");
        expect("of user", api.getConnectionsOfUser("guest").size(), all.size());
        QueryParameters page = new QueryParameters().pagination().pageSize(5).query();
        expect("page", api.getConnections(page).getItems().length, all.size());
        ChannelInfo channel = api.getChannels().get(0);
        expect("channel", api.getChannel(channel.getName()).getNumber(), channel.getNumber());
        api.getChannels(channel.getConnectionDetails().getName());
        expect("page", api.getChannels(page).getTotalCount(), api.getChannels().size());
        api.closeConnection(name, "of a test");
        api.closeAllConnectionsOfUser("guest");
    }
}

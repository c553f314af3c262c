<?php
// What a program written with php-amqplib relies on, end to end. It logs in with AMQPLAIN, the
// library's default. The first argument names the autoloader of the library.

require __DIR__ . '/support.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const REPLY_TO = 'amq.rabbitmq.reply-to';
define('RUN', 'clients.php.' . bin2hex(random_bytes(8)));
define('EXCHANGE', RUN . '.exchange');
define('QUEUE', RUN . '.queue');
define('RPC_QUEUE', RUN . '.rpc');

/** Serves the channel until the condition holds; the library throws after WAIT_S seconds. */
function wait_until(AMQPChannel $channel, callable $condition): void
{
    while (!$condition()) {
        $channel->wait(null, false, WAIT_S);
    }
}

/** Starts a consumer; gives its tag and the list that its deliveries go to. */
function consume(AMQPChannel $channel, string $queue, bool $no_ack = false): array
{
    $got = new ArrayObject();
    $into = fn (AMQPMessage $message) => $got->append($message);
    return [$channel->basic_consume($queue, no_ack: $no_ack, callback: $into), $got];
}

/** Publishes one mandatory message and waits for its confirm and, if any, its return. */
function publish(AMQPChannel $channel, string $exchange, string $key, AMQPMessage $message): void
{
    $channel->basic_publish($message, $exchange, $key, true);
    $channel->wait_for_pending_acks_returns(WAIT_S);
}

function publish_and_return(AMQPChannel $channel): void
{
    $acked = 0;
    $returned = [];
    $channel->set_ack_handler(function () use (&$acked) {
        $acked++;
    });
    $channel->set_return_listener(function ($code, $text, $_e, $_k, $message) use (&$returned) {
        $returned[] = "$code $text $message->body";
    });
    publish($channel, EXCHANGE, 'key', new AMQPMessage('routed'));
    check($acked === 1 && $returned === [], 'a routed message was not simply acked');
    publish($channel, EXCHANGE, 'nowhere', new AMQPMessage('lost'));
    check($acked === 2, 'the unroutable message was not acked');
    check($returned === ['312 NO_ROUTE lost'], 'returned: ' . json_encode($returned));
    check($channel->basic_get(QUEUE, true)?->body === 'routed', 'basic.get');
    check($channel->basic_get(QUEUE, true) === null, 'the queue should be empty');
}

function prefetch(AMQPChannel $channel): void
{
    for ($n = 0; $n < 10; $n++) {
        publish($channel, EXCHANGE, 'key', new AMQPMessage((string) $n));
    }
    $channel->basic_qos(0, 3, false);
    [$tag, $got] = consume($channel, QUEUE);
    foreach ([3, 6, 9] as $count) {
        wait_until($channel, fn () => count($got) >= $count);
        // A round trip behind all earlier deliveries.
        [, $ready] = $channel->queue_declare(QUEUE, true);
        check($ready === 10 - $count, "$ready ready after $count deliveries");
        check(count($got) === $count, 'more than 3 unacked with a prefetch of 3');
        $got[$count - 1]->ack(true);
    }
    wait_until($channel, fn () => count($got) === 10);
    $bodies = implode(array_map(fn ($message) => $message->body, $got->getArrayCopy()));
    check($bodies === '0123456789', "out of order: $bodies");
    $got[9]->ack();
    $channel->basic_cancel($tag);
}

function requeue(AMQPChannel $channel): void
{
    [$tag, $got] = consume($channel, QUEUE);
    publish($channel, EXCHANGE, 'key', new AMQPMessage('again'));
    wait_until($channel, fn () => count($got) === 1);
    check(!$got[0]->isRedelivered(), 'the first delivery is marked redelivered');
    $got[0]->nack(true);
    wait_until($channel, fn () => count($got) === 2);
    check($got[1]->isRedelivered(), 'the second delivery is not marked redelivered');
    $got[1]->ack();
    $channel->basic_cancel($tag);
}

function rpc(AMQPStreamConnection $connection, AMQPChannel $channel): void
{
    $server = $connection->channel();
    $server->queue_declare(RPC_QUEUE, exclusive: true);
    [$serving, $requests] = consume($server, RPC_QUEUE);
    [$tag, $replies] = consume($channel, REPLY_TO, true);
    $asked = ['reply_to' => REPLY_TO, 'correlation_id' => 'call-1'];
    publish($channel, '', RPC_QUEUE, new AMQPMessage('question', $asked));
    wait_until($server, fn () => count($requests) === 1);
    $address = $requests[0]->get('reply_to');
    check(str_starts_with($address, REPLY_TO . '.'), "reply address $address");
    $id = ['correlation_id' => $requests[0]->get('correlation_id')];
    $server->basic_publish(new AMQPMessage('QUESTION', $id), '', $address);
    $requests[0]->ack();
    wait_until($channel, fn () => count($replies) === 1);
    check($replies[0]->body === 'QUESTION', "reply {$replies[0]->body}");
    check($replies[0]->get('correlation_id') === 'call-1', 'correlation id');
    $channel->basic_cancel($tag);
    $server->basic_cancel($serving);
    $server->queue_delete(RPC_QUEUE);
    $server->close();
}

function large_body(AMQPChannel $channel): void
{
    $sent = random_bytes(1 << 20);
    $headers = new AMQPTable(['attempt' => 7]);
    $properties = ['delivery_mode' => 2, 'application_headers' => $headers];
    publish($channel, EXCHANGE, 'key', new AMQPMessage($sent, $properties));
    $got = $channel->basic_get(QUEUE);
    check($got !== null, 'the 1 MiB message is not in the queue');
    check(hash('sha256', $got->body) === hash('sha256', $sent), 'the body changed');
    check($got->get('delivery_mode') === 2, 'delivery mode');
    check($got->get('application_headers')->getNativeData() === ['attempt' => 7], 'headers');
    $got->ack();
}

function clean_up(AMQPStreamConnection $connection, AMQPChannel $channel): void
{
    $channel->queue_unbind(QUEUE, EXCHANGE, 'key');
    check($channel->queue_delete(QUEUE) === 0, 'messages were left over');
    $channel->exchange_delete(EXCHANGE);
    $code = null;
    try {
        $connection->channel()->queue_declare(QUEUE, true);
    } catch (AMQPProtocolChannelException $refused) {
        $code = $refused->amqp_reply_code;
    }
    check($code === 404, "passive declare of a deleted queue: $code");
    $channel->close();
    $connection->close();
}

$connection = connect();
$channel = $connection->channel();
$channel->exchange_declare(EXCHANGE, 'direct');
$channel->queue_declare(QUEUE, auto_delete: false);
$channel->queue_bind(QUEUE, EXCHANGE, 'key');
$channel->confirm_select();
publish_and_return($channel);
prefetch($channel);
requeue($channel);
rpc($connection, $channel);
large_body($channel);
clean_up($connection, $channel);
echo "ok php\n";

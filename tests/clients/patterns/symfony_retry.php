<?php
// Retries with growing delays as Symfony Messenger's AMQP transport makes them: a message that
// failed is published to an exchange of delays, waits in a queue made for that delay, and comes
// back by the default exchange to the queue it was taken from; after the last retry it goes to the
// failure transport. The worker polls with basic.get, as the transport does.

require __DIR__ . '/../php/support.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

define('RUN', 'patterns.symfony_retry.' . bin2hex(random_bytes(8)));
define('EXCHANGE', RUN . '.messages');
define('QUEUE', RUN . '.messages');
define('DELAYS', RUN . '.delays');
define('FAILED', RUN . '.failed');
const RETRY = ['max_retries' => 3, 'delay' => 100, 'multiplier' => 2];
const STAMP = 'X-Message-Stamp-Symfony\Component\Messenger\Stamp\RedeliveryStamp';
const POLL_US = 5_000;

/** What Symfony's pattern delay_%exchange_name%_%routing_key%_%delay% and its suffix make. */
function delay_queue(int $delay): string
{
    return 'delay_' . EXCHANGE . '_' . QUEUE . "_{$delay}_retry";
}

/** Symfony's MultiplierRetryStrategy; null when there are no more retries. */
function waiting_time(int $retries): ?int
{
    if ($retries >= RETRY['max_retries']) {
        return null;
    }
    return RETRY['delay'] * RETRY['multiplier'] ** $retries;
}

function declare_all(AMQPChannel $channel): void
{
    $channel->exchange_declare(EXCHANGE, 'fanout', durable: true, auto_delete: false);
    $channel->exchange_declare(DELAYS, 'direct', durable: true, auto_delete: false);
    $channel->queue_declare(QUEUE, durable: true, auto_delete: false);
    $channel->queue_bind(QUEUE, EXCHANGE);
    $channel->queue_declare(FAILED, durable: true, auto_delete: false);
}

/** Publishes with headers; waits for the confirm, and throws if the message comes back. */
function send(AMQPChannel $channel, string $exchange, string $key, string $body, array $headers)
{
    $properties = ['delivery_mode' => 2, 'content_type' => 'application/json'];
    $properties['application_headers'] = new AMQPTable($headers);
    $channel->basic_publish(new AMQPMessage($body, $properties), $exchange, $key, true);
    $channel->wait_for_pending_acks_returns(WAIT_S);
}

/** Every retry declares its queue and binds it; the same again changes nothing. */
function send_later(AMQPChannel $channel, AMQPMessage $message, int $retries, int $delay): void
{
    $queue = delay_queue($delay);
    $arguments = new AMQPTable([
        'x-message-ttl' => $delay,
        'x-expires' => $delay + 10_000,
        'x-dead-letter-exchange' => '',
        'x-dead-letter-routing-key' => QUEUE,
    ]);
    $channel->queue_declare($queue, durable: true, auto_delete: false, arguments: $arguments);
    $channel->queue_bind($queue, DELAYS, $queue);
    // The headers of the delivery go along, x-death of earlier rounds with them.
    $headers = [STAMP => json_encode([['retryCount' => $retries + 1]])] + headers($message);
    send($channel, DELAYS, $queue, $message->body, $headers);
}

function headers(AMQPMessage $message): array
{
    return $message->get('application_headers')->getNativeData();
}

function retries(AMQPMessage $message): int
{
    $stamp = headers($message)[STAMP] ?? '[{"retryCount":0}]';
    return json_decode($stamp, true)[0]['retryCount'];
}

/** The next message, polled for. */
function poll(AMQPChannel $channel, string $queue): AMQPMessage
{
    $deadline = microtime(true) + WAIT_S;
    while (($message = $channel->basic_get($queue)) === null) {
        check(microtime(true) < $deadline, 'waited ' . WAIT_S . " s for a message in $queue");
        usleep(POLL_US);
    }
    return $message;
}

/** The last way that a message went is the head of x-death. */
function check_death(AMQPMessage $message, int $delay): void
{
    $death = headers($message)['x-death'][0] ?? [];
    $got = [$death['queue'] ?? '', $death['reason'] ?? '', $death['count'] ?? 0];
    check($got === [delay_queue($delay), 'expired', 1], 'x-death: ' . json_encode($death));
    check($death['exchange'] === DELAYS, 'x-death: ' . json_encode($death));
}

/** The handler of `$body` fails until it was tried `$succeeds_on` times; gives the attempts. */
function work(AMQPChannel $channel, string $body, ?int $succeeds_on): int
{
    $delay = $sent = null;
    for ($attempt = 1; ; $attempt++) {
        $message = poll($channel, QUEUE);
        check($message->body === $body, "$message->body instead of $body");
        check(retries($message) === $attempt - 1, 'retries: ' . retries($message));
        if ($delay !== null) {
            $waited_ms = (microtime(true) - $sent) * 1000;
            check($waited_ms >= $delay, "attempt $attempt came after $waited_ms ms");
            check_death($message, $delay);
        }
        if ($attempt === $succeeds_on) {
            $message->ack();
            return $attempt;
        }
        $sent = microtime(true);
        $delay = waiting_time(retries($message));
        if ($delay === null) {
            send($channel, '', FAILED, $message->body, headers($message));
            $message->nack();
            return $attempt;
        }
        send_later($channel, $message, retries($message), $delay);
        $message->nack();
    }
}

function clean_up(AMQPChannel $channel): void
{
    $queues = array_map(fn ($n) => delay_queue(waiting_time($n)), range(0, 2));
    foreach ([QUEUE, FAILED, ...$queues] as $queue) {
        check($channel->queue_delete($queue) === 0, "$queue had messages left");
    }
    $channel->exchange_delete(EXCHANGE);
    $channel->exchange_delete(DELAYS);
}

$connection = connect();
$channel = $connection->channel();
$channel->confirm_select();
$channel->set_return_listener(fn ($code, $text) => throw new RuntimeException("$code $text"));
declare_all($channel);

send($channel, EXCHANGE, '', '{"order":1}', ['type' => 'App\Message\Order']);
$attempts = work($channel, '{"order":1}', succeeds_on: 3);
check($attempts === 3, "$attempts attempts");

send($channel, EXCHANGE, '', '{"order":2}', ['type' => 'App\Message\Order']);
$attempts = work($channel, '{"order":2}', succeeds_on: null);
check($attempts === 4, "$attempts attempts");
$failed = poll($channel, FAILED);
check($failed->body === '{"order":2}', "$failed->body failed");
check(headers($failed)['type'] === 'App\Message\Order', json_encode(headers($failed)));
check(retries($failed) === 3, 'retries: ' . retries($failed));
$failed->ack();

clean_up($channel);
$channel->close();
$connection->close();
echo "ok symfony_retry\n";

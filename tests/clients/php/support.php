<?php
// What the PHP programs share: the library, bounded waits, the connection.

// The program's first argument names the autoloader of the library.
require $argv[1] ?? 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;

const WAIT_S = 10;

function check(bool $holds, string $otherwise): void
{
    if (!$holds) {
        throw new RuntimeException($otherwise);
    }
}

function connect(): AMQPStreamConnection
{
    $uri = parse_url(getenv('AMQP_URL') ?: 'amqp://guest:guest@127.0.0.1:5672/');
    $path = urldecode(substr($uri['path'] ?? '/', 1));
    return new AMQPStreamConnection(
        $uri['host'],
        $uri['port'] ?? 5672,
        urldecode($uri['user'] ?? 'guest'),
        urldecode($uri['pass'] ?? 'guest'),
        $path === '' ? '/' : $path,
        connection_timeout: WAIT_S,
        read_write_timeout: WAIT_S,
        channel_rpc_timeout: WAIT_S,
    );
}

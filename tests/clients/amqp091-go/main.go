// What a program written with amqp091-go relies on, end to end.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	wait    = 10 * time.Second
	replyTo = "amq.rabbitmq.reply-to"
)

type client struct {
	connection             *amqp.Connection
	channel                *amqp.Channel
	exchange, queue, calls string
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func check(holds bool, format string, values ...any) {
	if !holds {
		fail(format, values...)
	}
}

// next takes one value from a stream; it fails after `wait`.
func next[T any](stream <-chan T, what string) T {
	select {
	case value, open := <-stream:
		check(open, "the stream ended before %s", what)
		return value
	case <-time.After(wait):
		fail("waited %v for %s", wait, what)
		panic("unreachable")
	}
}

// publish sends one mandatory message and waits for its confirm.
func (c *client) publish(exchange, key string, message amqp.Publishing) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	confirm, err := c.channel.PublishWithDeferredConfirmWithContext(
		ctx, exchange, key, true, false, message)
	must(err, "publish")
	acked, err := confirm.WaitContext(ctx)
	must(err, "confirm")
	check(acked, "the publish to %q was nacked", key)
}

func (c *client) consume(channel *amqp.Channel, queue string, noAck bool) (
	<-chan amqp.Delivery, string) {
	tag := hex.EncodeToString([]byte(rand.Text()))
	stream, err := channel.Consume(queue, tag, noAck, false, false, false, nil)
	must(err, "consume")
	return stream, tag
}

func (c *client) publishAndReturn() {
	returns := c.channel.NotifyReturn(make(chan amqp.Return, 2))
	c.publish(c.exchange, "key", amqp.Publishing{Body: []byte("routed")})
	check(len(returns) == 0, "a routed message was returned")
	c.publish(c.exchange, "nowhere", amqp.Publishing{Body: []byte("lost")})
	returned := next(returns, "basic.return")
	check(returned.ReplyCode == 312 && returned.ReplyText == "NO_ROUTE", "return %+v", returned)
	check(string(returned.Body) == "lost", "returned body %q", returned.Body)
	got, found, err := c.channel.Get(c.queue, true)
	must(err, "get")
	check(found && string(got.Body) == "routed", "basic.get gave %q", got.Body)
	_, found, err = c.channel.Get(c.queue, true)
	must(err, "get")
	check(!found, "the queue should be empty")
}

func (c *client) prefetch() {
	for n := range 10 {
		c.publish(c.exchange, "key", amqp.Publishing{Body: []byte{byte('0' + n)}})
	}
	must(c.channel.Qos(3, 0, false), "qos")
	stream, tag := c.consume(c.channel, c.queue, false)
	seen := ""
	for _, first := range []int{0, 3, 6} {
		var last amqp.Delivery
		for range 3 {
			last = next(stream, "a delivery within the prefetch")
			seen += string(last.Body)
		}
		// A round trip behind all earlier deliveries.
		queue, err := c.channel.QueueDeclarePassive(c.queue, false, false, false, false, nil)
		must(err, "passive declare")
		check(queue.Messages == 7-first, "%d ready, expected %d", queue.Messages, 7-first)
		check(len(stream) == 0, "more than 3 unacked with a prefetch of 3")
		must(last.Ack(true), "ack")
	}
	last := next(stream, "the last delivery")
	check(seen+string(last.Body) == "0123456789", "out of order: %s%s", seen, last.Body)
	must(last.Ack(false), "ack")
	must(c.channel.Cancel(tag, false), "cancel")
}

func (c *client) requeue() {
	stream, tag := c.consume(c.channel, c.queue, false)
	c.publish(c.exchange, "key", amqp.Publishing{Body: []byte("again")})
	first := next(stream, "the first delivery")
	check(!first.Redelivered, "the first delivery is marked redelivered")
	must(first.Nack(false, true), "nack")
	second := next(stream, "the second delivery")
	check(second.Redelivered, "the second delivery is not marked redelivered")
	must(second.Ack(false), "ack")
	must(c.channel.Cancel(tag, false), "cancel")
}

func (c *client) rpc() {
	server, err := c.connection.Channel()
	must(err, "server channel")
	_, err = server.QueueDeclare(c.calls, false, false, true, false, nil)
	must(err, "declare the request queue")
	requests, serving := c.consume(server, c.calls, false)
	replies, tag := c.consume(c.channel, replyTo, true)
	c.publish("", c.calls, amqp.Publishing{
		Body: []byte("question"), ReplyTo: replyTo, CorrelationId: "call-1"})
	request := next(requests, "the request")
	check(strings.HasPrefix(request.ReplyTo, replyTo+"."), "reply address %s", request.ReplyTo)
	must(server.PublishWithContext(context.Background(), "", request.ReplyTo, false, false,
		amqp.Publishing{Body: []byte("QUESTION"), CorrelationId: request.CorrelationId}), "reply")
	must(request.Ack(false), "ack the request")
	reply := next(replies, "the reply")
	check(reply.CorrelationId == "call-1" && string(reply.Body) == "QUESTION", "reply %+v", reply)
	must(c.channel.Cancel(tag, false), "cancel")
	must(server.Cancel(serving, false), "cancel")
	_, err = server.QueueDelete(c.calls, false, false, false)
	must(err, "delete the request queue")
	must(server.Close(), "close the server channel")
}

func (c *client) largeBody() {
	sent := make([]byte, 1<<20)
	_, err := rand.Read(sent)
	must(err, "random")
	c.publish(c.exchange, "key", amqp.Publishing{
		Body: sent, DeliveryMode: amqp.Persistent, Headers: amqp.Table{"attempt": int32(7)}})
	got, found, err := c.channel.Get(c.queue, false)
	must(err, "get")
	check(found, "the 1 MiB message is not in the queue")
	check(sha256.Sum256(got.Body) == sha256.Sum256(sent), "the body changed")
	check(got.DeliveryMode == amqp.Persistent, "delivery mode %d", got.DeliveryMode)
	check(got.Headers["attempt"] == int32(7), "headers %v", got.Headers)
	must(got.Ack(false), "ack")
}

func (c *client) cleanUp() {
	must(c.channel.QueueUnbind(c.queue, "key", c.exchange, nil), "unbind")
	left, err := c.channel.QueueDelete(c.queue, false, false, false)
	must(err, "delete the queue")
	check(left == 0, "%d messages were left over", left)
	must(c.channel.ExchangeDelete(c.exchange, false, false), "delete the exchange")
	other, err := c.connection.Channel()
	must(err, "channel")
	_, err = other.QueueDeclarePassive(c.queue, false, false, false, false, nil)
	var refused *amqp.Error
	check(errors.As(err, &refused) && refused.Code == 404, "the deleted queue: %v", err)
	must(c.channel.Close(), "close the channel")
	must(c.connection.Close(), "close the connection")
}

func main() {
	uri := os.Getenv("AMQP_URL")
	if uri == "" {
		uri = "amqp://guest:guest@127.0.0.1:5672/"
	}
	run := "clients.go." + rand.Text()
	c := &client{exchange: run + ".exchange", queue: run + ".queue", calls: run + ".rpc"}
	var err error
	c.connection, err = amqp.DialConfig(uri, amqp.Config{Dial: amqp.DefaultDial(wait)})
	must(err, "connect")
	c.channel, err = c.connection.Channel()
	must(err, "channel")
	must(c.channel.ExchangeDeclare(c.exchange, "direct", false, false, false, false, nil), "exchange")
	_, err = c.channel.QueueDeclare(c.queue, false, false, false, false, nil)
	must(err, "queue")
	must(c.channel.QueueBind(c.queue, "key", c.exchange, false, nil), "bind")
	must(c.channel.Confirm(false), "confirm.select")
	c.publishAndReturn()
	c.prefetch()
	c.requeue()
	c.rpc()
	c.largeBody()
	c.cleanUp()
	fmt.Println("ok amqp091-go")
}

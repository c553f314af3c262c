// What a program written with rabbitmq-stream-go-client relies on, end to end.
//
// With arguments: finds one event of each of these clients in the stream that all of them write to.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"reflect"
	"sort"
	"strconv"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/message"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"
)

const (
	name = "stream-go"
	wait = 10 * time.Second
)

var run = "clients." + name + "." + rand.Text()

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func check(err error, what string) {
	if err != nil {
		panic(fmt.Sprintf("%s: %v", what, err))
	}
}

func expect(got, expected any, what string) {
	if !reflect.DeepEqual(got, expected) {
		panic(fmt.Sprintf("%s: got %v, expected %v", what, got, expected))
	}
}

func waitUntil(condition func() bool, what string) {
	for end := time.Now().Add(wait); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			panic(fmt.Sprintf("waited %v for %s", wait, what))
		}
	}
}

func connect() *stream.Environment {
	host, port, err := net.SplitHostPort(setting("LEVERET_STREAM", "127.0.0.1:5552"))
	check(err, "LEVERET_STREAM")
	number, err := strconv.Atoi(port)
	check(err, "LEVERET_STREAM")
	options := stream.NewEnvironmentOptions().SetHost(host).SetPort(number)
	env, err := stream.NewEnvironment(options.SetUser("guest").SetPassword("guest"))
	check(err, "connecting")
	return env
}

func numbers(from, to int) []string {
	var all []string
	for number := from; number < to; number++ {
		all = append(all, strconv.Itoa(number))
	}
	return all
}

// What consumers got, from whatever goroutine.
type inbox struct {
	sync.Mutex
	texts    []string
	offsets  []int64
	messages []*amqp.Message
}

func (i *inbox) handle(context stream.ConsumerContext, message *amqp.Message) {
	i.Lock()
	defer i.Unlock()
	i.texts = append(i.texts, string(message.GetData()))
	i.offsets = append(i.offsets, context.Consumer.GetOffset())
	i.messages = append(i.messages, message)
}

func (i *inbox) count() int {
	i.Lock()
	defer i.Unlock()
	return len(i.texts)
}

// Reads a stream until there are so many messages.
func read(env *stream.Environment, name string, count int, options *stream.ConsumerOptions) *inbox {
	var got inbox
	consumer, err := env.NewConsumer(name, got.handle, options.SetCRCCheck(true))
	check(err, "subscribing to "+name)
	what := fmt.Sprintf("%d messages of %s", count, name)
	waitUntil(func() bool { return got.count() >= count }, what)
	check(consumer.Close(), "closing the consumer")
	return &got
}

func first() *stream.ConsumerOptions {
	return stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.First())
}

// A publisher, and how much of what it sent is confirmed.
type publisher struct {
	*stream.Producer
	sync.Mutex
	confirmed int
}

func publishTo(env *stream.Environment, name string, options *stream.ProducerOptions) *publisher {
	producer, err := env.NewProducer(name, options)
	check(err, "declaring a publisher")
	p := &publisher{Producer: producer}
	confirmations := producer.NotifyPublishConfirmation()
	go func() {
		for statuses := range confirmations {
			for _, status := range statuses {
				if status.IsConfirmed() {
					p.Lock()
					p.confirmed++
					p.Unlock()
				}
			}
		}
	}()
	return p
}

func (p *publisher) send(message message.StreamMessage) { check(p.Send(message), "sending") }

func (p *publisher) settled(count int) {
	waitUntil(func() bool {
		p.Lock()
		defer p.Unlock()
		return p.confirmed >= count
	}, fmt.Sprintf("%d confirms", count))
}

func create(env *stream.Environment, name string) {
	options := stream.NewStreamOptions().SetMaxLengthBytes(stream.ByteCapacity{}.MB(20))
	check(env.DeclareStream(name, options), "creating "+name)
}

func confirms(env *stream.Environment) {
	name := run + ".confirms"
	create(env, name)
	p := publishTo(env, name, nil)
	for _, number := range numbers(0, 1000) {
		p.send(amqp.NewMessage([]byte(number)))
	}
	p.settled(1000)
	got := read(env, name, 1000, first())
	expect(got.texts, numbers(0, 1000), "messages")
	expect(got.offsets[999], int64(999), "the last offset")
	stats, err := env.StreamStats(name)
	check(err, "stats")
	offset, err := stats.FirstOffset()
	check(err, "the first offset")
	expect(offset, int64(0), "the first offset")
	check(p.Close(), "closing the publisher")
	check(env.DeleteStream(name), "deleting "+name)
	exists, err := env.StreamExists(name)
	check(err, "metadata")
	expect(exists, false, "whether it exists")
}

func deduplication(env *stream.Environment) {
	name := run + ".deduplication"
	create(env, name)
	p := publishTo(env, name, stream.NewProducerOptions().SetProducerName("me"))
	ids := append(append(numbers(1, 6), numbers(3, 9)...), numbers(1, 9)...)
	for _, id := range ids {
		message := amqp.NewMessage([]byte(id))
		number, _ := strconv.ParseInt(id, 10, 64)
		message.SetPublishingId(number)
		p.send(message)
		time.Sleep(time.Millisecond)
	}
	waitUntil(func() bool {
		sequence, err := env.QuerySequence("me", name)
		return err == nil && sequence == 8
	}, "the last id")
	expect(read(env, name, 8, first()).texts, numbers(1, 9), "messages")
	check(p.Close(), "closing the publisher")
	check(env.DeleteStream(name), "deleting "+name)
}

func filters(env *stream.Environment) {
	name := run + ".filters"
	create(env, name)
	value := func(message message.StreamMessage) string {
		return message.GetApplicationProperties()["region"].(string)
	}
	options := stream.NewProducerOptions().SetFilter(stream.NewProducerFilter(value))
	p := publishTo(env, name, options)
	sent := 0
	for _, region := range []string{"eu", "us", "eu"} {
		for _, number := range numbers(0, 20) {
			message := amqp.NewMessage([]byte(region + " " + number))
			message.ApplicationProperties = map[string]any{"region": region}
			p.send(message)
		}
		sent += 20
		p.settled(sent)
	}
	isEu := func(message *amqp.Message) bool { return message.ApplicationProperties["region"] == "eu" }
	filter := stream.NewConsumerFilter([]string{"eu"}, false, isEu)
	var expected []string
	for range 2 {
		for _, number := range numbers(0, 20) {
			expected = append(expected, "eu "+number)
		}
	}
	expect(read(env, name, 40, first().SetFilter(filter)).texts, expected, "what was chosen")
	check(p.Close(), "closing the publisher")
	check(env.DeleteStream(name), "deleting "+name)
}

func compression(env *stream.Environment) {
	name := run + ".compression"
	create(env, name)
	kinds := []stream.Compression{stream.Compression{}.None(), stream.Compression{}.Gzip(),
		stream.Compression{}.Snappy(), stream.Compression{}.Lz4(), stream.Compression{}.Zstd()}
	var expected []string
	for kind, compression := range kinds {
		options := stream.NewProducerOptions().SetSubEntrySize(50).SetCompression(compression)
		p := publishTo(env, name, options)
		for _, number := range numbers(0, 100) {
			text := fmt.Sprintf("%d %s", kind, number)
			expected = append(expected, text)
			p.send(amqp.NewMessage([]byte(text)))
		}
		p.settled(100)
		check(p.Close(), "closing the publisher")
	}
	expect(read(env, name, 500, first()).texts, expected, "messages")
	check(env.DeleteStream(name), "deleting "+name)
}

func offsets(env *stream.Environment) {
	name := run + ".offsets"
	create(env, name)
	p := publishTo(env, name, nil)
	for at, number := range numbers(0, 10) {
		p.send(amqp.NewMessage([]byte(number)))
		p.settled(at + 1)
	}
	if _, err := env.QueryOffset("me", name); err != stream.OffsetNotFoundError {
		panic(fmt.Sprintf("an offset was there before it was stored: %v", err))
	}
	check(env.StoreOffset("me", name, 5), "storing an offset")
	var found int64
	waitUntil(func() bool {
		offset, err := env.QueryOffset("me", name)
		found = offset
		return err == nil
	}, "the offset")
	expect(found, int64(5), "the offset")
	after := stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.Offset(found + 1))
	expect(read(env, name, 4, after).texts, numbers(6, 10), "the rest")
	last := stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.Last())
	expect(read(env, name, 1, last).texts, []string{"9"}, "the last")
	check(p.Close(), "closing the publisher")
	check(env.DeleteStream(name), "deleting "+name)
}

// Which consumer got what from which partition.
type shares struct {
	sync.Mutex
	got    map[string]string
	active map[string]string
}

func (s *shares) of(who string) int {
	s.Lock()
	defer s.Unlock()
	count := 0
	for _, active := range s.active {
		if active == who {
			count++
		}
	}
	return count
}

func (s *shares) texts() []string {
	s.Lock()
	defer s.Unlock()
	var all []string
	for text := range s.got {
		all = append(all, text)
	}
	sort.Strings(all)
	return all
}

func (s *shares) consumer(
	env *stream.Environment, superStream, who string,
) *stream.SuperStreamConsumer {
	handle := func(_ stream.ConsumerContext, message *amqp.Message) {
		s.Lock()
		defer s.Unlock()
		s.got[string(message.GetData())] = who
	}
	first := stream.OffsetSpecification{}.First()
	update := func(partition string, isActive bool) stream.OffsetSpecification {
		s.Lock()
		defer s.Unlock()
		if isActive {
			s.active[partition] = who
		}
		return first
	}
	options := stream.NewSuperStreamConsumerOptions().SetConsumerName("app").SetOffset(first)
	options.SetSingleActiveConsumer(stream.NewSingleActiveConsumer(update))
	consumer, err := env.NewSuperStreamConsumer(superStream, handle, options)
	check(err, "consuming "+superStream)
	return consumer
}

func superStreams(env *stream.Environment) {
	name := run + ".super"
	check(env.DeclareSuperStream(name, stream.NewPartitionsOptions(3)), "creating "+name)
	partitions, err := env.QueryPartitions(name)
	check(err, "partitions")
	expect(partitions, []string{name + "-0", name + "-1", name + "-2"}, "partitions")
	key := func(message message.StreamMessage) string {
		return message.GetMessageProperties().MessageID.(string)
	}
	p, err := env.NewSuperStreamProducer(name,
		stream.NewSuperStreamProducerOptions(stream.NewHashRoutingStrategy(key)))
	check(err, "publishing to "+name)
	s := &shares{got: map[string]string{}, active: map[string]string{}}
	one := s.consumer(env, name, "one")
	waitUntil(func() bool { return s.of("one") == 3 }, "all partitions")
	other := s.consumer(env, name, "other")
	waitUntil(func() bool { return s.of("other") >= 1 }, "the other's share")
	expected := numbers(0, 60)
	for _, number := range expected {
		message := amqp.NewMessage([]byte(number))
		message.Properties = &amqp.MessageProperties{MessageID: "key" + number}
		check(p.Send(message), "sending")
	}
	sort.Strings(expected)
	waitUntil(func() bool { return len(s.texts()) == 60 }, "60 messages")
	expect(s.texts(), expected, "messages")
	check(one.Close(), "closing a consumer")
	waitUntil(func() bool { return s.of("other") == 3 }, "the partitions of who has gone")
	check(other.Close(), "closing a consumer")
	check(p.Close(), "closing the publisher")
	check(env.DeleteSuperStream(name), "deleting "+name)
}

func overAmqp(env *stream.Environment) {
	name := run + ".amqp"
	create(env, name)
	connection, err := amqp091.Dial(setting("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"))
	check(err, "connecting over AMQP")
	channel, err := connection.Channel()
	check(err, "a channel")
	check(channel.Confirm(false), "confirms")
	within, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	confirm, err := channel.PublishWithDeferredConfirmWithContext(within, "", name, false, false,
		amqp091.Publishing{
			MessageId: "id", ContentType: "text/plain", Body: []byte("from amqp091-go"),
			Headers: amqp091.Table{"n": int64(5), "x-key": "kept"},
		})
	check(err, "publishing over AMQP")
	_, err = confirm.WaitContext(within)
	check(err, "the confirm over AMQP")
	message := read(env, name, 1, first()).messages[0]
	expect(string(message.GetData()), "from amqp091-go", "body")
	expect(message.Properties.MessageID, "id", "message id")
	expect(message.ApplicationProperties["n"], int64(5), "a header")
	expect(message.Annotations["x-key"], "kept", "a header with x-")
	expect(message.Annotations["x-routing-key"], name, "the routing key")
	p := publishTo(env, name, nil)
	own := amqp.NewMessage([]byte("from stream-go"))
	own.Properties = &amqp.MessageProperties{MessageID: "other"}
	own.ApplicationProperties = map[string]any{"n": "6"}
	p.send(own)
	p.settled(1)
	check(channel.Qos(10, 0, false), "qos")
	deliveries, err := channel.ConsumeWithContext(within, name, "", false, false, false, false,
		amqp091.Table{"x-stream-offset": "first"})
	check(err, "consuming over AMQP")
	for offset, expected := range [][2]string{{"from amqp091-go", "id"}, {"from stream-go", "other"}} {
		delivery, ok := <-deliveries
		expect(ok, true, "a delivery over AMQP")
		expect([2]string{string(delivery.Body), delivery.MessageId}, expected, "a delivery over AMQP")
		expect(delivery.Headers["x-stream-offset"], int64(offset), "its offset")
		check(delivery.Ack(false), "ack")
	}
	check(connection.Close(), "closing")
	check(p.Close(), "closing the publisher")
	check(env.DeleteStream(name), "deleting "+name)
}

func writeEvent(env *stream.Environment) {
	events := setting("LEVERET_EVENTS", "clients.events")
	if exists, err := env.StreamExists(events); err == nil && !exists {
		check(env.DeclareStream(events, nil), "creating "+events)
	}
	p := publishTo(env, events, nil)
	event := amqp.NewMessage([]byte("event of " + name))
	// This client writes a group sequence whether there is one or not, and the one for JavaScript
	// reads none in the short form of small numbers.
	event.Properties = &amqp.MessageProperties{MessageID: "id of " + name, GroupSequence: 1000}
	event.ApplicationProperties = map[string]any{"from": name}
	p.send(event)
	p.settled(1)
	check(p.Close(), "closing the publisher")
}

func readEvents(env *stream.Environment, names []string) {
	var got inbox
	_, err := env.NewConsumer(setting("LEVERET_EVENTS", "clients.events"), got.handle, first())
	check(err, "reading events")
	for _, name := range names {
		var event *amqp.Message
		waitUntil(func() bool {
			got.Lock()
			defer got.Unlock()
			for _, message := range got.messages {
				if message.ApplicationProperties["from"] == name {
					event = message
				}
			}
			return event != nil
		}, "the event of "+name)
		expect(string(event.GetData()), "event of "+name, "an event")
		expect(fmt.Sprint(event.Properties.MessageID), "id of "+name, "its id")
	}
}

func main() {
	env := connect()
	if names := os.Args[1:]; len(names) > 0 {
		readEvents(env, names)
	} else {
		tests := []func(*stream.Environment){confirms, deduplication, filters, compression, offsets,
			superStreams, overAmqp, writeEvent}
		for _, test := range tests {
			test(env)
		}
	}
	check(env.Close(), "closing")
	fmt.Println("ok " + name)
}

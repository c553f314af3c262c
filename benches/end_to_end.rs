//! From a producer to a consumer: between threads of one process, and over a loopback socket.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leveret::{Broker, Consume, Publish};

/// Messages in one round.
const ROUND: usize = 1000;
const BODY: &[u8] = b"sixteen octets!!";

/// A producer's thread and this one, each with its own channel.
fn threads(criterion: &mut Criterion) {
    let broker = Broker::new();
    let connection = broker.connect().expect("an open broker");
    let channel = connection.open_channel().expect("a channel");
    channel.queue_declare("q").expect("a new queue");
    let consume = Consume::new("q").no_ack();
    let consumer = channel.basic_consume_with(&consume).expect("a consumer");
    let producer = connection.open_channel().expect("a channel");
    let mut group = criterion.benchmark_group("end to end");
    group.throughput(Throughput::Elements(ROUND as u64));
    group.bench_function("threads", |bencher| {
        bencher.iter(|| {
            thread::scope(|scope| {
                scope.spawn(|| {
                    let publish = Publish::to_queue("q").body(BODY);
                    for _ in 0..ROUND {
                        producer.basic_publish(publish.clone()).expect("published");
                    }
                });
                for _ in 0..ROUND {
                    consumer.recv().expect("a delivery");
                }
            });
        });
    });
    group.finish();
}

/// One connection that publishes a round and reads it back.
fn socket(criterion: &mut Criterion) {
    let broker = Broker::new();
    let address = broker.listen("127.0.0.1:0").expect("a free port");
    let mut group = criterion.benchmark_group("end to end");
    group.throughput(Throughput::Elements(ROUND as u64));
    let mut client = Client::open(address);
    let mut round = Vec::new();
    for _ in 0..ROUND {
        append_publish(&mut round);
    }
    group.bench_function("loopback socket", |bencher| {
        bencher.iter(|| {
            client.socket.write_all(&round).expect("written");
            client.read_methods(BASIC_DELIVER, ROUND);
        });
    });
    group.finish();
}

/// Class and method.
type Method = (u16, u16);
const BASIC_CONSUME_OK: Method = (60, 21);
const BASIC_DELIVER: Method = (60, 60);

/// The least of an AMQP client: it sends prepared octets and counts methods.
struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Logs in and starts a consumer without acknowledgements.
    fn open(address: SocketAddr) -> Self {
        let mut hello = b"AMQP\0\0\x09\x01".to_vec();
        append_method(
            &mut hello,
            0,
            (10, 11),
            b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US",
        );
        append_method(&mut hello, 0, (10, 31), b"\x07\xff\0\x02\0\0\0\0");
        append_method(&mut hello, 0, (10, 40), b"\x01/\0\0");
        append_method(&mut hello, 1, (20, 10), b"\0");
        append_method(&mut hello, 1, (50, 10), b"\0\0\x01q\0\0\0\0\0");
        append_method(&mut hello, 1, (60, 20), b"\0\0\x01q\x01c\x02\0\0\0\0");
        let mut socket = TcpStream::connect(address).expect("connected");
        socket.set_nodelay(true).expect("set");
        socket.write_all(&hello).expect("written");
        let mut client = Self { socket, buffer: Vec::new() };
        client.read_methods(BASIC_CONSUME_OK, 1);
        client
    }

    /// Reads until this method has come so many times.
    fn read_methods(&mut self, method: Method, mut count: usize) {
        let mut chunk = [0; 65536];
        while count > 0 {
            let read = self.socket.read(&mut chunk).expect("read");
            assert_ne!(read, 0, "the broker closed the connection");
            self.buffer.extend_from_slice(&chunk[..read]);
            let mut from = 0;
            while let Some(frame) = next_frame(&self.buffer[from..]) {
                from += frame.len();
                count -= usize::from(is_method(frame, method));
            }
            self.buffer.drain(..from);
        }
    }
}

/// The first frame, if it is complete: type, channel, size, payload and the end octet.
fn next_frame(octets: &[u8]) -> Option<&[u8]> {
    let size = u32::from_be_bytes(octets.get(3..7)?.try_into().ok()?) as usize;
    octets.get(..size + 8)
}

fn is_method(frame: &[u8], (class, method): Method) -> bool {
    frame[0] == 1 && frame[7..9] == class.to_be_bytes() && frame[9..11] == method.to_be_bytes()
}

fn append_frame(output: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    let size = u32::try_from(payload.len()).expect("a short payload");
    output.push(kind);
    output.extend_from_slice(&channel.to_be_bytes());
    output.extend_from_slice(&size.to_be_bytes());
    output.extend_from_slice(payload);
    output.push(0xce);
}

fn append_method(output: &mut Vec<u8>, channel: u16, (class, method): Method, arguments: &[u8]) {
    let mut payload = class.to_be_bytes().to_vec();
    payload.extend_from_slice(&method.to_be_bytes());
    payload.extend_from_slice(arguments);
    append_frame(output, 1, channel, &payload);
}

/// basic.publish to the queue, the header without properties, the body.
fn append_publish(output: &mut Vec<u8>) {
    append_method(output, 1, (60, 40), b"\0\0\0\x01q\0");
    let mut header = b"\0\x3c\0\0".to_vec();
    header.extend_from_slice(&(BODY.len() as u64).to_be_bytes());
    header.extend_from_slice(&[0, 0]);
    append_frame(output, 2, 1, &header);
    append_frame(output, 3, 1, BODY);
}

criterion_group!(benches, threads, socket);
criterion_main!(benches);

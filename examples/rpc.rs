//! Request and reply with direct reply-to: replies come without a queue of their own.
//!
//!     cargo run --example rpc

use std::error::Error;
use std::thread;
use std::time::Duration;

use leveret::{Broker, Channel, Connection, Consume, Consumer, Publish};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Answers each request with the square of its number, until the queue is deleted.
fn serve(connection: &Connection) -> leveret::Result<()> {
    let channel = connection.open_channel()?;
    for request in channel.basic_consume("square")? {
        let properties = request.properties();
        let text = request.text();
        let answer = match text.parse::<i64>() {
            Ok(number) => (number * number).to_string(),
            Err(error) => format!("{text:?}: {error}"),
        };
        if let (Some(reply_to), Some(id)) = (properties.reply_to(), properties.correlation_id()) {
            let reply = Publish::to_queue(reply_to.as_str()).correlation_id(id.as_str());
            channel.basic_publish(reply.body(answer))?;
        }
        request.ack()?;
    }
    Ok(())
}

/// Sends one request and waits for its reply.
fn call(channel: &Channel, replies: &Consumer, id: &str, number: &str) -> Result<String, String> {
    let request = Publish::to_queue("square").reply_to(REPLY_TO).correlation_id(id);
    let request = request.body(number.to_owned());
    channel.basic_publish(request).map_err(|error| error.to_string())?;
    loop {
        let reply = replies.recv_timeout(Duration::from_secs(10)).ok_or("no reply came")?;
        if reply.properties().correlation_id().as_ref().is_some_and(|known| known.as_str() == id) {
            return Ok(reply.text());
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::new();
    let connection = broker.connect()?;
    let channel = connection.open_channel()?;
    channel.queue_declare("square")?;
    let server = thread::spawn(move || serve(&connection));

    // The consumer of replies is on the channel that publishes the requests.
    let consume = Consume::new(REPLY_TO).no_ack();
    let replies = channel.basic_consume_with(&consume)?;
    for number in ["2", "12", "-9"] {
        println!("{number} squared is {}", call(&channel, &replies, number, number)?);
    }
    assert_eq!(call(&channel, &replies, "last", "1000")?, "1000000");
    assert!(call(&channel, &replies, "bad", "seven")?.contains("invalid digit"));

    channel.queue_delete("square")?; // ends the server
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

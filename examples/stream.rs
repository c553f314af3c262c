//! Confirms that are awaited and a consumer that is a `Stream`, in a program that runs on tokio.
//! leveret itself needs no runtime here.
//!
//!     cargo run --example stream

use std::error::Error;

use futures_util::StreamExt;
use leveret::{Broker, Publish};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::new();
    let channel = broker.connect()?.open_channel()?;
    channel.queue_declare("numbers")?;
    let mut consumer = channel.basic_consume("numbers")?;

    let publisher = channel.clone();
    let publishing = tokio::spawn(async move {
        for number in 1..=10_u32 {
            let publish = Publish::to_queue("numbers").body(number.to_string());
            assert!(publisher.publish(publish).await?.is_ack());
        }
        Ok::<_, leveret::Error>(())
    });

    let mut sum = 0;
    for _ in 1..=10 {
        let delivery = consumer.next().await.ok_or("the consumer ended")?;
        sum += std::str::from_utf8(delivery.body())?.parse::<u32>()?;
        delivery.ack()?;
    }
    publishing.await??;
    println!("the numbers from 1 to 10 add up to {sum}");
    assert_eq!(sum, 55);

    // The stream ends with its queue.
    channel.queue_delete("numbers")?;
    assert!(consumer.next().await.is_none());
    Ok(())
}

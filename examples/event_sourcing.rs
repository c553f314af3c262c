//! An event store: events of an account are appended with the version that they follow from, and
//! a projection is rebuilt from them, after a restart of the program too.
//!
//!     cargo run --example event_sourcing

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use leveret::{Broker, Publish, QueueDeclare, StreamHandle, StreamStart};

/// What is known of the accounts: made of events, and of nothing else.
#[derive(Debug, Default, PartialEq)]
struct Balances {
    by_account: BTreeMap<String, i64>,
    /// How many events it is made of, which is the offset of the next one.
    version: u64,
}

impl Balances {
    /// Goes on with what has come since.
    fn catch_up(&mut self, events: &StreamHandle) -> Result<(), Box<dyn Error>> {
        for event in events.read(StreamStart::Offset(self.version))? {
            let event = event?;
            let amount: i64 = event.text().parse()?;
            *self.by_account.entry(event.routing_key().to_owned()).or_default() += amount;
            self.version = event.offset() + 1;
        }
        Ok(())
    }

    /// Decides on what is known, and is refused if that was not everything.
    fn withdraw(
        &self,
        events: &StreamHandle,
        account: &str,
        amount: i64,
    ) -> Result<(), Box<dyn Error>> {
        if self.by_account.get(account).is_none_or(|balance| *balance < amount) {
            return Err(format!("{account} has less than {amount}").into());
        }
        events.append_at(self.version, [moved(account, -amount)])?;
        Ok(())
    }
}

fn moved(account: &str, amount: i64) -> Publish {
    Publish::to_exchange("", account).body(amount.to_string())
}

fn open(directory: &Path) -> Result<(Broker, StreamHandle), Box<dyn Error>> {
    let broker = Broker::builder().open(directory)?;
    let declare = QueueDeclare::new("accounts")
        .durable()
        .argument("x-queue-type", "stream")
        .argument("x-max-age", "365D")
        .argument("x-stream-max-segment-size-bytes", 100_000_000);
    broker.connect()?.open_channel()?.queue_declare_with(&declare)?;
    let events = broker.stream("/", "accounts")?;
    Ok((broker, events))
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let (broker, events) = open(directory.path())?;
    events.append_all([moved("ada", 100), moved("bob", 20), moved("ada", 5)])?;
    let (mut one, mut two) = (Balances::default(), Balances::default());
    one.catch_up(&events)?;
    two.catch_up(&events)?;

    // Two desks know of 105. The one that is slower hears that it no longer knows everything.
    one.withdraw(&events, "ada", 80)?;
    let Err(refused) = two.withdraw(&events, "ada", 80) else {
        return Err("the same money was given away twice".into());
    };
    println!("refused: {refused}");
    two.catch_up(&events)?;
    let Err(refused) = two.withdraw(&events, "ada", 80) else {
        return Err("there are 25 left".into());
    };
    println!("refused: {refused}");
    drop((events, broker));

    // After a restart everything is known again.
    let (_broker, events) = open(directory.path())?;
    let mut rebuilt = Balances::default();
    rebuilt.catch_up(&events)?;
    println!("rebuilt from {} events: {:?}", rebuilt.version, rebuilt.by_account);
    assert_eq!(
        (rebuilt.version, rebuilt.by_account["ada"], rebuilt.by_account["bob"]),
        (4, 25, 20)
    );
    assert_eq!(rebuilt, two);
    Ok(())
}

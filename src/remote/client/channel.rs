//! A channel that comes again with its connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicNackOptions, BasicQosOptions, BasicRecoverOptions, ConfirmSelectOptions,
};
use tokio::sync::{Mutex as TaskMutex, MutexGuard};

use super::book::Book;
use super::connection::{Inner, RemoteConnection, wait_for};
use super::consuming::{Subscribed, pump};
use super::error::refusal;
use super::publishing::{Confirms, conclude_all};
use super::topology::Topology;
use crate::base::lock::Mutex;
use crate::base::names::QueueName;
use crate::base::rank;
use crate::base::wake::Wakeups;
use crate::channel::Consume;
use crate::channel::output::ChannelOutput;
use crate::error::{Error, Result};
use crate::message::Message;

/// How often a method is tried whose connection is lost meanwhile, and the wait between.
const ATTEMPTS: u32 = 100;
const AGAIN: Duration = Duration::from_millis(50);

/// A channel of another broker, as the channel of the core is one of this one. Methods wait for
/// the other broker, and for the connection if it is lost.
pub(crate) struct RemoteChannel {
    pub(super) shared: Arc<Shared>,
    connection: Arc<RemoteConnection>,
}

/// What the tasks of a channel share.
pub(crate) struct Shared {
    pub(super) connection: Arc<Inner>,
    pub(super) output: Arc<dyn ChannelOutput>,
    pub(super) wire: TaskMutex<Wire>,
    pub(super) book: Mutex<Book, rank::RemoteBook>,
    pub(super) confirms: Confirms,
    last_queue: Mutex<Option<QueueName>, rank::RemoteLastQueue>,
}

/// The channels of AMQP that it has at present, and what they were told.
#[derive(Default)]
pub(super) struct Wire {
    generation: u64,
    main: Option<lapin::Channel>,
    side: Option<lapin::Channel>,
    /// The other broker confirms publishes.
    pub(super) confirms: bool,
    /// Publishes are numbered: how many there were.
    pub(super) numbered: Option<u64>,
    pub(super) is_transactional: bool,
    /// Whose limit it is, and what it is.
    prefetch: Vec<(bool, u16)>,
    pub(super) consumers: Vec<Consume>,
    is_closed: bool,
}

impl Wire {
    pub(super) fn lose(&mut self) {
        self.main = None;
    }

    pub(super) fn main_is_open(&self) -> bool {
        self.main.as_ref().is_some_and(|main| main.status().connected())
    }
}

impl RemoteChannel {
    /// Opens one, which tells `output` what it hears.
    pub(crate) fn open(
        connection: &Arc<RemoteConnection>,
        output: Arc<dyn ChannelOutput>,
    ) -> Result<Self> {
        let inner = &connection.inner;
        let (confirms, heard) = Confirms::pair();
        let shared = Arc::new(Shared {
            connection: Arc::clone(inner),
            output,
            wire: TaskMutex::default(),
            book: Mutex::default(),
            confirms,
            last_queue: Mutex::default(),
        });
        inner.add(&shared);
        inner.threads.spawn(conclude_all(Arc::downgrade(&shared), heard));
        let channel = Self { shared, connection: Arc::clone(connection) };
        channel.wait(|shared| async move { shared.ready().await.map(drop) })?;
        Ok(channel)
    }

    /// Has work done, and waits for it.
    pub(super) fn wait<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Arc<Shared>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let work = work(Arc::clone(&self.shared));
        wait_for(&self.shared.connection.threads, work).unwrap_or(Err(Error::ChannelClosed))
    }

    pub(super) fn topology(&self) -> &Mutex<Topology, rank::RemoteTopology> {
        &self.shared.connection.topology
    }

    pub(super) fn forget_exchange(&self, exchange: &str) {
        self.shared.connection.exchanges.lock().remove(exchange);
    }

    pub(super) fn set_last_queue(&self, name: &QueueName) {
        *self.shared.last_queue.lock() = Some(name.clone());
    }

    /// What an empty queue name stands for.
    pub(crate) fn last_queue(&self) -> Option<QueueName> {
        self.shared.last_queue.lock().clone()
    }

    /// The queue of this name; the last one declared if it is empty.
    pub(super) fn named(&self, queue: &str) -> Result<String> {
        match queue {
            "" => {
                let last = self.last_queue().ok_or(Error::NoPreviousQueue)?;
                Ok(last.as_str().to_owned())
            }
            queue => Ok(queue.to_owned()),
        }
    }

    /// Asks by the channel that an error may close.
    pub(super) fn on_side<T: Send + 'static, F>(
        &self,
        ask: impl Fn(lapin::Channel) -> F + Send + Sync + 'static,
    ) -> Result<T>
    where
        F: Future<Output = lapin::Result<T>> + Send + 'static,
    {
        self.wait(|shared| async move { shared.on_side(ask).await })
    }

    /// Asks by the channel that has the deliveries.
    pub(super) fn on_main<T: Send + 'static, F>(
        &self,
        ask: impl Fn(lapin::Channel) -> F + Send + Sync + 'static,
    ) -> Result<T>
    where
        F: Future<Output = lapin::Result<T>> + Send + 'static,
    {
        self.wait(|shared| async move { shared.on_main(ask).await })
    }

    /// Limits what is not acknowledged.
    pub(crate) fn basic_qos(&self, count: u16, global: bool) -> Result<()> {
        self.wait(move |shared| async move {
            let (mut wire, _) = shared.ready().await?;
            wire.prefetch.retain(|(of_all, _)| *of_all != global);
            wire.prefetch.push((global, count));
            drop(wire);
            let options = BasicQosOptions { global };
            shared.on_main(move |main| async move { main.basic_qos(count, options).await }).await
        })
    }

    pub(crate) fn basic_ack(&self, tag: u64, multiple: bool) -> Result<()> {
        let options = BasicAckOptions { multiple };
        let tell =
            move |main: lapin::Channel, tag| async move { main.basic_ack(tag, options).await };
        self.settle(tag, multiple, tell)
    }

    pub(crate) fn basic_nack(&self, tag: u64, multiple: bool, requeue: bool) -> Result<()> {
        let options = BasicNackOptions { multiple, requeue };
        let tell =
            move |main: lapin::Channel, tag| async move { main.basic_nack(tag, options).await };
        self.settle(tag, multiple, tell)
    }

    /// If the channel is lost, the deliveries are the other broker's again: nothing is to be told.
    fn settle<F>(
        &self,
        tag: u64,
        multiple: bool,
        tell: impl FnOnce(lapin::Channel, u64) -> F + Send + 'static,
    ) -> Result<()>
    where
        F: Future<Output = lapin::Result<()>> + Send + 'static,
    {
        let (tag, epoch) = {
            let mut book = self.shared.book.lock();
            let Some(tag) = book.settle(tag, multiple)? else { return Ok(()) };
            (tag, book.epoch)
        };
        self.wait(move |shared| async move {
            let (wire, main) = shared.ready().await?;
            if shared.book.lock().epoch == epoch {
                let _ = shared.unless_lost(&wire, tell(main, tag)).await;
            }
            drop(wire);
            Ok(())
        })
    }

    pub(crate) fn basic_recover(&self) -> Result<()> {
        self.shared.book.lock().give_back();
        let options = BasicRecoverOptions { requeue: true };
        self.on_main(move |main| async move { main.basic_recover(options).await })
    }

    pub(crate) fn tx_select(&self) -> Result<()> {
        self.wait(|shared| async move {
            let (mut wire, _) = shared.ready().await?;
            if wire.numbered.is_some() {
                let text = "cannot switch from confirm to tx mode";
                let scope = crate::error::Scope::Channel;
                return Err(Error::Remote { code: 406, text: text.to_owned(), scope });
            }
            // Confirms that nobody asked for end with the channel that had them.
            if std::mem::take(&mut wire.confirms) {
                wire.lose();
            }
            wire.is_transactional = true;
            drop(wire);
            shared.on_main(|main| async move { main.tx_select().await }).await
        })
    }

    pub(crate) fn tx_commit(&self) -> Result<()> {
        self.on_main(|main| async move { main.tx_commit().await })
    }

    pub(crate) fn tx_rollback(&self) -> Result<()> {
        self.on_main(|main| async move { main.tx_rollback().await })
    }

    /// A message that came back for the publish with this number.
    pub(crate) fn take_returned(&self, number: u64) -> Option<Message> {
        self.shared.book.lock().returned.remove(&number)
    }

    /// Closes it: what was not acknowledged goes back.
    pub(crate) fn close(&self) {
        if self.connection.is_closed() {
            return;
        }
        let closed = self.wait(|shared| async move {
            let mut wire = shared.wire.lock().await;
            wire.is_closed = true;
            for channel in [wire.main.take(), wire.side.take()].into_iter().flatten() {
                let farewell = channel.close(200, "OK".into());
                // Who does not answer is left.
                let _ = tokio::time::timeout(Duration::from_secs(2), farewell).await;
            }
            Ok(())
        });
        // Fails only when the threads have ended, and the connection with them.
        drop(closed);
    }
}

impl Shared {
    /// The channel, opened anew if it is lost.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<(MutexGuard<'_, Wire>, lapin::Channel)> {
        for _ in 0..ATTEMPTS {
            let (generation, connection) = self.connection.up().await?;
            let mut wire = self.wire.lock().await;
            if wire.is_closed {
                return Err(Error::ChannelClosed);
            }
            let is_open = |main: &&lapin::Channel| main.status().connected();
            if wire.generation == generation
                && let Some(main) = wire.main.as_ref().filter(is_open)
            {
                let main = main.clone();
                return Ok((wire, main));
            }
            let restored = self.restore(&mut wire, generation, &connection);
            match self.connection.unless_lost(generation, restored).await {
                Some(Ok(main)) => return Ok((wire, main)),
                Some(Err(error)) => {
                    if let Some(error) = refusal(&error) {
                        return Err(error);
                    }
                }
                None => {}
            }
            drop(wire);
            tokio::time::sleep(AGAIN).await;
        }
        Err(Error::ChannelClosed)
    }

    /// The connection is there again.
    pub(super) async fn go_on(
        self: &Arc<Self>,
        generation: u64,
        connection: &Arc<lapin::Connection>,
    ) {
        let mut wire = self.wire.lock().await;
        if !wire.is_closed
            && let Err(error) = self.restore(&mut wire, generation, connection).await
        {
            tracing::warn!("a channel does not go on yet: {error}");
        }
    }

    /// Opens the channel anew, with all that it had.
    async fn restore(
        self: &Arc<Self>,
        wire: &mut Wire,
        generation: u64,
        connection: &Arc<lapin::Connection>,
    ) -> lapin::Result<lapin::Channel> {
        (wire.main, wire.side) = (None, None);
        let mut main = connection.create_channel().await?;
        // What was refused on a connection that is still there is refused again.
        let may_repeat = wire.generation != generation;
        if !may_repeat {
            self.refuse_outstanding();
        }
        loop {
            let epoch = self.book.lock().reopen();
            if wire.is_transactional {
                main.tx_select().await?;
            } else if wire.confirms {
                main.confirm_select(ConfirmSelectOptions::default()).await?;
            }
            for (global, count) in wire.prefetch.clone() {
                main.basic_qos(count, BasicQosOptions { global }).await?;
            }
            if self.consume_again(wire, &main, epoch).await? {
                break;
            }
            main = connection.create_channel().await?;
        }
        if may_repeat {
            self.publish_again(&main).await?;
        }
        wire.generation = generation;
        wire.main = Some(main.clone());
        Ok(main)
    }

    /// Starts the consumers that there were. If one is refused, it ends, and the channel is closed.
    async fn consume_again(
        self: &Arc<Self>,
        wire: &mut Wire,
        main: &lapin::Channel,
        epoch: u64,
    ) -> lapin::Result<bool> {
        for consume in wire.consumers.clone() {
            match Subscribed::start(main, &consume).await {
                Ok(subscribed) => pump(Arc::downgrade(self), subscribed, epoch),
                Err(error) => {
                    refusal(&error).ok_or(error)?;
                    wire.consumers.retain(|known| known.consumer_tag != consume.consumer_tag);
                    let mut wakeups = Wakeups::default();
                    self.output.cancel(&consume.consumer_tag.as_str().into(), &mut wakeups);
                    wakeups.wake_all();
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What comes of `work` on this wire, unless its connection is lost before.
    pub(super) async fn unless_lost<T>(
        &self,
        wire: &Wire,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        self.connection.unless_lost(wire.generation, work).await
    }

    pub(super) async fn on_side<T, F>(
        self: &Arc<Self>,
        ask: impl Fn(lapin::Channel) -> F + Send + Sync,
    ) -> Result<T>
    where
        F: Future<Output = lapin::Result<T>> + Send,
    {
        for _ in 0..ATTEMPTS {
            let (_, connection) = self.connection.up().await?;
            let (mut wire, _) = self.ready().await?;
            let known = wire.side.take().filter(|side| side.status().connected());
            let asked = async {
                let side = match known {
                    Some(side) => side,
                    None => connection.create_channel().await?,
                };
                Ok((ask(side.clone()).await?, side))
            };
            match self.unless_lost(&wire, asked).await {
                Some(Ok((answer, side))) => {
                    wire.side = Some(side);
                    return Ok(answer);
                }
                Some(Err(error)) => {
                    if let Some(error) = refusal(&error) {
                        return Err(error);
                    }
                }
                None => {}
            }
            drop(wire);
            tokio::time::sleep(AGAIN).await;
        }
        Err(Error::ChannelClosed)
    }

    pub(super) async fn on_main<T, F>(
        self: &Arc<Self>,
        ask: impl Fn(lapin::Channel) -> F + Send + Sync,
    ) -> Result<T>
    where
        F: Future<Output = lapin::Result<T>> + Send,
    {
        for _ in 0..ATTEMPTS {
            let (mut wire, main) = self.ready().await?;
            let asked = self.unless_lost(&wire, ask(main)).await;
            let error = match asked {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(error)) => refusal(&error),
                None => None,
            };
            wire.lose();
            drop(wire);
            if let Some(error) = error {
                // The channel is closed; what else it had goes on.
                drop(self.ready().await?);
                return Err(error);
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(Error::ChannelClosed)
    }
}

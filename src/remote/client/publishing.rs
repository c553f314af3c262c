//! Publishing at another broker: what it has not confirmed is kept, and published again on the next
//! connection.

use std::sync::{Arc, Weak};

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::ShortString;
use bytes::Bytes;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::{Confirmation, PublisherConfirm};
use tokio::sync::{mpsc, oneshot};

use super::channel::{RemoteChannel, Shared};
use super::consuming::message;
use super::error::refusal;
use crate::base::wake::Wakeups;
use crate::error::{Error, Result, Scope};

/// What is published.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    pub exchange: String,
    pub routing_key: String,
    pub properties: BasicProperties,
    pub body: Bytes,
    pub mandatory: bool,
}

/// What was published and is not confirmed.
pub(super) struct Sent {
    id: u64,
    /// The number by which somebody asks for the confirm.
    number: Option<u64>,
    message: Arc<Outbound>,
    /// Who waits for it.
    done: Option<oneshot::Sender<Result<()>>>,
}

/// Confirms that are to come, in order.
pub(super) struct Confirms(mpsc::UnboundedSender<(u64, PublisherConfirm)>);

/// The other end.
pub(super) type Heard = mpsc::UnboundedReceiver<(u64, PublisherConfirm)>;

impl Confirms {
    pub(super) fn pair() -> (Self, Heard) {
        let (sender, heard) = mpsc::unbounded_channel();
        (Self(sender), heard)
    }
}

/// Concludes publishes as their confirms come, while the channel is there.
pub(super) async fn conclude_all(shared: Weak<Shared>, mut heard: Heard) {
    while let Some((id, confirm)) = heard.recv().await {
        let confirmed = confirm.await;
        let Some(shared) = shared.upgrade() else { return };
        match confirmed {
            Ok(confirmation) => shared.conclude(id, confirmation),
            Err(error) => {
                let reason = refusal(&error).filter(|reason| reason.scope() == Scope::Channel);
                if reason.is_some() {
                    shared.book.lock().refused = reason;
                    // Opening the channel anew settles what becomes of all of them.
                    drop(shared.ready().await);
                }
            }
        }
    }
}

async fn send(main: &lapin::Channel, message: &Outbound) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: message.mandatory, immediate: false };
    let (exchange, key) = (message.exchange.as_str().into(), message.routing_key.as_str().into());
    main.basic_publish(exchange, key, options, &message.body, message.properties.clone()).await
}

impl RemoteChannel {
    /// Publishes, and waits until that is confirmed, unless the channel is transactional.
    pub(crate) fn publish(&self, message: Outbound) -> Result<()> {
        self.wait(move |shared| async move {
            let (done, concluded) = oneshot::channel();
            shared.publish(message, Some(done)).await?;
            concluded.await.unwrap_or(Err(Error::ChannelClosed))
        })
    }

    /// Publishes; tells the number of the confirm that is to come.
    pub(crate) fn publish_numbered(&self, message: Outbound) -> Result<u64> {
        let number = self.wait(move |shared| async move { shared.publish(message, None).await })?;
        number.ok_or(Error::ChannelClosed)
    }

    /// Publishes are numbered from here on.
    pub(crate) fn confirm_select(&self) -> Result<()> {
        self.wait(|shared| async move {
            let (mut wire, _) = shared.ready().await?;
            if wire.is_transactional {
                let text = "cannot switch from tx to confirm mode".to_owned();
                return Err(Error::Remote { code: 406, text, scope: Scope::Channel });
            }
            wire.numbered.get_or_insert(0);
            Ok(())
        })
    }
}

impl Shared {
    /// Publishes; tells the number, if it has one. What waits is told by `done`; nobody waits on a
    /// transactional channel.
    async fn publish(
        self: &Arc<Self>,
        message: Outbound,
        done: Option<oneshot::Sender<Result<()>>>,
    ) -> Result<Option<u64>> {
        for name in [&message.exchange, &message.routing_key] {
            ShortString::try_new(name.as_str()).map_err(|_| Error::MalformedProperties)?;
        }
        self.find_exchange(&message.exchange).await?;
        let (mut wire, main) = self.ready().await?;
        if wire.is_transactional {
            drop(wire);
            let message = Arc::new(message);
            let sent = self.on_main(|main| {
                let message = Arc::clone(&message);
                async move { send(&main, &message).await.map(drop) }
            });
            sent.await?;
            if let Some(done) = done {
                let _ = done.send(Ok(()));
            }
            return Ok(None);
        }
        if !wire.confirms {
            // If it fails the channel is lost, and the next one has confirms from the beginning.
            let select = main.confirm_select(ConfirmSelectOptions::default());
            let _ = self.unless_lost(&wire, select).await;
            wire.confirms = true;
        }
        let numbered = wire.numbered.as_mut().filter(|_| done.is_none());
        let number = numbered.map(|number| {
            *number += 1;
            *number
        });
        let message = Arc::new(message);
        let id = {
            let mut book = self.book.lock();
            book.last_id += 1;
            let (id, message) = (book.last_id, Arc::clone(&message));
            book.outstanding.push_back(Sent { id, number, message, done });
            id
        };
        // If it fails the channel is lost, and what is outstanding goes by the next one.
        match self.unless_lost(&wire, send(&main, &message)).await {
            Some(Ok(confirm)) => _ = self.confirms.0.send((id, confirm)),
            _ => {
                wire.lose();
                drop(wire);
                drop(self.ready().await);
            }
        }
        Ok(number)
    }

    /// Fails with 404 if an exchange is not there, without harm to the channel.
    async fn find_exchange(self: &Arc<Self>, exchange: &str) -> Result<()> {
        if exchange.is_empty() || self.connection.exchanges.lock().contains(exchange) {
            return Ok(());
        }
        let found = self.on_side(|channel| {
            let name = exchange.to_owned();
            async move {
                let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
                let kind = lapin::ExchangeKind::Direct;
                channel.exchange_declare(name.into(), kind, passive, Default::default()).await
            }
        });
        match found.await {
            Err(error) if error.reply_code() == 404 => return Err(error),
            // Who may not look may yet publish.
            _ => self.connection.exchanges.lock().insert(exchange.to_owned()),
        };
        Ok(())
    }

    fn conclude(&self, id: u64, confirmation: Confirmation) {
        let (is_ack, returned) = match confirmation {
            Confirmation::Ack(returned) => (true, returned),
            Confirmation::Nack(returned) => (false, returned),
            Confirmation::NotRequested => (true, None),
        };
        let mut book = self.book.lock();
        let place = book.outstanding.iter().position(|sent| sent.id == id);
        let Some(sent) = place.and_then(|place| book.outstanding.remove(place)) else { return };
        let returned = returned.map(|returned| message(&returned.delivery).0);
        let mut wakeups = Wakeups::default();
        if let (Some(message), Some(number)) = (&returned, sent.number) {
            book.returned.insert(number, message.clone());
        }
        drop(book);
        if let (Some(message), None) = (&returned, sent.number) {
            self.output.basic_return(message, &mut wakeups);
        }
        self.tell(sent, is_ack, Ok(()), &mut wakeups);
        wakeups.wake_all();
    }

    fn tell(&self, sent: Sent, is_ack: bool, result: Result<()>, wakeups: &mut Wakeups) {
        if let Some(number) = sent.number {
            self.output.confirm(number, false, is_ack, wakeups);
        }
        if let Some(done) = sent.done {
            // Who waited may have gone.
            let _ = done.send(result);
        }
    }

    /// The channel was closed for an error: nothing of what is outstanding may be published again,
    /// since one of it may be the reason.
    pub(super) fn refuse_outstanding(&self) {
        self.connection.exchanges.lock().clear();
        let (outstanding, reason) = {
            let mut book = self.book.lock();
            (std::mem::take(&mut book.outstanding), book.refused.take())
        };
        let reason = reason.unwrap_or(Error::ChannelClosed);
        let mut wakeups = Wakeups::default();
        for sent in outstanding {
            self.tell(sent, false, Err(reason.clone()), &mut wakeups);
        }
        wakeups.wake_all();
    }

    /// Publishes again what was not confirmed.
    pub(super) async fn publish_again(&self, main: &lapin::Channel) -> lapin::Result<()> {
        let again: Vec<_> = {
            let book = self.book.lock();
            book.outstanding.iter().map(|sent| (sent.id, Arc::clone(&sent.message))).collect()
        };
        for (id, message) in again {
            let confirm = send(main, &message).await?;
            // Its receiver lives as long as the channel.
            let _ = self.confirms.0.send((id, confirm));
        }
        Ok(())
    }
}

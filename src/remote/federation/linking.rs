//! The task of one link: connects, passes messages on, and tries again when something goes wrong.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::time::Duration;

use lapin::options::ConfirmSelectOptions;
use tokio::sync::watch;

use super::exchange::{UpstreamSide, clean_up};
use super::line::{Happening, Line};
use super::queue::Demand;
use super::way::Way;
use crate::base::broker_uri::BrokerUri;
use crate::link::federation::Link;
use crate::link::federation::hops::Place;
use crate::link::federation::status::State;
use crate::link::shovel::definition::AckMode;
use crate::node::Node;
use crate::remote::connect::{Connector, said};
use crate::remote::end::{End, answered};
use crate::time::clock::Clock;
use crate::time::sleep::Sleep;
use crate::time::timers::Timers;
use crate::vhost::VirtualHost;

/// How long the other side may take to say farewell.
const FAREWELL: Duration = Duration::from_millis(500);

/// What a link is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Go,
    /// To end; what it has declared upstream is left for who comes next.
    Stop,
    /// To end, and to delete what it has declared upstream.
    CleanUp,
}

/// Why it does not go on.
enum Ending {
    Stopped,
    Lost(String),
}

/// One link, and what it takes to keep it.
pub(super) struct Linking {
    link: Arc<Link>,
    node: Weak<Node>,
    clock: Clock,
    timers: Arc<Timers>,
    connector: Connector,
    /// Rises whenever exchanges, queues or bindings may have changed.
    changes: watch::Receiver<u64>,
}

/// What a link follows here.
enum Following {
    Bindings(Box<UpstreamSide>),
    Demand(Demand),
}

impl Linking {
    pub(super) fn new(
        link: Arc<Link>,
        node: &Arc<Node>,
        connector: Connector,
        changes: watch::Receiver<u64>,
    ) -> Self {
        Self {
            link,
            node: Arc::downgrade(node),
            clock: node.clock().clone(),
            timers: Arc::clone(node.timers()),
            connector,
            changes,
        }
    }

    /// Until it is told to end.
    pub(super) async fn run(mut self, mut orders: watch::Receiver<Order>) {
        let link = Arc::clone(&self.link);
        let key = &link.key;
        while *orders.borrow() == Order::Go {
            link.note(State::Starting, self.clock.now());
            let mut ends = Vec::new();
            let ending = self.link_once(&mut ends, &mut orders).await;
            let is_to_clean = *orders.borrow() == Order::CleanUp;
            let farewell = async {
                if let ([_, upstream], true, false) = (ends.as_slice(), is_to_clean, key.is_queue)
                    && let Err(reason) = clean_up(&link, &self.here(), upstream).await
                {
                    tracing::warn!(vhost = key.host, name = key.name, "not cleaned up: {reason}");
                }
                for end in ends {
                    end.close().await;
                }
            };
            // Who does not answer is left.
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
            let Ending::Lost(reason) = ending else { return };
            tracing::warn!(
                vhost = key.host,
                name = key.name,
                upstream = key.upstream,
                "federation link is interrupted: {reason}"
            );
            let now = self.clock.now();
            link.note(State::Failed { reason }, now);
            let delay_s = link.upstream.reconnect_delay_s;
            let again = now + Duration::from_secs(delay_s.into());
            tokio::select! {
                _ = orders.wait_for(|order| *order != Order::Go) => return,
                () = Sleep::until(&self.timers, again), if delay_s > 0 => {}
            }
            if self.timers.is_stopped() {
                return;
            }
        }
    }

    /// This broker and the virtual host, as others know it.
    fn here(&self) -> Place {
        let cluster = self.node.upgrade().map(|node| node.cluster_name());
        Place { cluster, virtual_host: self.link.key.host.clone() }
    }

    /// Connects and passes messages on until something goes wrong. The connections are left in
    /// `ends`.
    async fn link_once(
        &mut self,
        ends: &mut Vec<End>,
        orders: &mut watch::Receiver<Order>,
    ) -> Ending {
        let opened = tokio::select! {
            biased;
            _ = orders.wait_for(|order| *order != Order::Go) => return Ending::Stopped,
            opened = self.open(ends) => opened,
        };
        let [downstream, upstream] = ends.as_mut_slice() else {
            return Ending::Lost(opened.err().unwrap_or_default());
        };
        let prepared = match opened {
            Ok(host) => self.prepare(host, downstream, upstream).await,
            Err(reason) => Err(reason),
        };
        match prepared {
            Ok((line, following)) => {
                let (link, changes) = (Arc::clone(&self.link), self.changes.clone());
                keep_up(&link, line, following, changes, orders.clone()).await
            }
            Err(reason) => Ending::Lost(reason),
        }
    }

    /// Connects both ends.
    async fn open(&self, ends: &mut Vec<End>) -> Result<Arc<VirtualHost>, String> {
        let link = &self.link;
        let node = self.node.upgrade().ok_or("the broker is closed")?;
        let host = node.virtual_host(&link.key.host).ok_or("its virtual host is gone")?;
        let (upstream, policy) = (&link.upstream, &link.policy);
        let title = format!("Federation link (upstream: {}, policy: {policy})", upstream.name);
        let here = [BrokerUri::here(&link.key.host)];
        let downstream = End::open(&self.connector, &here, &title).await;
        let downstream = downstream.map_err(|reason| format!("here: {reason}"))?;
        if upstream.ack_mode == AckMode::OnConfirm {
            let select = downstream.channel.confirm_select(ConfirmSelectOptions::default());
            answered(async { select.await.map_err(said) }).await?;
        }
        ends.push(downstream);
        let there = End::open(&self.connector, &upstream.uris, &title).await;
        ends.push(there.map_err(|reason| format!("upstream: {reason}"))?);
        Ok(host)
    }

    /// Has all upstream that there has to be.
    async fn prepare<'a>(
        &self,
        host: Arc<VirtualHost>,
        downstream: &'a mut End,
        upstream: &'a mut End,
    ) -> Result<(Line<'a>, Following), String>
    where
        Self: 'a,
    {
        let link = self.link.as_ref();
        let way = Way {
            is_queue: link.key.is_queue,
            name: link.key.name.clone(),
            uri: upstream.uri.clone(),
            from: Place {
                cluster: upstream.cluster.clone(),
                virtual_host: upstream.virtual_host.clone(),
            },
            here: self.here(),
            max_hops: link.upstream.max_hops,
            trusts_user_id: link.upstream.trusts_user_id,
        };
        let (consumer, following) = match link.key.is_queue {
            true => {
                (None, Following::Demand(answered(Demand::set_up(link, host, upstream)).await?))
            }
            false => {
                let side = UpstreamSide::set_up(link, host, self.here(), upstream);
                let (side, consumer) = answered(side).await?;
                (Some(consumer), Following::Bindings(Box::new(side)))
            }
        };
        let title = format!("Federation link (upstream: {})", link.upstream.name);
        link.connected(&upstream.uri, title, self.clock.now());
        tracing::info!(
            vhost = link.key.host,
            name = link.key.name,
            "federation link is connected to {}",
            upstream.uri
        );
        let mut line = Line::new(Arc::clone(&self.link), (upstream, downstream), way);
        line.consumer = consumer;
        Ok((line, following))
    }
}

/// Passes messages on, and follows what changes here.
async fn keep_up(
    link: &Link,
    mut line: Line<'_>,
    mut following: Following,
    mut changes: watch::Receiver<u64>,
    mut orders: watch::Receiver<Order>,
) -> Ending {
    let bell = match &following {
        Following::Demand(demand) => Some(demand.bell()),
        Following::Bindings(_) => None,
    };
    changes.mark_changed();
    loop {
        let rung = async {
            match &bell {
                Some(bell) => bell.rung().await,
                None => std::future::pending().await,
            }
        };
        let happening = tokio::select! {
            biased;
            _ = orders.wait_for(|order| *order != Order::Go) => Some(Happening::Stopped),
            // Fails when the broker is closed, which ends this as well.
            _ = changes.changed() => None,
            () = rung => None,
            happening = poll_fn(|cx| line.poll_next(cx)) => Some(happening),
        };
        if matches!(happening, Some(Happening::Stopped)) {
            // Who does not answer is left.
            let _ = tokio::time::timeout(FAREWELL, line.finish()).await;
            return Ending::Stopped;
        }
        let is_news = matches!(happening, None | Some(Happening::Drained));
        let mut done = match happening {
            Some(happening) => line.go_on(happening).await,
            None => Ok(()),
        };
        if done.is_ok() && is_news {
            done = match &mut following {
                Following::Bindings(side) => side.follow().await,
                Following::Demand(demand) => demand.follow(link, &mut line).await,
            };
        }
        if let Err(reason) = done {
            return Ending::Lost(reason);
        }
    }
}

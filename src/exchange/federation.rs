//! `x-federation-upstream`: as `fanout`, but that what has come far enough, or was at the broker
//! downstream before, goes nowhere. Links of RabbitMQ declare one upstream
//! `[rabbitmq federated-exchanges]`.

use std::hash::Hash;

use amq_protocol::types::{AMQPValue, FieldTable};

use super::destinations::Collector;
use super::fanout::Fanout;
use crate::base::argument::{DOWNSTREAM_NAME, DOWNSTREAM_VHOST, MAX_HOPS, RECEIVED_FROM};
use crate::base::field_value::{get, integer, string};
use crate::error::ExchangeArgumentError;

/// A broker and a virtual host of it. Brokers are known by the names of their clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The name of the cluster, if it is told.
    pub cluster: Option<String>,
    /// The virtual host.
    pub virtual_host: String,
}

impl Place {
    /// Whether a list of visits, or of bindings, has it.
    pub(crate) fn is_in(&self, visits: &[AMQPValue]) -> bool {
        let Some(cluster) = &self.cluster else { return false };
        visits.iter().any(|visit| {
            let AMQPValue::FieldTable(visit) = visit else { return false };
            let is = |key: &str, value: &str| get(visit, key).and_then(string) == Some(value);
            is("cluster-name", cluster) && is("vhost", &self.virtual_host)
        })
    }
}

/// Whether a message with these headers goes on to a place: it has not passed so many links, and
/// was not there before.
pub(crate) fn goes_on(headers: Option<&FieldTable>, max_hops: u32, place: &Place) -> bool {
    let Some(AMQPValue::FieldArray(visits)) = headers.and_then(|all| get(all, RECEIVED_FROM))
    else {
        return true;
    };
    let visits = visits.as_slice();
    visits.len() < max_hops as usize && !place.is_in(visits)
}

#[derive(Debug, Clone)]
pub(super) struct FederationUpstream<D> {
    all: Fanout<D>,
    max_hops: u32,
    downstream: Place,
}

impl<D: Clone + Eq + Hash> FederationUpstream<D> {
    pub(super) fn new(arguments: &FieldTable) -> Result<Self, ExchangeArgumentError> {
        let missing = |argument| ExchangeArgumentError::Missing { argument };
        let text = |name| get(arguments, name).and_then(string).ok_or(missing(name));
        let hops = get(arguments, MAX_HOPS).and_then(integer).ok_or(missing(MAX_HOPS))?;
        Ok(Self {
            all: Fanout::new(),
            max_hops: u32::try_from(hops.max(0)).unwrap_or(u32::MAX),
            downstream: Place {
                cluster: Some(text(DOWNSTREAM_NAME)?.to_owned()),
                virtual_host: text(DOWNSTREAM_VHOST)?.to_owned(),
            },
        })
    }

    pub(super) fn add(&mut self, destination: &D) {
        self.all.add(destination);
    }

    pub(super) fn remove(&mut self, destination: &D) {
        self.all.remove(destination);
    }

    pub(super) fn route(&self, headers: Option<&FieldTable>, out: &mut Collector<'_, D>) {
        if goes_on(headers, self.max_hops, &self.downstream) {
            self.all.route(out);
        }
    }
}

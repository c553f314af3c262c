//! Following a message's way as `route` does, but only to tell about it.

use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::error::Result;
use crate::exchange::matching::binding_matches;
use crate::exchange::near::near_miss;
use crate::exchange::{Binding, ExchangeType, Routing, delay_ms};
use crate::insight::explanation::{Arrival, Explanation, Step};
use crate::insight::journal::UsedBinding;
use crate::insight::journal::describe::Exchange as Called;
use crate::queue::Queue;
use crate::queue::fifo::overflow::Overflow;
use crate::vhost::VirtualHost;
use crate::vhost::flow::publish::selected_keys;
use crate::vhost::topology::exchange::{Destination, Exchange};

/// Bindings that nearly match and are told of, for each exchange.
const NEAR_MAX: usize = 10;

/// What decides where the message goes.
struct Question<'a> {
    keys: Vec<&'a [u8]>,
    headers: &'a FieldTable,
}

impl VirtualHost {
    /// See [`Broker::explain`](crate::Broker::explain). Errors: 404, 406.
    pub(crate) fn explain(
        &self,
        exchange: &str,
        routing_key: &str,
        headers: &FieldTable,
    ) -> Result<Explanation> {
        let selected = selected_keys(headers)?;
        let mut keys = vec![routing_key.as_bytes()];
        keys.extend(selected.iter().map(Vec::as_slice));
        let question = Question { keys, headers };
        let mut seen = vec![self.exchange(exchange)?];
        let (mut steps, mut queues) = (Vec::new(), Vec::<Arc<Queue>>::new());
        let mut visited = 0;
        while let Some(exchange) = seen.get(visited).cloned() {
            visited += 1;
            let (mut step, mut destinations) = self.step(&exchange, &question);
            if destinations.is_empty()
                && let Some(name) = exchange.alternate()
            {
                let alternate = self.find_exchange(name.as_str());
                let called = Called(name.as_str());
                step.notes.push(match alternate {
                    Some(_) => format!("no binding matches: it goes on to its alternate, {called}"),
                    None => format!("no binding matches, and its alternate {called} is not there"),
                });
                destinations.extend(alternate.map(Destination::Exchange));
            }
            for destination in destinations {
                match destination {
                    Destination::Queue(queue) if !queues.iter().any(|q| Arc::ptr_eq(q, &queue)) => {
                        queues.push(queue);
                    }
                    Destination::Exchange(next) if !seen.iter().any(|e| Arc::ptr_eq(e, &next)) => {
                        seen.push(next);
                    }
                    _ => {}
                }
            }
            steps.push(step);
        }
        queues.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(Explanation {
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            steps,
            queues: queues.iter().map(|queue| self.arrival(queue)).collect(),
        })
    }

    /// What one exchange does, and where it sends the message.
    fn step(&self, exchange: &Exchange, question: &Question<'_>) -> (Step, Vec<Destination>) {
        let router = exchange.router.read();
        let mut step = Step {
            exchange: exchange.name().to_string(),
            kind: router.kind(),
            matches: Vec::new(),
            near: Vec::new(),
            notes: Vec::new(),
        };
        if exchange.delays().is_some()
            && let Some(ms) = delay_ms(question.headers)
        {
            step.notes.push(format!("it keeps the message for {ms} ms first"));
        }
        let mut destinations = Vec::new();
        if exchange.is_default() {
            let names = question.keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
            let queues: Vec<_> = names.filter_map(|name| self.find_queue(name)).collect();
            if queues.is_empty() {
                step.notes.push("there is no queue of that name".into());
            }
            destinations.extend(queues.into_iter().map(Destination::Queue));
            return (step, destinations);
        }
        let picks = !matches!(
            router.kind(),
            ExchangeType::Direct
                | ExchangeType::Fanout
                | ExchangeType::Topic
                | ExchangeType::Headers
                | ExchangeType::RecentHistory
                | ExchangeType::MessageDeduplication
        );
        let headers = Some(question.headers);
        for binding in router.bindings() {
            let (key, arguments) = (binding.binding_key, binding.arguments);
            if binding_matches(router.kind(), key, arguments, &question.keys, headers) {
                step.matches.push(used(exchange, &binding));
                if !picks && !destinations.contains(binding.destination) {
                    destinations.push(binding.destination.clone());
                }
            } else if let Some(difference) = question.keys.first().and_then(|routing_key| {
                near_miss(router.kind(), key, arguments, routing_key, headers)
            }) {
                step.near.push((used(exchange, &binding), difference));
            }
        }
        if picks {
            let routing_key = question.keys.first().copied().unwrap_or_default();
            let routing = Routing { headers, ..Routing::by_key(routing_key) };
            router.route(&routing, &mut destinations);
            let names = destinations.iter().map(Destination::name);
            let how = if router.kind().is_random() { "at random, such as" } else { "by hash:" };
            let names = crate::insight::journal::describe::quoted(names);
            step.notes.push(format!("it picks one of them {how} {names}"));
        } else if router.is_empty() {
            step.notes.push("nothing is bound to it".into());
        }
        let order =
            |binding: &UsedBinding| (binding.destination.clone(), binding.binding_key.clone());
        step.matches.sort_by_key(order);
        step.near.sort_by_key(|(binding, _)| order(binding));
        step.near.truncate(NEAR_MAX);
        (step, destinations)
    }

    /// What a queue would do with a message that it gets now.
    fn arrival(&self, queue: &Queue) -> Arrival {
        let (settings, counts) = (queue.settings(), queue.counts());
        let mut notes = Vec::new();
        let end = match queue.dead_letter_target() {
            None => "dropped".to_owned(),
            Some(target) => {
                let called = Called(target.exchange.as_str());
                match self.find_exchange(target.exchange.as_str()) {
                    Some(_) => format!("dead-lettered to {called}"),
                    None => format!("dropped, because {called} is not there"),
                }
            }
        };
        match settings.message_ttl_ms {
            Some(0) => notes.push(format!("unless a consumer waits, it expires at once: {end}")),
            Some(ms) => notes.push(format!("it expires after {ms} ms: then it is {end}")),
            None => {}
        }
        let full = settings.length.max_length.filter(|max| counts.ready as u64 >= *max);
        if let Some(max) = full {
            notes.push(match settings.length.overflow {
                Overflow::DropHead if max == 0 => format!("it holds no messages: {end}"),
                Overflow::DropHead => {
                    format!("it has {max} messages and is full: the oldest is {end}")
                }
                Overflow::RejectPublish => {
                    format!("it has {max} messages and is full: the message is refused")
                }
                Overflow::RejectPublishDlx => {
                    format!("it has {max} messages and is full: the message is refused and {end}")
                }
            });
        }
        if queue.is_held() {
            notes.push("it is held and gives nothing out".into());
        }
        Arrival { queue: queue.name().to_string(), notes }
    }
}

fn used(exchange: &Exchange, binding: &Binding<'_, Destination>) -> UsedBinding {
    UsedBinding {
        source: exchange.name().clone(),
        destination: binding.destination.name().to_owned(),
        binding_key: binding.binding_key.to_vec(),
    }
}

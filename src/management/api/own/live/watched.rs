//! An address of the API that is answered again whenever its answer has changed.

use std::hash::{DefaultHasher, Hash, Hasher};

use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};

use crate::management::answer::{Answer, Body, Refusal};
use crate::management::call::{Call, Query};
use crate::management::endpoint::{Endpoint, Verb};

/// Octets of an answer that is watched, at most: it is in memory.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// An address that is watched.
pub(super) struct Watched {
    /// As the page gave it, which finds the answer by it.
    address: String,
    /// What the names in its path stand for.
    names: Vec<(&'static str, String)>,
    query: Query,
    endpoint: &'static Endpoint,
    /// Of the answer that was told last.
    told: Option<u64>,
}

impl Watched {
    /// Watches what one of the endpoints answers to GET, if it is JSON.
    pub(super) fn new(
        call: &Call,
        address: &str,
        names: Vec<(&'static str, String)>,
        endpoints: &[&'static Endpoint],
    ) -> Option<Self> {
        let is_json = |endpoint: &Endpoint| endpoint.answers == "application/json";
        let endpoint = endpoints.iter().find(|endpoint| endpoint.verb == Verb::Get)?;
        let query = address.split_once('?').map(|(_, query)| query);
        let (address, query) = (address.to_owned(), Query::parse(query));
        let endpoint = Some(*endpoint).filter(|endpoint| is_json(endpoint) && call.user.is_some());
        endpoint.map(|endpoint| Self { address, names, query, endpoint, told: None })
    }

    /// The address with its answer, if that is another than the one that was told last.
    pub(super) fn change(&mut self, call: &Call) -> Option<(String, Value)> {
        let (status, body) = self.ask(call);
        let mut hasher = DefaultHasher::new();
        (status, &body).hash(&mut hasher);
        let hash = hasher.finish();
        if self.told.replace(hash) == Some(hash) {
            return None;
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        Some((self.address.clone(), json!({ "status": status, "body": body })))
    }

    /// What the endpoint answers: a status, and JSON.
    fn ask(&self, of: &Call) -> (u16, Vec<u8>) {
        let call = Call {
            names: self.names.clone(),
            query: self.query.clone(),
            headers: HeaderMap::new(),
            ..of.clone()
        };
        let answer = match self.endpoint.who.refusal(&call) {
            Some(reason) => Err(Refusal::not_authorised(reason)),
            None => (self.endpoint.run)(&call),
        };
        let answer = answer.unwrap_or_else(Refusal::into_answer);
        let is_json =
            answer.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        match whole(answer) {
            (status, Some(body)) if is_json => (status, body),
            (status, Some(_)) => (status, b"null".to_vec()),
            (_, None) => (413, b"null".to_vec()),
        }
    }
}

/// The status and all of the body, unless that is too long.
fn whole(answer: Answer) -> (u16, Option<Vec<u8>>) {
    let status = answer.status.as_u16();
    let mut all = Vec::new();
    match answer.body {
        Body::Whole(octets) => all.extend_from_slice(&octets),
        Body::Pieces(pieces) => {
            for piece in pieces {
                all.extend_from_slice(&piece);
                if all.len() > ANSWER_BYTES_MAX {
                    break;
                }
            }
        }
        Body::Events(_) => {}
    }
    (status, Some(all).filter(|all| all.len() <= ANSWER_BYTES_MAX))
}

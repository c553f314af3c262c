//! A request as endpoints see it: read, routed, and made by a user who is known.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName};

use crate::access::{User, UserTag};
use crate::base::erlang_term;
use crate::error::Error;
use crate::management::answer::{Outcome, Refusal};
use crate::management::json::Object;
use crate::management::manager::Manager;
use crate::node::Node;
use crate::vhost::VirtualHost;

/// The parameters of a request, after the question mark.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads them.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the value is `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

/// The virtual host that a request is about.
pub(super) enum Host {
    /// All of them.
    Any,
    /// One that does not exist.
    Missing,
    /// This one.
    One(Arc<VirtualHost>),
}

/// A request.
#[derive(Clone)]
pub(super) struct Call {
    pub manager: Arc<Manager>,
    /// What the names in the endpoint's path stand for.
    pub names: Vec<(&'static str, String)>,
    pub query: Query,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peer: IpAddr,
    /// Who makes it; `None` at endpoints for everybody.
    pub user: Option<Arc<User>>,
}

impl Call {
    /// The broker.
    pub(super) fn node(&self) -> &Arc<Node> {
        &self.manager.node
    }

    /// What a name in the endpoint's path stands for; empty if the path has none of that name.
    pub(super) fn name(&self, name: &str) -> &str {
        let found = self.names.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The name of an exchange in the path, where the default one is called `amq.default`.
    pub(super) fn exchange_name(&self, name: &str) -> &str {
        match self.name(name) {
            "amq.default" => "",
            exchange => exchange,
        }
    }

    /// A header, if it is text.
    pub(super) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into())?.to_str().ok()
    }

    /// The virtual host of the path, or else of the header `x-vhost`.
    pub(super) fn host(&self) -> Host {
        let in_path = self.names.iter().find(|(name, _)| *name == "vhost");
        let in_header = || self.header(HeaderName::from_static("x-vhost"));
        let name = in_path.map(|(_, vhost)| vhost.as_str()).or_else(in_header);
        match name.filter(|name| !name.is_empty()) {
            None => Host::Any,
            Some(name) => self.node().virtual_host(name).map_or(Host::Missing, Host::One),
        }
    }

    /// The virtual host of the path, which is what is read or deleted there or has it. Fails with
    /// 404 if there is none.
    pub(super) fn existing_host(&self) -> Outcome<Arc<VirtualHost>> {
        self.node().virtual_host(self.name("vhost")).ok_or_else(Refusal::no_such_object)
    }

    /// The virtual host of the path, in which something is made or done. Fails with 404 and
    /// another body.
    pub(super) fn host_to_change(&self) -> Outcome<Arc<VirtualHost>> {
        let host = self.node().virtual_host(self.name("vhost"));
        host.ok_or_else(|| Refusal::not_found("vhost_not_found"))
    }

    /// Fails with 404 if the node of the path is another one.
    pub(super) fn check_node(&self) -> Outcome<()> {
        if self.name("node") == self.node().name() {
            Ok(())
        } else {
            Err(Refusal::no_such_object())
        }
    }

    /// Fails with 400 if something is to be declared on another node.
    pub(super) fn check_wanted_node(&self, body: &Object) -> Outcome<()> {
        let own = self.node().name();
        let Some(wanted) = body.get("node") else { return Ok(()) };
        let wanted = wanted.as_str().ok_or_else(|| Refusal::bad("node must be a text"))?;
        let host = own.split_once('@').map_or("", |(_, host)| host);
        // A name without host is one on this machine.
        let wanted = match wanted.contains('@') {
            true => wanted.to_owned(),
            false => format!("{wanted}@{host}"),
        };
        if wanted == own {
            return Ok(());
        }
        let wanted = erlang_term::atom(&wanted);
        Err(Refusal::bad(format!("Node {wanted} could not be contacted")))
    }

    /// Waits until what was done survives a restart, if anything does.
    pub(super) fn durable(&self) -> Outcome<()> {
        let Some(store) = self.node().persistence() else { return Ok(()) };
        let internal = |error: Error| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refusal::new(status, "internal_server_error", error.to_string())
        };
        store.wait_until_durable().map_err(internal)
    }

    /// The name of the user who makes the request.
    pub(super) fn user_name(&self) -> &str {
        self.user.as_ref().map_or("", |user| user.name.as_str())
    }

    fn has_tag(&self, tags: &[UserTag]) -> bool {
        self.user.as_ref().is_some_and(|user| tags.iter().any(|tag| user.has_tag(tag)))
    }

    /// Whether the user may do everything.
    pub(super) fn is_administrator(&self) -> bool {
        self.has_tag(&[UserTag::Administrator])
    }

    /// Whether the user sees all connections and the node's figures.
    pub(super) fn is_monitor(&self) -> bool {
        self.has_tag(&[UserTag::Administrator, UserTag::Monitoring])
    }

    /// Whether the user may set policies and parameters where it has access.
    pub(super) fn is_policymaker(&self) -> bool {
        self.has_tag(&[UserTag::Administrator, UserTag::Policymaker])
    }

    /// Whether the user has permissions in the virtual host.
    pub(super) fn may_enter(&self, vhost: &str) -> bool {
        self.node().access.permissions.has_vhost_access(self.user_name(), vhost)
    }

    /// The virtual hosts whose contents a list shows: the one that the request is about, or else
    /// all that the user may enter, and for administrators all. `None` if it does not exist.
    pub(super) fn hosts_to_list(&self) -> Option<Vec<Arc<VirtualHost>>> {
        match self.host() {
            Host::Missing => None,
            Host::One(host) if self.is_administrator() || self.may_enter(host.name().as_str()) => {
                Some(vec![host])
            }
            Host::One(_) => Some(Vec::new()),
            Host::Any => {
                let mut hosts = self.node().all_virtual_hosts();
                hosts.retain(|h| self.is_administrator() || self.may_enter(h.name().as_str()));
                hosts.sort_unstable_by(|a, b| a.name().cmp(b.name()));
                Some(hosts)
            }
        }
    }
}

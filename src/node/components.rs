//! Runtime parameters of virtual hosts that belong to what may be built in or not: shovels and
//! federation `[rabbitmq parameters]`.

use serde_json::Value;

use crate::access::User;
#[cfg(feature = "remote")]
use crate::base::broker_uri::BrokerUri;
#[cfg(feature = "remote")]
use crate::link::shovel::definition::Definition;
use crate::node::Node;
use crate::vhost::VirtualHost;

/// A virtual host, and a name in it.
type Key = (String, String);

/// A component that has parameters.
#[derive(Clone, Copy)]
enum Component {
    #[cfg(feature = "remote")]
    Shovels,
    /// Upstreams of a federation, or sets of them.
    #[cfg(feature = "remote")]
    Federation(&'static str),
}

impl Node {
    /// The component of this name.
    #[cfg_attr(not(feature = "remote"), allow(clippy::unused_self))]
    fn component(&self, name: &str) -> Option<Component> {
        #[cfg(feature = "remote")]
        use crate::link::{federation, shovel};
        // They are plugins of RabbitMQ.
        match name {
            _ if self.shared.without_plugins => None,
            #[cfg(feature = "remote")]
            shovel::COMPONENT => Some(Component::Shovels),
            #[cfg(feature = "remote")]
            federation::UPSTREAM => Some(Component::Federation(federation::UPSTREAM)),
            #[cfg(feature = "remote")]
            federation::UPSTREAM_SET => Some(Component::Federation(federation::UPSTREAM_SET)),
            _ => None,
        }
    }

    /// The components that there are.
    const COMPONENTS: &'static [&'static str] = &[
        #[cfg(feature = "remote")]
        crate::link::federation::UPSTREAM,
        #[cfg(feature = "remote")]
        crate::link::federation::UPSTREAM_SET,
        #[cfg(feature = "remote")]
        crate::link::shovel::COMPONENT,
    ];

    /// Whether there is a component of this name.
    pub(crate) fn has_component(&self, name: &str) -> bool {
        self.component(name).is_some()
    }

    /// Sets a parameter in the name of a user, or of the broker itself; tells whether there was
    /// none of that name.
    ///
    /// # Errors
    /// All that is wrong with it, as RabbitMQ says it. Then nothing has changed.
    pub(crate) fn set_host_parameter(
        &self,
        host: &VirtualHost,
        (component, name): (&str, &str),
        value: Value,
        user: Option<&User>,
    ) -> Result<bool, Vec<String>> {
        let known = self.component(component);
        let known = known.ok_or_else(|| vec![format!("component {component} not found")])?;
        let _one_at_a_time = self.host_changes.lock();
        let record = value.clone();
        let is_new = known.set(self, (host.name().to_string(), name.to_owned()), value, user)?;
        self.tell_host_parameter("parameter.set", host.name().as_str(), (component, name));
        if !host.is_closed() {
            self.record_parameter(&[component, host.name().as_str(), name], Some(&record));
        }
        Ok(is_new)
    }

    /// Removes a parameter; tells whether there was one.
    pub(crate) fn remove_host_parameter(&self, host: &str, component: &str, name: &str) -> bool {
        let _one_at_a_time = self.host_changes.lock();
        let Some(known) = self.component(component) else { return false };
        let removed = known.remove(self, &(host.to_owned(), name.to_owned()));
        if removed {
            self.tell_host_parameter("parameter.cleared", host, (component, name));
            self.record_parameter(&[component, host, name], None);
        }
        removed
    }

    /// The parameters of a virtual host: components, names and values.
    pub(crate) fn host_parameters(&self, host: &str) -> Vec<(&'static str, String, Value)> {
        let components = Self::COMPONENTS.iter();
        let known = components.filter_map(|name| Some((*name, self.component(name)?)));
        let all = known.flat_map(|(component, known)| {
            known.list(self, host).into_iter().map(move |(name, value)| (component, name, value))
        });
        all.collect()
    }

    /// A virtual host goes, with all of them.
    pub(super) fn forget_host_parameters(&self, host: &str) {
        for (component, name, _) in self.host_parameters(host) {
            if let Some(known) = self.component(component) {
                known.remove(self, &(host.to_owned(), name.clone()));
            }
            self.record_parameter(&[component, host, &name], None);
        }
    }

    /// A parameter of an earlier life.
    ///
    /// # Errors
    /// Why it is left out.
    pub(super) fn restore_host_parameter(
        &self,
        (component, host, name): (&str, &str, &str),
        record: &[u8],
    ) -> Result<(), String> {
        let known = self.component(component).ok_or("this version does not know it")?;
        self.virtual_host(host).ok_or("its virtual host does not exist")?;
        let value = serde_json::from_slice(record).map_err(|error| error.to_string())?;
        let set = known.set(self, (host.to_owned(), name.to_owned()), value, None);
        set.map(drop).map_err(|wrong| wrong.join("; "))
    }
}

impl Component {
    /// Sets a parameter; tells whether there was none. Errors: all that is wrong with it.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables))]
    fn set(
        self,
        node: &Node,
        key: Key,
        value: Value,
        user: Option<&User>,
    ) -> Result<bool, Vec<String>> {
        #[cfg(feature = "remote")]
        let refuses = |uri: &BrokerUri| node.refuses(user, uri);
        match self {
            #[cfg(feature = "remote")]
            Self::Shovels => {
                let definition = Definition::parse(&key.1, &value, &refuses)?;
                Ok(node.shovels.set(key, definition, value, node.clock().now()))
            }
            #[cfg(feature = "remote")]
            Self::Federation(component) => node.federation.set(component, key, value, &refuses),
        }
    }

    /// Removes a parameter; tells whether there was one.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables))]
    fn remove(self, node: &Node, key: &Key) -> bool {
        match self {
            #[cfg(feature = "remote")]
            Self::Shovels => node.shovels.remove(key),
            #[cfg(feature = "remote")]
            Self::Federation(component) => node.federation.remove(component, key),
        }
    }

    /// Those of a virtual host: names and values.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables))]
    fn list(self, node: &Node, virtual_host: &str) -> Vec<(String, Value)> {
        match self {
            #[cfg(feature = "remote")]
            Self::Shovels => node.shovels.parameters(virtual_host),
            #[cfg(feature = "remote")]
            Self::Federation(component) => node.federation.parameters(component, virtual_host),
        }
    }
}

#[cfg(feature = "remote")]
impl Node {
    /// Why a user may not go to this broker itself by a link: whoever sets one gets no further with
    /// it than by himself `[rabbitmq shovel]`.
    fn refuses(&self, user: Option<&User>, uri: &BrokerUri) -> Option<String> {
        let (user, host) = (user?.name.as_str(), uri.virtual_host.as_str());
        let may = self.virtual_host(host).is_some()
            && self.access.permissions.has_vhost_access(user, host);
        (!may).then(|| format!("user \"{user}\" may not connect to vhost \"{host}\""))
    }
}

//! Runtime parameters of virtual hosts that belong to what may be built in or not: shovels
//! `[rabbitmq parameters]`.

use serde_json::Value;

use crate::access::User;
use crate::node::Node;
use crate::vhost::VirtualHost;

/// The parameters of one component.
trait Component {
    /// Sets a parameter; tells whether there was none. Errors: all that is wrong with it.
    fn set(&self, key: Key, value: Value, user: Option<&User>) -> Result<bool, Vec<String>>;
    /// Removes a parameter; tells whether there was one.
    fn remove(&self, key: &Key) -> bool;
    /// Those of a virtual host: names and values.
    fn list(&self, virtual_host: &str) -> Vec<(String, Value)>;
}

/// A virtual host, and a name in it.
type Key = (String, String);

impl Node {
    /// The component of this name.
    #[cfg_attr(not(feature = "remote"), allow(clippy::unused_self))]
    fn component(&self, name: &str) -> Option<&dyn Component> {
        // Shovels are a plugin of RabbitMQ.
        match name {
            _ if self.shared.without_plugins => None,
            #[cfg(feature = "remote")]
            crate::link::shovel::COMPONENT => Some(self),
            _ => None,
        }
    }

    /// The components that there are.
    const COMPONENTS: &'static [&'static str] = &[
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
        let is_new = known.set((host.name().to_string(), name.to_owned()), value, user)?;
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
        let removed = known.remove(&(host.to_owned(), name.to_owned()));
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
            known.list(host).into_iter().map(move |(name, value)| (component, name, value))
        });
        all.collect()
    }

    /// A virtual host goes, with all of them.
    pub(super) fn forget_host_parameters(&self, host: &str) {
        for (component, name, _) in self.host_parameters(host) {
            if let Some(known) = self.component(component) {
                known.remove(&(host.to_owned(), name.clone()));
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
        let set = known.set((host.to_owned(), name.to_owned()), value, None);
        set.map(drop).map_err(|wrong| wrong.join("; "))
    }
}

#[cfg(feature = "remote")]
impl Component for Node {
    fn set(&self, key: Key, value: Value, user: Option<&User>) -> Result<bool, Vec<String>> {
        use crate::base::broker_uri::BrokerUri;
        use crate::link::shovel::definition::Definition;
        // Whoever sets a shovel gets no further with it than by himself `[rabbitmq shovel]`.
        let refuses = |uri: &BrokerUri| {
            let (user, host) = (user?.name.as_str(), uri.virtual_host.as_str());
            let may = self.virtual_host(host).is_some()
                && self.access.permissions.has_vhost_access(user, host);
            (!may).then(|| format!("user \"{user}\" may not connect to vhost \"{host}\""))
        };
        let definition = Definition::parse(&key.1, &value, &refuses)?;
        Ok(self.shovels.set(key, definition, value, self.clock().now()))
    }

    fn remove(&self, key: &Key) -> bool {
        self.shovels.remove(key)
    }

    fn list(&self, virtual_host: &str) -> Vec<(String, Value)> {
        self.shovels.parameters(virtual_host)
    }
}

//! Runtime parameters: of the whole node any value under a name, of virtual hosts their limits
//! `[rabbitmq parameters]`.

use serde_json::Value;

use crate::node::Node;
use crate::vhost::{HostLimits, VirtualHost};

/// The name of the parameter that names the cluster.
pub(crate) const CLUSTER_NAME: &str = "cluster_name";

/// What the first part of a record's key says.
const GLOBAL: &str = "global";
const LIMITS: &str = "vhost-limits";

impl Node {
    /// Sets a parameter; tells whether there was none of that name.
    pub(crate) fn set_global_parameter(&self, name: &str, value: Value) -> bool {
        let mut all = self.global_parameters.write();
        self.record_parameter(&[GLOBAL, name], Some(&value));
        self.tell_parameter("parameter.set", GLOBAL, name, Some(&value));
        all.insert(name.to_owned(), value).is_none()
    }

    /// Removes a parameter; tells whether there was one.
    pub(crate) fn remove_global_parameter(&self, name: &str) -> bool {
        let mut all = self.global_parameters.write();
        let removed = all.remove(name).is_some();
        if removed {
            self.record_parameter(&[GLOBAL, name], None);
            self.tell_parameter("parameter.cleared", GLOBAL, name, None);
        }
        removed
    }

    /// What the cluster is called: as the node, unless it was named.
    pub(crate) fn cluster_name(&self) -> String {
        match self.global_parameters.get(CLUSTER_NAME) {
            Some(Value::String(name)) => name,
            _ => self.name().to_owned(),
        }
    }

    /// Replaces the limits of a virtual host.
    pub(crate) fn set_host_limits(&self, host: &VirtualHost, limits: HostLimits) {
        let _one_at_a_time = self.host_changes.lock();
        host.set_limits(limits);
        let value = serde_json::to_value(limits).ok().filter(|_| limits != HostLimits::default());
        self.tell_host_limits(host.name().as_str(), value.as_ref());
        if !host.is_closed() {
            self.record_parameter(&[LIMITS, host.name().as_str()], value.as_ref());
        }
    }

    /// A virtual host goes: so do its limits.
    pub(super) fn forget_host_limits(&self, host: &str) {
        self.record_parameter(&[LIMITS, host], None);
    }

    pub(super) fn record_parameter(&self, key: &[&str], value: Option<&Value>) {
        let Some(store) = self.persistence() else { return };
        // JSON always can be written.
        let value = value.map(|value| serde_json::to_vec(value).unwrap_or_default());
        store.put_parameter(key, value);
    }

    /// A parameter of an earlier life.
    ///
    /// # Errors
    /// Why it is left out.
    pub(crate) fn restore_parameter(&self, key: &[String], record: &[u8]) -> Result<(), String> {
        let bad = |error: serde_json::Error| error.to_string();
        match key {
            [kind, name] if kind == GLOBAL => {
                let value = serde_json::from_slice(record).map_err(bad)?;
                self.global_parameters.write().insert(name.clone(), value);
            }
            [kind, host] if kind == LIMITS => {
                let host = self.virtual_host(host).ok_or("its virtual host does not exist")?;
                host.set_limits(serde_json::from_slice(record).map_err(bad)?);
            }
            [component, host, name] => {
                return self.restore_host_parameter((component, host, name), record);
            }
            _ => return Err("this version does not know it".into()),
        }
        Ok(())
    }
}

//! Settings of the metrics: the section `[metrics]` of the configuration file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::address::AddressOrNone;

/// What one layer gives. The doc comments are the help texts of the flags.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsSettings {
    /// Address to serve metrics for Prometheus on, or `none`; repeat it or separate several with
    /// commas. It may be one of the HTTP API: then both are there. In the file: `address` in the
    /// section `[metrics]` [default: 127.0.0.1:15692].
    #[arg(id = "metrics", long = "metrics", value_name = "ADDRESS", value_delimiter = ',')]
    pub address: Option<Vec<AddressOrNone>>,
}

impl MetricsSettings {
    /// These settings where they are given, else those of `lower`.
    pub(super) fn over(self, lower: Self) -> Self {
        Self { address: self.address.or(lower.address) }
    }
}

/// How metrics are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetricsConfig {
    /// Where; nowhere if the list is empty. `None` if nobody said: then on
    /// [`MetricsConfig::ADDRESS`], unless another program has that port.
    pub addresses: Option<Vec<SocketAddr>>,
}

impl MetricsConfig {
    /// Where RabbitMQ has them, but not open to the network.
    pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15692);

    pub(super) fn from_settings(settings: MetricsSettings) -> Self {
        let given = |list: Vec<AddressOrNone>| list.into_iter().filter_map(|address| address.0);
        Self { addresses: settings.address.map(|list| given(list).collect()) }
    }
}

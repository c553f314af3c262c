//! Settings of the HTTP API: the section `[management]` of the configuration file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use leveret::HttpSettings;
use serde::Deserialize;

use super::address::AddressOrNone;

/// What one layer gives. The doc comments are the help texts of the flags.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManagementSettings {
    /// Address to serve RabbitMQ's HTTP API on, or `none`; repeat it or separate several with
    /// commas. In the file: `address` in the section `[management]` [default: 127.0.0.1:15672].
    #[arg(id = "management", long = "management", value_name = "ADDRESS", value_delimiter = ',')]
    pub address: Option<Vec<AddressOrNone>>,

    /// Origins whose pages may call the HTTP API, separated with commas; `*` allows all. In the
    /// file: `cors_allow_origins` in the section `[management]` [default: none].
    #[arg(
        id = "management-cors-allow-origins",
        long = "management-cors-allow-origins",
        value_name = "ORIGINS",
        value_delimiter = ','
    )]
    pub cors_allow_origins: Option<Vec<String>>,

    /// Names by which a proxy on this machine calls the HTTP API, separated with commas. In the
    /// file: `hosts` in the section `[management]` [default: none but this machine's].
    #[arg(
        id = "management-hosts",
        long = "management-hosts",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub hosts: Option<Vec<String>>,
}

impl ManagementSettings {
    /// These settings where they are given, else those of `lower`.
    pub(super) fn over(self, lower: Self) -> Self {
        Self {
            address: self.address.or(lower.address),
            cors_allow_origins: self.cors_allow_origins.or(lower.cors_allow_origins),
            hosts: self.hosts.or(lower.hosts),
        }
    }
}

/// How the HTTP API is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ManagementConfig {
    /// Where; nowhere if the list is empty. `None` if nobody said: then on
    /// [`ManagementConfig::ADDRESS`], unless another program does so already.
    pub addresses: Option<Vec<SocketAddr>>,
    /// Origins whose pages may call it. Default none.
    pub cors_allow_origins: Vec<String>,
    /// Names by which it is called over the loopback interface. Default this machine's.
    pub hosts: Vec<String>,
}

impl ManagementConfig {
    /// Where RabbitMQ has it, but not open to the network.
    pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15672);

    pub(super) fn from_settings(settings: ManagementSettings) -> Self {
        let list = |names: Option<Vec<String>>| {
            let names = names.unwrap_or_default().into_iter();
            names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        Self {
            addresses: settings
                .address
                .map(|list| list.into_iter().filter_map(|AddressOrNone(one)| one).collect()),
            cors_allow_origins: list(settings.cors_allow_origins),
            hosts: list(settings.hosts),
        }
    }

    /// What the broker is told.
    pub(crate) fn http(&self) -> HttpSettings {
        let mut http = HttpSettings::default();
        http.cors_allow_origins.clone_from(&self.cors_allow_origins);
        http.hosts.clone_from(&self.hosts);
        http
    }
}

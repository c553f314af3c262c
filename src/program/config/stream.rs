//! Settings of RabbitMQ's stream protocol: the section `[stream]` of the configuration file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use leveret::AdvertisedAddress;
use serde::Deserialize;

use super::address::AddressOrNone;

/// What one layer gives. The doc comments are the help texts of the flags.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamSettings {
    /// Address to listen on for RabbitMQ's stream protocol, or `none`; repeat it or separate
    /// several with commas. In the file: `address` in the section `[stream]` [default:
    /// 127.0.0.1:5552, or a port that the system chooses if it chooses those for AMQP].
    #[arg(id = "stream", long = "stream", value_name = "ADDRESS", value_delimiter = ',')]
    pub address: Option<Vec<AddressOrNone>>,

    /// Host that stream clients are told to come to. In the file: `advertised_host` in the section
    /// `[stream]` [default: the address that they have come to].
    #[arg(id = "stream-advertised-host", long = "stream-advertised-host", value_name = "HOST")]
    pub advertised_host: Option<String>,

    /// Port that stream clients are told to come to. In the file: `advertised_port` in the section
    /// `[stream]` [default: the one that they have come to].
    #[arg(id = "stream-advertised-port", long = "stream-advertised-port", value_name = "PORT")]
    pub advertised_port: Option<u16>,
}

impl StreamSettings {
    /// These settings where they are given, else those of `lower`.
    pub(super) fn over(self, lower: Self) -> Self {
        Self {
            address: self.address.or(lower.address),
            advertised_host: self.advertised_host.or(lower.advertised_host),
            advertised_port: self.advertised_port.or(lower.advertised_port),
        }
    }
}

/// How clients of the stream protocol are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamConfig {
    /// Where; nowhere if the list is empty. `None` if nobody said: then on
    /// [`StreamConfig::ADDRESS`], unless another program has that port.
    pub addresses: Option<Vec<SocketAddr>>,
    /// Where stream clients are told to come to. Default the address that they have come to.
    pub advertised: AdvertisedAddress,
}

impl StreamConfig {
    /// Where RabbitMQ has it, but not open to the network.
    pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5552);

    /// Who lets the system choose the ports for `amqp` has several servers on a machine, and gets
    /// no port twice here either.
    pub(super) fn from_settings(settings: StreamSettings, amqp: Option<&[AddressOrNone]>) -> Self {
        let given = |list: Vec<AddressOrNone>| list.into_iter().filter_map(|address| address.0);
        let addresses = match (settings.address, amqp) {
            (Some(list), _) => Some(given(list).collect()),
            (None, Some([first, rest @ ..])) => {
                let mut all = [first].into_iter().chain(rest).filter_map(|address| address.0);
                let first = all.next().filter(|address| address.port() == 0);
                first.filter(|_| all.all(|address| address.port() == 0)).map(|first| vec![first])
            }
            (None, _) => None,
        };
        let advertised =
            AdvertisedAddress { host: settings.advertised_host, port: settings.advertised_port };
        Self { addresses, advertised }
    }
}

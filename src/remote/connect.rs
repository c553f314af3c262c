//! Connections to the broker that a URI names: to this one in memory, to others over TCP or TLS.

use std::io;
use std::sync::Weak;
use std::time::Duration;

use async_rs::Runtime;

use lapin::uri::{
    AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism,
};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::greeting::{Greeting, Overheard};
use super::runtime::RemoteRuntime;
use super::stream::{BrokerStream, FromTokio};
use super::tls;
use crate::base::broker_uri::BrokerUri;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::gateway::InMemory;

/// How long a connection may take to be there, unless its URI says otherwise
/// `[rabbitmq uri-query-parameters connection_timeout]`.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// Who connects.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(super) threads: Handle,
    /// This broker, for URIs without a host.
    pub(super) here: Weak<InMemory>,
}

impl Connector {
    /// Connects; the other broker gets to know `name`, and says what it is.
    ///
    /// # Errors
    /// Why not. Neither user nor password is named.
    pub(super) async fn connect_hearing(
        &self,
        uri: &BrokerUri,
        name: &str,
    ) -> Result<(Connection, Greeting), String> {
        let patience = uri.options.connection_timeout.unwrap_or(CONNECTION_TIMEOUT);
        let greeting = Greeting::default();
        match tokio::time::timeout(patience, self.try_connect(uri, name, &greeting)).await {
            Ok(connected) => Ok((connected.map_err(said)?, greeting)),
            Err(_) => Err(format!("no answer within {patience:?}")),
        }
    }

    async fn try_connect(
        &self,
        uri: &BrokerUri,
        name: &str,
        greeting: &Greeting,
    ) -> lapin::Result<Connection> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = Runtime::new(RemoteRuntime(self.threads.clone()));
        // lapin opens streams on a thread of its own, where tokio is not to be had.
        let stream = Overheard::stream(self.stream(uri).await?, greeting.clone());
        let stream = Mutex::<_, rank::RemoteStream>::new(Some(stream));
        let open = async move |_: AMQPUri, _: Runtime<RemoteRuntime>| {
            let stream = stream.lock().take();
            let stream = stream.ok_or_else(|| io::Error::other("the stream was closed"))?;
            Ok(AsyncTcpStream::Plain(stream))
        };
        Connection::connector(for_lapin(uri), runtime, open, properties).await
    }

    async fn stream(&self, uri: &BrokerUri) -> io::Result<BrokerStream> {
        let Some(place) = &uri.place else {
            let here = self.here.upgrade();
            let here = here.ok_or_else(|| io::Error::other("the broker is closed"))?;
            return Ok(Box::new(here.connect_link(uri.credentials.is_none())?));
        };
        let socket = TcpStream::connect((place.host.as_str(), place.port)).await?;
        socket.set_nodelay(true)?;
        match place.tls {
            true => tls::shake_hands(socket, place, &uri.options).await,
            false => Ok(Box::new(FromTokio(socket))),
        }
    }
}

/// An error of lapin's, as it is told.
#[allow(clippy::needless_pass_by_value)] // for map_err
pub(crate) fn said(error: lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        _ => error.to_string(),
    }
}

/// What lapin has to know of the URI.
fn for_lapin(uri: &BrokerUri) -> AMQPUri {
    let default = AMQPAuthority::default();
    let userinfo = match &uri.credentials {
        Some((username, password)) => {
            AMQPUserInfo { username: username.clone(), password: password.clone() }
        }
        None => default.userinfo,
    };
    let is_nobody = uri.is_local() && uri.credentials.is_none();
    let external = (uri.options.external || is_nobody).then_some(SASLMechanism::External);
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority { userinfo, ..default },
        vhost: uri.virtual_host.clone(),
        query: AMQPQueryString {
            frame_max: uri.options.frame_max,
            channel_max: uri.options.channel_max,
            heartbeat: uri.options.heartbeat_s,
            connection_timeout: None,
            auth_mechanism: external,
        },
    }
}

//! The server's certificates: taken anew when their files change, and on SIGHUP.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use leveret::tls::Tls;
use tracing::{error, info};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Looks after the certificates for ever. What cannot be used is logged once, and what was there
/// before stays. Without certificates there is nothing to do.
pub(super) async fn watch(tls: Option<&Tls>, mut hang_up: HangUp) -> Infallible {
    let mut told = None;
    loop {
        let is_asked = tokio::select! {
            () = hang_up.received() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let Some(tls) = tls else {
            if is_asked {
                info!("told to reload (SIGHUP): there are no certificates");
            }
            continue;
        };
        match tls.reload() {
            Ok(true) => {
                info!("new connections get the certificates that are in the files now");
                told = None;
            }
            Ok(false) if is_asked => info!("told to reload (SIGHUP): certificates are the same"),
            Ok(false) => told = None,
            Err(reason) => {
                let text = reason.to_string();
                if is_asked || told.as_ref() != Some(&text) {
                    error!("the certificates stay as they were: {text}");
                }
                told = Some(text);
            }
        }
    }
}

/// SIGHUP, where the system has it.
pub(super) struct HangUp {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl HangUp {
    /// From now on the signal is caught.
    pub(super) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self { signal: signal(SignalKind::hangup())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn received(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending().await
        }
    }

    #[cfg(not(unix))]
    async fn received(&mut self) {
        std::future::pending().await
    }
}

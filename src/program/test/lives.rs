//! The brokers of one run: when one has crashed or was stopped another may be started, on the same
//! address and with what is left of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::args::{Lint, TestArgs};
use super::definitions::adapt;
use super::error::TestServerError;
use super::numbered::Numbered;
use super::reserved::Reserved;
use super::secure::Secure;
use crate::program::definitions::{bring_in, print, read_and_tell};
use leveret::Machine;
use leveret::clock::ManualClock;
use leveret::faults::Rule;
use leveret::{Broker, BrokerBuilder};

/// How long clients have to agree when a broker is stopped.
const PATIENCE: Duration = Duration::from_secs(1);

/// A broker, and the faults that requests have declared to it.
pub(super) struct Life {
    pub broker: Broker,
    pub declared: Numbered<Rule>,
}

impl Life {
    /// Takes back all faults that were declared.
    pub(super) fn take_back(&self) {
        self.declared.clear().iter().for_each(Rule::remove);
    }
}

/// One broker after the other, on one machine.
pub(super) struct Lives {
    args: TestArgs,
    address: Reserved,
    /// Where the HTTP API and the page are.
    management: Option<Reserved>,
    secure: Option<Secure>,
    clock: Option<ManualClock>,
    machine: Machine,
    present: RwLock<Arc<Life>>,
    /// Held while one ends or begins, so that the next one does not come before the last has gone.
    turn: Mutex<()>,
}

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is one.
    #[error("the broker is running: crash or stop it first")]
    IsRunning,
    /// Its address is taken, or what is left cannot be read.
    #[error("the broker cannot be started: {0}")]
    Failed(String),
}

impl Lives {
    /// The first broker listens at the address that is asked for, and those after it at the one
    /// that it got. It has the definitions that are asked for, and those after it what was durable
    /// of them.
    ///
    /// # Errors
    /// If the definitions cannot be had, or it cannot listen there.
    pub(super) fn begin(args: &TestArgs) -> Result<Self, TestServerError> {
        let clock = args.manual_clock.then(ManualClock::default);
        let machine = Machine::new();
        let opened = builder(args, clock.as_ref()).open_on_machine(&machine);
        let broker = opened.map_err(io::Error::other)?;
        if let Some(path) = &args.definitions {
            let definitions = adapt(read_and_tell(path, print)?, &broker);
            bring_in(&definitions, &broker, print).map_err(io::Error::other)?;
        }
        let address = Reserved::listen(args.amqp, |address| broker.listen(address))?;
        let serve = |address| Reserved::listen(address, |address| broker.serve_http(address));
        let management = args.management.0.map(serve).transpose()?;
        let secure = args.tls.then(|| Secure::begin(&broker, args.amqp)).transpose()?;
        let present = RwLock::new(Arc::new(Life { broker, declared: Numbered::default() }));
        let turn = Mutex::new(());
        Ok(Self { args: args.clone(), address, management, secure, clock, machine, present, turn })
    }

    /// What is there over TLS, if that was asked for.
    pub(super) fn secure(&self) -> Option<&Secure> {
        self.secure.as_ref()
    }

    /// Where the brokers listen.
    pub(super) fn address(&self) -> SocketAddr {
        self.address.address()
    }

    /// Where the HTTP API and the page are, if they were asked for.
    pub(super) fn management(&self) -> Option<SocketAddr> {
        self.management.as_ref().map(Reserved::address)
    }

    /// What was asked for.
    pub(super) fn args(&self) -> &TestArgs {
        &self.args
    }

    /// The broker of this time: the last one, if it has ended.
    pub(super) fn present(&self) -> Arc<Life> {
        Arc::clone(&self.present.read())
    }

    /// Stops the broker in order; one that has ended stays as it is.
    pub(super) fn stop(&self) {
        let _turn = self.turn.lock();
        self.present().broker.close("broker was stopped", PATIENCE);
    }

    /// Another broker takes over from the last one.
    ///
    /// # Errors
    /// If that has not ended, or another cannot be started.
    pub(super) fn start(&self) -> Result<(), StartError> {
        let _turn = self.turn.lock();
        let last = self.present();
        if !last.broker.is_closed() {
            return Err(StartError::IsRunning);
        }
        // Gives its address back, if it has crashed.
        last.broker.close("broker has crashed", Duration::ZERO);
        let failed = |error: String| StartError::Failed(error);
        let builder = builder(&self.args, self.clock.as_ref());
        let broker = builder.open_on_machine(&self.machine);
        let broker = broker.map_err(|error| failed(error.to_string()))?;
        let refused = |error: io::Error| failed(error.to_string());
        self.address.listen_again(|address| broker.listen(address)).map_err(refused)?;
        if let Some(management) = &self.management {
            management.listen_again(|address| broker.serve_http(address)).map_err(refused)?;
        }
        if let Some(Secure { address, tls, .. }) = &self.secure {
            address.listen_again(|address| broker.listen_tls(address, tls)).map_err(refused)?;
        }
        *self.present.write() = Arc::new(Life { broker, declared: Numbered::default() });
        Ok(())
    }
}

fn builder(args: &TestArgs, clock: Option<&ManualClock>) -> BrokerBuilder {
    let builder = Broker::builder()
        .journal(args.journal)
        .lint(Lint::level(args.lint))
        .deny_deprecated(args.deny_deprecated)
        .without_plugins(args.without_plugins)
        .rabbitmq_faults(args.rabbitmq_faults)
        .require_stream_prefetch(args.require_stream_prefetch);
    match clock {
        Some(clock) => builder.manual_clock(clock.clone()),
        None => builder,
    }
}

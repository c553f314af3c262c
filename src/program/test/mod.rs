//! `leveret test`: a broker for the tests of a program in any language. It keeps everything in
//! memory, takes free ports, prints one line of JSON that says where it is, and ends with whoever
//! started it.

mod args;
mod control;
mod definitions;
mod error;
mod lives;
mod numbered;
mod reserved;
mod secure;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) use self::args::TestArgs;
use self::control::guard::Token;
pub(crate) use self::error::TestServerError;
use self::lives::Lives;
use self::secure::{Secure, Told};

/// The line that tells where the broker is.
#[derive(Serialize)]
struct Ready {
    amqp: String,
    control: String,
    /// RabbitMQ's HTTP API, and the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    management: Option<String>,
    /// Where it is over TLS, and the certificates that clients need.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Told>,
    /// What calls of the control API have to bring.
    token: String,
    version: &'static str,
}

/// Serves until the standard input ends.
///
/// # Errors
/// If it cannot start.
pub(crate) fn run(args: &TestArgs) -> Result<(), TestServerError> {
    let lives = Lives::begin(args)?;
    let token = Token::random().map_err(|error| TestServerError::from(io::Error::other(error)))?;
    if !args.control.ip().is_loopback() {
        eprintln!("leveret: the control API can be reached from other machines: {}", args.control);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(args.control).await;
        let listener = listener.map_err(|reason| {
            let address = args.control;
            TestServerError::Listen { address, reason }
        })?;
        announce(&lives, listener.local_addr()?, &token)?;
        let (sender, ended) = oneshot::channel();
        thread::Builder::new()
            .name("leveret-parent".into())
            .spawn(move || wait_for_parent(sender))?;
        tokio::select! {
            () = control::serve(listener, control::router(lives, token)) => {}
            _ = ended => {}
        }
        Ok(())
    });
    // Nobody is left to hear of what is still waited for.
    runtime.shutdown_background();
    served
}

/// For fuzzing: the control API of a broker that nobody else has, and its token.
#[cfg(fuzzing)]
#[allow(clippy::expect_used, reason = "a fuzz target tells by panicking")]
pub(crate) fn control_of_new() -> (axum::Router, String) {
    use clap::{Args, Command, FromArgMatches};
    let nothing = TestArgs::augment_args(Command::new("test")).get_matches_from(["test"]);
    let args = TestArgs::from_arg_matches(&nothing).expect("all has a default");
    let token = Token::random().expect("randomness");
    let text = token.as_str().to_owned();
    (control::router(Lives::begin(&args).expect("a broker"), token), text)
}

fn announce(lives: &Lives, control: SocketAddr, token: &Token) -> io::Result<()> {
    let ready = Ready {
        amqp: format!("amqp://guest:guest@{}/%2F", lives.address()),
        control: format!("http://{control}"),
        management: lives.management().map(|address| format!("http://{address}")),
        tls: lives.secure().map(Secure::told),
        token: token.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, &ready)?;
    writeln!(output)?;
    output.flush()
}

/// Reads the standard input, in which nothing is expected, to its end: that is there when whoever
/// started this program is gone, by whatever means.
fn wait_for_parent(sender: oneshot::Sender<()>) {
    let mut ignored = [0; 64];
    while matches!(io::stdin().read(&mut ignored), Ok(read) if read > 0) {}
    // Nobody waits any more if the broker has ended by itself.
    let _ = sender.send(());
}

//! Administers a broker with rabbitmq_http_client, on which rabbitmqadmin 2 is built: every call of
//! it that means something on one node.
//!
//!     rabbitmq-http-client HTTP_PORT AMQP_PORT

mod nodes;
mod objects;
mod rights;
mod transfers;

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rabbitmq_http_client::blocking_api::{Client, ClientBuilder, Result};

pub(crate) type Api = Client<String, String, String>;

/// The virtual host that all is done in.
pub(crate) const HOST: &str = "rust/http";

pub(crate) fn client(port: &str, user: &str, password: &str) -> Api {
    let endpoint = format!("http://127.0.0.1:{port}/api");
    ClientBuilder::new()
        .with_endpoint(endpoint)
        .with_basic_auth_credentials(user.to_owned(), password.to_owned())
        .build()
        .expect("the endpoint is an address")
}

/// What a call returned. Ends the program if it failed, with the name of the call.
pub(crate) trait Done<T> {
    fn done(self, call: &str) -> T;
}

impl<T> Done<T> for Result<T> {
    fn done(self, call: &str) -> T {
        self.unwrap_or_else(|error| panic!("{call}: {error:?}"))
    }
}

pub(crate) fn expect<T: PartialEq<U> + Debug, U: Debug>(what: &str, is: T, want: U) {
    assert!(is == want, "{what}: {is:?}, not {want:?}");
}

/// Asks until there is an answer.
pub(crate) fn wait_for<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what} does not come");
        sleep(Duration::from_millis(20));
    }
}

fn main() {
    let ports: Vec<String> = std::env::args().skip(1).collect();
    let [http, amqp] = &ports[..] else { panic!("rabbitmq-http-client HTTP_PORT AMQP_PORT") };
    let api = client(http, "guest", "guest");
    nodes::run(&api, amqp);
    rights::run(&api, http);
    objects::run(&api);
    transfers::run(&api, amqp);
    api.delete_vhost(HOST, false).done("delete_vhost");
    api.delete_vhost(HOST, true).done("delete_vhost once more");
    assert!(api.delete_vhost(HOST, false).is_err(), "it is deleted already");
}

//! Faults on methods: lost connections, closed channels and connections, refusals, and clients
//! that are not read.

use std::fmt;

use crate::error::Scope;
use crate::faults::{Action, Phase, Rule, When};

macro_rules! methods {
    ($($name:ident $text:literal,)*) => {
        /// A method of AMQP that a client calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Method {
            /// Any of the others.
            Any,
            $(#[doc = concat!("`", $text, "`.")] $name,)*
        }

        impl Method {
            /// The names of all methods, `queue.declare` and so on; [`Method::Any`] has none.
            pub const NAMES: &[&str] = &[$($text),*];

            /// The method of that name.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for Method {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::Any => "any method",
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

methods! {
    ConnectionOpen "connection.open",
    ChannelOpen "channel.open",
    ExchangeDeclare "exchange.declare",
    ExchangeDelete "exchange.delete",
    ExchangeBind "exchange.bind",
    ExchangeUnbind "exchange.unbind",
    QueueDeclare "queue.declare",
    QueueBind "queue.bind",
    QueueUnbind "queue.unbind",
    QueuePurge "queue.purge",
    QueueDelete "queue.delete",
    BasicQos "basic.qos",
    BasicConsume "basic.consume",
    BasicCancel "basic.cancel",
    BasicPublish "basic.publish",
    BasicGet "basic.get",
    BasicAck "basic.ack",
    BasicNack "basic.nack",
    BasicReject "basic.reject",
    BasicRecover "basic.recover",
    ConfirmSelect "confirm.select",
    TxSelect "tx.select",
    TxCommit "tx.commit",
    TxRollback "tx.rollback",
}

/// Rules for methods.
#[derive(Debug)]
pub struct Methods(());

/// Rules for publishes.
#[derive(Debug)]
pub struct Publishes(());

macro_rules! ends {
    ($kind:ty) => {
        impl When<$kind> {
            /// What follows happens after this has taken effect, instead of before it. A client
            /// whose connection is dropped then has not heard that it did.
            pub fn afterwards(self) -> Self {
                self.in_phase(Phase::After)
            }

            /// The connection is lost: the broker closes its end without a word. What it had
            /// written before gets there, and what the client held goes back to the queues.
            pub fn drop_connection(self) -> Rule {
                self.then(Action::Drop)
            }

            /// The broker crashes before this has any effect: see
            /// [`Broker::crash`](crate::Broker::crash). With `afterwards` it has an effect, of
            /// which nothing was synced for certain.
            pub fn crash(self) -> Rule {
                self.then(Action::Crash)
            }

            /// The broker closes the channel with this reply code and text, before which the name
            /// of the code is put: `NOT_FOUND - text`.
            pub fn close_channel(self, code: u16, text: impl Into<String>) -> Rule {
                self.then(Action::Close { code, text: text.into(), scope: Scope::Channel })
            }

            /// The broker closes the connection with this reply code, such as 320, and text, as
            /// [`When::close_channel`] has it.
            pub fn close_connection(self, code: u16, text: impl Into<String>) -> Rule {
                self.then(Action::Close { code, text: text.into(), scope: Scope::Connection })
            }
        }
    };
}

ends!(Methods);
ends!(Publishes);
ends!(crate::faults::Deliveries);

macro_rules! requests {
    ($kind:ty) => {
        impl When<$kind> {
            /// The broker refuses this with a reply code and text: it has no effect, and closes
            /// what the code closes, the channel (403, 404, 405, 406) or the connection.
            pub fn refuse(self, code: u16, text: impl Into<String>) -> Rule {
                self.then(Action::refuse(code, text.into()))
            }

            /// The broker reads nothing more from this connection, so that the client finds its
            /// stream full sooner or later. [`Rule::release`] and [`Rule::remove`] let it go on.
            /// It is not found silent meanwhile, and still gets its deliveries.
            pub fn stop_reading(self) -> Rule {
                self.then(Action::StopReading)
            }
        }
    };
}

requests!(Methods);
requests!(Publishes);

impl When<Publishes> {
    /// The message finds no queue, though one is bound: it comes back with `312 NO_ROUTE` if it is
    /// mandatory, and is dropped if not. A confirm says ack, as always.
    pub fn unroutable(self) -> Rule {
        self.then(Action::Unroutable)
    }
}

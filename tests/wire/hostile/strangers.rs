//! Those who come in and say nothing, or never the right thing.

use std::collections::VecDeque;
use std::io::Read;
use std::net::TcpStream;

use leveret::Limits;

use crate::client::Client;
use crate::hostile::{SILENT, served_beside};
use crate::{PATIENCE, frames, listening};

/// Places for those who have not logged in: fewer than come.
const PLACES: usize = 80;

#[test]
fn silent_sockets_keep_no_login_waiting() {
    let (_broker, address) = listening(Limits::new().unfinished_handshakes_max(PLACES));
    served_beside(
        address,
        |honest| honest.login(address),
        |end| {
            let mut silent: VecDeque<TcpStream> = VecDeque::new();
            while !end.has_come() {
                silent.extend(TcpStream::connect_timeout(&address, PATIENCE));
                // As fast as the broker shows them out.
                if silent.len() == SILENT
                    && let Some(mut oldest) = silent.pop_front()
                {
                    oldest.set_read_timeout(Some(PATIENCE)).unwrap();
                    let _ = oldest.read(&mut [0]);
                }
            }
        },
    );
}

#[test]
fn wrong_passwords_keep_no_login_waiting() {
    let (_broker, address) = listening(Limits::new());
    served_beside(
        address,
        |honest| honest.login(address),
        |end| {
            let mut refused = VecDeque::new();
            while !end.has_come() {
                let mut client = Client::new(address);
                client.send(frames::HEADER);
                client.send(&frames::start_ok("PLAIN", b"\0guest\0wrong", frames::CAPABILITIES));
                refused.push_back(client);
                if refused.len() == SILENT {
                    refused.pop_front();
                }
            }
        },
    );
}

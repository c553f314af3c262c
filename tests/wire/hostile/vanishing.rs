//! Those who go away while they are held back, without heartbeats, and leave behind what the broker
//! has not read: their end comes after it.

use std::io::{Read, Write};
use std::net::TcpStream;

use leveret::Broker;

use crate::client::Client;
use crate::hostile::hoarders::{WATERMARK, short_of_memory};
use crate::{frames, listening, wait_until};

/// More than there is room for, in the broker and in all sockets.
const FLOOD: usize = 512 << 20;

/// Above which an alarm that is raised stays so.
const ALARMED: usize = WATERMARK / 10 * 9;

/// How long it may take to fill the memory, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// Fills the memory in a transaction that never ends, until no more is taken. Nothing is left to be
/// read of what the broker says, as the client wants to hear of no alarm: a socket that is closed
/// with something unread ends at once.
fn fill<S: Read + Write>(broker: &Broker, client: &mut Client<S>, socket: &TcpStream) {
    client.declare("q");
    client.ask(&frames::tx_select(1));
    socket.set_nonblocking(true).unwrap();
    let octets = frames::publish(1, "q", &[0; 50_000]);
    let began_ms = broker.now().as_millis();
    let (mut sent, mut taken_ms) = (0, began_ms);
    while sent < FLOOD {
        let now_ms = broker.now().as_millis();
        assert!(now_ms < began_ms + PATIENCE_MS, "{sent} octets, {}", broker.memory_total());
        match client.socket.write(&octets[sent % octets.len()..]) {
            Ok(written) => (sent, taken_ms) = (sent + written, now_ms),
            // Only who is held back is not read any more; others may have to wait for a thread.
            Err(_) if now_ms > taken_ms + 400 && broker.memory_total() > ALARMED => return,
            Err(_) => std::thread::yield_now(),
        }
    }
    panic!("{sent} octets were taken");
}

fn assert_forgotten(broker: &Broker) {
    wait_until("nothing is left", || broker.memory_total() < WATERMARK / 2);
    wait_until("it is gone", || broker.connection_count() == 0);
}

#[test]
fn an_end_behind_what_is_not_read_is_noticed() {
    let (broker, address) = listening(short_of_memory());
    let mut client = Client::new(address).opened(&[], 0).channel(1);
    let socket = client.socket.try_clone().unwrap();
    fill(&broker, &mut client, &socket);
    drop((client, socket));
    assert_forgotten(&broker);
}

#[cfg(feature = "tls")]
#[test]
fn so_it_is_over_tls() {
    use std::sync::Arc;

    use leveret::tls::{TestCertificates, Tls};
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    let made = TestCertificates::new().unwrap();
    let tls = Tls::open(made.server_settings().unwrap()).unwrap();
    let broker = Broker::builder().limits(short_of_memory()).build();
    let address = broker.listen_tls("127.0.0.1:0", &tls).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(made.authority().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    let over = StreamOwned::new(session, socket.try_clone().unwrap());
    let mut client = Client::over(over).opened(&[], 0).channel(1);
    fill(&broker, &mut client, &socket);
    drop((client, socket));
    assert_forgotten(&broker);
}

//! Frames to the client that are none.

use super::*;

#[tokio::test]
async fn a_client_takes_a_bad_frame_for_a_fatal_error() {
    let broker = broker();
    for truncate in [false, true] {
        let connection = connect(&broker).await;
        let channel = connection.create_channel().await.unwrap();
        declare(&channel, "before").await.unwrap();
        let when = broker.faults().frames().on_channel(channel.id()).nth(1);
        let rule = if truncate { when.truncate() } else { when.corrupt() };
        assert!(declare(&channel, "declared").await.is_err());
        until("the end", || !connection.status().connected()).await;
        assert_eq!(rule.fired(), 1);
        rule.remove();
        assert!(broker.virtual_host("/").unwrap().queue("declared").is_ok());
        until("the end of the connection", || broker.connection_count() == 0).await;
    }
}

#[test]
fn half_a_frame_and_then_nothing_gets_to_a_socket() {
    use std::io::{Read, Write};
    let broker = broker();
    broker.faults().frames().truncate();
    let mut socket = std::net::TcpStream::connect(broker.listen("127.0.0.1:0").unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let frame = |channel: u8, payload: &[u8]| {
        let size = payload.len() as u8;
        [&[1, 0, channel, 0, 0, 0, size][..], payload, &[0xCE]].concat()
    };
    let start_ok = b"\0\x0A\0\x0B\0\0\0\0\x05PLAIN\0\0\0\x0C\0guest\0guest\0";
    let tune_ok = [0, 10, 0, 31, 7, 255, 0, 2, 0, 0, 0, 0];
    // Both answers are awaited, so that they are on their way before the connection is open.
    for octets in [b"AMQP\0\0\x09\x01".to_vec(), frame(0, start_ok)] {
        socket.write_all(&octets).unwrap();
        let mut header = [0; 7];
        socket.read_exact(&mut header).unwrap();
        let size = u32::from_be_bytes(*header.last_chunk().unwrap());
        socket.read_exact(&mut vec![0; size as usize + 1]).unwrap();
    }
    let open = frame(0, &[0, 10, 0, 40, 1, b'/', 0, 0]);
    socket.write_all(&[frame(0, &tune_ok), open].concat()).unwrap();
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap();
    // connection.open-ok takes 13 octets: 6 come.
    assert_eq!(all, [1, 0, 0, 0, 0, 0]);
}

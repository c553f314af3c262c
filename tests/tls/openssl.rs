//! What `openssl s_client` sees. Without it there is nothing to see.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use leveret::Broker;
use leveret::tls::{Tls, TlsVersion};

use crate::Folder;

/// All that it says; `None` if it is not installed.
fn s_client(folder: &Folder, address: SocketAddr, arguments: &[&str]) -> Option<String> {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string(), "-CAfile"])
        .arg(folder.path("ca.pem"))
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: openssl is not installed");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn openssl_verifies_the_server_by_both_versions() {
    let (folder, broker) = (Folder::new(), Broker::new());
    let tls = Tls::open(folder.settings()).unwrap();
    let address = broker.listen_tls("127.0.0.1:0", &tls).unwrap();
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let flags = [flag, "-verify_return_error", "-verify_hostname", "localhost"];
        let Some(text) = s_client(&folder, address, &flags) else { return };
        assert!(text.contains(version) && text.contains("Verify return code: 0"), "{text}");
    }
    let Some(text) = s_client(&folder, address, &["-tls1_1"]) else { return };
    assert!(text.contains("Cipher is (NONE)") || text.contains("no protocols"), "{text}");
}

#[test]
fn a_version_that_is_not_served_is_refused() {
    let (folder, broker) = (Folder::new(), Broker::new());
    let mut settings = folder.settings();
    settings.versions = vec![TlsVersion::V1_3];
    let address = broker.listen_tls("127.0.0.1:0", &Tls::open(settings).unwrap()).unwrap();
    let Some(text) = s_client(&folder, address, &["-tls1_2"]) else { return };
    assert!(text.contains("protocol version"), "{text}");
}

#[test]
fn a_client_gets_the_certificate_of_the_host_that_it_asks_for() {
    let (folder, broker) = (Folder::new(), Broker::new());
    folder.put("other", &folder.made.server(&["*.example.org"]).unwrap());
    let mut settings = folder.settings();
    settings.certs.push(folder.path("other.pem").into());
    settings.keys.push(folder.path("other.key").into());
    let address = broker.listen_tls("127.0.0.1:0", &Tls::open(settings).unwrap()).unwrap();
    let verified = |host: &str| {
        let flags = ["-servername", host, "-verify_return_error", "-verify_hostname", host];
        s_client(&folder, address, &flags).map(|text| text.contains("Verify return code: 0"))
    };
    let Some(first) = verified("localhost") else { return };
    assert!(first);
    assert_eq!(verified("mq.example.org"), Some(true));
    assert_eq!(verified("example.com"), Some(false));
}

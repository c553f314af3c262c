//! TLS, as clients and those who run the server see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod clients;
mod files;
mod http;
mod openssl;
mod program;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use leveret::tls::{TestCertificate, TestCertificates, TlsSettings};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Certificates in files.
struct Folder {
    folder: TempDir,
    made: TestCertificates,
}

impl Folder {
    /// With `ca.pem`, `server.pem` and `server.key`, which is for this machine.
    fn new() -> Self {
        let folder =
            Self { folder: TempDir::new().unwrap(), made: TestCertificates::new().unwrap() };
        folder.write("ca.pem", &folder.made.authority());
        folder.put("server", &folder.made.server(&["localhost", "127.0.0.1"]).unwrap());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn put(&self, name: &str, certificate: &TestCertificate) {
        self.write(&format!("{name}.pem"), &certificate.certificate);
        self.write(&format!("{name}.key"), &certificate.key);
    }

    /// Those of the server in these files.
    fn settings(&self) -> TlsSettings {
        let mut settings = TlsSettings::new(self.path("server.pem"), self.path("server.key"));
        settings.ca = Some(self.path("ca.pem").into());
        settings
    }
}

fn client_config(authority: &str, own: Option<&TestCertificate>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

/// A client that trusts an authority, and may have a certificate of its own.
fn connect(
    address: SocketAddr,
    authority: &str,
    own: Option<&TestCertificate>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let config = client_config(authority, own);
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(client, TcpStream::connect(address).unwrap())
}

/// What the server says first to a client of AMQP 0-9-1: the mechanisms are in it.
fn first_octets(stream: &mut (impl Read + Write)) -> std::io::Result<String> {
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut head = [0; 7];
    stream.read_exact(&mut head)?;
    let mut start = vec![0; u32::from_be_bytes(head[3..].try_into().unwrap()) as usize];
    stream.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start).into_owned())
}

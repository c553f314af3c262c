//! Commands over HTTPS.

use std::process::Command;

use leveret::tls::{TestCertificates, Tls};
use tempfile::TempDir;

use crate::{Said, Server, run};

/// A server that asks for a certificate, and files for those who speak to it.
struct Secured {
    server: Server,
    folder: TempDir,
    url: String,
}

impl Secured {
    fn start() -> Self {
        let (server, made) = (Server::start(), TestCertificates::new().unwrap());
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("ca.pem", &made.authority());
        write("other.pem", &TestCertificates::new().unwrap().authority());
        let own = made.client("shop").unwrap();
        write("shop.pem", &own.certificate);
        write("shop.key", &own.key);
        let mut settings = made.server_settings().unwrap();
        (settings.verify, settings.fail_if_no_peer_cert) = (true, true);
        let tls = Tls::open(settings).unwrap();
        let https = server.broker.serve_https("127.0.0.1:0", &tls).unwrap();
        let url = format!("https://localhost:{}", https.port());
        Self { server, folder, url }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn ctl(&self, arguments: &[&str]) -> Said {
        self.server.ctl(&[&["--url", &self.url], arguments].concat())
    }
}

#[test]
fn a_server_without_tls_is_called_one() {
    let server = Server::start();
    let url = format!("https://127.0.0.1:{}", server.http.port());
    let said = server.ctl(&["--url", &url, "list_users"]);
    assert_eq!(said.status, 69, "{said:?}");
    assert!(said.errors.contains("does not speak TLS there: take http://"), "{said:?}");
}

#[test]
fn a_server_over_tls_is_told_what_to_do() {
    let secured = Secured::start();
    let (ca, cert, key) =
        (secured.file("ca.pem"), secured.file("shop.pem"), secured.file("shop.key"));
    let own = ["--tls-cert-file", &cert, "--tls-key-file", &key];
    let trusted = [&own[..], &["--tls-ca-cert-file", &ca]].concat();
    let said = secured.ctl(&[&trusted[..], &["-s", "list_users"]].concat());
    assert_eq!((said.status, said.output.as_str()), (0, "guest\t[administrator]\n"), "{said:?}");
    let checked = ["authenticate_user", "guest", "guest"];
    assert_eq!(secured.ctl(&[&trusted[..], &checked].concat()).status, 0);
    let said = secured.ctl(&[&own[..], &["--insecure", "-q", "ping"]].concat());
    assert_eq!((said.status, said.output.as_str()), (0, "Ping succeeded\n"), "{said:?}");
}

#[test]
fn who_is_not_trusted_is_not_asked_and_says_why() {
    let secured = Secured::start();
    let (other, cert, key) =
        (secured.file("other.pem"), secured.file("shop.pem"), secured.file("shop.key"));
    let own = ["--tls-cert-file", &cert, "--tls-key-file", &key];
    let said = secured.ctl(&[&own[..], &["--tls-ca-cert-file", &other, "list_users"]].concat());
    assert_eq!(said.status, 69, "{said:?}");
    assert!(said.errors.contains("invalid peer certificate"), "{said:?}");
    assert!(said.errors.contains("--tls-ca-cert-file names one"), "{said:?}");
    let said = secured.ctl(&["--insecure", "list_users"]);
    assert_eq!(said.status, 69, "without a certificate of its own: {said:?}");
    let said = secured.ctl(&["--insecure", "--tls-cert-file", &cert, "list_users"]);
    assert!(said.status == 64 && said.errors.contains("go together"), "{said:?}");
    let said = secured.ctl(&["--tls-ca-cert-file", "nowhere.pem", "list_users"]);
    assert!(said.status == 64 && said.errors.contains("nowhere.pem cannot be read"), "{said:?}");
}

#[cfg(unix)]
#[test]
fn rabbitmqadmin_speaks_tls() {
    let secured = Secured::start();
    let link = secured.folder.path().join("rabbitmqadmin");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leveret"), &link).unwrap();
    let port = secured.url.rsplit(':').next().unwrap().to_owned();
    let ca = secured.file("ca.pem");
    let (cert, key) = (secured.file("shop.pem"), secured.file("shop.key"));
    let mut admin = Command::new(link);
    admin.args(["--ssl", "-H", "localhost", "-P", &port, "--ssl-ca-cert-file", &ca]);
    admin.args(["--ssl-cert-file", &cert, "--ssl-key-file", &key, "-f", "tsv"]);
    let said = run(admin.args(["list", "users", "name"]), "");
    assert_eq!((said.status, said.output.as_str()), (0, "name\nguest\n"), "{said:?}");
}

//! The server as it is installed and started by the documentation.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use leveret::tls::TestCertificates;

use crate::run;

const HOUSE: &str = env!("CARGO_MANIFEST_DIR");
const UNIT: &str = "etc/systemd/system/leveret.service";

/// The blocks for a shell in docs/operating.md.
fn blocks() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(HOUSE).join("docs/operating.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn is_there(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        eprintln!("{program} is not installed: what needs it is not tried");
    }
    is_there
}

/// Runs a script in the folder of the sources, with this program in the path.
fn work(script: &str) {
    let program = Path::new(env!("CARGO_BIN_EXE_leveret")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(HOUSE);
    let said = run(command.env("PATH", format!("{}:{path}", program.display())), "");
    assert_eq!(said.status, 0, "{script}\n{said:?}");
}

/// The system's folders are below another root here, which systemctl knows as one of an image.
#[test]
fn the_service_is_installed_as_the_documentation_says() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    for name in ["usr/bin", "etc/systemd/system"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let block = blocks().into_iter().find(|block| block.contains("systemctl")).unwrap();
    let (install, enable): (Vec<&str>, Vec<&str>) =
        block.lines().partition(|line| line.starts_with("install"));
    let below = |line: &str| line.replace(" /usr/", &format!(" {root}/usr/"));
    let install: Vec<String> = install
        .iter()
        .map(|line| below(line).replace(" /etc/", &format!(" {root}/etc/")))
        .collect();
    assert_eq!((install.len(), enable.as_slice()), (2, &["systemctl enable --now leveret"][..]));
    work(&install.join("\n"));
    let mode =
        |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!((mode("usr/bin/leveret") & 0o777, mode(UNIT) & 0o777), (0o755, 0o644));
    if is_there("systemctl") {
        work(&format!("systemctl --quiet --root={root} enable leveret"));
        let wanted = "etc/systemd/system/multi-user.target.wants/leveret.service";
        assert!(folder.path().join(wanted).is_symlink());
    }
    // It looks for the program where this system has it.
    let unit = std::fs::read_to_string(folder.path().join(UNIT)).unwrap();
    std::fs::write(
        folder.path().join(UNIT),
        unit.replace("=/usr/bin", &format!("={root}/usr/bin")),
    )
    .unwrap();
    if is_there("systemd-analyze") {
        let said = run(
            Command::new("systemd-analyze")
                .args(["--man=no", "verify"])
                .arg(folder.path().join(UNIT)),
            "",
        );
        assert!(said.status == 0 && !said.errors.contains("leveret.service"), "{said:?}");
    }
}

/// Each line that starts a server, with folders and ports of this test's.
#[test]
fn servers_start_with_the_settings_that_the_documentation_gives() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(place("rabbitmq.conf"), "heartbeat = 30\n").unwrap();
    let made = TestCertificates::new().unwrap().server(&["localhost"]).unwrap();
    std::fs::write(place("server.pem"), made.certificate).unwrap();
    std::fs::write(place("server.key"), made.key).unwrap();
    let blocks = blocks().join("\n").replace("\\\n", " ");
    let lines: Vec<&str> =
        blocks.lines().filter(|line| line.starts_with("leveret serve")).collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for (number, line) in lines.iter().enumerate() {
        let mut words = line.split('#').next().unwrap().split_whitespace().map(|word| match word {
            _ if word.starts_with("/var/") => place(&format!("{number}{}", word.replace('/', "-"))),
            _ if word.ends_with("rabbitmq.conf") => place("rabbitmq.conf"),
            _ if word.starts_with(':') => "127.0.0.1:0".to_owned(),
            _ => word.to_owned(),
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
        command.args(words.by_ref().skip(1)).current_dir(folder.path());
        for (name, value) in [("AMQP", "127.0.0.1:0"), ("MANAGEMENT", "none"), ("METRICS", "none")]
        {
            command.env(format!("LEVERET_{name}"), value);
        }
        command.env("LEVERET_STREAM", "none").env("LEVERET_DATA_DIR", place(&format!("{number}")));
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let id = server.id().to_string();
        work(&format!("kill -TERM {id}"));
        assert!(server.wait().unwrap().success(), "{line}");
        assert!(ready.contains("Server startup complete"), "{line}: {ready}");
    }
}

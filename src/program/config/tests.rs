//! Tests of the layers and their errors.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::shovels::StaticShovels;
use super::uplink::UplinkParts;
use super::*;
use crate::program::data::DataCommand;
use leveret::lint::LintLevel;
use leveret::{AdvertisedAddress, Durability};

/// A configuration file that goes with the test.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("leveret-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn parsed(flags: &[&str], env: &[(&str, &str)]) -> Result<ServerConfig, ConfigError> {
    let arguments = ["leveret"].iter().chain(flags).map(OsString::from);
    let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, v)| OsString::from(v));
    parse(arguments, &env).map(|invocation| match invocation {
        Invocation::Serve(config) => *config,
        other => panic!("not to serve: {other:?}"),
    })
}

fn refused(flags: &[&str], env: &[(&str, &str)]) -> String {
    parsed(flags, env).unwrap_err().to_string()
}

fn loopback_users(config: &ServerConfig) -> Vec<&str> {
    config.loopback_users.iter().map(leveret::names::UserName::as_str).collect()
}

#[test]
fn nothing_given_is_the_default() {
    let config = parsed(&[], &[]).unwrap();
    assert_eq!(config, ServerConfig::default());
    assert_eq!(config.amqp, ["127.0.0.1:5672".parse().unwrap()]);
    assert_eq!(config.stream.addresses, None);
    assert_eq!((config.channel_max, config.frame_max, config.heartbeat_s), (2047, 131_072, 60));
    assert_eq!(config.max_message_size, 16_777_216);
    assert_eq!(loopback_users(&config), ["guest"]);
    assert!(config.threads >= 1);
    assert_eq!(parsed(&["serve"], &[]).unwrap(), config);
}

#[test]
fn stream_clients_have_an_address_unless_it_is_none() {
    let streams = |flags: &[&str]| {
        let config = parsed(flags, &[]).unwrap();
        let addresses = config.stream.addresses.unwrap_or_else(|| vec![StreamConfig::ADDRESS]);
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(streams(&["--stream", "[::]:1,127.0.0.1:2"]), "[::]:1 127.0.0.1:2");
    assert_eq!(streams(&["--stream", "none"]), "");
    assert_eq!(streams(&["--amqp", "0.0.0.0:1"]), "127.0.0.1:5552");
    assert_eq!(streams(&["--amqp", "[::1]:0,127.0.0.1:0"]), "[::1]:0");
    assert_eq!(streams(&["--amqp", "[::1]:0,127.0.0.1:1"]), "127.0.0.1:5552");
    assert_eq!(
        refused(&["--stream-advertised-host", ""], &[]),
        "advertised_host in [stream] must not be empty"
    );
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = TestFile::new("layers.toml", "heartbeat_s = 1\nchannel_max = 1\nframe_max = 5000");
    let env = [("LEVERET_HEARTBEAT_S", "2"), ("LEVERET_CHANNEL_MAX", "2")];
    let config = parsed(&["--config", file.path(), "--heartbeat-s", "3"], &env).unwrap();
    assert_eq!((config.heartbeat_s, config.channel_max, config.frame_max), (3, 2, 5000));
    assert_eq!(config.max_unfinished_handshakes, 1024);
}

#[test]
fn the_environment_may_name_the_file_and_a_flag_another() {
    let (one, two) =
        (TestFile::new("1.toml", "threads = 1"), TestFile::new("2.toml", "threads = 2"));
    let env = [("LEVERET_CONFIG", one.path())];
    assert_eq!(parsed(&[], &env).unwrap().threads, 1);
    assert_eq!(parsed(&["--config", two.path()], &env).unwrap().threads, 2);
}

/// Every setting, as flags and variables give it.
const GIVEN: [(&str, &str); 43] = [
    ("amqp", "0.0.0.0:1,[::1]:0"),
    ("stream", "127.0.0.1:2,none"),
    ("stream_advertised_host", "mq.example"),
    ("stream_advertised_port", "5"),
    ("management", "0.0.0.0:2"),
    ("management_cors_allow_origins", "https://a,https://b"),
    ("management_hosts", "c,d"),
    ("metrics", "0.0.0.0:3"),
    ("data_dir", "data"),
    ("durability", "buffered"),
    ("queue_memory_bytes_max", "1MiB"),
    ("consumer_max_per_channel", "9"),
    ("unread_replies_max", "2MiB"),
    ("ephemeral", "false"),
    ("definitions", "d.json"),
    ("log_level", "debug"),
    ("ctl_socket", "/run/leveret/ctl.sock"),
    ("log_file", "/var/log/leveret.log"),
    ("log_rotation", "hourly"),
    ("log_files_max", "3"),
    ("log_format", "json"),
    ("lint", "warn"),
    ("threads", "3"),
    ("default_user", "u"),
    ("default_pass", "p"),
    ("default_vhost", "v"),
    ("loopback_users", "a,b"),
    ("max_connections", "10"),
    ("channel_max", "11"),
    ("frame_max", "8192"),
    ("heartbeat_s", "12"),
    ("handshake_timeout_ms", "13"),
    ("max_unfinished_handshakes", "14"),
    ("max_message_size", "1MiB"),
    ("memory_high_watermark_bytes", "1GiB"),
    ("deny_deprecated", "true"),
    ("disk_free_limit", "2GB"),
    ("consumer_timeout_ms", "60000"),
    ("event_exchange", "true"),
    ("without_plugins", "true"),
    ("rabbitmq_faults", "true"),
    ("require_stream_prefetch", "true"),
    ("repair", "true"),
];

/// The same as a file.
const FILE: &str = r#"
amqp = ["0.0.0.0:1", "[::1]:0"]
data_dir = "data"
durability = "buffered"
queue_memory_bytes_max = "1MiB"
consumer_max_per_channel = 9
unread_replies_max = "2MiB"
ephemeral = false
definitions = "d.json"
log_level = "debug"
ctl_socket = "/run/leveret/ctl.sock"
log_file = "/var/log/leveret.log"
log_rotation = "hourly"
log_files_max = 3
log_format = "json"
lint = "warn"
threads = 3
default_user = "u"
default_pass = "p"
default_vhost = "v"
loopback_users = ["a", "b"]
max_connections = 10
channel_max = 11
frame_max = "8KiB"
heartbeat_s = 12
handshake_timeout_ms = 13
max_unfinished_handshakes = 14
max_message_size = "1MiB"
memory_high_watermark_bytes = "1GiB"
deny_deprecated = true
disk_free_limit = "2GB"
consumer_timeout_ms = 60000
event_exchange = true
without_plugins = true
rabbitmq_faults = true
require_stream_prefetch = true
repair = true
[stream]
address = ["127.0.0.1:2", "none"]
advertised_host = "mq.example"
advertised_port = 5
[management]
address = ["0.0.0.0:2"]
cors_allow_origins = ["https://a", "https://b"]
hosts = ["c", "d"]
[metrics]
address = ["0.0.0.0:3"]
"#;

#[test]
fn every_setting_can_be_given_in_each_layer() {
    let file = TestFile::new("all.toml", FILE);
    let expected = ServerConfig {
        amqp: vec!["0.0.0.0:1".parse().unwrap(), "[::1]:0".parse().unwrap()],
        stream: StreamConfig {
            addresses: Some(vec!["127.0.0.1:2".parse().unwrap()]),
            advertised: AdvertisedAddress { host: Some("mq.example".into()), port: Some(5) },
        },
        management: ManagementConfig {
            addresses: Some(vec!["0.0.0.0:2".parse().unwrap()]),
            cors_allow_origins: vec!["https://a".into(), "https://b".into()],
            hosts: vec!["c".into(), "d".into()],
        },
        metrics: MetricsConfig { addresses: Some(vec!["0.0.0.0:3".parse().unwrap()]) },
        tls: None,
        shovels: StaticShovels::default(),
        uplink: UplinkParts::default(),
        data_dir: Some("data".into()),
        durability: Durability::Buffered,
        queue_memory_bytes_max: 1 << 20,
        consumer_max_per_channel: 9,
        unread_replies_max: 2 << 20,
        definitions: Some("d.json".into()),
        log_level: LogLevel::Debug,
        log_format: LogFormat::Json,
        ctl_socket: Some("/run/leveret/ctl.sock".into()),
        log_file: Some("/var/log/leveret.log".into()),
        log_rotation: LogRotation::Hourly,
        log_files_max: 3,
        unread: Vec::new(),
        lint: LintLevel::Warn,
        threads: 3,
        default_user: "u".into(),
        default_pass: "p".into(),
        default_vhost: "v".into(),
        loopback_users: vec!["a".into(), "b".into()],
        max_connections: 10,
        channel_max: 11,
        frame_max: 8192,
        heartbeat_s: 12,
        handshake_timeout: Duration::from_millis(13),
        max_unfinished_handshakes: 14,
        max_message_size: 1 << 20,
        memory_high_watermark_bytes: 1 << 30,
        deny_deprecated: true,
        disk_free_limit_bytes: 2_000_000_000,
        consumer_timeout_ms: 60_000,
        event_exchange: true,
        without_plugins: true,
        rabbitmq_faults: true,
        require_stream_prefetch: true,
        repair: true,
    };
    assert_eq!(parsed(&["--config", file.path()], &[]).unwrap(), expected);
    let names = GIVEN.map(|(name, _)| format!("LEVERET_{}", name.to_uppercase()));
    let env: Vec<_> = names.iter().map(String::as_str).zip(GIVEN.map(|(_, value)| value)).collect();
    assert_eq!(parsed(&[], &env).unwrap(), expected);
    let flags = GIVEN.map(|(name, value)| format!("--{}={value}", name.replace('_', "-")));
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    assert_eq!(parsed(&flags, &[]).unwrap(), expected);
}

#[test]
fn addresses_may_be_repeated() {
    let config = parsed(&["serve", "--amqp", "127.0.0.1:0", "--amqp", "[::1]:0"], &[]).unwrap();
    assert_eq!(config.amqp.len(), 2);
}

#[test]
fn the_http_api_can_be_switched_off() {
    let addresses = |flags: &[&str]| parsed(flags, &[]).unwrap().management.addresses;
    assert_eq!(addresses(&[]), None);
    assert_eq!(addresses(&["--management", "none"]), Some(vec![]));
    let two = addresses(&["--management", "127.0.0.1:0", "--management", "[::1]:0"]);
    assert_eq!(two.unwrap().len(), 2);
    let file = TestFile::new("none.toml", "[management]\naddress = [\"none\"]");
    assert_eq!(addresses(&["--config", file.path()]), Some(vec![]));
    assert!(refused(&["--management", "here"], &[]).contains("'here' is not an address"));
    assert_eq!(addresses(&["--management", "15672"]), Some(vec!["0.0.0.0:15672".parse().unwrap()]));
}

#[test]
fn rabbitmqs_variables_set_the_default_user() {
    let env = [
        ("RABBITMQ_DEFAULT_USER", "shop"),
        ("RABBITMQ_DEFAULT_PASS", "secret"),
        ("RABBITMQ_DEFAULT_VHOST", "orders"),
    ];
    let config = parsed(&[], &env).unwrap();
    assert_eq!(config.default_user.as_str(), "shop");
    assert_eq!(config.default_pass.reveal(), "secret");
    assert_eq!(config.default_vhost.as_str(), "orders");
    assert!(config.loopback_users.is_empty());
    let both = [("RABBITMQ_DEFAULT_USER", "a"), ("LEVERET_DEFAULT_USER", "b")];
    assert_eq!(parsed(&[], &both).unwrap().default_user.as_str(), "b");
}

#[test]
fn loopback_users_are_as_asked() {
    let shop = ["--default-user", "shop"];
    assert!(parsed(&shop, &[]).unwrap().loopback_users.is_empty());
    let guest = parsed(&["--default-vhost", "v"], &[]).unwrap();
    assert_eq!(loopback_users(&guest), ["guest"]);
    let env = [("LEVERET_LOOPBACK_USERS", "shop, guest")];
    assert_eq!(loopback_users(&parsed(&shop, &env).unwrap()), ["shop", "guest"]);
    assert!(parsed(&["--loopback-users", "none"], &[]).unwrap().loopback_users.is_empty());
}

#[test]
fn empty_variables_count_as_absent() {
    let config = parsed(&[], &[("LEVERET_THREADS", ""), ("RABBITMQ_DEFAULT_USER", "")]).unwrap();
    assert_eq!(config, ServerConfig::default());
}

#[test]
fn bad_variables_are_named() {
    assert_eq!(
        refused(&[], &[("LEVERET_HEARTBEAT_S", "often")]),
        "environment variable LEVERET_HEARTBEAT_S: 'often' is not a whole number that can be set \
         here"
    );
    assert_eq!(
        refused(&[], &[("LEVERET_LOG_LEVEL", "loud")]),
        "environment variable LEVERET_LOG_LEVEL: 'loud' is not one of error, warn, info, debug, \
         trace"
    );
    assert_eq!(
        refused(&[], &[("LEVERET_EPHEMERAL", "perhaps")]),
        "environment variable LEVERET_EPHEMERAL: 'perhaps' is neither true nor false"
    );
}

#[test]
fn bad_files_are_named_with_their_line() {
    let missing = refused(&["--config", "/nonexistent/leveret.toml"], &[]);
    assert!(
        missing.starts_with("cannot read the configuration file /nonexistent/leveret.toml: "),
        "{missing}"
    );
    let large = TestFile::new("large.toml", &"#".repeat((1 << 20) + 1));
    assert!(refused(&["--config", large.path()], &[]).contains("more than 1048576 bytes"));
    let cases = [
        (
            "unknown",
            "threads = 2\nheartbeats = 3",
            "line 2: there is no setting 'heartbeats'; did you mean 'heartbeat_s'?",
        ),
        ("syntax", "threads = ", "line 1: 'threads =' is not TOML ("),
        (
            "bare",
            "threads = 2\namqp = [127.0.0.1]",
            "line 2: 'amqp = [127.0.0.1]' is not TOML (invalid float, expected nothing): write \
             NAME = VALUE, a text as \"text\", a list as [\"one\", \"two\"]",
        ),
        (
            "type",
            "\n\nthreads = \"many\"",
            "line 3: threads: it is the text \"many\", and has to be a whole number",
        ),
        ("size", "frame_max = \"16XB\"", "line 1: frame_max: '16XB' is not a size"),
        ("negative", "frame_max = -1", "line 1: frame_max: a size is not negative"),
        ("address", "amqp = [\"here\"]", "line 1: amqp[0]: 'here' is not an address"),
        (
            "range",
            "channel_max = 70000",
            "line 1: channel_max: it is the number `70000`, and has to be a whole number up to",
        ),
        ("list", "amqp = \"5672\"", "line 1: amqp: it is the text \"5672\", and has to be a list"),
        ("flag", "repair = 1", "line 1: repair: it is the number `1`, and has to be true or false"),
        ("nested", "[management]\naddres = []", "line 2: there is no setting 'addres'; did you"),
    ];
    for (name, text, reason) in cases {
        let file = TestFile::new(name, text);
        let error = refused(&["--config", file.path()], &[]);
        assert!(error.starts_with(&format!("configuration file {}, ", file.path())), "{error}");
        assert!(error.contains(reason), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_of_rabbitmqs_is_called_one() {
    let file = TestFile::new("rabbitmq.conf", "listeners.tcp.default = 5672");
    let error = refused(&["--config", file.path()], &[]);
    let text = "there is no setting 'listeners'; a rabbitmq.conf is given with --rabbitmq-conf";
    assert!(error.ends_with(text), "{error}");
}

#[test]
fn numbers_outside_their_range_are_refused() {
    assert_eq!(
        refused(&["--frame-max", "4095"], &[]),
        "frame_max must be from 4096 to 16777216, not 4095"
    );
    for flags in [
        ["--threads", "0"],
        ["--channel-max", "0"],
        ["--max-connections", "0"],
        ["--max-message-size", "513MiB"],
        ["--max-message-size", "0"],
        ["--handshake-timeout-ms", "0"],
        ["--max-unfinished-handshakes", "0"],
        ["--queue-memory-bytes-max", "10"],
        ["--memory-high-watermark-bytes", "10"],
        ["--frame-max", "8GiB"],
    ] {
        assert!(refused(&flags, &[]).contains("must be from"), "{flags:?}");
    }
}

#[test]
fn a_data_directory_can_be_given_and_overruled() {
    let config = parsed(&["--data-dir", "/data", "--durability", "buffered"], &[]).unwrap();
    assert_eq!(config.data_dir, Some("/data".into()));
    assert_eq!(config.durability, Durability::Buffered);
    let env = [("LEVERET_DATA_DIR", "/data")];
    assert_eq!(parsed(&[], &env).unwrap().data_dir, Some("/data".into()));
    assert_eq!(parsed(&["--ephemeral"], &env).unwrap().data_dir, None);
    assert_eq!(parsed(&[], &[]).unwrap().data_dir, None);
    assert!(refused(&["--data-dir", ""], &[]).contains("data-dir"));
    assert!(refused(&["--durability", "none"], &[]).contains("write fsync or buffered"));
}

#[test]
fn empty_names_and_lists_are_refused() {
    assert!(refused(&["--default-user", ""], &[]).contains("must not be empty"));
    assert!(refused(&["--default-pass", ""], &[]).contains("must not be empty"));
    let file = TestFile::new("amqp.toml", "amqp = []");
    assert!(refused(&["--config", file.path()], &[]).contains("at least one address"));
}

#[test]
fn unknown_flags_and_commands_end_with_status_2() {
    for flags in [&["--shout"][..], &["dance"], &["--threads", "many"], &["serve", "--nope"]] {
        let ConfigError::Arguments(error) = parsed(flags, &[]).unwrap_err() else {
            panic!("{flags:?} must be refused by the command line");
        };
        assert_eq!(error.exit_code(), 2);
    }
    let ConfigError::Arguments(help) = parsed(&["--help"], &[]).unwrap_err() else {
        panic!("--help must be answered");
    };
    assert_eq!(help.exit_code(), 0);
    assert!(help.to_string().contains("--max-message-size <SIZE>"));
}

#[test]
fn the_data_command_takes_a_directory() {
    let parse = |arguments: &[&str]| {
        parse(["leveret", "data"].iter().chain(arguments).map(OsString::from), &|_| None)
    };
    let Ok(Invocation::Data(DataCommand::Inspect { directory, json })) =
        parse(&["inspect", "/data", "--json"])
    else {
        panic!("it is the data command")
    };
    assert_eq!((directory, json), ("/data".into(), true));
    assert!(parse(&["verify"]).is_err());
}

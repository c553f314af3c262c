//! The commands that the documentation gives, with the addresses of brokers of this process.

use std::path::Path;
use std::process::Command;

use leveret::definitions::Definitions;
use leveret::{Broker, Publish, QueueDeclare};

/// What the page gives to a shell about moving.
fn script() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/beyond-one-node.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| block.contains("leveret migrate")).collect()
}

#[test]
fn the_commands_that_the_documentation_gives_move_messages_there_and_back() {
    let (here, there) = (Broker::new(), Broker::new());
    let admin = r#"{"users": [{"name": "admin", "password": "secret", "tags": "administrator"}],
        "permissions": [{"user": "admin", "vhost": "/", "configure": ".*", "write": ".*",
            "read": ".*"}]}"#;
    there.import(&Definitions::from_json(admin.as_bytes()).unwrap()).unwrap();
    let channel = here.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("work").durable()).unwrap();
    channel.publish_all((0..50).map(|n| Publish::to_queue("work").body(n.to_string()))).unwrap();
    let nodes = [(); 2].map(|()| there.listen("127.0.0.1:0").unwrap().to_string());
    let http = |broker: &Broker| broker.serve_http("127.0.0.1:0").unwrap();
    let script = script()
        .replace("rabbit1:15672", &http(&there).to_string())
        .replace("@rabbit1", &format!("@{}", nodes[0]))
        .replace("@rabbit2", &format!("@{}", nodes[1]));
    assert!(script.contains("--dry-run") && script.contains("--from"), "{script}");
    let (forth, back) = script.split_at(script.find("leveret migrate --from").unwrap());
    let url = format!("http://{}", http(&here));
    run(forth, &url);
    assert_eq!((here.counts("work").unwrap().ready, there.counts("work").unwrap().ready), (0, 50));
    let home = Broker::new();
    run(back, &format!("http://{}", http(&home)));
    assert_eq!((home.counts("work").unwrap().ready, there.counts("work").unwrap().ready), (50, 0));
}

fn run(script: &str, url: &str) {
    let program = Path::new(env!("CARGO_BIN_EXE_leveret")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("set -eux\n{script}")]).env("LEVERET_CTL_URL", url);
    let said = command.env("PATH", format!("{}:{path}", program.display())).output().unwrap();
    assert!(said.status.success(), "{said:?}");
}

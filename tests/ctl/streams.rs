//! Streams over the command line, and what can be changed while the server runs.

use crate::Server;

#[test]
fn super_streams_are_made_and_deleted() {
    let server = Server::start();
    let made = ["add_super_stream", "orders", "--partitions", "2", "--max-age", "PT10M"];
    assert!(server.output(&made).contains("Super stream orders has been created"));
    let listed =
        || server.output(&["-q", "list_queues", "name", "arguments", "--formatter", "json"]);
    let queues = listed();
    assert!(queues.contains("orders-0") && queues.contains("orders-1"), "{queues}");
    assert!(!queues.contains("orders-2") && queues.contains("600s"), "{queues}");
    let keys = ["add_super_stream", "by-key", "--binding-keys", "eu,us"];
    server.output(&keys);
    assert!(listed().contains("by-key-eu") && listed().contains("by-key-us"));
    let (_, text) = server.failure(&["add_super_stream", "bad", "--max-age", "P"]);
    assert!(text.contains("is not an age"), "{text}");
    server.output(&["delete_super_stream", "orders"]);
    assert!(!listed().contains("orders-"));
}

#[test]
fn offsets_that_a_stream_keeps_are_set_listed_and_reset() {
    let server = Server::start();
    server.output(&["add_super_stream", "s", "--partitions", "1"]);
    let of = ["--stream", "s-0", "--reference", "audit"];
    server.output(&[&["set_offset", "41"], &of[..]].concat());
    let listed = || server.output(&["-q", "list_stream_tracking", "s-0", "--formatter", "json"]);
    assert!(listed().contains("audit") && listed().contains("41"), "{}", listed());
    server.output(&[&["reset_offset"], &of[..]].concat());
    assert!(!listed().contains("audit"));
    let (status, text) = server.failure(&[&["reset_offset"], &of[..]].concat());
    assert!(status == 65 && text.contains("keeps no offset for audit"), "{text}");
    for list in ["list_stream_consumers", "list_stream_publishers", "list_stream_connections"] {
        server.output(&[list]);
    }
}

#[test]
fn watermarks_are_changed_while_the_server_runs() {
    let server = Server::start();
    let marks = || server.output(&["-q", "status"]);
    server.output(&["set_vm_memory_high_watermark", "absolute", "4GB"]);
    assert!(marks().contains("Memory high watermark: 4.0000 gb"), "{}", marks());
    server.output(&["set_vm_memory_high_watermark", "0.5"]);
    assert!(!marks().contains("Memory high watermark: 4.0000 gb"));
    server.output(&["set_disk_free_limit", "2GB"]);
    server.output(&["set_disk_free_limit", "mem_relative", "1.5"]);
    for bad in [&["set_disk_free_limit", "much"][..], &["set_vm_memory_high_watermark", "much"]] {
        assert_eq!(server.failure(bad).0, 64, "{bad:?}");
    }
    let (_, text) = server.failure(&["set_log_level", "debug"]);
    assert!(text.contains("part of a program"), "{text}");
}

//! What this machine is called.

use std::sync::OnceLock;

/// The name of this machine without its domain; `localhost` where the system does not tell.
pub(crate) fn host_name() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let told = told.or_else(|| std::env::var("HOSTNAME").ok());
        let told = told.or_else(|| std::env::var("COMPUTERNAME").ok()).unwrap_or_default();
        match told.trim().split('.').next() {
            None | Some("") => "localhost".to_owned(),
            Some(name) => name.to_owned(),
        }
    })
    .clone()
}

//! What systemd is told: that the server is ready, alive, and stopping. Without systemd nobody is.

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells that clients can connect.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// Tells that the server stops.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells as often as systemd asks for it that the server is alive, for ever.
pub(super) async fn keep_alive() -> std::convert::Infallible {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let pause = (patience / 3).max(Duration::from_millis(100));
    loop {
        tell(NotifyState::Watchdog);
        tokio::time::sleep(pause).await;
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!("systemd cannot be told: {error}");
    }
}

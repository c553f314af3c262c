//! What systemd is told: that the server is ready, alive, and stopping. Without systemd nobody is.

use std::time::Duration;

/// What there is to tell.
#[derive(Clone, Copy)]
enum State {
    Ready,
    Alive,
    Stopping,
}

/// Tells that clients can connect.
pub(super) fn ready() {
    tell(State::Ready);
}

/// Tells that the server stops.
pub(super) fn stopping() {
    tell(State::Stopping);
}

/// Tells as often as systemd asks for it that the server is alive, for ever.
pub(super) async fn keep_alive() -> std::convert::Infallible {
    let Some(patience) = watchdog() else { return std::future::pending().await };
    let pause = (patience / 3).max(Duration::from_millis(100));
    loop {
        tell(State::Alive);
        tokio::time::sleep(pause).await;
    }
}

/// After how long a silence systemd ends the server, if it does.
#[cfg(target_os = "linux")]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(not(target_os = "linux"))]
fn watchdog() -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
fn tell(state: State) {
    use sd_notify::NotifyState;
    let state = match state {
        State::Ready => NotifyState::Ready,
        State::Alive => NotifyState::Watchdog,
        State::Stopping => NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!("systemd cannot be told: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(_state: State) {}

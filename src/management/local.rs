//! The API on a socket of this machine, for whoever may open its file: who runs the server, and the
//! superuser. Requests need no login.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use tokio::net::UnixListener;

use crate::management::manager::Manager;
use crate::management::port::Port;
use crate::management::server::{PAUSE, serve_connection};

/// Its owner may read and write it.
const MODE: u32 = 0o600;

/// Makes the socket. One that a server has left behind is replaced.
///
/// # Errors
/// If there is something else, or a server that listens; or the socket cannot be made.
pub(super) fn bind(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    if let Ok(known) = fs::symlink_metadata(path) {
        if !known.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not a socket"));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there"));
        }
        fs::remove_file(path)?;
    }
    // Made under another name, which nobody looks for: it is never there with other rights.
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    let hidden = Path::new(&hidden);
    let _ = fs::remove_file(hidden);
    let listener = std::os::unix::net::UnixListener::bind(hidden)?;
    let made = fs::set_permissions(hidden, fs::Permissions::from_mode(MODE))
        .and_then(|()| fs::rename(hidden, path))
        .and_then(|()| listener.set_nonblocking(true));
    if let Err(error) = made {
        let _ = fs::remove_file(hidden);
        return Err(error);
    }
    Ok(listener)
}

/// Accepts connections for as long as the runtime lives.
pub(super) async fn serve(listener: UnixListener, port: Arc<Port>, manager: Arc<Manager>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let (manager, port) = (Arc::clone(&manager), Arc::clone(&port));
                let place = manager.places.take().await;
                tokio::spawn(async move {
                    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
                    tokio::select! {
                        () = serve_connection(socket, here, &place.guest, port, manager) => {}
                        () = place.guest.has_to_go() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!("a connection on the local socket was not accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

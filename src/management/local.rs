//! The API on a socket of this machine, for whoever may open its file: who runs the server, and the
//! superuser. Requests need no login.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;

use crate::management::manager::Manager;
use crate::management::port::Port;
use crate::management::server::{PAUSE, serve_connection};

/// Its owner may read and write it.
const MODE: u32 = 0o600;

/// The file of a socket, which goes with it: a data directory that is not in use can be copied by
/// whatever copies files.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have put its own there.
        let is_own = |file: &fs::Metadata| file.ino() == self.inode;
        if fs::symlink_metadata(&self.path).is_ok_and(|file| is_own(&file)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the socket. One that a server has left behind is replaced.
///
/// # Errors
/// If there is something else, or a server that listens; or the socket cannot be made.
pub(super) fn bind(path: &Path) -> io::Result<(std::os::unix::net::UnixListener, SocketFile)> {
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
        .and_then(|()| listener.set_nonblocking(true))
        .and_then(|()| Ok(fs::symlink_metadata(hidden)?.ino()))
        .and_then(|inode| fs::rename(hidden, path).map(|()| inode));
    match made {
        Ok(inode) => Ok((listener, SocketFile { path: path.to_owned(), inode })),
        Err(error) => {
            let _ = fs::remove_file(hidden);
            Err(error)
        }
    }
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

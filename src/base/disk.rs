//! Room on disks, as the operating system tells it.

use std::path::Path;

/// Octets that this process may still write to the disk that has a file or directory; `None` where
/// that cannot be told.
#[cfg(all(target_os = "linux", feature = "gateway"))]
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Nothing is known.
#[cfg(not(all(target_os = "linux", feature = "gateway")))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux", feature = "gateway"))]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_there_has_room_or_not() {
        assert!(free_bytes(Path::new("/")).is_some());
        assert_eq!(free_bytes(Path::new("/no/such/directory")), None);
    }
}

//! What the operating system says of this process and of the disk. Where it says nothing, as on
//! other systems than Linux, the figures are 0.

use std::path::Path;

/// This process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Process {
    /// Octets of its memory that are in RAM.
    pub resident_bytes: u64,
    /// Octets of memory that it may address.
    pub virtual_bytes: u64,
    /// Open file descriptors, sockets among them.
    pub open_files: u64,
    /// How many it may open.
    pub open_files_max: u64,
    /// Threads.
    pub threads: u64,
    /// Seconds of CPU time that it has used, on all cores together.
    pub cpu_s: f64,
}

/// Octets on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Those that this process may still write.
    pub free_bytes: u64,
}

impl Process {
    /// Asks for all of it.
    #[cfg(target_os = "linux")]
    pub(crate) fn now() -> Self {
        use procfs::process::{LimitValue, Process as Known};
        let Ok(known) = Known::myself() else { return Self::default() };
        let limit = known.limits().ok().map(|limits| limits.max_open_files.soft_limit);
        let mut process = Self {
            open_files: known.fd_count().unwrap_or_default() as u64,
            open_files_max: match limit {
                Some(LimitValue::Value(limit)) => limit,
                _ => 0,
            },
            ..Self::default()
        };
        if let Ok(stat) = known.stat() {
            process.resident_bytes = stat.rss * procfs::page_size();
            process.virtual_bytes = stat.vsize;
            process.threads = u64::try_from(stat.num_threads).unwrap_or_default();
            process.cpu_s = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        }
        process
    }

    /// Nothing is known.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Self {
        Self::default()
    }
}

impl Disk {
    /// The disk that has this file or directory.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(path: &Path) -> Self {
        let free =
            rustix::fs::statvfs(path).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        Self { free_bytes: free.unwrap_or_default() }
    }

    /// Nothing is known.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_: &Path) -> Self {
        Self::default()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_runs_this_takes_memory_and_has_files_open() {
        let process = Process::now();
        assert!(process.resident_bytes > 100_000 && process.virtual_bytes > process.resident_bytes);
        assert!(process.open_files >= 3 && process.open_files_max >= process.open_files);
        assert!(process.threads >= 1);
        assert!(Disk::of(Path::new("/")).free_bytes > 0);
        assert_eq!(Disk::of(Path::new("/no/such/directory")), Disk::default());
    }
}

//! What the operating system says of this process and of the machine. Where it says nothing, as on
//! other systems than Linux, the figures are 0.

use std::fs;

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
    /// Times that its threads gave way to others, or were made to; those that have ended too.
    pub context_switches: u64,
    /// Seconds of CPU time that it has used, on all cores together.
    pub cpu_s: f64,
}

impl Process {
    /// Asks for all of it.
    #[cfg(target_os = "linux")]
    pub(crate) fn now() -> Self {
        use nix::sys::resource::{UsageWho, getrusage};
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
        }
        // The files in /proc tell switches only of the threads that run now: their sum can fall.
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let of_own_will = usage.voluntary_context_switches();
            let switches = [of_own_will, usage.involuntary_context_switches()];
            let counts = switches.map(|count| u64::try_from(count).unwrap_or_default());
            process.context_switches = counts.iter().sum();
            process.cpu_s = [usage.user_time(), usage.system_time()].map(seconds).iter().sum();
        }
        process
    }

    /// Nothing is known.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Self {
        Self::default()
    }
}

#[cfg(target_os = "linux")]
fn seconds(time: nix::sys::time::TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// Octets of memory that the process may use: that of its control group, where one is limited, else
/// that of the machine. `None` where neither can be told.
pub fn total_memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    smaller(machine.as_deref(), group.as_deref())
}

fn smaller(meminfo: Option<&str>, memory_max: Option<&str>) -> Option<u64> {
    let machine = meminfo.and_then(total_bytes);
    // An unlimited group says "max".
    let group = memory_max.and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
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
    }

    #[test]
    fn switches_and_time_of_threads_that_have_ended_are_kept() {
        let before = Process::now();
        let of_its_thread = std::thread::spawn(|| {
            // Each waits for the other end once at least.
            let (ours, theirs) = std::sync::mpsc::sync_channel(0);
            let other = std::thread::spawn(move || theirs.iter().sum::<u64>());
            (0..100).for_each(|number| ours.send(number).unwrap());
            drop(ours);
            other.join().unwrap()
        });
        of_its_thread.join().unwrap();
        let after = Process::now();
        assert!(after.context_switches > before.context_switches);
        assert!(after.cpu_s >= before.cpu_s);
    }

    const MEMINFO: &str = "MemTotal:        1000000 kB\nMemFree:          500000 kB\n";

    #[test]
    fn the_smaller_of_machine_and_group_counts() {
        let of_machine = Some(1_024_000_000);
        assert_eq!(smaller(Some(MEMINFO), None), of_machine);
        assert_eq!(smaller(Some(MEMINFO), Some("max\n")), of_machine);
        assert_eq!(smaller(Some(MEMINFO), Some("500000\n")), Some(500_000));
        assert_eq!(smaller(Some(MEMINFO), Some("99999999999999")), of_machine);
        assert_eq!(smaller(None, None), None);
        assert_eq!(smaller(Some("MemTotal: lots"), Some("?")), None);
    }
}

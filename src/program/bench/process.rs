//! CPU time and memory of processes, from `/proc/PID/stat` and `status`. \[proc(5)\]

use std::fs;

use super::error::LoadError;

/// Clock ticks per second in `/proc`: fixed to 100 in Linux' interface, whatever the kernel's HZ.
const TICKS_PER_SECOND: u64 = 100;

/// User plus system time, in microseconds, that a process has used so far; `None` is this process.
pub(super) fn cpu_time_us(pid: Option<u32>) -> Result<u64, LoadError> {
    let pid = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    read(&pid, "stat", parse_stat)
}

/// Resident memory of a process, in bytes.
pub(super) fn resident_bytes(pid: u32) -> Result<u64, LoadError> {
    read(&pid.to_string(), "status", parse_status)
}

fn read(pid: &str, file: &str, parse: fn(&str) -> Option<u64>) -> Result<u64, LoadError> {
    let failed = |reason| LoadError::Process { pid: pid.to_owned(), reason };
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"));
    let text = text.map_err(|error| failed(error.to_string()))?;
    parse(&text).ok_or_else(|| failed(format!("its {file} file has an unknown form")))
}

/// The line `VmRSS`, which counts kibibytes.
fn parse_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Fields 14 and 15, counted behind the command name, which may itself hold spaces and brackets.
fn parse_stat(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    user.checked_add(system)?.checked_mul(1_000_000 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 1 0 100 0 0";
        assert_eq!(parse_stat(stat), Some(3_000_000));
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t   900 kB\nVmRSS:\t   512 kB\nThreads:\t1\n";
        assert_eq!(parse_status(status), Some(512 * 1024));
        assert_eq!(parse_status("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn an_incomplete_file_is_no_time() {
        assert_eq!(parse_stat("42 (cat) S 1 2 3"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_is_gone_is_an_error() {
        cpu_time_us(None).unwrap();
        assert!(resident_bytes(std::process::id()).unwrap() > 0);
        assert!(cpu_time_us(Some(u32::MAX)).is_err());
    }
}

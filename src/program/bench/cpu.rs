//! CPU time of processes, from `/proc/PID/stat`. \[proc(5)\]

use std::fs;

use super::error::LoadError;

/// Clock ticks per second in `/proc`: fixed to 100 in Linux' interface, whatever the kernel's HZ.
const TICKS_PER_SECOND: u64 = 100;

/// User plus system time, in microseconds, that a process has used so far; `None` is this process.
pub(super) fn cpu_time_us(pid: Option<u32>) -> Result<u64, LoadError> {
    let pid = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let failed = |reason: String| LoadError::CpuTime { pid: pid.clone(), reason };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| failed(error.to_string()))?;
    parse_stat(&stat).ok_or_else(|| failed("its stat file has an unknown form".to_owned()))
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
    fn an_incomplete_file_is_no_time() {
        assert_eq!(parse_stat("42 (cat) S 1 2 3"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_is_gone_is_an_error() {
        cpu_time_us(None).unwrap();
        assert!(cpu_time_us(Some(u32::MAX)).is_err());
    }
}

use toolhost_policy::Limits;

use super::report::{CheckStatus, DoctorReport};
use crate::open_files;
use crate::output::bytes;

/// Every connection in and out takes one, and a busy host has some thousands of both.
const ENOUGH_FILES: u64 = 4_096;

/// What the machine gives: open files and memory.
pub(super) fn machine(slots: u32, limits: &Limits, report: &mut DoctorReport) {
    let files = open_files::open_file_limit();
    if files < ENOUGH_FILES {
        let detail =
            format!("{files}, fewer than {ENOUGH_FILES}: raise it with ulimit -n or LimitNOFILE=");
        report.add("open files", CheckStatus::Warning, detail);
    } else {
        report.add("open files", CheckStatus::Ok, files.to_string());
    }
    let most = u64::from(slots).saturating_mul(limits.memory_bytes);
    match available_memory() {
        None => report.add(
            "memory",
            CheckStatus::Warning,
            "how much is available cannot be read",
        ),
        Some(available) if available < most => {
            let detail = format!(
                "{} available, and {slots} slots of {} may take {}: lower [server] slots or [limits] memory_bytes",
                bytes(available),
                bytes(limits.memory_bytes),
                bytes(most)
            );
            report.add("memory", CheckStatus::Warning, detail);
        }
        Some(available) => {
            report.add(
                "memory",
                CheckStatus::Ok,
                format!(
                    "{} available, at most {} for guests",
                    bytes(available),
                    bytes(most)
                ),
            );
        }
    }
}

/// The smaller of what the machine has and what the control group allows.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = line
        .trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()?
        .saturating_mul(1_024);
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    Some(group.map_or(machine, |group| group.min(machine)))
}

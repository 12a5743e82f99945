use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toolhost_admin::{CheckStore, VerifyChains};
use toolhost_audit::{Chain, Tail};
use toolhost_policy::UnixTime;
use toolhost_store::EmbeddedSettings;

use super::report::{CheckStatus, DoctorReport};
use crate::admin_access::AdminAccess;
use crate::open_files;
use crate::output::bytes;
use crate::wiring;

/// Less is filled by audit records and databases within days.
const ENOUGH_DISK: u64 = 1 << 30;

/// Files that an open database takes.
const FILES_A_DATABASE: u64 = 4;

/// Connections and everything else beside the databases.
const OTHER_FILES: u64 = 1_024;

/// Clocks of one machine and what it wrote differ by no more.
const CLOCK_LEEWAY: Duration = Duration::from_secs(60);

/// Checks the data directory: its rights, its disk, the clock, its keys, every space and every
/// chain.
pub(super) async fn data(reach: &AdminAccess, report: &mut DoctorReport) {
    let dir = &reach.data.dir;
    let Ok(metadata) = std::fs::metadata(dir) else {
        let detail = format!("{}: nothing was kept there yet", dir.display());
        report.add("data directory", CheckStatus::Warning, detail);
        return server(reach, report).await;
    };
    rights(dir, &metadata, report);
    files(report);
    disk(dir, report);
    clock(&reach.audit_root(), report);
    match reach.ask(CheckStore { tenant: None }, None).await {
        Err(error) => report.add("store", CheckStatus::Failed, format!("{error:#}")),
        Ok(rows) => {
            let records: u64 = rows.iter().map(|row| row.records).sum();
            let damaged: Vec<_> = rows.iter().filter_map(|row| row.problem.as_ref()).collect();
            if damaged.is_empty() {
                let detail = format!(
                    "{} spaces with {records} records, all sound; their keys open",
                    rows.len()
                );
                report.add("store", CheckStatus::Ok, detail);
            }
            for problem in damaged {
                report.add("store", CheckStatus::Failed, problem.clone());
            }
        }
    }
    let verify = VerifyChains {
        chain: None,
        head: None,
    };
    match reach.ask(verify, None).await {
        Err(error) => report.add("audit", CheckStatus::Failed, format!("{error:#}")),
        Ok(chains) => {
            let records: u64 = chains.iter().map(|chain| chain.records).sum();
            let damaged: Vec<_> = chains
                .iter()
                .filter(|chain| !chain.problems.is_empty())
                .collect();
            if damaged.is_empty() {
                let detail = format!("{} chains with {records} records, all whole", chains.len());
                report.add("audit", CheckStatus::Ok, detail);
            }
            for chain in damaged {
                let first = chain.problems.first().map_or("", String::as_str);
                let detail = format!(
                    "the chain of {} is not whole: {first}; host audit verify says more",
                    chain.chain
                );
                report.add("audit", CheckStatus::Failed, detail);
            }
        }
    }
}

/// Of a host that has not run yet: whether its server can be used.
async fn server(reach: &AdminAccess, report: &mut DoctorReport) {
    let Some(said) = &reach.data.postgres else {
        return;
    };
    match wiring::has_server(said).await {
        Ok(true) => report.add("store", CheckStatus::Ok, "the server of [store] has one"),
        Ok(false) => report.add(
            "store",
            CheckStatus::Warning,
            "the server of [store] has none yet",
        ),
        Err(error) => report.add("store", CheckStatus::Failed, format!("{error:#}")),
    }
}

fn rights(dir: &Path, metadata: &std::fs::Metadata, report: &mut DoctorReport) {
    let others = metadata.mode() & 0o077 != 0;
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    match (others, own) {
        (true, _) => {
            let detail = format!("{}: others can reach it; chmod 700 it", dir.display());
            report.add("data directory", CheckStatus::Failed, detail);
        }
        (_, false) => {
            let detail = format!("{}: it belongs to another user; chown it", dir.display());
            report.add("data directory", CheckStatus::Failed, detail);
        }
        _ => report.add("data directory", CheckStatus::Ok, dir.display().to_string()),
    }
}

fn files(report: &mut DoctorReport) {
    let handles = EmbeddedSettings::default().handles as u64;
    let needed = handles * FILES_A_DATABASE + OTHER_FILES;
    let limit = open_files::open_file_limit();
    if limit < needed {
        let detail = format!(
            "{limit}, fewer than {needed} that {handles} open databases need: raise it with ulimit -n or LimitNOFILE="
        );
        report.add("open files for databases", CheckStatus::Warning, detail);
    }
}

fn disk(dir: &Path, report: &mut DoctorReport) {
    match rustix::fs::statvfs(dir) {
        Err(error) => report.add(
            "disk",
            CheckStatus::Warning,
            format!("how much is free cannot be read: {error}"),
        ),
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            if free < ENOUGH_DISK {
                let detail = format!(
                    "{} free; a full disk refuses calls with effects",
                    bytes(free)
                );
                report.add("disk", CheckStatus::Warning, detail);
            } else {
                report.add("disk", CheckStatus::Ok, format!("{} free", bytes(free)));
            }
        }
    }
}

/// A clock that was set back makes expired credentials and tokens valid again.
fn clock(audit: &Path, report: &mut DoctorReport) {
    let last = Tail::open(audit, &Chain::Host, 1).and_then(|mut tail| tail.next_lines());
    let last = last.ok().and_then(|lines| {
        let line: serde_json::Value = serde_json::from_str(lines.last()?).ok()?;
        OffsetDateTime::parse(line.get("time")?.as_str()?, &Rfc3339).ok()
    });
    let now = UnixTime::now();
    if now.is_broken() {
        let detail =
            "it is before 2026: every token and credential that expires is refused; set it";
        report.add("clock", CheckStatus::Failed, detail);
        return;
    }
    match last.map(|last| UnixTime::from_system_time(last.into())) {
        Some(last) if last > now.after(CLOCK_LEEWAY) => {
            let detail = "it is behind the last audit record: it was set back, or was ahead before; expiry cannot be judged";
            report.add("clock", CheckStatus::Failed, detail);
        }
        _ => report.add("clock", CheckStatus::Ok, "not behind the last audit record"),
    }
}

use std::path::{Path, PathBuf};

use super::report::{Report, Verdict};
use crate::config::Config;
use crate::grants::Lock;
use crate::setup::Setup;
use crate::wiring;

/// The adapters of connections: whether each is there, and whether what it found was approved. Nothing is fetched and
/// nothing runs.
pub(super) fn adapters(config: &Config, lock: &Path, report: &mut Report) {
    if config.adapters.is_empty() {
        return;
    }
    let setup = Setup {
        config: Config {
            adapter_files: config.adapter_files.clone(),
            limits: config.limits.clone(),
            ..Config::default()
        },
        dev_tenant: None,
        plugins: Vec::new(),
        yes: false,
        lock: lock.to_owned(),
        cache_dir: PathBuf::new(),
    };
    let granted = Lock::read(lock);
    for (name, settings) in &config.adapters {
        let (verdict, detail) = match (wiring::adapters::read(&setup, &settings.adapter), &granted) {
            (Err(error), _) => (Verdict::Failed, format!("{name}: {error}")),
            (_, Err(error)) => (Verdict::Failed, format!("{name}: {error:#}")),
            (Ok(file), Ok(lock)) => match lock.described(name.as_str()) {
                Some(known) if known.digest == file.digest => {
                    let at = lock.path().display();
                    (
                        Verdict::Ok,
                        format!("{name}: tools granted in {at}: {}", known.tools.len()),
                    )
                }
                _ => {
                    let why =
                        "nothing that its system offers is granted with this adapter; host run will ask";
                    (Verdict::Warning, format!("{name}: {why}"))
                }
            },
        };
        report.add("adapter", verdict, detail);
    }
}

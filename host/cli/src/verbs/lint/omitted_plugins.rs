//! Plugins that a start of the host would leave out.

use std::sync::Arc;

use super::LintFinding;
use crate::args::LintArgs;
use crate::config::Config;
use crate::plugins::Verdicts;
use crate::setup::{self, Setup};
use crate::wiring;

/// One finding for each, and one where the host would not start. What nobody has granted yet is
/// none: a start asks.
///
/// # Errors
/// A flag or the lock is wrong.
pub(super) async fn findings(args: &LintArgs, config: &Config) -> anyhow::Result<Vec<LintFinding>> {
    let mut config = config.clone();
    for text in &args.adapters {
        setup::adapter(text, &mut config)?;
    }
    let (lock, cache) = (args.lock.as_deref(), args.cache_dir.as_deref());
    let setup = Setup::of_config(config, &args.kept.data, lock, cache)?;
    if let Err(why) = wiring::check_start(&setup) {
        return Ok(vec![not_served("host", &format!("{why:#}"))]);
    }
    if setup.config.plugins.is_empty() && setup.config.adapters.is_empty() {
        return Ok(Vec::new());
    }
    let verdicts = Verdicts::evaluate(Arc::new(setup), None).await?;
    let left_out = verdicts.all.iter().filter_map(|verdict| {
        let table = if verdict.path.is_some() {
            "plugins"
        } else {
            "connections"
        };
        Some(LintFinding {
            code: "left-out",
            key: format!("{table}.{}", verdict.name),
            message: format!("it would not be served: {}", verdict.fault()?),
        })
    });
    let refused = verdicts.refused.as_ref();
    let refused = refused.map(|failure| not_served("tenants", &failure.message));
    Ok(left_out.chain(refused).collect())
}

fn not_served(key: &str, why: &str) -> LintFinding {
    LintFinding {
        code: "not-served",
        key: key.to_owned(),
        message: format!("the host would not start: {why}"),
    }
}

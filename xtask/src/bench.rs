//! `cargo xtask bench`: what the host costs, as ratios to what it cannot do without, and the gate
//! of CI.
//!
//! Wall time on a shared machine differs by a third from run to run, so it is shown and not judged;
//! counts of instructions differ by less than a percent, and [`gate()`] judges those.

mod gate;

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

pub(crate) use gate::{GateMode, gate, gate_step};

use crate::workspace::{run_cargo, target};

/// Benches of single rooms, by the word that selects each.
const ROOMS: [(&str, &str); 9] = [
    ("egress", "steps"),
    ("token", "verify"),
    ("store", "store"),
    ("vault", "read"),
    ("audit", "record"),
    (TENANTS, "binding"),
    (TENANTS, "unknown"),
    (TENANTS, "sessions"),
    (TENANTS, "switch"),
];

/// Many tenants are measured in their room, and in the whole host as one of its sections.
const TENANTS: &str = "tenants";

/// What a brokered GET may add to a plain one, in microseconds (median).
const BROKERED_MICROS: f64 = 150.0;

/// Builds what is measured, and measures: everything, or the named sections (`calls`, `mcp`,
/// `list`, `adapters`, `start`, `stdio`, `flood`, `tenants`, `egress`, `token`, `store`, `vault`,
/// `audit`).
///
/// # Errors
/// Something does not build, or a bench does not run.
pub(crate) fn run(root: &Path, sections: &[String]) -> anyhow::Result<()> {
    crate::guests::build(root)?;
    let whole: Vec<&str> = sections
        .iter()
        .map(String::as_str)
        .filter(|section| *section == TENANTS || !ROOMS.iter().any(|(word, _)| word == section))
        .collect();
    if sections.is_empty() || whole.contains(&"adapters") {
        crate::documents::install(root)?;
    }
    if sections.is_empty() || !whole.is_empty() {
        run_cargo(
            root,
            &[
                "build",
                "--release",
                "--workspace",
                "--locked",
                "--bin",
                "host",
            ],
        )?;
        let mut arguments = vec!["bench", "--workspace", "--locked", "--bench", "host", "--"];
        arguments.extend(whole);
        run_cargo(root, &arguments)?;
    }
    for (word, bench) in ROOMS {
        if sections.is_empty() || sections.iter().any(|section| section == word) {
            run_cargo(
                root,
                &["bench", "--workspace", "--locked", "--bench", bench],
            )?;
        }
    }
    if sections.is_empty() || sections.iter().any(|section| section == "egress") {
        brokered(root)?;
    }
    Ok(())
}

/// What criterion found of the two GETs.
fn brokered(root: &Path) -> anyhow::Result<()> {
    let median = |name: &str| -> anyhow::Result<f64> {
        let path = target(root)
            .join("criterion/get")
            .join(name)
            .join("new/estimates.json");
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let estimates: Value = serde_json::from_slice(&text)?;
        let nanos = estimates
            .pointer("/median/point_estimate")
            .and_then(Value::as_f64);
        Ok(nanos.context("criterion gave no median")? / 1e3)
    };
    let (plain, brokered) = (median("plain reqwest")?, median("brokered")?);
    let added = brokered - plain;
    let verdict = if added <= BROKERED_MICROS {
        "met"
    } else {
        "MISSED"
    };
    println!("\n## a GET on a kept loopback connection, p50 us\n");
    println!(
        "plain reqwest {plain:.1}, brokered {brokered:.1}, added {added:.1} <= {BROKERED_MICROS} {verdict}"
    );
    Ok(())
}

//! What the host costs, against what it cannot do without, measured in the same run.
//! `cargo xtask bench` starts it.
//!
//! Each section prints a table; a ratio is of medians, and what is compared is measured in turns,
//! because the speed of a shared machine changes from minute to minute.
//!
//! - `calls`: a sandboxed call and a whole `Tools::call`, against bare wasmtime with the same
//!   safety settings.
//! - `mcp`: `tools/call` over HTTP, against a native server of the same SDK behind the same token
//!   check.
//! - `list`: a page of `tools/list`, against its own serialisation.
//! - `adapters`: GitHub's document, cold and warm, and a call of an adapter's tool against a
//!   plugin's.
//! - `start`: from start to ready, and resident memory, of the built program.
//! - `stdio`: a large argument and answer through the built program.
//! - `flood`: more calls than slots, and guests that never stop.
//! - `tenants`: calls to many tenants against calls to one; unknown tenants against forbidden ones,
//!   over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a bench fails loudly, and its output is the result"
)]

mod adapters;
mod bare;
mod calls;
mod flood;
mod list;
mod load;
mod mcp;
mod native;
mod process;
mod start;
mod stdio;
mod table;
mod tenants;
#[allow(dead_code, reason = "the bench of the room shows more of it")]
#[path = "../../../host/tenancy/benches/support/told_apart.rs"]
mod told_apart;
mod wiring;

use table::Table;

/// A section: its name, and what measures it.
type Section = (&'static str, fn() -> Vec<Table>);

const SECTIONS: [Section; 8] = [
    ("calls", calls::measure),
    ("mcp", mcp::measure),
    ("list", list::measure),
    ("adapters", adapters::measure),
    ("start", start::measure),
    ("stdio", stdio::measure),
    ("flood", flood::measure),
    ("tenants", tenants::measure),
];

fn main() {
    // An error of wasmtime that carries a backtrace costs more than the call it belongs to.
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        eprintln!("RUST_BACKTRACE is set: calls are slower than they are in service");
    }
    // cargo itself adds `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let tables: Vec<Table> = SECTIONS
        .iter()
        .filter(|(name, _)| is_wanted(name))
        .flat_map(|(_, measure)| {
            let tables = measure();
            tables.iter().for_each(|table| println!("{table}"));
            tables
        })
        .collect();
    let missed: Vec<String> = tables.iter().flat_map(Table::missed).collect();
    if missed.is_empty() {
        println!("every target of these sections is met");
    } else {
        println!("missed: {}", missed.join("; "));
    }
}

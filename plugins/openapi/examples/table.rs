//! Prints what becomes of documents: `cargo run --release --example table -- DIRECTORY_OR_FILE…`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "its output is what it is for"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;

use support::row::Row;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let fast = arguments.iter().any(|a| a == "--fast");
    let messages = arguments.iter().any(|a| a == "--why");
    arguments.retain(|a| !a.starts_with("--"));
    println!(
        "{:<44} {:>6} {:>8} {:>6} {:>7} {:>9} {:>8} {:>8}  skipped",
        "document", "tools", "skipped", "notes", "ms", "schemas", "largest", "descr."
    );
    let (mut tools, mut skipped, mut wrong, mut unfit) = (0, 0, 0, 0);
    for path in arguments.iter().map(PathBuf::from) {
        let files = if path.is_dir() {
            support::documents(&path)
        } else {
            vec![path.clone()]
        };
        for file in files {
            let name = file
                .strip_prefix(&path)
                .unwrap_or(&file)
                .display()
                .to_string();
            let name = if name.is_empty() {
                file.file_name().unwrap().to_string_lossy().into_owned()
            } else {
                name
            };
            match Row::from_document(&name, &std::fs::read(&file).unwrap(), !fast) {
                Ok(row) => {
                    let count: usize = row.skipped.values().sum();
                    println!(
                        "{:<44} {:>6} {:>8} {:>6} {:>7} {:>9} {:>8} {:>8}  {:?}",
                        row.name,
                        row.tools,
                        count,
                        row.notes,
                        row.took.as_millis(),
                        row.schema_bytes,
                        row.largest,
                        row.descriptor_bytes / row.tools.max(1),
                        row.skipped
                    );
                    for line in &row.wrong {
                        println!("  WRONG {}", line.chars().take(600).collect::<String>());
                    }
                    if messages {
                        for line in &row.messages {
                            println!("  {line}");
                        }
                    }
                    tools += row.tools;
                    skipped += count;
                    wrong += row.wrong.len();
                    unfit += row.unfit;
                }
                Err(error) => println!("{name:<44} REFUSED {error}"),
            }
        }
    }
    println!("{tools} tools, {skipped} skipped, {wrong} wrong, {unfit} without an example");
}

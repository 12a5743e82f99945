//! The documents say what is: their commands run and answer as shown, their tables are those of the
//! code, and what they name exists.

mod examples;
mod judge;
mod names;
mod shell;
mod tables;
mod text;

use std::collections::BTreeSet;
use std::sync::Mutex;

use text::documents;

/// Each document that shows commands, and none that lost them.
const WITH_COMMANDS: &[&str] = &[
    "README.md",
    "docs/src/assignments.md",
    "docs/src/callers.md",
    "docs/src/commands.md",
    "docs/src/adapters.md",
    "docs/src/getting-started.md",
    "docs/src/http-api.md",
    "docs/src/mcp-clients.md",
    "docs/src/operations.md",
    "docs/src/run-a-plugin.md",
    "docs/src/tenants.md",
    "docs/src/storage.md",
    "docs/src/write-a-plugin.md",
    "examples/billing/README.md",
    "examples/nevent/README.md",
];

#[test]
fn every_command_does_what_its_document_says() {
    let todo = Mutex::new(documents().into_iter());
    let results = Mutex::new((BTreeSet::new(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(document) = todo.lock().unwrap().next() else {
                        return;
                    };
                    let ran = shell::run(&document);
                    let mut results = results.lock().unwrap();
                    match ran {
                        Ok(0) => {}
                        Ok(_) => drop(results.0.insert(document.name)),
                        Err(why) => results.1.push(why),
                    }
                }
            });
        }
    });
    let (ran, failures) = results.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert_eq!(
        ran,
        WITH_COMMANDS.iter().map(|&name| name.to_owned()).collect()
    );
}

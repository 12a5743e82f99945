//! A schema and a value of whatever bytes: the check ends within its budget, and what it says is
//! short.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use toolhost_policy::WorkBudget;
use toolhost_schema::{CompiledSchema, Patterns};

fuzz_target!(|texts: (&str, &str)| {
    let (Ok(schema), Ok(value)) = (
        serde_json::from_str::<Value>(texts.0),
        serde_json::from_str::<Value>(texts.1),
    ) else {
        return;
    };
    for patterns in [Patterns::Demanded, Patterns::Lenient] {
        let Ok(schema) = CompiledSchema::new(&schema, patterns) else {
            continue;
        };
        if let Ok(Err(misfit)) = schema.check(&value, &mut WorkBudget::new(1_000_000, 160)) {
            assert!(misfit.message.len() < 1_000 && misfit.place.len() < 1_000);
        }
    }
});

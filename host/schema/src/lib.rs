//! Whether a JSON value fits a JSON Schema.
//!
//! This crate decides whether arguments and results fit the schemas that plugins, documents and
//! outside systems wrote (JSON Schema 2020-12, the vocabularies of core, applicators, unevaluated
//! and validation; `format` is an annotation). What must never happen here: a check whose time,
//! memory or stack its schema or its value chooses; a value that passes because a bound was
//! reached; a message that repeats a value or grows with it; I/O of any kind.
//!
//! Both sides of a check are hostile. Validators that are made for convenience take exponential
//! time: they evaluate a recursive schema's alternatives anew on each way to them, and collect
//! errors within errors. This one remembers, and counts: see `evaluate` for the bound, and
//! `pattern` for what a regular expression may cost.
//!
//! # Tour
//!
//! - [`CompiledSchema`]: a schema, ready to check; [`Patterns`]: what becomes of a pattern that no
//!   linear engine takes.
//! - [`Misfit`]: the first place where a value does not fit, and why.
//! - [`SchemaError`], [`PatternError`]: why a schema cannot be used.

mod bits;
mod compile;
mod equal;
mod error;
mod evaluate;
mod explain;
mod keyword;
mod leaf;
mod message;
mod number;
mod pattern;
mod read;

use serde_json::Value;
use toolhost_policy::{WorkBudget, WorkLimit};

pub use compile::Patterns;
pub use error::SchemaError;
pub use explain::Misfit;
pub use pattern::PatternError;

use evaluate::{Evaluation, Instance};
use keyword::Node;

/// A schema, ready to check values against.
#[derive(Debug)]
pub struct CompiledSchema {
    nodes: Vec<Node>,
}

impl CompiledSchema {
    /// Reads a schema. It takes about as much memory as the schema has bytes, and at most 8 MiB for
    /// its patterns.
    ///
    /// # Errors
    /// A keyword has a value that it cannot have, a reference leads out of the schema, or a bound
    /// is passed.
    pub fn new(schema: &Value, patterns: Patterns) -> Result<Self, SchemaError> {
        compile::compile(schema, patterns).map(|nodes| Self { nodes })
    }

    /// Whether a value fits; else the first misfit.
    ///
    /// # Errors
    /// The check needs more than the budget has: nothing is known of the value.
    pub fn check(
        &self,
        value: &Value,
        budget: &mut WorkBudget,
    ) -> Result<Result<(), Misfit>, WorkLimit> {
        let mut evaluation = Evaluation::new(&self.nodes, budget);
        let root = Instance::Value(value);
        Ok(match evaluation.fits(0, root, None)? {
            true => Ok(()),
            false => Err(evaluation.find_misfit(0, root)),
        })
    }
}

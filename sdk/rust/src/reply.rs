use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::bindings::exports::toolhost::plugin::tools as wire;
use crate::{Ask, Content, Failure, Output, schema};

/// What a tool may return: [`Json`], [`Output`], `String`, or an [`Outcome`] of one of these.
pub trait Reply {
    /// The schema of the structured part, where the type has one.
    #[doc(hidden)]
    fn schema() -> Option<Schema>;

    /// The reply as the host takes it.
    #[doc(hidden)]
    fn into_wire(self) -> Result<wire::Outcome, Failure>;
}

/// A structured result: it goes to programs as JSON, whose schema is derived from the type, and to
/// the model as the same JSON in a text block.
///
/// The type must be a struct (or a map): MCP wants an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize + JsonSchema> Reply for Json<T> {
    fn schema() -> Option<Schema> {
        Some(schema::of_result::<T>())
    }

    fn into_wire(self) -> Result<wire::Outcome, Failure> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| Failure::failed(format!("the result has no JSON form: {error}")))?;
        let block = Content::Text(text.clone()).into_wire();
        Ok(wire::Outcome::Complete(wire::Output {
            content: vec![block],
            structured: Some(text),
            meta: Vec::new(),
        }))
    }
}

impl Reply for Output {
    fn schema() -> Option<Schema> {
        None
    }

    fn into_wire(self) -> Result<wire::Outcome, Failure> {
        Ok(wire::Outcome::Complete(Self::into_wire(self)))
    }
}

impl Reply for String {
    fn schema() -> Option<Schema> {
        None
    }

    fn into_wire(self) -> Result<wire::Outcome, Failure> {
        Reply::into_wire(Output::text(self))
    }
}

/// A result, or questions that must be answered first.
#[derive(Debug, Clone)]
pub enum Outcome<R = Output> {
    /// The tool is done.
    Complete(R),
    /// The tool ends here and is called again with the answers.
    Ask(Ask),
}

impl<R> From<Ask> for Outcome<R> {
    fn from(ask: Ask) -> Self {
        Self::Ask(ask)
    }
}

impl<R: Reply> Reply for Outcome<R> {
    fn schema() -> Option<Schema> {
        R::schema()
    }

    fn into_wire(self) -> Result<wire::Outcome, Failure> {
        match self {
            Self::Complete(reply) => reply.into_wire(),
            Self::Ask(ask) => Ok(wire::Outcome::InputRequired(ask.into_wire()?)),
        }
    }
}

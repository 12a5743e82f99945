//! The tools of a system that a document of OpenAPI 3.0, 3.1 or 3.2, or of Swagger 2.0, describes.
//!
//! It decides which operations of a document a model can call, what their arguments are, and how
//! these are written into a request. It must never let a document decide where a request goes,
//! which rights it carries, or how much work reading it makes: the host sends every request, holds
//! each tool to the one operation that was shown when it was discovered, and everything here is
//! bounded.
//!
//! # Tour
//! - [`document`]: JSON or YAML to one tree; depth, size, repetition.
//! - [`discover`]: operations to tools; [`problem`] says why one gives none. `schema` converts
//!   schemas, `reference` follows `$ref`, `name` makes names fit for a model, and `text` of the SDK
//!   descriptions.
//! - [`descriptor`]: what is kept of an operation for its calls.
//! - [`request`] and [`answer`]: a call.

pub mod answer;
pub mod descriptor;
pub mod discover;
pub mod document;
mod media_type;
mod name;
pub mod problem;
mod reference;
pub mod request;
mod schema;
mod shape;

pub(crate) use toolhost_sdk::adapter::text;
use toolhost_sdk::adapter::{self, Adapter, Answer, Discovery, Document, Invocation};
use toolhost_sdk::{Failure, HttpCode, HttpError};

use descriptor::OperationDescriptor;
use problem::DocumentError;

/// The adapter.
#[derive(Debug)]
pub struct OpenApi;

impl Adapter for OpenApi {
    fn discover(document: Option<Document>) -> Result<Discovery, Failure> {
        let document = document.ok_or(DocumentError::Empty)?;
        // What the operator chose, where it is a list.
        let chosen = document.meta.iter().filter(|(key, _)| key == "operation");
        let chosen: Vec<&str> = chosen.map(|(_, name)| name.as_str()).collect();
        Ok(discover::discover_chosen(&document.content, &chosen)?)
    }

    fn invoke(descriptor: &[u8], invocation: &Invocation) -> Result<Answer, Failure> {
        let descriptor = OperationDescriptor::read(descriptor)?;
        let request = request::build(&descriptor, &invocation.arguments)?;
        let mut sent = adapter::connection().request(&request.method, &request.path);
        for (name, value) in &request.parameters {
            sent = sent.param(name, value);
        }
        for (name, value) in &request.query {
            sent = sent.query(name, value);
        }
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let response = sent.send().map_err(refused)?;
        answer::answer(&descriptor, &invocation.name, response)
    }
}

/// A request that the host does not make: all that may differ in it is an argument, such as a value
/// that would leave its place in the path.
fn refused(error: HttpError) -> Failure {
    match error.code {
        HttpCode::InvalidRequest if !error.sent => Failure::invalid_arguments(error.message),
        _ => error.into(),
    }
}

toolhost_sdk::export_adapter!(OpenApi, manifest = "plugin.toml");

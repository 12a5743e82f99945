//! The tools of an MCP server, over streamable HTTP.
//!
//! It decides which tools of the server a model can call, and how a call is spoken: with a session
//! from protocol 2025-03-26 to 2025-11-25, without one in 2026-07-28. It must never let the server
//! decide where a request goes, hear of anything but the call's arguments, ask the caller
//! something, or answer one call with what belongs to another: every request is a `POST` to the one
//! place that the operator set, no ability is offered, and each request has a number of its own.
//! Nothing is ever fetched that an answer names.
//!
//! Only `POST` is sent: no stream is opened beside a call, and no session is ended. The server ends
//! what is not used.
//!
//! # Tour
//! - [`protocol`]: versions and their words. `message`: JSON-RPC. `sse`: events in a body.
//! - `exchange`: one question and its answer. `trouble`: why there is none.
//! - `state`: what is kept between calls: the session, and which numbers were used. `open`: how a
//!   session begins.
//! - `discover`: from a list of tools to tools; `tool`, `schema`, `name`: one of them.
//!   [`descriptor`]: what is kept of it.
//! - `invoke`, `answer`: a call. `cancel`: a call that was dropped.

mod answer;
mod cancel;
pub mod descriptor;
mod discover;
mod exchange;
mod exchange_error;
mod header;
mod invoke;
mod message;
mod name;
mod open;
mod property;
pub mod protocol;
mod schema;
mod sse;
mod state;
mod tool;

use toolhost_sdk::adapter::{Adapter, Answer, Discovery, Document, Invocation};
use toolhost_sdk::{Code, Failure};

use descriptor::ToolDescriptor;

/// The adapter.
#[derive(Debug)]
pub struct Mcp;

impl Adapter for Mcp {
    fn discover(document: Option<Document>) -> Result<Discovery, Failure> {
        if document.is_some() {
            let why = "an MCP server is asked, it is not read from a document";
            return Err(Failure::new(Code::Unsupported, why));
        }
        discover::discover()
    }

    fn invoke(descriptor: &[u8], invocation: &Invocation) -> Result<Answer, Failure> {
        invoke::invoke(&ToolDescriptor::read(descriptor)?, &invocation.arguments)
    }

    fn cancel(_descriptor: &[u8], note: &[u8]) -> Result<(), Failure> {
        cancel::cancel(note)
    }
}

toolhost_sdk::export_adapter!(Mcp, manifest = "plugin.toml");

//! The operator's requests: what the verbs of the command line ask of a host that runs, or carry
//! out themselves where none does.
//!
//! This crate decides what an operator may ask for and how it is carried out. What must never
//! happen here: a change that the audit chain does not know; a secret in a request, an answer or a
//! log; a request of another user of the machine.
//!
//! # Tour
//!
//! - `operations`: one file a request, which is an [`AdminOperation`] with the type of its answer.
//!   `request` lists them.
//! - [`Admin`]: what requests are carried out over, an open data directory. `credential_change`,
//!   `tenant_change` and `plugin_assignment`: what several requests do alike. [`HostOperations`]:
//!   what takes a whole host to answer.
//! - [`listen`]: a running host offers an [`Admin`] on a Unix socket that only its own user
//!   reaches; [`AdminClient`] asks there. A verb that finds no host has an [`Admin`] of its own.
//!   Both take the same path, so a verb does the same either way.
//! - `places`: who has a place at the socket. [`Admin::watch_quarantines`]: damaged spaces are
//!   logged and recorded.

mod admin;
mod calls;
mod client;
mod credential_change;
mod credential_row;
mod error;
mod frames;
mod host_operations;
mod keys;
mod operation;
mod operations;
mod places;
mod plugin_assignment;
mod request;
mod socket;
mod space_row;
mod tenant_change;
mod tenant_row;
mod watch;

pub use admin::{Admin, AdminParts};
pub use calls::{
    CallAnswer, CallEnd, CallLine, CallLines, CallProgress, CallQuestion, CallRequest, CallResume,
};
pub use client::{AdminClient, ClientError};
pub use credential_row::{CredentialAnswer, CredentialRow, UnusableRow, UserName};
pub use error::AdminError;
pub use host_operations::{
    AddressRow, ConnectionTestReport, CredentialUse, ExplainRequest, Explanation, HostOperations,
    RuleRow, TestStep,
};
pub use operation::{AdminOperation, OperationContext};
pub use operations::*;
pub use plugin_assignment::PluginRow;
pub use request::AdminRequest;
pub use socket::{ADMIN_SOCKET, listen};
pub use space_row::{HOST, SpaceRow};
pub use tenant_row::{TenantAnswer, TenantRemovalReport, TenantRow};

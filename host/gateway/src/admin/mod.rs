//! The operator's door: what the verbs of the command line ask of a host that runs, and do themselves where none does.
//!
//! [`Admin`] carries out a [`Request`]. A running host offers it on a Unix socket ([`listen`]) that only its own user
//! reaches; the command line reaches it with a [`Client`], or has an [`Admin`] of its own over a data directory that
//! nobody else has open. Both take the same path, so a verb does the same either way.

mod calls;
mod chains;
mod client;
mod credentials;
mod error;
mod frames;
mod keys;
mod places;
mod plugins;
mod protocol;
mod quarantines;
mod service;
mod serving;
mod socket;
mod spaces;
mod tenant_row;
mod tenants;
mod watch;

pub use calls::{
    CallAnswer, CallEnd, CallLine, CallLines, CallProgress, CallQuestion, CallRequest, CallResume,
};
pub use client::{Client, ClientError};
pub use error::AdminError;
pub use plugins::PluginRow;
pub use protocol::{
    Answer, ChainReport, CredentialAnswer, CredentialRow, HOST, Request, SpaceRow, UnusableRow, UserName,
};
pub use quarantines::QuarantineRow;
pub use service::{Admin, AdminParts};
pub use serving::{
    AddressRow, CredentialUse, ExplainRequest, Explained, RuleRow, Serving, SharedRow, TestStep, Tested,
};
pub use socket::{ADMIN_SOCKET, listen};
pub use tenant_row::{TenantAnswer, TenantRemoved, TenantRow};

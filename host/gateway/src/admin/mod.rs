//! The operator's door: what the verbs of the command line ask of a host that runs, and do themselves where none does.
//!
//! [`Admin`] carries out a [`AdminRequest`]. A running host offers it on a Unix socket ([`listen`]) that only its own user
//! reaches; the command line reaches it with a [`AdminClient`], or has an [`Admin`] of its own over a data directory that
//! nobody else has open. Both take the same path, so a verb does the same either way.

mod calls;
mod chains;
mod client;
mod credentials;
mod error;
mod frames;
mod host_operations;
mod keys;
mod places;
mod plugins;
mod protocol;
mod quarantines;
mod service;
mod socket;
mod spaces;
mod tenant_row;
mod tenants;
mod watch;

pub use calls::{
    CallAnswer, CallEnd, CallLine, CallLines, CallProgress, CallQuestion, CallRequest, CallResume,
};
pub use client::{AdminClient, ClientError};
pub use error::AdminError;
pub use host_operations::{
    AddressRow, ConnectionTestReport, CredentialUse, ExplainRequest, Explanation, HostOperations, RuleRow,
    SharedSecretRow, TestStep,
};
pub use plugins::PluginRow;
pub use protocol::{
    AdminRequest, AdminResponse, ChainReport, CredentialAnswer, CredentialRow, HOST, SpaceRow, UnusableRow,
    UserName,
};
pub use quarantines::QuarantineRow;
pub use service::{Admin, AdminParts};
pub use socket::{ADMIN_SOCKET, listen};
pub use tenant_row::{TenantAnswer, TenantRemovalReport, TenantRow};

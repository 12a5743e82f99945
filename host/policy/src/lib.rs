//! What is allowed: rules, manifest, limits, secrets and error codes.
//!
//! This crate decides which requests a plugin may make, by what it asked for and what the operator
//! granted. What must never happen here: I/O of any kind (the clock apart, which [`UnixTime`] alone
//! reads), a rule that widens another, a secret that can be printed.
//!
//! # Tour
//!
//! - [`Secret`]: bytes that cannot be printed, serialised or cloned.
//! - [`ErrorCode`], [`PublicError`]: the one list of codes that callers meet.
//! - [`Limits`]: every bound of a call, with its default, its key and its reason.
//! - [`TenantLimits`], [`TenantMeter`]: what a tenant may use in a minute and at once, and what it
//!   has used.
//! - [`WorkBudget`]: the steps, nesting and time that a piece of host work may take.
//! - [`ConnectionName`], [`PluginName`], [`ToolName`]: grammars of names.
//! - [`PathTemplate`], [`Endpoint`]: what a request must match, before and after its URL is built.
//! - [`Operation`]: the one kind of request that a tool of an adapter makes.
//! - [`Connection`]: one outside system as the operator defined it; [`CheckedConnection`]: one
//!   whose parts agree.
//! - [`OperationRule`]: operations of which the operator says something, such as that they reflect.
//! - [`OperationMode`]: how much tools may do.
//! - [`is_hidden`]: characters that make a text read as another.
//! - [`UrlTemplates`], [`BaseTemplate`]: what of a URL the attributes of a credential fill.
//! - [`Manifest`]: what a plugin asks for; [`Grant`]: what it gets.
//! - [`UnixTime`]: the machine's clock in seconds, where it is read.

mod base_template;
mod checked_connection;
mod connection;
mod endpoint;
mod error;
mod grant;
mod header_rules;
mod header_template;
mod hidden;
mod json_pointer;
mod limits;
mod manifest;
mod manifest_toml;
mod mode;
mod name;
mod operation;
mod operation_rule;
mod path;
mod place_grammar;
mod secret;
mod secret_parts;
mod secret_text;
mod slashes;
mod tenant_budget;
mod unix_time;
mod url_rules;
mod url_templates;
mod work_budget;

pub use base_template::{BaseTemplate, BaseTemplateError, FillError};
pub use checked_connection::{CheckedConnection, ConnectionConflict};
pub use connection::{AuthPlacement, Connection, CredentialOwner, PrincipalRule};
pub use endpoint::{Endpoint, EndpointRefusal, Method};
pub use error::{ErrorCode, PublicError};
pub use grant::{ConnectionGrant, Grant, GrantError};
pub use header_rules::{MCP_PREFIX, dashed, is_always_protected, is_never_shown};
pub use header_template::{HeaderTemplate, TemplateError};
pub use hidden::is_hidden;
pub use json_pointer::pointer_keys;
pub use limits::{Limit, Limits, LimitsPatch};
pub use manifest::{ConnectionRequest, Manifest, ManifestError};
pub use mode::OperationMode;
pub use name::{ConnectionName, NameError, PluginName, ToolName};
pub use operation::{Operation, OperationError, OperationParts, is_member_of};
pub use operation_rule::OperationRule;
pub use path::{PathError, PathTemplate};
pub use secret::Secret;
pub use secret_parts::{SecretPart, secrets_of_parts};
pub use secret_text::{MIN_SECRET_BYTES, SecretTextError, read_secret};
pub use slashes::Slashes;
pub use tenant_budget::{
    CallPermit, OverBudget, TenantLimit, TenantLimits, TenantLimitsPatch, TenantMeter,
};
pub use unix_time::UnixTime;
pub use url_rules::{base_prefix, check_canonical_path};
pub use url_templates::UrlTemplates;
pub use work_budget::{WorkBudget, WorkLimit};

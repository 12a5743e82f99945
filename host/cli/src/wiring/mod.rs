//! The rooms, put together: one file a step.

pub(crate) mod adapters;
mod callers;
mod credentials;
mod data;
mod files;
mod ground;
mod listen;
mod logins;
mod looking;
mod other_store;
mod others;
mod postgres;
mod rooms;
mod signals;
mod start;
mod switching;
mod tenants;
mod writable;

pub(crate) use callers::{directory, tenancy, token_or_development};
pub(crate) use credentials::{Providers, Sources, needs_vault, no_credentials, provider};
pub(crate) use data::{Kept, Taken, operator};
pub(crate) use files::{PluginFile, is_pipe, plugin_file, read_capped};
pub(crate) use ground::{Ground, no_values};
pub(crate) use listen::{Doors, bind, check_addresses, public_url};
pub(crate) use logins::logins;
pub(crate) use looking::{ask_running, looking};
pub(crate) use other_store::{has_embedded, has_server, refuse_orphans};
pub(crate) use others::follow;
pub(crate) use rooms::{egress, network, sandbox, sandbox_for_looking, serve_plugins, serving_egress, whole};
pub(crate) use signals::{shutdown_signal, stop_signal};
pub(crate) use start::{check_server, check_start};
pub(crate) use switching::Choosing;
pub(crate) use writable::watch_writable;

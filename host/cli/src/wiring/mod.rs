//! The crates, put together: one file a step.

pub(crate) mod adapters;
mod callers;
mod change_feed;
mod credentials;
mod data_directory;
mod diagnosis;
mod files;
mod host;
mod host_parts;
mod host_storage;
mod listen;
mod logins;
mod other_store;
mod postgres;
mod signals;
mod start;
mod switching;
mod tenants;
mod write_probe;

pub(crate) use callers::{directory, tenancy, token_or_development};
pub(crate) use change_feed::follow;
pub(crate) use credentials::{Providers, needs_vault, no_credentials};
pub(crate) use data_directory::{DataDirClaim, DataDirectory, operator};
pub(crate) use diagnosis::{ask_running, open_diagnosis};
pub(crate) use files::{PluginFile, is_pipe, plugin_file, read_capped};
pub(crate) use host::{Host, HostBuilder, LoadPurpose};
pub(crate) use host_parts::{approval_json, egress, inspection_sandbox, network, sandbox};
pub(crate) use host_storage::{HostStorage, no_values};
pub(crate) use listen::{ListenAddresses, bind, check_addresses, public_url};
pub(crate) use logins::logins;
pub(crate) use other_store::{has_embedded, has_server, refuse_orphans};
pub(crate) use signals::{shutdown_signal, stop_signal};
pub(crate) use start::{check_server, check_start};
pub(crate) use write_probe::watch_writable;

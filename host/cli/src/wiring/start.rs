//! What a start of the host refuses, whatever becomes of its plugins: for verbs that look at a
//! set-up, so that they and a start say the same. Nothing is made, bound or asked here.

use std::path::Path;

use super::data_directory::check_data;
use super::{ListenAddresses, check_addresses, directory, network, tenancy};
use crate::exit::CliError;
use crate::secret_ref;
use crate::setup::Setup;

/// Checks the listeners, the token of the metrics, the file of events and how what lasts is
/// reached.
///
/// # Errors
/// A start of the host would be refused with this.
pub(crate) fn check_server(setup: &Setup) -> Result<(), CliError> {
    let server = &setup.config.server;
    let addresses = ListenAddresses {
        listen: server.listen,
        metrics: server.metrics_listen,
    };
    check_addresses(setup, addresses)?;
    if let Some(source) = server
        .metrics_token
        .as_ref()
        .filter(|_| addresses.metrics.is_some())
    {
        secret_ref::text("metrics_token", source)?;
    }
    if let Some(path) = &setup.config.audit {
        check_events(path)?;
    }
    setup.config.data.as_ref().map_or(Ok(()), check_data)
}

/// Checks what [`check_server`] does, the tenants and their issuers.
///
/// # Errors
/// A start of the host would be refused with this.
pub(crate) fn check_start(setup: &Setup) -> anyhow::Result<()> {
    check_server(setup)?;
    let network = network()?;
    let directory = directory(setup, None, &network)?;
    tenancy(setup, &[], &network, directory, None).map(drop)
}

fn check_events(path: &Path) -> Result<(), CliError> {
    let opened = std::fs::OpenOptions::new().append(true).open(path);
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let looked = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::read_dir(directory.unwrap_or(Path::new("."))).map(drop)
        }
        opened => opened.map(drop),
    };
    looked.map_err(|error| CliError::usage(format!("[audit] file {}: {error}", path.display())))
}

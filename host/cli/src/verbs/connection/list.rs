use std::path::Path;

use serde::Serialize;

use super::show::ConnectionShowOutput;
use crate::args::OutputFormat;
use crate::output::{self, Show, head};
use crate::setup::{default_to_vault, read_config};

#[derive(Serialize)]
struct ConnectionListOutput {
    connections: Vec<ConnectionShowOutput>,
}

pub(super) fn run(config: Option<&Path>, format: OutputFormat) -> anyhow::Result<()> {
    let mut config = read_config(config)?;
    default_to_vault(&mut config)?;
    let connections = config.connections.values();
    let connections = connections
        .map(|connection| ConnectionShowOutput::from_connection(&config, connection))
        .collect();
    output::show(format, &ConnectionListOutput { connections })
}

impl Show for ConnectionListOutput {
    fn text(&self) -> String {
        if self.connections.is_empty() {
            return "there is no [connections.NAME] in the configuration".to_owned();
        }
        self.connections
            .iter()
            .map(ConnectionShowOutput::line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = |shown: &ConnectionShowOutput| {
            vec![
                shown.name.clone(),
                shown.base.clone(),
                shown.credentials.clone(),
                shown.provider.clone(),
                shown.credential_of.clone(),
                shown.principal.clone(),
            ]
        };
        (
            head(&[
                "name",
                "base",
                "credentials",
                "provider",
                "credential of",
                "principal",
            ]),
            self.connections.iter().map(row).collect(),
        )
    }
}

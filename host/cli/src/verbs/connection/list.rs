use std::path::Path;

use serde::Serialize;

use super::show::Shown;
use crate::args::OutputFormat;
use crate::output::{self, Show, head};
use crate::setup::{read_config, what_lasts};

#[derive(Serialize)]
struct Listed {
    connections: Vec<Shown>,
}

pub(super) fn run(config: Option<&Path>, format: OutputFormat) -> anyhow::Result<()> {
    let mut config = read_config(config)?;
    what_lasts(&mut config)?;
    let connections = config.connections.values();
    let connections = connections
        .map(|connection| Shown::of(&config, connection))
        .collect();
    output::show(format, &Listed { connections })
}

impl Show for Listed {
    fn text(&self) -> String {
        if self.connections.is_empty() {
            return "there is no [connections.NAME] in the configuration".to_owned();
        }
        self.connections
            .iter()
            .map(Shown::line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = |shown: &Shown| {
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

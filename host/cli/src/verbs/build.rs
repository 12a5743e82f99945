use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};
use toolhost_policy::{Limits, Manifest};

use crate::args::{BuildArgs, OutputFormat};
use crate::exit::CliError;
use crate::grants::hexadecimal;
use crate::output::{self, Show};
use crate::wiring::read_capped;

/// A manifest is refused above this anyway.
const MAX_MANIFEST: u64 = 1 << 20;

#[derive(Serialize)]
struct BuildOutput {
    file: String,
    plugin: String,
    version: String,
    digest: String,
    bytes: usize,
}

impl Show for BuildOutput {
    fn text(&self) -> String {
        format!(
            "{} is plugin {} {}, sha256 {}",
            self.file, self.plugin, self.version, self.digest
        )
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = vec![
            self.file.clone(),
            self.plugin.clone(),
            self.version.clone(),
            self.digest.clone(),
        ];
        (
            output::head(&["file", "plugin", "version", "sha256"]),
            vec![row],
        )
    }
}

/// Puts a manifest into a component. The output is written in one step, so that a failure leaves no
/// half of a plugin.
pub(super) fn run(args: &BuildArgs, format: OutputFormat) -> anyhow::Result<()> {
    let component = read_capped(&args.file, Limits::default().component_bytes)?;
    let text = read_capped(&args.manifest, MAX_MANIFEST)?;
    let manifest = Manifest::parse(&text)
        .map_err(|error| CliError::usage(format!("{}: {error}", args.manifest.display())))?;
    let plugin = toolhost_sandbox::embed_manifest(&component, &text)
        .map_err(|error| CliError::plugin(format!("{}: {error}", args.file.display())))?;
    let out = args.out.as_ref().unwrap_or(&args.file);
    let partial = out.with_extension(format!("partial.{}", std::process::id()));
    let written = std::fs::write(&partial, &plugin).and_then(|()| std::fs::rename(&partial, out));
    if written.is_err() {
        // What is half-written is of no use to anybody.
        let _ = std::fs::remove_file(&partial);
    }
    written.with_context(|| format!("{}: cannot be written", out.display()))?;
    output::show(
        format,
        &BuildOutput {
            file: out.display().to_string(),
            plugin: manifest.name.to_string(),
            version: manifest.version,
            digest: hexadecimal(&Sha256::digest(&plugin)),
            bytes: plugin.len(),
        },
    )
}

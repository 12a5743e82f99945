use std::path::PathBuf;

use toolhost_policy::PluginName;
use toolhost_sandbox::{AdapterComponent, Sandbox};

use crate::exit::CliError;
use crate::setup::Setup;
use crate::spinner::Spinner;
use crate::wiring::files::{PluginFile, plugin_file};

/// Where adapters are that no key and no flag names: in this directory beside the program.
const BESIDE: &str = "adapters";

/// The file of an adapter.
///
/// # Errors
/// None is named, and there is none beside the program.
fn of_name(setup: &Setup, name: &PluginName) -> Result<PathBuf, CliError> {
    if let Some(path) = setup.config.adapter_files.get(name) {
        return Ok(path.clone());
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.join(BESIDE).join(format!("{name}.wasm"))));
    match beside {
        Some(path) if path.exists() => Ok(path),
        beside => {
            let place = beside.map_or_else(String::new, |path| {
                format!(", and there is no {}", path.display())
            });
            Err(CliError::usage(format!(
                "adapter {name} is not there: name its component with [adapters.{name}] file = \"…\" or --adapter {name}=FILE{place}"
            )))
        }
    }
}

/// Reads an adapter's component.
///
/// # Errors
/// It is not there, is no adapter or another one, or asks for connections of its own.
pub(crate) fn read(setup: &Setup, name: &PluginName) -> Result<PluginFile, CliError> {
    let file = plugin_file(&of_name(setup, name)?, &setup.config.limits, true)?;
    let refuse = |why: String| CliError::plugin(format!("{}: {why}", file.path.display()));
    if file.manifest.name != *name {
        return Err(refuse(format!(
            "the adapter's name is {}, not {name}",
            file.manifest.name
        )));
    }
    if let Some(request) = file.manifest.connections.first() {
        return Err(refuse(format!(
            "its manifest asks for connection {}, and an adapter serves the one that it is set on",
            request.name
        )));
    }
    Ok(file)
}

/// Loads an adapter.
///
/// # Errors
/// As [`read`], or it does not compile.
pub(crate) async fn load(
    setup: &Setup,
    sandbox: &Sandbox,
    name: &PluginName,
) -> Result<AdapterComponent, CliError> {
    let file = read(setup, name)?;
    let _progress = Spinner::start(format!("compiling {}", file.path.display()));
    sandbox
        .load_adapter(&file.bytes)
        .await
        .map_err(|error| CliError::plugin(format!("{}: {error}", file.path.display())))
}

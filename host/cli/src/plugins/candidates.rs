use std::path::Path;

use toolhost_policy::{ConnectionName, Grant, Manifest};

use super::{Omission, OmissionReason, OmittedPlugin, nothing_to_serve};
use crate::exit::CliError;
use crate::requirements;
use crate::setup::Setup;
use crate::wiring::{PluginFile, plugin_file};

/// A plugin, or a connection with an adapter, that a flag or the configuration names.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// The plugin's name; of a file that cannot be read the name of the file.
    pub(crate) name: String,
    /// Its path, where it has a file of its own.
    pub(crate) path: Option<std::path::PathBuf>,
    /// What it asks for, where its file says so.
    pub(crate) manifest: Option<Manifest>,
    /// What there is to load, or why there is nothing.
    pub(crate) what: Result<CandidateKind, Omission>,
}

/// What there is to load.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few, and each is taken apart at once"
)]
#[derive(Debug)]
pub(crate) enum CandidateKind {
    Plugin(PluginFile),
    Connection(ConnectionName),
}

/// Everything that is named, in the order in which it is served: plugins of the configuration, then
/// those of flags, then connections with adapters. Each plugin's file is read; nothing runs.
pub(crate) fn candidates(setup: &Setup) -> Vec<Candidate> {
    let config = &setup.config;
    let mut found: Vec<Candidate> = Vec::new();
    for (name, path) in &config.plugins {
        let file = plugin_file(path, &config.limits, false).and_then(|file| {
            if file.manifest.name == *name {
                return Ok(file);
            }
            Err(CliError::usage(format!(
                "{}: the plugin's name is {}; write [plugins.{}] instead of [plugins.{name}]",
                path.display(),
                file.manifest.name,
                file.manifest.name
            )))
        });
        found.push(candidate(name.to_string(), path, file));
    }
    for path in &setup.plugins {
        let file = plugin_file(path, &config.limits, false);
        let name = match &file {
            Ok(file) => file.manifest.name.to_string(),
            Err(_) => path.display().to_string(),
        };
        let mut candidate = candidate(name, path, file);
        if let Some(other) = found.iter().find(|other| other.name == candidate.name) {
            let places = [other.path.as_deref(), Some(path.as_path())];
            let [first, second] = places.map(|path| path.unwrap_or(Path::new("")).display());
            let why = format!(
                "plugin {} is named twice: {first} and {second}",
                candidate.name
            );
            candidate.what = Err(Omission::new(OmissionReason::Refused, CliError::usage(why)));
        }
        found.push(candidate);
    }
    for candidate in &mut found {
        let pieces = candidate
            .manifest
            .as_ref()
            .map(|manifest| requirements::of_plugin(setup, manifest));
        if let Some(refused) = pieces
            .and_then(requirements::failure)
            .filter(|_| candidate.what.is_ok())
        {
            candidate.what = Err(Omission::new(OmissionReason::Incomplete, refused));
        }
        // Cheap, and said before anything is compiled.
        let refused = candidate
            .manifest
            .as_ref()
            .and_then(|manifest| disallowed_request(setup, manifest));
        if let Some(refused) = refused.filter(|_| candidate.what.is_ok()) {
            candidate.what = Err(Omission::new(OmissionReason::Refused, refused));
        }
    }
    for name in config
        .adapters
        .keys()
        .filter(|name| config.connections.contains_key(*name))
    {
        let is_taken = found.iter().any(|other| other.name == name.as_str());
        let what = match requirements::failure(requirements::of_connection(setup, name, None)) {
            _ if is_taken => {
                let why = format!(
                    "{name} is the name of two: each plugin, and each connection with an adapter, needs one of its own"
                );
                Err(Omission::new(
                    OmissionReason::Refused,
                    CliError::plugin(why),
                ))
            }
            Some(refused) => Err(Omission::new(OmissionReason::Incomplete, refused)),
            None => Ok(CandidateKind::Connection(name.clone())),
        };
        found.push(Candidate {
            name: name.to_string(),
            path: None,
            manifest: None,
            what,
        });
    }
    found
}

/// What a manifest asks for beyond the configuration. Where a document says where a connection's
/// system is, that is not known yet.
fn disallowed_request(setup: &Setup, manifest: &Manifest) -> Option<CliError> {
    let config = &setup.config;
    let is_placed_later = |name: &ConnectionName| {
        let settings = config.adapters.get(name);
        settings.is_some_and(|settings| settings.takes_base)
    };
    if manifest
        .connections
        .iter()
        .any(|request| is_placed_later(&request.name))
    {
        return None;
    }
    let refused = Grant::resolve(manifest, &config.connections, &config.limits).err()?;
    Some(CliError::refusal(refused.to_string()))
}

/// Ends a start where the files alone say that nothing will be served.
///
/// # Errors
/// As [`nothing_to_serve`] says.
pub(crate) fn refuse_nothing(candidates: &[Candidate]) -> Result<(), CliError> {
    fn as_omitted(candidate: &Candidate) -> Option<OmittedPlugin<'_>> {
        let left_out = candidate.what.as_ref().err()?;
        let name = &candidate.name;
        Some(OmittedPlugin { name, left_out })
    }
    let left_out: Option<Vec<OmittedPlugin<'_>>> = candidates.iter().map(as_omitted).collect();
    let failure = left_out.and_then(|all| nothing_to_serve(all.into_iter()));
    failure.map_or(Ok(()), Err)
}

fn candidate(name: String, path: &Path, file: Result<PluginFile, CliError>) -> Candidate {
    Candidate {
        name,
        path: Some(path.to_owned()),
        manifest: file.as_ref().ok().map(|file| file.manifest.clone()),
        what: file
            .map(CandidateKind::Plugin)
            .map_err(|failure| Omission::new(OmissionReason::File, failure)),
    }
}

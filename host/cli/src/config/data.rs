//! `[data]` and `[audit]`: what lasts.

use std::path::PathBuf;

use toolhost_audit::{ChainSettings, OnFailure};
use toolhost_vault::SecretSource;

use super::config_text::ConfigText;
use super::{ConfigError, DataConfig, file};

/// Less would begin a segment every few hundred calls.
const MIN_SEGMENT: u64 = 1 << 20;

/// More is nothing that a person can still search and move.
const MAX_SEGMENT: u64 = 1 << 30;

pub(super) fn data(
    source: &ConfigText<'_>,
    raw: file::DataTable,
) -> Result<DataConfig, ConfigError> {
    let master_key = match (raw.master_key_file, raw.master_key_env) {
        (None, None) => None,
        (Some(file), None) => Some(SecretSource::File(source.resolve_path(&file))),
        (None, Some(variable)) => Some(SecretSource::Env(variable.into_inner())),
        (Some(_), Some(variable)) => {
            let why = "stands beside master_key_file; keep one";
            return Err(source.at(&variable, "data.master_key_env", why));
        }
    };
    Ok(DataConfig {
        dir: source.resolve_path(&raw.dir),
        master_key,
        postgres: None,
    })
}

pub(super) fn audit(
    source: &ConfigText<'_>,
    raw: Option<file::Audit>,
    lasts: bool,
) -> Result<(Option<PathBuf>, ChainSettings), ConfigError> {
    let mut chains = ChainSettings::default();
    let Some(raw) = raw else {
        return Ok((None, chains));
    };
    if let (Some(file), true) = (&raw.file, lasts) {
        let why = "has no meaning with [data]: the chains are in its directory";
        return Err(source.at(file, "audit.file", why));
    }
    if let Some(said) = raw.on_failure {
        chains.on_failure = match said.get_ref().as_str() {
            "refuse" => OnFailure::Refuse,
            "serve-reads" => OnFailure::ServeReads,
            _ => return Err(source.at(&said, "audit.on_failure", "is not refuse or serve-reads")),
        };
    }
    if let Some(bytes) = raw.segment_bytes {
        if !(MIN_SEGMENT..=MAX_SEGMENT).contains(bytes.get_ref()) {
            let why = format!("is not from {MIN_SEGMENT} to {MAX_SEGMENT} bytes");
            return Err(source.at(&bytes, "audit.segment_bytes", why));
        }
        chains.segment_bytes = bytes.into_inner();
    }
    Ok((
        raw.file.map(|file| source.resolve_path(file.get_ref())),
        chains,
    ))
}

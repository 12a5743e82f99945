//! The text of a configuration file, and errors that point into it.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::ConfigError;

/// A key this far from what was written is no longer a likely slip of the pen.
const NEAR: f64 = 0.8;

pub(super) struct ConfigText<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl ConfigText<'_> {
    /// An error about a value that was read.
    pub(super) fn at<T>(
        &self,
        value: &Spanned<T>,
        key: impl Into<String>,
        why: impl std::fmt::Display,
    ) -> ConfigError {
        self.error(value.span().start, key.into(), why.to_string())
    }

    /// A path in the file means one beside the file.
    pub(super) fn resolve_path(&self, path: &str) -> PathBuf {
        let path = Path::new(path);
        match self.path.parent() {
            Some(directory) if path.is_relative() && !directory.as_os_str().is_empty() => {
                directory.join(path)
            }
            _ => path.to_owned(),
        }
    }

    /// What the TOML reader found wrong, as one sentence with the nearest valid key.
    pub(super) fn toml(&self, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message();
        let within = table_at(self.text, offset);
        let join = |name: &str| {
            if within.is_empty() {
                name.to_owned()
            } else {
                format!("{within}.{name}")
            }
        };
        if let Some((key, valid)) = split_unknown_field(message, "unknown field `") {
            let why = match nearest(key, &valid) {
                Some(near) => format!("unknown key, did you mean {near}?"),
                None => format!("unknown key; valid here: {}", valid.join(", ")),
            };
            return self.error(offset, join(key), why);
        }
        if let Some((value, valid)) = split_unknown_field(message, "unknown variant `") {
            let near = nearest(value, &valid)
                .map_or(String::new(), |near| format!(" (did you mean {near}?)"));
            return self.error(
                offset,
                within,
                format!("{value:?} is not one of {}{near}", valid.join(", ")),
            );
        }
        let key = key_at(self.text, offset).map_or_else(|| within.clone(), join);
        self.error(offset, key, message.trim().replace('\n', " "))
    }

    fn error(&self, offset: usize, key: String, why: String) -> ConfigError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        ConfigError::At {
            path: self.path.to_owned(),
            line,
            key,
            why,
        }
    }
}

/// The table that a place stands in, for an error's text: its header, and the key of an inline
/// table on its own line.
fn table_at(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let header = before
        .lines()
        .chain(
            text.get(offset..)
                .and_then(|rest| rest.lines().next())
                .filter(|_| line.is_empty()),
        )
        .filter_map(|line| line.trim().strip_prefix('[')?.split(']').next())
        .next_back()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim();
    match line.split_once('=') {
        Some((key, rest)) if rest.contains('{') && header.is_empty() => key.trim().to_owned(),
        Some((key, rest)) if rest.contains('{') => format!("{header}.{}", key.trim()),
        _ => header.to_owned(),
    }
}

/// The key whose value begins on this line before the place.
fn key_at(text: &str, offset: usize) -> Option<&str> {
    let line = text.get(..offset)?.rsplit('\n').next()?;
    let (key, inner) = line.split_once('=')?;
    (!inner.contains('{')).then_some(key.trim())
}

/// Takes apart serde's "unknown field `x`, expected one of `a`, `b`".
fn split_unknown_field<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (name, rest) = message.strip_prefix(prefix)?.split_once('`')?;
    let valid = rest.split('`').skip(1).step_by(2).collect();
    Some((name, valid))
}

pub(crate) fn nearest<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::jaro_winkler(name, candidate);
    let best = valid
        .iter()
        .max_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    (distance(best) >= NEAR).then_some(*best)
}

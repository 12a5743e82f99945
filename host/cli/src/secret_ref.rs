//! `@FILE` and `env:VAR`: how a flag names a secret without holding it.

use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use toolhost_policy::Secret;
use toolhost_vault::{Source, read_capped};

use crate::exit::Failure;

/// Reads `@FILE` or `env:VAR`. What stands there instead is not repeated: it may be the secret itself.
///
/// # Errors
/// Neither form.
pub(crate) fn parse(flag: &str, text: &str) -> Result<Source, Failure> {
    match (text.strip_prefix('@'), text.strip_prefix("env:")) {
        (Some(file), _) if !file.is_empty() => Ok(Source::File(PathBuf::from(file))),
        (_, Some(variable)) if !variable.is_empty() => Ok(Source::Env(variable.to_owned())),
        _ => Err(Failure::usage(format!(
            "{flag} takes @FILE or env:VAR: a secret on a command line can be read by every process"
        ))),
    }
}

/// Reads a caller's token.
///
/// # Errors
/// The file or the variable is not there, is empty, too large or not text.
pub(crate) fn token(source: &Source) -> Result<Secret, Failure> {
    text("--token", source).map_err(|error| Failure::auth(error.message))
}

/// Reads a secret that is a text, without the line end that editors add.
///
/// # Errors
/// As [`token`].
pub(crate) fn text(key: &str, source: &Source) -> Result<Secret, Failure> {
    let read = match source {
        Source::Env(name) => variable(key, name),
        Source::File(path) => file(key, path),
    }?;
    let text = std::str::from_utf8(read.expose())
        .map_err(|_| Failure::usage(format!("{key}: it is not text")))?
        .trim();
    if text.is_empty() {
        return Err(Failure::usage(format!("{key}: it is empty")));
    }
    Ok(Secret::from(text.to_owned()))
}

/// What a variable holds.
///
/// # Errors
/// It is not set.
pub(crate) fn variable(flag: &str, name: &str) -> Result<Secret, Failure> {
    std::env::var_os(name)
        .map(|value| Secret::new(value.into_vec()))
        .ok_or_else(|| Failure::usage(format!("{flag} env:{name}: the variable is not set")))
}

/// What a file holds.
///
/// # Errors
/// It cannot be read, or is too large.
pub(crate) fn file(flag: &str, path: &Path) -> Result<Secret, Failure> {
    let refuse = |why: String| Failure::usage(format!("{flag} @{}: {why}", path.display()));
    let opened = File::open(path).map_err(|error| refuse(error.to_string()))?;
    read_capped(opened).map_err(|why| refuse(why.to_string()))
}

/// What stdin holds, to its end.
///
/// # Errors
/// As [`file()`].
pub(crate) fn stdin(flag: &str) -> Result<Secret, Failure> {
    read_capped(std::io::stdin().lock()).map_err(|why| Failure::usage(format!("{flag}: {why}")))
}

#[cfg(test)]
mod tests {
    use toolhost_vault::Source;

    use super::parse;

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        for text in ["tok_live_123", "", "@", "env:"] {
            let error = parse("--token", text).unwrap_err().to_string();
            assert!(
                error.contains("@FILE or env:VAR") && !error.contains("tok_live"),
                "{error}"
            );
        }
        assert_eq!(parse("--token", "@a").unwrap(), Source::File("a".into()));
        assert_eq!(parse("--token", "env:A").unwrap(), Source::Env("A".into()));
    }
}

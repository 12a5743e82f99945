//! `@FILE` and `env:VAR`: how a flag names a secret without holding it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use toolhost_policy::Secret;
use toolhost_vault::{MAX_SECRET_FILE_BYTES, SecretSource, read_capped};

use crate::exit::CliError;

/// Reads `@FILE` or `env:VAR`. What stands there instead is not repeated: it may be the secret
/// itself.
///
/// # Errors
/// Neither form.
pub(crate) fn parse(flag: &str, text: &str) -> Result<SecretSource, CliError> {
    match (text.strip_prefix('@'), text.strip_prefix("env:")) {
        (Some(file), _) if !file.is_empty() => Ok(SecretSource::File(PathBuf::from(file))),
        (_, Some(variable)) if !variable.is_empty() => Ok(SecretSource::Env(variable.to_owned())),
        _ => Err(CliError::usage(format!(
            "{flag} takes @FILE or env:VAR: a secret on a command line can be read by every process"
        ))),
    }
}

/// Reads a caller's token.
///
/// # Errors
/// The file or the variable is not there, is empty, too large or not text.
pub(crate) fn token(source: &SecretSource) -> Result<Secret, CliError> {
    text("--token", source).map_err(|error| CliError::auth(error.message))
}

/// Reads a secret that is a text, without the line end that editors add.
///
/// # Errors
/// As [`token`].
pub(crate) fn text(key: &str, source: &SecretSource) -> Result<Secret, CliError> {
    let read = match source {
        SecretSource::Env(name) => variable(key, name),
        SecretSource::File(path) => file(key, path),
    }?;
    trim_line_end(key, &read)
}

fn trim_line_end(key: &str, read: &Secret) -> Result<Secret, CliError> {
    let text = std::str::from_utf8(read.expose())
        .map_err(|_| CliError::usage(format!("{key}: it is not text")))?
        .trim();
    if text.is_empty() {
        return Err(CliError::usage(format!("{key}: it is empty")));
    }
    Ok(Secret::from(text.to_owned()))
}

/// What a variable holds.
///
/// # Errors
/// It is not set.
pub(crate) fn variable(flag: &str, name: &str) -> Result<Secret, CliError> {
    std::env::var_os(name)
        .map(|value| Secret::new(value.into_vec()))
        .ok_or_else(|| CliError::usage(format!("{flag} env:{name}: the variable is not set")))
}

/// What a file holds.
///
/// # Errors
/// It cannot be read, or is too large.
pub(crate) fn file(flag: &str, path: &Path) -> Result<Secret, CliError> {
    let refuse = |why: String| CliError::usage(format!("{flag} @{}: {why}", path.display()));
    let opened = File::open(path).map_err(|error| refuse(error.to_string()))?;
    read_capped(opened).map_err(|why| refuse(why.to_string()))
}

/// What stdin holds, to its end.
///
/// # Errors
/// As [`file()`].
pub(crate) fn stdin(flag: &str) -> Result<Secret, CliError> {
    read_capped(std::io::stdin().lock()).map_err(|why| CliError::usage(format!("{flag}: {why}")))
}

/// Several secrets, each from a place of its own (`NAME=@FILE`, `NAME=env:VAR`, `NAME=-` for
/// stdin), as the one credential that they are: a JSON object.
///
/// # Errors
/// A part without a name or a place, a name or stdin twice, or as [`text`].
pub(crate) fn parts(flag: &str, given: &[String]) -> Result<Secret, CliError> {
    let mut parts: BTreeMap<&str, Secret> = BTreeMap::new();
    let mut is_stdin_read = false;
    for part in given {
        let named = part.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, place) = named.ok_or_else(|| {
            CliError::usage(format!(
                "{flag} takes NAME=@FILE, NAME=env:VAR or NAME=- for stdin"
            ))
        })?;
        let at = format!("{flag} {}", name.escape_default());
        let secret = match place {
            "-" if is_stdin_read => {
                return Err(CliError::usage(format!(
                    "{at}: stdin is read for another part"
                )));
            }
            "-" => {
                is_stdin_read = true;
                trim_line_end(&at, &stdin(&at)?)?
            }
            place => text(&at, &parse(&at, place)?)?,
        };
        if parts.insert(name, secret).is_some() {
            return Err(CliError::usage(format!("{at}: it is given twice")));
        }
    }
    let mut whole = zeroize::Zeroizing::new(Vec::with_capacity(MAX_SECRET_FILE_BYTES));
    let read = |secret: &Secret| {
        std::str::from_utf8(secret.expose())
            .map(str::to_owned)
            .map(zeroize::Zeroizing::new)
    };
    let texts: Result<Vec<_>, _> = parts
        .iter()
        .map(|(name, secret)| Ok((*name, read(secret)?)))
        .collect();
    let texts = texts
        .map_err(|_: std::str::Utf8Error| CliError::usage(format!("{flag}: it is not text")))?;
    let object: BTreeMap<&str, &str> = texts
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    serde_json::to_writer(&mut *whole, &object)
        .map_err(|error| CliError::usage(format!("{flag}: {error}")))?;
    Ok(Secret::new(std::mem::take(&mut *whole)))
}

#[cfg(test)]
mod tests {
    use toolhost_vault::SecretSource;

    use super::{parse, parts};

    #[test]
    fn several_secrets_are_one_json_object_and_none_stands_on_the_command_line() {
        let directory = std::env::temp_dir().join(format!("toolhost-parts-{}", std::process::id()));
        std::fs::write(&directory, "s\"ecret-0123456789\n").unwrap();
        let file = format!("secret=@{}", directory.display());
        let path = "client_id=env:PATH".to_owned();
        let whole = parts("--part", &[file.clone(), path.clone()]).unwrap();
        let read: serde_json::Value = serde_json::from_slice(whole.expose()).unwrap();
        assert_eq!(read["secret"], "s\"ecret-0123456789");
        assert!(read["client_id"].as_str().unwrap().contains('/'));
        for bad in [
            vec![file.clone(), file.clone()],
            vec!["tok_live_1".into()],
            vec!["a=tok_live_1".into()],
            vec!["=@x".into()],
        ] {
            let error = parts("--part", &bad).unwrap_err().to_string();
            assert!(!error.contains("tok_live"), "{error}");
        }
        std::fs::remove_file(directory).unwrap();
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        for text in ["tok_live_123", "", "@", "env:"] {
            let error = parse("--token", text).unwrap_err().to_string();
            assert!(
                error.contains("@FILE or env:VAR") && !error.contains("tok_live"),
                "{error}"
            );
        }
        assert_eq!(
            parse("--token", "@a").unwrap(),
            SecretSource::File("a".into())
        );
        assert_eq!(
            parse("--token", "env:A").unwrap(),
            SecretSource::Env("A".into())
        );
    }
}

//! `@FILE` and `env:VAR`: how a flag names a secret without holding it.

use std::path::PathBuf;

use toolhost_policy::Secret;
use toolhost_vault::Source;

use crate::exit::Failure;

/// A token may have 16 KiB; this leaves room for what an editor adds.
const MAX_TOKEN_FILE: u64 = 32 << 10;

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
    let text = match source {
        Source::Env(variable) => std::env::var(variable).map_err(|_| {
            Failure::auth(format!(
                "--token env:{variable}: the variable is not set, or is not text"
            ))
        })?,
        Source::File(path) => {
            let refuse = |why: String| Failure::auth(format!("--token @{}: {why}", path.display()));
            let size = std::fs::metadata(path)
                .map_err(|error| refuse(error.to_string()))?
                .len();
            if size > MAX_TOKEN_FILE {
                return Err(refuse("the file is larger than 32 KiB".into()));
            }
            std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?
        }
    };
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::auth("--token: it is empty"));
    }
    Ok(Secret::from(token.to_owned()))
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

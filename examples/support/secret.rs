use anyhow::{Context, bail};

/// Reads a secret that a flag names as `@FILE` or `env:VAR`. The secret itself never stands on a
/// command line.
///
/// # Errors
/// It is neither, cannot be read, or is empty.
pub fn secret(flag: &str, source: &str) -> anyhow::Result<String> {
    let secret = if let Some(path) = source.strip_prefix('@') {
        std::fs::read_to_string(path).with_context(|| format!("{flag} @{path}"))?
    } else if let Some(variable) = source.strip_prefix("env:") {
        std::env::var(variable).with_context(|| format!("{flag} env:{variable}"))?
    } else {
        bail!("{flag} takes @FILE or env:VAR");
    };
    let secret = secret.trim();
    if secret.is_empty() {
        bail!("{flag}: the secret is empty");
    }
    Ok(secret.to_owned())
}

//! What every URL of a connection has, whoever wrote it.

/// The path that every endpoint of a connection stands below, without a last `/`.
#[must_use]
pub fn base_prefix(base: &url::Url) -> &str {
    let path = base.path();
    path.strip_suffix('/').unwrap_or(path)
}

/// What a path must not hold, whoever wrote it.
///
/// # Errors
/// The words say what it holds.
pub fn check_canonical_path(path: &str) -> Result<(), &'static str> {
    if path.contains('\\') {
        return Err("holds a backslash");
    }
    let lower = path.to_ascii_lowercase();
    if ["%2f", "%5c", "%2e", "%00", "%0a", "%0d"]
        .iter()
        .any(|encoded| lower.contains(encoded))
    {
        return Err("holds an encoded separator, dot or control character");
    }
    let mut segments = path
        .strip_prefix('/')
        .ok_or("has no absolute path")?
        .split('/')
        .peekable();
    while let Some(segment) = segments.next() {
        if segment == "." || segment == ".." {
            return Err("holds a . or .. segment");
        }
        if segment.is_empty() && segments.peek().is_some() {
            return Err("holds an empty segment");
        }
    }
    Ok(())
}

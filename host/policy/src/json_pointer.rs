/// A JSON Pointer deeper than this is a mistake.
const MAX_POINTER: usize = 16;

/// The keys of a JSON Pointer (RFC 6901), none of them empty.
#[must_use]
pub fn pointer_keys(pointer: &str) -> Option<Vec<String>> {
    let keys: Vec<String> = pointer
        .strip_prefix('/')?
        .split('/')
        .map(|key| key.replace("~1", "/").replace("~0", "~"))
        .collect();
    (keys.len() <= MAX_POINTER && keys.iter().all(|key| !key.is_empty())).then_some(keys)
}

//! Names of tools: at most 64 of `[A-Za-z0-9_.-]`, and the same for the same operation wherever it stands in its document.

use std::collections::HashMap;

/// What clients and models take, and the contract.
const MAX: usize = 64;

/// An underscore and eight hexadecimal digits.
const SUFFIX: usize = 9;

/// Gives each operation its name: its id, or its method and path. One that had to be cut, or that several
/// operations would share, gets a suffix made of method and path, so that another operation's coming or going changes
/// nothing about it.
#[must_use]
pub(crate) fn assign(operations: &[Named<'_>]) -> Vec<String> {
    let plain: Vec<String> = operations
        .iter()
        .map(|operation| {
            let id = operation.id.map(sanitised).filter(|id| !id.is_empty());
            id.unwrap_or_else(|| {
                sanitised(&format!("{}_{}", operation.method.to_lowercase(), operation.path))
            })
        })
        .collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    for name in &plain {
        *count.entry(name).or_default() += 1;
    }
    plain
        .iter()
        .zip(operations)
        .map(|(name, operation)| {
            if name.len() <= MAX && count.get(name.as_str()) == Some(&1) {
                return name.clone();
            }
            let kept: String = name.chars().take(MAX - SUFFIX).collect();
            format!("{kept}_{:08x}", digest(operation.method, operation.path))
        })
        .collect()
}

/// An operation before it has a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    /// Its id in the document.
    pub(crate) id: Option<&'a str>,
    /// In upper case.
    pub(crate) method: &'a str,
    /// As in the document.
    pub(crate) path: &'a str,
}

/// What remains of a text in a name: runs of anything else become one `_`.
#[must_use]
pub(crate) fn sanitised(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    name.trim_matches('_').to_owned()
}

/// FNV-1a, folded: no secret hangs on it, it only has to be the same tomorrow.
fn digest(method: &str, path: &str) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in method.bytes().chain([b' ']).chain(path.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let [a, b, c, d, e, f, g, h] = hash.to_be_bytes();
    u32::from_be_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

#[cfg(test)]
mod tests {
    use super::{Named, assign, sanitised};

    fn named<'a>(id: Option<&'a str>, path: &'a str) -> Named<'a> {
        Named {
            id,
            method: "GET",
            path,
        }
    }

    #[test]
    fn an_id_or_method_and_path_make_the_name() {
        let names = assign(&[
            named(Some("repos/list-for user"), "/a"),
            named(None, "/v1/pets/{petId}/photos"),
            named(Some("日本"), "/b"),
        ]);
        assert_eq!(
            names,
            ["repos_list-for_user", "get_v1_pets_petId_photos", "get_b"]
        );
    }

    #[test]
    fn a_suffix_does_not_depend_on_the_neighbours() {
        let clash = assign(&[named(Some("list"), "/a"), named(Some("list"), "/b")]);
        let turned = assign(&[
            named(Some("list"), "/b"),
            named(Some("x"), "/c"),
            named(Some("list"), "/a"),
        ]);
        assert!(clash[0] != clash[1] && clash[0] == turned[2] && clash[1] == turned[0]);
        let long = "x".repeat(80);
        let cut = assign(&[named(Some(&long), "/a"), named(Some(&long), "/b")]);
        assert!(cut.iter().all(|name| name.len() == 64) && cut[0] != cut[1]);
    }

    #[test]
    fn only_plain_characters_remain() {
        assert_eq!(sanitised("a__b//c\u{202e}d\n"), "a_b_c_d");
        assert_eq!(sanitised("__"), "");
    }
}

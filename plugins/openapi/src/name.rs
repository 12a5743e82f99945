//! Names of tools: at most 64 of `[A-Za-z0-9_-]`, and the same for the same operation wherever it
//! stands in its document.

use std::collections::HashMap;

use toolhost_sdk::adapter::name::with_digest;
pub(crate) use toolhost_sdk::adapter::name::{sanitised, spelled_out};

/// What clients and models take, and the contract.
const MAX: usize = 64;

/// Gives each operation its name: its id, or its method and path. One that had to be cut, or that
/// several operations would share, gets a suffix made of method and path, so that another
/// operation's coming or going changes nothing about it.
#[must_use]
pub(crate) fn assign(operations: &[OperationKey<'_>]) -> Vec<String> {
    let plain: Vec<String> = operations
        .iter()
        .map(|operation| {
            let id = operation.id.map(without_dots).filter(|id| !id.is_empty());
            id.unwrap_or_else(|| {
                without_dots(&format!(
                    "{}_{}",
                    operation.method.to_lowercase(),
                    operation.path
                ))
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
            with_digest(
                name,
                &format!("{} {}", operation.method, operation.path),
                MAX,
            )
        })
        .collect()
}

/// An operation before it has a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperationKey<'a> {
    /// Its id in the document.
    pub(crate) id: Option<&'a str>,
    /// In upper case.
    pub(crate) method: &'a str,
    /// The path as in the document.
    pub(crate) path: &'a str,
}

/// The name of a tool: a dot is no part of it, since the APIs of models refuse a whole list for
/// one.
fn without_dots(text: &str) -> String {
    sanitised(&text.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::{OperationKey, assign};

    fn named<'a>(id: Option<&'a str>, path: &'a str) -> OperationKey<'a> {
        OperationKey {
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
    fn a_dot_is_no_part_of_a_name_and_two_that_differ_in_it_are_told_apart() {
        let names = assign(&[
            named(Some("chat.postMessage"), "/a"),
            named(Some("drive.files.list"), "/b"),
            named(Some("drive_files.list"), "/c"),
            named(None, "/v1.1/x.json"),
        ]);
        assert_eq!(names[0], "chat_postMessage");
        assert!(
            names[1].starts_with("drive_files_list_") && names[2].starts_with("drive_files_list_")
        );
        assert_ne!(names[1], names[2]);
        assert_eq!(names[3], "get_v1_1_x_json");
    }
}

//! The rules of names in CONTRIBUTING.md, "Names and comments": each test is one of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toolhost_harness::root;

/// Names that every crate may have once.
const ONE_PER_CRATE: &[&str] = &["Args", "Cli", "Command", "Config", "Error"];

/// Where a name stands once. The SDK's authors meet a tool's and an adapter's side apart, and an
/// example is read alone.
const ONE_NAMESPACE: &[&str] = &["host/", "plugins/", "xtask/"];

/// Adjectives and participles that do not end as most of them do.
const NO_NOUNS: &[&str] = &[
    "Alone", "Begun", "Brought", "Built", "Done", "Every", "Foreign", "Gone", "Heard", "Held",
    "Kept", "Known", "Left", "Lost", "Made", "Meant", "Missing", "New", "Nobody", "Nothing", "Old",
    "One", "Open", "Other", "Others", "Own", "Plain", "Read", "Ready", "Said", "Seen", "Sent",
    "Shown", "Silent", "Spun", "Taken", "Told", "Unread", "Untold", "Unusable", "Which", "Written",
];

/// Words that end as a participle does and are nouns of the field.
const NOUNS: &[&str] = &[
    "Billing", "Binding", "Encoding", "Feed", "Seed", "Spelling", "Keyring", "Ring", "Setting",
    "String", "Thing",
];

/// A type that is defined outside a test module.
struct Definition {
    name: String,
    place: String,
    is_in_namespace: bool,
}

/// The sources of what ships, of the examples, of the test harness and of xtask, without their
/// tests, by path from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = [
        "examples",
        "host",
        "plugins",
        "sdk/rust",
        "tests/harness",
        "xtask",
    ]
    .map(|top| root().join(top))
    .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "tests" | "benches" | "examples") {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" && !name.ends_with("_tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((relative(&path), without_tests(&text)));
            }
        }
    }
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// A file's text as far as its module of tests, which stands last.
fn without_tests(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    for (path, text) in sources() {
        for (index, line) in text.lines().enumerate() {
            let Some(name) = defined(line) else { continue };
            all.push(Definition {
                name: name.to_owned(),
                place: format!("{path}:{}", index + 1),
                is_in_namespace: ONE_NAMESPACE.iter().any(|top| path.starts_with(top)),
            });
        }
    }
    assert!(all.len() > 500, "the sources were found");
    all
}

/// The name of a type that a line defines.
fn defined(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let mut word = words.next()?;
    if word.starts_with("pub") {
        word = words.next()?;
        if word.ends_with(')') {
            word = words.next()?;
        }
    }
    // An associated type has the name that its trait gives it.
    let is_type = matches!(word, "struct" | "enum" | "trait" | "union")
        || word == "type" && !line.starts_with(' ');
    let name = words.next().filter(|_| is_type)?;
    let end = name
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(name.len());
    Some(&name[..end]).filter(|name| name.starts_with(|c: char| c.is_uppercase()))
}

#[test]
fn a_type_name_stands_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for definition in definitions() {
        if !ONE_PER_CRATE.contains(&definition.name.as_str()) && definition.is_in_namespace {
            places
                .entry(definition.name)
                .or_default()
                .push(definition.place);
        }
    }
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn no_type_is_named_by_an_adjective_or_a_participle_alone() {
    let is_bare = |name: &str| {
        let is_one_word = !name[1..].contains(|c: char| c.is_uppercase() || c.is_ascii_digit());
        let ends = ["ed", "ing"].iter().any(|end| name.ends_with(end));
        is_one_word && (ends && !NOUNS.contains(&name) || NO_NOUNS.contains(&name))
    };
    let bare: Vec<String> = definitions()
        .into_iter()
        .filter(|definition| is_bare(&definition.name))
        .map(|definition| format!("{} {}", definition.place, definition.name))
        .collect();
    assert!(bare.is_empty(), "{bare:#?}");
}

#[test]
fn no_constructor_is_called_of() {
    let of: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains("fn of(") || text.contains("fn of<"))
        .map(|(path, _)| path)
        .collect();
    assert!(of.is_empty(), "{of:#?}");
}

#[test]
fn a_doc_comment_names_its_subject() {
    let is_doc = |line: &str| {
        let line = line.trim_start();
        line.starts_with("///") || line.starts_with("//!")
    };
    let mut unnamed = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let begins = index == 0 || !is_doc(lines[index - 1]);
            let text = line.trim_start().get(4..).unwrap_or_default();
            let has_none = text.starts_with("The same")
                || text.starts_with("As ") && !text.starts_with("As [`");
            if is_doc(line) && begins && has_none {
                unnamed.push(format!("{path}:{} {text}", index + 1));
            }
        }
    }
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

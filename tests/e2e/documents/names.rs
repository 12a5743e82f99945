//! What the documents name: pages, files, tests, configurations; and what they must not name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toolhost_policy::Manifest;

use super::shell::host;
use super::text::{Document, all_source, document, documents, root};

#[test]
fn every_link_leads_somewhere() {
    for from in documents() {
        for link in from.links() {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(&from.name).parent().unwrap().to_owned();
            let target = if file.is_empty() {
                PathBuf::from(&from.name)
            } else {
                folder.join(file)
            };
            assert!(root().join(&target).exists(), "{}: {link}", from.name);
            if !anchor.is_empty() {
                let to = Document {
                    name: link.clone(),
                    text: std::fs::read_to_string(root().join(&target)).unwrap(),
                };
                assert!(
                    to.anchors().iter().any(|known| known == anchor),
                    "{}: {link} not in {:?}",
                    from.name,
                    to.anchors()
                );
            }
        }
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let listed: BTreeSet<String> = document("docs/src/SUMMARY.md")
        .links()
        .into_iter()
        .collect();
    let mut pages: BTreeSet<String> = documents()
        .iter()
        .filter_map(|document| document.name.strip_prefix("docs/src/").map(str::to_owned))
        .collect();
    pages.remove("SUMMARY.md");
    assert_eq!(listed, pages);
}

/// What a document names in backticks as a file of this repository is one.
#[test]
fn every_file_that_is_named_exists() {
    for document in documents() {
        for name in document.quoted() {
            let is_path = [
                "host/",
                "tests/",
                "docs/",
                "examples/",
                "xtask/",
                "wit/",
                "fuzz/",
                "sdk/",
                ".ci/",
            ]
            .iter()
            .any(|top| name.starts_with(top));
            let is_pattern = name.contains(['*', ' ', '{', 'N']);
            assert!(
                !is_path || is_pattern || root().join(&name).exists(),
                "{}: {name}",
                document.name
            );
        }
    }
}

/// A defence that names a test that is not there is a promise.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let source = all_source();
    let page = document("docs/src/attacks.md");
    let mut count = 0;
    for row in page.prose().iter().filter(|line| {
        line.starts_with("| T")
            || line.starts_with("| A")
            || line.starts_with("| E")
            || line.starts_with("| N")
    }) {
        let tests = row.rsplit('|').nth(1).unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            assert!(
                source.contains(&format!("fn {name}(")),
                "there is no test {name}: {row}"
            );
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}

#[test]
fn every_bound_of_host_work_is_held_by_a_test_or_a_fuzz_target_that_is_there() {
    let source = all_source();
    let page = document("docs/src/threat-model.md");
    let is_row = |line: &&&str| {
        line.starts_with("| ")
            && !["| code", "| part", "| what"]
                .iter()
                .any(|head| line.starts_with(head))
    };
    let lines = page.prose();
    let mut count = 0;
    // The table of queues names what has no test too.
    let lines = lines
        .iter()
        .take_while(|line| !line.starts_with("## Queues"));
    for row in lines.filter(is_row) {
        let tests = row.rsplit('|').nth(1).unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            let is_target = root().join(format!("fuzz/targets/{name}.rs")).exists();
            assert!(
                is_target || source.contains(&format!("fn {name}(")),
                "there is no {name}: {row}"
            );
        }
        count += 1;
    }
    assert!(count > 25, "{count}");
}

#[test]
fn no_document_names_a_registry_or_a_place_on_a_machine() {
    for document in documents() {
        for name in [
            "crates.io",
            "npmjs",
            "pypi.org",
            "golang.org",
            "rubygems",
            "docker.io",
            "ghcr.io",
            "quay.io",
            concat!("/", "root/"),
            "/home/",
            concat!("/", "work/"),
            "/tmp/",
            "/Users/",
        ] {
            assert!(!document.text.contains(name), "{}: {name}", document.name);
        }
    }
}

#[test]
fn every_configuration_that_is_shown_is_one() {
    for document in documents() {
        for block in document
            .blocks()
            .iter()
            .filter(|block| block.language == "toml")
        {
            let text = block.lines.join("\n") + "\n";
            let place = format!("{}, line {}", document.name, block.at);
            if text.contains("[package]") {
                continue;
            }
            if text.contains("[plugin]") {
                Manifest::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{place}: {error}"));
                continue;
            }
            let directory = tempfile::tempdir().unwrap();
            let ca = rcgen::generate_simple_self_signed(vec!["ca.example".into()]).unwrap();
            std::fs::write(directory.path().join("ca.pem"), ca.cert.pem()).unwrap();
            std::fs::write(directory.path().join("host.toml"), &text).unwrap();
            let output = host(directory.path(), &["doctor", "--output", "json"]);
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                report["checks"][0]["verdict"], "ok",
                "{place}: {}",
                report["checks"][0]["detail"]
            );
        }
    }
}

/// The tool that the first page shows is the one that the plugin page's commands build and call.
#[test]
fn the_tool_of_the_first_page_is_built() {
    let rust = |name: &str| {
        let mut blocks = document(name).blocks();
        blocks.retain(|block| block.language == "rust");
        blocks.remove(0).lines
    };
    let whole = rust("docs/src/write-a-plugin.md");
    for line in rust("README.md") {
        assert!(whole.contains(&line), "{line}");
    }
}

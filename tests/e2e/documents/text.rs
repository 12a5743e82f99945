//! Documents, and what is found in them: fenced blocks, tables, headings, links.

use std::path::{Path, PathBuf};

pub use toolhost_harness::root;

pub struct Document {
    /// From the top of the repository.
    pub name: String,
    pub text: String,
}

/// A fenced block.
pub struct Block {
    pub language: String,
    /// The file that the block is: a line of nothing but `` `name`: `` stands before it.
    pub file: Option<String>,
    pub lines: Vec<String>,
    /// The line of the fence, from 1.
    pub at: usize,
}

/// Everything that people read.
pub fn documents() -> Vec<Document> {
    let root = root();
    let mut paths: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ]
    .iter()
    .map(|name| root.join(name))
    .collect();
    for folder in [
        "docs/src",
        "examples/billing",
        "examples/cluster",
        "examples/nevent",
        "examples/tenant-billing",
        "sdk/rust",
        "tests/clients",
    ] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let document = |path: &PathBuf| Document {
        name: path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned(),
        text: std::fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(document).collect()
}

pub fn document(name: &str) -> Document {
    let text = std::fs::read_to_string(root().join(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    Document {
        name: name.to_owned(),
        text,
    }
}

impl Document {
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<(usize, Block)> = None;
        let mut before = "";
        for (index, line) in self.text.lines().enumerate() {
            let text = line.trim_start();
            let indent = line.len() - text.len();
            if let Some((own, block)) = &mut open {
                if text == "```" && indent == *own {
                    blocks.extend(open.take().map(|(_, block)| block));
                } else {
                    block.lines.push(line.get(*own..).unwrap_or("").to_owned());
                }
            } else if let Some(language) = text.strip_prefix("```") {
                let file = before
                    .strip_prefix('`')
                    .and_then(|rest| rest.strip_suffix("`:"));
                let block = Block {
                    language: language.to_owned(),
                    file: file.map(str::to_owned),
                    lines: Vec::new(),
                    at: index + 1,
                };
                open = Some((indent, block));
            }
            if !text.is_empty() {
                before = text;
            }
        }
        assert!(open.is_none(), "{}: a block has no end", self.name);
        blocks
    }

    /// Its lines outside fenced blocks.
    pub fn prose(&self) -> Vec<&str> {
        let mut inside = false;
        let outside = |line: &&str| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        };
        self.text.lines().filter(outside).collect()
    }

    /// The rows of the table under a heading (the first one after it), without its head: cells,
    /// trimmed.
    pub fn table(&self, heading: &str) -> Vec<Vec<String>> {
        let prose = self.prose();
        let is_heading =
            |line: &&str| line.starts_with('#') && line.trim_start_matches('#').trim() == heading;
        let at = prose
            .iter()
            .position(is_heading)
            .unwrap_or_else(|| panic!("{}: no heading {heading:?}", self.name));
        let rows = prose
            .iter()
            .skip(at + 1)
            .skip_while(|line| !line.starts_with('|') && !line.starts_with('#'))
            .take_while(|line| line.starts_with('|'));
        rows.skip(2).map(|line| cells(line)).collect()
    }

    /// The first cells of such a table, without their backticks.
    pub fn keys(&self, heading: &str) -> Vec<String> {
        self.table(heading)
            .iter()
            .map(|row| code(&row[0]))
            .collect()
    }

    /// Every text in backticks outside fenced blocks.
    pub fn quoted(&self) -> Vec<String> {
        let text = self.prose().join("\n");
        text.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    /// The targets of its links.
    pub fn links(&self) -> Vec<String> {
        let text = self.prose().join("\n");
        let target = |rest: &str| rest.split(')').next().unwrap().to_owned();
        text.split("](").skip(1).map(target).collect()
    }

    /// The anchors of its headings, as mdbook and the forges make them.
    pub fn anchors(&self) -> Vec<String> {
        let slug = |heading: &str| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let text: String = heading.to_lowercase().chars().filter(kept).collect();
            text.trim().replace(' ', "-")
        };
        let headings = self
            .prose()
            .into_iter()
            .filter(|line| line.starts_with('#'));
        headings
            .map(|line| slug(line.trim_start_matches('#')))
            .collect()
    }
}

/// A text without its backticks.
pub fn code(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

fn cells(line: &str) -> Vec<String> {
    // A bar inside a cell is written `\|`.
    let line = line.trim().trim_matches('|').replace("\\|", "\u{0}");
    line.split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// Every Rust file under a folder.
pub fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Everything that is written in Rust here.
pub fn all_source() -> String {
    let mut paths = Vec::new();
    for folder in ["host", "sdk", "plugins", "tests", "examples", "xtask"] {
        sources(&root().join(folder), &mut paths);
    }
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

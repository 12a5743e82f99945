//! What a yes is given to when the tools of a connection come from a described system.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Tools that are named one by one before a person is told how many there are.
const NAMED: usize = 40;

/// All that a yes is given to. Two that are equal need one yes; any difference needs another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionApproval {
    /// The connection.
    pub(crate) name: String,
    /// The adapter that found them.
    pub(crate) adapter: String,
    /// SHA-256 of its component, in hexadecimal.
    pub(crate) digest: String,
    /// SHA-256 of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<String>,
    /// SHA-256 of what the system said, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
    /// Where the document says that the system is, where the operator does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
    /// SHA-256 of all that a model sees of each tool, and of what its calls may send, by the tool's
    /// own name.
    pub(crate) tools: BTreeMap<String, String>,
    /// What the system itself calls the tools that have other names here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) upstream_names: BTreeMap<String, String>,
}

impl ConnectionApproval {
    /// The digest of the document or the answer that the tools were found in.
    pub(crate) fn said(&self) -> Option<&str> {
        self.answer.as_deref().or(self.document.as_deref())
    }

    /// What a person reads before saying yes, a line each.
    pub(super) fn lines(&self, before: Option<&Self>) -> Vec<String> {
        let Some(before) = before else {
            let mut lines = vec![format!("adapter {} {}", self.adapter, self.digest)];
            lines.extend(
                self.document
                    .iter()
                    .map(|digest| format!("document: {digest}")),
            );
            lines.extend(
                self.base
                    .iter()
                    .map(|base| format!("base: {base}, as its document says")),
            );
            let mut names: Vec<String> = self
                .tools
                .keys()
                .map(|name| self.display_name(name))
                .collect();
            let more = names.len().saturating_sub(NAMED);
            names.truncate(NAMED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            lines.push(format!("tools: {}{more}", names.join(", ")));
            return lines;
        };
        let mut lines = Vec::new();
        let mut changed = |what: &str, old: Option<&String>, new: Option<&String>| {
            if old != new {
                let show = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
                lines.push(format!("~ {what} {} -> {}", show(old), show(new)));
            }
        };
        changed("adapter", Some(&before.adapter), Some(&self.adapter));
        changed("digest", Some(&before.digest), Some(&self.digest));
        changed("document", before.document.as_ref(), self.document.as_ref());
        changed("base", before.base.as_ref(), self.base.as_ref());
        let names: BTreeSet<_> = before.tools.keys().chain(self.tools.keys()).collect();
        for name in names {
            match (before.tools.get(name), self.tools.get(name)) {
                (Some(_), None) => lines.push(format!("- tool {}", before.display_name(name))),
                (None, Some(_)) => lines.push(format!("+ tool {}", self.display_name(name))),
                (Some(old), Some(new)) if old != new => {
                    lines.push(format!(
                        "~ tool {name}: its description, schemas, effects or operation"
                    ));
                }
                _ => {}
            }
        }
        lines
    }

    /// A tool's name, and beside it what the system itself calls it.
    fn display_name(&self, name: &str) -> String {
        match self.upstream_names.get(name) {
            Some(own) => format!("{name} ({})", crate::output::printable(own)),
            None => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::ConnectionApproval;

    fn described(tools: &[(&str, &str)]) -> ConnectionApproval {
        let tools = tools
            .iter()
            .map(|&(name, digest)| (name.to_owned(), digest.to_owned()));
        ConnectionApproval {
            name: "billing".into(),
            adapter: "openapi".into(),
            digest: "aa".into(),
            document: Some("dd".into()),
            answer: None,
            base: Some("https://billing.example.com/".into()),
            tools: tools.collect(),
            upstream_names: BTreeMap::new(),
        }
    }

    #[test]
    fn a_tool_of_another_name_is_told_with_its_own() {
        let mut described = described(&[("chat_postMessage", "1"), ("list", "1")]);
        described.upstream_names = [("chat_postMessage".into(), "chat.postMessage".into())].into();
        let lines = described.lines(None);
        assert!(
            lines.contains(&"tools: chat_postMessage (chat.postMessage), list".to_owned()),
            "{lines:?}"
        );
    }

    #[test]
    fn what_changed_is_told_tool_by_tool() {
        let before = described(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let mut after = described(&[("a", "1"), ("b", "2"), ("d", "1")]);
        after.base = Some("https://evil.example/".into());
        let lines = after.lines(Some(&before));
        for line in [
            "~ tool b:",
            "- tool c",
            "+ tool d",
            "~ base https://billing.example.com/ -> https://evil",
        ] {
            assert!(
                lines.iter().any(|known| known.starts_with(line)),
                "{line}: {lines:?}"
            );
        }
        assert!(!lines.iter().any(|line| line.contains("tool a")));
        assert!(before.lines(Some(&before)).is_empty());
    }

    #[test]
    fn a_thousand_tools_are_counted_and_not_all_named() {
        let many: BTreeMap<_, _> = (0..1_222)
            .map(|n| (format!("t{n:04}"), "1".to_owned()))
            .collect();
        let described = ConnectionApproval {
            tools: many,
            ..described(&[])
        };
        assert!(
            described
                .lines(None)
                .iter()
                .any(|line| line.ends_with("and 1182 more"))
        );
    }
}

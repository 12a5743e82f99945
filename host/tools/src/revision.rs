use sha2::{Digest, Sha256};

/// A number for a list of tools: equal on every host and after every start for an equal list, so
/// that a cursor or a page of one is good on another, and another one where anything differs that a
/// client sees.
#[derive(Debug, Default)]
pub(crate) struct RevisionDigest(Sha256);

impl RevisionDigest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// Never zero: that is the revision of no list at all.
    pub(crate) fn finish(self) -> u64 {
        let digest = self.0.finalize();
        let first = digest.iter().take(8);
        first
            .fold(0, |number, byte| (number << 8) | u64::from(*byte))
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use toolhost_policy::PluginName;
    use toolhost_sandbox::contract::Tool;

    use super::RevisionDigest;
    use crate::ToolEntry;
    use crate::entry::test_tool;

    fn revision(change: impl FnOnce(&mut Tool)) -> u64 {
        let mut tool = test_tool("list");
        change(&mut tool);
        let mut revision = RevisionDigest::default();
        let entry = ToolEntry::new(&PluginName::parse("billing").unwrap(), tool).unwrap();
        entry.add_to(&mut revision);
        revision.finish()
    }

    #[test]
    fn whatever_clients_see_of_a_tool_makes_another_revision() {
        let before = revision(|_| {});
        assert_eq!(revision(|_| {}), before);
        let schema = r#"{"type":"object","properties":{"id":{"type":"string"}}}"#;
        for after in [
            revision(|tool| tool.title = Some("List".into())),
            revision(|tool| tool.description = "Lists all.".into()),
            revision(|tool| tool.input_schema = schema.into()),
            revision(|tool| tool.output_schema = Some(schema.into())),
            revision(|tool| tool.requires = vec!["elicitation".into()]),
        ] {
            assert_ne!(after, before);
        }
    }
}

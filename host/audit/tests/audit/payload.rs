//! No event has a member for what callers, tools or outside systems say.

use crate::support;

/// Every member of every event, and what it can hold. A line that is added here is a decision: it
/// must not be able to hold an argument, a result, a body, a query value or a secret.
const MEMBERS: &[&str] = &[
    // names
    "tenant",
    "issuer",
    "subject",
    "client",
    "kind",
    "plugin",
    "tool",
    // its name at the described system, as it was granted
    "upstream_name",
    // those of an assignment, which the operator names and the plugin has
    "tools",
    "connection",
    // of a described system's tool, cut to 128 characters
    "upstream_name",
    "user",
    "by",
    "parent",
    "what",
    "address",
    // an address, or a tenant
    "source",
    // codes
    "outcome",
    "reason",
    "method",
    "action",
    "mode",
    "found",
    "version",
    // the template of a granted endpoint; of a refused request what the guest asked for, cut to 128
    // characters
    "path",
    // digests
    "digest",
    // numbers and switches
    "call",
    "arguments_bytes",
    "read_only",
    "result_bytes",
    "duration_us",
    "credential_version",
    "request_bytes",
    "status",
    "sent",
    "response_bytes",
    "reflections",
    "generation",
    "pid",
    "dropped_bytes",
    "refused",
    "refused_alike",
    "count",
    "done",
    "from",
    "to",
    "who",
];

#[test]
fn events_have_members_for_names_codes_lengths_and_versions_only() {
    let source =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/event.rs")).unwrap();
    let mut count = 0;
    for line in source
        .lines()
        .filter_map(|line| line.strip_prefix("    pub "))
    {
        let (name, _) = line.split_once(':').unwrap();
        assert!(MEMBERS.contains(&name), "{name} is a new member");
        count += 1;
    }
    assert!(count > 50, "{count} members were looked at");
}

#[test]
fn no_member_holds_text_of_any_length_but_names() {
    // A record of each kind stays near the size that the bench measures.
    for event in [
        support::started("acme", 1, true),
        support::finished("acme", 1),
        support::intent("acme", 1, "POST"),
        support::grant(),
    ] {
        assert!(serde_json::to_vec(&event).unwrap().len() < 500);
    }
}

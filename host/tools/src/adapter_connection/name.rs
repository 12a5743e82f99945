use sha2::{Digest, Sha256};

/// The longest name of a tool that clients take.
const MAX_NAME: usize = 64;

/// Hexadecimal digits at the end of a name that was cut.
const SUFFIX: usize = 8;

/// Between a connection's name and its tool's.
const BETWEEN: &str = "__";

/// The name under which a tool of a connection is served: `CONNECTION__TOOL`, so that two systems
/// with a tool of the same name stand side by side. One that is too long, or has a dot, which the
/// APIs of models refuse, is changed and ends in a digest of the whole: the same for ever, and
/// never another tool's.
#[must_use]
pub fn tool_name(connection: &str, tool: &str) -> String {
    let whole = format!("{connection}{BETWEEN}{tool}");
    if whole.len() <= MAX_NAME && !whole.contains('.') {
        return whole;
    }
    let digest: String = Sha256::digest(whole.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let plain = whole.replace('.', "_");
    let kept = plain
        .chars()
        .filter(char::is_ascii)
        .take(MAX_NAME - SUFFIX - 1);
    kept.chain(['_'])
        .chain(digest.chars().take(SUFFIX))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::tool_name;

    #[test]
    fn a_name_begins_with_its_connection_and_is_never_too_long() {
        assert_eq!(
            tool_name("billing", "listInvoices"),
            "billing__listInvoices"
        );
        let long = "x".repeat(64);
        let (a, b) = (tool_name("billing", &long), tool_name("support", &long));
        assert_eq!((a.len(), b.len()), (64, 64));
        assert!(a.starts_with("billing__xxx") && a != b);
        assert_eq!(a, tool_name("billing", &long), "stable");
        assert_ne!(a, tool_name("billing", &format!("{}y", "x".repeat(63))));
        assert_eq!(tool_name(&"c".repeat(63), "list").len(), 64);
        assert_eq!(tool_name("billing", &"x".repeat(55)).len(), 64);
    }

    #[test]
    fn a_dot_is_mapped_and_never_to_another_tools_name() {
        let dotted = tool_name("slack", "chat.postMessage");
        assert!(dotted.starts_with("slack__chat_postMessage_"), "{dotted}");
        assert_ne!(dotted, tool_name("slack", "chat_postMessage"));
        assert_ne!(tool_name("slack", "a.b_c"), tool_name("slack", "a_b.c"));
        assert!(tool_name("slack", &"a.".repeat(40)).len() == 64);
    }
}

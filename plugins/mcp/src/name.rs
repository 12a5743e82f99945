//! What a model calls a tool: what the server calls it, where the APIs of models take that; else
//! something like it that stays the same whatever other tools there are.

use toolhost_sdk::adapter::name::with_digest;

/// What the contract takes.
const MAX: usize = 64;

/// What the protocol lets a server use.
const MAX_OWN: usize = 128;

/// The tool's name here; `None` where the server's own is none: empty, too long, or with characters
/// that could be taken for others.
pub(crate) fn of_tool(own: &str) -> Option<String> {
    let is_name = !own.is_empty()
        && own.len() <= MAX_OWN
        && own.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
    if !is_name {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if own.len() <= MAX && own.chars().all(plain) {
        return Some(own.to_owned());
    }
    let start: String = own
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    Some(with_digest(&start, own, MAX))
}

#[cfg(test)]
mod tests {
    use super::of_tool;

    #[test]
    fn a_name_stays_where_it_can() {
        assert_eq!(of_tool("get_Ticket-2").as_deref(), Some("get_Ticket-2"));
        let dotted = of_tool("tickets.get").unwrap();
        assert!(
            dotted.starts_with("tickets_get_") && dotted.len() == 20,
            "{dotted}"
        );
        assert_ne!(Some(dotted), of_tool("tickets_get"));
        let changed = of_tool("tickets/get").unwrap();
        assert!(
            changed.starts_with("tickets_get_") && changed.len() == 20,
            "{changed}"
        );
        assert_ne!(of_tool("tickets/get"), of_tool("tickets:get"));
        let long = of_tool(&"x".repeat(100)).unwrap();
        assert_eq!(long.len(), 64);
        assert_ne!(Some(long), of_tool(&"x".repeat(99)));
    }

    #[test]
    fn what_could_be_taken_for_another_name_is_none() {
        for bad in [
            "",
            "get ticket",
            "gеt",
            "get\u{200b}",
            "a\n",
            &"x".repeat(129),
        ] {
            assert_eq!(of_tool(bad), None, "{bad:?}");
        }
    }
}

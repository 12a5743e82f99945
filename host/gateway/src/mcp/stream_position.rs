use std::fmt;

/// What the labels of MCP's events begin with. Those of the HTTP API have none of it, and each
/// transport reads its own.
pub(super) const MCP: &str = "mcp:";
/// After the last event of an answer's stream.
const LAST: char = '!';

/// The label of an event of the standalone stream.
pub(super) const STANDALONE: &str = MCP;

/// Whether an event is one of MCP's.
pub(crate) fn is_mcp(label: &str) -> bool {
    label.starts_with(MCP)
}

/// The stream of one answer. Its events are numbered where it is written, so that none of them
/// waits for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StreamId(u64);

/// An event's place in the stream of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamPosition {
    pub(super) stream: StreamId,
    pub(super) index: u64,
}

impl StreamId {
    /// A name that no other stream has.
    pub(super) fn random() -> Option<Self> {
        getrandom::u64().ok().map(Self)
    }
}

impl StreamPosition {
    /// What a request brought as `Last-Event-ID`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (stream, index) = text.split_once('.')?;
        let place = Self {
            stream: StreamId(u64::from_str_radix(stream, 16).ok()?),
            index: index.parse().ok()?,
        };
        // One spelling a place.
        (place.to_string() == text).then_some(place)
    }

    /// What the event is kept under.
    pub(super) fn label(&self, last: bool) -> String {
        let mut label = format!("{MCP}{self}");
        label.extend(last.then_some(LAST));
        label
    }

    /// A label's place, and whether it is the last of its stream.
    pub(super) fn of_label(label: &str) -> Option<(Self, bool)> {
        let place = label.strip_prefix(MCP)?;
        let (place, last) = match place.strip_suffix(LAST) {
            Some(place) => (place, true),
            None => (place, false),
        };
        Self::parse(place).map(|place| (place, last))
    }
}

impl fmt::Display for StreamPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", self.stream.0, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::{STANDALONE, StreamId, StreamPosition, is_mcp};

    #[test]
    fn a_place_has_one_spelling() {
        let place = StreamPosition {
            stream: StreamId(0xab),
            index: 7,
        };
        assert_eq!(StreamPosition::parse(&place.to_string()), Some(place));
        for odd in [
            "",
            ".",
            "ab.7",
            "00000000000000AB.7",
            "00000000000000ab.07",
            "00000000000000ab.+7",
            "0/0",
            "1-ab",
        ] {
            assert!(StreamPosition::parse(odd).is_none(), "{odd}");
        }
        for last in [true, false] {
            assert_eq!(
                StreamPosition::of_label(&place.label(last)),
                Some((place, last))
            );
        }
        assert!(
            StreamPosition::of_label(STANDALONE).is_none()
                && is_mcp(STANDALONE)
                && !is_mcp("call_started")
        );
    }
}

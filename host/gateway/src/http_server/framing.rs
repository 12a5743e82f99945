//! Line ends of requests. The HTTP library takes a lone LF for a line end, as RFC 9112 section 2.2
//! allows; a proxy before the host that does not would see another request than the host does
//! (request smuggling). So does a length beside a transfer encoding (section 6.1).
//!
//! What is wrong is made unreadable before the library sees it, which answers 400 and closes the
//! connection. Nothing is let through that the library would refuse.

/// Of a header line: enough to see which header it is, and its value where that is a length.
const MAX_LINE_SEEN: usize = 128;

/// No header field, and no chunk, may hold this byte.
const UNREADABLE: u8 = 0;

/// Where in its requests a connection is.
#[derive(Debug, Default)]
pub(super) struct RequestFraming {
    part: FramingState,
    line: Vec<u8>,
    /// The line is longer than what is kept of it.
    is_cut: bool,
    last: u8,
    is_begun: bool,
    length: Option<u64>,
    is_chunked: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum FramingState {
    #[default]
    Head,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    /// What came is made unreadable, so nothing more is looked at.
    Over,
}

impl RequestFraming {
    /// Looks at bytes that have just come, in their order.
    pub(super) fn check(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let skipped = match &mut self.part {
                FramingState::Over => return,
                FramingState::Body(left) | FramingState::ChunkData(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= skipped as u64;
                    skipped
                }
                _ => 0,
            };
            match self.part {
                FramingState::Body(0) => self.part = FramingState::Head,
                FramingState::ChunkData(0) => self.part = FramingState::ChunkEnd,
                _ => {}
            }
            if skipped > 0 {
                rest = rest.split_at_mut(skipped).1;
                continue;
            }
            let Some((byte, after)) = rest.split_first_mut() else {
                return;
            };
            if *byte == b'\n' {
                if self.last != b'\r' || !self.ends_line() {
                    *byte = UNREADABLE;
                    self.part = FramingState::Over;
                    return;
                }
                self.line.clear();
                (self.last, self.is_cut) = (0, false);
            } else {
                match self.line.len() < MAX_LINE_SEEN {
                    true => self.line.push(*byte),
                    false => self.is_cut = true,
                }
                self.last = *byte;
            }
            rest = after;
        }
    }

    /// A line has ended as it should; whether its request may go on. A length of which not all was
    /// seen, or that is none, may be one for the library: it ends here.
    fn ends_line(&mut self) -> bool {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        match self.part {
            FramingState::Head if !line.is_empty() => {
                let colon = line
                    .iter()
                    .position(|byte| *byte == b':')
                    .filter(|_| self.is_begun);
                let (name, value) = line.split_at(colon.unwrap_or(0));
                if name.eq_ignore_ascii_case(b"transfer-encoding") {
                    self.is_chunked = true;
                } else if name.eq_ignore_ascii_case(b"content-length") {
                    let length = number(value.get(1..).unwrap_or_default(), 10);
                    self.length = length.filter(|_| !self.is_cut);
                    if self.length.is_none() {
                        return false;
                    }
                }
                self.is_begun = true;
            }
            // Empty lines before a request are none of it.
            FramingState::Head if !self.is_begun => {}
            FramingState::Head => {
                let (length, is_chunked) =
                    (self.length.take(), std::mem::take(&mut self.is_chunked));
                self.is_begun = false;
                self.part = match (length, is_chunked) {
                    (Some(_), true) => return false,
                    (None, true) => FramingState::ChunkSize,
                    (Some(length), false) if length > 0 => FramingState::Body(length),
                    (_, false) => FramingState::Head,
                };
            }
            FramingState::ChunkSize => {
                let mut parts = line.split(|byte| *byte == b';');
                let size = parts.next().unwrap_or_default();
                let is_whole = !self.is_cut || parts.next().is_some();
                self.part = match number(size, 16).filter(|_| is_whole) {
                    Some(0) => FramingState::Trailers,
                    Some(size) => FramingState::ChunkData(size),
                    None => return false,
                };
            }
            FramingState::ChunkEnd => self.part = FramingState::ChunkSize,
            FramingState::Trailers if line.is_empty() => self.part = FramingState::Head,
            FramingState::Trailers
            | FramingState::Body(_)
            | FramingState::ChunkData(_)
            | FramingState::Over => {}
        }
        true
    }
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let is_plain = !text.is_empty() && text.chars().all(|char| char.is_digit(radix));
    is_plain
        .then(|| u64::from_str_radix(text, radix).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::RequestFraming;

    const PLAIN: &str = "POST /mcp HTTP/1.1\r\nhost: x\r\nContent-Length: 5\r\n\r\na\nb\n\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\na\nb\r\nA;x=y\r\n\n\n\n\n\n\n\n\n\n\n\r\n0\r\nx: y\r\n\r\n";

    /// Whether what was sent is left as it is, however it is cut.
    fn passes(text: &str) -> bool {
        let whole = |size: usize| {
            let (mut framing, mut bytes) = (RequestFraming::default(), text.as_bytes().to_vec());
            bytes.chunks_mut(size).for_each(|part| framing.check(part));
            bytes == text.as_bytes()
        };
        let first = whole(text.len().max(1));
        for size in 1..=7 {
            assert_eq!(whole(size), first, "{text:?} in pieces of {size}");
        }
        first
    }

    #[test]
    fn requests_one_after_the_other_pass_whatever_their_bodies_hold() {
        let get = "\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1_000));
        for text in [
            PLAIN.to_owned(),
            CHUNKED.to_owned(),
            [PLAIN, CHUNKED, get, PLAIN, get].concat(),
            long,
        ] {
            assert!(passes(&text), "{text:?}");
        }
    }

    #[test]
    fn a_lone_line_feed_is_taken_nowhere_outside_a_body() {
        for text in [
            "GET / HTTP/1.1\nhost: x\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nhost: x\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nhost: x\r\n\n".to_owned(),
            "\nGET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
            format!("GET / HTTP/1.1\r\nx: {}\n\r\n", "y".repeat(1_000)),
            format!("{PLAIN}GET / HTTP/1.1\r\nhost: x\nx: y\r\n\r\n"),
            CHUNKED.replace("3\r\n", "3\n"),
            CHUNKED.replace("0\r\n", "0\n"),
            CHUNKED.replace("x: y\r\n", "x: y\n"),
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
        ] {
            assert!(!passes(&text), "{text:?}");
        }
    }

    #[test]
    fn a_length_that_is_hidden_behind_what_is_seen_of_a_line_ends_the_connection() {
        let chunked =
            |size: &str| format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{size}\r\n");
        let length =
            |value: &str| format!("POST / HTTP/1.1\r\ncontent-length:{value}\r\n\r\nabcde");
        let (spaces, zeros) = (" ".repeat(130), "0".repeat(130));
        for text in [
            length(&format!("{spaces}5")),
            length(&format!("5{spaces}")),
            length(&format!("{zeros}5")),
            length(""),
            length(" 5,5"),
            length(" +5"),
            length(" 99999999999999999999"),
            chunked(&format!("{zeros}5")),
            chunked(&format!("{spaces}5")),
            chunked("5 5"),
            chunked(""),
            chunked("x"),
        ] {
            assert!(!passes(&text), "{text:?}");
        }
        // What stands behind a size may be as long as it likes.
        assert!(passes(&format!(
            "{}abcde\r\n0\r\n\r\n",
            chunked(&format!("5;{zeros}"))
        )));
    }
}

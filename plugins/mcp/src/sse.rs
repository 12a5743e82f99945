//! Server-sent events (WHATWG HTML section 9.2), as far as MCP needs them: the data of each
//! `message`, in order.

use crate::exchange_error::ExchangeError;

/// One event is one message; a result that is larger is refused by the host anyway.
const MAX_EVENT: usize = 8 << 20;

/// A stream that is read in pieces.
#[derive(Debug, Default)]
pub(crate) struct EventParser {
    /// Of the line that has not ended.
    line: Vec<u8>,
    /// The line before ended in CR: a LF that follows belongs to it.
    after_cr: bool,
    data: String,
    has_data: bool,
    /// The event has another name than `message`.
    is_other: bool,
    is_begun: bool,
}

impl EventParser {
    /// Takes a piece of the body; `each` gets the data of each event that ends in it, and says
    /// whether it heard enough.
    ///
    /// # Errors
    /// What `each` says; an event that is too large or no text.
    pub(crate) fn push<T>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&str) -> Result<Option<T>, ExchangeError>,
    ) -> Result<Option<T>, ExchangeError> {
        for &byte in piece {
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                continue;
            }
            if !matches!(byte, b'\r' | b'\n') {
                if self.line.len() + self.data.len() >= MAX_EVENT {
                    return Err(ExchangeError::TooMuch(
                        "an event of its stream is too large",
                    ));
                }
                self.line.push(byte);
                continue;
            }
            self.after_cr = byte == b'\r';
            let line = std::mem::take(&mut self.line);
            if let Some(data) = self.line(&line)?
                && let Some(enough) = each(&data)?
            {
                return Ok(Some(enough));
            }
        }
        Ok(None)
    }

    /// A whole line; an empty one ends the event.
    fn line(&mut self, line: &[u8]) -> Result<Option<String>, ExchangeError> {
        let first = !std::mem::replace(&mut self.is_begun, true);
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if first => rest,
            _ => line,
        };
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            let is_message =
                !std::mem::take(&mut self.is_other) && std::mem::take(&mut self.has_data);
            self.has_data = false;
            // An event of nothing primes the stream; there is no message in it.
            return Ok((is_message && !data.is_empty()).then_some(data));
        }
        let line = std::str::from_utf8(line)
            .map_err(|_| ExchangeError::Malformed("its stream is not UTF-8 text"))?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => self.is_other = !matches!(value, "" | "message"),
            // A comment, or what is for a stream that is taken up again.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{EventParser, MAX_EVENT};
    use crate::exchange_error::ExchangeError;

    fn heard(pieces: &[&[u8]]) -> Vec<String> {
        let (mut events, mut all) = (EventParser::default(), Vec::new());
        for piece in pieces {
            let none: Option<()> = events
                .push(piece, |data| {
                    all.push(data.to_owned());
                    Ok(None)
                })
                .unwrap();
            assert_eq!(none, None);
        }
        all
    }

    #[test]
    fn data_is_heard_at_the_end_of_its_event() {
        let stream = b"\xef\xbb\xbf: hello\nid: 1\nretry: 5\ndata:\n\nevent: message\ndata: {\"a\":\ndata: 1}\n\nevent: other\ndata: x\n\ndata: y\n\ndata: unfinished\n";
        assert_eq!(heard(&[stream]), ["{\"a\":\n1}", "y"]);
        for ends in ["\n", "\r\n", "\r"] {
            let text = format!("data: a{ends}{ends}data:b{ends}{ends}");
            assert_eq!(heard(&[text.as_bytes()]), ["a", "b"], "{ends:?}");
            let each: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(heard(&each), ["a", "b"], "{ends:?}, byte by byte");
        }
    }

    #[test]
    fn one_that_has_heard_enough_hears_no_more() {
        let mut events = EventParser::default();
        let mut count = 0;
        let enough = events.push(b"data: a\n\ndata: b\n\n", |_| {
            count += 1;
            Ok(Some(count))
        });
        assert!(matches!(enough, Ok(Some(1))) && count == 1);
    }

    #[test]
    fn an_endless_event_and_bytes_that_are_no_text_end_it() {
        let mut events = EventParser::default();
        let long = vec![b'x'; 1 << 20];
        let mut push = |piece: &[u8]| events.push(piece, |_| Ok(None::<()>));
        push(b"data: ").unwrap();
        let ended = (0..=MAX_EVENT >> 20).find_map(|_| push(&long).err());
        assert!(matches!(ended, Some(ExchangeError::TooMuch(_))));
        let lines = (0..=MAX_EVENT / 1_000).map(|_| format!("data: {}\n", "y".repeat(1_000)));
        let mut events = EventParser::default();
        let ended = lines
            .filter_map(|line| events.push(line.as_bytes(), |_| Ok(None::<()>)).err())
            .next();
        assert!(matches!(ended, Some(ExchangeError::TooMuch(_))));
        let text = EventParser::default().push(b"data: \xff\n\n", |_| Ok(None::<()>));
        assert!(matches!(text, Err(ExchangeError::Malformed(_))));
    }
}

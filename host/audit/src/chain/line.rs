use std::io::{self, BufRead, Read};

use super::key::{Mac, Seal};

/// No record is longer. The longest members come from a token, which has at most 16 KiB, escaped.
pub(super) const MAX_LINE: usize = 256 << 10;

const SEQ: &[u8] = b"{\"seq\":";
const MAC: &[u8] = b",\"mac\":\"";
const END: &[u8] = b"\"}";

/// Adds one line: number, time, the members of `object`, and the seal over all of it and what came
/// before.
pub(super) fn write(
    buffer: &mut Vec<u8>,
    seal: &Seal,
    previous: &Mac,
    seq: u64,
    time: &str,
    object: &[u8],
) -> Mac {
    let start = buffer.len();
    let members = object
        .strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"}"));
    buffer.extend_from_slice(SEQ);
    buffer.extend_from_slice(seq.to_string().as_bytes());
    buffer.extend_from_slice(b",\"time\":\"");
    buffer.extend_from_slice(time.as_bytes());
    buffer.extend_from_slice(b"\",");
    buffer.extend_from_slice(members.unwrap_or_default());
    let mac = seal.record(previous, buffer.get(start..).unwrap_or_default());
    buffer.extend_from_slice(MAC);
    buffer.extend_from_slice(mac.text().as_bytes());
    buffer.extend_from_slice(END);
    buffer.push(b'\n');
    mac
}

/// A line taken apart, without its line break.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineParts<'a> {
    /// Its number.
    pub(super) seq: u64,
    /// What is sealed, beside what came before.
    pub(super) body: &'a [u8],
    /// The seal that it states.
    pub(super) mac: Mac,
}

/// Takes a line apart, in the one spelling that [`write`] gives.
pub(super) fn split(line: &[u8]) -> Option<LineParts<'_>> {
    let rest = line.strip_suffix(END)?;
    let (rest, mac) = rest.split_at_checked(rest.len().checked_sub(Mac::TEXT)?)?;
    let mac = Mac::parse(mac)?;
    let body = rest.strip_suffix(MAC)?;
    let digits: Vec<u8> = body
        .strip_prefix(SEQ)?
        .iter()
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect();
    let seq = std::str::from_utf8(&digits).ok()?.parse().ok()?;
    Some(LineParts { seq, body, mac })
}

/// What was read up to a line break or the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadLine<'a> {
    /// A line, without its line break.
    Line(&'a [u8]),
    /// More than [`MAX_LINE`] bytes without a line break; the rest of them was skipped.
    TooLong,
    /// The file ends so many bytes after the last line break.
    Unfinished(u64),
}

/// Lines of a file that anybody may have written to, in bounded memory.
#[derive(Debug)]
pub(super) struct LineReader<R> {
    reader: R,
    line: Vec<u8>,
    /// Bytes read, with line breaks.
    pub(super) read: u64,
}

impl<R: BufRead> LineReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            read: 0,
        }
    }

    /// The next one, or `None` at the end of a file that ends with a line break.
    pub(super) fn next(&mut self) -> io::Result<Option<ReadLine<'_>>> {
        self.line.clear();
        let most = MAX_LINE as u64 + 1;
        let mut got = self
            .reader
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.line)? as u64;
        self.read += got;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(Some(ReadLine::Line(&self.line)));
        }
        if got < most {
            return Ok((got > 0).then_some(ReadLine::Unfinished(got)));
        }
        while got > 0 && self.line.last() != Some(&b'\n') {
            self.line.clear();
            got = self
                .reader
                .by_ref()
                .take(most)
                .read_until(b'\n', &mut self.line)? as u64;
            self.read += got;
        }
        Ok(Some(ReadLine::TooLong))
    }
}

#[cfg(test)]
mod tests {
    use super::{LineReader, MAX_LINE, ReadLine};

    #[test]
    fn lines_are_bounded_and_an_unfinished_one_is_no_line() {
        let text = [
            b"a\n".to_vec(),
            vec![b'x'; 3 * MAX_LINE],
            b"\n\nbc".to_vec(),
        ]
        .concat();
        let mut lines = LineReader::new(&text[..]);
        assert_eq!(lines.next().unwrap(), Some(ReadLine::Line(b"a")));
        assert_eq!(lines.next().unwrap(), Some(ReadLine::TooLong));
        assert_eq!(lines.next().unwrap(), Some(ReadLine::Line(b"")));
        assert_eq!(lines.next().unwrap(), Some(ReadLine::Unfinished(2)));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.read, text.len() as u64);
    }
}

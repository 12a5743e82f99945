//! Which regular expressions of a document are passed on.
//!
//! JSON Schema means ECMA-262; documents hold every dialect there is. One that some validator
//! cannot read would cost the whole tool, so only what all read alike, and what is cheap to run, is
//! kept. Without its pattern a text is checked by the system itself.

/// A longer one is generated, and nobody reads it.
const MAX: usize = 500;

/// How much a validator has to build for it: repetitions multiply. A class outside ASCII weighs as
/// much as thirty letters.
const MAX_WEIGHT: usize = 3_000;
const CLASS: usize = 30;

/// Groups in groups.
const MAX_DEPTH: usize = 10;

/// Whether the expression is of the common part of all dialects: no look-around, no reference back,
/// no flags.
pub(super) fn is_plain(text: &str) -> bool {
    if text.len() > MAX || !text.is_ascii() || literal(text).is_some() {
        return false;
    }
    let mut reader = PatternReader {
        rest: text.as_bytes(),
    };
    reader
        .alternatives(0)
        .is_some_and(|weight| weight <= MAX_WEIGHT)
        && reader.rest.is_empty()
}

/// What stands between the slashes of a literal of JavaScript, which some write in place of an
/// expression: `/^[a-z]+$/i`. Taken at its word it would demand the slashes.
fn literal(text: &str) -> Option<&str> {
    let (inner, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    let is_literal = inner.starts_with('^') || inner.ends_with('$');
    (is_literal && flags.bytes().all(|flag| b"dgimsuvy".contains(&flag))).then_some(inner)
}

/// Whether a pattern has a `/` that a value may have, outside of its classes. Where flavours differ
/// in what ends a class, the longer class counts: what is read wrongly lets less through.
pub(crate) fn has_slash(pattern: &str) -> bool {
    let pattern = literal(pattern).unwrap_or(pattern);
    // What looks around may say where no slash is.
    if ["(?!", "(?=", "(?<"]
        .iter()
        .any(|group| pattern.contains(group))
    {
        return false;
    }
    let mut depth = 0_usize;
    let mut before = ' ';
    for c in pattern.chars() {
        match c {
            _ if before == '\\' && c != '/' => {
                before = ' ';
                continue;
            }
            '[' => depth += 1,
            // What follows still begins the class.
            '^' if before == '[' => continue,
            ']' if before != '[' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => return true,
            _ => {}
        }
        before = c;
    }
    false
}

struct PatternReader<'a> {
    rest: &'a [u8],
}

impl PatternReader<'_> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn alternatives(&mut self, depth: usize) -> Option<usize> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut weight: usize = 0;
        loop {
            match self.rest.first() {
                None | Some(b')') => return Some(weight),
                Some(b'|') => {
                    self.take();
                }
                Some(_) => weight = weight.checked_add(self.piece(depth)?)?,
            }
            if weight > MAX_WEIGHT {
                return None;
            }
        }
    }

    fn piece(&mut self, depth: usize) -> Option<usize> {
        let weight = match self.take()? {
            b'^' | b'$' => return Some(1),
            b'(' => {
                if self.rest.first() == Some(&b'?') && !self.eat(b"?:") {
                    return None;
                }
                let weight = self.alternatives(depth + 1)?;
                self.eat(b")").then_some(weight + 1)?
            }
            b'[' => self.class()?,
            b'\\' => self.escape(false)?,
            b'*' | b'+' | b'?' | b'{' | b'}' | b']' => return None,
            b'.' => CLASS,
            _ => 1,
        };
        let times = self.times()?;
        weight.checked_mul(times)
    }

    /// How often at most what stands before is repeated; without end counts as twice.
    fn times(&mut self) -> Option<usize> {
        let times = if self.eat(b"*") || self.eat(b"+") {
            2
        } else if self.eat(b"?") {
            1
        } else if self.eat(b"{") {
            let least = self.number()?;
            let most = if self.eat(b",") {
                if self.rest.first() == Some(&b'}') {
                    Some(least.max(1) + 1)
                } else {
                    self.number()
                }
            } else {
                Some(least)
            };
            (self.eat(b"}") && most? >= least).then_some(())?;
            most?.max(1)
        } else {
            return Some(1);
        };
        self.eat(b"?");
        // `a**` and `a{2}{3}` mean something else in each dialect.
        (!matches!(self.rest.first(), Some(b'*' | b'+' | b'?' | b'{'))).then_some(times)
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    fn class(&mut self) -> Option<usize> {
        let mut weight = if self.eat(b"^") { CLASS } else { 1 };
        let mut first = true;
        loop {
            if self.eat(b"]") {
                return (!first).then_some(weight);
            }
            if self.eat(b"-") {
                // Elsewhere some take it for itself, some for a range, and some for a difference.
                if !std::mem::take(&mut first) && self.rest.first() != Some(&b']') {
                    return None;
                }
                continue;
            }
            first = false;
            let low = self.member(&mut weight)?;
            if self.rest.first() == Some(&b'-') && self.rest.get(1) != Some(&b']') {
                self.take();
                let high = self.member(&mut weight)?;
                (low? <= high?).then_some(())?;
            }
        }
    }

    /// One member of a class: a character, or `Some(None)` for a class in it.
    fn member(&mut self, weight: &mut usize) -> Option<Option<u8>> {
        match self.take()? {
            b'[' => None,
            // Two of them are an operator to some.
            byte @ (b'&' | b'~') => (self.rest.first() != Some(&byte)).then_some(Some(byte)),
            b'\\' => {
                let next = *self.rest.first()?;
                let added = self.escape(true)?;
                *weight += added;
                Some((!next.is_ascii_alphanumeric()).then_some(next))
            }
            byte => Some(Some(byte)),
        }
    }

    /// The weight of what stands behind a backslash.
    fn escape(&mut self, in_class: bool) -> Option<usize> {
        Some(match self.take()? {
            b'd' => 1,
            b'D' | b'w' | b'W' | b's' | b'S' => CLASS,
            b'b' | b'B' if !in_class => 1,
            b't' | b'n' | b'r' | b'f' | b'v' => 1,
            b'x' => self.hexadecimal(2)?,
            byte if byte.is_ascii_punctuation()
                && !matches!(byte, b'<' | b'>' | b'_' | b'\'' | b'"' | b'`') =>
            {
                1
            }
            _ => return None,
        })
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<usize> {
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        number.iter().all(u8::is_ascii_hexdigit).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_all_dialects_read_alike_is_kept() {
        for pattern in [
            "",
            "^a",
            "^[a-z0-9]{1,63}$",
            "^(foo|bar)?$",
            r"^\d{4}-\d{2}$",
            "^[^/]+$",
            r"^\w+$",
            "[-a]",
            "[a-]",
            r"^\+[1-9]\d{1,14}$",
            "a+?",
            r"[\-.]",
            "^(?:a|b)*$",
            r"\x41",
            "(())",
            ".*",
            "^[A-Za-z0-9_.-]+$",
        ] {
            assert!(is_plain(pattern), "{pattern}");
        }
    }

    #[test]
    fn what_some_cannot_read_or_is_costly_is_not() {
        for pattern in [
            "(?=a)",
            "(?!a)",
            "(?<n>a)",
            "(?i)a",
            r"(a)\1",
            r"\p{L}",
            r"\Z",
            "[[:alpha:]]",
            "a**",
            "a{2}{3}",
            "*",
            "a{",
            "{",
            "(",
            ")",
            "[",
            "[]",
            "[z-a]",
            "\\",
            "a{3,2}",
            "(a{1000}){1000}",
            r"\w{1000}",
            "ż",
            r"\u0041",
            r"\h",
            "/a/i}",
            "[a&&b]",
            "a{99999999999999999999}",
            "((((((((((((a))))))))))))",
        ] {
            assert!(!is_plain(pattern), "{pattern}");
        }
    }
}

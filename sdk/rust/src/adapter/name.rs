//! Names of described systems, made fit for the APIs of models, which take `^[a-zA-Z0-9_-]{1,64}$`
//! for a tool and `^[a-zA-Z0-9_.-]{1,64}$` for an argument.

/// What remains of a text in a name: runs of anything but `[A-Za-z0-9.-]` become one `_`.
#[must_use]
pub fn sanitised(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    name.trim_matches('_').to_owned()
}

/// A name with a word for each symbol that no argument's name can have: `StartTime<` is
/// `StartTime_lt`, once sanitised.
#[must_use]
pub fn spelled_out(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len() + 8);
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let word = match c {
            '<' => "lt",
            '>' => "gt",
            '=' => "eq",
            '!' => "not",
            '$' => "dollar",
            '@' => "at",
            '#' => "hash",
            '%' => "percent",
            '&' => "and",
            '|' => "or",
            '*' => "star",
            '+' => "plus",
            '~' => "tilde",
            '^' => "caret",
            '/' => "slash",
            ':' => "colon",
            ',' => "comma",
            '[' if rest.next_if_eq(&']').is_some() => "list",
            c => {
                spelled.push(c);
                continue;
            }
        };
        spelled.push('_');
        spelled.push_str(word);
        spelled.push('_');
    }
    spelled
}

/// A name of at most `max` bytes for what cannot have its own: `start`, cut where there is no room,
/// `_` and eight hexadecimal digits that tell `whole` apart, the same tomorrow as today.
#[must_use]
pub fn with_digest(start: &str, whole: &str, max: usize) -> String {
    let suffix = format!("_{:08x}", digest(whole));
    let mut name = String::with_capacity(max);
    for c in start.chars() {
        if name.len() + c.len_utf8() + suffix.len() > max {
            break;
        }
        name.push(c);
    }
    name + &suffix
}

/// FNV-1a, folded. No secret hangs on it.
fn digest(text: &str) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let [a, b, c, d, e, f, g, h] = hash.to_be_bytes();
    u32::from_be_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

#[cfg(test)]
mod tests {
    use super::{sanitised, spelled_out, with_digest};

    #[test]
    fn only_plain_characters_remain() {
        assert_eq!(sanitised("a__b//c\u{202e}d\n"), "a_b_c_d");
        assert_eq!(sanitised("__"), "");
    }

    #[test]
    fn a_name_with_a_digest_is_bounded_and_stays_as_it_is() {
        assert_eq!(with_digest("a", "", 64), "a_4fd0bfc1");
        let long = "x".repeat(100);
        let of = |whole: &str| with_digest(&long, whole, 64);
        assert_eq!(of("a").len(), 64);
        assert_ne!(of("a"), of("b"));
        assert_eq!(
            with_digest("żż", "a", 12)
                .chars()
                .filter(|c| *c == 'ż')
                .count(),
            1
        );
    }

    #[test]
    fn a_symbol_is_spelled_out_as_a_word() {
        let of = |name: &str| sanitised(&spelled_out(name));
        assert_eq!(
            (of("StartTime<").as_str(), of("uids[]").as_str()),
            ("StartTime_lt", "uids_list")
        );
        assert_eq!(
            (of("$filter").as_str(), of("a[b]").as_str()),
            ("dollar_filter", "a_b")
        );
    }
}

//! What a system says in words, made fit for a model and a terminal: capped, and without what a
//! person cannot see.

/// Removes control, invisible and direction-changing characters (a description could say one thing
/// to a person and another to a model), and cuts at `most` characters.
#[must_use]
pub fn clean(text: &str, most: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut left = most;
    for c in text.trim().chars() {
        let kept = match c {
            '\n' => '\n',
            '\t' => ' ',
            // Two further ends of a line.
            '\u{2028}' | '\u{2029}' => '\n',
            c if is_hidden(c) => continue,
            c => c,
        };
        if left <= 1 {
            cleaned.push('…');
            break;
        }
        left -= 1;
        cleaned.push(kept);
    }
    cleaned
}

/// A text that is cut, on one line.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    clean(text, most).replace('\n', " ")
}

/// Whether a character cannot be seen, or changes how others are.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::{clean, line};

    #[test]
    fn what_cannot_be_seen_is_removed() {
        assert_eq!(
            clean("a\u{202e}b\u{200b}c\u{0}d\u{e0041}e\u{feff}", 100),
            "abcde"
        );
        assert_eq!(
            clean("one\r\ntwo\tthree\u{2028}four", 100),
            "one\ntwo three\nfour"
        );
        assert_eq!(clean("Zażółć 日本語 🙂", 100), "Zażółć 日本語 🙂");
        assert_eq!(line("a\nb", 100), "a b");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(clean("żżżż", 3), "żż…");
        assert_eq!(clean("żżż", 4), "żżż");
    }
}

/// Whether a character is not seen, or turns or breaks what stands around it, so that a text reads
/// as another one than it is (T20, T31): zero-width characters and joiners, line and paragraph
/// separators, Unicode's directional formatting (UAX
/// #9), and tags. Control characters are not among them: whoever shows a text decides which of those it needs.
#[must_use]
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{3164}' | '\u{ffa0}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{061c}')
}

#[cfg(test)]
mod tests {
    use super::is_hidden;

    #[test]
    fn what_hides_or_turns_a_text_is_known_and_letters_are_let_be() {
        for hidden in
            "\u{ad}\u{3164}\u{180e}\u{200b}\u{200e}\u{202e}\u{2066}\u{2069}\u{2028}\u{061c}\u{feff}\u{e0041}\u{2060}".chars()
        {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        for seen in "aż中é \n\t-…".chars() {
            assert!(!is_hidden(seen), "{seen:?}");
        }
    }
}

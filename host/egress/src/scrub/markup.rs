/// The longest tag that is left out; what begins like one and goes on is none.
const MAX_TAG: usize = 4 << 10;

/// The beginning of a section whose text is shown (XML 1.0 section 2.7). Its end, `]]>`, is
/// punctuation.
const CDATA: &[u8] = b"![CDATA[";

/// Leaves the tags of HTML and XML out of a text, given in chunks: `s<b>3</b>cret` is read as a
/// browser shows it.
#[derive(Debug, Default)]
pub(super) struct Markup {
    /// How many bytes of a tag were left out so far; 0 outside of one.
    in_tag: usize,
    /// How many bytes of [`CDATA`] the tag has begun with, as long as it has no others.
    cdata: usize,
    /// A `<` was seen, and what follows says whether it begins a tag.
    may_begin: bool,
}

impl Markup {
    pub(super) fn without_tags(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for &byte in text {
            if std::mem::take(&mut self.may_begin) {
                if byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?') {
                    self.in_tag = 1;
                    self.cdata = usize::from(byte == b'!');
                    continue;
                }
                out.push(b'<');
            }
            if self.in_tag > 0 && self.cdata == self.in_tag && CDATA.get(self.cdata) == Some(&byte)
            {
                self.cdata += 1;
                self.in_tag = if self.cdata == CDATA.len() {
                    0
                } else {
                    self.cdata
                };
                continue;
            }
            match byte {
                b'<' => {
                    self.in_tag = 0;
                    self.may_begin = true;
                }
                b'>' if self.in_tag > 0 => self.in_tag = 0,
                _ if self.in_tag > 0 && self.in_tag < MAX_TAG => self.in_tag += 1,
                _ => {
                    self.in_tag = 0;
                    out.push(byte);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_TAG, Markup};

    #[test]
    fn tags_are_left_out_wherever_a_text_is_cut_and_an_open_one_ends() {
        let text = b"a<b>1</b>2<!-- x -->3<i 4<u>5 < 6 >7";
        let section = Markup::default().without_tags(b"a<![CDATA[b]]><![CDATA]>c");
        assert_eq!(section, b"ab]]>c");
        let long = [b"<x".as_slice(), &[b'y'; 2 * MAX_TAG], b"end"].concat();
        for cut in 0..text.len() {
            let mut markup = Markup::default();
            let (head, tail) = text.split_at(cut);
            let out = [markup.without_tags(head), markup.without_tags(tail)].concat();
            assert_eq!(out, b"a1235 < 6 >7");
        }
        assert!(Markup::default().without_tags(&long).ends_with(b"end"));
    }
}

use crate::Secret;

/// The shortest secret that is accepted. Answers are scrubbed of the secret and of its parts; a
/// shorter one would be found in innocent text, or not be searched for at all.
pub const MIN_SECRET_BYTES: usize = 12;

/// Why a text is not taken as a secret. Each is one sentence for the operator, and none repeats a
/// byte of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretTextError {
    /// Nothing, or a line end alone.
    #[error("it is empty")]
    Empty,
    /// Under [`MIN_SECRET_BYTES`].
    #[error(
        "it is shorter than 12 bytes, too short to be found again in an answer that repeats it"
    )]
    Short,
    /// Not text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// A line end, a tab, NUL, an escape. One line end at the very end is taken off first.
    #[error("it has a control character or a second line")]
    Control,
    /// White space or a byte order mark at an end. Header fields lose it on the way, and the
    /// scrubber would look for something else than what was sent.
    #[error("it begins or ends with white space or a byte order mark")]
    Padded,
}

impl SecretTextError {
    /// The sentence as fixed text.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "the secret is empty",
            Self::Short => "the secret is shorter than 12 bytes",
            Self::NotText => "the secret is not UTF-8 text",
            Self::Control => "the secret has a control character or a second line",
            Self::Padded => "the secret begins or ends with white space or a byte order mark",
        }
    }
}

/// Reads a secret from the bytes of a file, a variable or an answer: takes off one line end and
/// checks what is left.
///
/// # Errors
/// The bytes cannot be sent or found again.
pub fn read_secret(bytes: &[u8]) -> Result<Secret, SecretTextError> {
    let line = bytes
        .strip_suffix(b"\n")
        .map_or(bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    if line.is_empty() {
        return Err(SecretTextError::Empty);
    }
    let text = str::from_utf8(line).map_err(|_| SecretTextError::NotText)?;
    if text.chars().any(char::is_control) {
        return Err(SecretTextError::Control);
    }
    if text.trim().len() != text.len() || text.starts_with('\u{feff}') {
        return Err(SecretTextError::Padded);
    }
    if text.len() < MIN_SECRET_BYTES {
        return Err(SecretTextError::Short);
    }
    Ok(Secret::new(line.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::{SecretTextError, read_secret};

    #[test]
    fn one_line_end_is_taken_off_and_no_more() {
        for text in ["tok_0123456789", "tok_0123456789\n", "tok_0123456789\r\n"] {
            assert_eq!(
                read_secret(text.as_bytes()).unwrap().expose(),
                b"tok_0123456789",
                "{text:?}"
            );
        }
        assert_eq!(
            read_secret(b"tok_0123456789\n\n").unwrap_err(),
            SecretTextError::Control
        );
    }

    #[test]
    fn what_could_not_be_sent_or_scrubbed_is_refused() {
        use SecretTextError::{Control, Empty, NotText, Padded, Short};
        for (bytes, why) in [
            (&b""[..], Empty),
            (b"\n", Empty),
            (b"\r\n", Empty),
            (b"12345678901", Short),
            (b"12345678901\n", Short),
            (b"tok_01234\r\nx: y", Control),
            (b"tok_01234\tabcdef", Control),
            (b"tok_01234\0abcdef", Control),
            (b"tok_01234\x7fabcdef", Control),
            ("tok_01234\u{85}abcdef".as_bytes(), Control),
            (b"tok_0123456789\r", Control),
            (b" tok_0123456789", Padded),
            (b"tok_0123456789 \n", Padded),
            ("\u{feff}tok_0123456789".as_bytes(), Padded),
            (b"tok_0123456789\xff", NotText),
        ] {
            assert_eq!(read_secret(bytes).unwrap_err(), why, "{bytes:?}");
        }
        assert!(read_secret(b"123456789012").is_ok());
    }
}

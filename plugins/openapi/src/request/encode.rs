//! Percent-encoding of what the host passes on as it is: bodies and cookies.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The URL standard, "application/x-www-form-urlencoded percent-encode set"; a space becomes `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b' ');

/// RFC 6265 `cookie-octet`, and `%`, so that it can be decoded.
const COOKIE: &AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b',')
    .add(b';')
    .add(b'\\')
    .add(b'%');

pub(super) fn form(text: &str) -> String {
    utf8_percent_encode(text, FORM)
        .to_string()
        .replace(' ', "+")
}

pub(super) fn cookie(text: &str) -> String {
    utf8_percent_encode(text, COOKIE).to_string()
}

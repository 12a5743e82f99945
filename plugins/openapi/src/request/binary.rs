//! Bytes that a model writes as text.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use super::Mistake;
use crate::descriptor::Argument;

/// Models leave the padding out.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);

/// The longest name of a file.
const MAX_NAME: usize = 255;

/// The bytes of base64 in either of its alphabets (RFC 4648 sections 4 and 5), broken into lines or
/// not, or of a `data:` URL (RFC 2397).
pub(super) fn bytes_of(argument: &Argument, text: &str) -> Result<Vec<u8>, Mistake> {
    let text = text.trim();
    let Some((head, data)) = data_url(text) else {
        return decoded(text)
            .ok_or_else(|| Mistake::cannot_hold(argument, "it is neither base64 nor a data: URL"));
    };
    if head
        .rsplit(';')
        .next()
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"))
    {
        let data = percent_decode_str(data).decode_utf8().ok();
        let bytes = data.and_then(|data| decoded(&data));
        return bytes.ok_or_else(|| Mistake::cannot_hold(argument, "its data: URL is not base64"));
    }
    Ok(percent_decode_str(data).collect())
}

/// The file's name that a `data:` URL says in its parameter `name` or `filename`, as some clients
/// write it.
pub(super) fn name_of(text: &str) -> Option<String> {
    let (head, _) = data_url(text.trim())?;
    let mut parameters = head.split(';').skip(1);
    let name = parameters.find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        matches!(key.trim(), "name" | "filename").then_some(value)
    })?;
    let name = percent_decode_str(name.trim().trim_matches('"'))
        .decode_utf8()
        .ok()?;
    file_name(&name)
}

/// The last part of a path, without what cannot be seen: a name, and never a place.
pub(super) fn file_name(text: &str) -> Option<String> {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = crate::text::line(last, MAX_NAME);
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

fn data_url(text: &str) -> Option<(&str, &str)> {
    let scheme = text.get(..5)?;
    scheme
        .eq_ignore_ascii_case("data:")
        .then(|| text.get(5..)?.split_once(','))?
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut plain = text.as_bytes().to_vec();
    plain.retain(|byte| !byte.is_ascii_whitespace());
    STANDARD
        .decode(&plain)
        .or_else(|_| URL_SAFE.decode(&plain))
        .ok()
}

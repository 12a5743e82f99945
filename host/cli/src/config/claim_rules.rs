//! `machine` and `id_token` of `[[issuers]]`: what a token's claims say of it.

use toml::Spanned;
use toolhost_identity::{ClaimPointer, ClaimRule, ClaimTest};

use super::config_text::ConfigText;
use super::{ConfigError, file};

/// The rules of a key; each is enough.
pub(super) fn rules(
    source: &ConfigText<'_>,
    key: &str,
    place: &Spanned<file::ClaimRules>,
) -> Result<Vec<ClaimRule>, ConfigError> {
    let written = &place.get_ref().0;
    written
        .iter()
        .map(|one| rule(source, key, place, one))
        .collect()
}

/// Pointers to claims; at least one.
pub(super) fn pointers<T>(
    source: &ConfigText<'_>,
    key: &str,
    place: &Spanned<T>,
    texts: &[String],
) -> Result<Vec<ClaimPointer>, ConfigError> {
    if texts.is_empty() {
        return Err(source.at(place, key, "names no claim"));
    }
    let one = |text: &String| ClaimPointer::parse(text).map_err(|why| source.at(place, key, why));
    texts.iter().map(one).collect()
}

fn rule(
    source: &ConfigText<'_>,
    key: &str,
    place: &Spanned<file::ClaimRules>,
    written: &file::ClaimRuleTable,
) -> Result<ClaimRule, ConfigError> {
    let pointer = |text: &String, member: &str| {
        ClaimPointer::parse(text).map_err(|why| source.at(place, format!("{key}.{member}"), why))
    };
    let mut tests = Vec::new();
    for (text, test) in [
        (
            &written.equals,
            ClaimTest::Equals as fn(String) -> ClaimTest,
        ),
        (&written.prefix, ClaimTest::Prefix),
        (&written.suffix, ClaimTest::Suffix),
    ] {
        tests.extend(text.clone().map(test));
    }
    if let Some(text) = &written.same_as {
        tests.push(ClaimTest::SameAs(pointer(text, "same_as")?));
    }
    if let Some(text) = &written.differs_from {
        tests.push(ClaimTest::DiffersFrom(pointer(text, "differs_from")?));
    }
    for (wanted, test) in [
        (written.present, ClaimTest::Present),
        (written.absent, ClaimTest::Absent),
    ] {
        match wanted {
            None => {}
            Some(true) => tests.push(test),
            Some(false) => {
                return Err(source.at(place, key, "present and absent are true or left out"));
            }
        }
    }
    let claims = pointers(
        source,
        &format!("{key}.claim"),
        place,
        written.claim.as_slice(),
    )?;
    match <[ClaimTest; 1]>::try_from(tests) {
        Ok([test]) => Ok(ClaimRule { claims, test }),
        Err(_) => {
            let why = "needs exactly one of equals, prefix, suffix, same_as, differs_from, present and absent";
            Err(source.at(place, key, why))
        }
    }
}

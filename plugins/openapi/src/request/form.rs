use super::body::Member;
use super::value::{ArgumentShape, shaped};
use super::{Mistake, encode, style};
use crate::descriptor::{Argument, BodyEncoding, FormPart, Style};

/// `application/x-www-form-urlencoded` (OpenAPI 3.1, section 4.8.15.1.5): what the document says
/// about a member; else a list repeats its name and an object is JSON.
pub(super) fn write(body: &BodyEncoding, members: &[Member<'_>]) -> Result<String, Mistake> {
    let mut pairs = Vec::new();
    for member in members {
        let said = body.parts.iter().find(|part| part.name == member.key);
        one(said, member, &mut pairs)?;
    }
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", encode::form(key), encode::form(value)))
        .collect();
    Ok(pairs.join("&"))
}

fn one(
    said: Option<&FormPart>,
    member: &Member<'_>,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), Mistake> {
    let raw = member.value.get();
    let value = shaped(raw);
    let style = said.and_then(|part| part.style);
    let is_json = style.is_none() && said.is_some_and(|part| part.content_type.ends_with("json"));
    match (&value, style) {
        (ArgumentShape::Null, _) => {}
        _ if is_json => pairs.push((member.key.clone(), raw.get().to_owned())),
        (ArgumentShape::Object(_), None) => pairs.push((member.key.clone(), raw.get().to_owned())),
        _ => {
            let argument = Argument {
                key: member.key.clone(),
                style: style.unwrap_or(Style::Form),
                explode: said.is_none_or(|part| part.style.is_none() || part.explode),
                ..member.argument.clone()
            };
            style::pairs(&argument, raw, &value, pairs)?;
        }
    }
    Ok(())
}

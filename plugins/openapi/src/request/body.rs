use serde_json::value::RawValue;

use super::binary::bytes_of;
use super::value::scalar;
use super::{Arguments, HostRequest, Mistake, form, multipart};
use crate::descriptor::{Argument, ArgumentLocation, BodyEncoding, Format};
use crate::schema::quoted;

/// Writes the body and its header field, where there is something to write.
pub(super) fn write(
    body: &BodyEncoding,
    known: &[Argument],
    arguments: &Arguments,
    request: &mut HostRequest,
) -> Result<(), Mistake> {
    let given = |place| known.iter().filter(move |argument| argument.place == place);
    let whole = given(ArgumentLocation::Content).next();
    let content: Option<&RawValue> = whole
        .and_then(|whole| arguments.get(&whole.name))
        .map(AsRef::as_ref);
    let members: Vec<Member<'_>> = match (whole, content) {
        // Forms are made of members in either case.
        (Some(whole), Some(content)) if matches!(body.format, Format::Form | Format::Multipart) => {
            let members = super::value::members(content);
            if !content.get().trim_start().starts_with('{') {
                return Err(Mistake::cannot_hold(whole, "a form is an object"));
            }
            members
                .into_iter()
                .map(|(key, value)| Member {
                    argument: whole,
                    key,
                    value: value.into(),
                })
                .collect()
        }
        _ => given(ArgumentLocation::Member)
            .filter_map(|argument| {
                let value = arguments.get(&argument.name)?;
                Some(Member {
                    argument,
                    key: argument.key().to_owned(),
                    value: value.as_ref().into(),
                })
            })
            .collect(),
    };
    // A member that must be there and was not given is the host's, which puts it into the body that
    // it finds.
    let is_hosts =
        |argument: &Argument| argument.required && !arguments.contains_key(&argument.name);
    let is_there = match whole {
        Some(_) => content.is_some(),
        None => !members.is_empty() || given(ArgumentLocation::Member).any(is_hosts),
    };
    if !is_there && !body.required {
        return Ok(());
    }
    let mut content_type = body.content_type.clone();
    let bytes = match (body.format, whole, content) {
        (Format::Json, Some(_), Some(content)) => content.get().as_bytes().to_vec(),
        (Format::Json, _, _) => object(&members).into_bytes(),
        (Format::Form, _, _) => form::write(body, &members)?.into_bytes(),
        (Format::Multipart, _, _) => {
            let (boundary, bytes) = multipart::write(body, &members)?;
            content_type = format!("{content_type}; boundary={boundary}");
            bytes
        }
        (Format::Text, Some(argument), Some(content)) => text(argument, content)?.into_bytes(),
        (Format::Binary, Some(argument), Some(content)) => {
            bytes_of(argument, &text(argument, content)?)?
        }
        (Format::Text | Format::Binary, _, _) => Vec::new(),
    };
    request
        .headers
        .push(("content-type".to_owned(), content_type));
    request.body = Some(bytes);
    Ok(())
}

/// One member of a body.
#[derive(Debug)]
pub(super) struct Member<'a> {
    /// The argument to name when it does not fit.
    pub(super) argument: &'a Argument,
    pub(super) key: String,
    pub(super) value: RawJson<'a>,
}

/// JSON text that is owned or not.
#[derive(Debug)]
pub(super) enum RawJson<'a> {
    Owned(Box<RawValue>),
    Borrowed(&'a RawValue),
}

impl From<Box<RawValue>> for RawJson<'_> {
    fn from(value: Box<RawValue>) -> Self {
        Self::Owned(value)
    }
}

impl<'a> From<&'a RawValue> for RawJson<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self::Borrowed(value)
    }
}

impl RawJson<'_> {
    pub(super) fn get(&self) -> &RawValue {
        match self {
            Self::Owned(value) => value,
            Self::Borrowed(value) => value,
        }
    }
}

fn object(members: &[Member<'_>]) -> String {
    let mut text = String::from("{");
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quoted(&member.key));
        text.push(':');
        text.push_str(member.value.get().get());
    }
    text.push('}');
    text
}

fn text(argument: &Argument, raw: &RawValue) -> Result<String, Mistake> {
    scalar(raw).ok_or_else(|| Mistake::missing(argument))
}

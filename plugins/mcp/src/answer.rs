//! From what a server returns to a tool's result.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use toolhost_sdk::adapter::Answer;
use toolhost_sdk::adapter::text::{clean, line};
use toolhost_sdk::{Code, Content, Failure};

use crate::exchange_error::ExchangeError;

/// Blocks of one result.
const MAX_BLOCKS: usize = 1_000;

/// Length of a media type, a URI or a name; the host takes no longer ones.
const MAX_LABEL: usize = 2_048;

/// What is said about one block; the host takes no more.
const MAX_ABOUT: usize = 4_000;

/// How much of a failed tool's own words is passed on as its message.
const MAX_MESSAGE: usize = 500;

/// And in all.
const MAX_DETAIL: usize = 64 << 10;

/// Some servers leave the padding out.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolResult<'a> {
    #[serde(borrow, default)]
    result_type: Option<Cow<'a, str>>,
    /// Some servers have `null` for none.
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    structured_content: Option<&'a RawValue>,
    #[serde(default)]
    is_error: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mime_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    size: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mime_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    blob: Option<Cow<'a, str>>,
}

/// Reads the result of `tools/call`. The inner error is the tool's own.
///
/// # Errors
/// It is no result.
pub(crate) fn answer(result: &RawValue) -> Result<Result<Answer, Failure>, ExchangeError> {
    let returned: ToolResult<'_> = serde_json::from_str(result.get())
        .map_err(|_| ExchangeError::Malformed("it is not the result of a tool"))?;
    match returned.result_type.as_deref() {
        None | Some("complete") => {}
        Some(_) => {
            let why = "the tool does not answer at once: it asks for input or makes a task, which is not offered to it";
            return Ok(Err(Failure::new(Code::Unsupported, why)));
        }
    }
    let blocks = returned.content.unwrap_or_default();
    if blocks.len() > MAX_BLOCKS {
        return Err(ExchangeError::TooMuch("its result has too many blocks"));
    }
    let content: Vec<Content> = blocks
        .iter()
        .map(|returned| match block(returned) {
            Ok(content) => content.with_meta(about(returned)),
            // The others of the result are as good as they were.
            Err(why) => left_out(&returned.kind, why),
        })
        .collect();
    let structured = returned.structured_content.map(RawValue::get);
    if returned.is_error == Some(true) {
        return Ok(Err(failure(&content, structured)));
    }
    Ok(Ok(complete(content, structured)))
}

/// A structured part that is not an object stands as text: tools of the host return objects.
fn complete(mut content: Vec<Content>, structured: Option<&str>) -> Answer {
    if let (true, Some(structured)) = (content.is_empty(), structured) {
        content.push(Content::Text(structured.to_owned()));
    }
    Answer {
        content,
        structured: structured
            .filter(|text| text.starts_with('{'))
            .map(str::to_owned),
    }
}

/// What stands in the place of a block that cannot be passed on.
fn left_out(kind: &str, why: &str) -> Content {
    Content::Text(format!(
        "(a part of the kind {:?} was left out{why})",
        line(kind, 40)
    ))
}

/// The bytes of base64 in either of its alphabets, or of a `data:` URL that holds some, broken into
/// lines or not.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let is_url = text
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let text = match text.split_once(',') {
        Some((head, data)) if is_url && head.ends_with(";base64") => data,
        _ => text,
    };
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    let plain: Vec<u8> = text.bytes().filter(|byte| !is_space(byte)).collect();
    STANDARD
        .decode(&plain)
        .or_else(|_| URL_SAFE.decode(&plain))
        .ok()
}

/// # Errors
/// Why there is none.
fn block(block: &Block<'_>) -> Result<Content, &'static str> {
    let incomplete = || ": it is incomplete";
    let bytes =
        |text: Option<&str>| bytes_of(text.ok_or_else(incomplete)?).ok_or(": it is not base64");
    let binary = || {
        label(block.mime_type.as_deref()).unwrap_or_else(|| "application/octet-stream".to_owned())
    };
    Ok(match &*block.kind {
        "text" => Content::Text(block.text.as_deref().ok_or_else(incomplete)?.to_owned()),
        "image" => Content::Image {
            data: bytes(block.data.as_deref())?,
            mime_type: binary(),
        },
        "audio" => Content::Audio {
            data: bytes(block.data.as_deref())?,
            mime_type: binary(),
        },
        "resource_link" => {
            let uri = label(block.uri.as_deref()).ok_or_else(incomplete)?;
            Content::ResourceLink {
                name: label(block.name.as_deref()).unwrap_or_else(|| uri.clone()),
                uri,
                mime_type: label(block.mime_type.as_deref()),
            }
        }
        "resource" => {
            let resource = block.resource.as_ref().ok_or_else(incomplete)?;
            let uri = label(resource.uri.as_deref()).ok_or_else(incomplete)?;
            let mime_type = label(resource.mime_type.as_deref());
            match (&resource.text, &resource.blob) {
                (Some(text), None) => Content::TextResource {
                    uri,
                    mime_type,
                    text: text.clone().into_owned(),
                },
                (None, Some(blob)) => Content::BlobResource {
                    uri,
                    mime_type,
                    data: bytes(Some(blob))?,
                },
                _ => return Err(incomplete()),
            }
        }
        other => left_out(other, ""),
    })
}

/// What is said about a block. What is not as MCP has it says nothing; the block itself counts.
fn about(block: &Block<'_>) -> Vec<(String, String)> {
    let mut about = Vec::new();
    let annotations = block.annotations.map(RawValue::get);
    if let Some(text) = annotations.filter(|text| text.starts_with('{') && text.len() <= MAX_ABOUT)
    {
        about.push(("annotations".to_owned(), text.to_owned()));
    }
    if &*block.kind == "resource_link" {
        for (key, said) in [("title", &block.title), ("description", &block.description)] {
            let text = clean(said.as_deref().unwrap_or_default(), MAX_ABOUT);
            if !text.is_empty() {
                about.push((key.to_owned(), text));
            }
        }
        let size = block.size.and_then(|size| size.get().parse::<u64>().ok());
        about.extend(size.map(|size| ("size".to_owned(), size.to_string())));
    }
    about
}

/// A label that the host would take.
fn label(text: Option<&str>) -> Option<String> {
    text.filter(|text| {
        !text.is_empty() && text.len() <= MAX_LABEL && !text.chars().any(char::is_control)
    })
    .map(str::to_owned)
}

/// The tool's own words, and what else it returned.
fn failure(content: &[Content], structured: Option<&str>) -> Failure {
    let texts = content.iter().filter_map(|block| match block {
        Content::Text(text) => Some(text.as_str()),
        Content::Annotated { content, .. } => match &**content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        },
        _ => None,
    });
    let said = texts.collect::<Vec<_>>().join("\n");
    let message = match clean(&said, MAX_MESSAGE) {
        text if text.is_empty() => "the tool failed and does not say why".to_owned(),
        text => text,
    };
    let structured = structured
        .filter(|text| text.len() <= MAX_DETAIL)
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let detail =
        json!({ "sent": true, "content": clean(&said, MAX_DETAIL), "structured": structured });
    Failure::new(Code::Upstream, message).with_detail(&detail)
}

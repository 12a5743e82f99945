use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject, Resource, ResourceContents};
use serde_json::{Map, json};
use toolhost_identity::TenantId;
use toolhost_policy::PublicError;
use toolhost_tools::{ContentMeta, OutputBlock, ResourceBody, ToolOutput};

use super::Era;
use crate::switching::ACTIVE_KEY;

/// What a tool returned, as MCP has it.
pub(crate) fn result(output: ToolOutput, era: Era) -> CallToolResult {
    let mut content: Vec<ContentBlock> = output.content.into_iter().map(content_block).collect();
    if let (true, Some(structured)) = (content.is_empty(), &output.structured) {
        // A client that knows no structured content still gets the answer ("SHOULD" since
        // 2025-06-18).
        content.push(ContentBlock::text(structured.to_string()));
    }
    let mut result = CallToolResult::success(content);
    // Before 2026-07-28 structured content is an object, and clients refuse a whole answer over it.
    result.structured_content = output
        .structured
        .filter(|value| era == Era::Modern || value.is_object());
    result
}

/// Where a failed call has its code a second time, in the result's `_meta`: for clients that drop
/// structured content.
const ERROR_KEY: &str = "toolhost/error";

/// A failed call: `isError`, the sentence as text, and the code where programs look for it. Clients
/// (the TypeScript SDK is one) hold structured content against the tool's schema also when the call
/// failed, so that what they are told of it has this branch ([`toolhost_tools::or_error`]).
pub(crate) fn failure(error: &PublicError) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(error.message.clone())]);
    result.structured_content = Some(json!({ "error": error }));
    result.meta = Some(MetaObject(
        [(ERROR_KEY.to_owned(), json!(error))].into_iter().collect(),
    ));
    result
}

/// The result with the tenant that it was for.
pub(crate) fn of_tenant(mut result: CallToolResult, tenant: &TenantId) -> CallToolResult {
    let meta = result.meta.get_or_insert_with(|| MetaObject(Map::new()));
    meta.0.insert(ACTIVE_KEY.to_owned(), json!(tenant.as_str()));
    result
}

/// A block of a result as MCP has it.
pub fn content_block(content: OutputBlock) -> ContentBlock {
    match content {
        OutputBlock::Text(text) => ContentBlock::text(text),
        OutputBlock::Image { data, mime_type } => {
            ContentBlock::image(STANDARD.encode(data), mime_type)
        }
        OutputBlock::Audio { data, mime_type } => {
            ContentBlock::audio(STANDARD.encode(data), mime_type)
        }
        OutputBlock::ResourceLink {
            uri,
            name,
            mime_type,
        } => {
            let mut link = Resource::new(uri, name);
            link.mime_type = mime_type;
            ContentBlock::resource_link(link)
        }
        OutputBlock::Annotated(content, about) => annotate(content_block(*content), about),
        OutputBlock::Resource {
            uri,
            mime_type,
            body,
        } => ContentBlock::resource(match body {
            ResourceBody::Text(text) => ResourceContents::TextResourceContents {
                uri,
                mime_type,
                text,
                meta: None,
            },
            ResourceBody::Blob(blob) => ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob: STANDARD.encode(blob),
                meta: None,
            },
        }),
    }
}

/// A block with what is said about it. Annotations that are not as MCP has them are left out.
fn annotate(mut block: ContentBlock, about: ContentMeta) -> ContentBlock {
    let said = about
        .annotations
        .and_then(|annotations| serde_json::from_value(annotations.into()).ok());
    match &mut block {
        ContentBlock::Text(text) => text.annotations = said,
        ContentBlock::Image(image) => image.annotations = said,
        ContentBlock::Audio(audio) => audio.annotations = said,
        ContentBlock::Resource(resource) => resource.annotations = said,
        ContentBlock::ResourceLink(link) => {
            link.annotations = said;
            link.title = about.title;
            link.description = about.description;
            link.size = about.size;
        }
        _ => {}
    }
    block
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use toolhost_policy::{ErrorCode, PublicError};
    use toolhost_tools::{ContentMeta, OutputBlock, ResourceBody, ToolOutput};

    use super::{failure, result};
    use crate::mcp::Era;

    #[test]
    fn every_kind_of_content_has_its_block() {
        let content = vec![
            OutputBlock::Text("hello".into()),
            OutputBlock::Image {
                data: vec![1, 2, 3],
                mime_type: "image/png".into(),
            },
            OutputBlock::Audio {
                data: vec![4],
                mime_type: "audio/wav".into(),
            },
            OutputBlock::ResourceLink {
                uri: "x://1".into(),
                name: "one".into(),
                mime_type: None,
            },
            OutputBlock::Resource {
                uri: "x://2".into(),
                mime_type: None,
                body: ResourceBody::Text("t".into()),
            },
            OutputBlock::Resource {
                uri: "x://3".into(),
                mime_type: Some("a/b".into()),
                body: ResourceBody::Blob(vec![255]),
            },
        ];
        let result = result(
            ToolOutput {
                content,
                structured: Some(json!({"a": 1})),
            },
            Era::Legacy,
        );
        let wire = serde_json::to_value(&result).unwrap();
        assert_eq!(
            wire["content"],
            json!([
                {"type": "text", "text": "hello"},
                {"type": "image", "data": "AQID", "mimeType": "image/png"},
                {"type": "audio", "data": "BA==", "mimeType": "audio/wav"},
                {"type": "resource_link", "uri": "x://1", "name": "one"},
                {"type": "resource", "resource": {"uri": "x://2", "text": "t"}},
                {"type": "resource", "resource": {"uri": "x://3", "mimeType": "a/b", "blob": "/w=="}},
            ])
        );
        assert_eq!(wire["structuredContent"], json!({"a": 1}));
        assert!(wire.get("_meta").is_none());
    }

    #[test]
    fn what_is_said_about_a_block_is_passed_on() {
        let annotations = json!({"audience": ["user"], "priority": 0.5});
        let about = |annotations: &serde_json::Value| ContentMeta {
            annotations: annotations.as_object().cloned(),
            description: Some("d".into()),
            size: Some(7),
            title: Some("t".into()),
        };
        let wire = |content: OutputBlock, annotations: &serde_json::Value| {
            let annotated = OutputBlock::Annotated(Box::new(content), about(annotations));
            serde_json::to_value(super::content_block(annotated)).unwrap()
        };
        let text = wire(OutputBlock::Text("x".into()), &annotations);
        assert_eq!(
            text,
            json!({"type": "text", "text": "x", "annotations": annotations})
        );
        let link = || OutputBlock::ResourceLink {
            uri: "x://1".into(),
            name: "one".into(),
            mime_type: None,
        };
        let shown = wire(link(), &annotations);
        assert_eq!(
            shown,
            json!({"type": "resource_link", "uri": "x://1", "name": "one", "title": "t", "description": "d", "size": 7,
                "annotations": annotations})
        );
        let unfit = wire(link(), &json!({"audience": "everybody"}));
        assert!(unfit.get("annotations").is_none() && unfit["description"] == "d");
    }

    #[test]
    fn structured_content_that_is_no_object_is_text_for_older_clients() {
        let of = |era| {
            let output = ToolOutput {
                content: vec![],
                structured: Some(json!([1])),
            };
            serde_json::to_value(result(output, era)).unwrap()
        };
        assert_eq!(of(Era::Modern)["structuredContent"], json!([1]));
        assert!(of(Era::Legacy).get("structuredContent").is_none());
        assert_eq!(of(Era::Legacy)["content"][0]["text"], "[1]");
    }

    #[test]
    fn a_failure_has_its_code_and_the_sentence() {
        let error =
            PublicError::new(ErrorCode::NotConnected, "connect billing first").about("billing");
        let wire = serde_json::to_value(failure(&error)).unwrap();
        assert_eq!(wire["isError"], true);
        assert_eq!(wire["content"][0]["text"], "connect billing first");
        let expected = json!({"code": "not_connected", "message": "connect billing first", "param": "billing"});
        assert_eq!(wire["structuredContent"]["error"], expected);
        assert_eq!(wire["_meta"]["toolhost/error"], expected);
    }
}

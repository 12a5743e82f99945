use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;

/// What the SDK writes for a page without tools. Inside a JSON string its quotes would be escaped,
/// so nothing that a client sends (the id, say) can look like it.
const NONE: &[u8] = b"\"tools\":[]";

/// Where the tools go in [`NONE`]: between the brackets, which the kept text brings along.
const BRACKETS: usize = 2;

/// The tools of one answer to `tools/list`, as text, on their way past the SDK.
///
/// The SDK takes tools as values, so that each answer would copy and write all of them again. It is
/// given none instead, and checks and answers the request as any other; then the page's text,
/// written once, takes the place of the empty list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolListText(Arc<OnceLock<Bytes>>);

/// The SDK's answer has no place for the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer to tools/list has no empty list in it")]
pub(crate) struct SpliceError;

impl ToolListText {
    /// Keeps a JSON array for this request's answer.
    pub(crate) fn put(&self, tools: Bytes) {
        // A request is answered once; a second page would be for nobody.
        let _first = self.0.set(tools);
    }

    /// The answer with its tools; any answer but that of a list, and any error, as it is.
    ///
    /// # Errors
    /// There are tools, and the answer has no place for them: as it stands it would say that there
    /// are none.
    pub(crate) async fn complete<B>(
        &self,
        response: http::Response<B>,
    ) -> Result<Response, SpliceError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let Some(tools) = self.0.get() else {
            return Ok(response.map(Body::new));
        };
        if response.status() != StatusCode::OK {
            return Ok(response.map(Body::new));
        }
        let json = HeaderValue::from_static("application/json");
        if response.headers().get(header::CONTENT_TYPE) != Some(&json) {
            return Err(SpliceError);
        }
        let (mut parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| SpliceError)?.to_bytes();
        let whole = splice(&body, tools).ok_or(SpliceError)?;
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(parts, Body::from(whole)))
    }
}

fn splice(body: &[u8], tools: &[u8]) -> Option<Vec<u8>> {
    let at = body.windows(NONE.len()).position(|window| window == NONE)?;
    let (before, rest) = body.split_at_checked(at + NONE.len() - BRACKETS)?;
    let after = rest.get(BRACKETS..)?;
    let mut whole = Vec::with_capacity(before.len() + tools.len() + after.len());
    whole.extend_from_slice(before);
    whole.extend_from_slice(tools);
    whole.extend_from_slice(after);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use bytes::Bytes;
    use http::Response;
    use http_body_util::BodyExt;
    use rmcp::model::{
        JsonRpcMessage, ListToolsResult, RequestId, ServerJsonRpcMessage, ServerResult,
    };
    use serde_json::{Value, json};

    use super::{SpliceError, ToolListText};

    const TOOLS: &[u8] = br#"[{"name":"a"},{"name":"b"}]"#;

    fn listed() -> ToolListText {
        let listed = ToolListText::default();
        listed.put(Bytes::from_static(TOOLS));
        listed
    }

    fn answer(status: u16, kind: &str, body: String) -> Response<Body> {
        Response::builder()
            .status(status)
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap()
    }

    async fn text(response: axum::response::Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_tools_take_the_place_of_the_sdks_empty_list_and_of_nothing_a_client_sent() {
        let id = r#"","result":{"tools":[]},"tools":[]"#;
        let mut result = ListToolsResult::with_all_items(vec![]);
        result.next_cursor = Some(r#""tools":[]"#.into());
        let message: ServerJsonRpcMessage = JsonRpcMessage::response(
            ServerResult::ListToolsResult(result),
            RequestId::String(id.into()),
        );
        let body = serde_json::to_string(&message).unwrap();
        let whole = listed()
            .complete(answer(200, "application/json", body))
            .await
            .unwrap();
        let whole: Value = serde_json::from_str(&text(whole).await).unwrap();
        assert_eq!(whole["id"], id);
        assert_eq!(
            whole["result"]["tools"],
            json!([{"name": "a"}, {"name": "b"}])
        );
        assert_eq!(whole["result"]["nextCursor"], r#""tools":[]"#);
    }

    #[tokio::test]
    async fn an_error_and_any_other_answer_stay_as_they_are() {
        let error = answer(404, "application/json", "{\"error\":{}}".into());
        assert_eq!(
            text(listed().complete(error).await.unwrap()).await,
            "{\"error\":{}}"
        );
        let other = answer(200, "application/json", "{\"tools\":[]}".into());
        let other = ToolListText::default().complete(other).await.unwrap();
        assert_eq!(text(other).await, "{\"tools\":[]}");
    }

    #[tokio::test]
    async fn an_answer_without_a_place_for_the_tools_is_none() {
        for (kind, body) in [
            ("application/json", "{\"result\":{}}"),
            ("text/event-stream", "\"tools\":[]"),
        ] {
            let refused = listed().complete(answer(200, kind, body.into())).await;
            assert_eq!(refused.unwrap_err(), SpliceError);
        }
    }
}

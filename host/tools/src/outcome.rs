use serde_json::Value;
use toolhost_egress::{CredentialHit, MAX_RETRY_AFTER};
use toolhost_policy::{ErrorCode, PublicError, WorkBudget, WorkLimit};
use toolhost_sandbox::contract;

use crate::ContentMeta;
use crate::ToolEntry;
use crate::adapter_connection::misfit_result;
use crate::checks::sentence;

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CallOutcome {
    /// With a result.
    Complete(ToolOutput),
    /// With questions. The instance is gone; the call goes on when it is made again with the
    /// answers.
    InputRequired(InputRequired),
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutput {
    /// For the model.
    pub content: Vec<OutputBlock>,
    /// For programs; valid against the tool's output schema where it has one.
    pub structured: Option<Value>,
}

/// One block of a result, in the shapes of MCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputBlock {
    /// Text.
    Text(String),
    /// A picture.
    Image {
        /// Its bytes.
        data: Vec<u8>,
        /// Such as `image/png`.
        mime_type: String,
    },
    /// Sound.
    Audio {
        /// Its bytes.
        data: Vec<u8>,
        /// Such as `audio/wav`.
        mime_type: String,
    },
    /// Where something is.
    ResourceLink {
        /// Where.
        uri: String,
        /// What it is called.
        name: String,
        /// What it is.
        mime_type: Option<String>,
    },
    /// Something, with where it is.
    Resource {
        /// Where.
        uri: String,
        /// What it is.
        mime_type: Option<String>,
        /// The thing.
        body: ResourceBody,
    },
    /// A block, and what is said about it.
    Annotated(Box<Self>, ContentMeta),
}

/// The body of an embedded resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceBody {
    /// The body as text.
    Text(String),
    /// The body as bytes.
    Blob(Vec<u8>),
}

/// What a tool asks before it goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRequired {
    /// The questions.
    pub requests: Vec<InputRequest>,
    /// Opaque; sealed for this caller, tool and arguments, and good for one resumption.
    pub state: String,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRequest {
    /// Unique among the questions; its answer carries it.
    pub id: String,
    /// `elicitation` or `sampling`.
    pub kind: String,
    /// The parameters of the MCP request of that kind.
    pub parameters: Value,
}

/// Length of a media type, a URI or a name in a block.
const MAX_LABEL: usize = 2_048;

/// What was found in a guest's answer before anybody sees it.
pub(crate) enum OutputInspection {
    /// The credential of a connection, or what may be one.
    Credential(CredentialHit),
    /// A failure of the tool's own.
    Failure,
    /// A result, with its structured part where it has one that fits; else why not.
    Complete(StructuredOutput),
    /// Questions.
    Requests(Vec<InputRequest>),
}

/// The structured part of a result: none, or whether it fits the tool's schema.
pub(crate) type StructuredOutput = Option<Result<Value, String>>;

/// Steps of reading one byte of JSON, in sixteenths; a value of it takes up to 32 times its bytes
/// of memory.
const PARSE_STEPS: usize = 4;

/// Looks for credentials in a guest's answer, reads its structured part, and holds that against the
/// tool's schema. All that reads the whole answer is here, so that one bound is for all of it.
///
/// # Errors
/// It needs more than the budget has. The inner error: the guest broke the contract.
pub(crate) fn inspect(
    entry: &ToolEntry,
    answer: &Result<contract::Outcome, contract::Failure>,
    credential_in: impl Fn(&[u8]) -> Option<CredentialHit>,
    budget: &mut WorkBudget,
) -> Result<Result<OutputInspection, PublicError>, WorkLimit> {
    for text in texts(answer) {
        // The search reads each byte some times, for the spellings that a credential can have.
        budget.charge(text.len() as u64)?;
        if let Some(hit) = credential_in(text) {
            return Ok(Ok(OutputInspection::Credential(hit)));
        }
    }
    Ok(match answer {
        Err(_) => Ok(OutputInspection::Failure),
        Ok(contract::Outcome::Complete(output)) => {
            inspect_structured(entry, output, budget)?.map(OutputInspection::Complete)
        }
        Ok(contract::Outcome::InputRequired(asked)) => {
            let bytes = asked
                .requests
                .iter()
                .map(|request| request.parameters.len());
            budget.charge_bytes(bytes.sum::<usize>().saturating_mul(PARSE_STEPS))?;
            requests(&asked.requests, &asked.state).map(OutputInspection::Requests)
        }
    })
}

fn inspect_structured(
    entry: &ToolEntry,
    output: &contract::Output,
    budget: &mut WorkBudget,
) -> Result<Result<StructuredOutput, PublicError>, WorkLimit> {
    let Some(text) = &output.structured else {
        return Ok(Ok(None));
    };
    budget.charge_bytes(text.len().saturating_mul(PARSE_STEPS))?;
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) if entry.is_strict => {
            return Ok(Err(contract_error(&format!(
                "its structured result is not JSON: {error}"
            ))));
        }
        Err(error) => return Ok(Ok(Some(Err(format!("it is not JSON: {error}"))))),
    };
    let fits = match &entry.schemas().output {
        Some(schema) => schema
            .check(&value, budget)?
            .map_err(|misfit| sentence(&misfit)),
        None if entry.is_strict || value.is_object() => Ok(()),
        None => Err("it is not an object".to_owned()),
    };
    Ok(Ok(Some(fits.map(|()| value))))
}

/// Turns what a guest returned into a result, and refuses what its schema or the contract does not
/// have.
pub(crate) fn output(
    entry: &ToolEntry,
    output: contract::Output,
    structured: StructuredOutput,
) -> Result<ToolOutput, PublicError> {
    if !entry.is_strict {
        return lenient(entry, output, structured);
    }
    let unfit = |why: String| match entry.is_described {
        // The tool did what it could: it is the system that broke its word.
        true => PublicError::new(
            ErrorCode::Upstream,
            format!("the system did not answer as it is described: {why}"),
        ),
        false => contract_error(&why),
    };
    let structured = match structured {
        None if entry.schemas().output.is_some() => {
            return Err(unfit(
                "its result lacks the structured part that it declares".to_owned(),
            ));
        }
        None => None,
        Some(Ok(value)) => Some(value),
        Some(Err(why)) => {
            return Err(unfit(format!(
                "its structured result does not fit its schema: {why}"
            )));
        }
    };
    let content = output
        .content
        .into_iter()
        .map(content)
        .collect::<Result<_, _>>()?;
    Ok(ToolOutput {
        content,
        structured,
    })
}

/// What a document promises of its system's answers is often not so. An answer that does not fit is
/// shown as text, and the structured part says so.
fn lenient(
    entry: &ToolEntry,
    output: contract::Output,
    structured: StructuredOutput,
) -> Result<ToolOutput, PublicError> {
    let mut blocks = output
        .content
        .into_iter()
        .map(content)
        .collect::<Result<Vec<_>, _>>()?;
    let held = structured.unwrap_or_else(|| Err("there is no structured part".to_owned()));
    let structured = match held {
        Ok(value) => Some(value),
        Err(why) => {
            if let (true, Some(text)) = (blocks.is_empty(), output.structured) {
                blocks.push(OutputBlock::Text(text));
            }
            entry.output_schema().is_some().then(|| misfit_result(&why))
        }
    };
    Ok(ToolOutput {
        content: blocks,
        structured,
    })
}

/// A result that needs more of the host than any may have.
pub(crate) fn too_large(entry: &ToolEntry) -> PublicError {
    let sentence = "is too large or too deep to be checked against the tool's schema";
    match entry.is_described {
        true => PublicError::new(
            ErrorCode::Upstream,
            format!("the system's answer {sentence}"),
        ),
        false => contract_error(&format!("its result {sentence}")),
    }
}

fn content(block: contract::Content) -> Result<OutputBlock, PublicError> {
    let label = |text: Option<String>, what: &str| match text {
        Some(text)
            if text.is_empty() || text.len() > MAX_LABEL || text.chars().any(char::is_control) =>
        {
            Err(contract_error(&format!(
                "a block of its result has an unacceptable {what}"
            )))
        }
        other => Ok(other),
    };
    let need = |text: Option<String>, what: &str| {
        text.ok_or_else(|| contract_error(&format!("a block of its result has no {what}")))
    };
    let mime_type = label(block.mime_type, "mime-type")?;
    let uri = label(block.uri, "uri")?;
    let name = label(block.name, "name")?;
    let about = ContentMeta::read(&block.meta);
    let content = match block.kind.as_str() {
        "text" => OutputBlock::Text(need(block.text, "text")?),
        "image" | "audio" => {
            let data = block
                .data
                .ok_or_else(|| contract_error("a block of its result has no data"))?;
            let mime_type = need(mime_type, "mime-type")?;
            if block.kind == "image" {
                OutputBlock::Image { data, mime_type }
            } else {
                OutputBlock::Audio { data, mime_type }
            }
        }
        "resource-link" => OutputBlock::ResourceLink {
            uri: need(uri, "uri")?,
            name: need(name, "name")?,
            mime_type,
        },
        "resource" => {
            let body = match (block.text, block.data) {
                (Some(text), None) => ResourceBody::Text(text),
                (None, Some(data)) => ResourceBody::Blob(data),
                _ => {
                    return Err(contract_error(
                        "an embedded resource has either text or data",
                    ));
                }
            };
            OutputBlock::Resource {
                uri: need(uri, "uri")?,
                mime_type,
                body,
            }
        }
        _ => {
            return Err(contract_error(
                "a block of its result is of an unknown kind",
            ));
        }
    };
    Ok(match about {
        Some(about) => OutputBlock::Annotated(Box::new(content), about),
        None => content,
    })
}

/// Questions in one outcome; a person is asked one or two.
const MAX_REQUESTS: usize = 8;

/// State is what a plugin needs to go on, not a store.
const MAX_STATE: usize = 64 << 10;

/// Checks what a guest asks; the state is sealed by the caller.
fn requests(
    asked: &[contract::InputRequest],
    state: &[u8],
) -> Result<Vec<InputRequest>, PublicError> {
    if asked.is_empty() || asked.len() > MAX_REQUESTS {
        return Err(contract_error(
            "it asks for input with no request, or with more than 8",
        ));
    }
    if state.len() > MAX_STATE {
        return Err(contract_error(
            "the state of its request for input has more than 64 KiB",
        ));
    }
    let mut requests: Vec<InputRequest> = Vec::with_capacity(asked.len());
    for request in asked {
        if !matches!(request.kind.as_str(), "elicitation" | "sampling") {
            return Err(contract_error("it asks for input of an unknown kind"));
        }
        if request.id.is_empty()
            || request.id.len() > 64
            || requests.iter().any(|known| known.id == request.id)
        {
            return Err(contract_error(
                "a request for input has no id of 1 to 64 bytes, or one that stands twice",
            ));
        }
        let parameters = serde_json::from_str(&request.parameters).map_err(|error| {
            contract_error(&format!(
                "the parameters of its request for input are not JSON: {error}"
            ))
        })?;
        requests.push(InputRequest {
            id: request.id.clone(),
            kind: request.kind.clone(),
            parameters,
        });
    }
    Ok(requests)
}

/// Everything in a guest's answer that a caller may come to see.
fn texts(
    answer: &Result<contract::Outcome, contract::Failure>,
) -> Box<dyn Iterator<Item = &[u8]> + Send + '_> {
    fn text_bytes(text: &Option<String>) -> Option<&[u8]> {
        text.as_deref().map(str::as_bytes)
    }
    match answer {
        Ok(contract::Outcome::Complete(output)) => {
            let blocks = output.content.iter().flat_map(|block| {
                let body = [
                    text_bytes(&block.text),
                    block.data.as_deref(),
                    text_bytes(&block.uri),
                    text_bytes(&block.name),
                    text_bytes(&block.mime_type),
                ];
                let about = block.meta.iter().map(|(_, text)| Some(text.as_bytes()));
                body.into_iter().chain(about)
            });
            Box::new(blocks.chain([text_bytes(&output.structured)]).flatten())
        }
        Ok(contract::Outcome::InputRequired(asked)) => Box::new(
            asked
                .requests
                .iter()
                .flat_map(|request| [request.id.as_bytes(), request.parameters.as_bytes()]),
        ),
        Err(failure) => Box::new(
            [
                Some(failure.message.as_bytes()),
                text_bytes(&failure.detail),
            ]
            .into_iter()
            .flatten(),
        ),
    }
}

/// What a tool says of its own failure, under a public code.
pub(crate) fn failure(failure: contract::Failure) -> PublicError {
    let code = match failure.code.as_str() {
        "invalid-arguments" => ErrorCode::InvalidArguments,
        "denied" => ErrorCode::EgressDenied,
        "not-connected" => ErrorCode::NotConnected,
        "credential-unavailable" => ErrorCode::CredentialUnavailable,
        "limit" => ErrorCode::LimitExceeded,
        "timeout" => ErrorCode::Timeout,
        "reflected" => ErrorCode::CredentialReflected,
        "upstream" => ErrorCode::Upstream,
        "upstream-rate-limited" => ErrorCode::UpstreamRateLimited,
        "upstream-unavailable" => ErrorCode::UpstreamUnavailable,
        "upstream-refused-credential" => ErrorCode::UpstreamRefusedCredential,
        _ => ErrorCode::ToolFailed,
    };
    let error = PublicError::new(code, failure.message);
    match failure.detail.as_deref().and_then(retry_after) {
        Some(seconds) if may_be_tried_again(code) => error.retry_after(seconds),
        _ => error,
    }
}

/// The most of a failure's detail that is read for it.
const MAX_DETAIL: usize = 64 << 10;

const fn may_be_tried_again(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UpstreamRateLimited | ErrorCode::UpstreamUnavailable
    )
}

/// `retry_after` of a failure's detail, in seconds.
fn retry_after(detail: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct FailureDetail {
        retry_after: Option<u64>,
    }
    let detail: FailureDetail =
        serde_json::from_str(Some(detail).filter(|detail| detail.len() <= MAX_DETAIL)?).ok()?;
    detail
        .retry_after
        .map(|seconds| seconds.clamp(1, MAX_RETRY_AFTER))
}

fn contract_error(why: &str) -> PublicError {
    PublicError::new(
        ErrorCode::PluginFailed,
        format!("the plugin broke its contract: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use toolhost_policy::ErrorCode;
    use toolhost_sandbox::contract;

    use super::{MAX_DETAIL, MAX_RETRY_AFTER, failure, texts};

    #[test]
    fn every_text_of_a_block_that_a_caller_sees_is_searched() {
        let said = |text: &str| Some(text.to_owned());
        let block = contract::Content {
            kind: "resource-link".into(),
            text: said("text"),
            data: Some(b"data".to_vec()),
            uri: said("uri"),
            name: said("name"),
            mime_type: said("mime"),
            meta: vec![
                ("title".into(), "title".into()),
                ("annotations".into(), "notes".into()),
            ],
        };
        let answer = Ok(contract::Outcome::Complete(contract::Output {
            content: vec![block],
            structured: said("structured"),
            meta: Vec::new(),
        }));
        let found: Vec<&[u8]> = texts(&answer).collect();
        let all = [
            "text",
            "data",
            "uri",
            "name",
            "mime",
            "title",
            "notes",
            "structured",
        ];
        assert_eq!(found, all.map(str::as_bytes));
    }

    fn told(code: &str, detail: &str) -> (ErrorCode, Option<u64>) {
        let error = failure(contract::Failure {
            code: code.into(),
            message: "the system asks to wait".into(),
            detail: Some(detail.into()),
            meta: Vec::new(),
        });
        (error.code, error.retry_after)
    }

    #[test]
    fn a_refusal_of_the_outside_system_keeps_its_code_and_its_wait() {
        let wait = r#"{"status":429,"retry_after":7}"#;
        assert_eq!(
            told("upstream-rate-limited", wait),
            (ErrorCode::UpstreamRateLimited, Some(7))
        );
        assert_eq!(
            told("upstream-unavailable", wait),
            (ErrorCode::UpstreamUnavailable, Some(7))
        );
        // Who cannot be tried again has nothing to wait for.
        assert_eq!(
            told("upstream-refused-credential", wait),
            (ErrorCode::UpstreamRefusedCredential, None)
        );
        assert_eq!(told("upstream", wait), (ErrorCode::Upstream, None));
        let of = |detail: &str| told("upstream-rate-limited", detail).1;
        assert_eq!(of(r#"{"retry_after":0}"#), Some(1));
        assert_eq!(of(r#"{"retry_after":99999999999}"#), Some(MAX_RETRY_AFTER));
        for odd in [
            r#"{"retry_after":-1}"#,
            r#"{"retry_after":"7"}"#,
            "[]",
            "no JSON",
            "{}",
        ] {
            assert_eq!(of(odd), None, "{odd}");
        }
        let long = format!(r#"{{"body":"{}","retry_after":7}}"#, "x".repeat(MAX_DETAIL));
        assert_eq!(of(&long), None);
    }
}

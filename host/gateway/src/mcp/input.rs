#![expect(
    deprecated,
    reason = "sampling is deprecated by MCP 2026-07-28 and served for its remaining time"
)]

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResponse, ClientCapabilities as Declared, CreateMessageRequestParams,
    ElicitRequestParams, ElicitationCapability, ErrorData, InputRequests, InputRequiredResult,
    InputResponses, SamplingCapability,
};
use rmcp::service::{RequestContext, ServiceError};
use serde_json::{Value, json};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{ClientCapabilities, InputRequest, InputRequired, InputResponse, Resume};

use super::Era;
use super::running_call::is_direct;

/// How long the host waits for a person. Nothing but this request waits: the instance ended when it
/// asked.
const PATIENCE: Duration = Duration::from_secs(300);

/// Questions in one round. A form can ask for many values at once.
const MAX_REQUESTS: usize = 16;

/// What the client said it can do: in this request, or in an older session's handshake.
pub(crate) fn capabilities(context: &RequestContext<RoleServer>) -> ClientCapabilities {
    let declared = context.client_capabilities().unwrap_or_default();
    // An empty object means forms (2025-11-25, elicitation); a plugin's URL is never opened for it.
    let forms = |can: &ElicitationCapability| can.form.is_some() || can.url.is_none();
    ClientCapabilities {
        elicitation: declared.elicitation.as_ref().is_some_and(forms),
        sampling: declared.sampling.is_some(),
    }
}

/// The protocol's own error for a call that needs what the client cannot do: the parameter says
/// what.
pub(crate) fn missing_capability_error(error: &PublicError) -> ErrorData {
    MissingCapability(error.param.clone().unwrap_or_default()).protocol_error(&error.message)
}

/// What a tool or its question needs, and the client cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingCapability(String);

impl MissingCapability {
    pub(crate) fn public(&self) -> PublicError {
        let text = format!("the tool needs a client that can do {}", self.0);
        PublicError::new(ErrorCode::InputUnsupported, text).about(self.0.clone())
    }

    /// -32021, which names the capability as a client would declare it.
    fn protocol_error(&self, message: &str) -> ErrorData {
        let mut required = Declared::default();
        match self.0.as_str() {
            "elicitation" => required.elicitation = Some(ElicitationCapability::default()),
            "sampling" => required.sampling = Some(SamplingCapability::default()),
            // Nothing that a client could declare.
            _ => return ErrorData::invalid_params(message.to_owned(), None),
        }
        ErrorData::missing_required_client_capability(required)
    }
}

/// The first of the needed capabilities that is not there. One that nobody knows is never there.
pub(crate) fn missing_capability(
    needed: &[String],
    client: ClientCapabilities,
) -> Option<MissingCapability> {
    needed
        .iter()
        .find(|kind| !client.has(kind))
        .map(|kind| MissingCapability(kind.chars().take(64).collect()))
}

/// The answers that a retried request carries (2026-07-28, multi round-trip requests).
pub(crate) fn resume(
    era: Era,
    state: Option<String>,
    responses: Option<InputResponses>,
) -> Result<Option<Resume>, ErrorData> {
    match (era, state, responses) {
        (_, None, None) => Ok(None),
        (Era::Legacy, ..) => Err(ErrorData::invalid_params(
            "requestState needs protocol version 2026-07-28",
            None,
        )),
        // Answers to nothing that was asked: the tool begins anew, and asks.
        (Era::Modern, None, Some(_)) => Ok(None),
        (Era::Modern, Some(state), responses) => {
            let answers = responses
                .unwrap_or_default()
                .into_iter()
                .map(|(id, value)| answer(id, value))
                .collect();
            Ok(Some(Resume { answers, state }))
        }
    }
}

/// An `ElicitResult` has an action; a `CreateMessageResult` is the answer as it stands.
fn answer(id: String, value: Value) -> InputResponse {
    match value {
        Value::Object(mut result) if result.get("action").is_some_and(Value::is_string) => {
            let action = result
                .get("action")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            InputResponse {
                id,
                action,
                content: result.remove("content"),
            }
        }
        content => InputResponse {
            id,
            action: "accept".into(),
            content: Some(content),
        },
    }
}

/// The questions, for a client that asks by itself and calls again.
pub(crate) fn input_required_response(
    required: InputRequired,
    client: ClientCapabilities,
) -> Result<CallToolResponse, ErrorData> {
    let kinds: Vec<String> = required
        .requests
        .iter()
        .map(|request| request.kind.clone())
        .collect();
    if let Some(missing) = missing_capability(&kinds, client) {
        return Err(missing.protocol_error(&missing.public().message));
    }
    let mut requests = InputRequests::new();
    for request in required.requests.into_iter().take(MAX_REQUESTS) {
        match question(&request) {
            Some(question) => requests.insert(request.id, question),
            None => {
                return Ok(super::content::failure(&malformed_request_error(&request.kind)).into());
            }
        };
    }
    let requests = (!requests.is_empty()).then_some(requests);
    Ok(InputRequiredResult::new(requests, Some(required.state)).into())
}

fn question(request: &InputRequest) -> Option<rmcp::model::InputRequest> {
    let method = match request.kind.as_str() {
        "elicitation" => {
            form(request.parameters.clone())?;
            "elicitation/create"
        }
        "sampling" => "sampling/createMessage",
        _ => return None,
    };
    serde_json::from_value(json!({ "method": method, "params": request.parameters })).ok()
}

/// Forms alone: a plugin does not get to send a person to an address.
fn form(parameters: Value) -> Option<ElicitRequestParams> {
    let parameters: ElicitRequestParams = serde_json::from_value(parameters).ok()?;
    matches!(
        parameters,
        ElicitRequestParams::FormElicitationParams { .. }
    )
    .then_some(parameters)
}

/// Asks an older client over the request's own stream, one question after the other.
pub(crate) async fn ask(
    context: &RequestContext<RoleServer>,
    client: ClientCapabilities,
    requests: Vec<InputRequest>,
) -> Result<Vec<InputResponse>, PublicError> {
    let kinds: Vec<String> = requests
        .iter()
        .map(|request| request.kind.clone())
        .collect();
    if let Some(missing) = missing_capability(&kinds, client) {
        return Err(missing.public());
    }
    if is_direct(context) {
        // A question goes out over its request's own stream, and there is none before the transport
        // has the request. A call that is not done by now goes on there.
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::with_capacity(requests.len().min(MAX_REQUESTS));
    for request in requests.into_iter().take(MAX_REQUESTS) {
        let asked = tokio::time::timeout(PATIENCE, ask_client(context, request));
        let answer = tokio::select! {
            () = context.ct.cancelled() => return Err(PublicError::new(ErrorCode::Cancelled, "the call was dropped by its caller")),
            answer = asked => answer,
        };
        let late = |_| {
            PublicError::new(
                ErrorCode::Timeout,
                "nobody answered the tool's question in time",
            )
        };
        answers.push(answer.map_err(late)??);
    }
    Ok(answers)
}

async fn ask_client(
    context: &RequestContext<RoleServer>,
    request: InputRequest,
) -> Result<InputResponse, PublicError> {
    let InputRequest {
        id,
        kind,
        parameters,
    } = request;
    let refused = |error: ServiceError| {
        tracing::debug!(%error, "the client did not answer");
        PublicError::new(
            ErrorCode::InputUnsupported,
            "the client did not answer the tool's question",
        )
    };
    let result = if kind == "elicitation" {
        let parameters = form(parameters).ok_or_else(|| malformed_request_error(&kind))?;
        let result = context
            .peer
            .create_elicitation(parameters)
            .await
            .map_err(refused)?;
        serde_json::to_value(result)
    } else {
        let parameters: CreateMessageRequestParams =
            serde_json::from_value(parameters).map_err(|_| malformed_request_error(&kind))?;
        let result = context
            .peer
            .create_message(parameters)
            .await
            .map_err(refused)?;
        serde_json::to_value(result)
    };
    result
        .map(|result| answer(id, result))
        .map_err(|_| malformed_request_error(&kind))
}

fn malformed_request_error(kind: &str) -> PublicError {
    let kind: String = kind.chars().take(64).collect();
    PublicError::new(
        ErrorCode::PluginFailed,
        format!("the plugin's {kind:?} request is not one that MCP has"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use toolhost_policy::ErrorCode;
    use toolhost_tools::{ClientCapabilities, InputRequest, InputRequired};

    use super::{answer, input_required_response, missing_capability, resume};
    use crate::mcp::Era;

    const ALL: ClientCapabilities = ClientCapabilities {
        elicitation: true,
        sampling: true,
    };

    fn asks(kind: &str, parameters: serde_json::Value) -> InputRequired {
        let request = InputRequest {
            id: "q".into(),
            kind: kind.into(),
            parameters,
        };
        InputRequired {
            requests: vec![request],
            state: "sealed".into(),
        }
    }

    fn form() -> serde_json::Value {
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        json!({"message": "who?", "requestedSchema": schema})
    }

    #[test]
    fn a_capability_that_nobody_knows_is_missing() {
        let none = ClientCapabilities::default();
        assert!(missing_capability(&[], none).is_none());
        assert!(missing_capability(&["elicitation".into(), "sampling".into()], ALL).is_none());
        assert!(missing_capability(&["elicitation".into()], none).is_some());
        assert!(missing_capability(&["roots".into()], ALL).is_some());
    }

    #[test]
    fn a_missing_capability_is_named_as_a_client_declares_it() {
        let error =
            input_required_response(asks("elicitation", form()), ClientCapabilities::default())
                .unwrap_err();
        assert_eq!(error.code.0, -32021);
        assert_eq!(
            error.data.unwrap()["requiredCapabilities"],
            json!({"elicitation": {}})
        );
    }

    #[test]
    fn a_question_goes_out_with_its_sealed_state() {
        let response = input_required_response(asks("elicitation", form()), ALL).unwrap();
        let rmcp::model::CallToolResponse::InputRequired(result) = response else {
            panic!("not a question")
        };
        let wire = serde_json::to_value(result).unwrap();
        assert_eq!(wire["resultType"], "input_required");
        assert_eq!(wire["requestState"], "sealed");
        assert_eq!(wire["inputRequests"]["q"]["method"], "elicitation/create");
    }

    #[test]
    fn a_plugin_cannot_send_a_person_to_an_address() {
        let url = json!({"mode": "url", "message": "log in", "url": "https://evil.example", "elicitationId": "1"});
        for bad in [asks("elicitation", url), asks("elicitation", json!({}))] {
            let rmcp::model::CallToolResponse::Complete(result) =
                input_required_response(bad, ALL).unwrap()
            else {
                panic!("asked")
            };
            let code = result.structured_content.unwrap()["error"]["code"].clone();
            assert_eq!(code, ErrorCode::PluginFailed.as_str());
        }
    }

    #[test]
    fn answers_come_back_with_the_state_or_not_at_all() {
        let responses = || Some([("q".to_owned(), json!({"action": "decline"}))].into());
        assert!(resume(Era::Modern, None, None).unwrap().is_none());
        // Nothing was asked that these would answer: the tool begins anew.
        assert_eq!(
            resume(Era::Modern, None, responses())
                .unwrap()
                .map(|resume| resume.state),
            None
        );
        assert!(resume(Era::Legacy, Some("s".into()), responses()).is_err());
        let resumed = resume(Era::Modern, Some("s".into()), responses())
            .unwrap()
            .unwrap();
        assert_eq!((resumed.state.as_str(), resumed.answers.len()), ("s", 1));
    }

    #[test]
    fn an_answer_is_a_form_with_an_action_or_the_models_own_message() {
        let form = answer(
            "a".into(),
            json!({"action": "accept", "content": {"name": "x"}}),
        );
        assert_eq!(
            (form.action.as_str(), form.content),
            ("accept", Some(json!({"name": "x"})))
        );
        let message =
            json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "hi"}});
        let sampled = answer("b".into(), message.clone());
        assert_eq!(
            (sampled.action.as_str(), sampled.content),
            ("accept", Some(message))
        );
    }
}

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{ClientCapabilities, InputResponse, Resume};

use crate::body;
use crate::problem::{problem, problem_with};
use crate::shared_state::SharedState;

/// Characters of what is wrong with a body.
const MAX_WHY: usize = 256;

/// The body of a call, where null is as good as nothing. There is no member for a tenant, and there
/// never is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallBody {
    arguments: Option<Map<String, Value>>,
    accepts: Option<Vec<ClientCapability>>,
    answers: Option<Vec<AnswerBody>>,
    state: Option<String>,
}

/// What the program can ask on a tool's behalf.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClientCapability {
    Elicitation,
    Sampling,
}

/// The answer to one question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerBody {
    id: String,
    action: String,
    content: Option<Value>,
}

/// A call as a request has it.
pub(super) struct CallInput {
    pub(super) arguments: Map<String, Value>,
    pub(super) client: ClientCapabilities,
    pub(super) resume: Option<Resume>,
}

impl CallInput {
    /// # Errors
    /// There are answers, and no state that says to what.
    pub(super) fn new(
        arguments: Option<Map<String, Value>>,
        accepts: Option<&[ClientCapability]>,
        answers: Option<Vec<AnswerBody>>,
        state: Option<String>,
    ) -> Result<Self, PublicError> {
        let resume = match (state, answers) {
            (None, None) => None,
            (None, Some(_)) => {
                let text = "answers need the state that came with the questions";
                return Err(PublicError::new(ErrorCode::InvalidRequest, text).about("state"));
            }
            (Some(state), answers) => {
                let answers = answers
                    .unwrap_or_default()
                    .into_iter()
                    .map(|answer| InputResponse {
                        id: answer.id,
                        action: answer.action,
                        content: answer.content,
                    });
                Some(Resume {
                    answers: answers.collect(),
                    state,
                })
            }
        };
        let accepts = accepts.unwrap_or_default();
        let client = ClientCapabilities {
            elicitation: accepts.contains(&ClientCapability::Elicitation),
            sampling: accepts.contains(&ClientCapability::Sampling),
        };
        Ok(Self {
            arguments: arguments.unwrap_or_default(),
            client,
            resume,
        })
    }
}

impl CallBody {
    pub(super) fn into_input(self) -> Result<CallInput, PublicError> {
        CallInput::new(
            self.arguments,
            self.accepts.as_deref(),
            self.answers,
            self.state,
        )
    }
}

/// A JSON object as the body, and nothing in the query.
pub(super) async fn object<T: DeserializeOwned>(
    shared: &SharedState,
    parts: &Parts,
    body: Body,
    shape: &str,
) -> Result<T, Box<Response>> {
    if !is_json(&parts.headers) {
        let error = PublicError::new(ErrorCode::InvalidRequest, "the body is application/json");
        let error = error.about("Content-Type");
        return Err(Box::new(problem_with(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &error,
        )));
    }
    let body = body::message(body, &shared.config).await;
    let body = body.map_err(|error| Box::new(error.response()))?;
    parse_body(&body, shape).map_err(|error| Box::new(problem(&error)))
}

/// What a body holds.
pub(super) fn parse_body<T: DeserializeOwned>(body: &[u8], shape: &str) -> Result<T, PublicError> {
    let refused = |why: &str| {
        PublicError::new(
            ErrorCode::InvalidRequest,
            format!("the body is not {shape}: {why}"),
        )
    };
    // serde would take the members of an array for those of the object.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(refused("it is not an object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        // It may repeat what the program sent, which is not repeated whole; where it stands is said
        // at the end.
        let why = error.to_string();
        match (why.chars().nth(MAX_WHY), why.rfind(" at line ")) {
            (None, _) | (_, None) => refused(&why.chars().take(MAX_WHY).collect::<String>()),
            (Some(_), Some(place)) => {
                let (why, place) = why.split_at(place);
                let why: String = why.chars().take(MAX_WHY).collect();
                refused(&format!("{why}…{place}"))
            }
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

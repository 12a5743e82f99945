//! From the arguments to the answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toolhost_sdk::testing::{self, Host, InvokeResult};
use toolhost_sdk::{
    Answer, Artifacts, Ask, Call, Code, Content, Failure, Http, HttpCode, Json, Kv, Outcome,
    Output, Plugin, Tool, join, log,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Get {
    id: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Invoice {
    id: String,
}

fn plugin() -> Plugin {
    Plugin::new()
        .tool(Tool::new("get", get).read_only())
        .tool(Tool::new("both", both).read_only())
        .tool(Tool::new("ask", ask))
        .tool(Tool::new("sample", sample))
        .tool(Tool::new("keep", keep))
}

fn get(arguments: Get, _: &Call) -> Result<Json<Invoice>, Failure> {
    Ok(Json(
        Http::connection("billing")
            .get("/v1/invoices/{id}")
            .param("id", arguments.id)
            .send()?
            .json()?,
    ))
}

/// Two requests side by side, one block for each answer.
fn both(arguments: Get, call: &Call) -> Result<Output, Failure> {
    let start = |id: &str| {
        Http::connection("billing")
            .get("/v1/invoices/{id}")
            .param("id", id)
            .start()
    };
    let begun = vec![start(&arguments.id)?, start("other")?];
    let mut output = Output::default();
    for (answer, done) in join(begun).into_iter().zip([1.0, 2.0]) {
        call.progress(done, Some(2.0), None);
        output = output.with(Content::Text(answer?.json::<Invoice>()?.id));
    }
    log::info("both are there");
    Ok(output)
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Confirm {
    yes: bool,
    note: Option<String>,
}

fn ask(arguments: Get, call: &Call) -> Result<Outcome<Json<Invoice>>, Failure> {
    match call.answer::<Confirm>("confirm")? {
        None => Ok(Ask::new()
            .elicit::<Confirm>("confirm", "Sure?")
            .state(&7)
            .into()),
        Some(Answer::Accepted(Confirm { yes: true, .. })) => {
            assert_eq!(call.state::<u32>()?, Some(7));
            Ok(Outcome::Complete(Json(Invoice { id: arguments.id })))
        }
        Some(_) => Err(Failure::new(Code::Denied, "the person said no")),
    }
}

fn sample(_: Get, call: &Call) -> Result<Outcome<String>, Failure> {
    match call.sampled("thought")? {
        Some(text) => Ok(Outcome::Complete(text)),
        None => Ok(Ask::new().sample("thought", "What is it?", 50).into()),
    }
}

fn keep(arguments: Get, _: &Call) -> Result<String, Failure> {
    let kv = Kv::personal();
    let version = kv.put_json(&arguments.id, &1)?;
    kv.compare_and_set(&arguments.id, Some(version), b"2")?;
    let conflict = kv
        .compare_and_set(&arguments.id, Some(version), b"3")
        .unwrap_err();
    assert_eq!(conflict.code, Code::Conflict);
    assert_eq!(Kv::shared().get(&arguments.id)?, None);
    let kept: u32 = kv.get(&arguments.id)?.unwrap().json()?;
    assert_eq!(
        kv.list("", None, 10)?.keys,
        std::slice::from_ref(&arguments.id)
    );
    assert!(kv.delete(&arguments.id)? && !kv.delete(&arguments.id)?);
    let file = Artifacts::shared()
        .name("a.txt")
        .put("text/plain", b"text".to_vec())?;
    let found = Artifacts::get(&file.id)?.unwrap();
    assert_eq!(
        (found.name.as_deref(), found.bytes.as_slice()),
        (Some("a.txt"), &b"text"[..])
    );
    assert!(
        matches!(file.link(), Content::ResourceLink { uri, .. } if uri == format!("artifact:{}", file.id))
    );
    assert!(Artifacts::delete(&file.id)? && !Artifacts::delete(&file.id)?);
    assert_eq!(Artifacts::get(&file.id)?, None);
    let refused = Artifacts::shared().put("text", vec![]).unwrap_err();
    assert_eq!(refused.code, Code::InvalidArguments);
    Ok(kept.to_string())
}

fn answering() -> Host {
    Host::new().answering(|request| match request.parameters[0].1.as_str() {
        "missing" => testing::json(404, &json!({ "internal": "stack trace" })),
        "broken" => testing::json(200, &json!({ "no": "id" })),
        "cut" => Err(testing::failing(HttpCode::Timeout, "too slow")),
        id => testing::json(200, &json!({ "id": id })),
    })
}

fn refused(tool: &str, arguments: Value) -> Failure {
    answering().invoke(&plugin(), tool, arguments).unwrap_err()
}

#[test]
fn a_result_is_given_as_text_and_as_structure() {
    let InvokeResult::Complete(output) = answering()
        .invoke(&plugin(), "get", json!({ "id": "in_1" }))
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(output.content, [Content::Text(r#"{"id":"in_1"}"#.into())]);
    assert_eq!(output.structured, Some(json!({ "id": "in_1" })));
}

#[test]
fn arguments_that_do_not_fit_are_a_failure_and_no_panic() {
    for arguments in [
        json!({}),
        json!({ "id": 1 }),
        json!({ "id": "a", "x": 1 }),
        json!([]),
        json!(null),
    ] {
        assert_eq!(refused("get", arguments).code, Code::InvalidArguments);
    }
    assert_eq!(refused("nothing", json!({})).code, Code::InvalidArguments);
}

#[test]
fn an_answer_that_is_not_a_success_is_not_read_as_one() {
    let failure = refused("get", json!({ "id": "missing" }));
    assert_eq!(
        (failure.code, failure.message.contains("404")),
        (Code::Upstream, true)
    );
    assert_eq!(failure.detail.as_deref(), Some(r#"{"sent":true}"#));
    assert!(!failure.message.contains("trace"));
    assert_eq!(
        refused("get", json!({ "id": "broken" })).code,
        Code::Upstream
    );
    assert_eq!(
        refused("get", json!({ "id": "cut" })),
        Failure::new(Code::Timeout, "too slow")
    );
}

#[test]
fn a_host_that_grants_nothing_denies() {
    assert_eq!(
        Host::new()
            .invoke(&plugin(), "get", json!({ "id": "a" }))
            .unwrap_err()
            .code,
        Code::Denied
    );
}

#[test]
fn several_answers_are_waited_for_side_by_side_and_keep_their_order() {
    let host = answering();
    let InvokeResult::Complete(output) = host
        .invoke(&plugin(), "both", json!({ "id": "first" }))
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(
        output.content,
        [Content::Text("first".into()), Content::Text("other".into())]
    );
    assert_eq!(
        host.progress(),
        [(1.0, Some(2.0), None), (2.0, Some(2.0), None)]
    );
    assert_eq!(
        host.log(),
        [("info".to_owned(), "both are there".to_owned())]
    );
}

#[test]
fn a_question_ends_the_call_and_the_answer_resumes_it() {
    let (host, plugin, arguments) = (Host::new(), plugin(), json!({ "id": "in_1" }));
    let InvokeResult::InputRequired { requests, state } =
        host.invoke(&plugin, "ask", arguments.clone()).unwrap()
    else {
        panic!()
    };
    let (id, kind, parameters) = &requests[0];
    assert_eq!(
        (id.as_str(), kind.as_str(), &parameters["message"]),
        ("confirm", "elicitation", &json!("Sure?"))
    );
    assert_eq!(
        parameters["requestedSchema"],
        json!({
            "type": "object", "required": ["yes"],
            "properties": { "yes": { "type": "boolean" }, "note": { "type": "string" } },
        })
    );
    let resume = |action: &str, content: Option<Value>| {
        host.resume(
            &plugin,
            "ask",
            arguments.clone(),
            &[("confirm", action, content)],
            Some(state.clone()),
        )
    };
    assert!(resume("accept", Some(json!({ "yes": true }))).is_ok());
    assert_eq!(
        resume("accept", Some(json!({ "yes": "maybe" })))
            .unwrap_err()
            .code,
        Code::InvalidArguments
    );
    // Only an accepted yes is one: neither a no, nor what this version does not know.
    for action in ["decline", "cancel", "later"] {
        assert_eq!(
            resume(action, Some(json!({ "yes": true })))
                .unwrap_err()
                .code,
            Code::Denied
        );
    }
}

#[test]
fn what_a_model_wrote_is_read_as_one_block_and_as_a_list() {
    let (host, plugin, arguments) = (Host::new(), plugin(), json!({ "id": "a" }));
    for content in [
        json!({ "type": "text", "text": "42" }),
        json!([{ "type": "text", "text": "42" }]),
    ] {
        let message = json!({ "role": "assistant", "model": "m", "content": content });
        let answer = [("thought", "accept", Some(message))];
        let InvokeResult::Complete(output) = host
            .resume(&plugin, "sample", arguments.clone(), &answer, None)
            .unwrap()
        else {
            panic!()
        };
        assert_eq!(output, Output::text("42"));
    }
}

#[test]
fn what_is_kept_is_kept_by_scope_and_version() {
    assert_eq!(
        answering()
            .invoke(&plugin(), "keep", json!({ "id": "k" }))
            .unwrap(),
        InvokeResult::Complete(Output::text("2"))
    );
}

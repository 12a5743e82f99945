use serde_json::{Value, json};
use toolhost_identity::Binding;
use toolhost_policy::ErrorCode;
use toolhost_tools::{
    CallOptions, CallOutcome, ClientCapabilities, InputResponse, ModelArgs, Resume, Tools,
};

use super::kept;

fn with_answers(state: &str, answers: Value) -> CallOptions {
    let answer = |answer: &Value| InputResponse {
        id: answer["id"].as_str().unwrap().into(),
        action: answer["action"].as_str().unwrap().into(),
        content: answer.get("content").cloned(),
    };
    let answers = answers.as_array().unwrap().iter().map(answer).collect();
    CallOptions {
        client: ClientCapabilities {
            elicitation: true,
            sampling: true,
        },
        resume: Some(Resume {
            answers,
            state: state.into(),
        }),
        ..CallOptions::default()
    }
}

fn able() -> CallOptions {
    CallOptions {
        client: ClientCapabilities {
            elicitation: true,
            sampling: true,
        },
        ..CallOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_once_by_its_own_caller_for_its_own_arguments() {
    let kept = kept().await;
    let (ada, bob, eve) = (
        kept.callers.binding("acme", "ada").await,
        kept.callers.binding("acme", "bob").await,
        kept.callers.binding("globex", "ada").await,
    );
    let args = |message: &str| {
        ModelArgs::new(
            json!({"message": message, "state": "kept-by-the-guest-only"})
                .as_object()
                .unwrap()
                .clone(),
        )
    };
    let yes = json!([{"id": "confirm", "action": "accept", "content": {"yes": true}}]);
    let asked = async || match kept
        .tools
        .call(&ada, "elicit", args("sure?"), able())
        .await
        .unwrap()
    {
        CallOutcome::InputRequired(asked) => asked,
        other => panic!("{other:?}"),
    };
    let first = asked().await;
    assert_eq!(
        (
            first.requests[0].id.as_str(),
            first.requests[0].kind.as_str()
        ),
        ("confirm", "elicitation")
    );
    assert!(
        !first.state.contains("kept-by")
            && toolhost_harness::LeakDetector::new(["kept-by-the-guest-only"])
                .find(first.state.as_bytes())
                .is_none()
    );
    let refused =
        async |tools: &Tools, binding: &Binding, tool: &str, message: &str, state: &str| {
            let error = tools
                .call(
                    binding,
                    tool,
                    args(message),
                    with_answers(state, yes.clone()),
                )
                .await
                .unwrap_err();
            assert_eq!(
                (error.code, error.param.as_deref()),
                (ErrorCode::InvalidRequest, Some("state")),
                "{error}"
            );
        };
    refused(&kept.tools, &eve, "elicit", "sure?", &first.state).await;
    refused(&kept.tools, &bob, "elicit", "sure?", &first.state).await;
    refused(&kept.tools, &ada, "elicit", "another?", &first.state).await;
    refused(&kept.tools, &ada, "sample", "sure?", &first.state).await;
    refused(&kept.other, &ada, "elicit", "sure?", &first.state).await;
    for at in [0, 10, 30, 40, first.state.len() - 1] {
        let mut forged = first.state.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        refused(
            &kept.tools,
            &ada,
            "elicit",
            "sure?",
            &String::from_utf8(forged).unwrap(),
        )
        .await;
    }
    let (padded, long) = (format!("{}=", first.state), "A".repeat(1 << 20));
    for forged in [
        "",
        "AAAA",
        &first.state[..first.state.len() - 4],
        &padded,
        &long,
    ] {
        refused(&kept.tools, &ada, "elicit", "sure?", forged).await;
    }
    // After all that it is still good, once.
    let outcome = kept
        .tools
        .call(
            &ada,
            "elicit",
            args("sure?"),
            with_answers(&first.state, yes.clone()),
        )
        .await
        .unwrap();
    let CallOutcome::Complete(output) = outcome else {
        panic!("{outcome:?}")
    };
    let seen = output.structured.unwrap();
    assert_eq!(
        (&seen["action"], &seen["state"], &seen["round"]),
        (
            &json!("accept"),
            &json!("kept-by-the-guest-only"),
            &json!(1)
        )
    );
    refused(&kept.tools, &ada, "elicit", "sure?", &first.state).await;
    // Two at once with one state: one of them is first.
    let again = asked().await;
    let resume = || {
        kept.tools.call(
            &ada,
            "elicit",
            args("sure?"),
            with_answers(&again.state, yes.clone()),
        )
    };
    let (a, b) = tokio::join!(resume(), resume());
    assert_eq!(a.is_ok() as u8 + b.is_ok() as u8, 1, "{a:?} {b:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_model_is_asked_and_answers_within_the_same_bounds() {
    let kept = kept().await;
    let ada = kept.callers.binding("acme", "ada").await;
    let args = |bytes: usize| {
        ModelArgs::new(
            json!({"message": "think", "state": "s", "state_bytes": bytes})
                .as_object()
                .unwrap()
                .clone(),
        )
    };
    let error = kept
        .tools
        .call(&ada, "sample", args(0), CallOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.code,
        ErrorCode::InputUnsupported,
        "a client that cannot is told so at once: {error}"
    );
    let CallOutcome::InputRequired(asked) = kept
        .tools
        .call(&ada, "sample", args(0), able())
        .await
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(asked.requests[0].kind, "sampling");
    let content = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "a thought"}});
    let answers = json!([{"id": asked.requests[0].id, "action": "accept", "content": content}]);
    let outcome = kept
        .tools
        .call(&ada, "sample", args(0), with_answers(&asked.state, answers))
        .await
        .unwrap();
    assert!(format!("{outcome:?}").contains("a thought"), "{outcome:?}");
    // A state that is no state any more but a store.
    let error = kept
        .tools
        .call(&ada, "elicit", args(100_000), able())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::PluginFailed, "{error}");
}

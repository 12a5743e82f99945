//! From a document to an answer, through the SDK's stand-in of a host.

use serde_json::{Value, json};
use toolhost_sdk::adapter::{Adapter, Document, Invocation};
use toolhost_sdk::testing::{self, Host};

use crate::OpenApi;

#[test]
fn a_tool_is_discovered_and_called() {
    let text = "openapi: 3.0.3\npaths:\n  /pets/{id}:\n    get:\n      operationId: getPet\n      parameters:\n        - {name: id, in: path, required: true, schema: {type: string}}\n        - {name: tag, in: query, schema: {type: array, items: {type: string}}}\n      responses:\n        200:\n          description: ok\n          content: {application/json: {schema: {type: object}}}\n";
    let document = Document {
        content: text.into(),
        content_type: None,
        meta: vec![],
    };
    let found = OpenApi::discover(Some(document)).unwrap();
    let descriptor = &found.tools[0].descriptor;
    let _host = Host::new().answering(|request| {
        assert_eq!(
            (
                request.connection.as_str(),
                request.method.as_str(),
                request.path.as_str()
            ),
            ("", "GET", "/pets/{id}")
        );
        assert_eq!(request.parameters, [("id".to_owned(), "a b".to_owned())]);
        assert_eq!(
            request.query,
            [
                ("tag".to_owned(), "x".to_owned()),
                ("tag".to_owned(), "y".to_owned())
            ]
        );
        assert_eq!(
            request.headers,
            [("accept".to_owned(), "application/json".to_owned())]
        );
        testing::json(200, &json!({"id": "a b"}))
    });
    let call = |arguments: Value| Invocation {
        name: "getPet".into(),
        arguments: arguments.to_string(),
        answers: vec![],
        state: None,
        meta: vec![],
    };
    let answer =
        OpenApi::invoke(descriptor, &call(json!({"id": "a b", "tag": ["x", "y"]}))).unwrap();
    assert_eq!(answer.structured.as_deref(), Some(r#"{"id":"a b"}"#));
    let failure = OpenApi::invoke(descriptor, &call(json!({}))).unwrap_err();
    assert_eq!(failure.code.as_str(), "invalid-arguments");
    assert_eq!(
        OpenApi::discover(None).unwrap_err().code.as_str(),
        "invalid-document"
    );
}

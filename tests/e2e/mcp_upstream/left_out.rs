//! What of a server is not offered is said by name, with its reason, wherever an operator looks.

use serde_json::{Value, json};
use toolhost_harness::host;

use crate::mcp_upstream::evil::{Evil, tool};
use crate::mcp_upstream::{builder, issuer};

#[tokio::test]
async fn each_tool_that_is_left_out_is_named_with_its_reason_by_approve_and_show() {
    let evil = Evil::start().await;
    evil.lists(|listed| {
        let with = |name: &str, schema: Value| {
            let mut tool = tool(name);
            tool["inputSchema"] = schema;
            tool
        };
        let header =
            |kind: &str| json!({"type": "object", "properties": {"n": {"type": kind, "x-mcp-header": "N"}}});
        *listed = vec![
            tool("fine"),
            with(
                "badref",
                json!({"type": "object", "properties": {"n": {"$ref": "#/$defs/Nope"}}}),
            ),
            with("number", header("number")),
            with("object", header("object")),
            json!({"name": "noschema"}),
            with("list.answer", json!({"type": "object"})),
            tool("twice"),
            tool("Twice"),
        ];
    });
    let (directory, _) = builder(&issuer(), &evil.url()).write();
    tokio::task::spawn_blocking(move || {
        let approve = |more: &[&str]| {
            let words = [
                "connection",
                "approve",
                "support",
                "--as-tenant",
                "acme",
                "--yes",
            ];
            host::run(directory.path(), &[&words, more].concat())
        };
        let show = |more: &[&str]| {
            host::run(
                directory.path(),
                &[&["connection", "show", "support"], more].concat(),
            )
        };
        let left_out = ["badref", "number", "object", "noschema", "twice", "Twice"];
        for ended in [
            approve(&[]),
            approve(&[]),
            show(&[]),
            approve(&["--output", "table"]),
            show(&["--output", "table"]),
        ] {
            assert_eq!(ended.status, 0, "{ended:?}");
            for name in left_out {
                assert!(
                    ended.stdout.contains(&format!("{name}: ")),
                    "{name}: {}",
                    ended.stdout
                );
            }
            assert!(
                ended.stdout.contains("it is offered under another name"),
                "{}",
                ended.stdout
            );
        }
        for ended in [approve(&["--output", "json"]), show(&["--output", "json"])] {
            let said: Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(said["tools"], 2, "{said}");
            let noted = &said["tool_notes"][0];
            assert!(
                noted["tool"].as_str().unwrap().starts_with("list_answer_"),
                "{said}"
            );
            assert_eq!(noted["note"], "it is offered under another name");
            let without = said["without_tool"].as_array().unwrap();
            for name in left_out {
                let found = without
                    .iter()
                    .find(|left| left["operation"] == name)
                    .unwrap();
                assert!(
                    !found["reason"].as_str().unwrap().is_empty()
                        && !found["message"].as_str().unwrap().is_empty()
                );
            }
            assert_eq!(without.len(), left_out.len());
        }
    })
    .await
    .unwrap();
}

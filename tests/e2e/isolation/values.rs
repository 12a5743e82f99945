use serde_json::{Value, json};
use toolhost_harness::text_of;
use toolhost_identity::Binding;
use toolhost_tools::{CallOptions, CallOutcome, ModelArgs, Tools};

use super::kept;

async fn kv(tools: &Tools, binding: &Binding, args: Value) -> Result<Value, String> {
    let Value::Object(members) = args else {
        panic!()
    };
    match tools
        .call(
            binding,
            "kv",
            ModelArgs::new(members),
            CallOptions::default(),
        )
        .await
    {
        Ok(CallOutcome::Complete(output)) => Ok(output.structured.unwrap()["result"].clone()),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_another_tenant_plugin_or_person_cannot_be_spelled() {
    let kept = kept().await;
    let ada = kept.callers.binding("acme", "ada").await;
    let bob = kept.callers.binding("acme", "bob").await;
    let eve = kept.callers.binding("globex", "eve").await;
    let put = |personal: bool, value: &str| json!({"operation": "put", "key": "k", "value": value, "personal": personal});
    kv(&kept.tools, &ada, put(false, "shared-of-acme"))
        .await
        .unwrap();
    kv(&kept.tools, &ada, put(true, "ada's own")).await.unwrap();
    let get =
        |key: &str, personal: bool| json!({"operation": "get", "key": key, "personal": personal});
    assert_eq!(
        kv(&kept.tools, &bob, get("k", false)).await.unwrap()["value"],
        "shared-of-acme"
    );
    for (tools, who, personal) in [
        (&kept.tools, &eve, false),
        (&kept.tools, &eve, true),
        (&kept.tools, &bob, true),
        (&kept.other, &ada, false),
        (&kept.other, &ada, true),
    ] {
        assert_eq!(
            kv(tools, who, get("k", personal)).await.unwrap(),
            Value::Null
        );
        let list = json!({"operation": "list", "key": "", "personal": personal});
        assert_eq!(kv(tools, who, list).await.unwrap()["keys"], json!([]));
    }
    let long = "k".repeat(513);
    for key in [
        "../acme/k",
        "acme/k",
        "/acme/k",
        "acme\u{0}evil\u{0}k",
        "..\\acme\\k",
        "%2e%2e/acme/k",
        "k\u{0}",
        "acme:evil:k",
        "*",
        "",
        &long,
        "acme/evil/shared/k",
        "\u{212a}",
        "k\u{301}",
    ] {
        for operation in ["get", "list", "delete"] {
            let args = json!({"operation": operation, "key": key, "cursor": if operation == "list" { Some(key) } else { None }});
            let said = format!("{:?}", kv(&kept.tools, &eve, args).await);
            assert!(
                !said.contains("acme\"")
                    && !said.contains("shared-of-acme")
                    && !said.contains("true"),
                "{key:?}: {said}"
            );
        }
    }
    assert!(
        kv(
            &kept.tools,
            &eve,
            json!({"operation": "put", "key": long, "value": "x"})
        )
        .await
        .is_err()
    );
    assert!(
        kv(
            &kept.tools,
            &eve,
            json!({"operation": "put", "key": "", "value": "x"})
        )
        .await
        .is_err()
    );
    // Byte by byte: no normal form joins two keys.
    kv(
        &kept.tools,
        &eve,
        json!({"operation": "put", "key": "\u{e9}", "value": "one"}),
    )
    .await
    .unwrap();
    assert_eq!(
        kv(&kept.tools, &eve, get("e\u{301}", false)).await.unwrap(),
        Value::Null
    );
    assert_eq!(
        kv(&kept.tools, &ada, get("k", false)).await.unwrap()["value"],
        "shared-of-acme"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plugin_of_one_tenant_fills_its_own_space_and_nobody_elses() {
    let kept = kept().await;
    let (ada, eve) = (
        kept.callers.binding("acme", "ada").await,
        kept.callers.binding("globex", "eve").await,
    );
    let args = ModelArgs::new(json!({"n": 1_500}).as_object().unwrap().clone());
    let flood = kept
        .tools
        .call(&ada, "kv_flood", args, CallOptions::default())
        .await;
    let Ok(CallOutcome::Complete(output)) = flood else {
        panic!("{flood:?}")
    };
    assert!(
        text_of(&output).contains("refused after 1000 keys")
            && text_of(&output).contains("kv_calls"),
        "{}",
        text_of(&output)
    );
    let put = |key: usize, bytes: u32| json!({"operation": "put", "key": format!("big-{key}"), "value": "x", "repeat": bytes});
    assert!(
        kv(&kept.tools, &ada, put(0, (256 << 10) + 1))
            .await
            .unwrap_err()
            .contains("262144")
    );
    let mut written = 0;
    let refused = loop {
        match kv(&kept.tools, &ada, put(written, 256 << 10)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written <= 64, "16 MiB are 64 such values");
    };
    assert!(refused.contains("full"), "{refused}");
    assert!(kv(&kept.tools, &eve, put(0, 256 << 10)).await.is_ok());
    assert!(kv(&kept.other, &ada, put(0, 256 << 10)).await.is_ok());
}

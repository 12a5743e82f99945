use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_placement_is_found_again_wherever_it_was_put() {
    let name = http::HeaderName::from_static;
    let token = {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signature = part("a signature of this token alone, of 64 bytes as ES256 makes them");
        format!(
            "{}.{}.{signature}",
            part(r#"{"alg":"ES256"}"#),
            part(r#"{"iss":"https://idp.example","sub":"acme"}"#)
        )
    };
    let placements = [
        (AuthPlacement::Bearer, SECRET.to_owned()),
        (AuthPlacement::Bearer, token),
        (AuthPlacement::Basic, format!("robot:{SECRET}")),
        (
            AuthPlacement::Header {
                name: name("x-api-key"),
                prefix: "Token ".into(),
            },
            SECRET.to_owned(),
        ),
        (
            AuthPlacement::Query { key: "key".into() },
            SECRET.to_owned(),
        ),
        (
            AuthPlacement::Body {
                pointer: "/auth/key".into(),
            },
            SECRET.to_owned(),
        ),
    ];
    for (auth, secret) in placements {
        // The whole request comes back, as an echo service does it.
        let upstream = RawUpstream::start(|request| {
            let body = serde_json::to_vec(&json!({"request": request})).unwrap();
            pieces([whole("content-type: application/json\r\n", &body)])
        })
        .await;
        let rig = rig_to(&upstream, &secret, |connection| {
            connection.auth = auth.clone()
        })
        .await;
        // Of a JWT the header and the start of the payload are every other token's too.
        let own = secret.rsplit('.').next().unwrap();
        let detector = LeakDetector::new([own]);
        for tool in ["http", "http_start"] {
            let request = json!({"connection": "echo", "method": "POST", "path": "/echo", "body": "{\"auth\":{}}",
                "headers": [["content-type", "application/json"]]});
            let said = told(&rig, tool, request).await;
            assert!(
                said.contains("[redacted]") || said.contains("withheld"),
                "{auth:?}: {said}"
            );
            assert_eq!(detector.find(said.as_bytes()), None, "{auth:?}: {said}");
        }
        assert!(
            detector.find(upstream.received().as_bytes()).is_some(),
            "{auth:?}: it was on the wire"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_attached_from_an_attribute_comes_back_in_no_header_and_no_error() {
    let upstream = RawUpstream::start(|request| {
        let account = request.lines().find_map(|line| line.strip_prefix("x-account-id: ")).unwrap().to_owned();
        let (_, place) = asked(request);
        let encoded = STANDARD.encode(&account);
        let head = format!(
            "HTTP/1.1 200 {account}\r\netag: \"{account}\"\r\nlink: </accounts/{account}?page=2>\r\nx-request-id: {encoded}\r\n\
             x-own: {account}\r\ncontent-length: 2\r\n\r\nok"
        );
        match place.as_str() {
            "garbage" => pieces([format!("{account} is not HTTP\r\n\r\n").into_bytes()]),
            "encoding" => pieces([format!("HTTP/1.1 200 OK\r\ncontent-encoding: {account}\r\n\r\n").into_bytes()]),
            _ => pieces([head.into_bytes()]),
        }
    })
    .await;
    let rig = rig_to(&upstream, SECRET, |connection| {
        let template = HeaderTemplate::parse("{external_tenant_id}").unwrap();
        connection.headers = vec![("x-account-id".parse().unwrap(), template)];
        connection.response_headers =
            vec!["x-own".parse().unwrap(), "x-account-id".parse().unwrap()];
    })
    .await;
    for tool in ["http", "http_start"] {
        for place in ["head", "garbage", "encoding"] {
            let said = told(&rig, tool, probe(0, place)).await;
            assert!(
                !said.contains("acct-of-acme") && !said.contains(&STANDARD.encode("acct-of-acme")),
                "{said}"
            );
        }
    }
    assert!(upstream.received().contains("x-account-id: acct-of-acme"));
}

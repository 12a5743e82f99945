//! An outside system that sends the credential back: in every spelling, whole and in parts, in
//! every place of an answer, cut at every border. Nothing of it may reach a result, and none of it
//! a guest's memory (T10 to T12, T14, E2).

mod placements;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::StreamExt as _;
use serde_json::{Value, json};
use toolhost_harness::leak::{RUN, encodings, encodings_of_parts};
use toolhost_harness::{LeakDetector, RawUpstream, Rig, Say, connection};
use toolhost_policy::{
    AuthPlacement, Connection, HeaderTemplate, Method, OperationRule, PathTemplate,
};

/// 34 bytes with `/`, `+` and `=`.
const SECRET: &str = "s3cr3t/t0ken+v4lue/Qx7Zp9w==Kd82mV";

fn spellings() -> Vec<(&'static str, Vec<u8>)> {
    encodings(SECRET)
        .into_iter()
        .chain(encodings_of_parts(SECRET))
        .collect()
}

async fn rig_to(upstream: &RawUpstream, secret: &str, change: impl FnOnce(&mut Connection)) -> Rig {
    let mut echo = connection("echo", &upstream.url());
    // Hundreds of answers reflect; the guard that one is enough has a test of its own.
    echo.reflects = [Method::Get, Method::Post]
        .map(|method| OperationRule {
            method,
            path: PathTemplate::parse("/echo").unwrap(),
        })
        .to_vec();
    change(&mut echo);
    Rig::for_plugin("evil")
        .connection(echo)
        .credential("acme", "echo", secret)
        .slots(16)
        .build()
        .await
}

/// What the request asks the upstream to answer: `n`, the number of the spelling; `q`, the place
/// and the cut.
fn asked(request: &str) -> (usize, String) {
    let line = request.lines().next().unwrap();
    let value = |key: &str| {
        let at = line
            .split(['?', '&', ' '])
            .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        at.unwrap_or_default().to_owned()
    };
    (value("n").parse().unwrap_or(0), value("q"))
}

fn whole(content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\n{content_type}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: etag\r\n\r\n";

fn in_json(spelt: &[u8]) -> Vec<u8> {
    [
        b"{\"echo\":\"".as_slice(),
        spelt,
        b"\",\"more\":\"text behind it\"}",
    ]
    .concat()
}

/// Raw bytes, a write for each piece.
fn pieces(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<Say> {
    pieces.into_iter().map(Say::Bytes).collect()
}

async fn mirror() -> RawUpstream {
    RawUpstream::start(|request| {
        assert!(request.contains(SECRET), "the credential was on the wire");
        let (n, place) = asked(request);
        let spelt = spellings().swap_remove(n).1;
        let header = |name: &str| {
            let head = [
                b"HTTP/1.1 200 OK\r\n",
                name.as_bytes(),
                b": \"",
                &spelt,
                b"\"\r\ncontent-length: 2\r\n\r\nok",
            ];
            vec![Say::Bytes(head.concat())]
        };
        match place.as_str() {
            "json" => pieces([whole(
                "content-type: application/json\r\n",
                &in_json(&spelt),
            )]),
            "text" => pieces([whole("content-type: text/plain; charset=utf-8\r\n", &spelt)]),
            "html" => pieces([whole("content-type: text/html\r\n", &spelt)]),
            "binary" => pieces([whole(
                "content-type: application/octet-stream\r\n",
                &in_json(&spelt),
            )]),
            "untyped" => pieces([whole("", &in_json(&spelt))]),
            "wide" => pieces([whole(
                "content-type: text/plain; charset=utf-16\r\n",
                &spelt,
            )]),
            "base64-in-json" => pieces([whole(
                "content-type: application/json\r\n",
                &in_json(STANDARD.encode(in_json(&spelt)).as_bytes()),
            )]),
            "etag" => header("etag"),
            "link" => header("link"),
            "content-type" => header("content-type"),
            "x-request-id" => header("x-request-id"),
            "status" => {
                let head = [
                    b"HTTP/1.1 200 ".as_slice(),
                    &spelt,
                    b"\r\ncontent-length: 2\r\n\r\nok",
                ];
                pieces([head.concat()])
            }
            "error" => {
                let mut answer =
                    b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error=\"".to_vec();
                answer.extend_from_slice(&spelt);
                answer.extend_from_slice(b"\"\r\ncontent-type: application/problem+json\r\n\r\n");
                answer.extend_from_slice(&in_json(&spelt));
                pieces([answer])
            }
            "trailer" => pieces([
                CHUNKED.to_vec(),
                chunk(b"{}"),
                [b"0\r\netag: ".as_slice(), &spelt, b"\r\n\r\n"].concat(),
            ]),
            "broken-off" => pieces([
                CHUNKED.to_vec(),
                chunk(&in_json(&spelt)),
                b"ff\r\nx".to_vec(),
            ]),
            "bytes" => {
                let body = in_json(&spelt);
                let chunks = body.chunks(1).map(chunk);
                pieces(
                    std::iter::once(CHUNKED.to_vec())
                        .chain(chunks)
                        .chain([b"0\r\n\r\n".to_vec()]),
                )
            }
            cut => {
                let body = in_json(&spelt);
                let (head, tail) =
                    body.split_at(cut.parse::<usize>().unwrap().min(body.len() - 1).max(1));
                pieces([
                    CHUNKED.to_vec(),
                    chunk(head),
                    chunk(tail),
                    b"0\r\n\r\n".to_vec(),
                ])
            }
        }
    })
    .await
}

async fn told(rig: &Rig, tool: &str, request: Value) -> String {
    match rig.call("acme", tool, request.clone()).await {
        Ok(output) => {
            let structured = output.structured.clone().unwrap();
            // The body by itself too: within JSON its control characters are escaped.
            format!(
                "{output:?} {} {structured}",
                structured["body"].as_str().unwrap_or_default()
            )
        }
        Err(error) => format!("{error:?}"),
    }
}

async fn leaks(rig: &Rig, probes: Vec<(String, &'static str, Value)>) -> Vec<String> {
    leaks_of(rig, probes, RUN).await
}

async fn leaks_of(
    rig: &Rig,
    probes: Vec<(String, &'static str, Value)>,
    run: usize,
) -> Vec<String> {
    let detector = &LeakDetector::of_runs([SECRET], run);
    let calls = probes.into_iter().map(|(name, tool, request)| async move {
        let said = told(rig, tool, request).await;
        assert!(!said.contains("code: Busy"), "{said}");
        detector
            .find(said.as_bytes())
            .map(|how| format!("{name} ({tool}) came through: {how}: {said}"))
    });
    futures::stream::iter(calls)
        .buffer_unordered(8)
        .filter_map(async |leak| leak)
        .collect()
        .await
}

fn probe(n: usize, place: impl ToString) -> Value {
    json!({"connection": "echo", "path": "/echo", "query": [["n", n.to_string()], ["q", place.to_string()]]})
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_in_any_place_of_an_answer_reaches_a_result() {
    let upstream = mirror().await;
    let rig = rig_to(&upstream, SECRET, |connection| {
        connection.response_headers = vec!["x-own".parse().unwrap()];
    })
    .await;
    let mut probes = Vec::new();
    for (n, (name, _)) in spellings().iter().enumerate() {
        for place in [
            "json",
            "text",
            "html",
            "binary",
            "untyped",
            "wide",
            "etag",
            "link",
            "content-type",
            "x-request-id",
            "status",
            "error",
            "trailer",
            "broken-off",
        ] {
            for tool in ["http", "http_start"] {
                probes.push((format!("{name} in {place}"), tool, probe(n, place)));
            }
        }
    }
    let count = probes.len();
    let leaks = leaks(&rig, probes).await;
    assert!(
        leaks.is_empty(),
        "{} of {count}:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
    let reflections = metrics_of(&rig);
    assert!(
        reflections > count as u64 / 2,
        "{reflections} reflections were counted in {count} answers"
    );
}

/// What the audit counted.
fn metrics_of(rig: &Rig) -> u64 {
    let events = serde_json::to_value(rig.audit.events()).unwrap();
    events
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["reflections"].as_u64())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn base64_of_a_document_that_holds_the_secret_is_caught_as_well() {
    let upstream = mirror().await;
    let rig = rig_to(&upstream, SECRET, |_| {}).await;
    let plain = ["raw", "first half", "last half", "escaped slashes"];
    let probes = spellings()
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| plain.contains(name))
        .flat_map(|(n, (name, _))| {
            ["http", "http_start"].map(|tool| {
                (
                    format!("base64 of {name}"),
                    tool,
                    probe(n, "base64-in-json"),
                )
            })
        })
        .collect();
    let leaks = leaks(&rig, probes).await;
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_border_between_chunks_hides_a_spelling() {
    let upstream = mirror().await;
    let rig = rig_to(&upstream, SECRET, |_| {}).await;
    let mut probes = Vec::new();
    for (n, (name, spelt)) in spellings().iter().enumerate() {
        for tool in ["http", "http_start"] {
            probes.push((format!("{name} byte by byte"), tool, probe(n, "bytes")));
        }
        let step = if spelt.len() > 60 { 5 } else { 1 };
        for cut in (9..9 + spelt.len()).step_by(step) {
            probes.push((format!("{name} cut at {cut}"), "http_start", probe(n, cut)));
        }
    }
    let count = probes.len();
    // Of a disguise that a stream completes the guest has had at most 14 bytes: 11 letters and
    // digits, and what stands between.
    let leaks = leaks_of(&rig, probes, 15).await;
    assert!(
        leaks.is_empty(),
        "{} of {count}:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_memory_never_holds_the_secret_even_after_a_request_that_echoes_it() {
    const MARK: &str = "an-ordinary-word-that-the-upstream-says";
    let upstream = RawUpstream::start(|request| {
        let mirrored = request.replace('"', "'");
        let body = format!(
            "{{\"mark\":\"{MARK}\",\"request\":\"{}\"}}",
            mirrored.replace("\r\n", " ")
        );
        pieces([whole("content-type: application/json\r\n", body.as_bytes())])
    })
    .await;
    let rig = rig_to(&upstream, SECRET, |_| {}).await;
    let scan = async |needle: &str, first: bool| {
        let (head, tail) = needle.split_at(needle.len() / 2);
        let request = json!({"pieces": [head, tail], "request_first": first});
        let seen = rig
            .call("acme", "scan_memory", request)
            .await
            .unwrap()
            .structured
            .unwrap();
        assert!(
            seen["scanned"].as_u64().unwrap() > 1 << 20 && (!first || seen["status"] == 200),
            "{seen}"
        );
        seen["found"].as_u64().unwrap()
    };
    assert!(
        scan(MARK, true).await > 0,
        "what the upstream says is found, so a secret would be"
    );
    for (name, spelt) in spellings() {
        let Ok(needle) = String::from_utf8(spelt) else {
            continue;
        };
        for first in [false, true] {
            assert_eq!(
                scan(&needle, first).await,
                0,
                "{name}, after a request: {first}"
            );
        }
    }
    for part in [&SECRET[..12], &SECRET[11..23], &SECRET[22..]] {
        assert_eq!(scan(part, true).await, 0, "{part}");
    }
    for text in ["Bearer s3cr", "acct-of-acme"] {
        assert_eq!(scan(text, true).await, 0, "{text}");
    }
}

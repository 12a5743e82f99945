//! Does one thing a given number of times, for callgrind to count: `instructions SUBJECT TIMES`.
//!
//! `cargo xtask bench --gate` runs it at two lengths, so that what happens at start is not counted,
//! and compares subjects with each other, so that the kind of machine matters little.
//! `instructions prepare` compiles what the others load.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "a bench fails loudly, and uses a part of what the others share"
)]

#[path = "../benches/host/bare.rs"]
mod bare;
#[path = "../benches/host/wiring.rs"]
mod wiring;

use std::hint::black_box;
use std::path::PathBuf;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use toolhost_egress::scrub::Needles;
use toolhost_egress::steps;
use toolhost_harness::guests;
use toolhost_policy::{AuthPlacement, Secret};
use toolhost_tools::{CallOptions, ModelArgs};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::bare::Bare;
use crate::wiring::{Callers, Rooms, invocation};

/// valgrind maps at most 128 GiB.
const SLOTS: u32 = 2;

const MESSAGE: &str =
    "a message of some eighty bytes, which is what the arguments of a small tool have....";

fn artefact() -> PathBuf {
    guests::target().join("bench-cache").join("bare-echo.cwasm")
}

fn prepare() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Rooms::echo(SLOTS, Some(1)));
    let engine = Engine::new(&bare::config(SLOTS)).unwrap();
    let compiled = engine
        .precompile_component(&guests::component("echo"))
        .unwrap();
    std::fs::write(artefact(), compiled).unwrap();
}

#[expect(unsafe_code, reason = "native code that `prepare` has just written")]
fn bare() -> Bare {
    let engine = Engine::new(&bare::config(SLOTS)).unwrap();
    // SAFETY: the file comes from `precompile_component` of the same wasmtime, by this same
    // program.
    let component = unsafe { Component::deserialize_file(&engine, artefact()) }.unwrap();
    Bare::from_component(engine, &component)
}

async fn subject(name: &str, times: u32) {
    match name {
        "bare" => {
            let bare = bare();
            for _ in 0..times {
                assert!(bare.call(&invocation(MESSAGE)).await.is_ok());
            }
        }
        "sandbox" => {
            let (rooms, binding) = (
                Rooms::echo(SLOTS, Some(1)).await,
                Callers::new().await.binding().await,
            );
            for call in 0..times {
                let context = rooms.context(&binding, u64::from(call));
                assert!(
                    rooms
                        .plugin
                        .invoke(context, invocation(MESSAGE))
                        .await
                        .unwrap()
                        .outcome
                        .is_ok()
                );
            }
        }
        "tools" => {
            let (rooms, binding) = (
                Rooms::echo(SLOTS, Some(1)).await,
                Callers::new().await.binding().await,
            );
            let members = serde_json::Map::from_iter([("message".to_owned(), MESSAGE.into())]);
            for _ in 0..times {
                let arguments = ModelArgs::new(members.clone());
                rooms
                    .tools
                    .call(&binding, "echo", arguments, CallOptions::default())
                    .await
                    .unwrap();
            }
        }
        "token" => {
            let callers = Callers::new().await;
            for _ in 0..times {
                black_box(callers.binding().await);
            }
        }
        "hash" => {
            let callers = Callers::new().await;
            for _ in 0..times {
                black_box(Sha256::digest(black_box(callers.token.as_bytes())));
            }
        }
        "scrub" => {
            let secret = Secret::from("tok_live_a1B2c3/D4e5+F6g7H8==".to_owned());
            let needles = Needles::build(Some(&secret), &AuthPlacement::Bearer, &[]).unwrap();
            let body = body();
            for _ in 0..times {
                assert!(
                    steps::scrub(&needles, true, black_box(body.clone()))
                        .0
                        .is_ok()
                );
            }
        }
        "read" => {
            let body = body();
            for _ in 0..times {
                // Byte by byte: what the least look at each of them costs.
                black_box(body.iter().fold(0_u8, |sum, byte| black_box(sum ^ byte)));
            }
        }
        other => panic!("there is no subject {other}"),
    }
}

/// 64 KiB of JSON, as a list of invoices is.
fn body() -> Bytes {
    let one = r#"{"id":"in_1","amount_cents":4200,"currency":"eur","status":"paid"}"#;
    let mut body = [one; 1_000].join(",");
    body.truncate(64 << 10);
    body.into()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["prepare"] => prepare(),
        [name, times] => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(subject(name, times.parse().unwrap()));
        }
        _ => panic!("instructions prepare, or instructions SUBJECT TIMES"),
    }
}

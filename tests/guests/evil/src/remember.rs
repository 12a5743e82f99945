//! From one call to the next nothing may remain: neither a static nor a byte of memory (T43).

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use toolhost_sdk::{Call, Failure, Output, Plugin, Tool};

use crate::Nothing;

static CALLS: AtomicU32 = AtomicU32::new(0);

/// The canary in two halves: the component itself must not hold it whole.
const HALVES: &str = "canary-7f3a91c2|-e5d04b8866aa";

/// How many copies are planted, at the start, in the middle and at the end of what the call
/// allocates.
const COPIES: usize = 1_024;

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("plant_canary", plant_canary)
                .description("fills memory with a canary")
                .read_only(),
        )
        .tool(
            Tool::new("find_canary", find_canary)
                .description("looks for it in all memory it can get")
                .read_only(),
        )
        .tool(
            Tool::new("scan_memory", scan_memory)
                .description("looks for the pieces, joined, in its memory")
                .read_only(),
        )
        .tool(
            Tool::new("keep_state", keep_state)
                .description("counts its calls in a static")
                .read_only(),
        )
}

fn halves() -> (&'static [u8], &'static [u8]) {
    let (first, rest) = black_box(HALVES).split_once('|').unwrap_or_default();
    (first.as_bytes(), rest.as_bytes())
}

fn plant_canary(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let (first, rest) = halves();
    let canary = [first, rest].concat();
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..COPIES {
        let mut block = vec![0; 16 * 1024];
        block[..canary.len()].copy_from_slice(&canary);
        let end = block.len() - canary.len();
        block[end..].copy_from_slice(&canary);
        kept.push(black_box(block));
    }
    CALLS.fetch_add(1, Ordering::Relaxed);
    // Left as it is: neither dropped nor overwritten.
    std::mem::forget(black_box(kept));
    Ok(Output::text(format!("{COPIES} copies")))
}

/// Memory is grown as far as it goes, so that pages which an earlier instance used are looked at
/// too.
fn find_canary(_: Nothing, _: &Call) -> Result<Output, Failure> {
    while core::arch::wasm32::memory_grow(0, 1) != usize::MAX {}
    let (first, rest) = halves();
    let found = count(first, rest);
    let calls = CALLS.load(Ordering::Relaxed);
    let seen = json!({ "found": found, "calls": calls, "scanned": length() });
    Ok(Output::text(seen.to_string()).with_structured(seen))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pieces {
    /// What to look for, in pieces, so that the arguments themselves are not what is found.
    pieces: Vec<String>,
    /// A request to make first: what came with it may still lie in memory.
    #[serde(default)]
    request_first: bool,
}

fn scan_memory(arguments: Pieces, _: &Call) -> Result<Output, Failure> {
    let answer = arguments.request_first.then(|| {
        toolhost_sdk::Http::connection("echo")
            .get("/echo")
            .send()
            .map(|answer| answer.status)
    });
    let mut pieces = arguments.pieces.iter().map(String::as_bytes);
    let Some(first) = pieces.next() else {
        return Err(Failure::invalid_arguments("pieces is empty"));
    };
    // The rest in one: a needle of at least two pieces is nowhere in memory as a whole.
    let rest: Vec<u8> = pieces.flatten().copied().collect();
    let status = answer.and_then(Result::ok);
    let seen = json!({ "found": count(first, &rest), "scanned": length(), "status": status });
    Ok(Output::text(seen.to_string()).with_structured(seen))
}

fn keep_state(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    Ok(Output::text(calls.to_string()).with_structured(json!({ "calls": calls })))
}

fn length() -> usize {
    core::arch::wasm32::memory_size(0) * 64 * 1024
}

/// How often `first` is followed by `rest` in linear memory.
fn count(first: &[u8], rest: &[u8]) -> usize {
    let whole = first.len() + rest.len();
    let at = |address: usize| {
        // SAFETY: `address` is below the length of linear memory, all of which can be read; nothing
        // writes meanwhile.
        unsafe { core::ptr::read_volatile(core::ptr::without_provenance::<u8>(address)) }
    };
    let matches = |begin: usize| {
        first
            .iter()
            .chain(rest)
            .enumerate()
            .all(|(offset, byte)| at(begin + offset) == *byte)
    };
    // Address 0 cannot be read through a pointer in Rust.
    (1..length().saturating_sub(whole))
        .filter(|begin| at(*begin) == first[0] && matches(*begin))
        .count()
}

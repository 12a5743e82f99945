//! What a guest can use up.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use toolhost_sdk::{Call, Exchange, Failure, Http, Output, Plugin, Tool};

use crate::{Count, Nothing};

/// One page of WebAssembly memory, in bytes.
const PAGE: usize = 64 * 1024;

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("spin", spin)
                .description("never ends")
                .read_only(),
        )
        .tool(
            Tool::new("spin_rounds", spin_rounds)
                .description("n million rounds of work, then ends")
                .read_only(),
        )
        .tool(
            Tool::new("grow_memory", grow_memory)
                .description("grows its memory until it is refused")
                .read_only(),
        )
        .tool(
            Tool::new("touch_memory", touch_memory)
                .description("uses n MiB of memory")
                .read_only(),
        )
        .tool(
            Tool::new("allocate", allocate)
                .description("allocates through the library until it traps")
                .read_only(),
        )
        .tool(
            Tool::new("recurse", recurse)
                .description("calls itself until its own stack ends, which lies in linear memory")
                .read_only(),
        )
        .tool(
            Tool::new("recurse_registers", recurse_registers)
                .description("the same, on the host's stack alone")
                .read_only(),
        )
        .tool(
            Tool::new("many_handles", many_handles)
                .description("begins n requests and keeps them")
                .read_only(),
        )
        .tool(
            Tool::new("many_pollables", many_pollables)
                .description("one request, n pollables of it, kept")
                .read_only(),
        )
        .tool(
            Tool::new("big_result", big_result)
                .description("returns n bytes of text")
                .read_only(),
        )
        .tool(
            Tool::new("trap", trap)
                .description("unreachable")
                .read_only(),
        )
        .tool(
            Tool::new("panic", panicking)
                .description("panics with a message")
                .read_only(),
        )
}

fn spin(_: Nothing, _: &Call) -> Result<Output, Failure> {
    loop {
        black_box(0);
    }
}

fn spin_rounds(count: Count, _: &Call) -> Result<Output, Failure> {
    let mut sum = 0_u64;
    for round in 0..u64::from(count.n) * 1_000_000 {
        sum = black_box(sum.wrapping_add(round));
    }
    Ok(Output::text(sum.to_string()))
}

fn grow_memory(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let mut pages = 0_usize;
    while core::arch::wasm32::memory_grow(0, 16) != usize::MAX {
        pages += 16;
    }
    Ok(Output::text(format!(
        "refused after {pages} pages of {PAGE} bytes"
    )))
}

fn touch_memory(count: Count, _: &Call) -> Result<Output, Failure> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..count.n {
        kept.push(black_box(vec![1; 1 << 20]));
    }
    Ok(Output::text(format!("{} MiB", kept.len())))
}

fn allocate(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 1 << 20]));
    }
}

fn recurse(_: Nothing, _: &Call) -> Result<Output, Failure> {
    fn deeper(depth: u64) -> u64 {
        if depth == u64::MAX {
            return 0;
        }
        let frame = black_box([depth; 32]);
        let below = deeper(black_box(depth + 1));
        black_box(frame)[0] + below
    }
    Ok(Output::text(deeper(0).to_string()))
}

/// A frame that needs no linear memory: what ends first is the stack that the host gave.
fn recurse_registers(_: Nothing, _: &Call) -> Result<Output, Failure> {
    static ZERO: AtomicU64 = AtomicU64::new(0);
    fn deeper(depth: u64) -> u64 {
        if ZERO.load(Ordering::Relaxed) != 0 {
            return depth;
        }
        // Rotating keeps the compiler from making a loop of it.
        deeper(depth + 1).rotate_left(3) ^ ZERO.load(Ordering::Relaxed)
    }
    Ok(Output::text(deeper(0).to_string()))
}

fn many_handles(count: Count, _: &Call) -> Result<Output, Failure> {
    let mut kept: Vec<Exchange> = Vec::new();
    for _ in 0..count.n {
        match Http::connection("echo").get("/echo").start() {
            Ok(exchange) => kept.push(exchange),
            Err(error) => {
                return Ok(Output::text(format!(
                    "refused after {} requests: {error}",
                    kept.len()
                )));
            }
        }
    }
    Ok(Output::text(format!("{} requests are open", kept.len())))
}

fn many_pollables(count: Count, _: &Call) -> Result<Output, Failure> {
    let exchange = Http::connection("echo").get("/echo").start()?;
    let kept: Vec<_> = (0..count.n).map(|_| exchange.subscribe()).collect();
    Ok(Output::text(format!("{} pollables are open", kept.len())))
}

fn big_result(count: Count, _: &Call) -> Result<Output, Failure> {
    Ok(Output::text("x".repeat(count.n as usize)))
}

fn trap(_: Nothing, _: &Call) -> Result<Output, Failure> {
    core::arch::wasm32::unreachable()
}

fn panicking(_: Nothing, _: &Call) -> Result<Output, Failure> {
    panic!("the guest panicked on purpose")
}

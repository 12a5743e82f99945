//! What a guest may import: one file an interface, under the interface's own name.

mod artifacts;
mod http;
mod http_polling;
mod kv;
mod log;
mod progress;
mod upstream_state;
mod wasi_http;

#[expect(unreachable_pub, reason = "the generated bindings name it publicly")]
pub use http::HttpExchange;
pub(crate) use wasi_http::EgressHooks;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::toolhost::plugin;
use crate::state::HostState;

/// The interface that makes a component a plugin.
pub(crate) const TOOLS_INTERFACE: &str = "toolhost:plugin/tools@0.1.0";

/// The interface that makes a component an adapter.
pub(crate) const ADAPTER_INTERFACE: &str = "toolhost:plugin/adapter@0.1.0";

/// Our interfaces, without their version. Of `tools` an adapter imports the types; its functions
/// are not linked.
const OURS: [&str; 9] = [
    "types",
    "http",
    "http-polling",
    "kv",
    "artifacts",
    "progress",
    "log",
    "upstream-state",
    "tools",
];

/// The WASI packages that are linked, with an empty context behind them. Toolchains import them
/// whether a guest uses them or not.
const WASI: [&str; 7] = [
    "io",
    "clocks",
    "random",
    "cli",
    "filesystem",
    "sockets",
    "http",
];

/// Whether an import of this name can be satisfied. The linker has the last word on its type and
/// version.
pub(crate) fn is_offered(name: &str) -> bool {
    let Some((package, rest)) = name.split_once('/') else {
        return false;
    };
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    match package.split_once(':') {
        Some(("toolhost", "plugin")) => OURS.contains(&interface) && version.starts_with("0.1."),
        Some(("wasi", package)) => {
            WASI.contains(&package)
                && version.starts_with("0.2.")
                && (package != "http" || matches!(interface, "types" | "outgoing-handler"))
        }
        _ => false,
    }
}

/// Whether it is offered to plugins alone. What an adapter keeps it keeps with `upstream-state`: a
/// value that several callers share, or that outlasts an access, would carry one caller's session
/// to another.
pub(crate) fn is_for_plugins_alone(name: &str) -> bool {
    ["toolhost:plugin/kv@", "toolhost:plugin/artifacts@"]
        .iter()
        .any(|alone| name.starts_with(alone))
}

/// Links everything once for all plugins.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    plugin::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    plugin::http::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    plugin::http_polling::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| {
        state
    })?;
    plugin::kv::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    plugin::artifacts::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    plugin::upstream_state::add_to_linker::<_, HasSelf<_>>(
        &mut linker,
        |state: &mut HostState| state,
    )?;
    plugin::progress::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    plugin::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::is_offered;

    #[test]
    fn only_what_is_linked_is_offered() {
        for offered in [
            "toolhost:plugin/http@0.1.0",
            "toolhost:plugin/types@0.1.0",
            "toolhost:plugin/artifacts@0.1.0",
            "wasi:io/poll@0.2.12",
            "wasi:cli/stderr@0.2.3",
            "wasi:http/outgoing-handler@0.2.0",
        ] {
            assert!(is_offered(offered), "{offered}");
        }
        for other in [
            "toolhost:plugin/http@0.2.0",
            "toolhost:plugin/adapter@0.1.0",
            "wasi:keyvalue/store@0.2.0",
            "wasi:http/incoming-handler@0.2.0",
            "wasi:io/poll@0.3.0",
            "wasi_snapshot_preview1",
            "x:y/z@0.1.0",
            "f",
        ] {
            assert!(!is_offered(other), "{other}");
        }
    }
}

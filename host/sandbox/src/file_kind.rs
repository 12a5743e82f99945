use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;

use crate::SandboxError;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// A component.
    Component,
    /// A core module that carries its component type; it is encoded before it is compiled.
    TypedModule,
}

/// The module that core modules of WASI preview 1 import.
pub(crate) const PREVIEW1: &str = "wasi_snapshot_preview1";

/// What to do with such a module.
pub(crate) const ADAPT: &str = "wasm-tools component embed wit FILE -w tool, then \
     wasm-tools component new --adapt wasi_snapshot_preview1.reactor.wasm";

/// How the imports of core modules begin that are written for another host: no type of the contract
/// makes plugins of them.
const OTHER_HOSTS: [(&str, &str); 5] = [
    ("extism:", "Extism"),
    ("__wbindgen_", "JavaScript (wasm-bindgen)"),
    ("gojs", "JavaScript (GOOS=js)"),
    ("wasi_unstable", "WASI before preview 1"),
    ("wasix_", "WASIX"),
];

/// Toolchains put a core module's component type into custom sections of this prefix.
const COMPONENT_TYPE: &str = "component-type";

/// The kind of a file, or why it is none that this host runs.
pub(crate) fn kind(bytes: &[u8]) -> Result<FileKind, SandboxError> {
    let refuse = |why: &str| Err(SandboxError::NotAdmitted(why.to_owned()));
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(SandboxError::Precompiled);
    }
    if bytes.starts_with(b"\x7fELF") {
        return Err(SandboxError::Precompiled);
    }
    if !bytes.starts_with(b"\0asm") {
        return refuse("the file is not WebAssembly: it does not begin with \\0asm");
    }
    if Parser::is_component(bytes) {
        return Ok(FileKind::Component);
    }
    if !Parser::is_core_wasm(bytes) {
        return refuse("the file is WebAssembly of a version that this host does not know");
    }
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Err(error) => return refuse(&format!("the file does not parse: {error}")),
            Ok(Payload::Version {
                encoding: Encoding::Component,
                ..
            }) => return Ok(FileKind::Component),
            Ok(Payload::CustomSection(section)) if section.name().starts_with(COMPONENT_TYPE) => {
                return Ok(FileKind::TypedModule);
            }
            Ok(_) => {}
        }
    }
    let of_another =
        |(start, _): &&(&str, &str)| imports_of(bytes, |module| module.starts_with(start));
    if let Some((_, host)) = OTHER_HOSTS.iter().find(of_another) {
        return refuse(&format!(
            "the file is a core module for {host}, whose functions it imports; build it against the contract (wit), as a component (for \
             Rust: --target wasm32-wasip2)"
        ));
    }
    let how = match imports_preview1(bytes) {
        true => ADAPT,
        false => {
            "host build makes a component of what this gives: wasm-tools component embed wit FILE -w tool"
        }
    };
    refuse(&format!(
        "the file is a core module without component types; build it as a component (for Rust: --target wasm32-wasip2), \
         or add the types of the contract: {how}"
    ))
}

/// Whether a core module is written for WASI preview 1, which a component has only through an
/// adapter.
pub(crate) fn imports_preview1(module: &[u8]) -> bool {
    imports_of(module, |module| module == PREVIEW1)
}

/// Whether a core module imports from a module of such a name.
fn imports_of(module: &[u8], is_it: impl Fn(&str) -> bool) -> bool {
    Parser::new(0)
        .parse_all(module)
        .any(|payload| match payload {
            Ok(Payload::ImportSection(section)) => section
                .into_imports()
                .any(|import| import.is_ok_and(|import| is_it(import.module))),
            _ => false,
        })
}

use std::path::PathBuf;

use wasm_encoder::{Component, InstanceSection, Module, ModuleSection};
use wasmparser::{Parser, Payload};

/// The directory of the profile this program was built with, such as `target/debug`.
#[must_use]
pub fn profile() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let folder = exe.parent().unwrap();
    // Tests and benches are in `deps`, examples in `examples`, programs in the directory itself.
    let below = ["deps", "examples"]
        .iter()
        .any(|name| folder.ends_with(name));
    (if below {
        folder.parent().unwrap()
    } else {
        folder
    })
    .to_owned()
}

/// Cargo's target directory: the one this program was built into.
#[must_use]
pub fn target() -> PathBuf {
    profile().parent().unwrap().to_owned()
}

/// Where `cargo xtask guests` puts a component.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let path = target().join("guests").join(format!("{name}.wasm"));
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask guests`",
        path.display()
    );
    path
}

/// A component's bytes.
#[must_use]
pub fn component(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// A component with `more` core instances, each of an empty module: what a guest of many
/// parts needs of a host.
#[must_use]
pub fn with_instances(component: &[u8], more: usize) -> Vec<u8> {
    let (mut depth, mut modules) = (0, 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => {
                modules += u32::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    let mut instances = InstanceSection::new();
    for _ in 0..more {
        instances.instantiate(
            modules,
            std::iter::empty::<(&str, wasm_encoder::ModuleArg)>(),
        );
    }
    let mut sections = Component::new();
    sections.section(&ModuleSection(&Module::new()));
    sections.section(&instances);
    let header = Component::new().finish().len();
    [component, &sections.finish()[header..]].concat()
}

/// The echo guest under another name, of four letters as its own.
#[must_use]
pub fn echo_named(name: &str) -> Vec<u8> {
    let mut bytes = component("echo");
    let (own, other) = ("name = \"echo\"", format!("name = \"{name}\""));
    assert_eq!(own.len(), other.len());
    let mut from = 0;
    while let Some(at) = bytes[from..]
        .windows(own.len())
        .position(|part| part == own.as_bytes())
    {
        from += at + own.len();
        bytes[from - own.len()..from].copy_from_slice(other.as_bytes());
    }
    bytes
}

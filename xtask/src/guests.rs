//! `cargo xtask guests`: builds every guest for `wasm32-wasip2`, and puts the components into
//! `target/guests`.

mod component;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// What guests are built for: `std` with WASI 0.2, linked to a component at once.
const TARGET: &str = "wasm32-wasip2";

/// What the billing plugin may weigh, in bytes. It is what authors copy, and its size is what they
/// pay at every start.
const BILLING_BYTES: u64 = 200_000;

/// The custom section by which a component carries its manifest.
const MANIFEST_SECTION: &str = "toolhost:manifest";

/// What the OpenAPI adapter may weigh: it reads documents of two formats, and is compiled once.
const OPENAPI_BYTES: u64 = 1_000_000;

/// What the billing plugin may import: the contract, and what the standard library brings for exit
/// and for panics.
const BILLING_IMPORTS: [&str; 7] = [
    "toolhost:plugin/types@",
    "toolhost:plugin/http@",
    "wasi:io/",
    "wasi:cli/environment@",
    "wasi:cli/exit@",
    "wasi:cli/std",
    "wasi:cli/terminal-",
];

/// What the MCP adapter may weigh: each call instantiates it, and most of a call is waiting. It had
/// 460,548 bytes when it began to rename arguments, and 474,819 with the tuples of earlier drafts.
const MCP_BYTES: u64 = 480_000;

/// What it may import: the session that the host keeps, progress, and a clock for a question that
/// older servers leave unanswered, beside what the OpenAPI adapter has.
const MCP_IMPORTS: [&str; 13] = [
    "toolhost:plugin/types@",
    "toolhost:plugin/tools@",
    "toolhost:plugin/http@",
    "toolhost:plugin/http-polling@",
    "toolhost:plugin/upstream-state@",
    "toolhost:plugin/progress@",
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/insecure-seed@",
    "wasi:cli/environment@",
    "wasi:cli/exit@",
    "wasi:cli/std",
    "wasi:cli/terminal-",
];

/// What the OpenAPI adapter may import: the types of `tools` too, whose functions it neither has
/// nor calls, and the seed of the standard library's maps.
const OPENAPI_IMPORTS: [&str; 9] = [
    "toolhost:plugin/types@",
    "toolhost:plugin/tools@",
    "toolhost:plugin/http@",
    "wasi:io/",
    "wasi:random/insecure-seed@",
    "wasi:cli/environment@",
    "wasi:cli/exit@",
    "wasi:cli/std",
    "wasi:cli/terminal-",
];

/// The cargo workspaces that hold guests, and whether their examples are guests too.
const TREES: [(&str, bool); 7] = [
    ("plugins/billing", false),
    ("plugins/segments", false),
    ("plugins/openapi", false),
    ("plugins/mcp", false),
    ("examples/nevent/plugin", false),
    ("examples/tenant-billing/plugin", false),
    ("tests/guests", true),
];

/// Builds all guests below `root` and lays them out as `<target>/guests/<name>.wasm`. Nothing is
/// done twice: cargo knows what has changed.
///
/// # Errors
/// The compiler's target cannot be installed, a guest does not build, or the billing plugin is too
/// large.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    let target = target_directory(root);
    install_target(root)?;
    let guests = target.join("guests");
    fs::create_dir_all(&guests).with_context(|| format!("cannot create {}", guests.display()))?;
    // Guests have profiles of their own; apart from the host's they wait for no lock of its builds.
    let build = target.join("guests-build");
    let mut sizes = Vec::new();
    for (tree, examples) in TREES {
        cargo(&root.join(tree), &build, examples)?;
    }
    let release = build.join(TARGET).join("release");
    for directory in [release.clone(), release.join("examples")] {
        sizes.append(&mut copy(&directory, &guests)?);
    }
    report(&guests, &sizes);
    check(&guests, &sizes)
}

/// The name that a component has here: cargo writes `_` where a plugin's own name has `-`.
fn plugin_name(file: &str) -> String {
    file.replace('_', "-")
}

fn target_directory(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

/// Asks the compiler itself, which is there when rustup is not.
fn install_target(root: &Path) -> anyhow::Result<()> {
    let output = Command::new(program("RUSTC", "rustc"))
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root)
        .output()
        .context("cannot run rustc")?;
    let library = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    let installed = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(root)
        .status();
    match installed {
        Ok(status) if status.success() => Ok(()),
        _ => bail!(
            "the compiler has no {TARGET}, and `rustup target add {TARGET}` failed. Run it where a network can be \
             reached. On Debian without rustup: `apt-get install rustc-web cargo-web rust-web-src rust-web-llvm`, then \
             build for wasm32-unknown-unknown with `RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 cargo build \
             -Zbuild-std=std,panic_abort`; the host encodes such a module when it loads it"
        ),
    }
}

fn cargo(tree: &Path, build: &Path, examples: bool) -> anyhow::Result<()> {
    let mut command = Command::new(program("CARGO", "cargo"));
    command.args([
        "build",
        "--release",
        "--locked",
        "--target",
        TARGET,
        "--lib",
    ]);
    if examples {
        command.args(["--workspace", "--examples"]);
    }
    // What cargo set for xtask itself must not reach another workspace; flags meant for the host do
    // not suit guests.
    for name in [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_BUILD_TARGET",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    let status = command
        .env("CARGO_TARGET_DIR", build)
        .current_dir(tree)
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "the guests in {} do not build",
        tree.display()
    );
    Ok(())
}

fn program(variable: &str, default: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| default.into())
}

/// Copies what cargo has left in `from`; returns names and sizes. A file that is the same already
/// is left alone, so that its time does not say that it changed.
fn copy(from: &Path, to: &Path) -> anyhow::Result<Vec<(String, u64)>> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        // Beside `name.wasm` cargo keeps `name-0123456789abcdef.wasm`, which is the same.
        if path.extension().is_none_or(|extension| extension != "wasm") || stem.contains('-') {
            continue;
        }
        let name = plugin_name(stem);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let destination = to.join(&name).with_extension("wasm");
        if fs::read(&destination).ok().as_ref() != Some(&bytes) {
            replace(&destination, &bytes)?;
        }
        sizes.push((name, u64::try_from(bytes.len())?));
    }
    sizes.sort();
    Ok(sizes)
}

/// Writes beside and renames: a host that reads the file meanwhile sees the old one or the new one.
fn replace(destination: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = destination.with_extension("wasm.new");
    fs::write(&beside, bytes).with_context(|| format!("cannot write {}", beside.display()))?;
    fs::rename(&beside, destination)
        .with_context(|| format!("cannot write {}", destination.display()))
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn report(guests: &Path, sizes: &[(String, u64)]) {
    println!("guests in {}", guests.display());
    for (name, size) in sizes {
        println!("  {name:<28} {size:>9} bytes");
    }
}

/// One file is one plugin, so each carries its manifest; and the plugin that authors copy stays
/// small and asks for little.
fn check(guests: &Path, sizes: &[(String, u64)]) -> anyhow::Result<()> {
    for (name, size) in sizes {
        let bytes = fs::read(guests.join(name).with_extension("wasm"))?;
        let component =
            component::read(&bytes, MANIFEST_SECTION).with_context(|| format!("{name}.wasm"))?;
        ensure!(
            component.has_manifest,
            "{name}.wasm has no section {MANIFEST_SECTION}: use toolhost_sdk::export!"
        );
        let bounds = match name.as_str() {
            "billing" => (BILLING_BYTES, &BILLING_IMPORTS[..]),
            "openapi" => (OPENAPI_BYTES, &OPENAPI_IMPORTS[..]),
            "mcp" => (MCP_BYTES, &MCP_IMPORTS[..]),
            _ => continue,
        };
        ensure!(
            *size <= bounds.0,
            "{name}.wasm has {size} bytes, more than {}",
            bounds.0
        );
        let strange = |import: &&String| !bounds.1.iter().any(|known| import.starts_with(known));
        if let Some(import) = component.imports.iter().find(strange) {
            bail!("{name}.wasm imports {import}, which it did not before");
        }
    }
    ensure!(
        sizes.iter().any(|(name, _)| name == "billing"),
        "the billing plugin was not built"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::component;

    /// `\0asm`, version 13, layer 1: an empty component; and version 1, layer 0: an empty module.
    const EMPTY: [[u8; 8]; 2] = [*b"\0asm\x0d\0\x01\0", *b"\0asm\x01\0\0\0"];

    #[test]
    fn a_component_without_a_manifest_is_seen_as_such() {
        let component = component::read(&EMPTY[0], "toolhost:manifest").unwrap();
        assert!(!component.has_manifest && component.imports.is_empty());
    }

    #[test]
    fn a_manifest_section_is_found() {
        let mut bytes = EMPTY[0].to_vec();
        bytes.extend([0, 3, 2, b'm', b'm']);
        assert!(component::read(&bytes, "mm").unwrap().has_manifest);
    }

    #[test]
    fn a_core_module_and_garbage_are_refused() {
        assert!(component::read(&EMPTY[1], "m").is_err());
        assert!(component::read(b"no", "m").is_err());
    }

    #[test]
    fn file_names_become_plugin_names() {
        assert_eq!(super::plugin_name("wasi_http"), "wasi-http");
    }
}

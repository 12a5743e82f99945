use std::path::PathBuf;

/// Cargo's target directory: the one this test was built into.
#[must_use]
pub fn target() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    // target/debug/deps/test-hash
    exe.ancestors().nth(3).unwrap().to_owned()
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

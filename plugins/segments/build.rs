//! Derives the tools' JSON Schemas while the plugin is built: the component then carries the text
//! and not the code.

#[path = "src/lib.rs"]
mod plugin;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src");
    toolhost_sdk::build::schemas(&plugin::plugin())
}

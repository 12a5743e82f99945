//! For a plugin's `build.rs`: schemas derived when it is built, so that the component need not
//! carry the code that does.
//!
//! It makes a component about a quarter smaller. `plugins/billing` shows the three places that take
//! part: `build.rs`, the feature `built-schemas` in `Cargo.toml`, and `schemas = built` in
//! [`crate::export!`].

use std::fmt::Write;
use std::path::Path;

use crate::Plugin;

/// Writes the schemas of all tools to `$OUT_DIR/schemas.rs`.
///
/// # Errors
/// What [`Plugin::describe`] finds, or a directory that cannot be written to.
pub fn schemas(plugin: &Plugin) -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::from("&[\n");
    for tool in plugin.describe()? {
        writeln!(
            text,
            "    ({:?}, {:?}, {:?}),",
            tool.name, tool.input_schema, tool.output_schema
        )?;
    }
    text.push(']');
    let directory = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&directory).join("schemas.rs"), text)?;
    Ok(())
}

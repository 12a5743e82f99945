use anyhow::Context;
use wasmparser::{Encoding, Parser, Payload};

/// What a component says of itself without being run.
#[derive(Debug, Default)]
pub(crate) struct ComponentSummary {
    /// The interfaces that it imports, with their versions.
    pub(crate) imports: Vec<String>,
    /// Whether it carries a manifest, in itself or in one of its core modules.
    pub(crate) has_manifest: bool,
}

/// Reads imports and custom sections.
///
/// # Errors
/// It is not a component.
pub(crate) fn read(bytes: &[u8], manifest_section: &str) -> anyhow::Result<ComponentSummary> {
    let mut component = ComponentSummary::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.context("not a component")? {
            Payload::Version { encoding, .. } => {
                anyhow::ensure!(
                    depth > 0 || encoding == Encoding::Component,
                    "a core module, not a component"
                );
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            // What inner components import is given to them by the outer one.
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    component.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) => {
                component.has_manifest |= section.name() == manifest_section
            }
            _ => {}
        }
    }
    Ok(component)
}

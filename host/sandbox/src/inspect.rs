use toolhost_policy::Manifest;
use wasmparser::{Parser, Payload};

use crate::file_kind::{FileKind, kind};
use crate::imports::{ADAPTER_INTERFACE, TOOLS_INTERFACE, is_offered};
use crate::manifest_section::find_manifest;
use crate::{PluginDigest, SandboxError, features};

/// What a file is, found without compiling or running it.
#[derive(Debug, Clone)]
pub struct PluginInspection {
    /// SHA-256 of the file.
    pub digest: PluginDigest,
    /// Its length in bytes.
    pub size: u64,
    /// `component`, `core module with component types`, or why it is neither.
    pub kind: Result<&'static str, SandboxError>,
    /// The interfaces and functions it imports; empty where it is no component.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// It exports `adapter` and no `tools`: an operator sets it on connections.
    pub is_adapter: bool,
    /// The manifest it carries, or why that is not acceptable.
    pub manifest: Result<Option<Manifest>, SandboxError>,
    /// Everything that keeps this host from running it, one sentence each.
    pub obstacles: Vec<String>,
}

/// Looks at a file.
#[must_use]
pub fn inspect(bytes: &[u8], limits: &toolhost_policy::Limits) -> PluginInspection {
    use sha2::Digest;

    let digest = PluginDigest::from(<[u8; 32]>::from(sha2::Sha256::digest(bytes)));
    let found = kind(bytes);
    let mut obstacles = Vec::new();
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut is_adapter = false;
    if bytes.len() as u64 > limits.component_bytes {
        obstacles.push(format!(
            "it has {} bytes, more than the {} of [limits] component_bytes",
            bytes.len(),
            limits.component_bytes
        ));
    }
    match &found {
        Err(error) => obstacles.push(error.to_string()),
        Ok(FileKind::TypedModule) => {}
        Ok(FileKind::Component) => match names(bytes) {
            Err(error) => obstacles.push(error.to_string()),
            Ok((imported, exported)) => {
                let unknown: Vec<&str> = imported
                    .iter()
                    .map(String::as_str)
                    .filter(|name| !is_offered(name))
                    .collect();
                if !unknown.is_empty() {
                    obstacles.push(format!(
                        "it imports what this host does not offer: {}",
                        unknown.join(", ")
                    ));
                }
                let has = |interface: &str| exported.iter().any(|name| name == interface);
                is_adapter = has(ADAPTER_INTERFACE) && !has(TOOLS_INTERFACE);
                if !is_adapter && !has(TOOLS_INTERFACE) {
                    obstacles.push(format!(
                        "it does not export {TOOLS_INTERFACE} as plugins do, nor {ADAPTER_INTERFACE} as adapters do"
                    ));
                }
                (imports, exports) = (imported, exported);
            }
        },
    }
    if !obstacles.is_empty()
        && found.is_ok()
        && let Some(missing) = features::missing_features(bytes)
    {
        // First: what a file exports is of no interest while it cannot be read.
        obstacles.insert(0, missing);
    }
    let manifest = if found.is_ok() {
        find_manifest(bytes)
    } else {
        Ok(None)
    };
    match &manifest {
        Err(error) => obstacles.push(error.to_string()),
        Ok(None) if found.is_ok() => {
            obstacles
                .push("it carries no manifest; put one in with host build --manifest".to_owned());
        }
        Ok(_) => {}
    }
    let kind = found.map(|kind| match kind {
        FileKind::Component => "component",
        FileKind::TypedModule => "core module with component types",
    });
    PluginInspection {
        digest,
        size: bytes.len() as u64,
        kind,
        imports,
        exports,
        is_adapter,
        manifest,
        obstacles,
    }
}

/// The names that the outermost component imports and exports.
fn names(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), SandboxError> {
    let fail = |error: wasmparser::BinaryReaderError| {
        SandboxError::NotAdmitted(format!("the file does not parse: {error}"))
    };
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(fail)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(fail)?;
                    if !matches!(import.ty, wasmparser::ComponentTypeRef::Type(_)) {
                        imports.push(import.name.name.chars().take(200).collect());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(fail)?.name.name.chars().take(200).collect());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

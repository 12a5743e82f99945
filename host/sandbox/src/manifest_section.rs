use std::borrow::Cow;

use toolhost_policy::{Manifest, ManifestError};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

use crate::SandboxError;
use crate::compile::encode;
use crate::file_kind::{FileKind, kind};

/// Finds the manifest that a file carries, in the component itself or in the core module a
/// toolchain wrapped in one.
///
/// # Errors
/// The bytes do not parse, there are two manifests (which one was approved?), or the manifest is
/// not acceptable.
pub(crate) fn find_manifest(bytes: &[u8]) -> Result<Option<Manifest>, SandboxError> {
    let mut found: Option<&[u8]> = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| {
            SandboxError::NotAdmitted(format!("the file does not parse: {error}"))
        })?;
        if let Payload::CustomSection(section) = payload
            && section.name() == Manifest::SECTION
            && found.replace(section.data()).is_some()
        {
            return Err(SandboxError::NotAdmitted(format!(
                "the file carries two manifests (custom sections {:?}); keep one",
                Manifest::SECTION
            )));
        }
    }
    let parse = |bytes| {
        Manifest::parse(bytes)
            .map_err(|error: ManifestError| SandboxError::NotAdmitted(error.to_string()))
    };
    found.map(parse).transpose()
}

/// Puts a manifest into a component, so that one file is one plugin and one digest covers both. Of
/// a core module with component types a component is made first.
///
/// # Errors
/// The file does not parse, is neither of the two, has a manifest already, or the manifest is not
/// acceptable.
pub fn embed_manifest(file: &[u8], manifest: &[u8]) -> Result<Vec<u8>, SandboxError> {
    Manifest::parse(manifest).map_err(|error| SandboxError::NotAdmitted(error.to_string()))?;
    let component = match kind(file)? {
        FileKind::Component => Cow::Borrowed(file),
        FileKind::TypedModule => Cow::Owned(encode(file)?),
    };
    if find_manifest(&component)?.is_some() {
        return Err(SandboxError::NotAdmitted(
            "the component has a manifest already".into(),
        ));
    }
    let mut bytes = component.into_owned();
    CustomSection {
        name: Manifest::SECTION.into(),
        data: manifest.into(),
    }
    .append_to_component(&mut bytes);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{embed_manifest, find_manifest};

    const MANIFEST: &[u8] = b"[plugin]\nname = \"x\"\nversion = \"1\"\n";

    #[test]
    fn what_is_embedded_is_found() {
        let component = wat::parse_str("(component)").unwrap();
        assert!(find_manifest(&component).unwrap().is_none());
        let with = embed_manifest(&component, MANIFEST).unwrap();
        assert_eq!(find_manifest(&with).unwrap().unwrap().name.as_str(), "x");
    }

    #[test]
    fn of_a_core_module_with_component_types_a_component_is_made() {
        let module = crate::compile::tests::typed_module();
        let plugin = embed_manifest(&module, MANIFEST).unwrap();
        assert!(wasmparser::Parser::is_component(&plugin));
        assert_eq!(find_manifest(&plugin).unwrap().unwrap().name.as_str(), "x");
    }

    #[test]
    fn what_else_to_do_with_a_core_module_is_said() {
        let preview1 = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#;
        for (text, says) in [
            ("(module)", "host build makes a component"),
            (preview1, "--adapt wasi_snapshot_preview1"),
        ] {
            let refused = embed_manifest(&wat::parse_str(text).unwrap(), MANIFEST)
                .unwrap_err()
                .to_string();
            assert!(
                refused.contains(says) && refused.contains("embed wit FILE -w tool"),
                "{refused}"
            );
        }
    }

    #[test]
    fn two_manifests_are_refused() {
        let inner = wat::parse_str(
            "(component (core module (@custom \"toolhost:manifest\" \"[plugin]\\nname='x'\\nversion='1'\")))",
        )
        .unwrap();
        assert!(find_manifest(&inner).unwrap().is_some());
        assert!(embed_manifest(&inner, MANIFEST).is_err());
        let twice = wat::parse_str("(component (core module (@custom \"toolhost:manifest\" \"a\")) (core module (@custom \"toolhost:manifest\" \"b\")))").unwrap();
        assert!(
            find_manifest(&twice)
                .unwrap_err()
                .to_string()
                .contains("two manifests")
        );
    }
}

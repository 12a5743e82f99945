use sha2::{Digest, Sha256};
use toolhost_policy::{Limit, Limits, Manifest};

use crate::SandboxError;
use crate::digest::PluginDigest;
use crate::file_kind::kind;
use crate::manifest_section::find_manifest;

/// A file that may be compiled.
#[derive(Debug)]
pub(crate) struct AdmittedFile {
    pub(crate) digest: PluginDigest,
    pub(crate) manifest: Option<Manifest>,
}

/// Looks at a file before anything is compiled.
///
/// # Errors
/// Too large, native code, no WebAssembly, a core module without component types, two manifests or
/// a bad one.
pub(crate) fn admit(bytes: &[u8], limits: &Limits) -> Result<AdmittedFile, SandboxError> {
    if bytes.len() as u64 > limits.component_bytes {
        return Err(SandboxError::Limit {
            limit: Limit::component_bytes,
            value: limits.component_bytes,
        });
    }
    kind(bytes)?;
    let manifest = find_manifest(bytes)?;
    Ok(AdmittedFile {
        digest: PluginDigest::from(<[u8; 32]>::from(Sha256::digest(bytes))),
        manifest,
    })
}

#[cfg(test)]
mod tests {
    use super::admit;
    use crate::SandboxError;
    use crate::file_kind::{FileKind, kind};
    use toolhost_policy::{Limit, Limits};

    #[test]
    fn what_is_not_a_component_is_refused_by_name() {
        assert_eq!(
            kind(&wat::parse_str("(component)").unwrap()),
            Ok(FileKind::Component)
        );
        for (bytes, says) in [
            (&b"hello"[..], "not WebAssembly"),
            (b"", "not WebAssembly"),
            (b"\0asm", "version"),
            (b"\0asm\x09\0\0\0", "version"),
            (b"\0asm\x01\0\0\0", "without component types"),
            (b"\0asm\x01\0\0\0\xff\xff\xff", "does not parse"),
            (b"\x7fELF\x02\x01\x01", "precompiled"),
        ] {
            let error = kind(bytes).unwrap_err();
            assert!(error.to_string().contains(says), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn a_core_module_for_another_host_is_named_and_no_types_are_advised() {
        for (module, host) in [
            ("extism:host/env", "Extism"),
            ("__wbindgen_placeholder__", "JavaScript"),
            ("gojs", "JavaScript"),
            ("wasi_unstable", "before preview 1"),
        ] {
            let text = format!("(module (import \"{module}\" \"f\" (func)))");
            let error = kind(&wat::parse_str(text).unwrap())
                .unwrap_err()
                .to_string();
            assert!(error.contains(host) && !error.contains("embed"), "{error}");
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused_before_it_is_read() {
        let bytes = vec![0; (32 << 20) + 1];
        let error = admit(&bytes, &Limits::default()).unwrap_err();
        assert!(
            matches!(
                error,
                SandboxError::Limit {
                    limit: Limit::component_bytes,
                    ..
                }
            ),
            "{error}"
        );
    }
}

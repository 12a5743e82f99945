//! Whatever a file holds, looking at it ends in an answer.

use proptest::prelude::*;
use toolhost_policy::Limits;
use toolhost_sandbox::{embed_manifest, inspect};

const MANIFEST: &[u8] = b"[plugin]\nname = \"x\"\nversion = \"1\"\n";

fn component() -> Vec<u8> {
    let text = r#"(component
        (import "wasi:io/poll@0.2.12" (instance))
        (core module $m (memory 1) (func (export "f")) (@custom "x" "y"))
        (core instance $i (instantiate $m))
        (type (tuple string (list u8)))
        (func (export "f") (canon lift (core func $i "f"))))"#;
    embed_manifest(&wat::parse_str(text).unwrap(), MANIFEST).unwrap()
}

proptest! {
    #[test]
    fn changed_bytes_never_make_it_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let mut bytes = component();
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let _ = inspect(&bytes, &Limits::default());
        bytes.truncate(cut.index(bytes.len()));
        let found = inspect(&bytes, &Limits::default());
        prop_assert!(!found.obstacles.is_empty(), "half a component is not run");
    }

    #[test]
    fn any_bytes_never_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = inspect(&[b"\0asm\x0d\0\x01\0", &bytes[..]].concat(), &Limits::default());
        let _ = inspect(&[b"\0asm\x01\0\0\0", &bytes[..]].concat(), &Limits::default());
        let _ = inspect(&bytes, &Limits::default());
    }
}

//! The contract as authors' toolchains read it.

use std::path::Path;

use wit_parser::{Resolve, WorldItem};

/// componentize-qjs and others cannot build a component whose imports share a resource with
/// `wasi:io`.
#[test]
fn the_worlds_of_authors_import_nothing_but_our_own_interfaces() {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    for world in ["tool", "connection"] {
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        for item in resolve.worlds[world].imports.values() {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = &resolve.interfaces[*id];
            let name = interface.name.as_deref().unwrap_or_default();
            assert_eq!(interface.package, Some(package), "{name}");
            assert_ne!(name, "http-polling");
        }
    }
}

/// Makes a component of an adapter: `export_adapter!(Type, manifest = "plugin.toml")`.
///
/// `Type` implements [`crate::adapter::Adapter`]; the manifest's path is relative to the crate's
/// `Cargo.toml`. On any other target than WebAssembly only the trait is checked.
#[macro_export]
macro_rules! export_adapter {
    ($adapter:ty, manifest = $manifest:literal) => {
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_adapter<A: $crate::adapter::Adapter>() {}
            is_adapter::<$adapter>();
        };

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::adapter::bindings::exports::toolhost::plugin::adapter as exported;
            use $crate::adapter::wire;
            use $crate::bindings::toolhost::plugin::types::Failure;

            const MANIFEST: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest));

            // One file is one plugin: the manifest travels inside, so one digest covers both.
            #[used]
            #[unsafe(link_section = "toolhost:manifest")]
            static SECTION: [u8; MANIFEST.len()] =
                *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest));

            struct Component;

            impl exported::Guest for Component {
                fn discover(document: Option<exported::Document>) -> Result<exported::Discovery, Failure> {
                    Ok(<$adapter as $crate::adapter::Adapter>::discover(document)?)
                }

                fn invoke(
                    descriptor: Vec<u8>,
                    invocation: wire::Invocation,
                ) -> Result<wire::Outcome, Failure> {
                    let answer = <$adapter as $crate::adapter::Adapter>::invoke(&descriptor, &invocation)?;
                    Ok(answer.into_wire())
                }

                fn cancel(descriptor: Vec<u8>, note: Vec<u8>) -> Result<(), Failure> {
                    Ok(<$adapter as $crate::adapter::Adapter>::cancel(
                        &descriptor,
                        &note,
                    )?)
                }
            }

    $crate::adapter::bindings::export_connection!(Component with_types_in $crate::adapter::bindings);
        };
    };
}

/// Makes a component of a plugin: `export!(plugin, manifest = "plugin.toml")`.
///
/// `plugin` is a function `fn() -> Plugin`; the manifest's path is relative to the crate's
/// `Cargo.toml`. It expands to three things: the manifest as a custom section of the component, a
/// type whose two functions call [`crate::Plugin`], and the exports that lead to them. On any other
/// target only the function's type is checked.
///
/// `schemas = built` after the manifest takes the schemas that `build::schemas` has written, see
/// the README.
#[macro_export]
macro_rules! export {
    ($plugin:path, manifest = $manifest:literal) => {
        $crate::export!(@ $plugin, $manifest, |plugin: $crate::Plugin| plugin.describe());
    };
    ($plugin:path, manifest = $manifest:literal, schemas = built) => {
        #[cfg(target_family = "wasm")]
        const BUILT: &[$crate::BuiltSchemas] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));
        $crate::export!(@ $plugin, $manifest, |plugin: $crate::Plugin| plugin.describe_built(BUILT));
    };
    (@ $plugin:path, $manifest:literal, $describe:expr) => {
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Plugin = $plugin;

        #[cfg(target_family = "wasm")]
        const _: () = {
            const MANIFEST: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest));

            // One file is one plugin: the manifest travels inside, so one digest covers both.
            #[used]
            #[unsafe(link_section = "toolhost:manifest")]
            static SECTION: [u8; MANIFEST.len()] =
                *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest));

            struct Component;

            impl $crate::bindings::exports::toolhost::plugin::tools::Guest for Component {
                fn describe() -> Result<
                    Vec<$crate::bindings::exports::toolhost::plugin::tools::Tool>,
                    $crate::bindings::toolhost::plugin::types::Failure,
                > {
                    Ok(($describe)($plugin())?)
                }

                fn invoke(
                    invocation: $crate::bindings::exports::toolhost::plugin::tools::Invocation,
                ) -> Result<
                    $crate::bindings::exports::toolhost::plugin::tools::Outcome,
                    $crate::bindings::toolhost::plugin::types::Failure,
                > {
                    Ok($plugin().invoke(invocation)?)
                }
            }

            $crate::bindings::export_tools!(Component with_types_in $crate::bindings);
        };
    };
}

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime::Engine;

use crate::file_kind::{ADAPT, FileKind, PREVIEW1, imports_preview1, kind};
use crate::{SandboxError, features};

/// Wall clock of one compilation: a 25 MB Python guest needs 10 s of CPU, and up to 90 s on a
/// loaded machine.
const COMPILE_WALL: Duration = Duration::from_secs(180);

/// The largest artefact a compiler may return.
const MAX_ARTEFACT: u64 = 512 << 20;

/// How much of a compiler's complaint is passed on.
const MAX_COMPLAINT: u64 = 4 << 10;

/// Where components are compiled. A hostile component can make a compiler slow or hungry, and
/// wasmtime does not count that as a vulnerability: untrusted ones belong into a process of their
/// own.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, without limits: for components that were built from source here, as in
    /// tests and benches.
    InProcess,
    /// In a child process with its own memory, CPU and wall clock. It must call
    /// [`crate::compile_worker_main`].
    Worker {
        /// The program, usually this one.
        program: PathBuf,
        /// What makes it call the worker.
        arguments: Vec<OsString>,
    },
}

impl Compiler {
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
    ) -> Result<Vec<u8>, SandboxError> {
        match self {
            Self::InProcess => {
                let (engine, bytes) = (engine.clone(), bytes.to_vec());
                let compiled =
                    tokio::task::spawn_blocking(move || precompile(&engine, &bytes)).await;
                compiled.map_err(|_| SandboxError::Compile("the compiler panicked".into()))?
            }
            Self::Worker { program, arguments } => {
                let mut command = tokio::process::Command::new(program);
                command.args(arguments).env_clear();
                compile_in(command, bytes).await
            }
        }
    }
}

/// Encodes a typed core module, and compiles.
pub(crate) fn precompile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, SandboxError> {
    let encoded = match kind(bytes)? {
        FileKind::Component => None,
        FileKind::TypedModule => Some(encode(bytes)?),
    };
    let component = encoded.as_deref().unwrap_or(bytes);
    engine.precompile_component(component).map_err(|error| {
        SandboxError::Compile(
            features::missing_features(component)
                .unwrap_or_else(|| one_line(&format!("{error:#}"))),
        )
    })
}

/// The component that a core module with component types stands for.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, SandboxError> {
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| {
            SandboxError::Compile(
                match (imports_preview1(module), features::missing_features(module)) {
                    (true, _) => {
                        format!("as a component it needs an adapter, since it imports {PREVIEW1}; {ADAPT}")
                    }
                    (_, Some(missing)) => missing,
                    _ => one_line(&format!(
                        "the core module does not fit its component types: {error:#}"
                    )),
                },
            )
        })
}

async fn compile_in(
    mut command: tokio::process::Command,
    bytes: &[u8],
) -> Result<Vec<u8>, SandboxError> {
    let fail = |error: std::io::Error| {
        SandboxError::Compile(format!("the compiler cannot be run: {error}"))
    };
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(fail)?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(SandboxError::Internal);
    };
    let write = async move {
        // A compiler that refuses early closes its end; its complaint says why.
        let _ = stdin.write_all(bytes).await;
        drop(stdin);
    };
    let (mut artefact, mut complaint) = (Vec::new(), Vec::new());
    let mut limited_out = stdout.take(MAX_ARTEFACT);
    let mut limited_err = stderr.take(MAX_COMPLAINT);
    let work = async {
        let (_, out, err) = tokio::join!(
            write,
            limited_out.read_to_end(&mut artefact),
            limited_err.read_to_end(&mut complaint)
        );
        out.and(err)?;
        child.wait().await
    };
    let status = match tokio::time::timeout(COMPILE_WALL, work).await {
        Ok(status) => status.map_err(fail)?,
        Err(_) => {
            return Err(SandboxError::Compile(format!(
                "it took longer than {} s",
                COMPILE_WALL.as_secs()
            )));
        }
    };
    if status.success() {
        return Ok(artefact);
    }
    let said = one_line(&String::from_utf8_lossy(&complaint));
    Err(SandboxError::Compile(
        match (status.code(), said.is_empty()) {
            (Some(_), false) => said,
            _ => format!("the compiler ran out of its memory or CPU ({status})"),
        },
    ))
}

/// Errors of a compiler are long and many-lined; a person gets the first part on one line.
pub(crate) fn one_line(text: &str) -> String {
    const MAX: usize = 400;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    crate::log_lines::clean(&line, MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::precompile;
    use crate::engine_config::compile_config;

    pub(crate) fn typed_module() -> Vec<u8> {
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve
            .push_str("x.wit", "package a:b; world w { export f: func(); }")
            .unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let mut module = wat::parse_str("(module (func (export \"f\")))").unwrap();
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
        module
    }

    #[test]
    fn a_core_module_with_component_types_is_encoded_and_compiled() {
        let engine = wasmtime::Engine::new(&compile_config()).unwrap();
        let artefact = precompile(&engine, &typed_module()).unwrap();
        assert!(wasmtime::Engine::detect_precompiled(&artefact).is_some());
    }

    #[test]
    fn a_module_that_does_not_fit_its_types_is_refused_on_one_line() {
        let engine = wasmtime::Engine::new(&compile_config()).unwrap();
        let mut module = typed_module();
        let at = module.windows(1).position(|byte| byte == b"f").unwrap();
        module[at] = b'g';
        let error = precompile(&engine, &module).unwrap_err().to_string();
        assert!(!error.contains('\n') && error.len() < 600, "{error}");
    }
}

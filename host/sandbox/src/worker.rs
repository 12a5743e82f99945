use std::io::{Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};
use toolhost_policy::Limit;

use crate::compile::precompile;
use crate::engine_config::compile_config;

/// Address space of the compiler: the largest component that is admitted by default needs about 1.5
/// GiB.
const MEMORY: u64 = 4 << 30;

/// CPU of the compiler, over all its threads.
const CPU_SECONDS: u64 = 120;

/// The main function of a compiler process: a component on standard input, an artefact on standard
/// output, a complaint of one line on standard error.
///
/// It limits itself before it reads the first byte, and has no environment, no files and no secrets
/// to lose.
#[must_use]
pub fn compile_worker_main() -> ExitCode {
    match run_worker() {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            let _ = writeln!(std::io::stderr(), "{complaint}");
            ExitCode::FAILURE
        }
    }
}

fn run_worker() -> Result<(), String> {
    for (resource, value) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, limit)
            .map_err(|error| format!("a limit of the compiler cannot be set: {error}"))?;
    }
    let ceiling = Limit::component_bytes.ceiling();
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(ceiling + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > ceiling {
        return Err(format!("the component has more than {ceiling} bytes"));
    }
    let engine = wasmtime::Engine::new(&compile_config()).map_err(|error| error.to_string())?;
    let artefact = precompile(&engine, &bytes).map_err(|error| match error {
        // The parent adds its own "does not compile".
        crate::SandboxError::Compile(why) => why,
        other => other.to_string(),
    })?;
    std::io::stdout()
        .write_all(&artefact)
        .map_err(|error| error.to_string())
}

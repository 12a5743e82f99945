use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use toolhost_examples::player::free_port;
use toolhost_harness::host::write;
use toolhost_harness::process::saying_all_on_stdout;
use toolhost_harness::{Process, random_secret};

/// What the hosts log in as, and the database that is theirs: as docs/src/storage.md has it.
const NAME: &str = "toolhost";

/// A new server answers within this.
const ANSWERS: Duration = Duration::from_secs(30);

/// A PostgreSQL server of the example's own, on loopback, in a directory that goes with this.
pub(super) struct PostgresServer {
    pub(super) address: String,
    pub(super) password: String,
    /// None once it is stopped.
    process: Option<Process>,
    directory: tempfile::TempDir,
}

impl PostgresServer {
    pub(super) fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let place = directory.path();
        // The server refuses to be root. Nobody but its user reaches the directory, and so the
        // socket in it.
        let as_root = std::fs::metadata(place)?.uid() == 0;
        if as_root {
            finish(Command::new("chown").arg("postgres").arg(place))?;
        }
        let data = place.join("data");
        finish(
            as_its_user(as_root, "initdb")
                .args([
                    "--no-sync",
                    "--username=postgres",
                    "--encoding=UTF8",
                    "--locale=C",
                ])
                .args(["--auth-local=trust", "--auth-host=scram-sha-256", "-D"])
                .arg(&data),
        )?;
        let port = free_port()?;
        let program = as_its_user(as_root, "postgres");
        let mut command = saying_all_on_stdout(&program);
        command
            .current_dir("/")
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"])
            .arg(place);
        let (process, _) = Process::start("postgres", &mut command);
        let server = Self {
            address: format!("127.0.0.1:{port}"),
            password: random_secret("pw_"),
            process: Some(process),
            directory,
        };
        server.make_database(port)?;
        Ok(server)
    }

    /// Its statements go in by the socket; the password is in no process's arguments.
    fn make_database(&self, port: u16) -> anyhow::Result<()> {
        let socket = self.directory.path();
        let client = |program: &str| {
            let mut command = Command::new(program);
            command.args([
                "-U",
                "postgres",
                "-d",
                "postgres",
                "-p",
                &port.to_string(),
                "-h",
            ]);
            command.arg(socket).current_dir("/");
            command
        };
        let end = Instant::now() + ANSWERS;
        while finish(client("pg_isready").arg("-q")).is_err() {
            ensure!(
                Instant::now() < end,
                "the PostgreSQL server does not answer after {} s",
                ANSWERS.as_secs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        let statements = write(
            socket,
            "statements.sql",
            format!(
                "CREATE ROLE {NAME} LOGIN NOINHERIT CREATEROLE PASSWORD '{}';\nCREATE DATABASE {NAME} OWNER {NAME} TEMPLATE template0;\n",
                self.password
            ),
        );
        finish(
            client("psql")
                .args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-f"])
                .arg(&statements),
        )
    }

    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        let process = self.process.take().context("it is stopped")?;
        let status = process.stop();
        ensure!(
            status.success(),
            "the PostgreSQL server stopped with {status}"
        );
        Ok(())
    }
}

impl Drop for PostgresServer {
    /// A server that is killed leaves shared memory behind, so it is asked even where the play
    /// fails.
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            // One that does not stop is killed after that.
            let _ = process.stop();
        }
    }
}

/// In the place of this program, so that its process is the one that was started.
fn as_its_user(as_root: bool, program: &str) -> Command {
    if !as_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--",
    ]);
    command.arg(program).current_dir("/");
    command
}

fn finish(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.with_context(|| format!("{} cannot be run", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

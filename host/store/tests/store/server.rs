//! A PostgreSQL server to test against: the one of `DATABASE_URL`, or a private one that all test
//! processes of a run share and that ends when none of them is left.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A server with a role that may make others.
#[derive(Clone)]
pub(crate) struct Server {
    /// Of a superuser, without the database.
    pub(crate) config: tokio_postgres::Config,
}

impl Server {
    /// The server of this run.
    pub(crate) fn shared() -> Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(find).clone()
    }
}

fn find() -> Server {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        let config = url
            .parse()
            .expect("DATABASE_URL is the address of a server");
        return Server { config };
    }
    let root = std::env::temp_dir().join(format!(
        "toolhost-postgres-{}",
        rustix::process::geteuid().as_raw()
    ));
    std::fs::create_dir_all(&root).unwrap();
    allow(&root);
    // Held by the process until it ends, however it ends: the keeper waits for all of them.
    let users = lock_file(&root.join("users"));
    rustix::fs::flock(&users, rustix::fs::FlockOperation::LockShared).unwrap();
    let starting = lock_file(&root.join("starting"));
    rustix::fs::flock(&starting, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let private = Private::at(&root);
    if !private.answers() {
        private.make(&[]);
        private.start();
        keep(&root);
    }
    std::mem::forget(users);
    private.server()
}

fn lock_file(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap()
}

#[allow(clippy::zombie_processes, reason = "it outlives this process")]
/// Stops the server when no test process has been there for some seconds. It outlives the process
/// that starts it.
fn keep(root: &Path) {
    let script = "while [ -e users ]; do flock -x users true; sleep 8; flock -n -x users sh stop && exit; done";
    let bin = bin();
    let stop = format!(
        "cd /; {}{}/pg_ctl -D '{data}' -m immediate stop; rm -rf '{data}'; rm -f '{}'",
        if rustix::process::geteuid().is_root() {
            "runuser -u postgres -- "
        } else {
            ""
        },
        bin.display(),
        root.join("stop").display(),
        data = root.join("data").display(),
    );
    std::fs::write(root.join("stop"), stop).unwrap();
    Command::new("sh")
        .args(["-c", script])
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
}

/// The server's user reaches it.
fn allow(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").arg("postgres").arg(directory));
    }
}

fn bin() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    // The newest first.
    found.sort_by(|one, other| other.cmp(one));
    found.retain(|bin| bin.join("initdb").exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path).filter(|bin| bin.join("initdb").exists()));
    found.into_iter().next().expect(
        "there is no PostgreSQL server on this machine, and DATABASE_URL names none; `cargo xtask test` installs one",
    )
}

/// A command as the server's user: it refuses to be root.
fn as_postgres(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A server in a directory, on a Unix socket there.
pub(crate) struct Private {
    root: PathBuf,
    /// Of one that nobody shares: what keeps it until the process ends, however it ends.
    own: Option<File>,
}

impl Private {
    fn at(root: &Path) -> Self {
        let root = root.to_owned();
        Self { root, own: None }
    }

    /// A server of the test's own, which it stops.
    pub(crate) fn own(directory: &Path, settings: &[&str]) -> Self {
        allow(directory);
        let users = lock_file(&directory.join("users"));
        rustix::fs::flock(&users, rustix::fs::FlockOperation::LockShared).unwrap();
        let mut private = Self::at(directory);
        private.own = Some(users);
        private.make(settings);
        private.start();
        keep(directory);
        private
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn make(&self, settings: &[&str]) {
        let _ = std::fs::remove_dir_all(self.data());
        run(as_postgres(&bin().join("initdb"))
            .current_dir("/")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(self.data()));
        let mut text = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 400\nfsync = off\nfull_page_writes = off\n",
            self.root.display()
        );
        for setting in settings {
            text.push_str(setting);
            text.push('\n');
        }
        std::fs::write(self.data().join("postgresql.auto.conf"), text).unwrap();
    }

    pub(crate) fn start(&self) {
        run(as_postgres(&bin().join("pg_ctl"))
            .current_dir("/")
            .args(["-w", "-t", "60", "start", "-D"])
            .arg(self.data())
            .arg("-l")
            .arg(self.root.join("log")));
    }

    /// Ends all of it as `kill -9` does.
    pub(crate) fn kill(&self) {
        run(as_postgres(&bin().join("pg_ctl"))
            .current_dir("/")
            .args(["-m", "immediate", "stop", "-D"])
            .arg(self.data()));
    }

    fn answers(&self) -> bool {
        // It was waited for when it was started, so one that listens is one that answers.
        std::os::unix::net::UnixStream::connect(self.root.join(".s.PGSQL.5432")).is_ok()
    }

    pub(crate) fn server(&self) -> Server {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(&self.root)
            .user("postgres")
            .dbname("postgres");
        Server { config }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if self.own.is_some() && self.data().join("postmaster.pid").exists() {
            self.kill();
        }
    }
}

//! Running the commands of a document, as a reader would who begins at the top of the repository.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use toolhost_harness::guests;

use super::judge::judge;
use super::text::{Block, Document, root};

/// What stands in documents and is not run here, and why.
const NOT_RUN: &[(&str, &str)] = &[
    (
        "cargo xtask",
        "builds and tests the whole workspace, this test with it; `cargo xtask test` runs the demo itself, and examples.rs the examples",
    ),
    (
        "cargo build --",
        "what it builds has been built before the tests",
    ),
    ("cargo nextest", "runs the tests, this one with them"),
    ("cargo test -p", "as cargo nextest"),
    (
        "cargo update",
        "changes the lock file, and needs the network",
    ),
    (
        "export PATH=",
        "the programs are on the path, and this one would put others before them",
    ),
];

/// What listens and can be told where, and where it does otherwise.
const SERVERS: [(&str, &str); 3] = [
    ("host run", "127.0.0.1:8080"),
    ("billing-upstream", "127.0.0.1:8099"),
    ("nevent-upstream", "127.0.0.1:8098"),
];

/// The metrics of the host.
const METRICS: &str = "127.0.0.1:9090";

/// The examples that documents run by hand, and the plugins that these find built.
const EXAMPLES: [(&str, &[&str]); 2] = [("billing", &["billing"]), ("nevent", &[])];

/// A server says within this that it serves. The first start compiles its plugin.
const SAYS: Duration = Duration::from_secs(120);

/// One line of a block that begins with `$ `, and what is to come out of it.
struct Step {
    command: String,
    /// `None` where the block shows no output at all (`sh`).
    output: Option<Vec<String>>,
}

/// A copy of what a reader has, in a directory of its own, with ports of its own.
pub struct Scene {
    place: tempfile::TempDir,
    ports: Vec<(String, String)>,
    running: Vec<Running>,
}

struct Running {
    command: String,
    child: Child,
    /// Kept open: a program at a terminal sees no end of its input.
    stdin: Option<ChildStdin>,
}

impl Scene {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().join("top");
        fs::create_dir_all(top.join("plugins")).unwrap();
        symlink(guests::target(), top.join("target")).unwrap();
        for shared in ["sdk", "wit"] {
            symlink(root().join(shared), top.join(shared)).unwrap();
        }
        let mut held = Vec::new();
        let mut ports = Vec::new();
        for port in SERVERS.iter().map(|(_, port)| *port).chain([METRICS]) {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            ports.push((port.to_owned(), listener.local_addr().unwrap().to_string()));
            held.push(listener);
        }
        let scene = Self {
            place,
            ports,
            running: Vec::new(),
        };
        for (example, plugins) in EXAMPLES {
            let folder = Path::new("examples").join(example);
            fs::create_dir_all(top.join(&folder)).unwrap();
            let configuration = fs::read_to_string(root().join(&folder).join("host.toml")).unwrap();
            fs::write(
                top.join(&folder).join("host.toml"),
                scene.own(&configuration),
            )
            .unwrap();
            for plugin in plugins {
                let file = format!("{plugin}.wasm");
                fs::copy(guests::path(plugin), top.join(&folder).join(file)).unwrap();
            }
        }
        fs::write(scene.place.path().join("env"), "").unwrap();
        fs::write(scene.place.path().join("cwd"), top.to_str().unwrap()).unwrap();
        scene
    }

    /// The same text with this scene's ports.
    fn own(&self, text: &str) -> String {
        self.ports
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn write(&self, name: &str, lines: &[String]) {
        let path = self.place.path().join("top").join(name);
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        if path.ends_with("Cargo.toml") {
            // What other guests were built from is built already.
            symlink(guests::target().join("guests-build"), folder.join("target")).unwrap();
        }
        fs::write(&path, self.own(&lines.join("\n")) + "\n").unwrap();
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        let target = guests::target();
        let path = std::env::var("PATH").unwrap();
        command
            .args(["-c", script])
            .env("PLACE", self.place.path())
            .env("PATH", format!("{}:{path}", target.join("debug").display()))
            .env("XDG_CACHE_HOME", target.join("documents-cache"))
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if (text.starts_with("CARGO") && text != "CARGO_HOME")
                || [
                    "RUSTFLAGS",
                    "RUST_LOG",
                    "DEV_TENANT_NAME",
                    "TOOLHOST_CACHE_DIR",
                ]
                .contains(&&*text)
            {
                command.env_remove(&name);
            }
        }
        command.env("CARGO_NET_OFFLINE", "true");
        command
    }

    fn run(&mut self, step: &Step) -> Result<(), String> {
        // A help text names the default ports whatever the scene.
        let own = |text: &String| {
            if step.command.ends_with("--help") {
                text.clone()
            } else {
                self.own(text)
            }
        };
        let mut command = own(&step.command);
        let expected: Option<Vec<String>> = step
            .output
            .as_ref()
            .map(|lines| lines.iter().map(own).collect());
        if command.starts_with("host run") || command.ends_with('&') {
            command = command.trim_end_matches('&').trim().to_owned();
            for (program, port) in SERVERS {
                let port = self.own(port);
                if command.starts_with(program)
                    && !command.contains("--listen")
                    && !command.ends_with("--help")
                {
                    command = format!("{command} --listen {port}");
                }
            }
            return self.start(&command, &expected.unwrap_or_default());
        }
        let script = format!(
            ". \"$PLACE/env\"; cd \"$(cat \"$PLACE/cwd\")\"; exec 2>&1; set -a\n{command}\ncode=$?; export -p > \"$PLACE/env\"; pwd > \"$PLACE/cwd\"; exit $code"
        );
        let output = self
            .shell(&script)
            .output()
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        judge(&text, expected.as_deref(), Some(output.status.success()))
    }

    /// Starts something that stays, and waits until it has said what it is to say. One that ends is
    /// judged like any other command.
    fn start(&mut self, command: &str, expected: &[String]) -> Result<(), String> {
        let name = command.split(' ').next().unwrap_or_default().to_owned();
        // The next server of a document takes the place of the one before.
        let (before, others) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|running: &Running| running.command == name);
        self.running = others;
        drop::<Vec<Running>>(before);
        let asks = expected.iter().any(|line| line.contains("[y/N]"));
        let output = self
            .place
            .path()
            .join(format!("output-{name}-{}", self.running.len()));
        let file = fs::File::create(&output).unwrap();
        let run = if asks || expected.is_empty() {
            // At a terminal: there the host asks.
            format!("exec script -qefc 'exec {command}' /dev/null")
        } else {
            format!("exec {command}")
        };
        let script = format!(". \"$PLACE/env\"; cd \"$(cat \"$PLACE/cwd\")\"; exec 2>&1\n{run}");
        let mut child = self
            .shell(&script)
            .stdin(Stdio::piped())
            .stdout(file)
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        self.running.push(Running {
            command: name,
            child,
            stdin,
        });
        let running = self.running.last_mut().unwrap();
        let end = Instant::now() + SAYS;
        let mut answered = false;
        loop {
            let ended = running.child.try_wait().unwrap();
            let text = String::from_utf8_lossy(&fs::read(&output).unwrap()).into_owned();
            if !answered && text.contains("[y/N]") {
                answered = true;
                running.stdin.as_mut().unwrap().write_all(b"y\n").unwrap();
            }
            if let Some(status) = ended {
                return judge(&text, Some(expected), Some(status.success()));
            }
            let open: Vec<String> = expected.iter().cloned().chain(["…".to_owned()]).collect();
            let ready = if expected.is_empty() {
                text.contains("serving") || text.contains("listening")
            } else {
                true
            };
            if ready && judge(&text, Some(&open), None).is_ok() {
                return Ok(());
            }
            if Instant::now() > end {
                return judge(&text, Some(&open), None)
                    .and(Err(format!("it did not say that it serves:\n{text}")));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // `script` has the program as its child.
        let id = self.child.id();
        let children =
            fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", child]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the blocks of a document in their order; gives how many commands were run.
pub fn run(document: &Document) -> Result<usize, String> {
    let blocks = document.blocks();
    if !blocks.iter().any(is_shell) {
        return Ok(0);
    }
    let mut scene = Scene::new();
    let mut count = 0;
    for block in &blocks {
        if let Some(file) = &block.file {
            scene.write(file, &block.lines);
        }
        if !is_shell(block) {
            continue;
        }
        for step in steps(block) {
            if NOT_RUN
                .iter()
                .any(|(prefix, _)| step.command.starts_with(prefix))
            {
                continue;
            }
            count += 1;
            scene.run(&step).map_err(|why| {
                format!(
                    "{}, block of line {}:\n$ {}\n{why}",
                    document.name, block.at, step.command
                )
            })?;
        }
    }
    Ok(count)
}

fn is_shell(block: &Block) -> bool {
    matches!(block.language.as_str(), "console" | "sh")
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let shows = block.language == "console";
    let mut goes_on = false;
    // A loop is one command.
    let whole = !shows && block.lines.iter().any(|line| line.trim() == "done");
    for line in &block.lines {
        let begins = if shows {
            line.strip_prefix("$ ")
        } else if goes_on || (whole && !steps.is_empty()) {
            None
        } else {
            Some(line.as_str())
        };
        match (begins, steps.last_mut()) {
            (Some(command), _) if !goes_on => steps.push(Step {
                command: command.to_owned(),
                output: shows.then(Vec::new),
            }),
            (_, Some(step)) if goes_on || whole => {
                step.command = format!("{}\n{line}", step.command)
            }
            (
                _,
                Some(Step {
                    output: Some(output),
                    ..
                }),
            ) => output.push(line.clone()),
            _ => panic!("line {}: output before a command", block.at),
        }
        goes_on = line.ends_with('\\') && (begins.is_some() || goes_on);
    }
    steps
}

/// The built host.
pub fn host(directory: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(guests::target().join("debug").join("host"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("DEV_TENANT_NAME")
        .env_remove("TOOLHOST_CACHE_DIR")
        .env("XDG_CACHE_HOME", guests::target().join("documents-cache"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

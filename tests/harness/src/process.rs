use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A program that says nothing for so long does not start.
const SAYS_SOMETHING: Duration = Duration::from_secs(120);

/// How long a program may take to stop.
const STOPS: Duration = Duration::from_secs(10);

/// A started program. Whatever happens, it does not outlive this.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts it and waits for its first line on stdout.
    #[must_use]
    pub fn start(name: &'static str, command: &mut Command) -> (Self, String) {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let stdout = child.stdout.take().unwrap();
        let mut process = Self { name, child };
        match first_line(stdout).recv_timeout(SAYS_SOMETHING) {
            Ok(line) => (process, line),
            Err(_) => match process.child.try_wait().unwrap() {
                Some(status) => panic!("{name} ended with {status}; what it said is above"),
                None => panic!("{name} was not ready after {} s", SAYS_SOMETHING.as_secs()),
            },
        }
    }

    /// Sends SIGTERM, and waits.
    #[must_use]
    pub fn stop(mut self) -> ExitStatus {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let end = Instant::now() + STOPS;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} did not stop within {} s", self.name, STOPS.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It can only have ended in between.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A command whose stderr is its stdout, for [`Process::start`] of a program that writes to stderr
/// alone. Only the name and the arguments of `program` are taken over.
#[must_use]
pub fn saying_all_on_stdout(program: &Command) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$@\" 2>&1", "sh"])
        .arg(program.get_program())
        .args(program.get_args());
    command
}

/// Reads on after the first line, so that the program is never stopped by a full pipe.
fn first_line(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Only the first is waited for.
            let _ = send.send(line);
        }
    });
    receive
}

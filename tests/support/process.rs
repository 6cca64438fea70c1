//! The test binary run again, as a process of its own that plays one part.
//!
//! A test crate has one ignored test `part_in_another_process`, which calls [`part`] and does what that says; everything
//! else starts it through [`Part`]. What a part prints as a line that begins with `@` reaches the parent.

use parking_lot::Mutex;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

const NAME: &str = "SYNCSTORE_TEST_PART";
const ENTRY: &str = "part_in_another_process";

/// In the other process: which part to play; `None` when the test was not started by a [`Part`].
///
/// From then on a panic is told as a line that begins with `error`, before anything else is done about it: a process that
/// is killed while it panics ends like any other that is killed.
pub fn part() -> Option<String> {
    let part = std::env::var(NAME).ok()?;
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // Where nobody listens any more there is nobody to tell.
        let _ = told(&format!("error panicked at {place}"));
        hook(panic);
    }));
    Some(part)
}

/// In the other process: what the parent set.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// In the other process: tells the parent a line.
pub fn tell(line: &str) {
    told(line).unwrap();
}

fn told(line: &str) -> std::io::Result<()> {
    // One write, and first the end of whatever line the test harness has begun.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@{line}\n").as_bytes())?;
    out.flush()
}

/// In the other process: waits for a line of the parent's; an end of it ends the process.
pub fn listen() -> String {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(1..) => line.trim_end().to_owned(),
        _ => std::process::exit(3),
    }
}

/// A part about to be started.
pub struct Part {
    command: Command,
}

impl Part {
    pub fn new(name: &str) -> Part {
        Part::through(&[], name)
    }

    /// Started by another program, which has to `exec` the arguments that follow its own.
    pub fn through(wrapper: &[&str], name: &str) -> Part {
        Part::of(&std::env::current_exe().unwrap(), wrapper, name)
    }

    /// The same from a copy of the binary in `dir`, for a user who cannot reach the build directory.
    pub fn copied(dir: &Path, name: &str) -> Part {
        let copy: PathBuf = dir.join("part");
        let exe = std::env::current_exe().unwrap();
        if std::fs::hard_link(&exe, &copy).is_err() {
            std::fs::copy(&exe, &copy).unwrap();
        }
        Part::of(&copy, &[], name)
    }

    fn of(exe: &Path, wrapper: &[&str], name: &str) -> Part {
        let mut words = wrapper.iter().map(std::ffi::OsStr::new).chain([exe.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(["--exact", ENTRY, "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(NAME, name).stdin(Stdio::piped()).stdout(Stdio::piped());
        Part { command }
    }

    pub fn set(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Part {
        self.command.env(name, value);
        self
    }

    /// Everything about how the process is started.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Running { child: Killer(Arc::new(Mutex::new(child))), input, output }
    }
}

/// A part that is being played; killed when dropped.
pub struct Running {
    child: Killer,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// The next line that the part tells; `None`: it has ended.
    pub fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = Vec::new();
            match self.output.read_until(b'\n', &mut line) {
                Ok(1..) => {}
                _ => return None,
            }
            // A line that was cut by the end of the process tells nothing.
            if let (Some(b'@'), Some(b'\n')) = (line.first(), line.last()) {
                return Some(String::from_utf8_lossy(&line[1..line.len() - 1]).into_owned());
            }
        }
    }

    /// What the part listens to, for another thread than the one that hears it; [`Running::say`] says nothing from then on.
    pub fn input(&mut self) -> ChildStdin {
        self.input.take().unwrap()
    }

    /// Tells the part a line.
    pub fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            // A part that has been killed hears nothing.
            let _ = writeln!(input, "{line}");
        }
    }

    /// What ends the process from any thread.
    pub fn killer(&self) -> Killer {
        self.child.clone()
    }

    /// Everything that the part still tells until it ends by itself, and how it ended.
    pub fn finish(mut self) -> (Vec<String>, ExitStatus) {
        self.input = None;
        let told = std::iter::from_fn(|| self.hear()).collect();
        (told, self.child.0.lock().wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill();
    }
}

/// Ends a process.
#[derive(Clone)]
pub struct Killer(Arc<Mutex<Child>>);

impl Killer {
    /// Ends the process as no process can prevent (SIGKILL), and waits until it is gone; how it ended, which may have been by
    /// itself, and before.
    pub fn kill(&self) -> ExitStatus {
        let mut child = self.0.lock();
        child.kill().unwrap();
        child.wait().unwrap()
    }
}

/// Whether a process ended as [`Killer::kill`] ends it, and not by a panic or an end of its own.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

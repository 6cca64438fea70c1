//! The library under test, built once for all tests, and the compilers.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What every program has to live with.
const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// What cargo built.
pub struct Library {
    pub statical: PathBuf,
    pub shared: PathBuf,
    /// The header that was generated on the way.
    pub header: PathBuf,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The library, built by whoever asks first, both kinds in one go.
pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(cargo)
}

fn cargo() -> Library {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["rustc", "--package", "syncstore", "--lib", "--features", "capi"]);
    cargo.args(["--crate-type", "cdylib,staticlib", "--message-format", "json-render-diagnostics"]);
    // What cargo tells a test of its package; ring's build script goes by it, and would run anew each time.
    for (name, _) in std::env::vars_os() {
        let known = name.to_str().unwrap_or_default();
        if known == "OUT_DIR" || known.starts_with("CARGO_PKG_") || known.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let built = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "cargo cannot build the library");
    let ours = format!("path+file://{}#", root().display());
    let (mut statical, mut shared, mut header) = (None, None, None);
    for line in String::from_utf8(built.stdout).unwrap().lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        if !message["package_id"].as_str().is_some_and(|id| id.starts_with(&ours)) {
            continue;
        }
        if let Some(out) = message["out_dir"].as_str() {
            header = Some(Path::new(out).join("syncstore.h")).filter(|header| header.exists()).or(header);
        }
        for file in message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str()) {
            if file.ends_with(".a") {
                statical = Some(PathBuf::from(file));
            } else if file.ends_with(std::env::consts::DLL_SUFFIX) {
                shared = Some(PathBuf::from(file));
            }
        }
    }
    Library { statical: statical.unwrap(), shared: shared.unwrap(), header: header.unwrap() }
}

/// The C compiler, and the one for C++, with the names that they may have here.
pub fn compilers(names: &[&str]) -> Vec<String> {
    let there = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|said| said.status.success());
    names.iter().filter(there).map(|name| (*name).to_owned()).collect()
}

/// Compiles a source by a standard; panics with what the compiler says.
pub fn compile(compiler: &str, standard: &str, source: &Path, further: &[&str], to: &Path) {
    let mut command = Command::new(compiler);
    command.arg(format!("-std={standard}")).args(WARNINGS).arg("-I").arg(root().join("include"));
    command.arg(source).args(words("SYNCSTORE_C_FLAGS")).args(further).arg("-o").arg(to);
    let said = command.output().unwrap();
    let words = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{compiler} -std={standard} {}:\n{words}", source.display());
}

/// Whether a compiler knows a standard.
pub fn knows(compiler: &str, standard: &str) -> bool {
    let language = if standard.contains("++") { "c++" } else { "c" };
    let mut command = Command::new(compiler);
    command.args([&format!("-std={standard}"), "-fsyntax-only", "-x", language, "/dev/null"]);
    command.output().is_ok_and(|said| said.status.success())
}

/// What a program of the library needs of the system.
pub fn system_libraries() -> &'static [&'static str] {
    if cfg!(target_os = "macos") {
        &["-framework", "Security", "-framework", "CoreFoundation", "-liconv", "-lm"]
    } else {
        &["-lpthread", "-ldl", "-lm", "-lgcc_s", "-lutil", "-lrt"]
    }
}

/// What a variable of the environment says, in words.
fn words(variable: &str) -> Vec<String> {
    std::env::var(variable).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The program, or another that runs it, as `.ci/c-checks` has it.
fn runner(program: &Path) -> Command {
    let Some((runner, arguments)) =
        words("SYNCSTORE_C_RUNNER").split_first().map(|(first, rest)| (first.clone(), rest.to_vec()))
    else {
        return Command::new(program);
    };
    let mut command = Command::new(runner);
    command.args(arguments).arg(program);
    command
}

/// Runs a program in a directory of its own; panics with what it says when it fails, or takes too long.
pub fn run_with(program: &Path, arguments: &[String], limit: Duration) {
    let (status, words) = ended(program, arguments, limit);
    assert!(status.is_some_and(|status| status.success()), "{}: {status:?}\n{words}", program.display());
}

/// Runs a program in a directory of its own: how it ended, or nothing if it took too long, and what it said.
pub fn ended(program: &Path, arguments: &[String], limit: Duration) -> (Option<ExitStatus>, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut child = runner(program)
        .args(arguments)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = std::thread::spawn(move || {
        let mut words = String::new();
        out.read_to_string(&mut words).unwrap();
        words
    });
    let warned = std::thread::spawn(move || {
        let mut words = String::new();
        err.read_to_string(&mut words).unwrap();
        words
    });
    // Under valgrind a program takes many times as long.
    let until = Instant::now() + limit * if words("SYNCSTORE_C_RUNNER").is_empty() { 1 } else { 5 };
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() >= until {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    (status, format!("{}{}", read.join().unwrap(), warned.join().unwrap()))
}

//! Each program, linked both ways.

use crate::building::{compile, library, root, run, system_libraries};
use std::path::Path;
use std::time::Duration;

/// What a program may take, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// Compiles a program of this directory, once with each library, and runs it.
fn program(name: &str) {
    let library = library();
    let dir = tempfile::tempdir().unwrap();
    let source = root().join("tests/c").join(name).with_extension("c");
    let directory = library.shared.parent().unwrap().display();
    let run_path = format!("-Wl,-rpath,{directory}");
    for (how, libraries) in
        [("static", vec![path(&library.statical)]), ("shared", vec![path(&library.shared), &run_path])]
    {
        let program = dir.path().join(format!("{name}-{how}"));
        let further: Vec<&str> = libraries.into_iter().chain(system_libraries().iter().copied()).collect();
        compile(&compiler(), "c99", &source, &further, &program);
        run(&program, LIMIT);
    }
}

/// A program compiled with further arguments, linked with the shared library, and run.
pub fn linked(source: &Path, further: &[&str], library: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    let run_path = format!("-Wl,-rpath,{}", library.parent().unwrap().display());
    let further: Vec<&str> = further.iter().copied().chain([path(library), &run_path]).collect();
    compile(&compiler(), "c99", source, &further, &program);
    run(&program, LIMIT);
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".to_owned())
}

#[test]
fn items() {
    program("items");
}

#[test]
fn misuse() {
    program("misuse");
}

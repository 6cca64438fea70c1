//! Each program, linked both ways.

use crate::building::{compile, ended, library, root, run_with, system_libraries};
use std::path::Path;
use std::time::Duration;

/// What a program may take, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// Compiles a program of this directory, once with each library, and runs it.
fn program(name: &str) {
    program_with(&root().join("tests/c").join(name).with_extension("c"), &|| ((), Vec::new()));
}

/// The same of a program anywhere, with arguments: made for each run, with what has to be there meanwhile.
pub fn program_with<T>(source: &Path, arguments: &dyn Fn() -> (T, Vec<String>)) {
    let library = library();
    let dir = tempfile::tempdir().unwrap();
    let name = source.file_stem().unwrap().to_str().unwrap();
    let directory = library.shared.parent().unwrap().display();
    let run_path = format!("-Wl,-rpath,{directory}");
    for (how, libraries) in
        [("static", vec![path(&library.statical)]), ("shared", vec![path(&library.shared), &run_path])]
    {
        let program = dir.path().join(format!("{name}-{how}"));
        let further: Vec<&str> = libraries.into_iter().chain(system_libraries().iter().copied()).collect();
        compile(&compiler(), "c99", source, &further, &program);
        let (_there, arguments) = arguments();
        run_with(&program, &arguments, LIMIT);
    }
}

/// A program that ends with 1, and says why in these words.
pub fn failing_program(source: &Path, arguments: &[&str], words: &str) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    let further: Vec<&str> =
        [path(&library().statical)].into_iter().chain(system_libraries().iter().copied()).collect();
    compile(&compiler(), "c99", source, &further, &program);
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let (status, said) = ended(&program, &arguments, LIMIT);
    let code = status.and_then(|status| status.code());
    assert!(code == Some(1) && said.contains(words), "{}: {status:?}\n{said}", source.display());
}

/// A program compiled with further arguments, linked with the shared library, and run.
pub fn linked(source: &Path, further: &[&str], library: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    let run_path = format!("-Wl,-rpath,{}", library.parent().unwrap().display());
    let further: Vec<&str> = further.iter().copied().chain([path(library), &run_path]).collect();
    compile(&compiler(), "c99", source, &further, &program);
    run_with(&program, &[], LIMIT);
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

#[test]
fn misuse_model() {
    program("misuse_model");
}

#[test]
fn misuse_values() {
    program("misuse_values");
}

#[test]
fn misuse_contested() {
    program("misuse_contested");
}

#[test]
fn within() {
    program("within");
}

#[test]
fn hostile() {
    program("hostile");
}

/// What fuzzing keeps of the target query_arguments.
#[test]
fn hostile_inputs() {
    let corpus = root().join("fuzz/corpus/query_arguments");
    let mut inputs: Vec<String> = std::fs::read_dir(&corpus)
        .unwrap()
        .map(|input| input.unwrap().path().into_os_string().into_string().unwrap())
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 5, "{} has hardly anything", corpus.display());
    program_with(&root().join("tests/c/hostile.c"), &|| ((), inputs.clone()));
}

#[test]
fn hostile_wire() {
    program("hostile_wire");
}

#[test]
fn large() {
    program("large");
}

#[test]
fn batches() {
    program("batches");
}

#[test]
fn queries() {
    program("queries");
}

#[test]
fn resources() {
    program("resources");
}

#[test]
fn indexes() {
    program("indexes");
}

#[test]
fn search() {
    program("search");
}

#[test]
fn sql() {
    program("sql");
}

#[test]
fn keep() {
    program("keep");
}

#[test]
fn shared() {
    program("shared");
}

#[test]
fn misuse_live() {
    program("misuse_live");
}

#[test]
fn watch() {
    program("watch");
}

#[test]
fn events() {
    program("events");
}

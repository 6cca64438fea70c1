//! include/syncstore.hpp: that it compiles by every standard and in both modes, that it uses all of syncstore.h, and programs that use it.

use crate::building::{compile, compilers, knows, library, root, run_with, system_libraries};
use crate::header::functions;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What a program may take, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// A source, and how it is to be compiled.
struct Unit<'a> {
    source: &'a str,
    standard: &'a str,
    flags: &'a [&'a str],
}

fn cpp_compilers() -> Vec<String> {
    compilers(&["g++", "clang++", "c++"])
}

/// Compiles the units, links them with the static library, and runs the program.
fn program_of(units: &[Unit<'_>], arguments: &[String]) {
    let dir = tempfile::tempdir().unwrap();
    let compiler = cpp_compilers().into_iter().next().expect("there is no C++ compiler");
    let objects: Vec<PathBuf> = units
        .iter()
        .map(|unit| dir.path().join(Path::new(unit.source).file_stem().unwrap()).with_extension("o"))
        .collect();
    for (unit, object) in units.iter().zip(&objects) {
        let flags: Vec<&str> = unit.flags.iter().copied().chain(["-c"]).collect();
        compile(&compiler, unit.standard, &root().join(unit.source), &flags, object);
    }
    let program = dir.path().join("program");
    let libraries = objects[1..].iter().chain([&library().statical]).map(|file| file.to_str().unwrap());
    let further: Vec<&str> = libraries.chain(system_libraries().iter().copied()).collect();
    compile(&compiler, units[0].standard, &objects[0], &further, &program);
    run_with(&program, arguments, LIMIT);
}

/// A source by itself, as C++17 with exceptions.
pub fn cpp_program(source: &str, arguments: &[String]) {
    program_of(&[Unit { source, standard: "c++17", flags: &[] }], arguments);
}

#[test]
fn the_cpp_header_compiles_by_every_standard_with_exceptions_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("alone.cpp");
    fs::write(&source, "#include \"syncstore.hpp\"\n#include \"syncstore.hpp\"\n").unwrap();
    let modes: [&[&str]; 4] = [&[], &["-DSYNCSTORE_NO_EXCEPTIONS"], &["-fno-exceptions"], &["-DSYNCSTORE_NO_NLOHMANN"]];
    for compiler in cpp_compilers() {
        for standard in ["c++17", "c++20", "c++23"].into_iter().filter(|standard| knows(&compiler, standard)) {
            for mode in modes {
                let flags: Vec<&str> = mode.iter().copied().chain(["-fsyntax-only"]).collect();
                compile(&compiler, standard, &source, &flags, &dir.path().join("alone.o"));
            }
        }
    }
}

#[test]
fn the_cpp_header_uses_every_function() {
    let c = fs::read_to_string(root().join("include/syncstore.h")).unwrap();
    let cpp = fs::read_to_string(root().join("include/syncstore.hpp")).unwrap();
    let words: std::collections::HashSet<&str> = cpp.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let functions = functions(&c);
    assert!(functions.len() > 100, "{functions:?}");
    let missing: Vec<_> = functions.iter().filter(|name| !words.contains(*name)).collect();
    assert!(missing.is_empty(), "include/syncstore.hpp has nothing of {missing:?}");
}

#[test]
fn local_data_in_cpp() {
    cpp_program("tests/c/store.cpp", &[]);
}

/// Whether the compiler of the programs finds <nlohmann/json.hpp>.
fn has_nlohmann() -> bool {
    let compiler = cpp_compilers().into_iter().next().expect("there is no C++ compiler");
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", "-fsyntax-only", "-include", "nlohmann/json.hpp", "-x", "c++", "/dev/null"]);
    command.output().is_ok_and(|said| said.status.success())
}

#[test]
fn json_values_in_cpp() {
    let expected = if has_nlohmann() { "with" } else { "without" };
    println!("{expected} nlohmann::json");
    cpp_program("tests/c/json.cpp", &[expected.to_owned()]);
}

#[test]
fn without_exceptions_beside_a_unit_with_them() {
    let compiler = cpp_compilers().into_iter().next().expect("there is no C++ compiler");
    for standard in ["c++17", "c++20", "c++23"].into_iter().filter(|standard| knows(&compiler, standard)) {
        let without = Unit { source: "tests/c/results.cpp", standard, flags: &["-fno-exceptions"] };
        let with = Unit { source: "tests/c/second_unit.cpp", standard: "c++17", flags: &[] };
        program_of(&[without, with], &[]);
    }
}

#[test]
fn syncing_in_cpp() {
    let (_there, arguments) = crate::sync_programs::served();
    cpp_program("tests/c/sync.cpp", &arguments);
}

#[test]
fn the_example_of_tasks_in_cpp() {
    let (_there, arguments) = crate::sync_programs::served();
    cpp_program("examples/cpp/tasks.cpp", &arguments);
}

#[test]
fn watching_events_conflicts_and_rejections_in_cpp() {
    let (_there, arguments) = crate::sync_programs::served();
    cpp_program("tests/c/live.cpp", &arguments);
}

//! The header itself: that it is the one that the library has, that it compiles, and that misuse.c misses none of its functions.

use crate::building::{compile, compilers, knows, library, root};
use std::fs;

pub const WRITE: &str = "SYNCSTORE_WRITE_HEADER";

pub fn header() -> String {
    fs::read_to_string(root().join("include/syncstore.h")).unwrap()
}

/// The names of all functions that a header declares.
pub fn functions(header: &str) -> Vec<&str> {
    let declarations = header.split("\nSYNCSTORE_API").skip(1);
    let name = |declaration: &'_ str| -> Option<(usize, usize)> {
        let end = declaration.find('(')?;
        let begin = declaration[..end].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        Some((begin, end))
    };
    declarations.filter_map(|declaration| name(declaration).map(|(begin, end)| &declaration[begin..end])).collect()
}

#[test]
fn the_header_in_the_tree_is_the_one_that_the_library_has() {
    let generated = fs::read_to_string(&library().header).unwrap();
    let kept = root().join("include/syncstore.h");
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(&kept, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(&kept).is_ok_and(|kept| kept == generated),
        "include/syncstore.h is not what src/ffi makes. Write it anew: {WRITE}=1 cargo test --test c header"
    );
}

#[test]
fn the_header_compiles_by_every_standard_alone_and_twice() {
    let dir = tempfile::tempdir().unwrap();
    let c = (compilers(&["gcc", "clang", "cc"]), ["c99", "c11", "c2x"], "c");
    let cpp = (compilers(&["g++", "clang++", "c++"]), ["c++11", "c++17", "c++20"], "cpp");
    assert!(!c.0.is_empty() && !cpp.0.is_empty(), "there is no C compiler, or none for C++: {c:?} {cpp:?}");
    for (compilers, standards, language) in [c, cpp] {
        // Compilers go by the name: clang++ will not have a .c for C++.
        let source = dir.path().join("header").with_extension(language);
        fs::copy(root().join("tests/c/header.c"), &source).unwrap();
        for compiler in &compilers {
            for standard in standards.iter().filter(|standard| knows(compiler, standard)) {
                let object = dir.path().join("header.o");
                compile(compiler, standard, &source, &["-c"], &object);
            }
        }
    }
}

#[test]
fn what_is_compiled_has_the_defaults_of_every_struct() {
    let compiled = fs::read_to_string(root().join("tests/c/header.c")).unwrap();
    let header = header();
    let defines = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(" {"));
    let missing: Vec<_> =
        defines.map(|(name, _)| name).filter(|name| !compiled.contains(&format!("= {name};"))).collect();
    assert!(missing.is_empty(), "tests/c/header.c has nothing of {missing:?}");
    assert!(header.matches("_INIT {").count() >= 10);
}

#[test]
fn the_misuse_programs_name_every_function() {
    let header = header();
    let misuse: String = fs::read_dir(root().join("tests/c"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| {
            let name = file.file_name().unwrap().to_str().unwrap();
            name.starts_with("misuse") && name.ends_with(".c")
        })
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let functions = functions(&header);
    assert!(functions.contains(&"syncstore_open") && functions.contains(&"syncstore_version"), "{functions:?}");
    let missing: Vec<_> = functions.iter().filter(|name| !misuse.contains(&format!("{name}("))).collect();
    assert!(missing.is_empty(), "no tests/c/misuse*.c calls {missing:?}");
}

#[test]
fn no_comment_of_the_header_is_in_the_terms_of_rust() {
    for word in ["# Safety", "# Errors", "[`", "`]", "Option<", "Result<"] {
        assert!(!header().contains(word), "{word:?} is in include/syncstore.h");
    }
}

#[test]
fn every_function_says_from_which_threads_it_may_be_called() {
    for comment in header().split("/**").skip(1).filter(|comment| {
        comment.split_once("*/").is_some_and(|(_, declared)| declared.trim_start().starts_with("SYNCSTORE_API"))
    }) {
        assert!(comment.contains("Thread:"), "no Thread: line in {comment}");
    }
}

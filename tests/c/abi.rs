//! What was compiled with an earlier header runs with this library. tests/c/abi has each minor version's header as it was released:
//! with a release include/syncstore.h is copied there, and from then on that copy stays as it is.

use crate::building::{library, root};
use crate::programs::linked;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const ITEMS: &str = "tests/c/items.c";

fn headers() -> Vec<PathBuf> {
    let headers = fs::read_dir(root().join("tests/c/abi")).unwrap().map(|entry| entry.unwrap().path());
    let headers: Vec<_> = headers.filter(|path| path.extension().is_some_and(|extension| extension == "h")).collect();
    assert!(!headers.is_empty(), "tests/c/abi has no header");
    headers
}

/// The text of each function's declaration and each constant, in one line each.
fn promises(header: &str) -> Vec<String> {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let functions = header.split("\nSYNCSTORE_API").skip(1).filter_map(|rest| rest.split_once(';'));
    let mut promises: Vec<_> = functions.map(|(declaration, _)| one_line(declaration)).collect();
    // The version goes on, and options grow at their end, which their `_INIT` follows.
    let constants = header.lines().filter(|line| line.starts_with("#define SYNCSTORE_"));
    promises.extend(constants.filter(|line| !line.contains("_VERSION") && !line.contains("_INIT ")).map(one_line));
    promises
}

/// The members of each struct, by its name: what they are and in which order is what programs are compiled with.
fn structs(header: &str) -> BTreeMap<String, Vec<String>> {
    let mut structs = BTreeMap::new();
    for rest in header.split("\ntypedef struct ").skip(1) {
        let Some((name, body)) = rest.split_once(" {\n").filter(|(name, _)| !name.contains(['\n', ' '])) else {
            continue;
        };
        let body = body.split_once("\n}").unwrap().0;
        let members =
            body.lines().filter(|line| line.starts_with("  ") && line.ends_with(';') && !line.starts_with("   "));
        structs.insert(name.to_owned(), members.map(|line| line.trim().to_owned()).collect());
    }
    structs
}

/// Whether what was compiled with a struct gets along with it as it is now: options may have more members at their end.
fn fits(then: &[String], now: &[String]) -> bool {
    let grows = then.first().is_some_and(|first| first == "size_t struct_size;");
    if grows { now.starts_with(then) } else { now == then }
}

#[test]
fn structs_of_an_earlier_header_are_as_they_were_but_for_options_that_grew_at_their_end() {
    let now = structs(&fs::read_to_string(&library().header).unwrap());
    for header in headers() {
        let then = structs(&fs::read_to_string(&header).unwrap());
        assert_eq!(then["syncstore_text"], ["char *data;", "size_t len;"]);
        assert!(then["syncstore_options"].len() > 10 && then.len() > 10, "{then:?}");
        for (name, then) in &then {
            assert!(now.get(name).is_some_and(|now| fits(then, now)), "{name} is another than in {}", header.display());
        }
    }
    let members = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (options, row) = (members(&["size_t struct_size;", "int32_t a;"]), members(&["size_t a;"]));
    assert!(fits(&options, &members(&["size_t struct_size;", "int32_t a;", "int32_t b;"])));
    assert!(!fits(&options, &members(&["size_t struct_size;", "int64_t a;"])));
    assert!(!fits(&row, &members(&["size_t a;", "size_t b;"])) && fits(&row, &row));
}

#[test]
fn a_program_compiled_with_an_earlier_header_runs_with_this_library() {
    for header in headers() {
        // Included first, it is the one that counts.
        let further = ["-DEARLIER_HEADER", "-include", header.to_str().unwrap()];
        linked(&root().join(ITEMS), &further, &library().shared);
    }
}

#[test]
fn functions_and_constants_of_an_earlier_header_are_in_this_one() {
    let now = promises(&fs::read_to_string(&library().header).unwrap());
    for header in headers() {
        let then = promises(&fs::read_to_string(&header).unwrap());
        assert!(then.iter().any(|promise| promise.contains(" syncstore_open(")), "{then:?}");
        assert!(then.iter().any(|promise| promise.contains("SYNCSTORE_NOT_FOUND ")), "{then:?}");
        let broken: Vec<_> = then.iter().filter(|promise| !now.contains(promise)).collect();
        assert!(broken.is_empty(), "{} has what is gone or different: {broken:#?}", header.display());
    }
}

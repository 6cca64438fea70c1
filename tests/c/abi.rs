//! What was compiled with an earlier header runs with this library. tests/c/abi has each minor version's header as it was released:
//! with a release include/syncstore.h is copied there, and from then on that copy stays as it is.

use crate::building::{library, root};
use crate::programs::linked;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const PROGRAMS: [&str; 4] = ["tests/c/items.c", "tests/c/queries.c", "tests/c/events.c", "tests/c/wire.c"];

fn headers() -> Vec<PathBuf> {
    let headers = fs::read_dir(root().join("tests/c/abi")).unwrap().map(|entry| entry.unwrap().path());
    let headers: Vec<_> = headers.filter(|path| path.extension().is_some_and(|extension| extension == "h")).collect();
    assert!(!headers.is_empty(), "tests/c/abi has no header");
    headers
}

/// The text of each function's declaration, each constant and each typedef but those of structs with members, in one line each.
fn promises(header: &str) -> Vec<String> {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let functions = header.split("\nSYNCSTORE_API").skip(1).filter_map(|rest| rest.split_once(';'));
    let mut promises: Vec<_> = functions.map(|(declaration, _)| one_line(declaration)).collect();
    // The version goes on, and options grow at their end, which their `_INIT` follows.
    let constants = header.lines().filter(|line| line.starts_with("#define SYNCSTORE_"));
    promises.extend(constants.filter(|line| !line.contains("_VERSION") && !line.contains("_INIT ")).map(one_line));
    let typedefs = header.split("\ntypedef ").skip(1).filter_map(|rest| rest.split_once(';'));
    promises.extend(typedefs.map(|(name, _)| format!("typedef {}", one_line(name))).filter(|line| !line.contains('{')));
    promises
}

/// What a header promises, and another does not.
fn broken(then: &str, now: &str) -> Vec<String> {
    let now = promises(now);
    promises(then).into_iter().filter(|promise| !now.contains(promise)).collect()
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
fn programs_compiled_with_an_earlier_header_run_with_this_library() {
    for header in headers() {
        // Included first, it is the one that counts; what the programs define for the system's headers has to be there before it.
        let further =
            ["-DEARLIER_HEADER", "-D_POSIX_C_SOURCE=200809L", "-include", header.to_str().unwrap(), "-lpthread"];
        for program in PROGRAMS {
            linked(&root().join(program), &further, &library().shared);
        }
    }
}

#[test]
fn functions_constants_and_typedefs_of_an_earlier_header_are_in_this_one() {
    let now = fs::read_to_string(&library().header).unwrap();
    for header in headers() {
        let then = fs::read_to_string(&header).unwrap();
        let promised = promises(&then);
        let callbacks =
            promised.iter().filter(|promise| promise.starts_with("typedef ") && promise.contains("(*syncstore_"));
        assert!(callbacks.count() >= 8, "{promised:?}");
        for promise in [
            " syncstore_open(",
            "SYNCSTORE_NOT_FOUND ",
            "typedef int32_t syncstore_status",
            "typedef struct syncstore_error ",
        ] {
            assert!(promised.iter().any(|promised| promised.contains(promise)), "no {promise} in {promised:?}");
        }
        let broken = broken(&then, &now);
        assert!(broken.is_empty(), "{} has what is gone or different: {broken:#?}", header.display());
    }
}

#[test]
fn a_typedef_that_is_gone_or_different_breaks_a_promise() {
    let now = fs::read_to_string(&library().header).unwrap();
    for (was, is) in [
        ("typedef int32_t syncstore_op_kind;", "typedef int64_t syncstore_op_kind;"),
        ("typedef void (*syncstore_wake)(void *user_data);", "typedef int32_t (*syncstore_wake)(void *user_data);"),
        ("typedef struct syncstore_names syncstore_names;", ""),
    ] {
        assert!(now.contains(was), "{was}");
        assert_eq!(broken(&now, &now.replace(was, is)), [was.trim_end_matches(';')]);
    }
}

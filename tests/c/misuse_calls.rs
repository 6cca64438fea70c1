//! That misuse is tried of everything: each pointer is NULL in some call of the misuse programs, each text is bad UTF-8, each function of a store is called after
//! closing; and each function that answers a status is called with nothing at all.

use crate::building::{library, root};
use crate::declarations::{Call, Function, Takes, calls, functions};
use crate::header::header;
use crate::programs::linked;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

/// What is not tried, and why: function, parameter, reason.
const NOT_NULL: &[(&str, &str, &str)] = &[];
const NOT_BAD: &[(&str, &str, &str)] = &[];
const NOT_CLOSED: &[(&str, &str, &str)] =
    &[("syncstore_free", "store", "is the end of the handle, closed or not; every program that closes one frees it")];

/// The calls of all misuse programs, by function.
fn misuse() -> BTreeMap<String, Vec<Call>> {
    let mut by_function = BTreeMap::<String, Vec<Call>>::new();
    for entry in fs::read_dir(root().join("tests/c")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("misuse") && name.ends_with(".c") {
            for call in calls(&fs::read_to_string(&path).unwrap()) {
                by_function.entry(call.name.clone()).or_default().push(call);
            }
        }
    }
    by_function
}

/// The parameters of which `tried` says so of no call, but for those with a reason; each reason must be needed.
fn untried(
    functions: &[Function],
    concerns: &dyn Fn(usize, Takes) -> bool,
    reasons: &[(&str, &str, &str)],
    tried: &dyn Fn(&Call, usize) -> bool,
) -> Vec<String> {
    let misuse = misuse();
    let mut untried = Vec::new();
    for function in functions {
        let calls = misuse.get(&function.name).map_or(&[][..], Vec::as_slice);
        for call in calls {
            let (given, taken) = (call.arguments.len(), function.parameters.len());
            assert_eq!(given, taken, "{} is read wrongly: {:?}", function.name, call.arguments);
        }
        for (place, parameter) in function.parameters.iter().enumerate() {
            let excused = reasons.iter().any(|(of, name, _)| *of == function.name && *name == parameter.name);
            if concerns(place, parameter.takes) && calls.iter().any(|call| tried(call, place)) == excused {
                untried.push(format!("{} of {}", parameter.name, function.name));
            }
        }
    }
    untried
}

fn declared() -> Vec<Function> {
    let functions = functions(&header());
    assert!(functions.len() > 300, "{functions:?}");
    functions
}

#[test]
fn every_pointer_is_null_in_some_call() {
    let is_pointer = |_, takes| matches!(takes, Takes::Store | Takes::Text | Takes::Pointer);
    let untried = untried(&declared(), &is_pointer, NOT_NULL, &|call, place| call.arguments[place] == "NULL");
    assert!(untried.is_empty(), "no tests/c/misuse*.c gives NULL for {untried:#?}");
}

#[test]
fn every_text_is_bad_utf8_in_some_call() {
    let is_text = |_, takes| takes == Takes::Text;
    let untried = untried(&declared(), &is_text, NOT_BAD, &|call, place| call.arguments[place] == "BAD");
    assert!(untried.is_empty(), "no tests/c/misuse*.c gives BAD for {untried:#?}");
}

#[test]
fn every_function_of_a_store_is_called_when_it_is_closed() {
    let is_handle = |place, takes| place == 0 && takes == Takes::Store;
    let untried = untried(&declared(), &is_handle, NOT_CLOSED, &|call, _| call.within == "CLOSED(");
    assert!(untried.is_empty(), "no tests/c/misuse*.c has within CLOSED() {untried:#?}");
}

/// A program that calls each function with NULL and 0 for everything: those that answer a status twice, with and without somebody who wants the error.
fn with_nothing(functions: &[Function]) -> String {
    let mut program = String::from(
        "#include \"expect.h\"\n\nstatic syncstore_error *error = NULL;\n\nint main(void)\n{\n    syncstore_status status;\n\n",
    );
    for function in functions.iter().filter(|function| !function.parameters.is_empty()) {
        let name = &function.name;
        let nothing = function.parameters.iter().map(|parameter| match parameter.takes {
            Takes::Value => "0",
            _ => "NULL",
        });
        let nothing: Vec<_> = nothing.collect();
        if function.answers_a_status() {
            let but_error = nothing[..nothing.len() - 1].iter().map(|word| format!("{word}, ")).collect::<String>();
            writeln!(program, "    status = {name}({but_error}NULL);\n    EXPECT(status == SYNCSTORE_MISUSE);")
                .unwrap();
            writeln!(program, "    EXPECT_FAILS(SYNCSTORE_MISUSE, \" is NULL\", {name}({but_error}&error));").unwrap();
        } else {
            writeln!(program, "    (void){name}({});", nothing.join(", ")).unwrap();
        }
    }
    program.push_str("    (void)status;\n    EXPECT(syncstore_live_handles() == 0);\n    return 0;\n}\n");
    program
}

#[test]
fn nothing_at_all_is_misuse_of_every_function() {
    let functions = declared();
    let program = with_nothing(&functions);
    assert!(program.contains("syncstore_set(NULL, NULL, NULL, NULL, 0, NULL, &error)"), "{program}");
    assert!(functions.iter().filter(|function| function.answers_a_status()).count() > 150);
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("with_nothing.c");
    fs::write(&source, program).unwrap();
    linked(&source, &["-I", root().join("tests/c").to_str().unwrap()], &library().shared);
}

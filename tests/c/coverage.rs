//! That C has all of the Rust interface: each public method of a type that src/lib.rs exports has a function in include/syncstore.h, or a written reason.
//!
//! The rule of names: `Store::get` is `syncstore_get`, `Events::pump` is `syncstore_events_pump`. What does not follow it is in `counterparts`. Traits, which
//! a program implements, are callbacks, and fields are getters and members; neither is counted here.

use crate::building::root;
use crate::counterparts::{COUNTERPARTS, REASONS};
use crate::header::{functions, header};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The types, and whatever else begins with a capital, that src/lib.rs exports.
fn exported(lib: &str) -> BTreeSet<&str> {
    let uses = lib.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    uses.flat_map(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect()
}

/// What an `impl` block that begins on this line is of; `None`: it is none, or of a trait.
fn implemented(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let rest = match rest.strip_prefix('<') {
        Some(generic) => generic.split_once("> ")?.1,
        None => rest.strip_prefix(' ')?,
    };
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (line.ends_with('{') && !line.contains(" for ")).then_some(name)
}

/// The public methods of a source, as `Type::method`.
fn methods(source: &str) -> Vec<String> {
    let code = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or(source);
    let (mut found, mut of) = (Vec::new(), None);
    for line in code.lines() {
        if line.starts_with("impl") {
            of = implemented(line);
        } else if line.starts_with('}') {
            of = None;
        }
        let function = ["    pub fn ", "    pub const fn "].iter().find_map(|begin| line.strip_prefix(begin));
        if let (Some(of), Some(rest)) = (of, function) {
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(rest);
            found.push(format!("{of}::{name}"));
        }
    }
    found
}

/// All sources below a directory but those of the C interface.
fn sources(dir: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("ffi") {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Each public method of an exported type.
fn public() -> BTreeSet<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let exported = exported(&lib);
    let mut all = Vec::new();
    sources(&root().join("src"), &mut all);
    let of_exported = |method: &String| method.split_once("::").is_some_and(|(of, _)| exported.contains(of));
    all.iter().flat_map(|source| methods(source)).filter(of_exported).collect()
}

/// The name that a method has in C by the rule.
fn by_rule(method: &str) -> String {
    let (of, name) = method.split_once("::").unwrap();
    if of == "Store" {
        return format!("syncstore_{name}");
    }
    let mut snake = String::new();
    for (place, letter) in of.chars().enumerate() {
        if letter.is_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    format!("syncstore_{snake}_{name}")
}

/// Whether an entry of a table is of a method.
fn speaks_of(entry: &str, method: &str) -> bool {
    entry == method || entry.strip_suffix('*').is_some_and(|of| method.starts_with(of))
}

fn has_function(method: &str, functions: &[&str]) -> bool {
    functions.contains(&by_rule(method).as_str())
        || COUNTERPARTS.iter().any(|(of, function)| *of == method && functions.contains(function))
}

#[test]
fn every_public_method_has_a_function_in_c_or_a_reason_why_not() {
    let header = header();
    let functions = functions(&header);
    let methods = public();
    assert!(methods.len() > 200 && methods.contains("Store::open") && methods.contains("Events::pump"), "{methods:?}");
    let accounted =
        |method: &str| has_function(method, &functions) || REASONS.iter().any(|(entry, _)| speaks_of(entry, method));
    let missing: Vec<_> = methods.iter().filter(|method| !accounted(method)).collect();
    assert!(missing.is_empty(), "neither a function nor a reason in tests/c/counterparts.rs: {missing:#?}");
}

#[test]
fn every_entry_of_the_tables_is_needed() {
    let header = header();
    let functions = functions(&header);
    let methods = public();
    let needed = |(method, function): &&(&str, &str)| {
        let by_rule = by_rule(method);
        methods.contains(*method) && functions.contains(function) && !functions.contains(&by_rule.as_str())
    };
    let needless: Vec<_> = COUNTERPARTS.iter().filter(|entry| !needed(entry)).collect();
    assert!(needless.is_empty(), "no such method, no such function, or found by the rule: {needless:#?}");
    for (entry, reason) in REASONS {
        assert!(methods.iter().any(|method| speaks_of(entry, method)), "there is no {entry}");
        assert!(reason.len() > 20, "{entry}: {reason}");
    }
}

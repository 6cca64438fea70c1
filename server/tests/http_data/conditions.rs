//! `If-Match` and `If-None-Match`.

use crate::caller::{CONFIG, Caller, Headers, caller};
use crate::http_support::{Answer, Fixture};
use std::thread;

fn put(caller: &Caller, path: &str, headers: Headers<'_>) -> Answer {
    caller.ask("PUT", path, headers, Some(b"7"))
}

#[test]
fn a_write_is_done_only_to_the_item_that_its_caller_has_seen() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    let at = "/data/notes/n";
    assert_eq!(put(&root, at, &[("if-match", "\"1\"")]).is_problem(412, "precondition_failed").rev, Some(0));
    put(&root, at, &[("if-match", "*")]).is_problem(412, "precondition_failed");
    assert_eq!(put(&root, at, &[("if-none-match", "*")]).header("etag"), "\"1\"");
    assert_eq!(put(&root, at, &[("if-none-match", "*")]).is_problem(412, "precondition_failed").rev, Some(1));
    assert_eq!(put(&root, at, &[("if-match", "\"9\", \"1\"")]).header("etag"), "\"2\"");
    assert_eq!(put(&root, at, &[("if-match", "\"1\"")]).is_problem(412, "precondition_failed").rev, Some(2));
    put(&root, at, &[("if-match", "W/\"2\"")]).is_problem(412, "precondition_failed");
    put(&root, at, &[("if-none-match", "\"2\"")]).is_problem(412, "precondition_failed");
    assert_eq!(put(&root, at, &[("if-match", "*")]).header("etag"), "\"3\"");
    for (method, body) in [("PATCH", Some(&b"[]"[..])), ("DELETE", None)] {
        root.ask(method, at, &[("if-match", "\"2\"")], body).is_problem(412, "precondition_failed");
    }
    root.ask("PATCH", "/data/notes/none", &[("if-match", "\"2\"")], Some(b"[]")).is_problem(404, "not_found");
    root.ask("DELETE", "/data/notes/none", &[("if-match", "*")], None).is_problem(412, "precondition_failed");
    assert_eq!(root.get("/data/notes/n")["rev"], 3);
    assert_eq!(root.get("")["seq"], 4, "what is not met is not in the log; a patch of nothing is");
    root.write("DELETE", at, &[("if-match", "\"3\"")], "");
    put(&root, at, &[("if-match", "\"3\"")]).is_problem(412, "precondition_failed");
}

#[test]
fn conditions_of_a_resource_are_the_items_rev_or_that_it_is_there() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    let entry = |headers: Headers<'_>| root.ask("PUT", "/data/notes/n/indexes/i", headers, Some(br#"{"order":"1"}"#));
    root.put("/data/notes/n", "1");
    entry(&[("if-match", "*")]).is_problem(412, "precondition_failed");
    assert_eq!(entry(&[("if-none-match", "*")]).header("etag"), "\"2\"");
    entry(&[("if-none-match", "*")]).is_problem(412, "precondition_failed");
    entry(&[("if-match", "\"1\"")]).is_problem(412, "precondition_failed");
    assert_eq!(entry(&[("if-match", "\"2\"")]).header("etag"), "\"3\"");
    root.ask("DELETE", "/data/notes/n/tags/t", &[("if-match", "*")], None).is_problem(412, "precondition_failed");
    assert_eq!(root.write("PUT", "/data/notes/n/tags/t", &[("if-match", "\"3\""), ("if-none-match", "*")], ""), 4);
    assert_eq!(root.write("DELETE", "/data/notes/n/tags/t", &[("if-match", "*")], ""), 5);
    root.ask("PUT", "/data/notes/none/tags/t", &[("if-match", "\"3\"")], None).is_problem(404, "not_found");
}

#[test]
fn what_the_caller_has_is_not_sent_again() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    root.put("/data/notes/n", "1");
    for path in ["/data/notes/n", "/data/notes/n/indexes", "/data/notes/n/relations", "/data/notes/n/tags"] {
        for tag in ["\"1\"", "W/\"1\"", "*", "\"7\", \"1\""] {
            let answer = root.ask("GET", path, &[("if-none-match", tag)], None);
            assert_eq!((answer.status, answer.header("etag"), answer.body.len()), (304, "\"1\"", 0), "{path} {tag}");
        }
        assert_eq!(root.ask("GET", path, &[("if-none-match", "\"2\"")], None).status, 200);
        root.ask("GET", path, &[("if-match", "\"2\"")], None).is_problem(412, "precondition_failed");
        root.ask("GET", &path.replace("/n", "/none"), &[("if-none-match", "*")], None).is_problem(404, "not_found");
    }
}

#[test]
fn of_many_writes_of_what_all_have_seen_one_is_done() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    let counter = "/data/notes/counter";
    root.put(counter, "0");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let root = caller(&fixture, "root");
                for _ in 0..5 {
                    loop {
                        let read = root.get_with(counter, &[]);
                        let (count, seen) = (read.json()["value"].as_u64().unwrap(), read.header("etag").to_owned());
                        let next = (count + 1).to_string();
                        let answer = root.ask("PUT", counter, &[("if-match", &seen)], Some(next.as_bytes()));
                        match answer.status {
                            200 => break,
                            _ => drop(answer.is_problem(412, "precondition_failed")),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(root.get(counter)["value"], 20);
}

#[test]
fn policies_hold_for_callers_without_a_replica() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    let at = "/data/strict/n";
    let rev = root.put(at, "1");
    let problem = put(&root, at, &[]).is_problem(409, "stale");
    assert_eq!(problem.rev, Some(rev));
    let seen = format!("\"{rev}\"");
    let rev = root.write("PUT", at, &[("if-match", &seen)], "2");
    root.ask("DELETE", at, &[], None).is_problem(409, "stale");
    let seen = format!("\"{rev}\"");
    root.write("DELETE", at, &[("if-match", &seen)], "");
    root.write("PUT", at, &[("if-none-match", "*")], "3");
}

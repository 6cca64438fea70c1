//! `POST …/batch`: all or none.

use crate::caller::{CONFIG, Caller, caller};
use crate::http_support::{Answer, Fixture, client, new_ref};
use serde_json::{Value, json};
use syncstore::protocol::{BatchResponse, Format, InboxPage};

fn send(caller: &Caller, ops: &Value) -> Answer {
    caller.ask("POST", "/batch", &[], Some(json!({ "ops": ops }).to_string().as_bytes()))
}

fn revs(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let response: BatchResponse = Format::Json.decode(&answer.body).unwrap();
    response.results.iter().map(|written| written.rev).collect()
}

fn everything() -> Value {
    json!([
        {"op": "set", "collection": "notes", "key": "n", "value": {"a": 1}},
        {"op": "patch", "collection": "notes", "key": "n", "patch": [{"op": "add", "path": "/b", "value": 2}]},
        {"op": "set", "collection": "notes", "key": "n", "index": "i", "order": "o"},
        {"op": "set", "collection": "notes", "key": "n", "relation": "r", "predicate": "p",
         "object": {"collection": "folders", "key": "f"}},
        {"op": "set", "collection": "notes", "key": "n", "tag": "team:7"},
        {"op": "delete", "collection": "notes", "key": "n", "index": "none"},
        {"op": "set", "collection": "folders", "key": "f", "value": null},
        {"op": "delete", "collection": "notes", "key": "gone"},
    ])
}

#[test]
fn a_batch_is_applied_as_a_whole_and_replicas_pull_it_as_one() {
    let fixture = Fixture::configured(CONFIG);
    let ada = caller(&fixture, "ada");
    assert_eq!(revs(&send(&ada, &everything())), [1, 2, 3, 4, 5, 5, 7, 0]);
    let item = ada.get("/data/notes/n");
    assert_eq!((&item["value"], &item["indexes"]), (&json!({"a": 1, "b": 2}), &json!({"i": "o"})));
    assert_eq!((&item["relations"][0]["id"], &item["tags"]), (&json!("r"), &json!(["team:7", "user:ada"])));
    let answer = ada.get_with(&format!("/sync/inbox?client={}&limit=1", client(1)), &[]);
    let page: InboxPage = Format::Json.decode(&answer.body).unwrap();
    let batch = page.entries[0].batch;
    assert!(batch.is_some() && page.entries.len() == 6, "{page:?}");
    assert!(page.entries.iter().all(|entry| entry.batch == batch));
}

#[test]
fn one_op_at_fault_is_told_and_nothing_is_applied() {
    let fixture = Fixture::configured(CONFIG);
    let (root, ada) = (caller(&fixture, "root"), caller(&fixture, "ada"));
    root.put("/data/notes/hidden", "1");
    root.put("/data/strict/n", "1");
    root.write("PUT", "/data/strict/n/tags/team:7", &[("if-match", "\"2\"")], "");
    let head = root.get("")["seq"].clone();
    let long = "k".repeat(129);
    let bad_ref = client(9).to_string();
    for (op, code) in [
        (json!({"op": "patch", "collection": "notes", "key": "none", "patch": []}), "not_found"),
        (json!({"op": "delete", "collection": "notes", "key": "hidden"}), "not_found"),
        (json!({"op": "set", "collection": "notes", "key": "hidden", "value": 1}), "forbidden"),
        (json!({"op": "set", "collection": "notes", "key": "n", "tag": "user:bob"}), "forbidden"),
        (
            json!({"op": "patch", "collection": "notes", "key": "n", "patch": [{"op": "remove", "path": "/x"}]}),
            "patch_failed",
        ),
        (json!({"op": "set", "collection": "strict", "key": "n", "value": 2, "base": 1}), "stale"),
        (json!({"op": "set", "collection": "strict", "key": "n", "value": 2}), "stale"),
        (json!({"op": "set", "collection": "notes", "key": long, "value": 2}), "too_large"),
        (json!({"op": "set", "collection": "", "key": "n", "value": 2}), "invalid"),
        (json!({"op": "set", "collection": "notes", "key": "new"}), "invalid"),
        (json!({"op": "set", "collection": "notes", "key": "new", "value": 1, "ref": bad_ref}), "invalid"),
    ] {
        let ops =
            json!([everything()[0], everything()[4], op, {"op": "patch", "collection": "x", "key": "y", "patch": []}]);
        let problem = send(&ada, &ops).is_problem(422, code);
        assert_eq!(problem.failed, Some(2), "{op}");
        assert_eq!(problem.path.is_some(), code == "patch_failed");
        assert_eq!(problem.rev, Some(3).filter(|_| code == "stale"));
        ada.ask("GET", "/data/notes/n", &[], None).is_problem(404, "not_found");
        assert_eq!(root.get("")["seq"], head, "{op}");
    }
}

#[test]
fn a_batch_that_is_sent_again_is_told_what_the_first_did() {
    let fixture = Fixture::configured(CONFIG);
    let ada = caller(&fixture, "ada");
    let mut ops = everything();
    for op in ops.as_array_mut().unwrap() {
        op["ref"] = json!(new_ref());
    }
    let first = revs(&send(&ada, &ops));
    let head = ada.get("")["seq"].clone();
    assert_eq!(revs(&send(&ada, &ops)), first);
    assert_eq!(ada.get("")["seq"], head);
    let mut other = ops.clone();
    other[6]["value"] = json!(7);
    assert_eq!(send(&ada, &other).is_problem(422, "ref_reused").failed, Some(6));
    let mut longer = ops.clone();
    longer.as_array_mut().unwrap().insert(0, json!({"op": "set", "collection": "notes", "key": "more", "value": 1}));
    assert_eq!(send(&ada, &longer).is_problem(422, "ref_reused").failed, Some(1), "half of it would be applied twice");
    let twice = json!([ops[0], everything()[6], ops[0]]);
    assert_eq!(send(&ada, &twice).is_problem(422, "ref_reused").failed, Some(2));
    assert_eq!(send(&caller(&fixture, "bob"), &ops).is_problem(422, "ref_reused").failed, Some(0));
    assert_eq!(ada.get("")["seq"], head);
}

#[test]
fn a_refused_batch_leaves_no_refs_behind() {
    let fixture = Fixture::configured(CONFIG);
    let ada = caller(&fixture, "ada");
    let ops = json!([
        {"op": "set", "collection": "notes", "key": "a", "value": 1, "ref": new_ref()},
        {"op": "patch", "collection": "notes", "key": "b", "patch": [], "ref": new_ref()},
    ]);
    assert_eq!(send(&ada, &ops).is_problem(422, "not_found").failed, Some(1));
    ada.put("/data/notes/b", "1");
    assert_eq!(revs(&send(&ada, &ops)), [2, 3]);
}

#[test]
fn ops_of_a_batch_do_not_make_each_other_stale() {
    let fixture = Fixture::configured(CONFIG);
    let root = caller(&fixture, "root");
    let on = |key: &str, base: Option<u64>| {
        let mut ops = json!([
            {"op": "set", "collection": "strict", "key": key, "value": 1},
            {"op": "set", "collection": "strict", "key": key, "index": "i", "order": "1"},
            {"op": "delete", "collection": "strict", "key": key},
            {"op": "set", "collection": "strict", "key": key, "value": 2},
        ]);
        if let Some(base) = base {
            ops.as_array_mut().unwrap().iter_mut().for_each(|op| op["base"] = json!(base));
        }
        ops
    };
    assert_eq!(revs(&send(&root, &on("a", None))), [1, 2, 3, 4]);
    assert_eq!(revs(&send(&root, &on("b", Some(0)))), [5, 6, 7, 8]);
    assert_eq!(revs(&send(&root, &on("b", Some(8)))), [9, 10, 11, 12]);
    assert_eq!(
        send(&root, &on("b", Some(11))).is_problem(422, "stale").failed,
        Some(0),
        "another request has changed it"
    );
}

#[test]
fn limits_hold_for_a_batch_as_a_whole() {
    let fixture = Fixture::configured(&format!("{CONFIG}\n[limits]\nbatch_ops = 3\nbatch = 100"));
    let root = caller(&fixture, "root");
    let set = |value: &str| json!({"op": "set", "collection": "c", "key": "k", "value": value});
    send(&root, &json!([set("1"), set("2"), set("3"), set("4")])).is_problem(413, "too_large");
    // What comes after the first op too many is not looked at.
    send(&root, &json!([set("1"), set("2"), set("3"), 4])).is_problem(413, "too_large");
    send(&root, &json!([set("1"), set("2"), 3])).is_problem(400, "malformed");
    send(&root, &json!([set(&"x".repeat(100))])).is_problem(413, "too_large");
    send(&root, &json!([])).is_problem(422, "invalid");
    assert_eq!(root.get("")["seq"], 0);
    assert_eq!(revs(&send(&root, &json!([set("1"), set("2"), set("3")]))), [1, 2, 3]);
}

//! What the endpoints for replicas answer when all is not plain: held against docs/openapi.yaml like every answer here.

use crate::caller::{CONFIG, Caller, ask, caller};
use crate::http_support::approver::{respond, stub};
use crate::http_support::{Fixture, client, new_ref};
use serde_json::{Value, json};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};

const BATCH: &str = "5f2b7e0a-3d41-4c55-9a57-2f0c6d1e8b90";

/// The results of a push of ops, each with a ref of its own.
fn push(caller: &Caller, number: u128, ops: &[Value]) -> Vec<Value> {
    let refer = |op: &Value| {
        let mut op = op.clone();
        op["ref"] = json!(new_ref());
        op
    };
    let body = json!({"client": client(number), "ops": ops.iter().map(refer).collect::<Vec<_>>()}).to_string();
    let answer = caller.ask("POST", "/sync/outbox", &[], Some(body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["results"].as_array().unwrap().clone()
}

fn entries(caller: &Caller, number: u128, more: &str) -> Vec<Value> {
    let page = caller.get(&format!("/sync/inbox?client={}{more}", client(number)));
    page["entries"].as_array().unwrap().clone()
}

/// A server whose approver never knows.
fn undecided() -> Fixture {
    let (address, _came) = stub(|_| respond("200 OK", r#"{"answers":[]}"#));
    let approver = format!("\n[approver]\nurl = \"http://{address}/\"\ncollections = [\"orders\"]\n");
    Fixture::configured(&(CONFIG.to_owned() + &approver))
}

#[test]
fn a_push_has_every_outcome() {
    let fixture = undecided();
    let results = push(
        &caller(&fixture, "ada"),
        7,
        &[
            json!({"op": "set", "collection": "notes", "key": "a", "value": {"n": 1}}),
            json!({"op": "patch", "collection": "notes", "key": "a", "patch": [{"op": "remove", "path": "/x"}]}),
            json!({"op": "set", "collection": "notes", "key": "a", "index": "i", "order": "o"}),
            json!({"op": "set", "collection": "orders", "key": "o", "value": 1}),
            json!({"op": "set", "collection": "notes", "key": "b", "value": 1, "batch": BATCH, "of": 2}),
        ],
    );
    let outcomes: Vec<&str> = results.iter().map(|result| result["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "rejected", "skipped", "queued", "staged"]);
    assert_eq!(results[1]["detail"], json!({"operation": 0, "path": "/x"}));
}

#[test]
fn what_waits_for_an_approver_is_refused_where_nobody_could_be_told() {
    let fixture = undecided();
    let ada = caller(&fixture, "ada");
    ada.ask("PUT", "/data/orders/o", &[], Some(b"1")).is_problem(422, "policy");
    let ops = json!({"ops": [
        {"op": "set", "collection": "notes", "key": "a", "value": 1},
        {"op": "set", "collection": "orders", "key": "o", "value": 1},
    ]});
    let answer = ada.ask("POST", "/batch", &[], Some(ops.to_string().as_bytes()));
    assert_eq!(answer.is_problem(422, "policy").failed, Some(1));
    assert_eq!(ada.get("")["seq"], 0, "neither is recorded");
}

#[test]
fn an_inbox_has_every_form_of_an_entry() {
    let fixture = undecided();
    let (ada, bob) = (caller(&fixture, "ada"), caller(&fixture, "bob"));
    push(&ada, 7, &[json!({"op": "set", "collection": "notes", "key": "a", "value": {"n": 1}})]);
    let object = json!({"collection": "folders", "key": "f"});
    push(
        &ada,
        7,
        &[
            json!({"op": "set", "collection": "notes", "key": "a", "index": "i", "order": "o", "batch": BATCH, "of": 2}),
            json!({"op": "set", "collection": "notes", "key": "a", "relation": "r", "predicate": "in", "object": object,
                   "batch": BATCH, "of": 2}),
            json!({"op": "set", "collection": "notes", "key": "a", "tag": "team:7"}),
            json!({"op": "patch", "collection": "notes", "key": "a", "patch": [{"op": "remove", "path": "/x"}]}),
        ],
    );
    push(&ada, 7, &[json!({"op": "delete", "collection": "notes", "key": "a", "tag": "team:7"})]);

    let own = entries(&ada, 7, "");
    assert_eq!(own.len(), 6);
    assert_eq!((&own[0]["full"], &own[0]["tags"]), (&json!(true), &json!(["user:ada"])), "{own:?}");
    for number in [1, 2] {
        assert_eq!((&own[number]["as_sent"], &own[number]["batch"]), (&json!(true), &json!(BATCH)), "{own:?}");
    }
    let rejected = (&own[4]["outcome"], &own[4]["code"], &own[4]["detail"]["path"]);
    assert_eq!(rejected, (&json!("rejected"), &json!("patch_failed"), &json!("/x")), "{own:?}");

    let with_payloads = entries(&ada, 7, "&as_sent=never");
    assert_eq!((&with_payloads[1]["order"], &with_payloads[2]["object"]), (&json!("o"), &object));

    let hidden = entries(&ada, 7, "&collections=other");
    assert_eq!(hidden.iter().filter(|entry| entry["hidden"] == true).count(), 5, "{hidden:?}");
    assert_eq!(hidden[1]["batch"], BATCH, "{hidden:?}");

    let shown = entries(&bob, 8, "");
    assert_eq!(shown.len(), 2, "{shown:?}");
    let full = (&shown[0]["full"], &shown[0]["indexes"], &shown[0]["relations"][0]["id"]);
    assert_eq!(full, (&json!(true), &json!({"i": "o"}), &json!("r")), "{shown:?}");
    assert_eq!((&shown[1]["op"], &shown[1]["reason"]), (&json!("delete"), &json!("revoked")), "{shown:?}");
}

#[test]
fn a_checkpoint_names_its_next_page() {
    let fixture = Fixture::configured(CONFIG);
    let ada = caller(&fixture, "ada");
    for key in ["a", "b"] {
        ada.put(&format!("/data/notes/{key}"), "1");
    }
    ada.put("/data/notes/b/indexes/i", r#"{"order":"o"}"#);
    ada.put("/data/notes/b/relations/r", r#"{"predicate":"in","object":{"collection":"folders","key":"f"}}"#);
    let path = format!("/sync/checkpoint?client={}&limit=1", client(7));
    let first = ada.get(&path);
    let next = form_urlencoded::byte_serialize(first["next"].as_str().unwrap().as_bytes()).collect::<String>();
    let second = ada.get(&format!("{path}&page={next}"));
    assert_eq!((&first["items"][0]["key"], &second["items"][0]["key"]), (&json!("a"), &json!("b")));
    assert_eq!((&second["items"][0]["tags"], &second["total"]), (&json!(["user:ada"]), &json!(2)));
}

#[test]
fn a_log_that_is_no_longer_read_from_a_cursor_says_why() {
    let data = tempfile::tempdir().unwrap();
    let start = |change: &dyn Fn(&mut ServerOptions)| {
        let mut options = ServerOptions::new(data.path(), Config::parse(CONFIG).unwrap());
        change(&mut options);
        Server::start(options).unwrap()
    };
    let inbox = |url: &str, more: &str| {
        let path = format!("/v1/notes/sync/inbox?client={}{more}", client(7));
        ask(url, "GET", &path, &[("authorization", "Bearer ada-t0ken")], None)
    };
    let server = start(&|_| {});
    let ada = Caller::at(&server.url(), "ada");
    ada.put("/data/notes/a", "1");
    let cursor = inbox(&server.url(), "").json()["cursor"].as_str().unwrap().to_owned();
    let at = format!("&cursor={}", form_urlencoded::byte_serialize(cursor.as_bytes()).collect::<String>());
    let filter = inbox(&server.url(), &format!("{at}&collections=notes")).is_problem(410, "cursor_expired");
    assert_eq!((filter.reason.as_deref(), filter.restored_seq), (Some("filter"), None));
    ada.put("/data/notes/a", "2");
    server.stop();

    let server = start(&|options| options.config.limits.log_retention = 1);
    server.service().prune("notes").unwrap();
    let pruned = inbox(&server.url(), "").is_problem(410, "cursor_expired");
    assert_eq!((pruned.reason.as_deref(), pruned.restored_seq), (Some("pruned"), None));
    server.stop();

    let server = start(&|options| options.new_epoch = true);
    let rewound = inbox(&server.url(), &at).is_problem(410, "cursor_expired");
    assert_eq!((rewound.reason.as_deref(), rewound.restored_seq), (Some("rewound"), Some(2)));
    let ops = json!({"client": client(7), "cursor": cursor, "ops": []}).to_string();
    let answer = Caller::at(&server.url(), "ada").ask("POST", "/sync/outbox", &[], Some(ops.as_bytes()));
    assert_eq!(answer.is_problem(410, "cursor_expired").restored_seq, Some(2));
}

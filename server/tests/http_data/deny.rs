//! Every endpoint of sections 3 to 6, asked by who may not see an item: told nothing of it, and changing nothing.

use crate::caller::{CONFIG, Caller, ask, caller};
use crate::http_support::{Answer, Fixture, client, new_ref};
use serde_json::{Value, json};
use syncstore::protocol::Ref;

/// What stands for an item in a path or a body: the hidden one, and one that there never was. Both are as long.
const HIDDEN: &str = "hidden-item";
const ABSENT: &str = "absent-item";

/// What an answer may tell of an item that its caller does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Exactly what it tells of an item that there is not.
    Nothing,
    /// That the key is taken: 403 `forbidden` where a set of the value would make an item (◆4).
    Taken,
    /// That there is an item: 404 `not_found` where a delete is accepted without effect (◆4).
    NotGone,
}

struct Case {
    method: &'static str,
    route: &'static str,
    // `ITEM` stands for the key, in the body too, and `REF` for a new ref.
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    told: Told,
}

const fn case(method: &'static str, route: &'static str, path: &'static str, body: &'static str, told: Told) -> Case {
    Case { method, route, path, headers: &[], body, told }
}

const fn with(
    method: &'static str,
    route: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    told: Told,
) -> Case {
    Case { method, route, path, headers, body, told }
}

const ITEM: &str = "/v1/{db}/data/{collection}/{key}";
const INDEX: &str = "/v1/{db}/data/{collection}/{key}/indexes/{name}";
const RELATION: &str = "/v1/{db}/data/{collection}/{key}/relations/{id}";
const TAG: &str = "/v1/{db}/data/{collection}/{key}/tags/{tag}";
const CLIENT: &str = "client=00000000-0000-4000-8000-000000000007";

const SET_RELATION: &str = r#"{"op":"set","relation":"r","predicate":"p","object":{"collection":"c","key":"k"}}"#;
const STAGED_SET: &str = r#"{"op":"set","value":1,"batch":"5f2b7e0a-3d41-4c55-9a57-2f0c6d1e8b90","of":2}"#;
const STAGED_PATCH: &str = r#"{"op":"patch","patch":[],"batch":"5f2b7e0a-3d41-4c55-9a57-2f0c6d1e8b90","of":2}"#;
const STAGED_DELETE: &str = r#"{"op":"delete","batch":"5f2b7e0a-3d41-4c55-9a57-2f0c6d1e8b90","of":2}"#;
const STAGED_MALFORMED: &str = r#"{"op":"patch","patch":7,"batch":"5f2b7e0a-3d41-4c55-9a57-2f0c6d1e8b90","of":2}"#;
const WHOLE_SET: &str = r#"{"op":"set","value":1,"batch":"5f2b7e0a-3d41-4c55-9a57-2f0c6d1e8b90","of":1}"#;
const WHOLE_PATCH: &str = r#"{"op":"patch","patch":[],"batch":"5f2b7e0a-3d41-4c55-9a57-2f0c6d1e8b90","of":1}"#;

use Told::{NotGone, Nothing, Taken};

const CASES: &[Case] = &[
    case("GET", "/v1/{db}", "", "", Nothing),
    case("GET", "/v1/{db}/sync/inbox", "/sync/inbox?CLIENT", "", Nothing),
    case("GET", "/v1/{db}/sync/inbox", "/sync/inbox?CLIENT&as_sent=never&limit=1", "", Nothing),
    case("GET", "/v1/{db}/sync/inbox", "/sync/inbox?CLIENT&collections=notes", "", Nothing),
    case("GET", "/v1/{db}/sync/inbox", "/sync/inbox?CLIENT&collections=secrets,notes:ITEM", "", Nothing),
    case("GET", "/v1/{db}/sync/inbox", "/sync/inbox?CLIENT&have=notes:ITEM", "", Nothing),
    case("GET", "/v1/{db}/sync/inbox", "/sync/inbox?CLIENT&collections=notes,secrets&have=secrets", "", Nothing),
    case("GET", "/v1/{db}/sync/checkpoint", "/sync/checkpoint?CLIENT", "", Nothing),
    case("GET", "/v1/{db}/sync/checkpoint", "/sync/checkpoint?CLIENT&limit=1", "", Nothing),
    case("GET", "/v1/{db}/sync/checkpoint", "/sync/checkpoint?CLIENT&collections=secrets,notes:ITEM", "", Nothing),
    case("GET", "/v1/{db}/sync/checkpoint", "/sync/checkpoint?CLIENT&have=notes:ITEM", "", Nothing),
    case(
        "GET",
        "/v1/{db}/sync/checkpoint",
        "/sync/checkpoint?CLIENT&collections=notes,secrets&have=notes",
        "",
        Nothing,
    ),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"set","value":1}"#, Taken),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"set","value":1,"base":0}"#, Taken),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"patch","patch":[]}"#, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"patch"}"#, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"patch","patch":[],"base":2}"#, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"delete"}"#, NotGone),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"set","index":"i","order":"x"}"#, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"delete","index":"i"}"#, NotGone),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", SET_RELATION, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"delete","relation":"r"}"#, NotGone),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"set","tag":"team:7"}"#, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", r#"{"op":"delete","tag":"user:ada"}"#, NotGone),
    // Of a batch whose other op is yet to come, and of a whole one.
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", STAGED_SET, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", STAGED_PATCH, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", STAGED_DELETE, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", STAGED_MALFORMED, Nothing),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", WHOLE_SET, Taken),
    case("POST", "/v1/{db}/sync/outbox", "/sync/outbox", WHOLE_PATCH, Nothing),
    case("GET", "/v1/{db}/data", "/data", "", Nothing),
    case("GET", "/v1/{db}/data", "/data?limit=1", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/secrets", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?prefix=ITEM", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?from=ITEM", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?to=ITEM~", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?from=ITEM&to=ITEM~&limit=1", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?index=i&from=a&to=z&reverse=true", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?reverse=true&limit=1", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?index=i", "", Nothing),
    case("GET", "/v1/{db}/data/{collection}", "/data/notes?index=i&limit=1&reverse=true", "", Nothing),
    case("GET", ITEM, "/data/notes/ITEM", "", Nothing),
    with("GET", ITEM, "/data/notes/ITEM", &[("if-none-match", "*")], "", Nothing),
    with("GET", ITEM, "/data/notes/ITEM", &[("if-match", "\"1\"")], "", Nothing),
    case("PUT", ITEM, "/data/notes/ITEM", "1", Taken),
    with("PUT", ITEM, "/data/notes/ITEM", &[("if-match", "*")], "1", Nothing),
    with("PUT", ITEM, "/data/notes/ITEM", &[("if-match", "\"1\"")], "1", Nothing),
    with("PUT", ITEM, "/data/notes/ITEM", &[("if-none-match", "*")], "1", Taken),
    case("PUT", ITEM, "/data/notes/ITEM", "{", Nothing),
    case("PATCH", ITEM, "/data/notes/ITEM", "[]", Nothing),
    case("PATCH", ITEM, "/data/notes/ITEM", "7", Nothing),
    with("PATCH", ITEM, "/data/notes/ITEM", &[("if-match", "*")], "[]", Nothing),
    case("DELETE", ITEM, "/data/notes/ITEM", "", NotGone),
    with("DELETE", ITEM, "/data/notes/ITEM", &[("if-match", "*")], "", Nothing),
    with("DELETE", ITEM, "/data/notes/ITEM", &[("if-none-match", "*")], "", NotGone),
    case("GET", "/v1/{db}/data/{collection}/{key}/indexes", "/data/notes/ITEM/indexes", "", Nothing),
    case("PUT", INDEX, "/data/notes/ITEM/indexes/i", r#"{"order":"x"}"#, Nothing),
    case("PUT", INDEX, "/data/notes/ITEM/indexes/i", r#"{"order":""}"#, Nothing),
    with("PUT", INDEX, "/data/notes/ITEM/indexes/i", &[("if-none-match", "*")], r#"{"order":"x"}"#, Nothing),
    case("DELETE", INDEX, "/data/notes/ITEM/indexes/i", "", NotGone),
    with("DELETE", INDEX, "/data/notes/ITEM/indexes/i", &[("if-match", "*")], "", Nothing),
    case("GET", "/v1/{db}/data/{collection}/{key}/relations", "/data/notes/ITEM/relations", "", Nothing),
    case(
        "PUT",
        RELATION,
        "/data/notes/ITEM/relations/r",
        r#"{"predicate":"p","object":{"collection":"c","key":"k"}}"#,
        Nothing,
    ),
    case("DELETE", RELATION, "/data/notes/ITEM/relations/r", "", NotGone),
    case("GET", "/v1/{db}/data/{collection}/{key}/tags", "/data/notes/ITEM/tags", "", Nothing),
    case("PUT", TAG, "/data/notes/ITEM/tags/team:7", "", Nothing),
    case("PUT", TAG, "/data/notes/ITEM/tags/user:ada", "", Nothing),
    case("DELETE", TAG, "/data/notes/ITEM/tags/user:ada", "", NotGone),
    case("DELETE", TAG, "/data/notes/ITEM/tags/team:7", "", NotGone),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"set","value":1}"#, Taken),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"patch","patch":[]}"#, Nothing),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"delete"}"#, NotGone),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"set","index":"i","order":"x"}"#, Nothing),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"set","tag":"team:7","order":"none"}"#, Nothing),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"set","tag":"team:7"}"#, Nothing),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"delete","tag":"user:ada"}"#, NotGone),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"delete","index":"i"}"#, NotGone),
    case("POST", "/v1/{db}/batch", "/batch", SET_RELATION, Nothing),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"delete","relation":"r"}"#, NotGone),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"set","value":1,"base":0}"#, Taken),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"set","value":1,"base":1}"#, Taken),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"patch","patch":[],"base":1}"#, Nothing),
    case("POST", "/v1/{db}/batch", "/batch", r#"{"op":"delete","base":1}"#, NotGone),
];

impl Case {
    fn ask(&self, caller: &Caller, key: &str, op_ref: Ref) -> Answer {
        let path = self.path.replace("ITEM", key).replace("CLIENT", CLIENT);
        let body = match self.route {
            "/v1/{db}/sync/outbox" => json!({"client": client(7), "ops": [self.op(key, op_ref)]}).to_string(),
            "/v1/{db}/batch" => json!({"ops": [self.op(key, op_ref)]}).to_string(),
            _ => self.body.replace("ITEM", key),
        };
        caller.ask(self.method, &path, self.headers, Some(body.as_bytes()).filter(|body| !body.is_empty()))
    }

    fn op(&self, key: &str, op_ref: Ref) -> Value {
        let mut op: Value = serde_json::from_str(self.body).unwrap();
        (op["ref"], op["collection"], op["key"]) = (json!(op_ref), json!("notes"), json!(key));
        op
    }

    fn told_code(&self, answer: &Answer) -> Option<String> {
        let body = answer.json();
        body["code"].as_str().or(body["results"][0]["code"].as_str()).map(str::to_owned)
    }
}

/// A server with an item of Ada's that Bob does not see.
fn server() -> Fixture {
    let fixture = Fixture::configured(CONFIG);
    let ada = caller(&fixture, "ada");
    ada.put(&format!("/data/notes/{HIDDEN}"), r#"{"secret":1}"#);
    ada.put(&format!("/data/notes/{HIDDEN}/indexes/i"), r#"{"order":"o"}"#);
    ada.put(&format!("/data/notes/{HIDDEN}/relations/r"), r#"{"predicate":"p","object":{"collection":"c","key":"k"}}"#);
    ada.put("/data/secrets/s", "1");
    fixture
}

/// The same with nothing but rejected ops in the place of what is hidden, so that seqs are the same.
fn empty_server() -> Fixture {
    let fixture = Fixture::configured(CONFIG);
    for _ in 0..4 {
        caller(&fixture, "ada").ask("PATCH", "/data/notes/none", &[], Some(b"[]")).is_problem(404, "not_found");
    }
    fixture
}

fn all_that_there_is(fixture: &Fixture) -> Value {
    let root = caller(fixture, "root");
    let collections = root.get("/data");
    let names = collections["collections"].as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap());
    let items = |name: &str| {
        let keys = root.keys(&format!("/data/{name}"));
        keys.iter().map(|key| root.get(&format!("/data/{name}/{key}"))).collect::<Vec<_>>()
    };
    json!({"collections": collections, "items": names.map(items).collect::<Vec<_>>()})
}

// What of an answer differs by itself: of an inbox and a checkpoint the cursor and its names, of the database its names.
fn comparable(answer: &Answer) -> (u16, String, Value) {
    let text = answer.text().replace(HIDDEN, "ITEM").replace(ABSENT, "ITEM");
    let mut body: Value = serde_json::from_str(&text).unwrap();
    for name in ["cursor", "checkpoint", "database", "epoch"] {
        if body.get(name).is_some() {
            body[name] = json!("");
        }
    }
    (answer.status, answer.header("etag").to_owned(), body)
}

#[test]
fn of_a_hidden_item_nothing_is_told_and_nothing_is_changed() {
    for case in CASES {
        let what = format!("{} {} {:?} {}", case.method, case.path, case.headers, case.body);
        let (fixture, empty) = (server(), empty_server());
        let before = all_that_there_is(&fixture);
        let (bob, other) = (caller(&fixture, "bob"), caller(&empty, "bob"));
        // The same on a server where nothing is hidden, and for another key: neither is told from this.
        let op_ref = new_ref();
        let hidden = case.ask(&bob, HIDDEN, op_ref);
        let absent = case.ask(&other, HIDDEN, op_ref);
        assert!(!hidden.text().contains("secret") && !hidden.text().contains("user:ada"), "{what}: {}", hidden.text());
        assert_eq!(all_that_there_is(&fixture), before, "{what}");
        match case.told {
            Nothing => assert_eq!(comparable(&hidden), comparable(&absent), "{what}"),
            Taken => assert_eq!(case.told_code(&hidden).as_deref(), Some("forbidden"), "{what}"),
            NotGone => assert_eq!(case.told_code(&hidden).as_deref(), Some("not_found"), "{what}"),
        }
        if case.told != Nothing {
            assert_eq!((absent.status, case.told_code(&absent)), (200, None), "{what}: {}", absent.text());
        }
        if case.path.contains("ITEM") && case.told == Nothing {
            let elsewhere = comparable(&case.ask(&bob, ABSENT, new_ref()));
            assert_eq!(comparable(&hidden), elsewhere, "{what}");
        }
    }
}

#[test]
fn without_a_credential_for_the_database_no_endpoint_tells_anything() {
    let fixture = server();
    let before = all_that_there_is(&fixture);
    for case in CASES {
        let nobody = case.ask(&Caller::at(&fixture.url, "nobody"), HIDDEN, new_ref());
        nobody.is_problem(401, "unauthenticated");
        for db in ["other", "none", "%2e"] {
            let path = format!("/v1/{db}{}", case.path.replace("ITEM", HIDDEN).replace("CLIENT", CLIENT));
            let headers = [("authorization", "Bearer ada-t0ken"), ("content-type", "application/json")];
            ask(&fixture.url, case.method, &path, &headers, None).is_problem(403, "forbidden");
        }
    }
    assert_eq!(all_that_there_is(&fixture), before);
}

#[test]
fn the_table_has_every_route_of_the_protocol() {
    let mut routes = syncstore_server::route_names();
    routes.retain(|(_, path)| path.starts_with("/v1/"));
    assert!(routes.len() >= 20, "{routes:?}");
    for (method, path) in &routes {
        assert!(CASES.iter().any(|case| case.method == method && case.route == *path), "{method} {path}");
    }
    for case in CASES {
        let known = routes.iter().any(|(method, path)| method == case.method && *path == case.route);
        assert!(known, "{} {}", case.method, case.route);
        let names = case.route.trim_start_matches("/v1/{db}").split('/');
        let path = case.path.split('?').next().unwrap().split('/').collect::<Vec<_>>();
        let fits = names.zip(&path).all(|(name, part)| name.starts_with('{') || name == *part);
        assert!(fits && case.route.matches('/').count() == path.len() + 1, "{} is not {}", case.path, case.route);
    }
}

//! Requests, held against docs/openapi.yaml: it has nothing against the good ones, and something against each bad one that a
//! schema can tell.

use crate::bad_input::{bad_requests, path_of};
use crate::caller::Headers;
use crate::http_support::{Answer, client, new_ref};
use crate::openapi::{operation, operations, parameters, resolved, validator};
use serde_json::{Value, json};
use std::collections::HashSet;

// Every parameter of a query but what an answer has named before: `cursor`, `page`, `after`.
fn query(path: &str) -> &'static str {
    match path {
        "/v1/{db}/sync/inbox" => "&limit=5&wait=0&as_sent=never&collections=c,d:x&have=d",
        "/v1/{db}/sync/checkpoint" => "&limit=5&collections=c,d:x&have=d",
        "/v1/{db}/data" => "?limit=5",
        "/v1/{db}/data/{collection}" => "?prefix=t&from=a&to=z&reverse=true&index=i&limit=5",
        _ => "",
    }
}

/// A request of an operation that succeeds on a server with an item `there` of the collection `c`.
pub fn good(method: &str, path: &str) -> (String, String) {
    let target = path_of(path) + query(path);
    let op = json!({"ref": new_ref(), "op": "set", "collection": "c", "key": "there", "tag": "t2"});
    let body = match (method, path.rsplit('/').next().unwrap()) {
        ("POST", "outbox") => json!({"client": client(7), "ops": [op]}),
        ("POST", "batch") => json!({"ops": [op, {"op": "delete", "collection": "c", "key": "there", "tag": "t2"}]}),
        ("PUT", "{key}") => json!({"title": "Milk"}),
        ("PATCH", _) => json!([{"op": "add", "path": "/done", "value": true}]),
        ("PUT", "{name}") => json!({"order": "2026"}),
        ("PUT", "{id}") => json!({"predicate": "in", "object": {"collection": "folders", "key": "f"}}),
        _ => return (target, String::new()),
    };
    (target, body.to_string())
}

/// What the document has against a request of an operation: against the names in its path, its query, its body in JSON.
pub fn fault(path: &str, operation: &'static Value, target: &str, body: &str) -> Option<String> {
    let (bare, query) = target.split_once('?').unwrap_or((target, ""));
    let queried = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(has, _)| has == name).map(|(_, value)| value.into_owned())
    };
    let in_path = |name: &str| {
        let template = format!("{{{name}}}");
        let (_, given) = path.split('/').zip(bare.split('/')).find(|(part, _)| *part == template)?;
        form_urlencoded::parse(format!("x={given}").as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    for parameter in parameters(path, operation) {
        let name = parameter["name"].as_str().unwrap();
        let given = match parameter["in"].as_str() {
            Some("path") => in_path(name),
            Some("query") => queried(name),
            _ => continue,
        };
        let Some(given) = given else {
            if parameter["required"] == true {
                return Some(format!("{name} is missing"));
            }
            continue;
        };
        let schema = resolved(&parameter["schema"]);
        let text = json!(given);
        let value = if schema["type"] == "string" { text } else { serde_json::from_str(&given).unwrap_or(text) };
        if !validator(schema).is_valid(&value) {
            return Some(format!("{name}: {given}"));
        }
    }
    let Some(told) = operation.get("requestBody") else {
        return (!body.is_empty()).then(|| "a body".to_owned());
    };
    let Ok(body) = serde_json::from_str::<Value>(body) else { return Some("the body is no JSON".to_owned()) };
    let validator = validator(&told["content"]["application/json"]["schema"]);
    validator.iter_errors(&body).next().map(|error| format!("{error} at {}", error.instance_path()))
}

#[test]
fn good_requests_have_every_parameter_and_member_that_the_document_has() {
    for (method, path, operation) in operations() {
        let (target, _) = good(&method, path);
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let mut sent: Vec<String> =
            form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
        sent.extend(["cursor", "page", "after"].map(str::to_owned));
        for parameter in parameters(path, operation).into_iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            assert!(sent.iter().any(|sent| sent == name), "{method} {path}: {name}");
        }
    }
}

/// Fails if the document has something against a JSON request that the server took.
#[track_caller]
pub fn check_taken(method: &str, target: &str, headers: Headers<'_>, body: Option<&[u8]>, answer: &Answer) {
    let json = |(name, value): &(&str, &str)| match *name {
        "content-type" => value.contains("json") && !value.contains("protobuf"),
        "content-encoding" => false,
        _ => true,
    };
    // Of a push that is taken an op may be at fault, told now or once its batch is complete.
    let at_fault = ["\"rejected\"", "\"staged\""].iter().any(|outcome| answer.text().contains(outcome));
    if answer.status != 200 || !headers.iter().all(json) || at_fault {
        return;
    }
    let Some((path, operation)) = operation(method, target) else { return };
    let body = std::str::from_utf8(body.unwrap_or_default()).unwrap();
    assert_eq!(fault(path, operation, target, body), None, "{method} {target}: {body}");
}

/// Bad requests that no schema tells from good ones: the field, and what is in the target or the body.
const UNTOLD: [(&str, &str); 17] = [
    // What only the server knows: what its answers named, and the item as it is.
    ("cursor", "cursor=x"),
    ("page", "page=x"),
    ("after", "after=x"),
    ("after", "after=AAAA"),
    ("ops.patch", r#""path":"/x""#),
    ("body", r#""op":"test""#),
    // How it is written: bytes that are no UTF-8, a parameter that is there twice.
    ("collection", "%ff"),
    ("key", "%80"),
    ("key", "%c3"),
    ("tag", "%ff"),
    ("prefix", "prefix=b"),
    // The bytes of a whole value.
    ("ops.value", "xxxx"),
    ("body", "xxxx"),
    // Which payload goes with which op and resource.
    ("ops.value", r#""key":"k"}"#),
    ("ops.value", r#""value":1,"patch":[]"#),
    ("ops.order", r#""index":"i"}"#),
    ("ops.tag", r#""tag":"t","index":"i""#),
];

#[test]
fn the_document_has_something_against_each_bad_request_that_a_schema_can_tell() {
    let mut untold: HashSet<(&str, &str)> = UNTOLD.into();
    for (method, path, field, target, body) in bad_requests() {
        let (_, _, operation) = operations().into_iter().find(|(has, at, _)| *has == method && *at == path).unwrap();
        if fault(path, operation, &target, &body).is_none() {
            let found =
                UNTOLD.iter().find(|(has, text)| *has == field && (target.contains(text) || body.contains(text)));
            let found =
                found.unwrap_or_else(|| panic!("nothing against {method} {field} of {target:.200} {body:.200}"));
            untold.remove(found);
        }
    }
    assert!(untold.is_empty(), "the document tells these, or nobody tries them: {untold:?}");
}

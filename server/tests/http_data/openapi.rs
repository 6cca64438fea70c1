//! docs/openapi.yaml and the server, held against each other.
//!
//! Every answer in the tests of this program goes through [`check`]: it must be one that the document has for its
//! operation, with a body of its schema and no member more.

use crate::caller::{CONFIG, ask, caller};
use crate::http_support::{Answer, Fixture, gunzip};
use crate::requests::{fault, good};
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};
use syncstore::protocol::{Format, Json};

/// The format of the feature `protobuf`.
pub const PROTOBUF: &str = "application/protobuf+json";

const TEXT: &str = include_str!("../../../docs/openapi.yaml");

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_saphyr::from_str(TEXT).unwrap());
// Schemas as answers are held to them: no member beside those that are named.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut components = DOCUMENT["components"].clone();
    close(&mut components);
    components
});
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let open = members.get("type") == Some(&json!("object")) && members.contains_key("properties");
            if open && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".into(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

pub fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    let made = || {
        let mut root = schema.clone();
        root["components"] = STRICT.clone();
        Arc::new(jsonschema::draft202012::new(&root).unwrap_or_else(|error| panic!("{schema}: {error}")))
    };
    validators.entry(schema.to_string()).or_insert_with(made).clone()
}

/// What a `$ref` stands for.
pub fn resolved(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(name) => DOCUMENT.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} is nowhere")),
        None => value,
    }
}

fn object(value: &'static Value) -> &'static Map<String, Value> {
    value.as_object().unwrap()
}

/// Method, path and operation of all that the document has.
pub fn operations() -> Vec<(String, &'static str, &'static Value)> {
    let paths = object(&DOCUMENT["paths"]).iter();
    let methods = |(path, item): (&'static String, &'static Value)| {
        let methods = object(item).iter().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    };
    paths.flat_map(methods).collect()
}

/// The operation of a request, with its path.
pub fn operation(method: &str, target: &str) -> Option<(&'static str, &'static Value)> {
    let path = target.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let (wanted, given) = (template.split('/'), path.split('/'));
        wanted.clone().count() == given.clone().count()
            && wanted.zip(given).all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
    };
    let found = operations().into_iter().find(|(has, template, _)| has == method && fits(template));
    found.map(|(_, template, operation)| (template, operation))
}

/// Fails unless the document says that this may be the answer. What the document has no operation for is not judged.
#[track_caller]
pub fn check(method: &str, target: &str, answer: &Answer) {
    let Some((_, operation)) = operation(method, target) else { return };
    // A path that ends with a slash is none of the server's.
    if target.split('?').next().is_some_and(|path| path.ends_with('/')) {
        return;
    }
    let what = format!("{method} {target}: {} {}", answer.status, answer.text());
    let status = answer.status.to_string();
    let told = operation["responses"].get(&status).unwrap_or_else(|| panic!("not documented: {what}"));
    let told = resolved(told);
    let headers = told.get("headers").map(object);
    for name in ["ETag", "Retry-After"] {
        let header = headers.and_then(|headers| headers.get(name));
        let value = answer.header(&name.to_lowercase());
        match header {
            Some(header) if !value.is_empty() => {
                let validator = validator(&resolved(header)["schema"]);
                assert!(validator.is_valid(&json!(value)), "{name}: {value} of {what}");
            }
            Some(_) => {}
            None => assert_eq!(value, "", "{name} of {what}"),
        }
    }
    let Some(content) = told.get("content") else {
        assert!(answer.body.is_empty(), "{what}");
        return;
    };
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default();
    // Not in the list of each operation: what every format carries is the same.
    let listed = if media_type == PROTOBUF { "application/json" } else { media_type };
    let schema = content.get(listed).unwrap_or_else(|| panic!("{media_type} is not documented: {what}"));
    let plain = if answer.header("content-encoding") == "gzip" { gunzip(&answer.body) } else { answer.body.clone() };
    let body = match (media_type, Format::of_content_type(media_type)) {
        (_, Some(format)) => Json::decode(format, &plain).unwrap().to_value().unwrap(),
        ("text/plain" | "application/openmetrics-text", _) => json!(String::from_utf8(plain).unwrap()),
        _ => serde_json::from_slice(&plain).unwrap(),
    };
    let validator = validator(&schema["schema"]);
    if let Some(error) = validator.iter_errors(&body).next() {
        panic!("{} at {:?} of {what}", error, error.instance_path());
    }
}

pub fn parameters(path: &str, operation: &'static Value) -> Vec<&'static Value> {
    let shared = DOCUMENT["paths"][path].get("parameters");
    let own = operation.get("parameters");
    [shared, own].into_iter().flatten().flat_map(|list| list.as_array().unwrap()).map(resolved).collect()
}

/// The members of an operation's body, with those of its ops.
fn members(operation: &'static Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(body) = operation.get("requestBody") {
        let schema = resolved(&body["content"]["application/json"]["schema"]);
        for (name, member) in schema.get("properties").map(object).into_iter().flatten() {
            names.insert(name.clone());
            if name == "ops" {
                let op = resolved(&resolved(member)["items"]);
                names.extend(object(&op["properties"]).keys().map(|name| format!("ops.{name}")));
            }
        }
    }
    names
}

#[test]
fn the_document_has_the_routes_of_the_server_and_no_other() {
    let documented: BTreeSet<(String, &str)> =
        operations().into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes: BTreeSet<(String, &str)> = syncstore_server::route_names().into_iter().collect();
    assert_eq!(documented, routes);
    let names: BTreeSet<_> = operations().iter().map(|(_, _, operation)| operation["operationId"].as_str()).collect();
    assert_eq!(names.len(), routes.len(), "each has a name of its own");
}

#[test]
fn the_document_has_the_parameters_and_members_of_the_server_and_no_other() {
    for (method, path, operation) in operations().into_iter().filter(|(_, path, _)| path.starts_with("/v1/")) {
        let what = format!("{method} {path}");
        let all = parameters(path, operation);
        let of = |place: &str| -> BTreeSet<String> {
            let found = all.iter().filter(|parameter| parameter["in"] == place);
            found.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        let named: BTreeSet<String> =
            path.split('/').filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned())).collect();
        assert_eq!(of("path"), named, "{what}");
        // What the server answers to a bad value of it shows that the server knows it.
        let tried: BTreeSet<String> = crate::bad_input::fields(&method, path);
        let body = operation.get("requestBody").is_some();
        let mut known: BTreeSet<String> = of("query").union(&of("header")).cloned().collect();
        known.extend(members(operation));
        known.extend(named.into_iter().filter(|name| name != "db"));
        for common in ["Accept", "Accept-Encoding"] {
            assert!(known.remove(common), "{what}: {common}");
        }
        assert_eq!(known.remove("Content-Encoding"), body, "{what}");
        for name in &known {
            assert!(tried.contains(name), "{what}: {name} is documented, and no test shows that the server knows it");
        }
        for name in &tried {
            let refused =
                path == "/v1/{db}/batch" && ["Idempotency-Key", "If-Match", "If-None-Match"].contains(&&**name);
            let known = known.contains(name) || name == "body" || name == "db" || refused;
            assert!(known, "{what}: {name} is not documented");
        }
    }
}

#[test]
fn another_method_and_another_path_are_answered_as_the_description_says() {
    let fixture = Fixture::configured(CONFIG);
    let description =
        DOCUMENT["info"]["description"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    for (method, target, what) in [
        ("PURGE", "/v1/notes/data", "Another method of a path is answered"),
        ("GET", "/v1/notes/nothing", "another path"),
    ] {
        let answer = ask(&fixture.url, method, target, &[("authorization", "Bearer root-t0ken")], None);
        let told = format!("{what} {} `{}`", answer.status, answer.json()["code"].as_str().unwrap());
        assert!(description.contains(&told), "{told}");
    }
}

#[test]
fn every_schema_can_be_used_and_every_reference_leads_somewhere() {
    fn references(value: &'static Value, found: &mut BTreeSet<&'static str>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("$ref") {
                    found.insert(name);
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut used = BTreeSet::new();
    references(&DOCUMENT, &mut used);
    for name in &used {
        assert!(DOCUMENT.pointer(name.trim_start_matches('#')).is_some(), "{name}");
    }
    for (kind, components) in object(&DOCUMENT["components"]).iter().filter(|(kind, _)| *kind != "securitySchemes") {
        for name in object(components).keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&*reference), "{reference} is not used");
            if kind == "schemas" {
                validator(&json!({ "$ref": reference }));
            }
        }
    }
}

#[test]
fn an_answer_that_is_not_the_documents_is_found_out() {
    let answer = |status: u16, body: &str| Answer {
        status,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: body.into(),
    };
    let fails = |status, body: &str| {
        let answer = answer(status, body);
        std::panic::catch_unwind(|| check("GET", "/v1/notes/data/c/k/tags", &answer)).is_err()
    };
    assert!(!fails(200, r#"{"tags":["a"]}"#));
    for (status, body) in
        [(200, "{}"), (200, r#"{"tags":[1]}"#), (200, r#"{"tags":[],"more":1}"#), (201, r#"{"tags":[]}"#)]
    {
        assert!(fails(status, body), "{status} {body}");
    }
}

#[test]
fn every_operation_answers_what_the_document_says_in_every_format() {
    let fixture = Fixture::configured(CONFIG);
    caller(&fixture, "root").put("/data/c/there", "{}");
    let mut operations = operations();
    let order = |method: &str, path: &str| {
        let rank = ["PUT", "PATCH", "POST", "GET", "DELETE"].iter().position(|has| *has == method);
        (rank, method == "DELETE" && path.ends_with("{key}"))
    };
    operations.sort_by_key(|(method, path, _)| order(method, path));
    for &format in Format::ALL {
        let media_type = format.content_type();
        for (method, path, operation) in &operations {
            let (target, body) = good(method, path);
            assert_eq!(fault(path, operation, &target, &body), None, "{method} {target} {body}");
            let body = match &*body {
                "" => Vec::new(),
                body => format.encode(&Json::parse(body).unwrap()).unwrap(),
            };
            let open = *path == "/healthz" || *path == "/metrics";
            let mut headers = vec![("accept", media_type), ("content-type", media_type), ("accept-encoding", "gzip")];
            headers.extend((!open).then_some(("authorization", "Bearer root-t0ken")));
            let body = Some(&*body).filter(|body| !body.is_empty());
            let answer = ask(&fixture.url, method, &target, &headers, body);
            assert_eq!(answer.status, 200, "{method} {target}: {}", answer.text());
            assert!(open || answer.header("content-type") == media_type, "{method} {target}");
            let tagged = resolved(&operation["responses"]["200"]).get("headers").is_some();
            let ended = method == "DELETE" && path.ends_with("{key}");
            assert_eq!(!answer.header("etag").is_empty(), tagged && !ended, "{method} {target}");
        }
        caller(&fixture, "root").put("/data/c/there", "{}");
    }
}

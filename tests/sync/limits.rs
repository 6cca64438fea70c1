//! Every limit at its edge and one past it, here and on the server; and values that only just fit.

use crate::support::scripted::foreign;
use crate::support::{Fleet, Server, get, patch};
use serde_json::{Value, json};
use std::sync::Arc;
use syncstore::protocol::{BatchId, ClientId, Code, Format, Json, Op, OpKind, PushOutcome, PushRequest, Ref};
use syncstore::wire::Wire;
use syncstore::{Error, Store};

const FORMATS: [Option<Format>; 3] = [None, Some(Format::Json), Some(Format::MessagePack)];

/// What the server itself says of an op that no store would have let pass.
fn server_says(server: &Arc<Server>, n: u64, collection: &str, key: &str, value: &str) -> Option<Code> {
    let op = Op {
        value: Some(Json::parse(value).unwrap()),
        ..Op::new(Ref::from_parts(foreign(0).order() + n as i64, n), OpKind::Set, collection, key)
    };
    let request = PushRequest { client: ClientId::from_random(77), cursor: None, ops: vec![op] };
    let result = server.wire().push(&request).unwrap().results.remove(0);
    (result.outcome == PushOutcome::Rejected).then(|| result.code.unwrap())
}

#[test]
fn each_limit_holds_at_its_edge_and_not_one_past_here_and_there_alike() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let name = |bytes: usize| "n".repeat(bytes);
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let one = || "1".to_owned();
    let fit = [
        (name(1), name(1), one()),
        (name(128), name(128), one()),
        ("ä".repeat(64), "漢".repeat(42), one()),
        (name(2), "value".into(), text(1 << 20)),
        (name(2), "nested".into(), nested(128)),
        (name(2), "objects".into(), objects(128)),
    ];
    let too_much = [
        (String::new(), name(1), one()),
        (name(1), String::new(), one()),
        (name(129), name(1), one()),
        (name(1), name(129), one()),
        ("ä".repeat(65), name(1), one()),
        (name(1), format!("{}é", name(127)), one()),
        (name(2), "value".into(), text((1 << 20) + 1)),
        (name(2), "nested".into(), nested(129)),
        (name(2), "objects".into(), objects(129)),
    ];
    let mut n = 0;
    for (collection, key, value) in &fit {
        store.set_raw(collection, key, value).unwrap();
        n += 1;
        assert_eq!(server_says(&server, n, collection, key, value), None, "{} bytes of key", key.len());
    }
    for (collection, key, value) in &too_much {
        assert!(matches!(store.set_raw(collection, key, value), Err(Error::Limit(_))), "{} bytes", value.len());
        n += 1;
        let code = server_says(&server, n, collection, key, value);
        assert!(matches!(&code, Some(code) if [Code::TOO_LARGE, Code::INVALID].contains(code)), "{code:?}");
        if !collection.is_empty() && !key.is_empty() {
            assert!(matches!(store.delete(collection, key).err(), None | Some(Error::Limit(_))));
        }
    }
    // What was at the edge arrives whole, over every codec.
    for format in FORMATS {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (store, other) = (fleet.open("a"), fleet.open("b"));
        for (collection, key, value) in &fit {
            store.set_raw(collection, key, value).unwrap();
        }
        let wire: Box<dyn Wire> = format.map_or(Box::new(server.wire()), |format| Box::new(server.wire_in(format)));
        let report = store.sync(&*wire).unwrap();
        assert_eq!((report.accepted, report.rejected), (fit.len() as u64, 0), "{format:?}");
        other.sync(&*wire).unwrap();
        for (collection, key, value) in &fit {
            assert_eq!(other.get_raw(collection, key).unwrap().as_ref(), Some(value), "{format:?}");
        }
    }
}

#[test]
fn a_patch_may_not_make_what_a_set_may_not() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    let large = "x".repeat(1 << 19);
    store.set("c", "k", &json!({"a": large})).unwrap();
    let grow = patch(json!([{"op": "copy", "from": "/a", "path": "/b"}]));
    assert!(matches!(store.patch("c", "k", &grow), Err(Error::PatchFailed { .. })));
    assert!(matches!(
        store.update("c", "k", |value| value["b"] = value["a"].clone()),
        Err(Error::Limit(_) | Error::PatchFailed { .. })
    ));
    store.set_raw("c", "deep", &format!("{}{}", "[".repeat(128), "]".repeat(128))).unwrap();
    let path = "/0".repeat(127) + "/-";
    let deeper = patch(json!([{"op": "add", "path": path, "value": []}]));
    assert!(matches!(store.patch("c", "deep", &deeper), Err(Error::PatchFailed { .. })));
    let scalar = patch(json!([{"op": "add", "path": path, "value": 1}]));
    store.patch("c", "deep", &scalar).unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!(report.rejected, 0);
    assert_eq!(server.value("c", "deep"), get(&store, "c", "deep"));
}

#[test]
fn a_batch_holds_ten_thousand_ops_and_eight_mebibytes_and_no_more() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    store.sync(&server.wire()).unwrap();
    let mut batch = store.batch();
    for n in 0..10_000 {
        batch.set("c", &format!("k{n:05}"), &n).unwrap();
    }
    assert!(matches!(batch.set("c", "one more", &1), Err(Error::Limit(_))));
    batch.commit().unwrap();
    let mut batch = store.batch();
    let half = "x".repeat((1 << 19) - 2);
    // Sixteen halves of a mebibyte, names included.
    for n in 0..15 {
        batch.set("c", &format!("l{n:02}"), &half).unwrap();
    }
    let room = (8 << 20) - 15 * ((1 << 19) + 4) - 4;
    assert!(matches!(batch.set("c", "l15", &"x".repeat(room - 1)), Err(Error::Limit(_))));
    batch.set("c", "l15", &"x".repeat(room - 2)).unwrap();
    assert!(matches!(batch.delete("c", "k"), Err(Error::Limit(_))));
    batch.commit().unwrap();
    let report = store.sync(&server.wire()).unwrap();
    assert_eq!((report.accepted, report.rejected), (10_016, 0), "the server takes what the store took");
    assert_eq!(server.items().len(), 10_016);
    assert_eq!(store.pending_count().unwrap(), 0);
    let ops: Vec<Op> = (0..2)
        .map(|n| Op {
            batch: Some(BatchId::from_random(1)),
            of: Some(10_001),
            ..Op::new(Ref::from_parts(foreign(0).order() + n, 1), OpKind::Delete, "c", "k")
        })
        .collect();
    let answer = server.wire().push(&PushRequest { client: ClientId::from_random(9), cursor: None, ops }).unwrap();
    assert_eq!(answer.results[0].code, Some(Code::TOO_LARGE));
    // What follows a rejected op on its item is skipped.
    assert_eq!(answer.results[1].outcome, PushOutcome::Skipped);
}

#[test]
fn a_push_keeps_within_the_limits_of_a_request() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    // Texts that grow in the message around them, and many of them.
    let value = "\u{1}\"\\".repeat(100_000);
    for n in 0..12 {
        store.set("c", &format!("k{n:02}"), &value).unwrap();
    }
    for n in 0..1_500 {
        store.set("d", &format!("k{n:04}"), &n).unwrap();
    }
    let direct = server.wire_in(Format::Json);
    let wire = crate::support::FaultyWire::recording(&direct);
    let report = store.sync(&wire).unwrap();
    assert_eq!((report.accepted, report.rejected), (1_512, 0));
    for request in wire.pushed() {
        assert!(request.ops.len() <= 1_000);
        assert!(Format::Json.encode(&request).unwrap().len() <= 8 << 20);
    }
}

#[test]
fn every_number_and_every_character_survives_the_whole_way() {
    let planes: Vec<String> = (0..=16_u32)
        .flat_map(|plane| [0, 1, 0x41, 0xfffd, 0xfffe, 0xffff].map(|low| (plane << 16) + low))
        .filter_map(char::from_u32)
        .map(String::from)
        .collect();
    let mut texts: Vec<String> = [
        "null",
        "true",
        "0",
        "-0.0",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "9007199254740993",
        "0.1",
        "1e-7",
        "1.7976931348623157e308",
        "5e-324",
        "123456789.123456789",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "{\"\":null}",
        "{\"\\u0000\":{\"a\\u0000\":[]}}",
        "[]",
        "{}",
    ]
    .map(str::to_owned)
    .into();
    texts.extend(planes.iter().map(|text| serde_json::to_string(text).unwrap()));
    texts.extend(planes.iter().map(|text| serde_json::to_string(&json!({ text.as_str(): text })).unwrap()));
    for format in FORMATS {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (store, pulling, late) = (fleet.open("a"), fleet.open("b"), fleet.open("c"));
        let wire: Box<dyn Wire> = format.map_or(Box::new(server.wire()), |format| Box::new(server.wire_in(format)));
        pulling.sync(&*wire).unwrap();
        let mut expected: Vec<(String, Value)> = Vec::new();
        for (n, text) in texts.iter().enumerate() {
            let key = format!("{n:03}");
            store.set_raw("c", &key, text).unwrap();
            assert_eq!(store.get_raw("c", &key).unwrap().as_deref(), Some(text.as_str()), "byte for byte");
            expected.push((key, serde_json::from_str(text).unwrap()));
        }
        for (n, text) in planes.iter().enumerate() {
            store.set(text, text, &n).unwrap();
        }
        store.set("nul\0", "nul\0\0", &1).unwrap();
        store.sync(&*wire).unwrap();
        pulling.sync(&*wire).unwrap();
        late.sync(&*wire).unwrap();
        for replica in [&store, &pulling, &late] {
            for (key, value) in &expected {
                let seen: Value = get(replica, "c", key).unwrap();
                assert_eq!(&seen, value, "{format:?}");
                assert_eq!((seen.is_f64(), seen.is_u64()), (value.is_f64(), value.is_u64()), "{format:?}: {value}");
            }
            for (n, text) in planes.iter().enumerate() {
                assert_eq!(get(replica, text, text), Some(json!(n)), "{format:?}: {text:?}");
            }
            assert_eq!(get(replica, "nul\0", "nul\0\0"), Some(json!(1)));
            assert!(replica.collections().unwrap().is_sorted());
        }
        if format != Some(Format::MessagePack) {
            let raw = |replica: &Store| {
                texts
                    .iter()
                    .enumerate()
                    .all(|(n, text)| replica.get_raw("c", &format!("{n:03}")).unwrap().as_ref() == Some(text))
            };
            assert!(raw(&pulling) && raw(&late), "JSON passes through as bytes");
        }
    }
}

#[test]
fn null_is_a_value() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (store, other) = (fleet.open("a"), fleet.open("b"));
    other.sync(&server.wire()).unwrap();
    store.set("c", "k", &Value::Null).unwrap();
    assert_eq!(store.get_raw("c", "k").unwrap().as_deref(), Some("null"));
    store.sync(&server.wire_in(Format::MessagePack)).unwrap();
    other.sync(&server.wire_in(Format::Json)).unwrap();
    assert_eq!(get(&other, "c", "k"), Some(Value::Null));
    assert_eq!(other.list("c", &syncstore::KeyRange::all()).unwrap().len(), 1);
    other.patch("c", "k", &patch(json!([{"op": "replace", "path": "", "value": {"n": null}}]))).unwrap();
    other.sync(&server.wire_in(Format::MessagePack)).unwrap();
    store.sync(&server.wire()).unwrap();
    assert_eq!(get(&store, "c", "k"), Some(json!({"n": null})));
}

#[test]
fn what_json_cannot_hold_is_refused_and_nothing_is_written() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    for text in ["", "nul", "{", "[1,]", "1 2", "\"\\ud800\"", "1e999", "\u{feff}1", "{\"a\":\"\\udc00\"}", "NaN"] {
        assert!(matches!(store.set_raw("c", "k", text), Err(Error::Json(_))), "{text}");
    }
    assert!(matches!(store.set_raw("c", "k", &"[".repeat(100_000)), Err(Error::Json(_))));
    assert!(store.set_raw("c", "k", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).is_err());
    assert!(matches!(store.set("c", "k", &std::collections::HashMap::from([((1, 2), 3)])), Err(Error::Json(_))));
    assert_eq!((get(&store, "c", "k"), store.pending_count().unwrap()), (None, 0));
}

#[test]
fn an_update_writes_the_difference_and_only_when_there_is_one() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open("a");
    assert!(matches!(store.update("c", "k", |_| {}), Err(Error::NotFound { .. })));
    store.set("c", "k", &json!({"a": 1, "long": "x".repeat(10_000)})).unwrap();
    store.sync(&server.wire()).unwrap();
    assert_eq!(store.update("c", "k", |value| value["a"] = 1.into()).unwrap(), None);
    assert_eq!(store.pending_count().unwrap(), 0);
    store.update("c", "k", |value| value["a"] = 2.into()).unwrap().unwrap();
    let pending = store.pending().unwrap();
    assert_eq!(pending[0].kind, OpKind::Patch);
    let operations: Value = serde_json::from_str(pending[0].payload.as_deref().unwrap()).unwrap();
    assert_eq!(operations, json!([{"op": "replace", "path": "/a", "value": 2}]));
    // The closure may use the store, and runs again when another writer was quicker.
    let mut runs = 0;
    store
        .update("c", "k", |value| {
            runs += 1;
            if runs == 1 {
                store.update("c", "k", |value| value["b"] = 1.into()).unwrap();
            }
            value["c"] = runs.into();
        })
        .unwrap();
    assert_eq!(runs, 2);
    store.sync(&server.wire()).unwrap();
    let value = server.value("c", "k").unwrap();
    assert_eq!((&value["a"], &value["b"], &value["c"]), (&json!(2), &json!(1), &json!(2)));
    // Keys that a pointer must escape, and a change of the whole.
    store.update("c", "k", |value| *value = json!({"a/b": {"~": 1}})).unwrap();
    store.sync(&server.wire()).unwrap();
    store.update("c", "k", |value| value["a/b"]["~"] = 2.into()).unwrap();
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.value("c", "k"), Some(json!({"a/b": {"~": 2}})));
    store.update("c", "k", |value| *value = Value::Null).unwrap();
    store.sync(&server.wire()).unwrap();
    assert_eq!(server.value("c", "k"), Some(Value::Null));
}

#[test]
fn a_failed_patch_names_where_it_failed_and_queues_nothing() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    store.set("c", "k", &json!({"a": {}})).unwrap();
    let bad = patch(json!([{"op": "add", "path": "/b", "value": 1}, {"op": "remove", "path": "/a/gone"}]));
    match store.patch("c", "k", &bad) {
        Err(Error::PatchFailed { collection, key, error }) => {
            assert_eq!((collection.as_str(), key.as_str()), ("c", "k"));
            assert_eq!((error.operation, error.path.as_str()), (1, "/a/gone"));
        }
        other => panic!("{other:?}"),
    }
    let test = patch(json!([{"op": "test", "path": "/a", "value": 1}]));
    assert!(matches!(store.patch("c", "k", &test), Err(Error::PatchFailed { .. })));
    assert!(matches!(store.patch("c", "none", &test), Err(Error::NotFound { .. })));
    assert_eq!((get(&store, "c", "k"), store.pending_count().unwrap()), (Some(json!({"a": {}})), 1));
}

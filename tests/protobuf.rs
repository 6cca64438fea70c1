//! `application/protobuf+json`: values survive it, and replicas sync by it (feature `protobuf`).
#![cfg(feature = "protobuf")]

use serde_json::{Map, Value, json};
use syncstore::protocol::{ClientId, Format, Json, Op, OpKind, PushRequest, Ref};
use syncstore::wire::{HttpOptions, HttpWire, Wire};
use syncstore::{KeyRange, Options, Store};
use syncstore_server::{Server, ServerOptions};
use syncstore_simulation::Random;

fn number(random: &mut Random) -> Value {
    // Powers of two and their neighbours are where formats lose integers.
    let edge = (1_u64 << random.below(64)).wrapping_add(random.below(3)).wrapping_sub(1);
    match random.below(4) {
        0 => edge.into(),
        1 => (edge as i64).wrapping_neg().into(),
        2 => random.next().into(),
        _ => match f64::from_bits(random.next()) {
            number if number.is_finite() => number.into(),
            _ => Value::Null,
        },
    }
}

fn text(random: &mut Random) -> String {
    let letter = |random: &mut Random| match random.below(5) {
        0 => char::from(random.below(32) as u8),
        1 => *random.pick(&['"', '\\', '/', '\u{7f}', '\u{2028}', '😀', 'é', '\u{10ffff}']),
        _ => char::from(b'a' + random.below(26) as u8),
    };
    (0..random.below(12)).map(|_| letter(random)).collect()
}

fn value(random: &mut Random, depth: u64) -> Value {
    match random.below(if depth == 0 { 4 } else { 6 }) {
        0 => Value::Null,
        1 => random.percent(50).into(),
        2 => number(random),
        3 => text(random).into(),
        4 => (0..random.below(5)).map(|_| value(random, depth - 1)).collect(),
        _ => (0..random.below(5)).map(|_| (text(random), value(random, depth - 1))).collect::<Map<_, _>>().into(),
    }
}

#[test]
fn whatever_json_can_say_survives() {
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let sent = value(&mut random, 6);
        let mut op = Op::new(Ref::from_parts(1, seed), OpKind::Set, text(&mut random), text(&mut random));
        op.value = Some(Json::from_value(&sent));
        let request = PushRequest { client: ClientId::from_random(seed.into()), cursor: None, ops: vec![op] };
        let bytes = Format::Protobuf.encode(&request).unwrap();
        let back: PushRequest = Format::Protobuf.decode(&bytes).unwrap();
        let (op, was) = (&back.ops[0], &request.ops[0]);
        assert_eq!((op.op_ref, &op.collection, &op.key), (was.op_ref, &was.collection, &was.key), "seed {seed}");
        let found = op.value.as_ref().unwrap().to_value().unwrap();
        // By their text, which tells 1 from 1.0 and 0.0 from -0.0.
        assert_eq!(found.to_string(), sent.to_string(), "seed {seed}");
    }
}

#[test]
fn a_value_as_deep_as_the_limit_survives_and_changed_bytes_panic_nowhere() {
    let deep = format!("{}7{}", "[".repeat(200), "]".repeat(200));
    let json = Json::parse(&deep).unwrap();
    let bytes = Format::Protobuf.encode(&json).unwrap();
    assert_eq!(Json::decode(Format::Protobuf, &bytes).unwrap().as_str(), deep);
    let mut random = Random::new(7);
    for _ in 0..20_000 {
        let mut bytes = Format::Protobuf.encode(&Json::from_value(&value(&mut random, 4))).unwrap();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.below(256) as u8;
        }
        bytes.truncate(1 + random.below(bytes.len() as u64 * 2) as usize);
        if let Ok(json) = Json::decode(Format::Protobuf, &bytes) {
            json.check().unwrap();
        }
    }
}

#[test]
fn replicas_sync_by_it_with_one_that_speaks_json() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(ServerOptions::dev(directory.path().join("server"))).unwrap();
    let wire = |format| {
        let mut options = HttpOptions::default();
        options.format = format;
        HttpWire::new(&server.url(), "db", options).unwrap()
    };
    let (proto, plain) = (wire(Format::Protobuf), wire(Format::Json));
    assert!(plain.info().unwrap().formats.contains(&"application/protobuf+json".to_owned()));
    let open = |name: &str| Store::open(directory.path().join(name), Options::default()).unwrap();
    let (ada, bob) = (open("ada.db"), open("bob.db"));
    let mut random = Random::new(3);
    for key in 0..200 {
        ada.set("c", &format!("k{key}"), &value(&mut random, 5)).unwrap();
        ada.set_index("c", &format!("k{key}"), "i", "o").unwrap();
    }
    ada.sync(&proto).unwrap();
    bob.set("c", "k0", &json!(u64::MAX)).unwrap();
    bob.sync(&plain).unwrap();
    ada.sync(&proto).unwrap();
    let carol = open("carol.db");
    carol.sync(&proto).unwrap();
    let contents = |store: &Store| -> Vec<(String, String)> {
        let items = store.list("c", &KeyRange::all()).unwrap();
        items.iter().map(|item| (item.key.to_owned(), item.to::<Value>().unwrap().to_string())).collect()
    };
    assert_eq!(contents(&ada).len(), 200);
    assert_eq!((contents(&bob), contents(&carol)), (contents(&ada), contents(&ada)));
    assert_eq!(ada.pending().unwrap(), []);
    server.stop();
}

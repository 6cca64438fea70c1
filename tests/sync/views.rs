//! The views `outbox` and `ledger` of `Store::sql`, a row of each kind, beside what the store says itself.

use crate::hostile::loaded;
use crate::support::scripted::{delete_entry, foreign, item, result};
use crate::support::{Fleet, ScriptedWire, Server, patch};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{Code, OpResult, PushOutcome, PushResponse};
use syncstore::wire::WireError;
use syncstore::{OpKind, Outcome, PendingOp, PendingState, Ref, Resolution, ResourceName, SqlValue, Store};

const OUTBOX: [&str; 14] = [
    "ref",
    "collection",
    "key",
    "op",
    "payload",
    "base",
    "batch",
    "state",
    "applies",
    "seq",
    "code",
    "message",
    "resource",
    "name",
];

const LEDGER: [&str; 17] = [
    "ref",
    "outcome",
    "seq",
    "at",
    "folded_into",
    "collection",
    "key",
    "op",
    "payload",
    "base",
    "code",
    "message",
    "detail",
    "resource",
    "name",
    "retried_as",
    "withdrawn_for",
];

/// A row by the names of its columns; what is not named is NULL.
fn row(columns: &[&str], cells: &[(&str, SqlValue)]) -> Vec<SqlValue> {
    assert!(cells.iter().all(|(name, _)| columns.contains(name)));
    let cell = |column: &&str| cells.iter().find(|(name, _)| name == column).map(|(_, cell)| cell.clone());
    columns.iter().map(|column| cell(column).unwrap_or(SqlValue::Null)).collect()
}

fn rows(store: &Store, view: &str, columns: &[&str]) -> Vec<Vec<SqlValue>> {
    let rows = store.sql(format!("SELECT * FROM {view} ORDER BY ref")).run().unwrap();
    assert_eq!(rows.columns(), columns);
    rows.iter().map(<[SqlValue]>::to_vec).collect()
}

fn kind(kind: OpKind) -> SqlValue {
    match kind {
        OpKind::Set => "set".into(),
        OpKind::Patch => "patch".into(),
        OpKind::Delete => "delete".into(),
    }
}

fn part(resource: &ResourceName) -> (SqlValue, SqlValue) {
    match resource {
        ResourceName::Value => ("value".into(), SqlValue::Null),
        ResourceName::Index(name) => ("index".into(), name.into()),
        ResourceName::Relation(id) => ("relation".into(), id.into()),
        ResourceName::Tag(tag) => ("tag".into(), tag.into()),
    }
}

fn number(number: u64) -> SqlValue {
    SqlValue::Integer(number as i64)
}

/// The row that an op should have, from what [`Store::pending`] and [`Store::outcome`] say.
fn pending_row(store: &Store, op: &PendingOp) -> Vec<SqlValue> {
    let (seq, code, message) = match store.outcome(op.op_ref).unwrap().unwrap() {
        Outcome::Accepted { seq } => (Some(seq), None, None),
        Outcome::Rejected(why) => (why.seq, Some(why.code.to_string()), Some(why.message)),
        _ => (None, None, None),
    };
    let state = match op.state {
        PendingState::Queued => "queued",
        PendingState::InFlight => "in_flight",
        PendingState::Accepted => "accepted",
        PendingState::Rejected => "rejected",
        PendingState::AwaitingApproval => "awaiting_approval",
        PendingState::Staged => "staged",
        state => panic!("{state:?}"),
    };
    let (resource, name) = part(&op.resource);
    row(
        &OUTBOX,
        &[
            ("ref", op.op_ref.to_string().into()),
            ("collection", op.collection.as_str().into()),
            ("key", op.key.as_str().into()),
            ("op", kind(op.kind)),
            ("payload", op.payload.clone().into()),
            ("base", op.base.map(|base| base as i64).into()),
            ("batch", op.batch.map(|batch| batch.to_string()).into()),
            ("state", state.into()),
            ("applies", op.applies.into()),
            ("seq", seq.map(|seq| seq as i64).into()),
            ("code", code.into()),
            ("message", message.into()),
            ("resource", resource),
            ("name", name),
        ],
    )
}

#[test]
fn the_outbox_has_a_row_for_every_pending_op_in_whatever_state() {
    let fleet = Fleet::new();
    let items = (1..=5).map(|n| item("c", &format!("k{n}"), json!({"n": n}), n)).collect();
    let store = loaded(&fleet, "a", 9, items);
    let accepted = store.set_index("c", "k1", "by", "1").unwrap();
    let rejected = store.set_relation("c", "k2", "r1", "in", ("folders", "home")).unwrap();
    store.add_tag("c", "k3", "team").unwrap();
    let mut batch = store.batch();
    batch.delete_relation("c", "k4", "r2").unwrap().set("d", "k4", &json!([1])).unwrap();
    batch.commit().unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|request| {
        let ops: Vec<Ref> = request.ops.iter().map(|op| op.op_ref).collect();
        let refused = OpResult {
            code: Some(Code::POLICY),
            message: Some("there is no such folder".into()),
            ..result(ops[1], PushOutcome::Rejected, Some(21))
        };
        let results = vec![
            result(ops[0], PushOutcome::Accepted, Some(20)),
            refused,
            result(ops[2], PushOutcome::Queued, None),
            result(ops[3], PushOutcome::Staged, None),
            result(ops[4], PushOutcome::Staged, None),
        ];
        Ok(PushResponse { seq: 21, results })
    });
    store.push(&wire).unwrap();
    store.set("c", "new", &json!({"title": "Milk"})).unwrap();
    let wire = ScriptedWire::new();
    wire.on_push(|_| Err(WireError::TimedOut("gone".into())));
    store.push(&wire).unwrap_err();
    store.patch("c", "k5", &patch(json!([{"op": "replace", "path": "/n", "value": 6}]))).unwrap();
    let wire = ScriptedWire::new();
    wire.on_pull_page(vec![delete_entry(10, foreign(1), "c", "k5", 5)]);
    store.pull(&wire).unwrap();
    store.remove_tag("c", "k1", "team").unwrap();

    let pending = store.pending().unwrap();
    let read = rows(&store, "outbox", &OUTBOX);
    assert_eq!(read, pending.iter().map(|op| pending_row(&store, op)).collect::<Vec<_>>());
    let cells = |columns: &str| {
        let rows = store.sql(format!("SELECT {columns} FROM outbox ORDER BY ref")).run().unwrap();
        rows.iter()
            .map(|row| row.iter().map(|cell| cell.as_str().unwrap_or("-")).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        cells("state, op, resource, name"),
        [
            "accepted set index by",
            "rejected set relation r1",
            "awaiting_approval set tag team",
            "staged delete relation r2",
            "staged set value -",
            "in_flight set value -",
            "queued patch value -",
            "queued delete tag team",
        ]
    );
    assert_eq!(
        pending.iter().map(|op| op.applies).collect::<Vec<_>>(),
        [true, true, true, true, true, true, false, true]
    );
    assert_eq!((pending[0].op_ref, pending[1].op_ref), (accepted, rejected));
    assert_eq!(
        (&read[0][9..12], &read[1][9..12]),
        (
            &[number(20), SqlValue::Null, SqlValue::Null][..],
            &[number(21), "policy".into(), "there is no such folder".into()][..],
        )
    );
    assert_eq!(read[1][4].as_str(), Some(r#"{"predicate":"in","object":{"collection":"folders","key":"home"}}"#));
}

/// What the ledger should show, by ref.
#[derive(Default)]
struct Expected(BTreeMap<String, Vec<SqlValue>>);

impl Expected {
    fn add(&mut self, op: Ref, outcome: &str, at: u64, cells: &[(&str, SqlValue)]) {
        let mut all = vec![("ref", op.to_string().into()), ("outcome", outcome.into()), ("at", number(at))];
        all.extend_from_slice(cells);
        self.0.insert(op.to_string(), row(&LEDGER, &all));
    }
}

fn on(collection: &str, key: &str, op: &str, resource: &str, name: Option<&str>) -> [(&'static str, SqlValue); 5] {
    [
        ("collection", collection.into()),
        ("key", key.into()),
        ("op", op.into()),
        ("resource", resource.into()),
        ("name", name.into()),
    ]
}

fn accepted_at(store: &Store, op: Ref) -> (&'static str, SqlValue) {
    match store.outcome(op).unwrap() {
        Some(Outcome::Accepted { seq } | Outcome::Undone { seq }) => ("seq", number(seq)),
        other => panic!("{op} is {other:?}"),
    }
}

/// Why it was rejected as stale, of an item that the server has at `rev`.
fn stale(store: &Store, op: Ref, rev: u64) -> [(&'static str, SqlValue); 5] {
    let rejected = store.rejections().unwrap().into_iter().find(|one| one.op_ref == op).unwrap();
    assert_eq!(rejected.rejection.code, Code::STALE);
    [
        ("seq", rejected.rejection.seq.map(|seq| seq as i64).into()),
        ("base", rejected.base.map(|base| base as i64).into()),
        ("code", "stale".into()),
        ("message", rejected.rejection.message.into()),
        ("detail", format!(r#"{{"rev":{rev}}}"#).into()),
    ]
}

#[test]
fn the_ledger_has_a_row_for_every_settled_op_whatever_became_of_it() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let (ours, theirs) = (fleet.open("a"), fleet.open("b"));
    let sync = |store: &Store| drop(store.sync(&server.wire()).unwrap());
    // Nothing is settled at the same time as anything that another step settles.
    let later = || {
        fleet.environment.advance(Duration::from_millis(1_001));
        fleet.environment.unix_ms()
    };
    for (collection, key) in [("c", "k"), ("c", "w"), ("c", "v"), ("careful", "k")] {
        theirs.set(collection, key, &json!({"n": 0})).unwrap();
    }
    sync(&theirs);
    sync(&ours);
    let mut expected = Expected::default();

    // Accepted, and folded into one that is.
    let indexed = ours.set_index("c", "k", "by", "1").unwrap();
    let untagged = ours.remove_tag("c", "k", "none").unwrap();
    let made = ours.set("c", "made", &json!(1)).unwrap();
    let at = later();
    let folded = ours.set("c", "made", &json!(2)).unwrap();
    expected.add(folded, "folded", at, &[("folded_into", made.to_string().into())]);
    let at = later();
    sync(&ours);
    for (op, on) in [
        (indexed, on("c", "k", "set", "index", Some("by"))),
        (untagged, on("c", "k", "delete", "tag", Some("none"))),
        (made, on("c", "made", "set", "value", None)),
    ] {
        expected.add(op, "accepted", at, &[&on[..], &[accepted_at(&ours, op)]].concat());
    }

    // Rejected: one is left as it is, one let go, one made again.
    theirs.set("careful", "k", &json!({"n": 1})).unwrap();
    sync(&theirs);
    let head = theirs.position().unwrap();
    let left = ours.set_relation("careful", "k", "r1", "in", ("folders", "home")).unwrap();
    let let_go = ours.patch("careful", "k", &patch(json!([{"op": "add", "path": "/m", "value": 1}]))).unwrap();
    let again = ours.add_tag("careful", "k", "red").unwrap();
    let at = later();
    sync(&ours);
    let why = |op| stale(&ours, op, head);
    let payload = ("payload", r#"{"predicate":"in","object":{"collection":"folders","key":"home"}}"#.into());
    let on_relation = on("careful", "k", "set", "relation", Some("r1"));
    expected.add(left, "rejected", at, &[&on_relation[..], &why(left), &[payload]].concat());
    expected.add(let_go, "discarded", at, &[&on("careful", "k", "patch", "value", None)[..], &why(let_go)].concat());
    let why = why(again);
    let on_tag = on("careful", "k", "set", "tag", Some("red"));
    assert!(ours.discard(let_go).unwrap());
    let new = ours.retry(again).unwrap();
    expected.add(again, "retried", at, &[&on_tag[..], &why, &[("retried_as", new.to_string().into())]].concat());
    let at = later();
    sync(&ours);
    expected.add(new, "accepted", at, &[&on_tag[..], &[accepted_at(&ours, new)]].concat());

    // Withdrawn, for another op and for none.
    sync(&theirs);
    for key in ["v", "w"] {
        theirs.set("c", key, &json!("theirs")).unwrap();
    }
    sync(&theirs);
    let [for_another, for_none] = ["v", "w"].map(|key| ours.set("c", key, &json!("ours")).unwrap());
    ours.pull(&server.wire()).unwrap();
    let at = later();
    let mut instead = None;
    for conflict in ours.conflicts().unwrap() {
        if conflict.key == "v" {
            instead = ours.resolve(&conflict, Resolution::Merged(json!("both"))).unwrap();
        } else {
            assert_eq!(ours.resolve(&conflict, Resolution::TakeTheirs).unwrap(), None);
        }
    }
    let instead = instead.unwrap();
    expected.add(for_another, "withdrawn", at, &[("withdrawn_for", instead.to_string().into())]);
    expected.add(for_none, "withdrawn", at, &[]);
    let at = later();
    sync(&ours);
    let on_value = on("c", "v", "set", "value", None);
    expected.add(instead, "accepted", at, &[&on_value[..], &[accepted_at(&ours, instead)]].concat());

    // Undone; of two on a relation the last is kept.
    let backup = server.backup();
    let on_relation = on("c", "k", "set", "relation", Some("r2"));
    let mut undone = Vec::new();
    for object in ["one", "two"] {
        let op = ours.set_relation("c", "k", "r2", "of", ("folders", object)).unwrap();
        let at = later();
        sync(&ours);
        undone.push((op, at, accepted_at(&ours, op)));
    }
    server.restore(&backup, true);
    later();
    sync(&ours);
    let (last, at, seq) = undone.pop().unwrap();
    let lost = [
        ("payload", r#"{"predicate":"of","object":{"collection":"folders","key":"two"}}"#.into()),
        ("code", "undone".into()),
        ("message", ours.rejections().unwrap().pop().unwrap().rejection.message.into()),
    ];
    expected.add(last, "undone", at, &[&on_relation[..], &lost, &[seq]].concat());
    let (first, at, seq) = undone.pop().unwrap();
    expected.add(first, "undone", at, &[&on_relation[..], &[seq]].concat());

    let read = rows(&ours, "ledger", &LEDGER);
    assert_eq!(read, expected.0.into_values().collect::<Vec<_>>());
    let outcomes: BTreeSet<_> = read.iter().map(|row| row[1].as_str().unwrap()).collect();
    let all = ["accepted", "discarded", "folded", "rejected", "retried", "undone", "withdrawn"];
    assert_eq!(outcomes, all.into());
    // And beside what the store says.
    for row in &read {
        let op: Ref = row[0].as_str().unwrap().parse().unwrap();
        let text = |cell: &SqlValue| cell.as_str().map(str::to_owned);
        let told = match ours.outcome(op).unwrap().unwrap() {
            Outcome::Accepted { seq } => ("accepted", Some(seq), None, None),
            Outcome::Undone { seq } => ("undone", Some(seq), None, None),
            Outcome::Rejected(why) => ("rejected", why.seq, Some(why.code.to_string()), None),
            Outcome::FoldedInto(into) => ("folded", None, None, Some(into)),
            Outcome::RetriedAs(new) => ("retried", None, None, Some(new)),
            Outcome::Withdrawn(instead) => ("withdrawn", None, None, instead),
            other => panic!("{other:?}"),
        };
        let into = [&row[4], &row[15], &row[16]].into_iter().find_map(text);
        let shown = match row[1].as_str().unwrap() {
            // To the outcome it is one that was rejected.
            outcome @ ("rejected" | "discarded") => {
                assert_eq!(outcome == "discarded", op == let_go);
                ("rejected", row[2].as_i64(), text(&row[10]), into)
            }
            "retried" => ("retried", None, None, into),
            outcome => (outcome, row[2].as_i64(), None, into),
        };
        let told = (told.0, told.1.map(|seq| seq as i64), told.2, told.3.map(|op| op.to_string()));
        assert_eq!(shown, told, "{op}");
    }
    for op in ours.rejections().unwrap() {
        let row = read.iter().find(|row| row[0] == op.op_ref.to_string().into()).unwrap();
        let ((resource, name), detail) = (part(&op.resource), op.rejection.detail.map(|detail| detail.into_string()));
        assert_eq!(row[3], number(op.at));
        let listed = [op.collection.into(), op.key.into(), kind(op.kind), op.payload.into()];
        assert_eq!(row[5..9], listed);
        let why = [op.rejection.code.to_string().into(), op.rejection.message.into(), detail.into(), resource, name];
        assert_eq!(row[10..15], why);
        assert_eq!(row[9], op.base.map(|base| base as i64).into());
    }
}

//! What a restored server lost can be made again from the replica that it came from.

use crate::support::{Fault, FaultyWire, Fleet, Server, despite_losses, get, view};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use syncstore::{
    Code, Edit, Event, EventOptions, Missed, Notice, OpKind, Options, Outcome, Ref, ResourceName, Retention, Store,
};

/// A replica of a server that is restored to before what `write` did was accepted.
struct Restored {
    fleet: Fleet,
    server: Arc<Server>,
    ours: Store,
    theirs: Store,
}

impl Restored {
    fn after(write: impl FnOnce(&Store, &Store, &dyn Fn())) -> Restored {
        Restored::after_with(|_| {}, write)
    }

    fn after_with(configure: impl FnOnce(&mut Options), write: impl FnOnce(&Store, &Store, &dyn Fn())) -> Restored {
        let (fleet, server) = (Fleet::new(), Server::start());
        let (ours, theirs) = (fleet.open_with("a", configure), fleet.open("b"));
        ours.set("c", "old", &json!({"n": 0})).unwrap();
        ours.set_index("c", "old", "by_n", "0").unwrap();
        ours.sync(&server.wire()).unwrap();
        theirs.sync(&server.wire()).unwrap();
        let backup = server.backup();
        let both = || {
            for store in [&ours, &theirs, &ours] {
                store.sync(&server.wire()).unwrap();
            }
        };
        write(&ours, &theirs, &both);
        server.restore(&backup, true);
        Restored { fleet, server, ours, theirs }
    }

    fn sync(&self) {
        self.ours.sync(&self.server.wire()).unwrap();
    }

    fn listed(&self) -> Vec<(String, ResourceName, OpKind, Option<String>)> {
        assert!(self.ours.check().unwrap().ok, "{}", self.ours.check().unwrap());
        let listed = self.ours.rejections().unwrap();
        assert!(listed.iter().all(|op| op.rejection.code == Code::UNDONE && op.base.is_none()));
        listed.into_iter().map(|op| (op.key, op.resource, op.kind, op.payload)).collect()
    }

    fn retry_all(&self) {
        for op in self.ours.rejections().unwrap() {
            self.ours.retry(op.op_ref).unwrap();
        }
    }
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn is_undone(store: &Store, op: Ref) -> bool {
    matches!(store.outcome(op).unwrap(), Some(Outcome::Undone { .. }))
}

#[test]
fn that_outcomes_have_changed_is_told_where_a_restored_server_lost_something_alone() {
    for loses in [true, false] {
        let restored = Restored::after(|ours, _, both| {
            if loses {
                ours.set("c", "new", &1).unwrap();
            }
            both();
        });
        let events = restored.ours.events(EventOptions::default(), || {});
        restored.sync();
        let mut told = false;
        let mut hears = |event| told |= matches!(event, Event::Missed(Missed::OutcomesUncounted));
        while events.pump(100, Duration::from_secs(60), &mut hears).unwrap().more {}
        assert_eq!(told, loses);
    }
}

#[test]
fn what_the_server_lost_is_listed_told_once_and_made_again() {
    let restored = Restored::after(|ours, _, both| {
        ours.set("c", "new", &json!({"n": 1})).unwrap();
        ours.set_index("c", "new", "by_n", "1").unwrap();
        ours.add_tag("c", "new", "mine").unwrap();
        ours.set_relation("c", "new", "r", "in", ("c", "old")).unwrap();
        both();
        ours.update("c", "old", |value| value["n"] = 7.into()).unwrap();
        ours.delete_index("c", "old", "by_n").unwrap();
        both();
    });
    let before = view(&restored.ours);
    let (index, tag) = (ResourceName::Index("by_n".into()), ResourceName::Tag("mine".into()));
    restored.sync();
    assert_eq!(get(&restored.ours, "c", "new"), None);
    assert_eq!(get(&restored.ours, "c", "old"), Some(json!({"n": 0})));
    let relation = r#"{"predicate":"in","object":{"collection":"c","key":"old"}}"#;
    let expected = [
        ("new".to_owned(), ResourceName::Value, OpKind::Set, text(r#"{"n":1}"#)),
        ("new".to_owned(), index.clone(), OpKind::Set, text(r#"{"order":"1"}"#)),
        ("new".to_owned(), tag, OpKind::Set, None),
        ("new".to_owned(), ResourceName::Relation("r".into()), OpKind::Set, text(relation)),
        // It was a patch: what is kept is what it left.
        ("old".to_owned(), ResourceName::Value, OpKind::Set, text(r#"{"n":7}"#)),
        ("old".to_owned(), index, OpKind::Delete, None),
    ];
    assert_eq!(restored.listed(), expected);
    let ops = restored.ours.rejections().unwrap();
    assert_eq!((ops[0].meant.as_deref(), ops[0].present.as_deref()), (Some(r#"{"n":1}"#), None));
    assert_eq!((ops[2].meant.as_deref(), ops[4].present.as_deref()), (Some("{}"), Some(r#"{"n":0}"#)));
    assert!(ops.iter().all(|op| is_undone(&restored.ours, op.op_ref)));

    let taken: Vec<_> = restored.ours.take_notices(99).unwrap();
    assert!(taken.iter().zip(&ops).all(|(notice, op)| *notice == Notice::Rejected(op.clone())));
    assert_eq!((taken.len(), restored.ours.take_notices(99).unwrap()), (6, vec![]));

    let new = restored.ours.retry(ops[0].op_ref).unwrap();
    assert_eq!(restored.ours.outcome(ops[0].op_ref).unwrap(), Some(Outcome::RetriedAs(new)));
    assert_eq!(restored.ours.retry_of(new).unwrap(), Some(ops[0].op_ref));
    restored.retry_all();
    assert_eq!(restored.listed(), []);
    restored.sync();
    assert_eq!(view(&restored.ours), before);
    restored.theirs.sync(&restored.server.wire()).unwrap();
    assert_eq!(view(&restored.theirs), before);
    assert_eq!(restored.listed(), []);
}

#[test]
fn of_several_the_last_on_each_part_is_kept_and_nothing_of_what_was_written_over() {
    let mut first = None;
    let restored = Restored::after(|ours, theirs, both| {
        first = Some(ours.set("c", "twice", &1).unwrap());
        ours.set("c", "gone", &1).unwrap();
        ours.set("c", "pending", &1).unwrap();
        ours.set("c", "patched", &json!({"n": 1})).unwrap();
        ours.set("c", "theirs", &1).unwrap();
        ours.delete("c", "old").unwrap();
        both();
        ours.set("c", "twice", &2).unwrap();
        ours.delete("c", "gone").unwrap();
        theirs.delete("c", "theirs").unwrap();
        both();
        ours.set("c", "pending", &2).unwrap();
        ours.update("c", "patched", |value| value["m"] = 2.into()).unwrap();
    });
    let pending = restored.ours.pending().unwrap().len();
    restored.sync();
    assert_eq!(pending, 2);
    let mut listed = restored.ours.rejections().unwrap();
    listed.retain(|op| op.rejection.code == Code::UNDONE);
    let listed: Vec<_> = listed.into_iter().map(|op| (op.key, op.kind, op.payload)).collect();
    let expected = [
        ("patched".to_owned(), OpKind::Set, text(r#"{"n":1}"#)),
        ("old".to_owned(), OpKind::Delete, None),
        ("twice".to_owned(), OpKind::Set, text("2")),
        ("gone".to_owned(), OpKind::Delete, None),
    ];
    assert_eq!(listed, expected);
    assert!(is_undone(&restored.ours, first.unwrap()));
    assert!(restored.ours.check().unwrap().ok);
}

#[test]
fn what_was_undone_may_be_edited_or_let_go_and_stays_undone() {
    let (mut one, mut two) = (None, None);
    let restored = Restored::after(|ours, _, both| {
        one = Some(ours.set("c", "one", &1).unwrap());
        two = Some(ours.set("c", "two", &2).unwrap());
        both();
    });
    let (one, two) = (one.unwrap(), two.unwrap());
    restored.sync();
    let new = restored.ours.edit(one, Edit::Set(json!("edited"))).unwrap();
    assert!(restored.ours.discard(two).unwrap());
    assert!(!restored.ours.discard(two).unwrap());
    assert!(restored.ours.retry(two).is_err());
    assert!(is_undone(&restored.ours, two));
    assert_eq!(restored.listed(), []);
    assert_eq!(restored.ours.outcome(one).unwrap(), Some(Outcome::RetriedAs(new)));
    restored.sync();
    assert_eq!((restored.server.value("c", "one"), restored.server.value("c", "two")), (Some(json!("edited")), None));
    assert!(restored.ours.check().unwrap().ok);
}

#[test]
fn what_an_interrupted_recovery_undid_is_still_there() {
    let lost_one = || {
        Restored::after(|ours, _, both| {
            ours.set("c", "new", &1).unwrap();
            both();
        })
    };
    let calls = {
        let restored = lost_one();
        let direct = restored.server.wire();
        let wire = FaultyWire::recording(&direct);
        restored.ours.sync(&wire).unwrap();
        wire.calls().len()
    };
    assert!(calls > 3, "{calls}");
    for n in 0..calls {
        let restored = lost_one();
        let direct = restored.server.wire();
        let wire = FaultyWire::nth(&direct, n, Fault::LoseAnswer);
        let interrupted = restored.ours.sync(&wire);
        assert!(interrupted.is_err(), "interrupted at {n}: {interrupted:?}");
        despite_losses(&format!("interrupted at {n}"), interrupted);
        assert_eq!(wire.calls().len(), n + 1);
        for _ in 0..2 {
            restored.ours.sync(&wire).unwrap();
        }
        let expected = ("new".to_owned(), ResourceName::Value, OpKind::Set, text("1"));
        assert_eq!(restored.listed(), [expected], "interrupted at {n}");
    }
}

#[test]
fn a_copy_that_arrives_late_takes_it_off_the_list_also_when_it_was_made_again() {
    for again in [false, true] {
        let (fleet, server) = (Fleet::new(), Server::start());
        let ours = fleet.open("a");
        ours.set("c", "k", &0).unwrap();
        ours.sync(&server.wire()).unwrap();
        let backup = server.backup();
        let op = ours.set("c", "late", &1).unwrap();
        let direct = server.wire();
        let wire = FaultyWire::recording(&direct);
        ours.sync(&wire).unwrap();
        server.restore(&backup, true);
        ours.sync(&direct).unwrap();
        assert_eq!(ours.rejections().unwrap().len(), 1);
        if again {
            ours.retry(op).unwrap();
        }
        let mut copy = wire.pushed().remove(0);
        copy.cursor = None;
        syncstore::wire::Wire::push(&direct, &copy).unwrap();
        ours.sync(&direct).unwrap();
        assert!(matches!(ours.outcome(op).unwrap(), Some(Outcome::Accepted { .. })), "{:?}", ours.outcome(op).unwrap());
        assert_eq!(ours.rejections().unwrap(), []);
        assert!(ours.check().unwrap().ok);
    }
}

#[test]
fn they_are_bounded_as_rejections_are() {
    let few = |options: &mut Options| options.retention = Retention::new(Retention::default().age, Some(2));
    let write = |ours: &Store, keys: [&str; 2]| keys.map(|key| ours.set("c", key, &1).unwrap());
    let restored = Restored::after_with(few, |ours, _, both| {
        write(ours, ["new0", "new1"]);
        both();
    });
    restored.sync();
    let listed = || restored.listed().into_iter().map(|(key, ..)| key).collect::<Vec<_>>();
    assert_eq!(listed(), ["new0", "new1"]);
    for n in 0..5 {
        restored.ours.set("c", "other", &n).unwrap();
        restored.sync();
    }
    assert_eq!(listed(), ["new0", "new1"], "what is accepted does not push them out");
    // Of accepted ones no more are kept either: it takes another loss for more than the bound.
    let backup = restored.server.backup();
    write(&restored.ours, ["new2", "new3"]);
    restored.sync();
    restored.server.restore(&backup, true);
    restored.sync();
    assert_eq!(listed(), ["new2", "new3"], "of four");
}

#[test]
fn a_damaged_row_of_one_is_found() {
    let restored = Restored::after(|ours, _, both| {
        ours.set("c", "new", &1).unwrap();
        both();
    });
    restored.sync();
    let path = restored.fleet.path("a");
    for damage in [
        "payload = NULL",
        "failure = NULL",
        "kind = 1",
        "collection = NULL",
        "seq = NULL",
        "outcome = 4",
        "into_id = id + 1, into_random = 1",
        "batch = x'00112233445566778899aabbccddeeff', batch_of = 1",
    ] {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM ledger").unwrap();
        let hit = connection.execute(&format!("UPDATE ledger SET {damage} WHERE outcome = 8"), []).unwrap();
        assert_eq!(hit, 1);
        let report = restored.ours.check().unwrap();
        assert!(!report.ok, "{damage}");
        assert_eq!(report.findings[0].code, syncstore::FindingCode::LedgerOutcome, "{damage}");
        connection.execute_batch("DELETE FROM ledger; INSERT INTO ledger SELECT * FROM kept").unwrap();
        assert!(restored.ours.check().unwrap().ok);
    }
}

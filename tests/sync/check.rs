//! The store's check of itself: sound replicas have no findings, and each kind of damage has its own.

use crate::support::{Fault, FaultyWire, Fleet, Server, patch};
use rusqlite::Connection;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use syncstore::{BootstrapReason, CheckReport, Error, FindingCode, Outcome, Ref, Store};

fn sound(store: &Store, when: &str) -> CheckReport {
    let report = store.check().unwrap();
    assert!(report.is_ok(), "{when}: {report}");
    assert_eq!((report.findings.len(), report.findings_total), (0, 0), "{when}");
    report
}

#[test]
fn a_sound_replica_has_no_findings_in_any_state() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = fleet.open_with("a", |options| options.push_ops = 2);
    let report = sound(&store, "new");
    assert_eq!((report.items, report.pending, report.outcomes, report.position), (0, 0, 0, 0));
    assert!(report.file_bytes > 0);

    store.set("c", "k", &json!({"n": 0})).unwrap();
    store.update("c", "k", |value| value["n"] = 1.into()).unwrap();
    store.delete("c", "nothing").unwrap();
    let mut batch = store.batch();
    for n in 0..5 {
        batch.set("batch", &format!("b{n}"), &n).unwrap();
    }
    batch.commit().unwrap();
    let report = sound(&store, "written and folded");
    assert_eq!((report.items, report.pending, report.outcomes), (6, 7, 1));

    let wire = server.wire();
    store.push(&FaultyWire::pushes(&wire, [Fault::None, Fault::LoseAnswer])).unwrap_err();
    sound(&store, "half pushed");
    store.push(&wire).unwrap();
    sound(&store, "pushed");
    store.sync(&wire).unwrap();
    let report = sound(&store, "synced");
    assert_eq!((report.items, report.pending, report.position), (6, 0, store.position().unwrap()));

    let other = fleet.open("b");
    other.sync(&wire).unwrap();
    other.set("careful", "s", &1).unwrap();
    other.sync(&wire).unwrap();
    store.set("careful", "s", &2).unwrap();
    store.sync(&wire).unwrap();
    assert_eq!(sound(&store, "rejected").rejections, 1);

    other.delete("c", "k").unwrap();
    other.sync(&wire).unwrap();
    store.patch("c", "k", &patch(json!([{"op": "replace", "path": "/n", "value": 7}]))).unwrap();
    store.pull(&wire).unwrap();
    assert!(!store.pending().unwrap()[0].applies);
    sound(&store, "with an op that no longer applies");
    store.sync(&wire).unwrap();
    sound(&store, "with two rejections");

    let backup = server.backup();
    store.set("c", "lost", &1).unwrap();
    store.sync(&wire).unwrap();
    let pending = store.set("batch", "b0", &"pending").unwrap();
    server.restore(&backup, true);
    let report = store.sync(&wire).unwrap();
    assert_eq!(report.bootstrapped, Some(BootstrapReason::Rewound));
    assert!(matches!(store.outcome(pending).unwrap(), Some(Outcome::Accepted { .. })));
    sound(&store, "after a restored log");
}

#[test]
fn a_bootstrap_has_no_findings_wherever_it_is_interrupted() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let wire = server.wire();
    let other = fleet.open("other");
    for n in 0..20 {
        other.set("c", &format!("k{n:02}"), &json!({"n": n})).unwrap();
    }
    other.sync(&wire).unwrap();
    let mut seen_incoming = false;
    for n in 0.. {
        let store = fleet.open_with(&format!("r{n}"), |options| options.checkpoint_items = 3);
        store.set("c", "k01", &"own").unwrap();
        store.set("d", "new", &json!({"a": 1})).unwrap();
        let faulty = FaultyWire::nth(&wire, n, Fault::LoseAnswer);
        let done = store.sync(&faulty).is_ok();
        let report = sound(&store, &format!("call {n}"));
        seen_incoming |= report.bootstrapping && report.incoming > 0;
        store.update("d", "new", |value| value["a"] = 2.into()).unwrap();
        sound(&store, &format!("written to after call {n}"));
        store.sync(&wire).unwrap();
        let report = sound(&store, &format!("resumed after call {n}"));
        assert_eq!((report.items, report.incoming, report.bootstrapping), (21, 0, false));
        if done {
            assert!(n > 5);
            break;
        }
    }
    assert!(seen_incoming);
}

/// A replica with a row of every kind, closed.
struct Damaged {
    fleet: Fleet,
    copies: u32,
    /// A bootstrap is on its way in this one.
    loading: bool,
}

impl Damaged {
    fn new() -> Damaged {
        let (fleet, server) = (Fleet::new(), Server::start());
        let wire = server.wire();
        let store = fleet.open("sound");
        let other = fleet.open("other");
        store.set("c", "kept", &json!({"n": 0, "secret": "s3cret"})).unwrap();
        store.set("c", "patched", &json!({"n": 0})).unwrap();
        store.set("careful", "s", &0).unwrap();
        store.sync(&wire).unwrap();
        other.sync(&wire).unwrap();
        other.set("careful", "s", &1).unwrap();
        other.sync(&wire).unwrap();
        store.set("careful", "s", &"s3cret").unwrap();
        store.sync(&wire).unwrap();
        assert_eq!(store.rejections().unwrap().len(), 1);
        store.set("conflict", "k", &json!("s3cret ours")).unwrap();
        other.set("conflict", "k", &json!("s3cret theirs")).unwrap();
        other.sync(&wire).unwrap();
        store.sync(&wire).unwrap();
        assert_eq!(store.conflicts().unwrap().len(), 1);
        // One answered, one sent, and of the others none.
        store.set("c", "answered", &1).unwrap();
        store.push(&wire).unwrap();
        store.set("c", "sent", &1).unwrap();
        store.push(&FaultyWire::nth(&wire, 0, Fault::LoseAnswer)).unwrap_err();
        let add = |n: u64| patch(json!([{"op": "add", "path": "/n", "value": n}]));
        store.patch("c", "patched", &add(1)).unwrap();
        store.patch("c", "patched", &add(2)).unwrap();
        let mut batch = store.batch();
        for n in 0..3 {
            batch.set("batch", &format!("b{n}"), &n).unwrap();
        }
        batch.commit().unwrap();
        store.delete("c", "nothing").unwrap();
        sound(&store, "before any damage");
        drop(store);
        Damaged { fleet, copies: 0, loading: false }
    }

    fn loading() -> Damaged {
        let (fleet, server) = (Fleet::new(), Server::start());
        let wire = server.wire();
        let other = fleet.open("other");
        for n in 0..9 {
            other.set("c", &format!("k{n}"), &n).unwrap();
        }
        other.sync(&wire).unwrap();
        let store = fleet.open_with("sound", |options| options.checkpoint_items = 3);
        store.sync(&FaultyWire::nth(&wire, 3, Fault::LoseRequest)).unwrap_err();
        assert_eq!(sound(&store, "loading").incoming, 6);
        drop((store, other));
        Damaged { fleet, copies: 0, loading: true }
    }

    /// The report on a copy that this SQL changed while it was open.
    fn after(&mut self, sql: &str) -> CheckReport {
        self.copies += 1;
        let name = format!("copy{}", self.copies);
        self.fleet.copy("sound", &name);
        let store = self.fleet.open(&name);
        let connection = Connection::open(self.fleet.path(&name)).unwrap();
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        store.check().unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// This SQL makes another sound replica; with any one of `damage` after it the check finds that, and nothing else.
    fn finds_each(&mut self, code: FindingCode, sql: &str, damage: &[&str]) {
        let report = self.after(sql);
        assert!(report.is_ok(), "{sql}: {report}");
        for damage in damage {
            self.finds(code, &format!("{sql}; {damage}"));
        }
    }

    fn finds(&mut self, code: FindingCode, sql: &str) {
        let report = self.after(sql);
        let codes: BTreeSet<_> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, BTreeSet::from([code]), "{sql}: {report} (loading: {})", self.loading);
        assert!(!report.is_ok());
        assert!(!report.to_json().contains("s3cret"), "{report}");
    }
}

#[test]
fn each_damage_to_the_file_as_a_whole_has_its_finding() {
    use FindingCode::*;
    let mut replica = Damaged::new();
    replica.finds(Integrity, "PRAGMA ignore_check_constraints = ON; UPDATE state SET id = 2");
    replica.finds(Schema, "DROP INDEX outbox_item");
    replica.finds(Schema, "ALTER TABLE ledger ADD COLUMN later");
    for table in ["ledger", "searches", "indexes"] {
        replica.finds(Schema, &format!("DROP TABLE {table}"));
    }
    replica.finds(Schema, "CREATE TABLE theirs(x)");
}

#[test]
fn a_file_that_another_process_migrated_is_not_checked_by_older_rules() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    sound(&store, "as it was opened");
    damage(&fleet.path("a"), "PRAGMA user_version = 9999");
    let Err(Error::NewerSchema { found, supported, .. }) = store.check() else { panic!("it was checked") };
    assert!(found == 9_999 && supported < found);
}

#[test]
fn each_damage_to_the_state_has_its_finding() {
    use FindingCode::*;
    let mut replica = Damaged::new();
    replica.finds(StateRow, "DELETE FROM state");
    replica.finds(StateClient, "UPDATE state SET client = x'0102'");
    replica.finds(StateClient, "UPDATE state SET client = '0123456789abcdef'");
    replica.finds(StatePosition, "UPDATE state SET position = -1");
    replica.finds(StatePosition, "UPDATE state SET cursor = NULL");
    replica.finds(StateServer, "UPDATE state SET limits = '{'");
    replica.finds(StateServer, "UPDATE state SET database = x'ff'");
    replica.finds(StateBootstrap, "UPDATE state SET bootstrap = '{'");
    replica.finds(StateFilter, "UPDATE state SET asked = 'c'");
    replica.finds(StateFilter, "UPDATE state SET kept = x'ff'");
    let mut replica = Damaged::loading();
    replica.finds(StateBootstrap, "UPDATE state SET bootstrap = json_set(bootstrap, '$.phase', 'Replay')");
    replica.finds(StateBootstrap, "UPDATE state SET bootstrap = json_set(bootstrap, '$.cursor', NULL)");
    replica.finds(StateBootstrap, "UPDATE state SET bootstrap = json_set(bootstrap, '$.phase', 'Join')");
    let past_any_log = format!("json_set(bootstrap, '$.position', json('{}'))", i64::MAX as u64 + 1);
    replica.finds(StateBootstrap, &format!("UPDATE state SET bootstrap = {past_any_log}"));
}

#[test]
fn each_damage_to_items_has_its_finding() {
    use FindingCode::*;
    let mut replica = Damaged::new();
    let of = |key: &str| format!("(SELECT id FROM items WHERE key = '{key}')");
    let (kept, patched, answered) = (of("kept"), of("patched"), of("answered"));
    replica.finds(CollectionName, "UPDATE collections SET name = x'ff' WHERE name = 'careful'");
    replica.finds(ItemCollection, &format!("UPDATE items SET collection = 999 WHERE id = {kept}"));
    replica.finds(ItemKey, &format!("UPDATE items SET key = x'ff' WHERE id = {kept}"));
    replica.finds(ItemRev, &format!("UPDATE items SET rev = 'x' WHERE id = {kept}"));
    replica.finds(ItemRev, &format!("UPDATE items SET rev = -1 WHERE id = {kept}"));
    replica.finds(ItemRev, &format!("UPDATE items SET rev = 0 WHERE id = {kept}"));
    replica.finds(ItemRevAhead, &format!("UPDATE items SET rev = 999 WHERE id = {kept}"));
    replica.finds(ItemPending, &format!("UPDATE items SET pending = 2 WHERE id = {patched}"));
    replica.finds(ItemPending, &format!("UPDATE items SET pending = 1 WHERE id = {kept}"));
    replica.finds(ItemPending, &format!("UPDATE items SET pending = 0 WHERE id = {answered}"));
    replica.finds(ItemValue, &format!("UPDATE items SET value = NULL WHERE id = {kept}"));
    replica.finds(ItemValue, &format!("UPDATE items SET value = '{{\"s3cret\":' WHERE id = {kept}"));
    replica.finds(ItemValue, &format!("UPDATE items SET value = x'fffe' WHERE id = {kept}"));
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    replica.finds(ItemValue, &format!("UPDATE items SET value = '{deep}' WHERE id = {kept}"));
    replica.finds(BaseUnasked, &format!("INSERT INTO base SELECT id, value FROM items WHERE id = {kept}"));
    replica.finds(BaseUnasked, &format!("INSERT INTO base SELECT id, value FROM items WHERE id = {answered}"));
    replica.finds(BaseUnasked, "INSERT INTO base VALUES (999, '1')");
    replica.finds(BaseMissing, &format!("DELETE FROM base WHERE item = {patched}"));
    replica.finds(View, &format!("UPDATE items SET value = '{{\"n\":3}}' WHERE id = {patched}"));
    replica.finds(View, &format!("UPDATE items SET value = NULL WHERE id = {patched}"));
    replica.finds(View, &format!("UPDATE base SET value = '{{\"m\":1,\"n\":0}}' WHERE item = {patched}"));
    let report = replica.after(&format!("UPDATE base SET value = '[' WHERE item = {patched}"));
    assert!(report.findings.iter().any(|finding| finding.code == BaseValue), "{report}");
    // Its ops are on nothing that has a name, and are not gone through.
    replica.finds(ItemKey, &format!("UPDATE items SET key = x'ff', value = '7' WHERE id = {patched}"));
    let mut replica = Damaged::loading();
    replica.finds(CollectionLife, "UPDATE collections SET life = 5");
    replica.finds(IncomingWithoutBootstrap, "UPDATE state SET bootstrap = NULL");
}

#[test]
fn each_damage_to_the_outbox_has_its_finding() {
    use FindingCode::*;
    let mut replica = Damaged::new();
    let on = |key: &str| format!("item = (SELECT id FROM items WHERE key = '{key}')");
    let (sent, answered, patched) = (on("sent"), on("answered"), on("patched"));
    replica.finds(OutboxRef, &format!("UPDATE outbox SET random = -1 WHERE {sent}"));
    replica.finds(OutboxPayload, &format!("UPDATE outbox SET kind = 77 WHERE {sent}"));
    replica.finds(OutboxPayload, &format!("UPDATE outbox SET payload = NULL WHERE {sent}"));
    replica.finds(OutboxPayload, &format!("UPDATE outbox SET payload = '\"s3cret' WHERE {sent}"));
    replica.finds(OutboxPayload, &format!("UPDATE outbox SET payload = '{{}}' WHERE {patched}"));
    replica.finds(OutboxPayload, &format!("UPDATE outbox SET payload = '1' WHERE {}", on("nothing")));
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let too_deep = format!(r#"[{{"op":"add","path":"/n","value":{deep}}}]"#);
    replica.finds(OutboxPayload, &format!("UPDATE outbox SET payload = '{too_deep}' WHERE {patched}"));
    replica.finds(OutboxPayload, &format!("UPDATE outbox SET resource = 1, name = '' WHERE {sent}"));
    replica.finds(OutboxBase, &format!("UPDATE outbox SET base = 'x' WHERE {sent}"));
    replica.finds(OutboxBatch, &format!("UPDATE outbox SET batch = x'01' WHERE {}", on("b2")));
    replica.finds(OutboxBatch, &format!("UPDATE outbox SET batch_of = NULL WHERE {}", on("b0")));
    replica.finds(OutboxBatch, "UPDATE outbox SET batch_of = 2 WHERE batch IS NOT NULL");
    replica.finds(OutboxBatch, &format!("UPDATE outbox SET batch_of = 4 WHERE {}", on("b2")));
    replica.finds(BatchOrder, &format!("UPDATE outbox SET batch = NULL, batch_of = NULL WHERE {}", on("b1")));
    replica.finds(OutboxAnswer, &format!("UPDATE outbox SET answer = 77 WHERE {sent}"));
    replica.finds(OutboxAnswer, &format!("UPDATE outbox SET answer = 1 WHERE {sent}"));
    replica.finds(OutboxAnswer, &format!("UPDATE outbox SET answer = 2, failure = '{{\"s3cret\":1}}' WHERE {sent}"));
    replica.finds(OutboxAnswer, &format!("UPDATE outbox SET answer = 0 WHERE {answered}"));
    replica.finds(OutboxAnswer, &format!("UPDATE outbox SET sent = 0 WHERE {answered}"));
    replica.finds(OutboxAnswer, &format!("UPDATE outbox SET sent = 7 WHERE {sent}"));
    replica.finds(Applies, &format!("UPDATE outbox SET applies = 0 WHERE {sent}"));
    replica.finds(Applies, &format!("UPDATE outbox SET applies = 7 WHERE {patched}"));
    let late = "INSERT INTO outbox(id, random, item, kind, sent, payload)
                SELECT (SELECT max(id) FROM outbox) + 1, 1, id, 0, 1, '2' FROM items WHERE key = 'b2';
                UPDATE items SET pending = 2, value = '2' WHERE key = 'b2'";
    replica.finds(SentOrder, late);
    let report = replica.after(&format!("UPDATE outbox SET item = 999 WHERE {sent}"));
    assert!(report.findings.iter().any(|finding| finding.code == OutboxItem), "{report}");
    let report = replica.after(&format!("UPDATE outbox SET item = x'ff' WHERE {sent}"));
    assert!(report.findings.iter().any(|finding| finding.code == OutboxItem), "{report}");
}

#[test]
fn each_damage_to_the_ledger_has_its_finding() {
    use FindingCode::*;
    let mut replica = Damaged::new();
    replica.finds(LedgerRef, "UPDATE ledger SET random = -1 WHERE outcome = 1");
    replica.finds(LedgerOutcome, "UPDATE ledger SET outcome = 77 WHERE outcome = 1");
    replica.finds(LedgerOutcome, "UPDATE ledger SET seq = NULL WHERE outcome = 1");
    replica.finds(LedgerOutcome, "UPDATE ledger SET failure = NULL WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET payload = NULL WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET seq = seq + 1 WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET key = NULL WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET base = 'x' WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET into_random = NULL WHERE outcome = 3");
    replica.finds(LedgerOutcome, "UPDATE ledger SET at = 'x' WHERE outcome = 3");
    replica.finds(LedgerOutcome, "UPDATE ledger SET meant = '{' WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET meant = '1' WHERE outcome = 3");
    replica.finds(LedgerOutcome, "UPDATE ledger SET batch = x'00', batch_of = 1 WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET told = 2 WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET outcome = 5 WHERE outcome = 2");
    replica.finds(LedgerOutcome, "UPDATE ledger SET outcome = 6 WHERE outcome = 2");
    replica.finds(
        FoldTarget,
        "UPDATE ledger SET outcome = 5, payload = NULL, into_id = id - 1, into_random = 1 WHERE outcome = 2",
    );
    replica.finds(FoldTarget, "UPDATE ledger SET into_id = id WHERE outcome = 3");
    replica.finds(FoldTarget, "UPDATE ledger SET into_random = into_random + 1 WHERE outcome = 3");
    replica.finds(
        RefTwice,
        "INSERT INTO ledger(id, random, outcome, at, seq) SELECT id, random, 1, 1, 1 FROM outbox LIMIT 1",
    );
}

#[test]
fn each_outcome_has_all_that_it_must_and_nothing_that_it_must_not() {
    use FindingCode::*;
    let mut replica = Damaged::new();
    // No damage breaks more than one of what an outcome must have.
    let without_seq = "UPDATE ledger SET seq = NULL, failure = json_remove(failure, '$.seq') WHERE outcome";
    // To one that was pruned.
    let leads = "into_id = id + 1000000, into_random = 1";
    replica.finds_each(
        LedgerOutcome,
        "UPDATE ledger SET told = 0 WHERE outcome = 1",
        &[
            &format!("UPDATE ledger SET {leads} WHERE outcome = 1"),
            "UPDATE ledger SET failure = 'x' WHERE outcome = 1",
            "UPDATE ledger SET payload = '1' WHERE outcome = 1",
            "UPDATE ledger SET key = NULL WHERE outcome = 1",
            "UPDATE ledger SET collection = NULL WHERE outcome = 1",
            "UPDATE ledger SET kind = 77 WHERE outcome = 1",
            "UPDATE ledger SET resource = 77 WHERE outcome = 1",
            "UPDATE ledger SET kind = NULL WHERE outcome = 1",
            "UPDATE ledger SET collection = NULL, key = NULL WHERE outcome = 1",
            "UPDATE ledger SET batch = zeroblob(16), batch_of = 1 WHERE outcome = 1",
        ],
    );
    let of_before = "UPDATE ledger SET kind = NULL, collection = NULL, key = NULL WHERE outcome = 1";
    replica.finds_each(
        LedgerOutcome,
        of_before,
        &[
            "UPDATE ledger SET key = 'k' WHERE outcome = 1",
            "UPDATE ledger SET collection = 'c' WHERE outcome = 1",
            "UPDATE ledger SET seq = -1 WHERE outcome = 1",
        ],
    );
    replica.finds_each(
        LedgerOutcome,
        "UPDATE ledger SET batch = zeroblob(16), batch_of = 1 WHERE outcome = 2",
        &[
            &format!("UPDATE ledger SET {leads} WHERE outcome = 2"),
            "UPDATE ledger SET key = NULL WHERE outcome = 2",
            "UPDATE ledger SET collection = NULL WHERE outcome = 2",
            "UPDATE ledger SET failure = NULL WHERE outcome = 2",
            "UPDATE ledger SET kind = 77 WHERE outcome = 2",
            "UPDATE ledger SET batch_of = 0 WHERE outcome = 2",
        ],
    );
    replica.finds_each(
        LedgerOutcome,
        "UPDATE ledger SET outcome = 8 WHERE outcome = 2",
        &[
            &format!("UPDATE ledger SET {leads} WHERE outcome = 8"),
            "UPDATE ledger SET key = NULL WHERE outcome = 8",
            &format!("{without_seq} = 8"),
            "UPDATE ledger SET failure = NULL WHERE outcome = 8",
            "UPDATE ledger SET kind = 1, payload = '[]' WHERE outcome = 8",
        ],
    );
    replica.finds_each(
        LedgerOutcome,
        &format!("UPDATE ledger SET outcome = 5, payload = NULL, {leads} WHERE outcome = 2"),
        &[
            "UPDATE ledger SET into_id = NULL, into_random = NULL WHERE outcome = 5",
            "UPDATE ledger SET into_id = NULL WHERE outcome = 5",
            "UPDATE ledger SET key = NULL WHERE outcome = 5",
            "UPDATE ledger SET failure = NULL WHERE outcome = 5",
            "UPDATE ledger SET payload = '1' WHERE outcome = 5",
        ],
    );
    replica.finds_each(
        LedgerOutcome,
        "UPDATE ledger SET outcome = 6, payload = NULL WHERE outcome = 2",
        &[
            &format!("UPDATE ledger SET {leads} WHERE outcome = 6"),
            "UPDATE ledger SET key = NULL WHERE outcome = 6",
            "UPDATE ledger SET failure = NULL WHERE outcome = 6",
            "UPDATE ledger SET payload = '1' WHERE outcome = 6",
        ],
    );
    replica.finds_each(
        LedgerOutcome,
        "UPDATE ledger SET outcome = 7, into_id = NULL, into_random = NULL WHERE outcome = 3",
        &[
            "UPDATE ledger SET into_random = 1 WHERE outcome = 7",
            "UPDATE ledger SET collection = 'c' WHERE outcome = 7",
            "UPDATE ledger SET outcome = 3 WHERE outcome = 7",
        ],
    );
    // Where an op leads is never itself.
    replica.finds(FoldTarget, "UPDATE ledger SET into_id = id, into_random = random WHERE outcome = 3");
    replica.finds(
        FoldTarget,
        "UPDATE ledger SET outcome = 5, payload = NULL, into_id = id, into_random = random WHERE outcome = 2",
    );
}

#[test]
fn each_answer_has_all_that_it_must_and_nothing_that_it_must_not() {
    use FindingCode::OutboxAnswer;
    let mut replica = Damaged::new();
    let sent = "item = (SELECT id FROM items WHERE key = 'sent')";
    let rejected = format!(
        "UPDATE outbox SET answer = 2, seq = r.seq, failure = r.failure FROM (SELECT * FROM ledger WHERE outcome = 2) r WHERE {sent}"
    );
    let given_up = format!(
        "{rejected}; UPDATE outbox SET sent = 0, seq = NULL, failure = json_remove(failure, '$.seq') WHERE {sent}"
    );
    let answer = |set: &str| format!("UPDATE outbox SET {set} WHERE {sent}");
    replica.finds_each(OutboxAnswer, &rejected, &[&answer("sent = 0"), &answer("failure = NULL")]);
    replica.finds_each(OutboxAnswer, &given_up, &[&answer("failure = NULL"), &answer("seq = 1")]);
    for waits in [3, 4] {
        replica.finds_each(
            OutboxAnswer,
            &answer(&format!("answer = {waits}")),
            &[&answer("sent = 0"), &answer("seq = 1"), &answer("failure = 'x'")],
        );
    }
    replica.finds_each(
        OutboxAnswer,
        &answer("answer = 1, seq = 1"),
        &[&answer("sent = 0"), &answer("seq = NULL"), &answer("failure = 'x'")],
    );
}

#[test]
fn each_damage_to_the_conflicts_has_its_finding() {
    use FindingCode::*;
    let mut replica = Damaged::new();
    replica.finds(ConflictRow, "UPDATE conflicts SET resource = 1");
    replica.finds(ConflictRow, "UPDATE conflicts SET told = 2");
    replica.finds(ConflictRow, "UPDATE conflicts SET accepted = 'x'");
    replica.finds(
        ConflictRow,
        "UPDATE conflicts SET ending = 9, ended = 1, base = NULL, local = NULL, remote = NULL, shown = NULL",
    );
    replica.finds(ConflictRow, "UPDATE conflicts SET ended = 1");
    replica.finds(ConflictRow, "UPDATE conflicts SET op = 1");
    replica.finds_each(
        ConflictRow,
        "UPDATE conflicts SET ending = 1, ended = 1, op = 1, random = 1, base = NULL, local = NULL, remote = NULL, shown = NULL",
        &[
            "UPDATE conflicts SET ending = 'x'",
            "UPDATE conflicts SET ended = NULL",
            "UPDATE conflicts SET op = NULL",
            "UPDATE conflicts SET op = -1",
            "UPDATE conflicts SET random = -1",
            "UPDATE conflicts SET random = 'x'",
        ],
    );
    replica.finds(ConflictRow, "UPDATE conflicts SET version = -1");
    replica.finds(ConflictSide, "UPDATE conflicts SET base = '{'");
    replica.finds(ConflictSide, "UPDATE conflicts SET remote = x'00'");
    replica.finds(ConflictSide, "UPDATE conflicts SET resource = 1, name = 'by_a'");
    replica.finds(ConflictSide, "UPDATE conflicts SET ending = 1, ended = 1");
    replica.finds(
        ConflictTwice,
        "INSERT INTO conflicts(id, collection, key, resource, opened, updated, accepted)
         SELECT id + 1, collection, key, resource, opened, updated, accepted FROM conflicts",
    );
}

#[test]
fn a_table_that_cannot_be_read_is_a_finding_and_the_rest_is_checked() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    for n in 0..200 {
        store.set("c", &format!("k{n:03}"), &"x".repeat(300)).unwrap();
        store.set("c", &format!("k{n:03}"), &"y".repeat(300)).unwrap();
    }
    drop(store);
    let root: u32 = Connection::open(fleet.path("a"))
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'ledger'", [], |row| row.get(0))
        .unwrap();
    let mut bytes = std::fs::read(fleet.path("a")).unwrap();
    let at = (root as usize - 1) * 4096;
    bytes[at..at + 4096].fill(0xff);
    std::fs::write(fleet.path("a"), bytes).unwrap();
    let store = fleet.open("a");
    let report = store.check().unwrap();
    let unreadable: Vec<_> = report.findings.iter().filter(|finding| finding.code == FindingCode::Unreadable).collect();
    assert_eq!(unreadable.iter().map(|finding| finding.table).collect::<Vec<_>>(), ["ledger"], "{report}");
    assert!(report.findings.iter().any(|finding| finding.code == FindingCode::Integrity), "{report}");
    assert_eq!((report.items, report.pending), (200, 200));
}

#[test]
fn a_finding_names_its_row_and_the_report_is_bounded() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    let mut batch = store.batch();
    for n in 0..250 {
        batch.set("c", &format!("k{n:03}"), &n).unwrap();
    }
    let ops = batch.commit().unwrap().ops;
    damage(&fleet.path("a"), "UPDATE items SET value = '\"s3cret\"'");
    let report = store.check().unwrap();
    assert_eq!((report.findings_total, report.findings.len()), (250, 100));
    let json: serde_json::Value = serde_json::from_str(&report.to_string()).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["findings_total"], 250);
    let words = json["findings"][7]["words"].as_str().unwrap();
    assert_eq!(
        json["findings"][7],
        json!({"code": "view", "table": "items", "row": 8, "collection": "c", "key": "k007", "words": words})
    );
    assert!(!report.to_json().contains("s3cret"));

    damage(&fleet.path("a"), "UPDATE outbox SET base = 'x' WHERE rowid = (SELECT min(id) FROM outbox)");
    let report = store.check().unwrap();
    let finding = report.findings.iter().find(|finding| finding.code == FindingCode::OutboxBase).unwrap();
    let expected: Option<Ref> = ops.first().copied();
    assert_eq!((finding.op_ref, finding.key.as_deref()), (expected, Some("k000")));
}

#[test]
fn what_sqlite_complains_of_again_and_again_leaves_room_for_what_else_is_wrong() {
    let fleet = Fleet::new();
    let path = fleet.path("a");
    drop(fleet.open("a"));
    let index = "FROM sqlite_schema WHERE name = 'outbox_item'";
    let file = Connection::open(&path).unwrap();
    let (root, sql): (i64, String) =
        file.query_row(&format!("SELECT rootpage, sql {index}"), [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    file.execute_batch(&format!("PRAGMA writable_schema = ON; DELETE {index}")).unwrap();
    drop(file);
    // Rows that the index does not have, and of no item.
    damage(
        &path,
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 120)
         INSERT INTO outbox(id, random, item, kind, payload) SELECT n, 1, 999, 0, '1' FROM n",
    );
    let again = format!("INSERT INTO sqlite_schema VALUES ('index', 'outbox_item', 'outbox', {root}, '{sql}')");
    damage(&path, &format!("PRAGMA writable_schema = ON; {again}"));
    let report = fleet.open("a").check().unwrap();
    let listed = |code| report.findings.iter().filter(|finding| finding.code == code).count();
    assert_eq!((listed(FindingCode::Integrity), listed(FindingCode::OutboxItem)), (50, 50), "{report}");
    assert_eq!(report.findings_total, 170);
}

fn damage(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_check_while_others_write_and_sync_sees_one_moment() {
    let (fleet, server) = (Fleet::new(), Server::start());
    let store = Arc::new(fleet.open("a"));
    let elsewhere = fleet.open("a");
    let wire = server.wire();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for n in 0..400 {
                store.set("c", &format!("k{}", n % 7), &json!({"n": n})).unwrap();
                if n % 50 == 0 {
                    store.sync(&wire).unwrap();
                }
            }
        });
        let mut checks = 0;
        while !writing.is_finished() || checks == 0 {
            sound(&elsewhere, "while another store writes");
            sound(&store, "while another thread writes");
            checks += 1;
        }
        writing.join().unwrap();
    });
    sound(&store, "in the end");
}

//! Operations that wait for an approver (section 3, ◆11): what the replica shows and does while they wait, and after.

use crate::support::{Call, Fault, FaultyWire, Fleet, Random, Server, despite_losses, get, patch, run_seeds, view};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use syncstore::protocol::{Code, Json, Ref};
use syncstore::{Error, Outcome, PendingState, Store};
use syncstore_server::approver::{ApprovalRequest, ApprovalResponse, Approver, ApproverError, AskedOp, Form, OpAnswer};
use syncstore_server::service::{ApprovalOptions, ServiceOptions};

type Answer = Box<dyn FnMut(&AskedOp) -> Option<OpAnswer> + Send>;

struct Stub(Mutex<Answer>);

impl Approver for Stub {
    fn ask(&self, request: &ApprovalRequest) -> Result<ApprovalResponse, ApproverError> {
        let mut answer = self.0.lock().unwrap();
        Ok(request.ops.iter().filter_map(&mut **answer).collect())
    }
}

/// A server whose collection `ask` has this approver.
fn server(answer: impl FnMut(&AskedOp) -> Option<OpAnswer> + Send + 'static) -> Arc<Server> {
    waiting_server(answer, |_| {})
}

/// Such a server with more options.
pub fn waiting_server(
    answer: impl FnMut(&AskedOp) -> Option<OpAnswer> + Send + 'static,
    configure: impl Fn(&mut ServiceOptions) + Send + Sync + 'static,
) -> Arc<Server> {
    let approver = Arc::new(Stub(Mutex::new(Box::new(answer))));
    Server::with(move |options| {
        options.approval = Some(ApprovalOptions::new(approver.clone(), ["ask".to_owned()]));
        configure(options);
    })
}

/// The approver is asked until it decides nothing more.
pub fn approve(server: &Server) {
    server.environment.advance(std::time::Duration::from_secs(61));
    while server.service(|service| service.approve(crate::support::server::DB)).unwrap() > 0 {}
}

fn state(store: &Store, op: Ref) -> Option<PendingState> {
    store.pending().unwrap().iter().find(|pending| pending.op_ref == op).map(|pending| pending.state)
}

fn replaced(asked: &AskedOp, value: Value) -> OpAnswer {
    OpAnswer { op: Some(Form::set(Json::from_value(&value))), ..OpAnswer::accepted(asked.op.op_ref) }
}

#[test]
fn an_operation_waits_and_then_becomes_what_the_approver_says() {
    let server = server(|asked| {
        Some(match asked.op.key.as_str() {
            "yes" => OpAnswer::accepted(asked.op.op_ref),
            "no" => OpAnswer::rejected(asked.op.op_ref, "it is too dear"),
            "tagged" => OpAnswer { tags: vec!["team".into()], ..OpAnswer::accepted(asked.op.op_ref) },
            _ => replaced(asked, json!({"by": asked.user})),
        })
    });
    let (fleet, wire) = (Fleet::new(), server.wire());
    let (ada, bob) = (fleet.open("ada"), fleet.open("bob"));
    let refs = ["yes", "no", "tagged", "other"].map(|key| ada.set("ask", key, &json!(1)).unwrap());
    let report = ada.sync(&wire).unwrap();
    assert_eq!((report.pushed, report.accepted, report.rejected), (4, 0, 0));
    for op in refs {
        assert_eq!(state(&ada, op), Some(PendingState::AwaitingApproval));
        assert_eq!(ada.outcome(op).unwrap(), Some(Outcome::InFlight));
    }
    assert_eq!(get(&ada, "ask", "no"), Some(json!(1)), "its user sees it meanwhile");
    bob.sync(&wire).unwrap();
    assert!(view(&bob).is_empty());
    approve(&server);
    let report = ada.sync(&wire).unwrap();
    assert_eq!((report.pushed, report.accepted, report.rejected), (0, 3, 1));
    assert_eq!(ada.pending().unwrap(), []);
    assert!(matches!(ada.outcome(refs[0]).unwrap(), Some(Outcome::Accepted { .. })));
    assert!(matches!(ada.outcome(refs[3]).unwrap(), Some(Outcome::Accepted { .. })));
    let Some(Outcome::Rejected(why)) = ada.outcome(refs[1]).unwrap() else { panic!("it was rejected") };
    assert_eq!((why.code, why.message.as_str()), (Code::POLICY, "it is too dear"));
    assert_eq!((get(&ada, "ask", "no"), get(&ada, "ask", "other")), (None, Some(json!({"by": "ada"}))));
    assert_eq!(ada.tags("ask", "tagged").unwrap(), ["team"]);
    bob.sync(&wire).unwrap();
    assert_eq!(view(&bob), view(&ada));
}

#[test]
fn what_waits_is_not_pushed_again_but_once_for_each_opening() {
    let server = server(|_| None);
    let (fleet, direct) = (Fleet::new(), server.wire());
    let wire = FaultyWire::recording(&direct);
    let mut ada = fleet.open("ada");
    let op = ada.set("ask", "k", &json!(1)).unwrap();
    for _ in 0..3 {
        ada.sync(&wire).unwrap();
    }
    assert_eq!(wire.pushed().len(), 1);
    drop(ada);
    ada = fleet.open("ada");
    for _ in 0..3 {
        let report = ada.sync(&wire).unwrap();
        assert_eq!((report.pushed, state(&ada, op)), (0, Some(PendingState::AwaitingApproval)));
    }
    assert_eq!(wire.pushed().len(), 2);
}

#[test]
fn what_waits_is_asked_about_by_the_next_sync_if_the_file_could_not_be_written_when_it_was_due() {
    let server = server(|_| None);
    let (fleet, direct) = (Fleet::new(), server.wire());
    let wire = FaultyWire::recording(&direct);
    let ada = fleet.open("ada");
    let op = ada.set("ask", "k", &json!(1)).unwrap();
    ada.sync(&wire).unwrap();
    drop(ada);
    let ada = fleet.open("ada");
    let file = rusqlite::Connection::open(fleet.path("ada")).unwrap();
    file.execute_batch("CREATE TRIGGER full BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'no room'); END")
        .unwrap();
    ada.sync(&wire).unwrap_err();
    file.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!((wire.pushed().len(), state(&ada, op)), (1, Some(PendingState::AwaitingApproval)));
    for _ in 0..2 {
        ada.sync(&wire).unwrap();
    }
    assert_eq!((wire.pushed().len(), state(&ada, op)), (2, Some(PendingState::AwaitingApproval)));
}

#[test]
fn what_waits_survives_the_end_of_everybody() {
    let decided = Arc::new(Mutex::new(false));
    let server = {
        let decided = decided.clone();
        server(move |asked| decided.lock().unwrap().then(|| replaced(asked, json!("approved"))))
    };
    let (fleet, wire) = (Fleet::new(), server.wire());
    let ada = fleet.open("ada");
    let first = ada.set("ask", "k", &json!(1)).unwrap();
    ada.sync(&wire).unwrap();
    let second = ada.update("ask", "k", |value| *value = json!(2)).unwrap().unwrap();
    let third = ada.set("notes", "n", &json!(3)).unwrap();
    drop(ada);
    let ada = fleet.open("ada");
    server.restart();
    ada.sync(&wire).unwrap();
    approve(&server);
    server.restart();
    ada.sync(&wire).unwrap();
    assert_eq!([first, second].map(|op| state(&ada, op)), [Some(PendingState::AwaitingApproval); 2]);
    assert!(matches!(ada.outcome(third).unwrap(), Some(Outcome::Accepted { .. })));
    assert_eq!(get(&ada, "ask", "k"), Some(json!(2)));
    *decided.lock().unwrap() = true;
    approve(&server);
    server.restart();
    drop(ada);
    let ada = fleet.open("ada");
    ada.sync(&wire).unwrap();
    assert_eq!((ada.pending().unwrap(), get(&ada, "ask", "k")), (Vec::new(), Some(json!("approved"))));
    assert_eq!(server.log().iter().filter(|entry| entry.op_ref == first || entry.op_ref == second).count(), 2);
}

#[test]
fn a_lost_answer_of_a_push_that_was_queued_loses_nothing() {
    let server = server(|asked| Some(replaced(asked, json!("theirs"))));
    let (fleet, direct) = (Fleet::new(), server.wire());
    let ada = fleet.open("ada");
    let op = ada.set("ask", "k", &json!("mine")).unwrap();
    ada.sync(&FaultyWire::pushes(&direct, [Fault::LoseAnswer])).unwrap_err();
    assert_eq!(state(&ada, op), Some(PendingState::InFlight));
    // Decided before the replica has heard that it waits.
    approve(&server);
    ada.sync(&direct).unwrap();
    assert_eq!((ada.pending().unwrap(), get(&ada, "ask", "k")), (Vec::new(), Some(json!("theirs"))));
}

#[test]
fn a_rejected_operation_leaves_what_was_made_on_top_of_it_to_the_server() {
    let server = server(|asked| Some(OpAnswer::rejected(asked.op.op_ref, "no")));
    let (fleet, wire) = (Fleet::new(), server.wire());
    let ada = fleet.open("ada");
    let mut batch = ada.batch();
    batch.set("ask", "order", &json!(1)).unwrap();
    batch.set("notes", "order", &json!({"state": "sent"})).unwrap();
    let refs = batch.commit().unwrap();
    ada.sync(&wire).unwrap();
    let edit =
        ada.patch("notes", "order", &patch(json!([{"op": "replace", "path": "/state", "value": "paid"}]))).unwrap();
    ada.sync(&wire).unwrap();
    assert_eq!(state(&ada, edit), Some(PendingState::AwaitingApproval), "it waits behind the batch");
    approve(&server);
    ada.sync(&wire).unwrap();
    assert!(view(&ada).is_empty() && ada.pending().unwrap().is_empty());
    let code = |op| match ada.outcome(op).unwrap() {
        Some(Outcome::Rejected(why)) => why.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refs.ops.iter().map(|op| code(*op)).collect::<Vec<_>>(), [Code::POLICY, Code::BATCH_FAILED]);
    assert_eq!(code(edit), Code::NOT_FOUND);
}

#[test]
fn a_replica_with_a_new_client_id_is_told_what_became_of_what_waited() {
    let server = server(|asked| Some(OpAnswer::rejected(asked.op.op_ref, "no")));
    let (fleet, wire) = (Fleet::new(), server.wire());
    let ada = fleet.open("ada");
    ada.sync(&wire).unwrap();
    let op = ada.set("ask", "k", &json!(1)).unwrap();
    ada.sync(&wire).unwrap();
    drop(ada);
    fleet.copy("ada", "copy");
    let (ada, copy) = (fleet.open("ada"), fleet.open("copy"));
    approve(&server);
    for store in [&ada, &copy] {
        store.sync(&wire).unwrap();
        assert!(matches!(store.outcome(op).unwrap(), Some(Outcome::Rejected(_))));
        assert!(view(store).is_empty());
    }
}

#[test]
fn a_rewound_log_asks_again_about_what_waits() {
    let server = server(|asked| Some(OpAnswer::accepted(asked.op.op_ref)));
    let (fleet, wire) = (Fleet::new(), server.wire());
    let ada = fleet.open("ada");
    ada.set("notes", "n", &json!(1)).unwrap();
    ada.sync(&wire).unwrap();
    let backup = server.backup();
    ada.set("ask", "k", &json!(1)).unwrap();
    ada.sync(&wire).unwrap();
    server.restore(&backup, true);
    ada.sync(&wire).unwrap();
    approve(&server);
    ada.sync(&wire).unwrap();
    assert_eq!((ada.pending().unwrap(), server.value("ask", "k")), (Vec::new(), Some(json!(1))));
}

fn edit(store: &Store, random: &mut Random, mark: u64) {
    let collection = *random.pick(&["ask", "ask", "open", "careful"]);
    let key = format!("k{}", random.below(4));
    let done = match random.below(10) {
        0..=3 => store.set(collection, &key, &json!({"n": mark})).map(drop),
        4..=5 => store.update(collection, &key, |value| value["m"] = mark.into()).map(drop),
        6 => store.delete(collection, &key).map(drop),
        7 => store.add_tag(collection, &key, "own").map(drop),
        _ => {
            let mut batch = store.batch();
            let made =
                batch.set(collection, &key, &json!({"b": mark})).and_then(|batch| batch.set("ask", "shared", &mark));
            let made = made.map(drop);
            made.and_then(|()| batch.commit().map(drop))
        }
    };
    match done {
        Ok(()) | Err(Error::NotFound { .. } | Error::PatchFailed { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn replicas_converge_whatever_the_approver_says_and_whoever_ends_when() {
    run_seeds(12, |seed| {
        let mut random = Random::new(seed);
        let mut whims = random.split();
        // What it has said once of a ref it says again, unless it has forgotten everything.
        let mut said: HashMap<Ref, u64> = HashMap::new();
        let insisted = Arc::new(AtomicBool::new(false));
        let insist = insisted.clone();
        let server = server(move |asked| {
            if whims.percent(5) {
                said.clear();
            }
            let whim = *said.entry(asked.op.op_ref).or_insert_with(|| whims.below(10));
            Some(match whim {
                0..=3 => OpAnswer::accepted(asked.op.op_ref),
                4 | 5 => OpAnswer::rejected(asked.op.op_ref, "no"),
                6 | 7 => replaced(asked, json!({"n": 0, "approved": true})),
                8 => OpAnswer { tags: vec!["seen".into()], ..OpAnswer::accepted(asked.op.op_ref) },
                // It has no answer yet.
                _ if !insist.load(Ordering::SeqCst) => return None,
                _ => OpAnswer::accepted(asked.op.op_ref),
            })
        });
        let fleet = Fleet::new();
        let mut stores: Vec<Store> = (0..3).map(|n| fleet.open(&format!("d{n}"))).collect();
        for mark in 0..100 {
            let at = random.below(3) as usize;
            match random.below(20) {
                0..=12 => edit(&stores[at], &mut random, mark),
                13 => {
                    stores.remove(at);
                    stores.insert(at, fleet.open(&format!("d{at}")));
                }
                14 => server.restart(),
                15 | 16 => approve(&server),
                17 => {
                    // What was lost is asked again by a later sync.
                    let direct = server.wire();
                    let wire = FaultyWire::pushes(&direct, [Fault::LoseAnswer]);
                    despite_losses(&format!("seed {seed}, {mark}: d{at}"), stores[at].sync(&wire));
                }
                _ => drop(stores[at].sync(&server.wire()).unwrap_or_else(|error| panic!("seed {seed}: {error}"))),
            }
        }
        insisted.store(true, Ordering::SeqCst);
        for _ in 0..20 {
            for store in &stores {
                store.sync(&server.wire()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            }
            if stores.iter().all(|store| store.pending().unwrap().is_empty()) {
                break;
            }
            approve(&server);
        }
        for store in &stores {
            store.sync(&server.wire()).unwrap();
        }
        let items: Vec<_> = server.items().into_iter().map(|(item, (value, _))| (item, value)).collect();
        for (n, store) in stores.iter().enumerate() {
            assert_eq!(store.pending().unwrap(), [], "seed {seed}: d{n}");
            assert_eq!(view(store).into_iter().collect::<Vec<_>>(), items, "seed {seed}: d{n}");
        }
        let mut refs: Vec<Ref> = server.log().iter().map(|entry| entry.op_ref).collect();
        let all = refs.len();
        refs.sort();
        refs.dedup();
        assert_eq!(refs.len(), all, "seed {seed}: a ref stands twice in the log");
    });
}

#[test]
fn what_finds_the_queue_full_is_skipped_and_goes_later() {
    let approver = Arc::new(Stub(Mutex::new(Box::new(|asked: &AskedOp| Some(OpAnswer::accepted(asked.op.op_ref))))));
    let server = Server::with(move |options| {
        let mut approval = ApprovalOptions::new(approver.clone(), ["ask".to_owned()]);
        approval.queue_ops = 2;
        options.approval = Some(approval);
    });
    let (fleet, direct) = (Fleet::new(), server.wire());
    let wire = FaultyWire::recording(&direct);
    let ada = fleet.open("ada");
    for key in ["a", "b", "c"] {
        ada.set("ask", key, &json!(1)).unwrap();
    }
    ada.set("notes", "n", &json!(1)).unwrap();
    ada.sync(&wire).unwrap();
    let states: Vec<PendingState> = ada.pending().unwrap().iter().map(|op| op.state).collect();
    assert_eq!(states, [PendingState::AwaitingApproval, PendingState::AwaitingApproval, PendingState::InFlight]);
    let calls = wire.calls().iter().filter(|call| matches!(call, Call::Push(_))).count();
    // With the checkpoint that a new replica takes, in the first pass, and in one that changed nothing.
    assert!(calls <= 3, "{calls} pushes");
    for _ in 0..2 {
        approve(&server);
        ada.sync(&wire).unwrap();
    }
    approve(&server);
    ada.sync(&wire).unwrap();
    assert_eq!((ada.pending().unwrap(), server.items().len()), (Vec::new(), 4));
}

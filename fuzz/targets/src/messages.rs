//! Whatever a server may answer, into a replica.

use crate::environment::Still;
use crate::peer::{assert_sound, assert_syncs, files, options, read_all};
use crate::room::room;
use crate::source::Source;
use crate::texts::format_of;
use serde::de::DeserializeOwned;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use syncstore::protocol::{
    CheckpointItem, CheckpointPage, Code, Cursor, DatabaseInfo, Entry, EntryOutcome, Filter, Format, InboxPage, Limits,
    OpKind, OpResult, Problem, PushOutcome, PushRequest, PushResponse, Ref,
};
use syncstore::wire::{CheckpointRequest, Expiry, PullRequest, Wire, WireError};
use syncstore::{Error, Store};

/// Separates answers; a byte that neither UTF-8 nor MessagePack begins anything with.
const BETWEEN: u8 = 0xc1;

/// The most answers that a run gives.
const MOST_ANSWERS: usize = 40;

/// Feeds a replica answers that are the input's bytes, or made of the input's choices.
pub fn messages_to_client(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let room = room();
    let path = room.path().join("replica.db");
    std::fs::write(&path, &files().replica).expect("room for a file");
    let format = format_of(*mode);
    let in_part = mode & 16 != 0;
    if mode & 1 == 0 {
        decode_each(format, rest);
        let chunks = rest.split(|byte| *byte == BETWEEN).map(<[u8]>::to_vec).collect();
        let wire = Recorded { format, chunks: Mutex::new(chunks) };
        let keep = in_part.then(|| Filter::only(["lists"]).and_prefix("notes", "k1"));
        run(&path, keep, |store| {
            for call in 0..3 {
                sync(store, &wire, call);
            }
        });
    } else {
        let mut source = Source::new(rest);
        let keep = (in_part && source.one_in(2)).then(|| source.filter());
        let wire =
            MadeUp { script: Mutex::new(Script { source, answers: 0, log: Log::default() }), kept: Mutex::default() };
        run(&path, keep, |store| {
            for _ in 0..8 {
                if wire.with(|script| script.source.is_empty()) {
                    break;
                }
                if in_part && wire.with(|script| script.source.one_in(4)) {
                    let keep = wire.with(|script| script.source.filter());
                    store.keep(&keep).expect("a filter that can be sent is taken");
                }
                step(store, &wire);
            }
        });
    }
    assert_sound(&path);
    assert_syncs(&path, room.path());
}

fn run(path: &Path, keep: Option<Filter>, steps: impl FnOnce(&Store)) {
    let mut options = options(Still::new(5));
    options.keep = keep;
    let store = Store::open(path, options).expect("the replica opens");
    steps(&store);
    read_all(&store).expect("the replica is readable whatever a server says");
}

/// What a wire brings may end a sync, but is never the file's fault.
fn sync(store: &Store, wire: &dyn Wire, call: usize) {
    let result = match call % 3 {
        0 => store.sync(wire),
        1 => store.pull(wire),
        _ => store.push(wire),
    };
    match result.map_err(syncstore::SyncError::into_error) {
        Ok(_) | Err(Error::Wire(_) | Error::Diverged(_) | Error::WrongDatabase { .. }) => {}
        Err(error) => panic!("an answer became an error of the file: {error:?}"),
    }
}

fn decode_each(format: Format, bytes: &[u8]) {
    fn again<T: DeserializeOwned + serde::Serialize>(format: Format, bytes: &[u8]) {
        let Ok(message) = format.decode::<T>(bytes) else { return };
        // What was let in is not always sayable: a raw value is checked only when it is used.
        let Ok(written) = format.encode(&message) else { return };
        assert!(format.decode::<T>(&written).is_ok(), "a message that was written cannot be read");
    }
    again::<InboxPage>(format, bytes);
    again::<CheckpointPage>(format, bytes);
    again::<PushResponse>(format, bytes);
    again::<DatabaseInfo>(format, bytes);
    again::<Problem>(format, bytes);
}

/// A wire whose answers are pieces of the input.
struct Recorded {
    format: Format,
    chunks: Mutex<VecDeque<Vec<u8>>>,
}

impl Recorded {
    fn answer<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        let chunk = self.chunks.lock().expect("the input").pop_front();
        let Some(chunk) = chunk else { return Err(WireError::Forbidden("no more answers".into())) };
        if let Some(problem) = chunk.strip_prefix(b"!") {
            return Err(as_error(&self.format.decode::<Problem>(problem).unwrap_or_default()));
        }
        self.format.decode(&chunk).map_err(|error| WireError::Protocol(error.to_string()))
    }
}

fn as_error(problem: &Problem) -> WireError {
    match problem.code.as_str() {
        "cursor_expired" => WireError::CursorExpired(match problem.reason.as_deref() {
            Some("rewound") => Expiry::Rewound { restored: problem.restored_seq },
            Some("filter") => Expiry::Filter,
            _ => Expiry::Pruned,
        }),
        "checkpoint_expired" => WireError::CheckpointExpired,
        code => WireError::Refused { status: problem.status, code: code.to_owned(), message: problem.detail.clone() },
    }
}

impl Wire for Recorded {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.answer()
    }
    fn push(&self, _: &PushRequest) -> Result<PushResponse, WireError> {
        self.answer()
    }
    fn pull(&self, _: &PullRequest) -> Result<InboxPage, WireError> {
        self.answer()
    }
    fn checkpoint(&self, _: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.answer()
    }
}

/// A log as the answers have told it so far, so that most of what follows fits.
#[derive(Default)]
struct Log {
    seq: u64,
    revs: HashMap<(String, String), u64>,
}

struct Script<'a> {
    source: Source<'a>,
    answers: usize,
    log: Log,
}

/// A wire whose answers are mostly valid.
struct MadeUp<'a> {
    script: Mutex<Script<'a>>,
    /// Refs of the replica's own that it has seen or been told of.
    kept: Mutex<Vec<(Ref, OpKind, String, String)>>,
}

impl<'a> MadeUp<'a> {
    fn with<T>(&self, act: impl FnOnce(&mut Script<'a>) -> T) -> T {
        act(&mut self.script.lock().expect("the input"))
    }

    fn answer<T>(&self, make: impl FnOnce(&mut Script<'a>) -> T) -> Result<T, WireError> {
        self.with(|script| {
            script.answers += 1;
            if script.answers > MOST_ANSWERS {
                return Err(WireError::Forbidden("enough".into()));
            }
            match script.source.below(24) {
                23 => Err(script.error()),
                _ => Ok(make(script)),
            }
        })
    }

    fn note(&self, op: (Ref, OpKind, String, String)) {
        let mut kept = self.kept.lock().expect("the input");
        if !kept.iter().any(|known| known.0 == op.0) {
            kept.push(op);
        }
    }
}

fn step(store: &Store, wire: &MadeUp<'_>) {
    for op in store.pending().expect("the outbox is readable") {
        wire.note((op.op_ref, op.kind, op.collection, op.key));
    }
    let choice = wire.with(|script| script.source.below(8));
    if choice < 4 {
        return sync(store, wire, choice);
    }
    let (collection, key, value, patch) = wire.with(|script| {
        let source = &mut script.source;
        (source.collection(), source.key(), source.json_text(), source.patch_text())
    });
    // What a write is refused for is the host's business.
    let _ = match choice {
        4 => store.set_raw(&collection, &key, &value),
        5 => store.patch_raw(&collection, &key, &patch),
        6 => store.delete(&collection, &key),
        _ => store.set_raw(&collection, "k0", "1").and_then(|_| store.set_raw(&collection, "k0", "2")),
    };
}

impl Script<'_> {
    fn error(&mut self) -> WireError {
        let far = Some(self.source.number());
        match self.source.below(9) {
            0 => WireError::CursorExpired(Expiry::Pruned),
            1 => WireError::CursorExpired(Expiry::Filter),
            2 => WireError::CursorExpired(Expiry::Rewound { restored: None }),
            3 => WireError::CursorExpired(Expiry::Rewound { restored: far }),
            4 => WireError::CheckpointExpired,
            5 => WireError::Refused { status: 413, code: String::new(), message: String::new() },
            6 => WireError::Refused { status: 422, code: "invalid".into(), message: self.source.text() },
            7 => WireError::Unavailable { status: 503, retry_after: Some(Duration::MAX), message: String::new() },
            _ => WireError::Unreachable(String::new()),
        }
    }

    fn cursor(&mut self, asked: Option<&Cursor>) -> Cursor {
        match self.source.below(16) {
            13 => asked.cloned().unwrap_or_else(|| Cursor::new("")),
            14 => Cursor::new(self.source.text()),
            15 => Cursor::new("c".repeat(1 << self.source.below(18))),
            _ => Cursor::new(format!("c{}", self.log.seq)),
        }
    }

    fn next_seq(&mut self) -> u64 {
        let next = self.log.seq.saturating_add(1);
        let seq = self.source.near(next);
        self.log.seq = seq;
        seq
    }

    fn entry(&mut self, known: &[(Ref, OpKind, String, String)]) -> Entry {
        let seq = self.next_seq();
        let (source, log) = (&mut self.source, &mut self.log);
        let own = if known.is_empty() || source.one_in(2) { None } else { Some(&known[source.below(known.len())]) };
        let outcome = if source.one_in(5) { EntryOutcome::Rejected } else { EntryOutcome::Accepted };
        let op_ref = own.map_or_else(|| source.foreign_ref(), |own| own.0);
        let mut entry = Entry::new(seq, op_ref, outcome);
        let (kind, collection, key) = match own {
            Some((_, kind, collection, key)) if !source.one_in(8) => (*kind, collection.clone(), key.clone()),
            _ => (source.kind(), source.collection(), source.key()),
        };
        match kind {
            _ if source.one_in(12) => {}
            OpKind::Set | OpKind::Delete if source.one_in(3) => {
                let on = source.on_resource(kind == OpKind::Set);
                (entry.index, entry.order, entry.relation) = (on.index, on.order, on.relation);
                (entry.predicate, entry.object, entry.tag) = (on.predicate, on.object, on.tag);
            }
            OpKind::Set => {
                let text = source.json_text();
                entry.value = Some(source.raw(text));
            }
            OpKind::Patch => {
                let text = source.patch_text();
                entry.patch = Some(source.raw(text));
            }
            OpKind::Delete => {}
        }
        let rev = log.revs.entry((collection.clone(), key.clone())).or_default();
        entry.from = if source.one_in(24) { None } else { Some(source.near(*rev)) };
        *rev = source.near(seq);
        entry.rev = if source.one_in(24) { None } else { Some(*rev) };
        (entry.kind, entry.collection, entry.key) = (Some(kind), Some(collection), Some(key));
        entry.as_sent = source.one_in(4);
        entry.full = source.one_in(12);
        if entry.full || source.one_in(48) {
            (entry.indexes, entry.relations, entry.tags) = source.resources();
        }
        if source.one_in(24) {
            entry.reason = Some("revoked".to_owned());
        }
        entry.hidden = source.one_in(16);
        if source.one_in(6) {
            entry.batch = Some(source.batch());
        }
        if outcome == EntryOutcome::Rejected {
            entry.code = Some(Code::new(source.text()));
            entry.message = Some(source.text());
            let detail = source.json_text();
            entry.detail = Some(source.raw(detail));
        }
        entry
    }

    fn limits(&mut self) -> Limits {
        let mut limits = Limits::default();
        for limit in [&mut limits.name, &mut limits.value, &mut limits.nesting, &mut limits.body, &mut limits.push_ops]
        {
            if self.source.one_in(6) {
                *limit = self.source.number() as usize;
            }
        }
        limits
    }
}

impl Wire for MadeUp<'_> {
    fn info(&self) -> Result<DatabaseInfo, WireError> {
        self.answer(|script| DatabaseInfo {
            database: script.source.one_in(32).then(|| script.source.text()),
            epoch: String::new(),
            seq: script.log.seq,
            limits: script.limits(),
            formats: Vec::new(),
            encodings: Vec::new(),
            retention: Default::default(),
        })
    }

    fn push(&self, request: &PushRequest) -> Result<PushResponse, WireError> {
        for op in &request.ops {
            self.note((op.op_ref, op.kind, op.collection.clone(), op.key.clone()));
        }
        self.answer(|script| {
            let mut results = Vec::new();
            for op in &request.ops {
                let outcome = script.source.pick(&[
                    PushOutcome::Accepted,
                    PushOutcome::Accepted,
                    PushOutcome::Accepted,
                    PushOutcome::Rejected,
                    PushOutcome::Staged,
                    PushOutcome::Queued,
                    PushOutcome::Skipped,
                ]);
                let seq = script.next_seq();
                let detail = script.source.json_text();
                results.push(OpResult {
                    op_ref: if script.source.one_in(64) { script.source.foreign_ref() } else { op.op_ref },
                    outcome,
                    seq: (!script.source.one_in(12)).then_some(seq),
                    code: script.source.one_in(2).then(|| Code::new(script.source.text())),
                    message: script.source.one_in(2).then(|| script.source.text()),
                    detail: script.source.one_in(2).then(|| script.source.raw(detail)),
                });
            }
            match script.source.below(48) {
                46 => drop(results.pop()),
                47 => results.extend(results.clone()),
                _ => {}
            }
            PushResponse { seq: script.source.near(script.log.seq), results }
        })
    }

    fn pull(&self, request: &PullRequest) -> Result<InboxPage, WireError> {
        let known = self.kept.lock().expect("the input").clone();
        self.answer(|script| {
            let entries: Vec<Entry> = (0..script.source.below(6)).map(|_| script.entry(&known)).collect();
            let cursor = script.cursor(request.cursor.as_ref());
            let seq = script.source.near(script.log.seq);
            InboxPage { entries, cursor, seq, more: script.source.one_in(3) }
        })
    }

    fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        self.answer(|script| {
            let mut items = Vec::new();
            for _ in 0..script.source.below(6) {
                let (collection, key) = (script.source.collection(), script.source.key());
                let text = script.source.json_text();
                let rev = script.source.near(script.log.seq.max(1));
                script.log.revs.insert((collection.clone(), key.clone()), rev);
                let (indexes, relations, tags) =
                    if script.source.one_in(2) { script.source.resources() } else { Default::default() };
                let item = CheckpointItem::new(collection, key, script.source.raw(text), rev);
                items.push(CheckpointItem { indexes, relations, tags, ..item });
            }
            let next = match script.source.below(6) {
                3 => Some(script.source.text()),
                4 => Some(format!("p{}", script.answers)),
                5 => request.page.clone(),
                _ => None,
            };
            let checkpoint = if script.source.one_in(24) { script.source.text() } else { "c".into() };
            let cursor = script.cursor(None);
            let seq = script.source.near(script.log.seq);
            CheckpointPage { checkpoint, cursor, seq, items, next, total: script.source.number() }
        })
    }
}

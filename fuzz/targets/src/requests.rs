//! Whatever a client may ask, of the server without HTTP.

use crate::environment::Still;
use crate::peer::{DB, service, user};
use crate::room::room;
use crate::source::Source;
use crate::texts::format_of;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use syncstore::protocol::{
    BatchRequest, Change, ClientId, Cursor, DataOp, Entry, EntryOutcome, Format, Json, Limits, Object, Op, OpKind,
    PushOutcome, PushRequest, PushResponse, Ref, patch,
};
use syncstore_server::fuzzing;
use syncstore_server::service::{
    Caller, CheckpointRequest, Conditions, Expected, InboxRequest, Policy, Service, ServiceError, Tags, WriteRequest,
};

/// The most steps of a run.
const MOST_STEPS: usize = 24;

/// Asks what the input's bytes say, or what is made of its choices.
pub fn requests_to_server(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let room = room();
    let environment = Still::new(7);
    let service = service(room.path(), environment.clone(), |options| {
        options.limits.value = 1 << 14;
        options.limits.batch_ops = 8;
        options.policies.insert("lists".into(), Policy::Merge);
        options.policies.insert("new".into(), Policy::RejectStale);
    });
    let (cursors, pages, taken) = (Vec::new(), Vec::new(), Vec::new());
    let mut asked = Asked { service, environment, data: mode & 4 != 0, pruned: false, cursors, pages, taken };
    if mode & 1 == 0 {
        let format = format_of(*mode);
        for chunk in rest.split(|byte| *byte == 0xc1) {
            asked.recorded(format, chunk);
        }
    } else {
        let mut source = Source::new(rest);
        for _ in 0..MOST_STEPS {
            if source.is_empty() {
                break;
            }
            asked.step(&mut source);
        }
    }
    asked.agrees_with_its_log();
    asked.service.shutdown();
    let file = rusqlite::Connection::open(room.path().join("db-notes.sqlite")).expect("the database");
    let found: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(found, "ok");
}

struct Asked {
    service: Service,
    environment: Arc<Still>,
    /// Whether writes without a replica come too.
    data: bool,
    pruned: bool,
    cursors: Vec<Cursor>,
    pages: Vec<String>,
    /// Pushes that were answered.
    taken: Vec<(&'static str, PushRequest)>,
}

/// One user sees everything, the other what has a tag.
fn caller(name: &str) -> Caller {
    match name {
        "bob" => Caller { tags: Tags::Only(vec!["t".into()]), grant: vec!["t".into()], ..user(name) },
        _ => user(name),
    }
}

fn client(n: usize) -> ClientId {
    ClientId::from_random(n as u128)
}

impl Asked {
    fn recorded(&mut self, format: Format, chunk: &[u8]) {
        if let Some(text) = chunk.strip_prefix(b"?").and_then(|text| std::str::from_utf8(text).ok()) {
            let (client, cursor, page, limit) = fuzzing::query(text);
            let (Some(client), Some(limit)) = (client, limit) else { return };
            self.inbox("ada", InboxRequest { client, cursor, limit, own_payloads: false, scope: Default::default() });
            self.checkpoint("ada", CheckpointRequest { client, page, limit, scope: Default::default() });
        } else if let Some(batch) = chunk.strip_prefix(b"!") {
            format.decode::<BatchRequest>(batch).map(|batch| self.batch("ada", batch)).unwrap_or_default();
        } else if let Some(op) = chunk.strip_prefix(b"=") {
            format.decode::<DataOp>(op).map(|op| self.write("ada", op, Conditions::default())).unwrap_or_default();
        } else if let Ok(request) = format.decode::<PushRequest>(chunk) {
            self.push("ada", request);
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let name = if source.one_in(6) { "bob" } else { "ada" };
        let client = client(source.below(4));
        if self.data && source.one_in(2) {
            return self.direct(name, source);
        }
        match source.below(8) {
            4 => self.inbox(
                name,
                InboxRequest {
                    client,
                    cursor: self.cursor(source),
                    limit: source.number() as u32,
                    own_payloads: source.one_in(2),
                    scope: Default::default(),
                },
            ),
            5 => {
                let page = match (source.below(4), self.pages.as_slice()) {
                    (1, [.., page]) => Some(page.clone()),
                    (2, _) => Some(source.text()),
                    _ => None,
                };
                self.checkpoint(
                    name,
                    CheckpointRequest { client, page, limit: 1 + source.below(4) as u32, scope: Default::default() },
                );
            }
            6 => {
                self.environment.pass(Duration::from_secs(source.pick(&[1, 3_600, 86_400, 8 * 86_400, 100 * 86_400])));
                self.service.prune(DB).expect("pruning");
                self.pruned = true;
            }
            7 if !self.taken.is_empty() => {
                let (name, request) = self.taken[source.below(self.taken.len())].clone();
                self.push(name, request);
            }
            _ => {
                let cursor = self.cursor(source);
                let ops = (0..source.below(7)).map(|_| self.op(source)).collect();
                self.push(name, PushRequest { client, cursor, ops });
            }
        }
    }

    fn cursor(&self, source: &mut Source<'_>) -> Option<Cursor> {
        match (source.below(4), self.cursors.as_slice()) {
            (1, cursors @ [_, ..]) => Some(cursors[source.below(cursors.len())].clone()),
            (2, _) => Some(Cursor::new(source.text())),
            _ => None,
        }
    }

    fn op(&self, source: &mut Source<'_>) -> Op {
        let kind = source.kind();
        let mut op = Op::new(source.foreign_ref(), kind, source.collection(), source.key());
        let taken: Vec<Ref> = self.taken.iter().flat_map(|(_, request)| &request.ops).map(|op| op.op_ref).collect();
        if !taken.is_empty() && source.one_in(8) {
            op.op_ref = taken[source.below(taken.len())];
        }
        if source.one_in(3) {
            let on = source.on_resource(kind == OpKind::Set);
            (op.index, op.order, op.relation) = (on.index, on.order, on.relation);
            (op.predicate, op.object, op.tag) = (on.predicate, on.object, on.tag);
        } else if !source.one_in(16) {
            let (value, patch) = (source.json_text(), source.patch_text());
            match kind {
                OpKind::Set => op.value = Some(source.raw(value)),
                OpKind::Patch => op.patch = Some(source.raw(patch)),
                OpKind::Delete => {}
            }
        }
        if source.one_in(2) {
            op.base = Some(source.number());
        }
        if source.one_in(4) {
            op.batch = Some(source.batch());
        }
        if op.batch.is_some() != source.one_in(12) {
            op.of = Some(if source.one_in(8) { source.number() as u32 } else { 1 + source.below(3) as u32 });
        }
        op
    }

    fn push(&mut self, name: &'static str, request: PushRequest) {
        let refs: Vec<Ref> = request.ops.iter().map(|op| op.op_ref).collect();
        match self.service.push(DB, &caller(name), request.clone()) {
            Ok(response) => {
                let told: Vec<Ref> = response.results.iter().map(|result| result.op_ref).collect();
                assert_eq!(told, refs, "a result for each op, in order");
                assert!(response.results.iter().all(|result| result.seq.is_none_or(|seq| seq <= response.seq)));
                self.repeats(name, &request, &response);
                if request.ops.len() <= 8 {
                    self.taken.push((name, request));
                }
            }
            Err(error) => answered(&error),
        }
    }

    /// A repeated push has the outcomes that it had: whatever was committed or refused stays so.
    fn repeats(&self, name: &str, request: &PushRequest, first: &PushResponse) {
        let again = match self.service.push(DB, &caller(name), PushRequest { cursor: None, ..request.clone() }) {
            Ok(again) => again,
            Err(error) => return answered(&error),
        };
        for (result, before) in again.results.iter().zip(&first.results) {
            let settled = before.outcome == PushOutcome::Accepted || before.seq.is_some();
            if settled {
                assert_eq!((result.outcome, result.seq), (before.outcome, before.seq), "{before:?}");
            }
        }
    }

    /// A write of a caller without a replica, or a batch of some.
    fn direct(&mut self, name: &str, source: &mut Source<'_>) {
        let op = |asked: &Asked, source: &mut Source<'_>| {
            let Op { op_ref, kind, collection, key, value, patch, base, index, order, relation, .. } = asked.op(source);
            let on = source.on_resource(kind == OpKind::Set);
            // Half of them with the payload of another resource, as it may come.
            let (predicate, object, tag) = if relation.is_some() == source.one_in(2) {
                (on.predicate, on.object, None)
            } else {
                (None, None, on.tag)
            };
            let op_ref = source.one_in(2).then_some(op_ref);
            DataOp { op_ref, kind, collection, key, value, patch, base, index, order, relation, predicate, object, tag }
        };
        if source.one_in(3) {
            let ops = (0..source.below(5)).map(|_| op(self, source)).collect();
            return self.batch(name, BatchRequest { ops });
        }
        let expected = |source: &mut Source<'_>| match source.below(4) {
            0 => Some(Expected::There),
            1 => Some(Expected::Revs(vec![source.number(), source.number()])),
            _ => None,
        };
        let conditions = Conditions { matching: expected(source), unlike: expected(source) };
        let op = op(self, source);
        self.write(name, op, conditions);
    }

    /// A repeat is told what the first did, whatever its conditions (◆32).
    fn write(&self, name: &str, op: DataOp, conditions: Conditions) {
        let asked = |conditions| self.service.write(DB, &caller(name), WriteRequest { op: op.clone(), conditions });
        match (op.op_ref, asked(conditions)) {
            (Some(_), Ok(written)) => match asked(Conditions::default()) {
                Ok(again) => assert_eq!(again.rev, written.rev, "{op:?}"),
                Err(error) => panic!("the repeat of a write that was done is refused: {error}"),
            },
            (None, Ok(_)) => {}
            (_, Err(error)) => answered(&error),
        }
    }

    /// One result for each op, and the same again where each has its ref (◆33).
    fn batch(&self, name: &str, batch: BatchRequest) {
        let asked = || self.service.batch(DB, &caller(name), batch.clone());
        match asked() {
            Ok(response) => {
                assert_eq!(response.results.len(), batch.ops.len());
                if batch.ops.iter().all(|op| op.op_ref.is_some()) {
                    match asked() {
                        Ok(again) => assert_eq!(again, response),
                        Err(error) => panic!("the repeat of a batch that was done is refused: {error}"),
                    }
                }
            }
            Err(error) => answered(&error),
        }
    }

    fn inbox(&mut self, name: &str, request: InboxRequest) {
        match self.service.inbox(DB, &caller(name), &request) {
            Ok(page) => {
                let seqs: Vec<u64> = page.entries.iter().map(|entry| entry.seq).collect();
                assert!(seqs.is_sorted_by(|one, next| one < next) && seqs.last().is_none_or(|last| *last <= page.seq));
                self.cursors.push(page.cursor);
            }
            Err(error) => answered(&error),
        }
    }

    fn checkpoint(&mut self, name: &str, request: CheckpointRequest) {
        match self.service.checkpoint(DB, &caller(name), &request) {
            Ok(page) => {
                self.cursors.push(page.cursor);
                self.pages.extend(page.next);
            }
            Err(error) => answered(&error),
        }
    }

    /// What the whole log makes is what a checkpoint shows, and no ref was applied twice.
    fn agrees_with_its_log(&self) {
        let reader = ClientId::from_random(0xfeed);
        let mut request =
            InboxRequest { client: reader, cursor: None, limit: 100, own_payloads: true, scope: Default::default() };
        let mut made: BTreeMap<(String, String), (u64, Whole)> = BTreeMap::new();
        let mut refs = BTreeSet::new();
        loop {
            let page = match self.service.inbox(DB, &user("reader"), &request) {
                Ok(page) => page,
                Err(ServiceError::CursorExpired(_)) if self.pruned => return,
                Err(error) => panic!("the log is not readable: {error}"),
            };
            for entry in page.entries {
                assert!(refs.insert(entry.op_ref), "{} stands twice in the log", entry.op_ref);
                assert_eq!(entry.outcome, EntryOutcome::Accepted, "a rejection is told to another");
                let (Ok((collection, key)), Some(rev), Ok(change)) = (entry.item(), entry.rev, entry.change()) else {
                    panic!("entry {} is not whole", entry.seq)
                };
                let at = (collection.to_owned(), key.to_owned());
                let before = made.remove(&at);
                assert_eq!(entry.from, Some(before.as_ref().map_or(0, |(rev, _)| *rev)), "entry {}", entry.seq);
                if let Some(after) = applied(before.map(|(_, whole)| whole), &entry, change) {
                    made.insert(at, (rev, after));
                }
            }
            request.cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        let whole = CheckpointRequest { client: reader, page: None, limit: 10_000, scope: Default::default() };
        let page = self.service.checkpoint(DB, &user("reader"), &whole).expect("a checkpoint");
        let shown: BTreeMap<_, _> = page
            .items
            .into_iter()
            .map(|item| {
                let relations = item.relations.into_iter().map(|one| (one.id, (one.predicate, one.object))).collect();
                let tags = item.tags.into_iter().collect();
                let whole = Whole { value: item.value, indexes: item.indexes, relations, tags };
                ((item.collection, item.key), (item.rev, whole))
            })
            .collect();
        if page.next.is_none() {
            assert_eq!(shown, made, "the items are what the log makes");
        }
    }
}

/// An item with all that it has.
#[derive(Debug, PartialEq)]
struct Whole {
    value: Json,
    indexes: BTreeMap<String, String>,
    relations: BTreeMap<String, (String, Object)>,
    tags: BTreeSet<String>,
}

/// An item after an entry; `None`: it is gone.
fn applied(before: Option<Whole>, entry: &Entry, change: Change<'_>) -> Option<Whole> {
    let seq = entry.seq;
    if let Change::Set(value) = change {
        let mut whole = before.unwrap_or_else(|| Whole {
            value: Json::null(),
            indexes: BTreeMap::new(),
            relations: BTreeMap::new(),
            tags: entry.tags.iter().cloned().collect(),
        });
        whole.value = value.clone();
        return Some(whole);
    }
    if change == Change::Delete {
        return None;
    }
    let mut whole = before.unwrap_or_else(|| panic!("entry {seq} is on an item that is not there"));
    let there = match change {
        Change::Patch(patch) => {
            let patched = patch::apply(&whole.value, patch, &Limits::default());
            whole.value = patched.expect("a committed patch applies");
            true
        }
        Change::SetIndex { name, order } => {
            whole.indexes.insert(name.to_owned(), order.to_owned());
            true
        }
        Change::SetRelation { id, predicate, object } => {
            whole.relations.insert(id.to_owned(), (predicate.to_owned(), object.clone()));
            true
        }
        Change::AddTag(tag) => {
            whole.tags.insert(tag.to_owned());
            true
        }
        Change::DeleteIndex { name } => whole.indexes.remove(name).is_some(),
        Change::DeleteRelation { id } => whole.relations.remove(id).is_some(),
        Change::RemoveTag(tag) => whole.tags.remove(tag),
        Change::Set(_) | Change::Delete => true,
    };
    assert!(there, "entry {seq} changed nothing, and is told to others");
    Some(whole)
}

/// A refusal of a request is one that a client understands; the storage has nothing to do with it.
fn answered(error: &ServiceError) {
    assert!(!matches!(error, ServiceError::Storage(_)), "a request broke the storage: {error}");
}

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
    BatchRequest, Change, CheckpointItem, ClientId, Cursor, DataOp, Entry, EntryOutcome, Format, Json, Limits, Object,
    Op, OpKind, PushOutcome, PushRequest, PushResponse, Ref, Scope, patch,
};
use syncstore_server::fuzzing;
use syncstore_server::service::{
    Caller, CheckpointRequest, Conditions, Expected, InboxRequest, Policy, Service, ServiceError, Tags, WriteRequest,
};

/// The most steps of a run.
const MOST_STEPS: usize = 24;

/// What a database takes that has next to nothing.
const EMPTY: u64 = 36 << 12;

/// Asks what the input's bytes say, or what is made of its choices.
pub fn requests_to_server(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let room = room();
    let environment = Still::new(7);
    // Where the input is bytes, these bits are of its format.
    let made_up = mode & 1 != 0;
    let mut source = Source::new(if made_up { rest } else { &[] });
    let small = (made_up && mode & 8 != 0).then(|| {
        let room = source.pick(&[1 << 12, 1 << 13, 1 << 14, 1 << 16]);
        (EMPTY + room, source.pick(&[1 << 8, 1 << 10, 1 << 14]))
    });
    let service = service(room.path(), environment.clone(), |options| {
        options.limits.value = 1 << 14;
        options.limits.batch_ops = 8;
        options.policies.insert("lists".into(), Policy::Merge);
        options.policies.insert("new".into(), Policy::RejectStale);
        if let Some((largest, work)) = small {
            (options.largest_database, options.push_work) = (largest, work);
        }
    });
    let mut asked = Asked {
        service,
        environment,
        data: mode & 4 != 0,
        small: small.is_some(),
        filters: made_up && mode & 16 != 0,
        pruned: false,
        cursors: Vec::new(),
        pages: Vec::new(),
        scopes: Vec::new(),
        taken: Vec::new(),
    };
    if small.is_some() {
        // Who comes first when there is no room left is not let in.
        let known = PushRequest { client: reader(), cursor: None, ops: Vec::new() };
        asked.service.push(DB, &user("reader"), known).expect("room for a client");
    }
    if !made_up {
        let format = format_of(*mode);
        for chunk in rest.split(|byte| *byte == 0xc1) {
            asked.recorded(format, chunk);
        }
    } else {
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
    /// Whether the database becomes full soon.
    small: bool,
    /// Whether less than everything is asked for at times.
    filters: bool,
    pruned: bool,
    cursors: Vec<Cursor>,
    pages: Vec<String>,
    /// What was asked for, where it was not everything.
    scopes: Vec<Scope>,
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

/// Who looks at everything in the end.
fn reader() -> ClientId {
    ClientId::from_random(0xfeed)
}

impl Asked {
    fn recorded(&mut self, format: Format, chunk: &[u8]) {
        if let Some(text) = chunk.strip_prefix(b"?").and_then(|text| std::str::from_utf8(text).ok()) {
            let (client, cursor, page, limit, scope) = fuzzing::query(text);
            let (Some(client), Some(limit), Some(scope)) = (client, limit, scope) else { return };
            self.inbox("ada", InboxRequest { client, cursor, limit, own_payloads: false, scope: scope.clone() });
            self.checkpoint("ada", CheckpointRequest { client, page, limit, scope: scope.clone() });
            self.scopes.extend(Some(scope).filter(|scope| !scope.is_everything()));
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
            4 => {
                let (cursor, limit) = (self.cursor(source), source.number() as u32);
                let (own_payloads, scope) = (source.one_in(2), self.scope(source));
                self.inbox(name, InboxRequest { client, cursor, limit, own_payloads, scope });
            }
            5 => {
                let page = match (source.below(4), self.pages.as_slice()) {
                    (1, [.., page]) => Some(page.clone()),
                    (2, _) => Some(source.text()),
                    _ => None,
                };
                let (limit, scope) = (1 + source.below(4) as u32, self.scope(source));
                self.checkpoint(name, CheckpointRequest { client, page, limit, scope });
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

    /// Most often one that was asked for before, so that a cursor or a page fits.
    fn scope(&mut self, source: &mut Source<'_>) -> Scope {
        if !self.filters {
            return Scope::default();
        }
        match (source.below(4), self.scopes.last()) {
            (0, _) => Scope::default(),
            (1 | 2, Some(scope)) => scope.clone(),
            _ => {
                let filter = source.filter();
                // Everything has no text, so it cannot be said to be there already.
                let have = source.one_in(3).then(|| source.filter()).filter(|have| !have.is_everything());
                let scope = Scope { filter, have };
                self.scopes.push(scope.clone());
                scope
            }
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
            let (mut value, patch) = (source.json_text(), source.patch_text());
            if self.small && source.one_in(3) {
                value = format!("\"{}\"", "v".repeat(1 << source.pick(&[10, 12, 13])));
            }
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
                for (collection, key) in page.entries.iter().filter_map(|entry| entry.item().ok()) {
                    assert!(request.scope.has(collection, key), "{collection:?} {key:?} is not of {:?}", request.scope);
                }
                self.cursors.push(page.cursor);
            }
            Err(error) => answered(&error),
        }
    }

    fn checkpoint(&mut self, name: &str, request: CheckpointRequest) {
        match self.service.checkpoint(DB, &caller(name), &request) {
            Ok(page) => {
                let strange = page.items.iter().find(|item| !request.scope.has(&item.collection, &item.key));
                assert!(strange.is_none(), "{strange:?} is not of {:?}", request.scope);
                if request.page.is_none() && page.next.is_none() {
                    assert_eq!(page.total, page.items.len() as u64, "the items of {:?}", request.scope);
                }
                self.cursors.push(page.cursor);
                self.pages.extend(page.next);
            }
            Err(error) => answered(&error),
        }
    }

    /// The log of a scope, as one is told who wrote none of it; `None`: it begins too late by now.
    fn log(&self, scope: &Scope) -> Option<Vec<Entry>> {
        let (cursor, scope) = (None, scope.clone());
        let mut request = InboxRequest { client: reader(), cursor, limit: 100, own_payloads: true, scope };
        let mut told = Vec::new();
        loop {
            let page = match self.service.inbox(DB, &user("reader"), &request) {
                Ok(page) => page,
                // What is full prunes by itself, and forgets clients like any other.
                Err(ServiceError::CursorExpired(_)) if self.pruned || self.small => return None,
                Err(ServiceError::Full(_)) if self.pruned && self.small => return None,
                Err(error) => panic!("the log is not readable: {error}"),
            };
            told.extend(page.entries);
            request.cursor = Some(page.cursor);
            if !page.more {
                return Some(told);
            }
        }
    }

    /// All items of a scope; `None`: there are too many for a page, or no room to make a checkpoint.
    fn items(&self, scope: &Scope) -> Option<Vec<CheckpointItem>> {
        let whole = CheckpointRequest { client: reader(), page: None, limit: 10_000, scope: scope.clone() };
        match self.service.checkpoint(DB, &user("reader"), &whole) {
            Ok(page) => page.next.is_none().then_some(page.items),
            Err(ServiceError::Full(_)) if self.pruned && self.small => None,
            Err(error) => panic!("no checkpoint: {error}"),
        }
    }

    /// A part of the log and of the items is what the whole has of that part.
    fn agrees_in_part(&self, scope: &Scope, told: Vec<Entry>, items: Option<Vec<CheckpointItem>>) {
        let of = |entry: &Entry| entry.item().is_ok_and(|(collection, key)| scope.has(collection, key));
        let expected: Vec<Entry> = told.into_iter().filter(of).collect();
        if let Some(told) = self.log(scope) {
            assert_eq!(said(&told), said(&expected), "the log of {scope:?}");
        }
        if let (Some(mut items), Some(shown)) = (items, self.items(scope)) {
            items.retain(|item| scope.has(&item.collection, &item.key));
            assert_eq!(said(&shown), said(&items), "the items of {scope:?}");
        }
    }

    /// What the whole log makes is what a checkpoint shows, and no ref was applied twice.
    fn agrees_with_its_log(&self) {
        let Some(told) = self.log(&Scope::default()) else { return };
        let mut made: BTreeMap<(String, String), (u64, Whole)> = BTreeMap::new();
        let mut refs = BTreeSet::new();
        for entry in &told {
            assert!(refs.insert(entry.op_ref), "{} stands twice in the log", entry.op_ref);
            assert_eq!(entry.outcome, EntryOutcome::Accepted, "a rejection is told to another");
            let (Ok((collection, key)), Some(rev), Ok(change)) = (entry.item(), entry.rev, entry.change()) else {
                panic!("entry {} is not whole", entry.seq)
            };
            let at = (collection.to_owned(), key.to_owned());
            let before = made.remove(&at);
            assert_eq!(entry.from, Some(before.as_ref().map_or(0, |(rev, _)| *rev)), "entry {}", entry.seq);
            if let Some(after) = applied(before.map(|(_, whole)| whole), entry, change) {
                made.insert(at, (rev, after));
            }
        }
        let items = self.items(&Scope::default());
        let shown = items.iter().flatten().cloned();
        let shown: BTreeMap<_, _> = shown
            .map(|item| {
                let relations = item.relations.into_iter().map(|one| (one.id, (one.predicate, one.object))).collect();
                let tags = item.tags.into_iter().collect();
                let whole = Whole { value: item.value, indexes: item.indexes, relations, tags };
                ((item.collection, item.key), (item.rev, whole))
            })
            .collect();
        if items.is_some() {
            assert_eq!(shown, made, "the items are what the log makes");
        }
        if let Some(scope) = self.scopes.last() {
            self.agrees_in_part(scope, told, items);
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

/// What messages come to, to compare them.
fn said<T: serde::Serialize>(messages: &[T]) -> String {
    serde_json::to_string(messages).expect("what was answered can be sent")
}

/// A refusal of a request is one that a client understands; the storage has nothing to do with it.
fn answered(error: &ServiceError) {
    assert!(!matches!(error, ServiceError::Storage(_)), "a request broke the storage: {error}");
}

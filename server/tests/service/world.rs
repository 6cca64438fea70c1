//! A service with a clock of its own, and short ways to talk to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{
    BatchId, CheckpointItem, CheckpointPage, ClientId, Cursor, Entry, InboxPage, Json, Object, Op, OpKind, OpResult,
    PushOutcome, PushRequest, PushResponse, Ref, Relation, Seq,
};
use syncstore_server::service::{
    Caller, CheckpointRequest, InboxRequest, Service, ServiceError, ServiceOptions, Tags, Writing,
};
use tempfile::TempDir;

pub const DAY: u64 = 24 * 60 * 60 * 1000;
pub const DB: &str = "notes";

/// Time stands still until a test moves it; "random" bits count.
pub struct Clock {
    now: AtomicU64,
    random: AtomicU64,
}

impl Environment for Clock {
    fn unix_ms(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.unix_ms())
    }
    fn random(&self) -> u64 {
        self.random.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
    fn sleep(&self, duration: Duration) {
        self.now.fetch_add(duration.as_millis() as u64, Ordering::SeqCst);
    }
}

pub struct World {
    pub dir: TempDir,
    pub clock: Arc<Clock>,
    pub service: Service,
    change: fn(&mut ServiceOptions),
    order: AtomicU64,
}

pub fn options(dir: &TempDir, clock: &Arc<Clock>, change: fn(&mut ServiceOptions)) -> ServiceOptions {
    let mut options = ServiceOptions::new(dir.path());
    options.environment = clock.clone();
    options.writing = Writing::Caller;
    options.synced = false;
    change(&mut options);
    options
}

impl World {
    pub fn new() -> World {
        World::with(|_| {})
    }

    pub fn with(change: fn(&mut ServiceOptions)) -> World {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Clock { now: AtomicU64::new(1_790_000_000_000), random: AtomicU64::new(1) });
        let service = Service::open(options(&dir, &clock, change)).unwrap();
        World { dir, clock, service, change, order: AtomicU64::new(0) }
    }

    /// Closes the service and opens it again, with options changed further.
    pub fn reopen(&mut self, change: impl Fn(&mut ServiceOptions)) {
        self.service.shutdown();
        let mut options = options(&self.dir, &self.clock, self.change);
        change(&mut options);
        self.service = Service::open(options).unwrap();
    }

    pub fn pass(&self, milliseconds: u64) {
        self.clock.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// A ref of now.
    pub fn new_ref(&self) -> Ref {
        let count = self.order.fetch_add(1, Ordering::SeqCst);
        Ref::from_parts(((self.clock.unix_ms() as i64) << 12) | (count as i64 & 0xfff), count)
    }

    pub fn set(&self, key: &str, value: &str) -> Op {
        let mut op = self.op(OpKind::Set, key);
        op.value = Some(Json::parse(value).unwrap());
        op
    }

    pub fn patch(&self, key: &str, patch: &str) -> Op {
        let mut op = self.op(OpKind::Patch, key);
        op.patch = Some(Json::parse(patch).unwrap());
        op
    }

    pub fn delete(&self, key: &str) -> Op {
        self.op(OpKind::Delete, key)
    }

    pub fn index(&self, key: &str, name: &str, order: &str) -> Op {
        Op { index: Some(name.into()), order: Some(order.into()), ..self.op(OpKind::Set, key) }
    }

    pub fn unindex(&self, key: &str, name: &str) -> Op {
        Op { index: Some(name.into()), ..self.op(OpKind::Delete, key) }
    }

    /// A relation to an item of that key.
    pub fn relate(&self, key: &str, id: &str, predicate: &str, to: &str) -> Op {
        let object = Some(Object { collection: "c".into(), key: to.into() });
        Op { relation: Some(id.into()), predicate: Some(predicate.into()), object, ..self.op(OpKind::Set, key) }
    }

    pub fn unrelate(&self, key: &str, id: &str) -> Op {
        Op { relation: Some(id.into()), ..self.op(OpKind::Delete, key) }
    }

    pub fn tag(&self, key: &str, tag: &str) -> Op {
        Op { tag: Some(tag.into()), ..self.op(OpKind::Set, key) }
    }

    pub fn untag(&self, key: &str, tag: &str) -> Op {
        Op { tag: Some(tag.into()), ..self.op(OpKind::Delete, key) }
    }

    fn op(&self, kind: OpKind, key: &str) -> Op {
        Op::new(self.new_ref(), kind, "c", key)
    }

    pub fn try_push(&self, client: u128, ops: &[Op]) -> Result<PushResponse, ServiceError> {
        self.push_at(client, None, ops)
    }

    pub fn push_at(&self, client: u128, cursor: Option<Cursor>, ops: &[Op]) -> Result<PushResponse, ServiceError> {
        let request = PushRequest { client: id(client), cursor, ops: ops.to_vec() };
        self.service.push(DB, &ada(), request)
    }

    pub fn push(&self, client: u128, ops: &[Op]) -> Vec<OpResult> {
        self.try_push(client, ops).unwrap().results
    }

    /// Pushes one op and gives its seq, which must be accepted.
    pub fn accept(&self, client: u128, op: Op) -> Seq {
        let results = self.push(client, &[op]);
        assert_eq!(results[0].outcome, PushOutcome::Accepted, "{results:?}");
        results[0].seq.unwrap()
    }

    pub fn page(&self, client: u128, cursor: Option<Cursor>, limit: u32) -> Result<InboxPage, ServiceError> {
        let request =
            InboxRequest { client: id(client), cursor, limit, own_payloads: false, scope: Default::default() };
        self.service.inbox(DB, &ada(), &request)
    }

    pub fn pull(&self, client: u128, cursor: Option<Cursor>) -> (Vec<Entry>, Cursor) {
        let page = self.page(client, cursor, 10_000).unwrap();
        assert!(!page.more);
        (page.entries, page.cursor)
    }

    pub fn push_as(&self, caller: &Caller, client: u128, ops: &[Op]) -> Vec<OpResult> {
        let request = PushRequest { client: id(client), cursor: None, ops: ops.to_vec() };
        self.service.push(DB, caller, request).unwrap().results
    }

    pub fn accept_as(&self, caller: &Caller, client: u128, op: Op) -> Seq {
        let results = self.push_as(caller, client, &[op]);
        assert_eq!(results[0].outcome, PushOutcome::Accepted, "{results:?}");
        results[0].seq.unwrap()
    }

    pub fn page_as(
        &self,
        caller: &Caller,
        client: u128,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<InboxPage, ServiceError> {
        let request =
            InboxRequest { client: id(client), cursor, limit, own_payloads: false, scope: Default::default() };
        self.service.inbox(DB, caller, &request)
    }

    pub fn pull_as(&self, caller: &Caller, client: u128) -> Vec<Entry> {
        let page = self.page_as(caller, client, None, 10_000).unwrap();
        assert!(!page.more);
        page.entries
    }

    pub fn checkpoint_as(
        &self,
        caller: &Caller,
        client: u128,
        page: Option<String>,
        limit: u32,
    ) -> Result<CheckpointPage, ServiceError> {
        self.service.checkpoint(
            DB,
            caller,
            &CheckpointRequest { client: id(client), page, limit, scope: Default::default() },
        )
    }

    /// What a caller's checkpoint has, as "key=value: resources".
    pub fn seen_by(&self, caller: &Caller, client: u128) -> Vec<String> {
        let page = self.checkpoint_as(caller, client, None, 10_000).unwrap();
        assert_eq!((page.next, page.total), (None, page.items.len() as u64));
        page.items.iter().map(|item| format!("{}={}:{}", item.key, item.value, resources(item))).collect()
    }

    /// The cursor at the log's head.
    pub fn head(&self, client: u128) -> Cursor {
        self.pull(client, None).1
    }

    /// The cursor at the log's head, by a checkpoint where the log does not reach back to its begin.
    pub fn head_or_new(&self, client: u128) -> Cursor {
        match self.page(client, None, 10_000) {
            Ok(page) => page.cursor,
            Err(_) => self.checkpoint(client, None, 1).unwrap().cursor,
        }
    }

    pub fn checkpoint(&self, client: u128, page: Option<String>, limit: u32) -> Result<CheckpointPage, ServiceError> {
        self.service.checkpoint(
            DB,
            &ada(),
            &CheckpointRequest { client: id(client), page, limit, scope: Default::default() },
        )
    }

    /// All items as "key=value", in the order of keys.
    pub fn items(&self) -> Vec<String> {
        let page = self.checkpoint(0xfff, None, 10_000).unwrap();
        assert_eq!(page.next, None);
        page.items.iter().map(|item| format!("{}={}", item.key, item.value)).collect()
    }

    /// What the items have besides values, as "key: name=order id>predicate:object #tag", in the order of keys.
    pub fn resources(&self) -> Vec<String> {
        let page = self.checkpoint(0xfff, None, 10_000).unwrap();
        page.items.iter().map(|item| format!("{}:{}", item.key, resources(item))).collect()
    }
}

pub fn resources(item: &CheckpointItem) -> String {
    let indexes = item.indexes.iter().map(|(name, order)| format!(" {name}={order}"));
    let relations = item.relations.iter().map(|relation| {
        let Relation { id, predicate, object } = relation;
        format!(" {id}>{predicate}:{}", object.key)
    });
    let tags = item.tags.iter().map(|tag| format!(" #{tag}"));
    indexes.chain(relations).chain(tags).collect()
}

pub fn id(client: u128) -> ClientId {
    ClientId::from_random(client)
}

pub fn batch(mut op: Op, batch: u128, of: u32) -> Op {
    op.batch = Some(BatchId::from_random(batch));
    op.of = Some(of);
    op
}

pub fn based(mut op: Op, base: Seq) -> Op {
    op.base = Some(base);
    op
}

pub fn user(name: &str) -> Caller {
    Caller { user: name.into(), tags: Tags::All, grant: Vec::new() }
}

/// A user who may see and assign these tags only, and puts the same on what is new.
pub fn only(name: &str, tags: &[&str]) -> Caller {
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Caller { user: name.into(), tags: Tags::Only(tags.clone()), grant: tags }
}

pub fn ada() -> Caller {
    user("ada")
}

/// "accepted 3", "rejected 4 stale", "rejected - expired", "staged", "queued", "skipped".
pub fn words(results: &[OpResult]) -> Vec<String> {
    let word = |result: &OpResult| match (result.outcome, &result.code) {
        (PushOutcome::Accepted, _) => format!("accepted {}", result.seq.unwrap()),
        (PushOutcome::Rejected, Some(code)) => {
            format!("rejected {} {code}", result.seq.map_or("-".into(), |seq| seq.to_string()))
        }
        (PushOutcome::Staged, _) => "staged".into(),
        (PushOutcome::Skipped, _) => "skipped".into(),
        (PushOutcome::Queued, _) => "queued".into(),
        other => format!("{other:?}"),
    };
    results.iter().map(word).collect()
}

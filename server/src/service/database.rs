//! One open database.

use super::approval::{Asking, Bell};
use super::checkpoint::PageToken;
use super::readers::Readers;
use super::retention::Round;
use super::rounds::Rounds;
use super::seal::Seal;
use super::writer::{Job, Queue, Reply, Shared, Writer};
use super::{
    Caller, CheckpointRequest, CollectionsRequest, DatabaseStats, InboxRequest, ListRequest, ServiceError,
    ServiceOptions, WriteRequest, Writing, checkpoint, data, inbox,
};
use crate::core::approval::{Decided, Verdict};
use crate::core::{Rules, cursor::Position};
use crate::storage::sqlite::{self, LogBound, SqliteFile, SqliteSnapshot, WriterCaches};
use crate::storage::{EpochId, Snapshot, StorageError};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use syncstore::protocol::{
    BatchId, BatchRequest, BatchResponse, CheckpointPage, CollectionPage, DataItem, DatabaseInfo, Format, InboxPage,
    ItemPage, Op, PushRequest, PushResponse, Ref, Seq, Written,
};
use tokio::sync::watch;

pub struct Database {
    options: Arc<ServiceOptions>,
    rules: Arc<Rules>,
    shared: Arc<Shared>,
    seal: Arc<Seal>,
    readers: Readers,
    writer: Mutex<Handle>,
    failed: AtomicBool,
}

enum Handle {
    Thread(SyncSender<Job>, JoinHandle<()>),
    Caller(Box<Writer>),
    Closed,
}

const CLOSING: ServiceError = ServiceError::Overloaded("it is shutting down");
const FAILED: ServiceError = ServiceError::Overloaded("its writer failed");

pub fn new_epoch(options: &ServiceOptions) -> EpochId {
    let random = (u128::from(options.environment.random()) << 64) | u128::from(options.environment.random());
    random.to_be_bytes()
}

pub fn file(options: &ServiceOptions, path: PathBuf) -> SqliteFile {
    SqliteFile::new(path, options.synced, options.vfs.clone())
}

impl Database {
    pub fn open(
        name: &str,
        path: PathBuf,
        options: Arc<ServiceOptions>,
        rules: Arc<Rules>,
        seal: Arc<Seal>,
        rounds: Arc<Rounds>,
    ) -> Result<Database, ServiceError> {
        let file = file(&options, path);
        let mut connection = file.writer(new_epoch(&options))?;
        let state = *SqliteSnapshot::begin(&mut connection)?.state();
        let bytes = sqlite::bytes(&connection)?;
        let stats = DatabaseStats {
            name: name.to_owned(),
            head: state.head,
            items: state.items,
            bytes,
            log_entries: state.entries,
            log_bytes: state.log_bytes,
            queued_ops: state.queued,
            queued_bytes: state.queued_bytes,
            ..DatabaseStats::default()
        };
        let shared = Arc::new(Shared {
            presence: Default::default(),
            head: watch::Sender::new(state.head),
            stats: Mutex::new(stats),
            queue: Mutex::default(),
            asking: Mutex::new(Asking::default()),
            bell: Bell::default(),
        });
        let writer = Writer {
            connection,
            caches: WriterCaches::default(),
            log_bound: LogBound::default(),
            options: options.clone(),
            rules: rules.clone(),
            shared: shared.clone(),
            round: Round::Over,
            pruned_at: rounds.of(name),
            rounds,
            more_free: state.queued > 0,
            bytes,
        };
        let handle = match options.writing {
            Writing::Caller => Handle::Caller(Box::new(writer)),
            Writing::Thread => {
                let (sender, jobs) = sync_channel(options.queue.max(1));
                let thread = std::thread::Builder::new().name(format!("writer {name}"));
                Handle::Thread(sender, thread.spawn(move || writer.run(&jobs)).map_err(StorageError::from)?)
            }
        };
        Ok(Database {
            options,
            rules,
            shared,
            seal,
            readers: Readers::new(file),
            writer: Mutex::new(handle),
            failed: AtomicBool::new(false),
        })
    }

    fn submit<T>(&self, bytes: usize, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, ServiceError> {
        let (reply, answer) = sync_channel(1);
        let mut handle = self.writer.lock();
        match &mut *handle {
            Handle::Closed => return Err(CLOSING),
            Handle::Caller(writer) => {
                writer.commit(vec![job(reply)]);
                writer.tidy();
                while !writer.is_idle() {
                    writer.tidy();
                }
            }
            Handle::Thread(sender, _) => {
                let full = || ServiceError::Overloaded("too many requests wait for this database");
                let mut queue = self.shared.queue.lock();
                // A single push is always let in, however large.
                if queue.jobs > 0 && queue.bytes.saturating_add(bytes) > self.options.queue_bytes {
                    return Err(full());
                }
                match sender.try_send(job(reply)) {
                    Ok(()) => *queue = Queue { jobs: queue.jobs + 1, bytes: queue.bytes + bytes },
                    Err(TrySendError::Full(_)) => return Err(full()),
                    Err(TrySendError::Disconnected(_)) => return Err(self.fail()),
                }
            }
        }
        drop(handle);
        // A writer that is told to end answers what waits first.
        answer.recv().unwrap_or_else(|_| Err(self.fail()))
    }

    fn fail(&self) -> ServiceError {
        if !self.failed.swap(true, Ordering::Relaxed) {
            let database = &self.shared.stats.lock().name;
            tracing::error!(database, "the writer panicked; the database is opened again when it is next used");
        }
        FAILED
    }

    /// Whether nothing can be written any more, until it is closed and opened again.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub fn push(&self, caller: &Caller, request: PushRequest) -> Result<PushResponse, ServiceError> {
        let limits = &self.options.limits;
        let bytes = request.ops.iter().map(|op| op.payload_len()).sum::<usize>();
        if bytes > limits.body {
            let most = limits.body;
            return Err(ServiceError::TooLarge(format!(
                "the push has {bytes} bytes of operations; the limit is {most}"
            )));
        }
        let caller = caller.clone();
        self.submit(bytes, |reply| Job::Push { caller, request, bytes, reply })
    }

    fn new_ref(&self) -> Ref {
        let environment = &self.options.environment;
        let now = i64::try_from(environment.unix_ms()).unwrap_or(i64::MAX);
        let random = environment.random();
        // The low bits of the order only tell refs of one replica apart.
        Ref::from_parts(now.wrapping_shl(12) | (environment.random() & 0xfff) as i64, random)
    }

    pub fn write(&self, caller: &Caller, request: WriteRequest) -> Result<Written, ServiceError> {
        let WriteRequest { op, conditions } = request;
        let op = Box::new(op.into_op(|| self.new_ref()));
        let (caller, bytes) = (caller.clone(), op.payload_len());
        let decided = self.submit(bytes, |reply| Job::Write { caller, op, conditions, bytes, reply })?;
        decided.map(|rev| Written { rev }).map_err(ServiceError::Rejected)
    }

    pub fn batch(&self, caller: &Caller, request: BatchRequest) -> Result<BatchResponse, ServiceError> {
        if request.ops.is_empty() {
            return Err(ServiceError::Invalid("a batch has at least one operation".into()));
        }
        let ops: Vec<Op> = request.ops.into_iter().map(|op| op.into_op(|| self.new_ref())).collect();
        let bytes = ops.iter().map(Op::payload_len).sum();
        // Here too, before it waits with others for the writer.
        self.options.limits.check_batch(ops.len(), bytes)?;
        let environment = &self.options.environment;
        let random = (u128::from(environment.random()) << 64) | u128::from(environment.random());
        let (batch, caller) = (BatchId::from_random(random), caller.clone());
        let revs = self.submit(bytes, |reply| Job::Batch { caller, ops, batch, bytes, reply })?;
        Ok(BatchResponse { results: revs.into_iter().map(|rev| Written { rev }).collect() })
    }

    pub fn collections(&self, caller: &Caller, request: &CollectionsRequest) -> Result<CollectionPage, ServiceError> {
        self.readers.read(|snapshot| data::collections(snapshot, caller, request))
    }

    pub fn list(&self, caller: &Caller, request: &ListRequest) -> Result<ItemPage, ServiceError> {
        self.readers.read(|snapshot| data::list(snapshot, &self.options.limits, caller, request))
    }

    pub fn item(&self, caller: &Caller, collection: &str, key: &str) -> Result<DataItem, ServiceError> {
        self.readers.read(|snapshot| data::item(snapshot, &self.options.limits, caller, collection, key))
    }

    pub(super) fn options(&self) -> &ServiceOptions {
        &self.options
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn name(&self) -> String {
        self.shared.stats.lock().name.clone()
    }

    pub(super) fn read<R>(
        &self,
        read: impl FnOnce(&SqliteSnapshot<'_>) -> Result<R, ServiceError>,
    ) -> Result<R, ServiceError> {
        self.readers.read(read)
    }

    /// Carries out what an approver has decided.
    pub(super) fn decide(&self, verdicts: HashMap<Ref, Verdict>) -> Result<Decided, ServiceError> {
        let mut all = Decided { left: verdicts, ..Decided::default() };
        while !all.left.is_empty() {
            let verdicts = std::mem::take(&mut all.left);
            let decided = self.submit(0, |reply| Job::Decide { verdicts, reply })?;
            all.codes.extend(decided.codes);
            all.ignored += decided.ignored;
            all.left = decided.left;
        }
        Ok(all)
    }

    pub fn inbox(&self, caller: &Caller, request: &InboxRequest) -> Result<InboxPage, ServiceError> {
        let digest = caller.digest(&request.scope.filter);
        let now = self.options.environment.unix_ms();
        let page = self.readers.read(|snapshot| {
            self.rules.room.admit(snapshot, &request.client)?;
            // Whose the client id is comes first: nothing is told to another user.
            self.shared.presence.meet(snapshot, &request.client, &caller.user, 0, now)?;
            let start: Position = inbox::start(snapshot, request, digest)?;
            let own = self.shared.presence.meet(snapshot, &request.client, &caller.user, start.seq, now)?;
            self.shared.presence.replay_from(&request.client, digest, start.seq);
            inbox::page(snapshot, start, own, &caller.tags, request)
        })?;
        self.shared.stats.lock().inbox_pages += 1;
        Ok(page)
    }

    pub fn checkpoint(&self, caller: &Caller, request: &CheckpointRequest) -> Result<CheckpointPage, ServiceError> {
        let (digest, now) = (caller.digest(&request.scope.filter), self.options.environment.unix_ms());
        let token = match &request.page {
            Some(page) => PageToken::decode(page, &self.seal).ok_or(ServiceError::CheckpointExpired)?,
            None => {
                // Here, since it takes long and the one writer has others to serve.
                let total = self.readers.read(|snapshot| {
                    self.rules.room.admit(snapshot, &request.client)?;
                    checkpoint::total(snapshot, request, &caller.tags)
                })?;
                let (client, user) = (request.client, caller.user.clone());
                let row = self.submit(0, |reply| Job::Checkpoint { client, user, digest, total, reply })?;
                PageToken::first(row.id)
            }
        };
        let random = || self.options.environment.random();
        let page = self.readers.read(|snapshot| {
            self.rules.room.admit(snapshot, &request.client)?;
            self.shared.presence.meet(snapshot, &request.client, &caller.user, 0, now)?;
            let row = snapshot.checkpoint(&token.id)?.ok_or(ServiceError::CheckpointExpired)?;
            checkpoint::check(&row, snapshot, request, digest, &self.options.retention, now)?;
            if request.page.is_some() {
                self.shared.presence.use_checkpoint(row.id, now);
            }
            let page = checkpoint::page(snapshot, &row, &token, &caller.tags, request, (&self.seal, random))?;
            self.shared.presence.give_page(&row, page.next.is_none());
            Ok(page)
        })?;
        self.shared.stats.lock().checkpoint_pages += 1;
        Ok(page)
    }

    pub fn info(&self) -> Result<DatabaseInfo, ServiceError> {
        let (state, first) = self.readers.read(|snapshot| Ok((*snapshot.state(), snapshot.first_epoch()?)))?;
        let name = |epoch| format!("{:032x}", u128::from_be_bytes(epoch));
        Ok(DatabaseInfo {
            database: Some(name(first)),
            epoch: name(state.epoch),
            seq: state.head,
            limits: self.options.limits.clone(),
            formats: Format::ALL.iter().map(|format| format.content_type().into()).collect(),
            encodings: vec!["gzip".into()],
            retention: self.options.retention.published(),
        })
    }

    pub fn subscribe(&self) -> watch::Receiver<Seq> {
        self.shared.head.subscribe()
    }

    pub fn is_watched(&self) -> bool {
        self.shared.head.receiver_count() > 0
    }

    pub fn prune(&self) -> Result<(), ServiceError> {
        self.submit(0, |reply| Job::Prune { reply })
    }

    pub fn stats(&self) -> DatabaseStats {
        let queued = self.shared.queue.lock().jobs as u64;
        DatabaseStats { queued, ..self.shared.stats.lock().clone() }
    }

    /// Finishes what waits and closes the file. Later calls fail; a second close does nothing.
    pub fn close(&self) {
        let handle = std::mem::replace(&mut *self.writer.lock(), Handle::Closed);
        self.shared.bell.close();
        self.readers.close();
        match handle {
            Handle::Thread(sender, thread) => {
                drop(sender);
                if thread.join().is_err() {
                    tracing::error!("a writer thread panicked");
                }
            }
            Handle::Caller(mut writer) => writer.close(),
            Handle::Closed => {}
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

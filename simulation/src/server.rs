//! The real server core on a disk of its own, which crashes and is restored.

use crate::clock::Machine;
use crate::disk::{Disk, Image, Stop};
use crate::judge::Judge;
use crate::oracle::{Item, Lineage, Whole, resources_of};
use crate::plan::Plan;
use crate::random::Random;
use crate::reader::{judge_checkpoint, judge_page};
use crate::refusals::Moment;
use crate::residue::{Knowledge, Seen};
use crate::rights::{Rights, Sight};
use crate::secrets::Secrets;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use syncstore::Filter;
use syncstore::environment::Environment;
use syncstore::protocol::{
    CheckpointPage, ClientId, Code, Cursor, DatabaseInfo, InboxPage, OpKind, PushOutcome, PushRequest, PushResponse,
    Resource, Seq,
};
use syncstore::wire::{CheckpointRequest, Expiry, PullRequest, WireError};
use syncstore_server::service::{self, Caller, InboxRequest, Policy, Service, ServiceError, ServiceOptions, Writing};

const DB: &str = "world";

/// How long after its last page was read a checkpoint holds the log.
const CHECKPOINT_IDLE: Duration = Duration::from_secs(600);

/// The id of the reader who sees everything.
const WITNESS: u128 = 0x0031_7e55;

/// A new epoch's seqs begin at least so far above the head that was restored.
const EPOCH_GAP: Seq = 1 << 35;

pub struct Server {
    directory: PathBuf,
    pub disk: Disk,
    pub machine: Arc<Machine>,
    plan: Plan,
    state: Mutex<State>,
    /// It was killed before what it had written was synced.
    unsynced: AtomicBool,
}

struct State {
    service: Option<Arc<Service>>,
    /// Of each user.
    rights: Vec<Rights>,
    /// All that each user ever saw by.
    sights: Vec<Vec<Seen>>,
    /// What each cursor that was given out is of: its place, what its reader saw, and what it asked for.
    cursors: HashMap<Cursor, (Seq, Sight, Filter)>,
    secrets: Secrets,
    /// The reader who sees everything.
    witness: Option<Cursor>,
    /// The last is the present one.
    lineages: Vec<Lineage>,
    judge: Judge,
    /// Answers whose entries could not be read yet, for the server stopped right behind them.
    unjudged: Vec<Answered>,
    /// The checkpoint of each client. A client has one: the log is not held behind those before.
    checkpoints: HashMap<ClientId, Held>,
    backup: Option<Backup>,
    /// The most bytes that the database may have: less than it has.
    largest: Option<u64>,
    /// It was restored, and has not begun a new epoch yet.
    restored: bool,
}

/// A checkpoint that a client was given.
struct Held {
    cursor: Cursor,
    /// When a page of it was last read.
    read: Moment,
    /// Whether that was the last page.
    complete: bool,
}

/// A push, its answer, and the log's head before it.
struct Answered {
    rights: Rights,
    request: PushRequest,
    response: PushResponse,
    head: Seq,
    /// Whether the database had no room.
    full: bool,
}

struct Backup {
    image: Image,
    lineage: Lineage,
}

/// A database without room takes nothing new but deletes of items, and what completes a batch; and no other says that it has none.
fn judge_room(full: bool, head: Seq, request: &PushRequest, response: &PushResponse) {
    for (op, result) in request.ops.iter().zip(&response.results) {
        let is_new = result.outcome == PushOutcome::Accepted && result.seq.is_some_and(|seq| seq > head);
        let deletes = op.kind == OpKind::Delete && op.resource() == Ok(Resource::Value);
        assert!(!full || !is_new || deletes || op.batch.is_some(), "{} is taken without room", op.op_ref);
        assert!(
            full || result.code != Some(Code::FULL),
            "{} is skipped for want of room, and there is some",
            op.op_ref
        );
    }
}

/// The reader who sees everything.
fn witness() -> Caller {
    Caller { user: "witness".into(), ..Rights::all().caller(0) }
}

impl Server {
    pub fn new(directory: PathBuf, plan: &Plan, machine: Arc<Machine>, random: &mut Random) -> Server {
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        // A service looks for its databases in the directory itself before it begins new epochs.
        std::fs::write(directory.join(format!("db-{DB}.sqlite")), "").expect("a temporary directory");
        let server = Server {
            directory,
            disk: Disk::new(random.next()),
            machine,
            plan: plan.clone(),
            state: Mutex::new(State {
                service: None,
                rights: plan.rights.clone(),
                sights: plan.rights.iter().map(|rights| vec![Seen { by: rights.sight.clone(), until: None }]).collect(),
                cursors: HashMap::new(),
                secrets: Secrets::default(),
                witness: None,
                lineages: vec![Lineage::default()],
                judge: Judge::new(plan),
                unjudged: Vec::new(),
                checkpoints: HashMap::new(),
                backup: None,
                largest: None,
                restored: false,
            }),
            unsynced: AtomicBool::new(false),
        };
        server.open(false);
        // A database is made at its first use.
        server.ask(|service| service.info(DB, &witness())).expect("a new database answers");
        server.witness();
        server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the server's state is held")
    }

    pub fn rights(&self, user: u64) -> Rights {
        self.state().rights[user as usize].clone()
    }

    /// The operator gives a user other rights.
    pub fn set_rights(&self, user: u64, rights: Rights) {
        let state = &mut *self.state();
        let until = state.lineages.iter().map(|lineage| lineage.head).max();
        let sights = &mut state.sights[user as usize];
        sights.last_mut().expect("there is always one").until = until;
        sights.push(Seen { by: rights.sight.clone(), until: None });
        state.rights[user as usize] = rights;
    }

    /// What a user may have come to know.
    pub fn knowledge(&self, user: u64) -> Knowledge {
        let state = self.state();
        Knowledge { own: state.secrets.own(user), sights: state.sights[user as usize].clone() }
    }

    /// What the reader saw to whom a cursor was given.
    pub fn sight_of(&self, cursor: &str) -> Sight {
        let state = self.state();
        let known = state.cursors.get(&Cursor::new(cursor));
        known.unwrap_or_else(|| panic!("nobody was given the cursor {cursor}")).1.clone()
    }

    /// A user is about to write this mark.
    pub fn wrote(&self, user: u64, mark: u64) {
        self.state().secrets.wrote(user, mark);
    }

    /// Fails if an answer to a user has what it may not know.
    pub fn check_secrets(&self, user: u64, what: &str, answer: &str) {
        let state = &mut *self.state();
        state.secrets.check(user, &state.rights[user as usize].sight, what, answer);
    }

    fn open(&self, new_epoch: bool) {
        let mut options = ServiceOptions::new(&self.directory);
        options.environment = self.machine.clone();
        options.writing = Writing::Caller;
        options.vfs = Some(self.disk.name().to_owned());
        options.policies.insert("careful".into(), Policy::RejectStale);
        options.policies.insert("merged".into(), Policy::Merge);
        options.retention.log_entries = self.plan.log_entries;
        options.retention.refs = self.plan.refs;
        // However far the clock jumps: a server that forgets a client cannot tell it what became of its operations.
        options.retention.clients = Duration::from_secs(1_000 * 365 * 24 * 3600);
        options.retention.checkpoint_idle = CHECKPOINT_IDLE;
        let mut state = self.state();
        if let Some(largest) = state.largest {
            options.largest_database = largest;
        }
        // Until a restored server has once begun, its operator says again that it is restored.
        state.restored |= new_epoch;
        options.new_epoch = state.restored;
        state.service = Service::open(options).ok().map(Arc::new);
        state.restored &= state.service.is_none();
    }

    fn ask<T>(&self, ask: impl FnOnce(&Service) -> Result<T, ServiceError>) -> Result<T, WireError> {
        let service = self.state().service.clone();
        let faults = self.disk.faults();
        let Some(service) = service else { return Err(WireError::Unreachable("the server is down".into())) };
        if self.disk.is_stopped() {
            return Err(WireError::Unreachable("the server is down".into()));
        }
        ask(&service).map_err(WireError::from).inspect_err(|error| {
            let explained = match error {
                WireError::Unreachable(_) | WireError::Unavailable { .. } => {
                    self.disk.is_stopped() || self.disk.is_limited() || self.disk.faults() > faults
                }
                WireError::CursorExpired(_) | WireError::CheckpointExpired => true,
                _ => false,
            };
            assert!(explained, "the server answers {error:?}");
        })
    }

    /// Whether it crashed since it was last started.
    pub fn is_down(&self) -> bool {
        self.disk.is_stopped() || self.state().service.is_none()
    }

    /// Starts again after a crash, with what the disk still has; it may stop again so many calls later.
    pub fn restart(&self, again: Option<(u64, Stop)>) {
        self.state().service = None;
        if self.disk.is_stopped() {
            self.disk.restart();
        }
        if let Some((calls, how)) = again {
            self.stop_after(calls, how);
        }
        self.open(false);
        self.witness();
    }

    /// The operator lets the database have as much as it likes, or half of what it has, and starts the server again with that.
    pub fn set_room(&self, room: bool) {
        let bytes = |service: &Arc<Service>| service.stats().first().map(|stats| stats.bytes / 2);
        let mut state = self.state();
        let largest = state.service.as_ref().and_then(bytes).filter(|_| !room);
        let restarts = state.service.is_some() && !self.disk.is_stopped() && state.largest != largest;
        state.largest = largest;
        drop(state);
        if restarts {
            self.restart(None);
        }
    }

    /// Keeps what it is now for a later [`Server::restore`].
    pub fn back_up(&self) {
        let image = self.disk.image();
        let mut state = self.state();
        let lineage = state.lineages.last().expect("there is always one").clone();
        state.backup = Some(Backup { image, lineage });
    }

    /// Becomes what it was at the last backup; false: there is none.
    pub fn restore(&self) -> bool {
        let Some(Backup { image, lineage }) = self.state().backup.take() else { return false };
        self.state().service = None;
        if self.disk.is_stopped() {
            self.disk.restart();
        }
        self.disk.restore(&image);
        self.open(true);
        let mut state = self.state();
        state.witness = None;
        // What was answered is in the log that is lost, though nobody came to read it there.
        let answered = std::mem::take(&mut state.unjudged).into_iter().map(|answered| answered.response.seq).max();
        let left = state.lineages.last_mut().expect("there is always one");
        left.head = left.head.max(answered.unwrap_or_default());
        let restored = lineage.head;
        state.lineages.push(lineage.again(EPOCH_GAP));
        state.judge.rewind(restored);
        state.checkpoints.clear();
        drop(state);
        self.witness();
        true
    }

    /// Reads what is new in the log, as soon as the disk lets it.
    pub fn witness(&self) {
        let mut faults = self.disk.faults();
        while !self.read_log() && !self.is_down() && self.disk.faults() > faults {
            faults = self.disk.faults();
        }
    }

    /// Whether it came to the end. Nothing that was ever read may be missing or different afterwards.
    fn read_log(&self) -> bool {
        let client = ClientId::from_random(WITNESS);
        if self.state().witness.is_none() {
            // A restored server says by a checkpoint where it stands.
            let request = service::CheckpointRequest { client, page: None, limit: 1, scope: Default::default() };
            let Ok(page) = self.ask(|service| service.checkpoint(DB, &witness(), &request)) else { return false };
            let mut state = self.state();
            let lineage = state.lineages.last().expect("there is always one");
            assert_eq!(page.seq, lineage.head, "the server is where its log ends");
            state.witness = Some(page.cursor);
        }
        loop {
            let cursor = self.state().witness.clone();
            let request = InboxRequest { client, cursor, limit: 100, own_payloads: true, scope: Default::default() };
            let page = match self.ask(|service| service.inbox(DB, &witness(), &request)) {
                Ok(page) => page,
                Err(WireError::CursorExpired(expiry)) => {
                    panic!("the log that everything was just read of is said to be gone: {expiry:?}")
                }
                Err(_) => return false,
            };
            let mut state = self.state();
            let state = &mut *state;
            let lineage = state.lineages.last_mut().expect("there is always one");
            lineage.read(&page.entries, page.seq);
            if self.plan.several_rights {
                for entry in &page.entries {
                    let logged = &lineage.log[&entry.seq];
                    let whole = |seq| lineage.at(&logged.item, seq).map(|(whole, _)| &**whole);
                    state.secrets.entry(logged, whole(entry.seq - 1), whole(entry.seq));
                }
            }
            state.judge.read(&page.entries);
            state.witness = Some(page.cursor);
            if !page.more {
                for Answered { rights, request, response, head, full } in std::mem::take(&mut state.unjudged) {
                    judge_room(full, head, &request, &response);
                    state.judge.judge(lineage, head, &rights, &request, &response);
                }
                return true;
            }
        }
    }

    pub fn info(&self, user: u64) -> Result<DatabaseInfo, WireError> {
        let caller = self.rights(user).caller(user);
        self.ask(|service| service.info(DB, &caller))
    }

    pub fn push(&self, user: u64, request: &PushRequest) -> Result<PushResponse, WireError> {
        self.state().judge.see(request, self.machine.unix_ms());
        let rights = self.rights(user);
        let caller = rights.caller(user);
        let answer = self.ask(|service| service.push(DB, &caller, request.clone()));
        if let Ok(response) = &answer {
            let state = &mut *self.state();
            state.judge.hear(response);
            let head = state.lineages.last().expect("there is always one").head;
            let (request, response, full) = (request.clone(), response.clone(), state.largest.is_some());
            state.unjudged.push(Answered { rights, request, response, head, full });
        }
        self.witness();
        answer
    }

    pub fn pull(&self, user: u64, request: &PullRequest) -> Result<InboxPage, WireError> {
        let request = InboxRequest {
            client: request.client,
            cursor: request.cursor.clone(),
            limit: request.limit,
            own_payloads: request.own_payloads,
            scope: request.scope.clone(),
        };
        let rights = self.rights(user);
        let caller = rights.caller(user);
        let answer = self.ask(|service| service.inbox(DB, &caller, &request));
        {
            let state = &mut *self.state();
            let since = request.cursor.as_ref().and_then(|cursor| state.cursors.get(cursor));
            let from = since.map_or(0, |known| known.0);
            state.judge.arrivals.pull(request.client, from, self.machine.unix_ms());
            // Once it was read to its end, a checkpoint holds nothing behind where its client reads on as the same reader
            // (◆21): a pull that comes late may expire.
            let held = state.checkpoints.get(&request.client).filter(|held| held.complete);
            let held = held.and_then(|held| state.cursors.get(&held.cursor));
            let reads_on = |(from, sight, filter): &(Seq, Sight, Filter)| {
                held.is_some_and(|held| held.0 < *from && held.1 == *sight && held.2 == *filter)
            };
            if since.is_some_and(reads_on) && !matches!(answer, Err(WireError::CursorExpired(_))) {
                state.checkpoints.remove(&request.client);
            }
        }
        match (&answer, &request.cursor) {
            (Ok(page), _) => self.judge_pull(&rights.sight, &request, page),
            (Err(WireError::CursorExpired(Expiry::Filter)), Some(cursor)) => {
                let sight = self.sight_of(cursor.as_str());
                assert_ne!(sight, rights.sight, "user{user} sees what it saw, and is told otherwise");
            }
            (Err(WireError::CursorExpired(Expiry::Pruned)), Some(cursor)) => self.judge_pruned(request.client, cursor),
            _ => {}
        }
        answer
    }

    fn judge_pull(&self, sight: &Sight, request: &InboxRequest, page: &InboxPage) {
        let state = &mut *self.state();
        let from = match &request.cursor {
            None => 0,
            Some(cursor) => {
                let (from, seen, filter) = &state.cursors[cursor];
                assert_eq!(*filter, request.scope.filter, "a cursor of one filter is read on with another");
                assert_eq!(seen, sight, "a cursor of who saw the one is read on by who sees the other");
                *from
            }
        };
        let lineage = state.lineages.last().expect("there is always one");
        let own = |op_ref: &_| state.judge.sent_by(op_ref, &request.client);
        judge_page(lineage, (sight, &request.scope), from, page, own);
        state.judge.hear_page(&page.entries);
        let filter = request.scope.filter.clone();
        state.cursors.insert(page.cursor.clone(), (page.seq, sight.clone(), filter));
    }

    /// It is asked something.
    fn read_clock(&self) -> Moment {
        let now = self.machine.unix_ms();
        self.state().judge.arrivals.read_clock(now)
    }

    /// How far its clock has been ahead of what it says now.
    pub fn most_ahead(&self) -> Duration {
        let latest = self.state().judge.arrivals.latest();
        Duration::from_millis(latest.saturating_sub(self.machine.unix_ms()))
    }

    /// A cursor has expired though nothing else is wrong with it.
    fn judge_pruned(&self, client: ClientId, cursor: &Cursor) {
        // One that forgot how far it had come asks again for what it said that it had.
        let forgets = self.plan.shares_files()
            || self.plan.mischief.crash > 0 && self.plan.durability == syncstore::Durability::Normal;
        let state = self.state();
        let held = state.checkpoints.get(&client).filter(|held| held.cursor == *cursor && !forgets);
        let idle = held.map(|held| Duration::from_millis(state.judge.arrivals.age(held.read)));
        assert!(
            idle.is_none_or(|idle| idle > CHECKPOINT_IDLE),
            "the cursor of a checkpoint expired {idle:?} after a page of it was read"
        );
    }

    pub fn checkpoint(&self, user: u64, request: &CheckpointRequest) -> Result<CheckpointPage, WireError> {
        let request = service::CheckpointRequest {
            client: request.client,
            page: request.page.clone(),
            limit: request.limit,
            scope: request.scope.clone(),
        };
        let rights = self.rights(user);
        let caller = rights.caller(user);
        let is_up = !self.is_down();
        self.read_clock();
        let answer = self.ask(|service| service.checkpoint(DB, &caller, &request));
        if request.page.is_none() && is_up {
            // Even where the server stops before it answers, a new one may have taken the place of the one before.
            self.state().checkpoints.remove(&request.client);
        }
        if let Ok(page) = &answer {
            let read = self.read_clock();
            let state = &mut *self.state();
            let held = Held { cursor: page.cursor.clone(), read, complete: page.next.is_none() };
            state.checkpoints.insert(request.client, held);
            let of = (page.seq, rights.sight.clone(), request.scope.filter.clone());
            let (_, seen, filter) = state.cursors.entry(page.cursor.clone()).or_insert(of);
            assert_eq!(*filter, request.scope.filter, "a checkpoint of one filter is read on with another");
            assert_eq!(*seen, rights.sight, "a checkpoint of who saw the one is read on by who sees the other");
            let lineage = state.lineages.last().expect("there is always one");
            judge_checkpoint(lineage, (&rights.sight, &request.scope), page);
        }
        // What was overdue was given up before.
        self.witness();
        answer
    }

    pub fn prune(&self) {
        self.read_clock();
        // A server that is down prunes later.
        let _ = self.ask(|service| service.prune(DB));
        self.witness();
    }

    /// It is killed right before something is synced.
    pub fn kill_at_sync(&self, syncs: u64) {
        self.unsynced.store(true, Ordering::Relaxed);
        self.disk.stop_at_sync(syncs, Stop::Process);
    }

    /// Whether the last stop was such a kill, and none came since.
    pub fn take_unsynced(&self) -> bool {
        self.unsynced.swap(false, Ordering::Relaxed)
    }

    pub fn stop_after(&self, calls: u64, how: Stop) {
        self.unsynced.store(false, Ordering::Relaxed);
        self.disk.stop_after(calls, how);
    }

    /// Every item that a user sees, as a checkpoint gives them; `None`: every item.
    pub fn items(&self, user: Option<u64>) -> BTreeMap<Item, Whole> {
        let mut items = BTreeMap::new();
        let mut page = None;
        let (caller, id) = match user {
            None => (witness(), WITNESS),
            Some(user) => (self.rights(user).caller(user), WITNESS + 1 + u128::from(user)),
        };
        loop {
            let client = ClientId::from_random(id);
            let request = service::CheckpointRequest { client, page, limit: 1_000, scope: Default::default() };
            let answer = self.ask(|service| service.checkpoint(DB, &caller, &request));
            let answer = answer.expect("a healed server answers");
            for item in answer.items {
                let resources = resources_of(&item.indexes, &item.relations, &item.tags);
                let value = Arc::new(item.value.to_value().expect("JSON"));
                items.insert((item.collection, item.key), Whole { value, resources });
            }
            page = answer.next;
            if page.is_none() {
                return items;
            }
        }
    }

    /// Looks at the lives of the log, the present one last, and at what was decided of each ref.
    pub fn with_history<T>(&self, look: impl FnOnce(&[Lineage], &Judge) -> T) -> T {
        let state = self.state();
        look(&state.lineages, &state.judge)
    }
}

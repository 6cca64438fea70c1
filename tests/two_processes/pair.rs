//! Both processes, from their beginning to their end, and what the file and the server have then.

use crate::child::{LISTS, options};
use crate::history::History;
use crate::process::{Killer, Part, was_killed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use syncstore::protocol::EntryOutcome;
use syncstore::wire::{HttpOptions, HttpWire, PullRequest, Wire};
use syncstore::{ClientId, KeyRange, Options, Outcome, Ref, Store};
use syncstore_server::{Server, ServerOptions};
use syncstore_simulation::Random;

/// How long anything may take that is to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon after the end of the process that had the turn the other one has it: it looks every `LOOK_EVERY`; the rest is for a busy machine.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);

struct Said {
    at: Instant,
    who: &'static str,
    /// Which life of it.
    life: u64,
    /// `None`: it has ended.
    line: Option<String>,
}

struct Process {
    life: u64,
    input: ChildStdin,
    killer: Killer,
    hearing: JoinHandle<()>,
    /// What it said last of its background sync.
    state: String,
}

impl Process {
    fn has_turn(&self) -> bool {
        matches!(&*self.state, "Idle" | "Pushing" | "Pulling" | "Bootstrapping")
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }
}

struct Pair {
    random: Random,
    file: PathBuf,
    url: String,
    says: Sender<Said>,
    said: Receiver<Said>,
    lives: u64,
    processes: BTreeMap<&'static str, Process>,
    history: History,
    /// What the processes showed, and who has said that it is quiet, or has shown everything.
    shown: BTreeMap<&'static str, BTreeMap<(String, String), Value>>,
    marks: Vec<(&'static str, String)>,
    taken_over: Vec<Duration>,
}

pub fn hammer(seed: u64, time: Duration) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(ServerOptions::dev(dir.path().join("server"))).unwrap();
    let file = dir.path().join("replica.db");
    let wire = HttpWire::new(&server.url(), "db", HttpOptions::default()).unwrap();
    let store = Store::open(&file, options()).unwrap();
    let mut made = vec![store.set("shared", "count", &json!({})).unwrap()];
    made.extend((0..LISTS).map(|list| store.set("lists", &format!("l{list}"), &json!({"ids": []})).unwrap()));
    store.sync(&wire).unwrap();
    drop(store);
    let (says, said) = channel();
    let mut pair = Pair {
        random: Random::new(seed),
        file,
        url: server.url(),
        says,
        said,
        lives: 0,
        processes: BTreeMap::new(),
        history: History::default(),
        shown: BTreeMap::new(),
        marks: Vec::new(),
        taken_over: Vec::new(),
    };
    pair.history.refs.extend(made);
    let begun = Instant::now();
    pair.start("steady");
    let mut kills = 0;
    while begun.elapsed() < time {
        pair.start("mortal");
        pair.settle_the_turn();
        let moment = Duration::from_millis(pair.random.below(500));
        pair.hear_for(moment);
        pair.kill();
        kills += 1;
    }
    pair.start("mortal");
    pair.end();
    pair.compare(&wire, &dir.path().join("new.db"));
    let (median, longest, told) = pair.history.lags();
    pair.taken_over.sort_unstable();
    println!(
        "{kills} kills and {} writes in {:.1} s; the turn was taken over {} times, after {:?} at most; {told} changes told to the other process after \
         {median:?} (median), {longest:?} at most; {} updates lost to the other process",
        pair.history.writes,
        begun.elapsed().as_secs_f64(),
        pair.taken_over.len(),
        pair.taken_over.last(),
        pair.history.contended
    );
    // Two a second on a machine that does much else.
    assert!(kills >= (time.as_secs() / 4).max(1), "{kills} kills");
    assert!(!pair.taken_over.is_empty(), "the time was too short for anything");
}

impl Pair {
    /// Starts a process, which opens the file, looks, and begins.
    fn start(&mut self, who: &'static str) {
        self.lives += 1;
        let life = self.lives;
        let mut part = Part::new("writer")
            .set("WHO", who)
            .set("FILE", &self.file)
            .set("URL", &self.url)
            .set("SEED_OF_CHILD", self.random.next().to_string())
            .set("FIRST_ID", (life * 1_000_000).to_string())
            .start();
        let (input, killer, says) = (part.input(), part.killer(), self.says.clone());
        let hearing = std::thread::spawn(move || {
            loop {
                let line = part.hear();
                let over = line.is_none();
                let _ = says.send(Said { at: Instant::now(), who, life, line });
                if over {
                    break;
                }
            }
        });
        self.processes.insert(who, Process { life, input, killer, hearing, state: String::new() });
        self.hear_until("the beginning", |pair| pair.has_said(who, "ready"));
        self.history.begins(Instant::now(), who);
    }

    /// Waits until one process has the turn and the other one says so; which one is drawn.
    fn settle_the_turn(&mut self) {
        let settled = |pair: &mut Pair| {
            let (steady, mortal) = (&pair.processes["steady"], &pair.processes["mortal"]);
            (steady.has_turn() && mortal.state == "SyncedElsewhere")
                || (mortal.has_turn() && steady.state == "SyncedElsewhere")
        };
        self.hear_until("one to sync, and the other to say so", settled);
        let mortal_has_it = self.processes["mortal"].has_turn();
        if !mortal_has_it && self.random.percent(65) {
            self.say("steady", "pause");
            self.hear_until("a pause", |pair| pair.processes["steady"].state == "Paused");
            self.hear_until("the turn", |pair| pair.processes["mortal"].has_turn());
            self.say("steady", "resume");
            self.hear_until("one to sync, and the other to say so", settled);
        }
    }

    /// Kills the mortal one; if it had the turn, the steady one has it soon after.
    fn kill(&mut self) {
        let mortal = self.processes.remove("mortal").unwrap();
        let (had_turn, life) = (mortal.has_turn() && !self.processes["steady"].has_turn(), mortal.life);
        let status = mortal.killer.kill();
        assert!(was_killed(status), "the mortal one ended by itself: {status}");
        let killed = Instant::now();
        if had_turn {
            self.hear_until("the turn", |pair| pair.processes["steady"].has_turn());
            let after = killed.elapsed();
            assert!(after < TAKEN_OVER_WITHIN, "the turn was taken over after {after:?}");
            self.taken_over.push(after);
        }
        self.hear_until("its last words", |pair| pair.has_said("mortal", &format!("ended {life}")));
        mortal.hearing.join().unwrap();
        self.history.ends("mortal");
    }

    /// Both stop writing, and show what they have when all is synced and told.
    fn end(&mut self) {
        for who in ["steady", "mortal"] {
            self.say(who, "finish");
        }
        for who in ["steady", "mortal"] {
            self.hear_until("everything to be synced", |pair| pair.has_said(who, "quiet"));
        }
        self.hear_until("everything to be told", |pair| pair.history.untold() == 0);
        for who in ["steady", "mortal"] {
            self.say(who, "show");
            self.hear_until("what there is", |pair| pair.has_said(who, "shown"));
            self.say(who, "end");
            self.hear_until("the end", |pair| pair.has_said(who, "closed"));
            self.processes.remove(who).unwrap().hearing.join().unwrap();
        }
    }

    /// The file, both processes, a new replica, the server's log and what was answered agree.
    fn compare(&self, wire: &HttpWire, new: &Path) {
        let connection = rusqlite::Connection::open(&self.file).unwrap();
        let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ok");
        drop(connection);
        let store = Store::open(&self.file, options()).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_ok(), "{report}");
        assert_eq!(store.pending().unwrap(), []);
        let new = Store::open(new, Options::default()).unwrap();
        new.sync(wire).unwrap();
        let items = contents(&new);
        assert_eq!(contents(&store), items, "the file and the server");
        for (who, shown) in &self.shown {
            assert_eq!(shown, &items, "{who} and the server");
        }
        self.history.check(&items);
        let log = read_log(wire, store.client_id().unwrap());
        let mut last = BTreeMap::new();
        for op in &self.history.refs {
            let (mut op, mut outcome) = (*op, store.outcome(*op).unwrap());
            while let Some(Outcome::FoldedInto(into)) = outcome {
                (op, outcome) = (into, store.outcome(into).unwrap());
            }
            let Some(Outcome::Accepted { seq }) = outcome else { panic!("{op}: {outcome:?}") };
            assert_eq!(log.get(&op), Some(&seq), "{op} in the log");
            last.insert(op, seq);
        }
        let others = log.keys().filter(|op| !last.contains_key(op)).count();
        let most = self.history.most_unanswered();
        assert!(others <= most, "{others} operations that nobody was told of, at most {most} were cut off");
    }

    fn say(&mut self, who: &'static str, line: &str) {
        self.processes.get_mut(who).unwrap().say(line);
    }

    /// Whether a process has said this since it was last asked.
    fn has_said(&mut self, who: &'static str, what: &str) -> bool {
        let found = self.marks.iter().position(|(by, mark)| *by == who && mark == what);
        found.map(|index| self.marks.swap_remove(index)).is_some()
    }

    fn hear_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(said) = self.said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.hear(said);
        }
    }

    fn hear_until(&mut self, what: &str, mut is: impl FnMut(&mut Pair) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is(self) {
            match self.said.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(said) => self.hear(said),
                Err(_) => {
                    let states: Vec<_> = self.processes.iter().map(|(who, process)| (who, &process.state)).collect();
                    panic!("{what} did not come; {states:?}, {} untold", self.history.untold());
                }
            }
        }
    }

    fn hear(&mut self, Said { at, who, life, line }: Said) {
        let Some(line) = line else {
            let by_itself = self.processes.get(who).is_some_and(|process| process.life == life) && !self.closes(who);
            assert!(!by_itself, "{who} ended by itself");
            return self.marks.push((who, format!("ended {life}")));
        };
        assert!(!line.starts_with("error "), "{who}: {line}");
        if self.history.hear(at, who, &line) {
            return;
        }
        match line.split_once(' ') {
            Some(("state", state)) => {
                // Of one that was killed, it is not heard any more.
                if let Some(process) = self.processes.get_mut(who) {
                    process.state = state.to_owned();
                }
            }
            Some(("item", rest)) => {
                let mut words = rest.splitn(3, ' ').map(str::to_owned);
                let mut word = || words.next().unwrap();
                let (name, value) = ((word(), word()), serde_json::from_str(&word()).unwrap());
                self.shown.entry(who).or_default().insert(name, value);
            }
            _ => self.marks.push((who, line)),
        }
    }

    /// Whether a process was told to come to its end.
    fn closes(&self, who: &'static str) -> bool {
        self.shown.contains_key(who)
    }
}

fn contents(store: &Store) -> BTreeMap<(String, String), Value> {
    let mut contents = BTreeMap::new();
    for collection in store.collections().unwrap() {
        for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
            contents.insert((collection.clone(), item.key.to_owned()), item.to().unwrap());
        }
    }
    contents
}

/// Every accepted op of the log with its place, as the replica sees it; none stands there twice.
fn read_log(wire: &HttpWire, client: ClientId) -> BTreeMap<Ref, u64> {
    let mut request = PullRequest::new(client, 1_000);
    let mut log = BTreeMap::new();
    loop {
        let page = wire.pull(&request).unwrap();
        for entry in &page.entries {
            assert_eq!(entry.outcome, EntryOutcome::Accepted, "{entry:?}");
            assert_eq!(log.insert(entry.op_ref, entry.seq), None, "{} stands twice in the log", entry.op_ref);
        }
        if !page.more {
            return log;
        }
        request.cursor = Some(page.cursor);
    }
}

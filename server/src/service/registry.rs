//! The databases of a data directory by name.

use super::database::{self, Database};
use super::rounds::Rounds;
use super::seal::Seal;
use super::{ApprovalOptions, DatabaseStats, Databases, ServiceError, ServiceOptions, Writing};
use crate::core::{MOST_NESTING, Room, Rules};
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::sqlite::{SqliteTransaction, WriterCaches};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use syncstore::protocol::is_database_name;

pub struct Registry {
    options: Arc<ServiceOptions>,
    rules: Arc<Rules>,
    seal: Arc<Seal>,
    rounds: Arc<Rounds>,
    open: Mutex<Open>,
    // Told when a name is busy no more.
    settled: Condvar,
}

#[derive(Default)]
struct Open {
    databases: BTreeMap<String, Place>,
    // Of all that are there, as far as they have been seen (the directory when the service was opened, and each since), and
    // those for which there must be room.
    known: BTreeSet<String>,
    // Databases that a thread is opening or closing, without the lock: who wants one of them waits, for two writers of
    // one file would each think that they know its head.
    busy: BTreeSet<String>,
    // How many of the busy ones are being opened.
    opening: usize,
    // Counts uses; the database with the lowest was used least recently.
    uses: u64,
    closed: bool,
}

struct Place {
    database: Arc<Database>,
    used: u64,
}

const CLOSING: ServiceError = ServiceError::Overloaded("it is shutting down");

const PREFIX: &str = "db-";
const SUFFIX: &str = ".sqlite";

/// The file of a database: never a name that a system reserves, and another for each database where the case of
/// letters does not count.
fn file_name(name: &str) -> String {
    let mut file = PREFIX.to_owned();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            file.push('+');
        }
        file.push(letter.to_ascii_lowercase());
    }
    file + SUFFIX
}

/// The database of a file, if it is one's.
fn database_name(file: &str) -> Option<String> {
    let mut name = String::new();
    let mut capital = false;
    for letter in file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.chars() {
        if letter != '+' {
            name.push(if capital { letter.to_ascii_uppercase() } else { letter });
        }
        capital = letter == '+';
    }
    Some(name).filter(|name| file_name(name) == file)
}

/// The databases whose files are in a directory.
fn names_in(directory: &Path) -> Result<BTreeSet<String>, ServiceError> {
    let files = std::fs::read_dir(directory).map_err(StorageError::from)?;
    let files: Vec<_> = files.collect::<Result<_, _>>().map_err(StorageError::from)?;
    Ok(files.iter().filter_map(|file| database_name(file.file_name().to_str()?)).collect())
}

impl Registry {
    pub fn open(mut options: ServiceOptions) -> Result<Registry, ServiceError> {
        options.limits.nesting = options.limits.nesting.min(MOST_NESTING);
        std::fs::create_dir_all(&options.data).map_err(StorageError::from)?;
        let approval = options.approval.as_ref().map(ApprovalOptions::rules).unwrap_or_default();
        let rules = Rules {
            limits: options.limits.clone(),
            policies: options.policies.clone(),
            approval,
            room: Room {
                limit: options.largest_database,
                reserve: (options.largest_database / 16).max(options.push_work.saturating_mul(20)),
            },
            most_work: options.push_work,
        };
        let mut known = names_in(&options.data)?;
        known.extend(options.named.iter().cloned());
        let registry = Registry {
            open: Mutex::new(Open { known, ..Open::default() }),
            seal: Arc::new(Seal::new(options.environment.clone())),
            rounds: Arc::new(Rounds::new(options.environment.monotonic())),
            options: Arc::new(options),
            rules: Arc::new(rules),
            settled: Condvar::new(),
        };
        if registry.options.new_epoch {
            registry.begin_epochs()?;
        }
        if registry.options.approval.is_some() && registry.options.writing == Writing::Thread {
            registry.open_queues()?;
        }
        Ok(registry)
    }

    // What waits for an approver must not wait for somebody to use its database, too.
    fn open_queues(&self) -> Result<(), ServiceError> {
        let waits = |name: &String| database::file(&self.options, self.path(name)).queued() > 0;
        let waiting: Vec<String> = names_in(&self.options.data)?.into_iter().filter(waits).collect();
        for name in waiting.iter().take(self.options.open_databases) {
            if let Err(error) = self.database(name) {
                tracing::warn!(database = name, %error, "what waits for the approver there waits on");
            }
        }
        Ok(())
    }

    // In every database that is there, used or not: the whole directory was restored.
    fn begin_epochs(&self) -> Result<(), ServiceError> {
        for entry in std::fs::read_dir(&self.options.data).map_err(StorageError::from)? {
            let entry = entry.map_err(StorageError::from)?;
            let is_database =
                entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
            if is_database {
                let epoch = database::new_epoch(&self.options);
                let mut connection = database::file(&self.options, entry.path()).writer(epoch)?;
                let mut caches = WriterCaches::default();
                let mut transaction = SqliteTransaction::begin(&mut connection, &mut caches)?;
                transaction.begin_epoch(epoch)?;
                transaction.commit()?;
            }
        }
        Ok(())
    }

    pub fn database(&self, name: &str) -> Result<Arc<Database>, ServiceError> {
        let allowed = match &self.options.databases {
            Databases::Any => true,
            Databases::Named(names) => names.contains(name),
        };
        if !allowed || !is_database_name(name) {
            return Err(ServiceError::UnknownDatabase(name.chars().take(64).collect()));
        }
        let mut open = self.open.lock();
        while open.busy.contains(name) {
            self.settled.wait(&mut open);
        }
        if open.closed {
            return Err(CLOSING);
        }
        let most = self.options.most_databases;
        if self.options.databases == Databases::Any && open.known.len() >= most && !open.known.contains(name) {
            return Err(ServiceError::Full(format!(
                "there are as many databases as there may be, {most}: use one that is there, or ask the operator for more"
            )));
        }
        open.uses += 1;
        let used = open.uses;
        let full = open.databases.len() + open.opening >= self.options.open_databases.max(1);
        let gone = match open.databases.get_mut(name) {
            Some(place) if !place.database.has_failed() => {
                place.used = used;
                return Ok(place.database.clone());
            }
            Some(_) => open.databases.remove_entry(name),
            None if full => Some(open.take_idle()?),
            None => None,
        };
        let mut names = vec![name.to_owned()];
        names.extend(gone.iter().map(|(gone, _)| gone.clone()));
        open.busy.extend(names.iter().cloned());
        open.opening += 1;
        // Before it is made, so that it counts for those that are made meanwhile.
        let is_new = open.known.insert(name.to_owned());
        drop(open);
        let mut busy = Busy { registry: self, names, opening: 1 };
        if let Some((_, place)) = gone {
            // A failed one is closed whoever still reads from it: its writer may not have let go of the file.
            place.database.close();
        }
        let path = self.path(name);
        let (options, rules, seal) = (self.options.clone(), self.rules.clone(), self.seal.clone());
        let database = Database::open(name, path.clone(), options, rules, seal, self.rounds.clone());
        if database.is_err() && is_new && !path.exists() {
            self.open.lock().known.remove(name);
        }
        let database = Arc::new(database?);
        if self.options.approval.is_some() && self.options.writing == Writing::Thread {
            database.start_asking()?;
        }
        let mut open = self.open.lock();
        if open.closed {
            drop(open);
            database.close();
            return Err(CLOSING);
        }
        open.databases.insert(name.to_owned(), Place { database: database.clone(), used });
        open.opening -= std::mem::take(&mut busy.opening);
        drop(open);
        Ok(database)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.options.data.join(file_name(name))
    }

    pub fn stats(&self) -> Vec<DatabaseStats> {
        self.open.lock().databases.values().map(|place| place.database.stats()).collect()
    }

    pub fn shutdown(&self) {
        let databases = {
            let mut open = self.open.lock();
            open.closed = true;
            while !open.busy.is_empty() {
                self.settled.wait(&mut open);
            }
            std::mem::take(&mut open.databases)
        };
        for place in databases.into_values() {
            place.database.close();
        }
    }
}

impl Open {
    // The least recently used one that nobody uses.
    fn take_idle(&mut self) -> Result<(String, Place), ServiceError> {
        let idle = |place: &&Place| Arc::strong_count(&place.database) == 1 && !place.database.is_watched();
        let oldest = self.databases.iter().filter(|(_, place)| idle(place)).min_by_key(|(_, place)| place.used);
        let name = oldest.map(|(name, _)| name.clone());
        name.and_then(|name| self.databases.remove_entry(&name))
            .ok_or(ServiceError::Overloaded("too many databases are in use"))
    }
}

/// Databases that this thread opens or closes.
struct Busy<'r> {
    registry: &'r Registry,
    names: Vec<String>,
    // What it still counts for in `Open::opening`.
    opening: usize,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut open = self.registry.open.lock();
        open.busy.retain(|name| !self.names.contains(name));
        open.opening -= self.opening;
        drop(open);
        self.registry.settled.notify_all();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_files_whatever_the_case() {
        for name in ["", ".", "..", "a/b", "a\\b", "a b", "ä", "a\0", &"a".repeat(65)] {
            assert!(!is_database_name(name), "{name:?}");
        }
        for name in ["a", "...", "A-b_c.9", "con", &"a".repeat(64)] {
            assert!(is_database_name(name), "{name:?}");
        }
        assert_eq!(file_name("Notes"), "db-+notes.sqlite");
        assert_ne!(file_name("Notes").to_lowercase(), file_name("notes"));
        for name in ["a", "Notes", "A-b_C.9", "ABC"] {
            assert_eq!(database_name(&file_name(name)).as_deref(), Some(name));
        }
        for file in ["notes", "db-notes", "db-++notes.sqlite", "db-Notes.sqlite", "db-+1.sqlite", "db-a+.sqlite"] {
            assert_eq!(database_name(file), None, "{file}");
        }
    }
}

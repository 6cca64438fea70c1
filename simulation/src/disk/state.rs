//! All of a disk, behind one lock: its files by name, what is open, the faults to come.

use super::content::{Content, Kept};
use super::faults::{Call, Fault, Faults, Stop};
use super::locks::{FileLocks, HandleId, Level, SharedLocks};
use fastrand::Rng;
use rusqlite::ffi;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;

/// An SQLite result code other than `SQLITE_OK`.
pub(super) type Code = c_int;

/// A file, whatever its name, if it still has one.
pub(super) type NodeId = u64;

#[derive(Debug, Default)]
struct Node {
    content: Content,
    opened: usize,
    locks: FileLocks,
    shared: Option<SharedMemory>,
}

/// The memory that the connections to one file share; gone with the last of them.
#[derive(Debug, Default)]
struct SharedMemory {
    // Words, for their alignment. A region is never read, written or moved from here while it is mapped.
    regions: Vec<Vec<u64>>,
    locks: SharedLocks,
    mapped: Vec<HandleId>,
}

/// What a name meant before changes that are not on the disk for sure, oldest first, with the call that ended it.
type Past = Vec<(u64, Option<NodeId>)>;

#[derive(Debug)]
pub(super) struct State {
    nodes: BTreeMap<NodeId, Node>,
    names: BTreeMap<String, NodeId>,
    past: BTreeMap<String, Past>,
    last_id: u64,
    pub opened: usize,
    pub calls: u64,
    pub unix_ms: u64,
    pub sleeps: bool,
    pub capacity: Option<u64>,
    pub faults: Faults,
    stop_at: Option<(u64, Stop)>,
    /// Syncs left until one does not come to pass.
    stop_at_sync: Option<(u64, Stop)>,
    /// How it was stopped, while it stands still.
    pub stopped: Option<Stop>,
    /// Drawn from by power losses and short writes, never by what SQLite asks for.
    random: Rng,
    pub randomness: Rng,
}

/// What was asked of `open`.
pub(super) struct Opening<'a> {
    /// `None`: a temporary file.
    pub name: Option<&'a str>,
    pub create: bool,
    pub exclusive: bool,
}

impl State {
    pub fn new(seed: u64) -> State {
        let mut random = Rng::with_seed(seed);
        let randomness = random.fork();
        State {
            nodes: BTreeMap::new(),
            names: BTreeMap::new(),
            past: BTreeMap::new(),
            last_id: 0,
            opened: 0,
            calls: 0,
            unix_ms: 0,
            sleeps: false,
            capacity: None,
            faults: Faults::default(),
            stop_at: None,
            stop_at_sync: None,
            stopped: None,
            random,
            randomness,
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Counts a call; an error or a fault if it must not succeed.
    fn enter(&mut self, call: Call) -> Result<Option<Fault>, Code> {
        if self.stopped.is_some() {
            return Err(call.error());
        }
        self.calls += 1;
        if let Some((at, how)) = self.stop_at
            && self.calls >= at
        {
            self.stop(how);
            return Err(call.error());
        }
        if let (Some((left, how)), Call::Sync) = (&mut self.stop_at_sync, call) {
            *left -= 1;
            if *left == 0 {
                let how = *how;
                self.stop(how);
                return Err(call.error());
            }
        }
        match self.faults.strike(call) {
            // What a system without a descriptor left says, or one that refuses.
            Some(Fault::Io) if call == Call::Open => Err(ffi::SQLITE_CANTOPEN),
            Some(Fault::Io | Fault::ShortRead) => Err(call.error()),
            Some(Fault::Full) => Err(ffi::SQLITE_FULL),
            other => Ok(other),
        }
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.entry(id).or_default()
    }

    /// Whether `more` bytes fit.
    fn has_room(&self, more: u64) -> bool {
        self.capacity.is_none_or(|capacity| self.used().saturating_add(more) <= capacity)
    }

    pub fn used(&self) -> u64 {
        let named = |id: &NodeId| self.names.values().any(|name| name == id);
        self.nodes.iter().filter(|(id, node)| node.opened > 0 || named(id)).map(|(_, node)| node.content.size()).sum()
    }

    // The calls of the VFS.

    pub fn open(&mut self, opening: &Opening<'_>) -> Result<(NodeId, HandleId), Code> {
        self.enter(Call::Open)?;
        let found = opening.name.and_then(|name| self.names.get(name).copied());
        let node = match found {
            Some(_) if opening.exclusive => return Err(ffi::SQLITE_CANTOPEN),
            Some(node) => node,
            None if !opening.create => return Err(ffi::SQLITE_CANTOPEN),
            None => {
                let node = self.next_id();
                if let Some(name) = opening.name {
                    self.rename(name, Some(node));
                }
                node
            }
        };
        self.node(node).opened += 1;
        self.opened += 1;
        Ok((node, self.next_id()))
    }

    pub fn close(&mut self, id: NodeId, handle: HandleId) {
        self.unmap(id, handle);
        let node = self.node(id);
        node.locks.unlock(handle, Level::None);
        node.opened -= 1;
        self.opened -= 1;
        self.forget_lost(id);
    }

    pub fn delete(&mut self, name: &str, sync_directory: bool) -> Result<(), Code> {
        self.enter(Call::Delete)?;
        if !self.names.contains_key(name) {
            return Err(ffi::SQLITE_IOERR_DELETE_NOENT);
        }
        self.rename(name, None);
        if sync_directory {
            self.settle(|other| directory(other) == directory(name));
        }
        Ok(())
    }

    pub fn exists(&mut self, name: &str, even_empty: bool) -> Result<bool, Code> {
        self.enter(Call::Access)?;
        let node = self.names.get(name).and_then(|id| self.nodes.get(id));
        Ok(node.is_some_and(|node| even_empty || node.content.size() > 0))
    }

    /// How many bytes the file had; the rest of the buffer is zeros.
    pub fn read(&mut self, id: NodeId, offset: u64, buffer: &mut [u8]) -> Result<usize, Code> {
        self.enter(Call::Read)?;
        Ok(self.node(id).content.read(offset, buffer))
    }

    pub fn write(&mut self, id: NodeId, offset: u64, data: &[u8]) -> Result<(), Code> {
        let fault = self.enter(Call::Write)?;
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= isize::MAX as u64);
        let end = end.ok_or(ffi::SQLITE_IOERR_WRITE)?;
        let more = end.saturating_sub(self.node(id).content.size());
        if more > 0 && !self.has_room(more) {
            return Err(ffi::SQLITE_FULL);
        }
        let call = self.calls;
        if fault == Some(Fault::ShortWrite) {
            let part = self.random.usize(0..=data.len().saturating_sub(1));
            self.node(id).content.write(call, offset, &data[..part]);
            return Err(if self.random.bool() { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_WRITE });
        }
        self.node(id).content.write(call, offset, data);
        Ok(())
    }

    pub fn truncate(&mut self, id: NodeId, size: u64) -> Result<(), Code> {
        self.enter(Call::Truncate)?;
        let more = size.saturating_sub(self.node(id).content.size());
        if more > 0 && !self.has_room(more) {
            return Err(ffi::SQLITE_FULL);
        }
        let call = self.calls;
        self.node(id).content.set_size(call, size);
        Ok(())
    }

    pub fn sync(&mut self, id: NodeId) -> Result<(), Code> {
        self.enter(Call::Sync)?;
        self.node(id).content.sync();
        // Like unix, which syncs the directory with the first sync of a new journal or log.
        let new = self.past.keys().find(|name| self.names.get(*name) == Some(&id)).cloned();
        if let Some(name) = new {
            self.settle(|other| directory(other) == directory(&name));
        }
        Ok(())
    }

    pub fn size(&mut self, id: NodeId) -> Result<u64, Code> {
        self.enter(Call::Size)?;
        Ok(self.node(id).content.size())
    }

    pub fn lock(&mut self, id: NodeId, handle: HandleId, level: Level) -> Result<(), Code> {
        if self.stopped.is_some() {
            return Err(ffi::SQLITE_IOERR_LOCK);
        }
        self.node(id).locks.lock(handle, level).map_err(|_| ffi::SQLITE_BUSY)
    }

    pub fn unlock(&mut self, id: NodeId, handle: HandleId, level: Level) {
        self.node(id).locks.unlock(handle, level);
    }

    pub fn is_reserved(&mut self, id: NodeId) -> Result<bool, Code> {
        if self.stopped.is_some() {
            return Err(ffi::SQLITE_IOERR_CHECKRESERVEDLOCK);
        }
        Ok(self.node(id).locks.is_reserved())
    }

    /// A region of the file's shared memory, which stays where it is until the last handle has unmapped it; `None`: it
    /// does not exist and was not to be made.
    pub fn map(
        &mut self,
        id: NodeId,
        handle: HandleId,
        region: usize,
        bytes: usize,
        extend: bool,
    ) -> Result<Option<*mut u64>, Code> {
        let there = self.node(id).shared.as_ref().is_some_and(|shared| region < shared.regions.len());
        self.enter(if extend && !there { Call::Grow } else { Call::Map })?;
        let shared = self.node(id).shared.get_or_insert_default();
        if !shared.mapped.contains(&handle) {
            shared.mapped.push(handle);
        }
        if extend {
            while shared.regions.len() <= region {
                shared.regions.push(vec![0; bytes.div_ceil(8)]);
            }
        }
        Ok(shared.regions.get_mut(region).map(Vec::as_mut_ptr))
    }

    pub fn shared_locks(&mut self, id: NodeId) -> Result<&mut SharedLocks, Code> {
        match &mut self.node(id).shared {
            Some(shared) => Ok(&mut shared.locks),
            None => Err(ffi::SQLITE_IOERR_SHMLOCK),
        }
    }

    pub fn unmap(&mut self, id: NodeId, handle: HandleId) {
        let node = self.node(id);
        if let Some(shared) = &mut node.shared {
            shared.locks.release(handle, 0..super::locks::SLOTS);
            shared.mapped.retain(|mapped| *mapped != handle);
            if shared.mapped.is_empty() {
                node.shared = None;
            }
        }
    }

    // Names.

    /// Lets `name` mean another file, or none.
    fn rename(&mut self, name: &str, node: Option<NodeId>) {
        let before = match node {
            Some(node) => self.names.insert(name.to_owned(), node),
            None => self.names.remove(name),
        };
        self.past.entry(name.to_owned()).or_default().push((self.calls, before));
    }

    /// What these names mean is on the disk for sure.
    fn settle(&mut self, which: impl Fn(&str) -> bool) {
        if self.past.is_empty() {
            return;
        }
        let (settled, open) = std::mem::take(&mut self.past).into_iter().partition(|(name, _)| which(name));
        self.past = open;
        let settled: BTreeMap<String, Past> = settled;
        for id in settled.into_values().flatten().filter_map(|(_, node)| node) {
            self.forget_lost(id);
        }
    }

    /// Frees a file that nobody has open and that has no name, nor can get one back.
    fn forget_lost(&mut self, id: NodeId) {
        let opened = self.nodes.get(&id).is_some_and(|node| node.opened > 0);
        let named = self.names.values().any(|node| *node == id);
        if !opened && !named && !self.past.values().flatten().any(|(_, node)| *node == Some(id)) {
            self.nodes.remove(&id);
        }
    }

    // Stops.

    pub fn stop_after(&mut self, calls: u64, how: Stop) {
        (self.stop_at, self.stop_at_sync) = (Some((self.calls + calls.max(1), how)), None);
    }

    pub fn stop_at_sync(&mut self, syncs: u64, how: Stop) {
        (self.stop_at, self.stop_at_sync) = (None, Some((syncs.max(1), how)));
    }

    pub fn stop(&mut self, how: Stop) {
        (self.stop_at, self.stop_at_sync) = (None, None);
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some(how);
        if how == Stop::Power {
            self.lose_power();
        }
    }

    fn lose_power(&mut self) {
        let kept = self.draw_kept();
        let each = |kept: Kept, random: &mut Rng| match kept {
            Kept::Sectors(_) => Kept::Sectors([1, 4, 7][random.usize(0..3)]),
            same => same,
        };
        for node in self.nodes.values_mut() {
            let kept = each(kept, &mut self.random);
            node.content.lose(kept, &mut self.random);
        }
        for (name, past) in std::mem::take(&mut self.past) {
            // How many of the name's changes happened.
            let happened = match kept {
                Kept::Nothing => 0,
                Kept::Everything => past.len(),
                Kept::Until(call) => past.iter().filter(|(at, _)| *at <= call).count(),
                Kept::Sectors(_) => self.random.usize(0..=past.len()),
            };
            match past.get(happened) {
                Some((_, Some(before))) => drop(self.names.insert(name, *before)),
                Some((_, None)) => drop(self.names.remove(&name)),
                None => {}
            }
        }
        let lost: Vec<NodeId> = self.nodes.keys().copied().collect();
        lost.into_iter().for_each(|id| self.forget_lost(id));
    }

    fn draw_kept(&mut self) -> Kept {
        match self.random.u8(0..4) {
            0 => Kept::Nothing,
            1 => Kept::Everything,
            2 => {
                let written = self.nodes.values().filter_map(|node| node.content.oldest_unsynced());
                let named = self.past.values().filter_map(|past| past.first()).map(|(call, _)| *call);
                let oldest = written.chain(named).min().unwrap_or(self.calls).min(self.calls);
                Kept::Until(self.random.u64(oldest..=self.calls))
            }
            _ => Kept::Sectors(0),
        }
    }

    /// Nothing goes wrong any more.
    pub fn heal(&mut self) {
        self.faults.heal();
        (self.stop_at, self.stop_at_sync) = (None, None);
        self.capacity = None;
    }

    /// Runs again after a stop; how it was stopped.
    pub fn restart(&mut self) -> Option<Stop> {
        (self.stop_at, self.stop_at_sync) = (None, None);
        self.stopped.take()
    }

    // The files as a host sees them, without calls.

    pub fn contents(&self) -> impl Iterator<Item = (&String, &Arc<Vec<u8>>)> {
        self.names.iter().filter_map(|(name, id)| Some((name, self.nodes.get(id)?.content.bytes())))
    }

    pub fn content(&self, name: &str) -> Option<&Arc<Vec<u8>>> {
        Some(self.nodes.get(self.names.get(name)?)?.content.bytes())
    }

    /// Puts a file on the disk for good, in place of what was there.
    pub fn put(&mut self, name: &str, bytes: Arc<Vec<u8>>) {
        let id = match self.names.get(name) {
            Some(id) => *id,
            None => self.next_id(),
        };
        self.names.insert(name.to_owned(), id);
        self.node(id).content = Content::synced(bytes);
        self.settle(|other| other == name);
    }

    pub fn remove(&mut self, name: &str) {
        let removed = self.names.remove(name);
        self.settle(|other| other == name);
        removed.into_iter().for_each(|id| self.forget_lost(id));
    }
}

fn directory(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

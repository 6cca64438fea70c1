//! One transaction's worth of the server's log, applied: base moved, ops settled, views rebased.
//!
//! Entries change items in memory; [`Slice::finish`] writes each item once, however many entries it had.

mod finish;
mod settle;

pub(super) use self::settle::Settled;
use super::contest::{self, Theirs, is_same};
use super::rebase::Draft;
use super::received::{self, broken, diverged, named, payload, resources_of, rev_after};
use super::touched::{Base, Moved, Touched};
use crate::error::{Error, Result};
use crate::outbox::{Answer, Outcome, Payload, Queued, Rejection, conflicts, ledger, queue, rejections};
use crate::planted::{Planted, planted};
use crate::protocol::{Code, Entry, EntryOutcome, OpKind, ResourceName, Scope, Seq};
use crate::replica::collections::{self, Life};
use crate::replica::{Item, Writing, base, items, parts};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};

/// How many bytes of values a slice reads and writes, until no more entries are taken: some tens of milliseconds.
const SLICE_BYTES: u64 = 4 << 20;

/// How many it may go through for the sake of one batch, which is never cut: some seconds, and more than the work that the reference server does for one.
const MOST_BYTES: u64 = 4 << 30;

/// The changes of one transaction.
pub(super) struct Slice<'a> {
    connection: &'a Writing<'a>,
    life: Life,
    /// Entries on other items have no effect here.
    scope: &'a Scope,
    /// Entries at or below it are in the base already.
    position: Seq,
    now: u64,
    /// Answers that were counted before they were forgotten.
    counted: &'a HashMap<i64, Answer>,
    outbox_empty: bool,
    /// Whether a conflict is open that this slice must carry on.
    pub any_conflict: bool,
    collections: HashMap<String, i64>,
    /// Sorted, so that the same entries make the same file.
    items: BTreeMap<(i64, String), Touched>,
    /// Where each row that was there is in `items`.
    rows: HashMap<i64, (i64, String)>,
    /// The value that was patched last, and whose: of no other one is anything kept but the text.
    draft: Option<((i64, String), Draft)>,
    /// How many bytes of values its entries have read and written.
    bytes: u64,
    /// How many the rebase of all items but the first takes, which every slice has that touches them.
    to_rebase: u64,
    rebases: bool,
    pub settled: Settled,
    /// Ops whose outcome a replay told; they settle with the swap.
    pub answered: Vec<(i64, Answer)>,
}

impl<'a> Slice<'a> {
    /// Begins the changes of the transaction that `connection` is in.
    pub fn new(
        connection: &'a Writing<'a>,
        life: Life,
        scope: &'a Scope,
        position: Seq,
        now: u64,
        counted: &'a HashMap<i64, Answer>,
    ) -> Result<Slice<'a>> {
        Ok(Slice {
            connection,
            life,
            scope,
            position,
            now,
            counted,
            outbox_empty: queue::last_id(connection)? == 0,
            any_conflict: life == Life::Live && conflicts::any_open(connection)?,
            collections: HashMap::new(),
            items: BTreeMap::new(),
            rows: HashMap::new(),
            draft: None,
            bytes: 0,
            to_rebase: 0,
            rebases: false,
            settled: Settled::default(),
            answered: Vec::new(),
        })
    }

    /// Whether it has gone through as much as a transaction should, besides the number of entries.
    pub fn is_full(&self) -> bool {
        self.bytes.saturating_add(self.to_rebase) >= SLICE_BYTES
    }

    /// Refuses what would hold the host's writes for minutes.
    pub fn check_work(&self) -> Result<()> {
        if self.bytes > MOST_BYTES {
            return Err(Error::protocol("a batch of the inbox makes more work than any server lets a batch make"));
        }
        Ok(())
    }

    /// Takes one entry: its effect on the base if that has not got it, and always its outcome.
    pub fn entry(&mut self, entry: &Entry) -> Result<()> {
        let own = if self.outbox_empty { None } else { queue::find(self.connection, entry.op_ref)? };
        if entry.outcome == EntryOutcome::Accepted
            && !entry.hidden
            && entry.seq > self.position
            && self.concerns(entry)?
        {
            match self.life {
                Life::Incoming => self.replay(entry)?,
                _ => self.advance(entry, own.as_ref())?,
            }
        }
        if self.life == Life::Incoming && self.scope.have.is_some() {
            // The cursor of the filter before tells the outcomes.
            return Ok(());
        }
        let rejection = match entry.outcome {
            EntryOutcome::Accepted => None,
            EntryOutcome::Rejected => Some(Rejection::told(
                entry.code.as_ref(),
                entry.message.as_deref(),
                entry.detail.as_ref(),
                Some(entry.seq),
            )),
        };
        match (own, rejection) {
            // Another op under the same ref: this file, or the one it was copied from, folded it differently. Or the
            // same op, changed by the server. The push that repeats it is told which.
            (Some(op), None) if !self.is_of(entry, &op)? => Ok(()),
            // Why it was given up is more to the point than what a server says of the rest of its batch, which it was made to reject.
            (Some(op), Some(_)) if self.life == Life::Incoming && is_given_up(&op) => {
                queue::mark_known(self.connection, &op)
            }
            // While a checkpoint is on its way the view is the old one, and so is the outbox beneath it.
            (Some(op), rejection) if self.life == Life::Incoming && !planted(Planted::Rule25SettlesBeforeSwap) => {
                let answer = if rejection.is_some() { Answer::Rejected } else { Answer::Accepted };
                // Another copy of this file may have sent it; a later write must not fold into it.
                queue::mark_known(self.connection, &op)?;
                if op.answer != answer {
                    self.answered.push((op.id(), answer));
                }
                queue::record_answer(self.connection, op.id(), answer, Some(entry.seq), rejection.as_ref())
            }
            (Some(op), None) => self.settle_accepted(&op, entry.seq),
            (Some(op), Some(rejection)) => self.settle_rejected(&op, &rejection),
            (None, None) if self.may_be_of_refused(entry)? => {
                self.connection.settled(entry.op_ref, || Outcome::Accepted { seq: entry.seq });
                ledger::correct(self.connection, entry.op_ref, entry.seq)
            }
            (None, _) => Ok(()),
        }
    }

    /// Whether an accepted entry is on an item that belongs here; a server may not know of filters, and sends all.
    fn concerns(&self, entry: &Entry) -> Result<bool> {
        if self.scope.is_everything() {
            return Ok(true);
        }
        let (collection, key) = named(entry)?;
        Ok(self.scope.has(collection, key))
    }

    /// Whether what an accepted entry committed is known to have come from this op.
    fn is_of(&self, entry: &Entry, op: &Queued) -> Result<bool> {
        if matches!(op.answer, Answer::Accepted | Answer::Queued | Answer::Staged) {
            return Ok(true);
        }
        if entry.hidden {
            // It does not say what was committed. What this file has never sent came from another one.
            return Ok(op.sent);
        }
        let Some((_, collection, key)) = items::name(self.connection, op.item)? else { return Ok(false) };
        commits(entry, (&collection, &key), &op.payload)
    }

    /// Whether what an accepted entry committed may have come from an op that was refused without a place in the log. Another copy of this
    /// file may have sent another one under its ref, and the ledger has the only copy of what this one was to do.
    fn may_be_of_refused(&self, entry: &Entry) -> Result<bool> {
        if !ledger::may_be_accepted(self.connection, entry.op_ref)? {
            return Ok(false);
        }
        match rejections::find(self.connection, entry.op_ref)? {
            Some(op) if !entry.hidden => commits(entry, (&op.collection, &op.key), &op.payload),
            _ => Ok(true),
        }
    }

    /// Moves the base of a live item on by one entry; whatever does not fit it is divergence (section 4 ◆).
    fn advance(&mut self, entry: &Entry, own: Option<&Queued>) -> Result<()> {
        let (collection, key) = named(entry)?;
        let at = self.touch(collection, key)?;
        let before = self.items[&at].rev;
        let change = if entry.as_sent {
            // The server compares a repeated op with what it committed, so an answered op is the committed one.
            // One without an answer may be another op under the same ref: this file, or the one it was copied
            // from, folded it differently.
            let any = planted(Planted::AsSentOfUnanswered);
            let Some(op) = own.filter(|op| any || op.answer == Answer::Accepted) else {
                return Err(diverged(entry, "it is said to be this replica's own, which knows nothing of it"));
            };
            op.payload.clone()
        } else {
            payload(entry)?
        };
        if !entry.full && !change.ends_item() && entry.from != Some(before) {
            let from = entry.from.unwrap_or(0);
            return Err(diverged(entry, &format!("it follows rev {from} of the item; the replica has {before}")));
        }
        let sole_op = own.is_some() && self.items[&at].row.is_some_and(|row| row.pending == 1);
        let touched = self.touched(&at)?;
        touched.view_is_base = entry.as_sent
            && sole_op
            && match change.resource {
                ResourceName::Value => change.kind == OpKind::Set,
                // It left the value as the base has it, if there is one.
                _ if planted(Planted::EchoOfResourceIsAll) => true,
                _ => before > 0 && matches!(touched.base, Base::Stored),
            };
        touched.revoked = contest::revokes(entry);
        let met = own.is_none() && self.meets_pending(&at, entry, &change.resource)?;
        let carried = met || self.any_conflict || !self.items[&at].theirs.is_empty();
        if own.is_some() || !carried || contest::revokes(entry) || !contest::is_foreign(self.connection, entry.op_ref)?
        {
            return self.move_base(&at, entry, change);
        }
        let part = change.resource.clone();
        let confirmed = self.confirmed_part(&at, &part)?;
        // What is done to the whole item is done to every part of it.
        let whole = entry.full || change.ends_item();
        let theirs = &self.items[&at].theirs;
        let others = match whole {
            true => contest::other_parts(self.connection, (collection, key), &part, theirs, self.any_conflict)?,
            false => Vec::new(),
        };
        let confirmed_part = |other: ResourceName| Ok((self.confirmed_part(&at, &other)?, other));
        let others = others.into_iter().map(confirmed_part).collect::<Result<Vec<_>>>()?;
        self.move_base(&at, entry, change)?;
        let moved = self.confirmed_part(&at, &part)?;
        self.go_through(&[&confirmed, &moved]);
        Theirs::add(&mut self.touched(&at)?.theirs, &part, (confirmed, moved), met);
        for (confirmed, other) in others {
            let moved = self.confirmed_part(&at, &other)?;
            if moved != confirmed {
                Theirs::add(&mut self.touched(&at)?.theirs, &other, (confirmed, moved), false);
            }
        }
        Ok(())
    }

    /// Whether an entry of another client is on a part of an item that an own op is pending on.
    fn meets_pending(&self, at: &(i64, String), entry: &Entry, part: &ResourceName) -> Result<bool> {
        if self.outbox_empty || contest::revokes(entry) {
            return Ok(false);
        }
        let Some(Touched { row: Some(row), settled, .. }) = self.items.get(at) else { return Ok(false) };
        Ok(row.pending > *settled
            && queue::any_unrefused_on(self.connection, row.id, part)?
            && contest::is_foreign(self.connection, entry.op_ref)?)
    }

    /// What is confirmed of a part of a touched item.
    fn confirmed_part(&self, at: &(i64, String), part: &ResourceName) -> Result<Option<String>> {
        if *part == ResourceName::Value {
            return self.confirmed(at);
        }
        let Some(touched) = self.items.get(at) else { return Ok(None) };
        match (touched.moved.changed.get(part), touched.row) {
            (Some(content), _) => Ok(content.as_ref().map(parts::text_of)),
            (None, Some(row)) if !touched.moved.cleared => parts::confirmed(self.connection, row, part),
            _ => Ok(None),
        }
    }

    /// Moves an item of a checkpoint on by one entry (section 5, step 2): what its page already held, or held
    /// no more, is left as it is.
    fn replay(&mut self, entry: &Entry) -> Result<()> {
        let (collection, key) = named(entry)?;
        let at = self.touch(collection, key)?;
        let before = self.items[&at].rev;
        if entry.as_sent {
            return Err(diverged(entry, "its payload was asked for and did not come"));
        }
        let change = payload(entry)?;
        if entry.seq <= before && !planted(Planted::Rule22ReplaysAgain) {
            return Ok(());
        }
        let checked = !entry.full && !change.ends_item();
        if checked && entry.from != Some(before) && !planted(Planted::Rule22ReplaysAgain) {
            if before == 0 {
                return Ok(());
            }
            let from = entry.from.unwrap_or(0);
            return Err(diverged(entry, &format!("it follows rev {from} of the item; the checkpoint has {before}")));
        }
        self.move_base(&at, entry, change)
    }

    /// Takes a committed change into the base of a touched item.
    fn move_base(&mut self, at: &(i64, String), entry: &Entry, change: Payload) -> Result<()> {
        if change.resource != ResourceName::Value {
            return self.move_resource(at, entry, change);
        }
        let after = match change.kind {
            OpKind::Set | OpKind::Delete => {
                self.go_through(&[&change.text]);
                Base::Known(change.text)
            }
            OpKind::Patch => self.patch(at, entry, &change)?,
        };
        let is_there = !matches!(after, Base::Known(None));
        if planted(Planted::RevokedItemStays) && entry.reason.is_some() {
            return Ok(());
        }
        let mut whole = if entry.full && is_there { Some(resources_of(entry)?) } else { None };
        if let Some(whole) = whole.as_mut().filter(|_| planted(Planted::FullWithoutIndexes)) {
            whole.retain(|(resource, _)| !matches!(resource, ResourceName::Index(_)));
        }
        if !matches!(after, Base::Drafted) {
            self.draft.take_if(|(drafted, _)| drafted == at);
        }
        let touched = self.touched(at)?;
        touched.op = Some(entry.op_ref);
        touched.revoked = !is_there && contest::revokes(entry);
        touched.rev = if is_there { rev_after(entry) } else { 0 };
        if (!is_there || whole.is_some()) && !planted(Planted::EndedItemKeepsResources) {
            touched.moved.clear();
        }
        touched.moved.changed.extend(whole.into_iter().flatten());
        touched.base = after;
        Ok(())
    }

    /// Patches the base of a touched item.
    fn patch(&mut self, at: &(i64, String), entry: &Entry, change: &Payload) -> Result<Base> {
        if self.draft.as_ref().is_none_or(|(drafted, _)| drafted != at) {
            self.end_draft()?;
            self.draft = Some((at.clone(), Draft::new(self.confirmed(at)?)));
        }
        if let Some((_, draft)) = &mut self.draft {
            let bytes =
                draft.apply(change).map_err(|error| diverged(entry, &format!("its patch does not apply: {error}")))?;
            self.bytes = self.bytes.saturating_add(bytes as u64);
        }
        Ok(Base::Drafted)
    }

    /// Writes the text of what was patched last.
    fn end_draft(&mut self) -> Result<()> {
        if let Some((at, draft)) = self.draft.take() {
            self.touched(&at)?.base = Base::Known(draft.into_text());
        }
        Ok(())
    }

    /// Takes note of texts that it has read or written.
    fn go_through(&mut self, texts: &[&Option<String>]) {
        let bytes: usize = texts.iter().map(|text| text.as_ref().map_or(0, String::len)).sum();
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    fn move_resource(&mut self, at: &(i64, String), entry: &Entry, change: Payload) -> Result<()> {
        let content = change.content().ok_or_else(|| broken(entry, "its payload is not of its resource"))?;
        let touched = self.touched(at)?;
        match (touched.rev, &content) {
            (0, Some(_)) => return Err(diverged(entry, "it is on a part of an item that there is not")),
            // Removing what is missing is accepted, and changes nothing.
            (0, None) => return Ok(()),
            _ => {}
        }
        if !planted(Planted::ResourceRevLeft) {
            touched.rev = rev_after(entry);
        }
        touched.resource_op = Some(entry.op_ref);
        touched.moved.changed.insert(change.resource, content);
        Ok(())
    }

    fn touch(&mut self, collection: &str, key: &str) -> Result<(i64, String)> {
        let id = match self.collections.get(collection) {
            Some(id) => *id,
            None => {
                let id = collections::find_or_create(self.connection, collection, self.life)?;
                self.collections.insert(collection.to_owned(), id);
                id
            }
        };
        let at = (id, key.to_owned());
        if !self.items.contains_key(&at) {
            let row = items::find(self.connection, id, key)?;
            self.insert(at.clone(), row)?;
        }
        Ok(at)
    }

    /// The item of a row that ops are on.
    fn touch_row(&mut self, item: i64) -> Result<(i64, String)> {
        if let Some(at) = self.rows.get(&item) {
            return Ok(at.clone());
        }
        let (collection, name, key) = item_name(self.connection, item)?;
        self.collections.insert(name, collection);
        let row = items::find_by_id(self.connection, item)?;
        self.insert((collection, key.clone()), row)?;
        Ok((collection, key))
    }

    fn insert(&mut self, at: (i64, String), row: Option<Item>) -> Result<()> {
        if let Some(row) = row.filter(|row| row.pending > 0) {
            // A slice that ends for the sake of the first one would only have the next one do the same again.
            if self.rebases {
                self.to_rebase = self.to_rebase.saturating_add(base::to_rebase(self.connection, row.id)?);
            }
            self.rebases = true;
        }
        let rev = row.map_or(0, |row| row.rev);
        if let Some(row) = row {
            self.rows.insert(row.id, at.clone());
        }
        let moved = Moved::default();
        let touched = Touched {
            row,
            rev,
            base: Base::Stored,
            moved,
            view_is_base: false,
            settled: 0,
            gone: Vec::new(),
            meant: None,
            op: None,
            resource_op: None,
            theirs: Vec::new(),
            decided: Vec::new(),
            revoked: false,
        };
        self.items.insert(at, touched);
        Ok(())
    }

    fn touched(&mut self, at: &(i64, String)) -> Result<&mut Touched> {
        self.items.get_mut(at).ok_or_else(|| Error::Corrupt(format!("item {at:?} was not read")))
    }

    /// The confirmed value of a touched item.
    fn confirmed(&self, at: &(i64, String)) -> Result<Option<String>> {
        match self.items.get(at) {
            Some(Touched { base: Base::Known(value), .. }) => Ok(value.clone()),
            Some(Touched { base: Base::Drafted, .. }) => Ok(self.draft.as_ref().and_then(|(_, draft)| draft.text())),
            Some(Touched { row: Some(row), .. }) => base::confirmed(self.connection, *row),
            _ => Ok(None),
        }
    }
}

/// Whether an entry says that it committed this change of this item.
fn commits(entry: &Entry, item: (&str, &str), payload: &Payload) -> Result<bool> {
    if entry.as_sent || entry.kind != Some(payload.kind) || entry.item() != Ok(item) {
        return Ok(false);
    }
    // What it took out of sight it does not say; a delete of the item is none that is revoked. No other file can have made of a tag's removal,
    // under its ref, another change that does so.
    if contest::revokes(entry) {
        return Ok(matches!(payload.resource, ResourceName::Tag(_)));
    }
    let committed = received::payload(entry)?;
    Ok(committed.resource == payload.resource && is_same(committed.text.as_deref(), payload.text.as_deref()))
}

/// The name of a queued op's item: the id of its collection, the collection's name, and the key.
fn item_name(connection: &Connection, item: i64) -> Result<(i64, String, String)> {
    let missing = || Error::Corrupt(format!("item {item} of a queued operation is missing"));
    items::name(connection, item)?.ok_or_else(missing)
}

/// Whether an op was rejected by what is between, or as another op of its ref; of what is `expired` the log knows better why.
fn is_given_up(op: &Queued) -> bool {
    op.rejection.as_ref().is_some_and(|why| why.seq.is_none() && why.code != Code::EXPIRED)
}

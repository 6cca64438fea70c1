//! Another filter: what is no longer kept is removed, and what is newly kept is loaded aside and joined to what there is
//! (section 5, "another filter").
//!
//! Like a bootstrap it has each step in the file before the next begins. What the replica keeps before and after goes on all the while: it is
//! pulled with its own cursor, and pushed.

use super::rebase::rebase;
use super::{Engine, Halt, contest};
use crate::conflict::Ending;
use crate::error::{Error, Result};
use crate::outbox::{conflicts, queue};
use crate::planted::{Planted, planted};
use crate::protocol::{Filter, Scope};
use crate::replica::collections::{self, Life};
use crate::replica::resources::{self, Side};
use crate::replica::state::{Bootstrap, Phase, Reason, State};
use crate::replica::{Item, Writing, items, parts, search, sweep};
use rusqlite::Connection;
use std::collections::HashMap;

/// Rows that one transaction moves or removes: a few milliseconds.
const SLICE: usize = 1_000;

/// How often the two cursors may miss each other: each time another store has pulled on meanwhile.
const MOST_ROUNDS: u32 = 16;

impl Engine<'_> {
    /// Takes up what the host wants kept by now, as far as that needs no server: what is no longer kept goes, and what
    /// was being loaded for another filter is given up.
    pub(super) fn narrow(&mut self) -> Result<()> {
        let mut state = self.replica.read(State::load)?;
        if narrowed(&state).is_some() {
            self.replica.write(|connection| {
                let Some((state, given_up)) = narrowed(&State::load(connection)?) else { return Ok(()) };
                if given_up {
                    collections::retire(connection, Life::Incoming)?;
                }
                state.store(connection)
            })?;
            state = self.replica.read(State::load)?;
        }
        let kept = state.kept;
        for (collection, span) in self.replica.read(|connection| sweep::gaps(connection, &kept))? {
            loop {
                let removed = self.replica.write(|connection| {
                    let removed = sweep::remove(connection, collection, &span, SLICE)?;
                    if removed > 0 {
                        connection.reloaded()?;
                    }
                    Ok(removed)
                })?;
                self.report.removed += removed;
                if removed == 0 {
                    break;
                }
            }
        }
        self.end_conflicts_outside(&kept)
    }

    // The sides of a conflict are values, and go with the item.
    pub(super) fn end_conflicts_outside(&self, kept: &Filter) -> Result<()> {
        if kept.is_everything() {
            return Ok(());
        }
        let mut items = self.replica.read(conflicts::open_items)?;
        items.retain(|(collection, key)| !kept.has(collection, key));
        if items.is_empty() {
            return Ok(());
        }
        let now = self.environment().unix_ms();
        self.replica.write(|connection| {
            for (collection, key) in &items {
                let name = (collection.as_str(), key.as_str());
                if parts::row(connection, name)?.is_some() {
                    continue;
                }
                for stored in conflicts::of_item(connection, name)? {
                    contest::end(connection, &stored.conflict, Ending::Gone, now)?;
                }
            }
            Ok(())
        })
    }

    /// Brings the replica to the filter that the host wants; whether it was of another one.
    pub(super) fn rescope(&mut self) -> Result<bool, Halt> {
        // The host may say what it wants at any time, and never stop.
        for _ in 0..MOST_ROUNDS {
            let Some(begun) = self.begin_rescope()? else {
                self.narrow()?;
                continue;
            };
            if begun {
                self.replica.begin_bulk()?;
                let result = self.rescope_steps();
                let ended = self.replica.end_bulk().and_then(|()| self.replica.checkpoint());
                result.and(ended.map_err(Halt::from))?;
            }
            return Ok(begun);
        }
        Ok(false)
    }

    /// Begins to load what is missing of another filter, or goes on; whether there is anything to do. `None`: the replica has
    /// to become narrower first, for the host wants less than it did when the call began.
    ///
    /// What is left out of the load is what both filters have: what only the one before has is to go, and everything,
    /// which is what a replica may have had so far, cannot be left out: no request says it, and neither does the file.
    fn begin_rescope(&self) -> Result<Option<bool>> {
        self.replica.write(|connection| {
            let mut state = State::load(connection)?;
            let is_whole = state.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.scope.have.is_none());
            if is_whole || state.cursor.is_none() {
                return Ok(Some(false));
            }
            if narrowed(&state).is_some() {
                return Ok(None);
            }
            if state.bootstrap.is_some() {
                return Ok(Some(true));
            }
            if state.kept == state.keep && state.asked == state.keep {
                return Ok(Some(false));
            }
            let scope = Scope { filter: state.keep.clone(), have: Some(state.kept.clone()) };
            collections::retire(connection, Life::Incoming)?;
            state.bootstrap = Some(Bootstrap::new(Reason::Filter, scope));
            state.store(connection)?;
            Ok(Some(true))
        })
    }

    fn rescope_steps(&mut self) -> Result<(), Halt> {
        self.load_pages()?;
        for _ in 0..MOST_ROUNDS {
            self.pull_to_end(Life::Incoming)?;
            let Some(bootstrap) = self.replica.read(State::load)?.bootstrap else { return Ok(()) };
            // What was loaded and what there was must be of one place in the log.
            if !planted(Planted::Rule29JoinsElsewhere) {
                self.pull_up_to(bootstrap.position)?;
            }
            if self.merge()? {
                self.join()?;
                self.delete_retired()?;
                return Ok(());
            }
        }
        Err(Error::protocol("the log of another filter never ends where the replica's does").into())
    }

    /// Takes over the cursor of the new filter, and makes live what can be made so by name; `false`: the replica is no longer at
    /// the place of what was loaded.
    fn merge(&mut self) -> Result<bool> {
        let merged = self.replica.write(|connection| {
            let mut state = State::load(connection)?;
            let Some(mut bootstrap) = state.bootstrap.take() else { return Ok(Some((false, 0))) };
            // What replaces all that there is must be swapped in: joined, it would leave what the server does not have any more.
            let Some(have) = bootstrap.scope.have.clone().filter(|_| bootstrap.phase != Phase::Join) else {
                return Ok(Some((false, 0)));
            };
            if state.position != bootstrap.position && !planted(Planted::Rule29JoinsElsewhere) {
                return Ok(None);
            }
            // A host may have resolved, while it was loaded, the conflict that an item was here for.
            let mut removed = 0;
            for (collection, span) in sweep::gaps(connection, &state.kept)? {
                while let items @ 1.. = sweep::remove(connection, collection, &span, SLICE)? {
                    removed += items;
                }
            }
            forget_gone(connection, &bootstrap.scope)?;
            let mut rest = false;
            for (loaded, name) in collections::of_life(connection, Life::Incoming)? {
                let Some(live) = collections::live(connection, &name)? else {
                    collections::set_life(connection, loaded, Life::Live)?;
                    continue;
                };
                if !have.prefixes(&name).is_empty() {
                    rest = true;
                    continue;
                }
                // Nothing of it was kept, so this is what is pending.
                let mut moved = false;
                for (row, key) in items::all_of(connection, live)? {
                    match items::find(connection, loaded, &key)? {
                        Some(confirmed) => put_on_top(connection, row, confirmed)?,
                        None => {
                            items::move_to(connection, row, loaded)?;
                            moved = true;
                        }
                    }
                }
                if moved {
                    search::rebuild_rest(connection, &name)?;
                }
                collections::set_life(connection, live, Life::Retired)?;
                collections::set_life(connection, loaded, Life::Live)?;
            }
            let widened = !have.covers(&bootstrap.scope.filter);
            state.cursor.clone_from(&bootstrap.cursor);
            (state.asked, state.kept) = (bootstrap.scope.filter.clone(), bootstrap.scope.filter.clone());
            bootstrap.phase = Phase::Join;
            state.bootstrap = rest.then_some(bootstrap);
            state.store(connection)?;
            if widened || removed > 0 {
                connection.reloaded()?;
            }
            Ok(Some((widened, removed)))
        })?;
        let (widened, removed) = merged.unwrap_or_default();
        self.report.widened |= widened;
        self.report.removed += removed;
        Ok(merged.is_some())
    }

    /// Moves what was loaded to the items of its collection, of which some were kept before, a slice at a time.
    pub(super) fn join(&mut self) -> Result<()> {
        while self.replica.write(join_slice)? {}
        Ok(())
    }
}

/// The state without what is no longer wanted, if anything in it is, and whether what was loaded aside is given up.
fn narrowed(state: &State) -> Option<(State, bool)> {
    let mut next = state.clone();
    let mut given_up = false;
    match &state.bootstrap {
        Some(Bootstrap { scope: Scope { filter, have: Some(have) }, phase, .. }) if *filter != state.keep => {
            if *phase == Phase::Join {
                // What was moved already is removed again.
                next.kept = have.clone();
            }
            (next.bootstrap, given_up) = (None, true);
        }
        // What is wanted beyond what it loads comes after it.
        Some(bootstrap) if bootstrap.scope.have.is_none() && !state.keep.covers(&bootstrap.scope.filter) => {
            next.bootstrap = Some(bootstrap.anew(Scope::of(state.keep.clone())));
            given_up = true;
        }
        _ => {}
    }
    // Of a replica that was never loaded there is nothing to compare with. What is more than one list can say is loaded again.
    next.kept = if state.cursor.is_none() { state.keep.clone() } else { next.kept.and(&state.keep).fitting() };
    (given_up || next.kept != state.kept).then_some((next, given_up))
}

fn join_slice(connection: &Writing<'_>) -> Result<bool> {
    let mut state = State::load(connection)?;
    if !state.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.phase == Phase::Join) {
        return Ok(false);
    }
    let Some((loaded, name)) = collections::of_life(connection, Life::Incoming)?.into_iter().next() else {
        state.bootstrap = None;
        state.store(connection)?;
        return Ok(false);
    };
    let live = collections::find_or_create(connection, &name, Life::Live)?;
    let rows = items::first_of(connection, loaded, SLICE)?;
    if rows.is_empty() {
        collections::set_life(connection, loaded, Life::Retired)?;
        return Ok(true);
    }
    let mut moved = 0;
    for (row, key) in rows {
        if moved >= SLICE {
            break;
        }
        if let (Some(pending), Some(confirmed)) =
            (items::find(connection, live, &key)?, items::find_by_id(connection, row)?)
        {
            put_on_top(connection, pending.id, confirmed)?;
        }
        moved += 1 + items::move_to(connection, row, live)?;
    }
    search::rebuild_rest(connection, &name)?;
    connection.reloaded()?;
    Ok(true)
}

/// Leaves nothing confirmed of items that were here for their ops alone, and that the server has no more: their base is of the
/// place in the log at which they ceased to be kept.
fn forget_gone(connection: &Connection, scope: &Scope) -> Result<()> {
    let loaded: HashMap<String, i64> =
        collections::of_life(connection, Life::Incoming)?.into_iter().map(|(id, name)| (name, id)).collect();
    for (id, collection, key) in items::live_pending(connection)? {
        let is_there = |loaded: &i64| items::find(connection, *loaded, &key).map(|item| item.is_some());
        if !scope.has(&collection, &key) || loaded.get(&collection).map_or(Ok(false), is_there)? {
            continue;
        }
        if let Some(row) = items::find_by_id(connection, id)?.filter(|row| row.rev > 0) {
            resources::clear(connection, id, Side::Base)?;
            rebase(connection, Item { rev: 0, ..row }, None, &queue::of_item(connection, id)?)?;
        }
    }
    Ok(())
}

/// Puts the pending ops of one row on top of another, which takes its place.
fn put_on_top(connection: &Connection, pending: i64, confirmed: Item) -> Result<()> {
    let value = items::value(connection, confirmed.id)?;
    queue::move_item(connection, pending, confirmed.id)?;
    items::remove(connection, pending)?;
    rebase(connection, confirmed, value.as_deref(), &queue::of_item(connection, confirmed.id)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Content, ResourceName};
    use crate::replica::Replica;

    #[test]
    fn a_slice_joins_no_more_rows_than_it_may_whatever_the_items_have_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&dir.path().join("s.db"));
        let live = replica
            .write(|connection| {
                let live = collections::find_or_create(connection, "c", Life::Live)?;
                let loaded = collections::find_or_create(connection, "c", Life::Incoming)?;
                for n in 0..SLICE / 2 {
                    let item = items::insert(connection, loaded, &format!("k{n:04}"), 1, 0, Some("1"))?;
                    for tag in ["a", "b"].map(|tag| ResourceName::Tag(tag.into())) {
                        resources::put(connection, item, &tag, Side::Both, Some(&Content::Tag))?;
                    }
                }
                let mut state = State::load(connection)?;
                let mut bootstrap = Bootstrap::new(Reason::Filter, Scope::of(Filter::everything()));
                bootstrap.phase = Phase::Join;
                state.bootstrap = Some(bootstrap);
                state.store(connection)?;
                Ok(live)
            })
            .unwrap();
        let mut joined = Vec::new();
        while replica.write(join_slice).unwrap() {
            joined.push(replica.read(|connection| items::first_of(connection, live, usize::MAX >> 1)).unwrap().len());
        }
        // Three rows each; the last one retires what has nothing left.
        assert_eq!(joined, [SLICE.div_ceil(3), SLICE / 2, SLICE / 2]);
    }
}

//! The end of a slice: each item that it touched is written once.

use super::Slice;
use super::settle::Settled;
use crate::error::Result;
use crate::outbox::{conflicts, queue};
use crate::planted::{Planted, planted};
use crate::replica::collections::Life;
use crate::replica::resources::Side;
use crate::replica::{Item, base, items};
use crate::sync::contest::Contest;
use crate::sync::rebase::rebase;
use crate::sync::seen::{Cause, Seen};
use crate::sync::touched::Base;
use crate::watch::Origin;
use std::collections::HashMap;

impl Slice<'_> {
    /// Writes every item that was touched: its base, and its view with the pending ops on top.
    pub fn finish(mut self) -> Result<Settled> {
        self.end_draft()?;
        let connection = self.connection;
        let told = !planted(Planted::RemoteChangeUntold);
        let watched = self.life == Life::Live && told && connection.is_watched()?;
        let any_theirs = self.items.values().any(|touched| !touched.theirs.is_empty());
        let all_kept = self.life != Life::Live || self.scope.filter.is_everything();
        let names: HashMap<i64, String> = match watched || any_theirs || self.any_conflict || !all_kept {
            true => self.collections.into_iter().map(|(name, id)| (id, name)).collect(),
            false => HashMap::new(),
        };
        let mut any_contest = false;
        for ((collection, key), mut touched) in self.items {
            let name = names.get(&collection);
            let row = touched.row.map(|row| row.id);
            let seen = match name.filter(|_| watched) {
                Some(name) => Seen::before(connection, name, &key, row)?,
                None => None,
            };
            let (op, resource_op, revoked) = (touched.op, touched.resource_op, touched.revoked);
            let cause = Cause { op, resource_op, revoked, origin: Origin::Remote };
            let kept = all_kept || name.is_none_or(|name| self.scope.filter.has(name, &key));
            let theirs = std::mem::take(&mut touched.theirs);
            let contest = match name {
                Some(name) if self.any_conflict || !theirs.is_empty() => {
                    Contest::before(connection, (name, &key), touched.row, theirs, self.any_conflict)?
                }
                _ => None,
            };
            let known = match touched.base {
                Base::Known(value) => Some(value),
                Base::Stored | Base::Drafted => None,
            };
            match touched.row {
                None => {
                    if let Some(Some(value)) = known {
                        let id = items::insert(connection, collection, &key, touched.rev, 0, Some(&value))?;
                        touched.moved.write(connection, id, Side::Both)?;
                    }
                }
                // It was here for the sake of its ops.
                Some(row) if !kept && row.pending == touched.settled => drop(items::remove(connection, row.id)?),
                Some(row) => {
                    let none_left = row.pending == touched.settled;
                    let ops = if none_left { Vec::new() } else { queue::of_item(connection, row.id)? };
                    if none_left && (row.pending == 0 || touched.view_is_base) {
                        // What the host sees of the others is their base.
                        touched.moved.write(connection, row.id, Side::Both)?;
                    } else {
                        touched.moved.write(connection, row.id, Side::Base)?;
                    }
                    if touched.view_is_base && ops.is_empty() {
                        if row.rev > 0 {
                            base::delete(connection, row.id)?;
                        }
                        items::update_confirmed(connection, Item { rev: touched.rev, pending: 0, ..row })?;
                    } else if planted(Planted::ViewNotRebased) && !ops.is_empty() {
                        match known {
                            Some(Some(value)) => base::insert(connection, row.id, &value)?,
                            Some(None) => base::delete(connection, row.id)?,
                            None => {}
                        }
                        let view = items::value(connection, row.id)?;
                        let pending = ops.len() as u32;
                        items::update(connection, Item { rev: touched.rev, pending, ..row }, view.as_deref())?;
                    } else if row.pending == 0 {
                        match known {
                            Some(Some(value)) => {
                                items::update(connection, Item { rev: touched.rev, ..row }, Some(&value))?;
                            }
                            Some(None) => items::delete(connection, row.id)?,
                            None => items::update_confirmed(connection, Item { rev: touched.rev, ..row })?,
                        }
                    } else {
                        let base = match known {
                            Some(value) => value,
                            None => base::confirmed(connection, row)?,
                        };
                        rebase(connection, Item { rev: touched.rev, ..row }, base.as_deref(), &ops)?;
                    }
                }
            }
            if let Some(seen) = seen {
                seen.after(connection, (collection, &key), cause)?;
            }
            if let Some(contest) = contest {
                any_contest = true;
                let dropped = !kept && touched.row.is_some_and(|row| row.pending == touched.settled);
                contest.after(connection, &touched.decided, touched.revoked || dropped, self.now)?;
            }
        }
        if any_contest {
            conflicts::bound(connection)?;
        }
        Ok(self.settled)
    }
}

//! Conflicts: listed, and resolved in one transaction each.

use super::Store;
use super::write::{Write, Writer};
use crate::cancel::Cancel;
use crate::conflict::{Conflict, Resolution, members};
use crate::error::{Error, Result};
use crate::event::ConflictNews;
use crate::outbox::{Outcome, conflicts, ledger, queue};
use crate::planted::{Planted, planted};
use crate::protocol::{Json, JsonError, Limits, Ref, ResourceName};
use crate::replica::{Item, Writing, base, collections, parts};
use crate::sync::{Access, Cause, Seen, is_same, rebase};
use crate::watch::Origin;
use serde_json::Value;

impl Store {
    /// The open conflicts, the oldest first: what others changed while operations of this replica were pending on it.
    ///
    /// There is one for each value (or index entry, relation, tag), however often either side changes it; it stays open, through restarts, until
    /// [`Store::resolve`], and nothing waits for that. [`Conflict`] has the three sides. At most 10,000 conflicts and 64 MiB of sides
    /// are kept; of those that are dropped what is read stays as it is.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = syncstore::Store::open("notes.db", syncstore::Options::default())?;
    /// use syncstore::Resolution;
    ///
    /// for conflict in store.conflicts()? {
    ///     println!("{:?}: here {:?}, there {:?}", conflict.base, conflict.local, conflict.remote);
    ///     store.resolve(&conflict, Resolution::KeepOurs)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn conflicts(&self) -> Result<Vec<Conflict>> {
        self.replica.read_at_once(conflicts::open)
    }

    /// The conflicts that have ended, the oldest first, without their sides: which, when, and how.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn ended_conflicts(&self) -> Result<Vec<Conflict>> {
        self.replica.read_at_once(conflicts::ended)
    }

    /// Resolves a conflict as it was listed; the operation that was written for it, if one was needed.
    ///
    /// Operations on the same part that were never sent, and are in no batch, are taken back ([`Outcome::Withdrawn`](crate::Outcome::Withdrawn)) where the
    /// resolution is another than what is read; what was sent stays, and one more operation follows it: of an object a patch of the
    /// members that are to be otherwise, so that it takes nothing back of what others do meanwhile. It goes with the base that the remote side
    /// has, so that no policy takes it for stale.
    ///
    /// # Errors
    ///
    /// [`Error::ConflictMoved`] when more of theirs has come, something was written here, or it has ended since it was listed: list it again.
    /// [`Error::Limit`], [`Error::Json`] for a merged value that is none, [`Error::NotFound`] for an index entry, a relation or a tag of an item that is gone,
    /// [`Error::NotKept`] for one that [`Store::keep`] leaves out by now. Nothing was written then, and the conflict is open.
    pub fn resolve(&self, conflict: &Conflict, resolution: Resolution) -> Result<Option<Ref>> {
        let op = self.writer.resolve(Access::new(&self.replica, None), conflict, &resolution)?;
        self.wrote(1);
        Ok(op)
    }

    /// Asks the host's resolver, on this thread, about what it was not asked about yet. Whatever becomes of that is no failure of the
    /// sync: the conflicts stay open.
    pub(super) fn decide_conflicts(&self, cancel: Option<&Cancel>) {
        let Some(decisions) = &self.decisions else { return };
        if decisions.decide(Access::new(&self.replica, cancel)) {
            self.wrote(1);
        }
    }
}

impl Writer {
    /// Resolves a conflict, unless it has moved.
    pub fn resolve(&self, access: Access<'_>, conflict: &Conflict, resolution: &Resolution) -> Result<Option<Ref>> {
        let limits = access.newest_limits();
        let now = self.environment.unix_ms();
        access.write(|connection| {
            let moved = || Error::ConflictMoved { id: conflict.id };
            let mut stored = conflicts::find_open(connection, conflict.id)?.ok_or_else(moved)?;
            conflicts::complete(connection, &mut stored)?;
            let open = &stored.conflict;
            let decided_on_it = *resolution != Resolution::KeepRebased;
            // What was written since and refused is in the local side, and not in the view.
            let written = (&open.view, &open.local) != (&conflict.view, &conflict.local);
            if open.version != conflict.version || (decided_on_it && written) {
                return Err(moved());
            }
            let wanted = match resolution {
                Resolution::KeepRebased => open.view.clone(),
                Resolution::TakeTheirs => open.remote.clone(),
                Resolution::KeepOurs => open.local.clone(),
                Resolution::Merged(value) => Some(Json::from_value(value).into_string()),
            };
            let op = self.make_so(connection, &limits, open, wanted.as_deref())?;
            conflicts::end(connection, open.id, resolution.ending(), op, now)?;
            connection.conflict(open, ConflictNews::Ended(resolution.ending()));
            Ok(op)
        })
    }

    /// Lets the host read `wanted` where the conflict is, by one op if it takes one.
    fn make_so(
        &self,
        connection: &Writing<'_>,
        limits: &Limits,
        conflict: &Conflict,
        wanted: Option<&str>,
    ) -> Result<Option<Ref>> {
        let Conflict { collection, key, resource, view, .. } = conflict;
        let name = (collection.as_str(), key.as_str());
        if is_same(view.as_deref(), wanted) {
            self.claim(connection, conflict)?;
            return Ok(None);
        }
        let told = match parts::row(connection, name)? {
            Some(row) => Seen::before(connection, collection, key, Some(row.id))?,
            None => None,
        };
        let withdrawn = self.withdraw(connection, conflict)?;
        let seen = || parts::row(connection, name)?.map_or(Ok(None), |row| parts::seen(connection, row, resource));
        let before = seen()?;
        let op = if is_same(before.as_deref(), wanted) {
            None
        } else {
            let write = write_of(limits, name, resource, before.as_deref(), wanted)?;
            Some(self.put(connection, limits, &write, None)?)
        };
        // Also behind the op, which tells what it changed alone: the item may have left a watched range by what was withdrawn.
        if let (Some(told), Some(id)) = (told, collections::live(connection, collection)?) {
            let cause = Cause { op, resource_op: op, revoked: false, origin: Origin::Local };
            told.after(connection, (id, key), cause)?;
        }
        if let Some(op) = op {
            withdrawn.iter().try_for_each(|withdrawn| ledger::withdrawn_for(connection, *withdrawn, op))?;
        }
        withdrawn.iter().for_each(|withdrawn| connection.settled(*withdrawn, || Outcome::Withdrawn(op)));
        self.claim(connection, conflict)?;
        Ok(op)
    }

    /// Takes back the ops on the conflict's part that were never sent; which.
    fn withdraw(&self, connection: &Writing<'_>, conflict: &Conflict) -> Result<Vec<Ref>> {
        let Some(row) = parts::row(connection, (&conflict.collection, &conflict.key))? else { return Ok(Vec::new()) };
        let confirmed = base::confirmed(connection, row)?;
        let (withdrawn, stay): (Vec<_>, Vec<_>) = queue::of_item(connection, row.id)?.into_iter().partition(|op| {
            let unsent = !op.sent || planted(Planted::ResolutionWithdrawsSent);
            unsent && op.batch.is_none() && op.payload.resource == conflict.resource
        });
        if withdrawn.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.environment.unix_ms();
        for op in &withdrawn {
            // Before the op that takes its place is made: the ledger keeps the place from being given again.
            queue::delete(connection, op.id())?;
            if !planted(Planted::WithdrawnForgotten) {
                ledger::withdraw(connection, op.op_ref, now)?;
            }
        }
        rebase(connection, Item { pending: stay.len() as u32, ..row }, confirmed.as_deref(), &stay)?;
        Ok(withdrawn.into_iter().map(|op| op.op_ref).collect())
    }

    /// Lets what is pending on the conflict's part, and was never sent, claim to know what is confirmed.
    fn claim(&self, connection: &Writing<'_>, conflict: &Conflict) -> Result<()> {
        match parts::row(connection, (&conflict.collection, &conflict.key))? {
            Some(_) if planted(Planted::ResolutionClaimsNothing) => Ok(()),
            Some(row) => queue::claim(connection, row, &conflict.resource),
            None => Ok(()),
        }
    }
}

/// What makes a part of an item so, of what it is `before`.
fn write_of(
    limits: &Limits,
    (collection, key): (&str, &str),
    resource: &ResourceName,
    before: Option<&str>,
    wanted: Option<&str>,
) -> Result<Write> {
    match (resource, wanted) {
        (ResourceName::Value, Some(value)) => {
            let value = Json::from_stored(value.to_owned())?;
            limits.check_value(&value)?;
            let before = before.map(|before| Json::from_stored(before.to_owned())?.to_value()).transpose()?;
            match (before, value.to_value()?) {
                (Some(Value::Object(before)), Value::Object(after)) => {
                    match Write::patch(limits, collection, key, &members(&before, &after)) {
                        // Many small members take more to name than to say.
                        Err(Error::Limit(_)) => Write::set(limits, collection, key, &value),
                        write => write,
                    }
                }
                _ => Write::set(limits, collection, key, &value),
            }
        }
        (ResourceName::Value, None) => Write::delete(limits, collection, key),
        (_, None) => Write::resource(limits, collection, key, resource.clone(), None),
        (_, Some(text)) => {
            let content = parts::content_of(resource, text);
            let content = content.ok_or_else(|| JsonError::other("it has not the form of the part of the item"))?;
            Write::resource(limits, collection, key, resource.clone(), Some(&content))
        }
    }
}

//! What an app must survive: a connection that breaks, a change that is refused, a device that was away for too long.

use crate::calendar::Calendar;
use crate::device::Device;
use crate::offline::Edits;
use crate::screen::{count, operations, say, say_report, title};
use crate::unreliable::Fate::{Arrives, IsLost, LosesItsAnswer};
use crate::unreliable::UnreliableWire;
use crate::{DATABASE, INVOICES, JOURNAL, LOG_RETENTION, NOTES, Result, ensure};
use serde_json::{Value, json};
use std::collections::HashSet;
use syncstore::wire::Wire;
use syncstore::{BootstrapReason, Options, Outcome, Ref, RetryPolicy};
use syncstore_server::Server;

pub fn broken_connection(ada: &mut Device) -> Result<()> {
    title("5. Ada's connection breaks in the middle of a sync, twice")?;
    let refs: Vec<Ref> = ada.store.pending()?.iter().map(|op| op.op_ref).collect();
    let made = refs.len() as u64;

    // Normally a sync tries again by itself, and one push takes 1,000 operations. Here the failures are to be seen.
    let mut options = Options::default();
    options.retry = RetryPolicy::never();
    options.push_ops = made.div_ceil(3) as u32;
    ada.reopen(options)?;
    say(format!("Her app was started again; in the outbox are still {}.", operations(ada.store.pending_count()?)))?;

    let before = ada.wire.info()?.seq;
    let wire = UnreliableWire::new(&ada.wire, [Arrives, LosesItsAnswer, IsLost]);
    for accident in ["An answer was lost", "A request was lost"] {
        let Err(stopped) = ada.store.sync(&wire) else {
            return Err("a sync over a broken connection succeeded".into());
        };
        say(format!("{accident}; her sync says: {stopped}"))?;
        let known = made - still_open(ada, &refs)?;
        let taken = ada.wire.info()?.seq - before;
        say(format!(
            "the server has committed {} of her {}; she has had answers for {}",
            count(taken),
            count(made),
            count(known)
        ))?;
    }
    say("The connection holds again: what she is not sure of is sent once more, under the refs it had.")?;
    say_report(ada.owner, &ada.store.sync(&wire)?)?;
    let logged = ada.wire.info()?.seq - before;
    let places: HashSet<_> = refs.iter().map(|op| place(ada, *op)).collect::<Result<_>>()?;
    say(format!("The log has grown by {}: no operation lost, none applied twice.", count(logged)))?;
    ensure(logged == made && places.len() == refs.len(), "an operation was lost, or applied twice")?;
    ada.reopen(Options::default())
}

/// How many of them nothing is known of but that they are to be sent, or sent again.
fn still_open(ada: &Device, refs: &[Ref]) -> Result<u64> {
    let mut open = 0;
    for op in refs {
        open += u64::from(matches!(ada.store.outcome(*op)?, Some(Outcome::Queued | Outcome::InFlight)));
    }
    Ok(open)
}

/// Where an accepted operation stands in the server's log.
fn place(ada: &Device, op: Ref) -> Result<u64> {
    match ada.store.outcome(op)? {
        Some(Outcome::Accepted { seq }) => Ok(seq),
        other => Err(format!("operation {op} should have been accepted, but is {other:?}").into()),
    }
}

pub fn rejection(ada: &Device, bob: &Device, edits: &Edits) -> Result<()> {
    title("6. Bob syncs: changes merge, and one is rejected")?;
    bob.sync()?;
    ada.sync()?;
    let shared = edits.favourites[0];
    let record: Value = bob.store.get(crate::RECORDS, shared)?.unwrap_or_default();
    let guests: Value = ada.store.get(NOTES, "guestbook")?.unwrap_or_default();
    let agenda: Value = ada.store.get(NOTES, "agenda")?.unwrap_or_default();
    say(format!("record {shared:?}: favourite {}, note {}", record["favourite"], record["note"]))?;
    say(format!("guest book, patched by both: {guests}"))?;
    say(format!("agenda, set by both: {}, the one that came last", agenda["items"]))?;
    ensure(record["favourite"] == true && record["note"] == "Bob was here", "the changes of a record did not merge")?;
    ensure(guests == json!(["Ada", "Bob"]), "the guest book should hold both lines, once each")?;
    ensure(agenda["items"] == json!(["cake"]), "the agenda should be Bob's")?;

    let Some(Outcome::Rejected(rejection)) = bob.store.outcome(edits.bobs_invoice)? else {
        return Err("Bob's change of the invoice should have been rejected".into());
    };
    say(format!("invoice, changed by both: Bob's is rejected, {}: {}", rejection.code, rejection.message))?;
    if let Some(detail) = &rejection.detail {
        say(format!("detail for his app: {detail}"))?;
    }
    // His replica shows the server's invoice now. The app may show him both, and he may mean it still.
    let invoice: Value = bob.store.get(INVOICES, "2026-001")?.unwrap_or_default();
    say(format!("He sees what it is now, {invoice}, and gives the discount on that."))?;
    let again = bob.store.update(INVOICES, "2026-001", |invoice| invoice["total"] = 100.into())?;
    bob.sync()?;
    let outcome = again.map(|op| bob.store.outcome(op)).transpose()?.flatten();
    ensure(matches!(outcome, Some(Outcome::Accepted { .. })), "Bob's second change of the invoice was not accepted")
}

pub fn expired_cursor(ada: &Device, bob: &Device, server: &Server, calendar: &Calendar) -> Result<()> {
    title("7. Bob is away for two days, and the server's log goes on without him")?;
    let kept = bob.store.set(NOTES, "from the train", &json!({"text": "no connection here"}))?;
    // A batch stands or falls as a whole, here and on the server; a loop of `set` would do as well.
    let written = LOG_RETENTION + 200;
    let mut batch = ada.store.batch();
    for number in 1..=written {
        batch.set(JOURNAL, &format!("{number:05}"), &json!({"number": number}))?;
    }
    batch.commit()?;
    say(format!("Ada writes {} journal entries in one batch.", count(written)))?;
    ada.sync()?;
    // The log is never pruned behind a checkpoint that may still be in use, so Bob's first one must be over.
    say("Two days pass, on the server's clock only, which is simulated.")?;
    calendar.let_days_pass(2);
    server.service().prune(DATABASE)?;
    say(format!("The server keeps {} entries of its log; Bob's cursor lies before them.", count(LOG_RETENTION)))?;

    let report = bob.sync()?;
    let outcome = bob.store.outcome(kept)?;
    ensure(report.bootstrapped == Some(BootstrapReason::Expired), "Bob's cursor should have expired")?;
    ensure(report.pushed == 1, "Bob had one operation to push")?;
    ensure(matches!(outcome, Some(Outcome::Accepted { .. })), "the note that Bob wrote on the train was lost")?;
    say("His replica was loaded anew; the note that he had not sent yet is kept, and accepted.")?;
    Ok(())
}

//! What an app does all day: it reads and writes its own replica, and syncs when there is a connection.

use crate::device::Device;
use crate::records::Records;
use crate::screen::{self, count, counted, items, operations, pace, rate, say, say_report, title};
use crate::{INVOICES, NOTES, RECORDS, Result, SETTINGS, ensure};
use serde_json::json;
use std::time::Instant;
use syncstore::{Options, Ref};

const SLIDER_MOVES: u64 = 10_000;

/// Which records the two change, by their keys, and the change that the server will refuse.
pub struct Edits<'a> {
    /// Ada made these favourites.
    pub favourites: Vec<&'a str>,
    /// Bob wrote a note on these; the first is one of Ada's favourites too.
    pub noted: Vec<&'a str>,
    /// Bob deleted these.
    pub deleted: Vec<&'a str>,
    pub bobs_invoice: Ref,
}

pub fn load(ada: &Device, records: &Records) -> Result<()> {
    title("1. Ada loads the records; there is no connection")?;
    let start = Instant::now();
    for record in &records.list {
        let written = ada.store.set_raw(RECORDS, &record.key, &record.text);
        written.map_err(|error| format!("{}: {error}", record.place))?;
    }
    let (written, elapsed) = (records.list.len() as u64, start.elapsed());
    say(format!("{} in {},", screen::records(records.list.len()), pace(written, elapsed)))?;
    // `Options::durability` can make each write wait for the disk, so that it survives a power loss too.
    say(
        "each in a transaction of its own, and once the call returned safe from a crash of the app (the default durability)",
    )?;

    // Values may be any JSON, and any type that serde can serialise.
    ada.store.set(NOTES, "agenda", &json!({"title": "Friday", "items": ["coffee"]}))?;
    ada.store.set(NOTES, "guestbook", &json!([]))?;
    ada.store.set(SETTINGS, "volume", &json!({"level": 5}))?;
    ada.store.set(INVOICES, "2026-001", &json!({"state": "draft", "total": 120}))?;

    let pending = ada.store.pending_count()?;
    say(format!("with 4 documents of her own, {} are in her outbox", operations(pending)))?;
    ensure(pending == written + 4, "not every write is in the outbox")
}

pub fn first_sync(ada: &Device) -> Result<()> {
    title("2. The first sync")?;
    let report = ada.sync()?;
    if let Some(rate) = rate(report.pushed, report.elapsed) {
        say(format!("{rate} operations a second, each decided and logged by the server"))?;
    }
    ensure(ada.store.pending_count()? == 0, "the sync left operations in the outbox")
}

pub fn bootstrap(bob: &mut Device, records: &Records) -> Result<()> {
    title("3. Bob's new replica loads everything")?;
    // Small pages, so that there is some progress to see; the default is 4,000 items.
    let mut options = Options::default();
    let quarter = (records.list.len() + 4).div_ceil(4);
    options.checkpoint_items = quarter.min(options.checkpoint_items as usize) as u32;
    bob.reopen(options)?;

    let mut quarters = 0;
    let mut shown = Ok(());
    let report = bob.store.sync_with(&bob.wire, &mut |progress| {
        let reached = progress.loaded * 4 / progress.total.max(1);
        if reached > quarters {
            quarters = reached;
            shown = say(format!("{} of {}", count(progress.loaded), items(progress.total)));
        }
    })?;
    shown?;
    say_report(bob.owner, &report)?;
    match rate(report.loaded, report.elapsed) {
        Some(rate) => say(format!("{rate} items a second (small pages, to show progress)"))?,
        None => say("(small pages, to show progress)")?,
    }
    bob.reopen(Options::default())
}

pub fn edit<'a>(ada: &Device, bob: &Device, records: &'a Records) -> Result<Edits<'a>> {
    title("4. Both edit, without a connection")?;
    let (mut favourites, mut noted, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    for group in records.list.chunks((records.list.len() / 100).max(3)) {
        let key = |index: usize| group.get(index).map(|record| record.key.as_str());
        favourites.extend(key(0));
        noted.extend(key(1));
        deleted.extend(key(2));
    }
    // One record that both change.
    noted.insert(0, favourites[0]);

    for key in &favourites {
        ada.store.update(RECORDS, key, |record| record["favourite"] = true.into())?;
    }
    for key in &noted {
        bob.store.update(RECORDS, key, |record| record["note"] = "Bob was here".into())?;
    }
    for key in &deleted {
        bob.store.delete(RECORDS, key)?;
    }
    let (marked, written) = (favourites.len() as u64, noted.len() as u64);
    say(format!(
        "Ada marks {}; Bob writes {} and deletes {}. Record {:?} gets both a mark and a note.",
        counted(marked, "favourite", "favourites"),
        counted(written, "note", "notes"),
        screen::records(deleted.len()),
        favourites[0]
    ))?;

    // A JSON Patch travels as it is: both lines will stand in the guest book, once each.
    let sign = |name| serde_json::from_value(json!([{"op": "add", "path": "/-", "value": name}]));
    ada.store.patch(NOTES, "guestbook", &sign("Ada")?)?;
    bob.store.patch(NOTES, "guestbook", &sign("Bob")?)?;
    // A set replaces the whole value: the one that reaches the server last will stand.
    ada.store.set(NOTES, "agenda", &json!({"title": "Friday", "items": ["tea"]}))?;
    bob.store.set(NOTES, "agenda", &json!({"title": "Friday", "items": ["cake"]}))?;
    // Ada sends the invoice while Bob gives a discount on the draft.
    ada.store.update(INVOICES, "2026-001", |invoice| invoice["state"] = "sent".into())?;
    let bobs_invoice = bob.store.update(INVOICES, "2026-001", |invoice| invoice["total"] = 100.into())?;
    let bobs_invoice = bobs_invoice.ok_or("the discount changed nothing")?;
    say("Both sign the guest book, set another agenda, and change the same invoice.")?;

    slider(ada)?;
    let (adas, bobs) = (ada.store.pending_count()?, bob.store.pending_count()?);
    say(format!("waiting: {} of Ada's, {} of Bob's", operations(adas), count(bobs)))?;
    Ok(Edits { favourites, noted, deleted, bobs_invoice })
}

/// Operations that were not sent yet fold into one.
fn slider(ada: &Device) -> Result<()> {
    let before = ada.store.pending_count()?;
    let start = Instant::now();
    for step in 1..=SLIDER_MOVES {
        ada.store.set(SETTINGS, "volume", &json!({"level": step % 11}))?;
    }
    let elapsed = start.elapsed();
    let more = ada.store.pending_count()? - before;
    say(format!(
        "Ada moves a volume slider {} times in {}: {} more to send.",
        count(SLIDER_MOVES),
        pace(SLIDER_MOVES, elapsed),
        operations(more)
    ))?;
    ensure(more == 1, "the moves of the slider did not become one operation")
}

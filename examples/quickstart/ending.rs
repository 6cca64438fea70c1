//! The proof: both replicas and the server hold the same items.

use crate::device::Device;
use crate::offline::Edits;
use crate::records::Records;
use crate::screen::{self, count, say, time, title};
use crate::{RECORDS, Result, ensure};
use serde_json::Value;
use std::collections::HashSet;
use std::time::Instant;
use syncstore::protocol::Json;
use syncstore::{KeyRange, Store};

const PAGE: usize = 1_000;

/// Compares every item of the two replicas with the server's, read by a replica that has never seen either.
pub fn compare(ada: &Device, bob: &Device, proof: &Device) -> Result<()> {
    title("8. Are they the same?")?;
    ada.sync()?;
    bob.sync()?;
    proof.sync()?;
    for device in [ada, bob] {
        let pending = device.store.pending_count()?;
        ensure(pending == 0, format!("{} of {}'s operations are not settled", count(pending), device.owner))?;
        let start = Instant::now();
        let items = same_items(&device.store, &proof.store)
            .map_err(|error| format!("{} and the server differ: {error}", device.owner))?;
        let collections = device.store.collections()?.len();
        let elapsed = time(start.elapsed());
        say(format!("{} = server: {} in {collections} collections ({elapsed})", device.owner, screen::items(items)))?;
    }
    Ok(())
}

/// How many items both have, all of them the same; an error names the first that is not.
fn same_items(left: &Store, right: &Store) -> Result<u64> {
    let collections = left.collections()?;
    ensure(collections == right.collections()?, "they have not the same collections")?;
    let mut same = 0;
    for collection in &collections {
        let mut range = KeyRange::all().limit(PAGE);
        loop {
            let (ours, theirs) = (left.list(collection, &range)?, right.list(collection, &range)?);
            for (ours, theirs) in ours.iter().zip(theirs.iter()) {
                if ours.key != theirs.key {
                    return Err(
                        format!("{collection} has {:?} in one and {:?} in the other", ours.key, theirs.key).into()
                    );
                }
                if ours.value != theirs.value && Json::parse(ours.value)? != Json::parse(theirs.value)? {
                    let key = ours.key;
                    return Err(format!("{collection} {key:?} is {} and {}", ours.value, theirs.value).into());
                }
            }
            let (number, other) = (ours.len(), theirs.len());
            ensure(number == other, format!("{collection} has {number} items and {other} from {range:?} on"))?;
            same += number as u64;
            match ours.last() {
                Some(last) if ours.more() => range = range.after(last.key),
                _ => break,
            }
        }
    }
    Ok(same)
}

/// Compares what the server has with the file that the story began with and the changes that were made since.
pub fn check_records(proof: &Device, records: &Records, edits: &Edits) -> Result<()> {
    let [favourites, noted, deleted] =
        [&edits.favourites, &edits.noted, &edits.deleted].map(|keys| keys.iter().copied().collect::<HashSet<_>>());
    let mut untouched = 0;
    for record in &records.list {
        let key = record.key.as_str();
        let now = proof.store.get_raw(RECORDS, key)?;
        let edited = favourites.contains(key) || noted.contains(key);
        let as_it_should_be = if deleted.contains(key) {
            now.is_none()
        } else if edited {
            let mut expected: Value = Json::parse(&record.text)?.to()?;
            if favourites.contains(key) {
                expected["favourite"] = true.into();
            }
            if noted.contains(key) {
                expected["note"] = "Bob was here".into();
            }
            proof.store.get(RECORDS, key)? == Some(expected)
        } else {
            untouched += 1;
            now.as_ref() == Some(&record.text)
        };
        if !as_it_should_be {
            return Err(format!("{} (record {key:?}) is not what it should be, but {now:?}", record.place).into());
        }
    }
    let edited = records.list.len() - untouched - deleted.len();
    say(format!(
        "server = file + edits: {} byte for byte as in the file, {} edited, {} deleted",
        screen::records(untouched),
        count(edited as u64),
        count(deleted.len() as u64)
    ))?;
    say("Every item is the same everywhere.")?;
    Ok(())
}

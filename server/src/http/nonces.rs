//! The nonces of signed requests: each is good once (section 7).

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Why a nonce was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceError {
    /// It was taken before.
    Replayed,
    /// The store is full; forgetting one early would let it be replayed.
    Full,
}

/// The nonces that could still be replayed, at most `capacity` of them.
pub(crate) struct Nonces {
    capacity: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    all: HashSet<u128>,
    // By the second after which the request's own timestamp has it refused.
    by_expiry: BTreeMap<u64, Vec<u128>>,
    // Of requests whose timestamp was judged and whose signature is not yet: a body may come so slowly that the timestamp is
    // too old by then, and the nonce, if another request with it was taken meanwhile, forgotten.
    under_way: HashSet<u128>,
}

impl Seen {
    fn forget(&mut self, now: u64) {
        while let Some(entry) = self.by_expiry.first_entry().filter(|entry| entry.key().saturating_add(LATE) < now) {
            for expired in entry.remove() {
                self.all.remove(&expired);
            }
        }
    }
}

// For how many seconds longer a nonce is kept: whose timestamp was judged just in time may come here late.
const LATE: u64 = 60;

/// A nonce that no other request can have until this is dropped.
pub(crate) struct UnderWay {
    nonces: Arc<Nonces>,
    id: u128,
}

impl Nonces {
    pub(crate) fn new(capacity: usize) -> Nonces {
        Nonces { capacity, seen: Mutex::default() }
    }

    /// Begins a request with a nonce of `key`, which is not yet proven, at the moment for which its timestamp is judged.
    pub(crate) fn begin(self: &Arc<Nonces>, key: &str, nonce: &str, now: u64) -> Result<UnderWay, NonceError> {
        let id = id_of(key, nonce);
        let mut seen = self.seen.lock();
        seen.forget(now);
        if seen.all.contains(&id) || !seen.under_way.insert(id) {
            return Err(NonceError::Replayed);
        }
        Ok(UnderWay { nonces: self.clone(), id })
    }
}

impl UnderWay {
    /// Takes the nonce, which is of no use after the second `expires`.
    pub(crate) fn take(self, expires: u64, now: u64) -> Result<(), NonceError> {
        let mut seen = self.nonces.seen.lock();
        seen.forget(now);
        if seen.all.len() >= self.nonces.capacity {
            return Err(NonceError::Full);
        }
        seen.all.insert(self.id);
        seen.by_expiry.entry(expires).or_default().push(self.id);
        Ok(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.nonces.seen.lock().under_way.remove(&self.id);
    }
}

// A digest, so that a client's long nonces cost no more memory than short ones.
fn id_of(key: &str, nonce: &str) -> u128 {
    let digest = Sha256::new().chain_update(key).chain_update([0]).chain_update(nonce).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(nonces: &Arc<Nonces>, key: &str, nonce: &str, expires: u64, now: u64) -> Result<(), NonceError> {
        nonces.begin(key, nonce, now)?.take(expires, now)
    }

    #[test]
    fn a_nonce_under_way_is_nobody_elses_until_its_request_ends() {
        let nonces = Arc::new(Nonces::new(10));
        let first = nonces.begin("k", "n", 100).unwrap();
        assert_eq!(nonces.begin("k", "n", 400).err(), Some(NonceError::Replayed));
        assert!(nonces.begin("k2", "n", 400).is_ok());
        drop(first);
        assert_eq!(take(&nonces, "k", "n", 400, 400), Ok(()), "the first was not taken");
        assert_eq!(nonces.begin("k", "n", 400).err(), Some(NonceError::Replayed));
    }

    #[test]
    fn a_nonce_is_good_once_for_each_key() {
        let nonces = Arc::new(Nonces::new(10));
        assert_eq!(take(&nonces, "k", "n", 400, 100), Ok(()));
        assert_eq!(take(&nonces, "k", "n", 400, 399), Err(NonceError::Replayed));
        assert_eq!(take(&nonces, "k2", "n", 400, 100), Ok(()));
    }

    #[test]
    fn a_nonce_is_kept_through_the_last_second_in_which_it_could_be_replayed() {
        let nonces = Arc::new(Nonces::new(10));
        take(&nonces, "k", "n", 400, 100).unwrap();
        assert_eq!(take(&nonces, "k", "n", 400, 400), Err(NonceError::Replayed));
        // Another one's clock may be ahead of the one by which the timestamp was judged.
        take(&nonces, "k", "other", 800, 400 + LATE).unwrap();
        assert_eq!(take(&nonces, "k", "n", 400, 400), Err(NonceError::Replayed));
        assert_eq!(take(&nonces, "k", "n", 800, 401 + LATE), Ok(()));
    }

    #[test]
    fn a_full_store_refuses_rather_than_forgets() {
        let nonces = Arc::new(Nonces::new(2));
        take(&nonces, "k", "1", 400, 100).unwrap();
        take(&nonces, "k", "2", 500, 100).unwrap();
        assert_eq!(take(&nonces, "k", "3", 500, 100), Err(NonceError::Full));
        assert_eq!(take(&nonces, "k", "1", 400, 100), Err(NonceError::Replayed));
        assert_eq!(take(&nonces, "k", "3", 700, 401 + LATE), Ok(()));
    }
}

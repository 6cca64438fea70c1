//! The nonces of signed requests: each is good once (section 7).

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};

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
}

impl Nonces {
    pub(crate) fn new(capacity: usize) -> Nonces {
        Nonces { capacity, seen: Mutex::default() }
    }

    /// Takes a nonce of `key` that is of no use after the second `expires`.
    pub(crate) fn take(&self, key: &str, nonce: &str, expires: u64, now: u64) -> Result<(), NonceError> {
        let id = id_of(key, nonce);
        let mut seen = self.seen.lock();
        let Seen { all, by_expiry } = &mut *seen;
        while let Some(entry) = by_expiry.first_entry().filter(|entry| *entry.key() < now) {
            for expired in entry.remove() {
                all.remove(&expired);
            }
        }
        if all.contains(&id) {
            return Err(NonceError::Replayed);
        }
        if all.len() >= self.capacity {
            return Err(NonceError::Full);
        }
        all.insert(id);
        by_expiry.entry(expires).or_default().push(id);
        Ok(())
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

    #[test]
    fn a_nonce_is_good_once_for_each_key() {
        let nonces = Nonces::new(10);
        assert_eq!(nonces.take("k", "n", 400, 100), Ok(()));
        assert_eq!(nonces.take("k", "n", 400, 399), Err(NonceError::Replayed));
        assert_eq!(nonces.take("k2", "n", 400, 100), Ok(()));
    }

    #[test]
    fn a_nonce_is_kept_through_the_last_second_in_which_it_could_be_replayed() {
        let nonces = Nonces::new(10);
        nonces.take("k", "n", 400, 100).unwrap();
        assert_eq!(nonces.take("k", "n", 400, 400), Err(NonceError::Replayed));
        assert_eq!(nonces.take("k", "n", 800, 401), Ok(()));
    }

    #[test]
    fn a_full_store_refuses_rather_than_forgets() {
        let nonces = Nonces::new(2);
        nonces.take("k", "1", 400, 100).unwrap();
        nonces.take("k", "2", 500, 100).unwrap();
        assert_eq!(nonces.take("k", "3", 500, 100), Err(NonceError::Full));
        assert_eq!(nonces.take("k", "1", 400, 100), Err(NonceError::Replayed));
        assert_eq!(nonces.take("k", "3", 700, 401), Ok(()));
    }
}

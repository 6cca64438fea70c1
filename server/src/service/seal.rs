//! Marks what only this server may have written in a text that its callers hold.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::sync::{Arc, OnceLock};
use syncstore::environment::Environment;

/// A key of this process. What it sealed is not known to the next one, so it must not be needed.
pub struct Seal {
    environment: Arc<dyn Environment>,
    // Made when it is first asked for: most services never seal anything.
    key: OnceLock<[u8; 32]>,
}

/// How many bytes a seal has.
pub const LENGTH: usize = 16;

impl Seal {
    pub fn new(environment: Arc<dyn Environment>) -> Seal {
        Seal { environment, key: OnceLock::new() }
    }

    fn mac(&self, bytes: &[u8]) -> Option<Hmac<Sha256>> {
        let key = self.key.get_or_init(|| {
            let mut key = [0; 32];
            for part in key.chunks_mut(8) {
                part.copy_from_slice(&self.environment.random().to_be_bytes()[..part.len()]);
            }
            key
        });
        Some(Hmac::<Sha256>::new_from_slice(key).ok()?.chain_update(bytes))
    }

    /// The seal of these bytes.
    pub fn of(&self, bytes: &[u8]) -> [u8; LENGTH] {
        let mut seal = [0; LENGTH];
        if let Some(mac) = self.mac(bytes) {
            let whole = mac.finalize().into_bytes();
            seal.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        }
        seal
    }

    /// Whether a seal is that of these bytes; it takes as long whatever of it is wrong.
    pub fn is(&self, bytes: &[u8], seal: &[u8]) -> bool {
        seal.len() == LENGTH && self.mac(bytes).is_some_and(|mac| mac.verify_truncated_left(seal).is_ok())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncstore::environment::SystemEnvironment;

    #[test]
    fn a_seal_is_good_for_its_bytes_and_its_key() {
        let seal = || Seal::new(Arc::new(SystemEnvironment::default()));
        let (one, other) = (seal(), seal());
        let made = one.of(b"abc");
        assert!(one.is(b"abc", &made));
        assert!(!one.is(b"abd", &made) && !one.is(b"abc", &made[..15]) && !one.is(b"abc", &[0; LENGTH]));
        assert!(!other.is(b"abc", &made));
    }
}

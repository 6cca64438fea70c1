//! What a request is authenticated with, and where it comes from.

use crate::wire::WireError;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

/// A text that no log, error or `Debug` output may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` to itself.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for the header that it goes into.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

/// What a request is authenticated with (section 7 of the protocol).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// Nothing, for a server that asks for nothing.
    None,
    /// A token, sent as it is: visible ASCII.
    Bearer(Secret),
    /// An application's key and its secret, on behalf of a user; each request is signed, the secret never sent.
    Hmac {
        /// The key's name (`rpa_…`): visible ASCII without `"` and `\`.
        key: String,
        /// The user on whose behalf: ASCII without control characters, `"` and `\`.
        user: String,
        /// The key's secret (`rps_…`).
        secret: Secret,
    },
}

impl Credential {
    /// A bearer token.
    pub fn bearer(token: impl Into<Secret>) -> Credential {
        Credential::Bearer(token.into())
    }

    /// An application's key and secret, on behalf of `user`.
    pub fn hmac(key: impl Into<String>, user: impl Into<String>, secret: impl Into<Secret>) -> Credential {
        Credential::Hmac { key: key.into(), user: user.into(), secret: secret.into() }
    }

    /// What no text may give away.
    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Credential::None => None,
            Credential::Bearer(secret) | Credential::Hmac { secret, .. } => Some(secret.expose()),
        }
    }

    /// Whether it can stand in a header; fails with [`WireError::Setup`].
    fn check_header(&self) -> Result<(), WireError> {
        let quotable = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
        };
        let problem = match self {
            Credential::None => None,
            Credential::Bearer(token) => {
                let fits = !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
                let broken = token.expose().ends_with(['\n', '\r']);
                (!fits).then_some(match broken {
                    true => "the bearer token ends with a line break",
                    false => "the bearer token is empty or has characters other than visible ASCII",
                })
            }
            Credential::Hmac { key, user, secret } => {
                if !quotable(key) || key.contains(' ') {
                    Some("the HMAC key's name is empty or has characters other than visible ASCII without quotes")
                } else if !quotable(user) {
                    Some("the HMAC user is empty or has quotes, control or non-ASCII characters")
                } else {
                    secret.expose().is_empty().then_some("the HMAC secret is empty")
                }
            }
        };
        problem.map_or(Ok(()), |text| Err(WireError::Setup(text.to_owned())))
    }
}

/// Where the wire gets its credential from: a fixed [`Credential`], a closure, or a type of the host's own.
pub trait CredentialSource: Send + Sync {
    /// The credential to use from now on.
    ///
    /// Called before the wire's first request, and with `refresh` after the server refused the last one (401): then
    /// a fresh one is wanted, and the one at hand means that there is none. Called on whichever thread calls the
    /// wire, never twice at once, and not bounded by the wire's time-outs; it must not call the same wire.
    ///
    /// The text of an error ends up in [`WireError::Unauthenticated`]: it must not hold a secret.
    fn credential(&self, refresh: bool) -> Result<Credential, String>;

    /// What is known to be wrong with it before it is asked for the first time: asked once, when the wire is made.
    ///
    /// A fixed [`Credential`] that cannot stand in a header is found so. By itself: nothing.
    fn check(&self) -> Result<(), WireError> {
        Ok(())
    }
}

impl CredentialSource for Credential {
    fn credential(&self, _refresh: bool) -> Result<Credential, String> {
        Ok(self.clone())
    }

    fn check(&self) -> Result<(), WireError> {
        self.check_header()
    }
}

impl<F: Fn(bool) -> Result<Credential, String> + Send + Sync> CredentialSource for F {
    fn credential(&self, refresh: bool) -> Result<Credential, String> {
        self(refresh)
    }
}

/// Holds the credential in use, and asks the source for one at most once at a time.
pub(super) struct Keyring {
    source: Arc<dyn CredentialSource>,
    // Held while the source is asked, so that threads refused together are served by one refresh.
    current: Mutex<Option<Arc<Credential>>>,
}

impl Keyring {
    pub(super) fn new(source: Arc<dyn CredentialSource>) -> Keyring {
        Keyring { source, current: Mutex::new(None) }
    }

    /// The credential to try first.
    pub(super) fn current(&self) -> Result<Arc<Credential>, WireError> {
        let mut current = self.current.lock();
        match &*current {
            Some(credential) => Ok(credential.clone()),
            None => Ok(current.insert(self.ask(false)?).clone()),
        }
    }

    /// One that is not `refused`; `None` when the source has no other.
    pub(super) fn fresh(&self, refused: &Arc<Credential>) -> Result<Option<Arc<Credential>>, WireError> {
        let mut current = self.current.lock();
        if let Some(credential) = &*current
            && !Arc::ptr_eq(credential, refused)
        {
            return Ok(Some(credential.clone()));
        }
        let credential = self.ask(true)?;
        if credential == *refused {
            return Ok(None);
        }
        Ok(Some(current.insert(credential).clone()))
    }

    fn ask(&self, refresh: bool) -> Result<Arc<Credential>, WireError> {
        let credential = self
            .source
            .credential(refresh)
            .map_err(|text| WireError::Unauthenticated(format!("the host has no credential: {text}")))?;
        credential.check_header()?;
        Ok(Arc::new(credential))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn debug_output_shows_no_secret() {
        let shown =
            format!("{:?} {:?}", Credential::bearer("hunter2"), Credential::hmac("rpa_1", "ada", "hunter2".to_owned()));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("rpa_1") && shown.contains("ada"), "{shown}");
    }

    #[test]
    fn credentials_that_cannot_stand_in_a_header_are_refused() {
        for credential in [
            Credential::bearer(""),
            Credential::bearer("a b"),
            Credential::bearer("a\r\nX: y"),
            Credential::bearer("é"),
            Credential::hmac("k\"", "u", "s"),
            Credential::hmac("k ", "u", "s"),
            Credential::hmac("", "u", "s"),
            Credential::hmac("k", "u\n", "s"),
            Credential::hmac("k", "u\"", "s"),
            Credential::hmac("k", "u\\", "s"),
            Credential::hmac("k", "ü", "s"),
            Credential::hmac("k", "", "s"),
            Credential::hmac("k", "u", ""),
        ] {
            let keyring = Keyring::new(Arc::new(credential.clone()));
            assert!(matches!(keyring.current(), Err(WireError::Setup(_))), "{credential:?}");
        }
        let keyring = Keyring::new(Arc::new(Credential::hmac("k", "Ada L. <ada@example.com>", "s é")));
        assert!(keyring.current().is_ok());
    }

    #[test]
    fn threads_refused_together_are_served_by_one_refresh() {
        let asked = Arc::new(AtomicU32::new(0));
        let source = {
            let asked = asked.clone();
            move |refresh: bool| {
                let count = asked.fetch_add(u32::from(refresh), Ordering::SeqCst);
                Ok(Credential::bearer(format!("token-{refresh}-{count}")))
            }
        };
        let keyring = Keyring::new(Arc::new(source));
        let refused = keyring.current().unwrap();
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let fresh = keyring.fresh(&refused).unwrap().unwrap();
                    assert_eq!(*fresh, Credential::bearer("token-true-0"));
                });
            }
        });
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_fixed_credential_has_no_fresh_one() {
        let keyring = Keyring::new(Arc::new(Credential::bearer("t")));
        let refused = keyring.current().unwrap();
        assert!(keyring.fresh(&refused).unwrap().is_none());
    }
}

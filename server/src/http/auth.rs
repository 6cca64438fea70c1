//! Who a request comes from, and which databases are open to them (section 7).

use super::nonces::{NonceError, Nonces, UnderWay};
use super::refusal::Refusal;
use super::signature::{SCHEME, Signed};
use crate::config::{Config, Credential, Databases, Proof, Secret};
use crate::service::{Caller, Tags};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use syncstore::environment::Environment;

// How far a signed request's clock may be from the server's, in seconds.
pub(super) const SKEW: u64 = 300;

/// Knows the credentials.
pub(crate) struct Authenticator {
    environment: Arc<dyn Environment>,
    dev: Option<Identity>,
    // By digest, so that looking one up takes no time that tells how much of a guess was right.
    tokens: HashMap<[u8; 32], Identity>,
    keys: HashMap<String, Key>,
    nonces: Arc<Nonces>,
    // Signatures made before the start are refused: the nonces taken then are forgotten. A signer whose clock is ahead can
    // be replayed for as long (docs/RELIABILITY.md): a later time would refuse those whose clock is right.
    start: u64,
}

/// A caller with the databases that are open to it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) caller: Arc<Caller>,
    databases: Arc<Databases>,
}

struct Key {
    secret: Secret,
    user: Option<String>,
    tags: Tags,
    grant: Vec<String>,
    databases: Arc<Databases>,
}

/// What the headers of a request say of its sender.
pub(crate) enum Claim {
    /// Proven.
    Proven(Identity),
    /// Signed; the body decides, and has the nonce until then.
    Signed(Box<Signed>, UnderWay),
}

impl Authenticator {
    pub(crate) fn new(config: &Config, environment: Arc<dyn Environment>) -> Authenticator {
        let dev = config.dev.then(|| Identity {
            caller: Arc::new(Caller { user: "dev".into(), tags: Tags::All, grant: Vec::new() }),
            databases: Arc::new(Databases::All),
        });
        let (mut tokens, mut keys) = (HashMap::new(), HashMap::new());
        for Credential { proof, user, databases, tags, grant } in config.credentials.iter().cloned() {
            let databases = Arc::new(databases);
            match proof {
                Proof::Token(token) => {
                    let caller = Arc::new(Caller { user: user.unwrap_or_default(), tags, grant });
                    tokens.insert(digest(token.expose()), Identity { caller, databases });
                }
                Proof::Key { key, secret } => {
                    keys.insert(key, Key { secret, user, tags, grant, databases });
                }
            }
        }
        let start = environment.unix_ms() / 1000;
        let nonces = Arc::new(Nonces::new(config.limits.nonces));
        Authenticator { environment, dev, tokens, keys, nonces, start }
    }

    /// What can be told before the body is read; 401 where it already cannot be right.
    pub(crate) fn claim(&self, headers: &HeaderMap) -> Result<Claim, Refusal> {
        if let Some(dev) = &self.dev {
            return Ok(Claim::Proven(dev.clone()));
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let header = values.next().ok_or_else(|| Refusal::unauthenticated("the request has no Authorization"))?;
        let header = std::str::from_utf8(header.as_bytes()).ok().filter(|_| values.next().is_none());
        let (scheme, rest) = header.and_then(|header| header.trim().split_once(' ')).ok_or_else(unreadable)?;
        if scheme.eq_ignore_ascii_case("Bearer") {
            let identity = self.tokens.get(&digest(rest.trim()));
            return identity.cloned().map(Claim::Proven).ok_or_else(wrong);
        }
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(unreadable());
        }
        let signed = Signed::parse(rest).map_err(Refusal::unauthenticated)?;
        let now = self.now();
        if signed.seconds.abs_diff(now) > SKEW || signed.seconds < self.start {
            let detail = "the ts is not close enough to the server's time, which the Date header tells";
            return Err(Refusal::unauthenticated(detail));
        }
        if !self.keys.contains_key(&signed.key) {
            return Err(wrong());
        }
        let nonce = self.nonces.begin(&signed.key, &signed.nonce, now).map_err(refused)?;
        Ok(Claim::Signed(Box::new(signed), nonce))
    }

    /// Checks the signature, if it is one, and takes its nonce. Hashes the whole body: for a thread that may block.
    pub(crate) fn prove(&self, claim: Claim, method: &str, target: &str, body: &[u8]) -> Result<Identity, Refusal> {
        let (signed, nonce) = match claim {
            Claim::Proven(identity) => return Ok(identity),
            Claim::Signed(signed, nonce) => (signed, nonce),
        };
        let key = self.keys.get(&signed.key).ok_or_else(wrong)?;
        if signed.reads_otherwise(target) {
            let detail =
                "the target has a key, a nonce and a method in it, so that the signature could be another user's";
            return Err(Refusal::unauthenticated(detail));
        }
        if !signed.verify(key.secret.expose().as_bytes(), method, target, body) {
            return Err(wrong());
        }
        if key.user.as_ref().is_some_and(|user| *user != signed.user) {
            return Err(Refusal::forbidden("the key may not act for this user"));
        }
        // Taken only now, or anybody could fill the store.
        nonce.take(signed.seconds + SKEW, self.now()).map_err(refused)?;
        let caller = Caller { user: signed.user, tags: key.tags.clone(), grant: key.grant.clone() };
        Ok(Identity { caller: Arc::new(caller), databases: key.databases.clone() })
    }

    fn now(&self) -> u64 {
        self.environment.unix_ms() / 1000
    }
}

impl Identity {
    /// 403 when the database is not open to the caller, whether it exists or not.
    pub(crate) fn may_open(&self, db: &str) -> Result<(), Refusal> {
        if self.databases.contains(db) {
            return Ok(());
        }
        Err(Refusal::forbidden("the credential does not open this database"))
    }
}

pub(crate) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn refused(error: NonceError) -> Refusal {
    match error {
        NonceError::Replayed => Refusal::unauthenticated("the nonce was used before"),
        NonceError::Full => Refusal::unavailable("too many signed requests", Duration::from_secs(10)),
    }
}

fn unreadable() -> Refusal {
    Refusal::unauthenticated("the Authorization is neither Bearer nor HMAC-SHA256")
}

// One answer for an unknown token, an unknown key and a wrong signature.
fn wrong() -> Refusal {
    Refusal::unauthenticated("the credential is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, StatusCode};
    use std::sync::atomic::{AtomicU64, Ordering};

    const CONFIG: &str = r#"
        [[credential]]
        token = "t0ken"
        user = "ada"
        databases = ["notes"]
        all_tags = true
        [[credential]]
        key = "any"
        secret = "s1"
        databases = ["notes"]
        all_tags = true
        [[credential]]
        key = "fixed"
        secret = "s2"
        user = "ada"
        databases = ["*"]
        all_tags = true
        [limits]
        nonces = 3
    "#;

    struct Clock(AtomicU64);

    impl Environment for Clock {
        fn unix_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed) * 1000 + 999
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
        fn random(&self) -> u64 {
            0
        }
        fn sleep(&self, _: Duration) {}
    }

    const START: u64 = 1_790_000_000;

    fn authenticator() -> (Authenticator, Arc<Clock>) {
        let clock = Arc::new(Clock(AtomicU64::new(START)));
        (Authenticator::new(&Config::parse(CONFIG).unwrap(), clock.clone()), clock)
    }

    fn claim(authenticator: &Authenticator, header: &str) -> Result<Claim, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        authenticator.claim(&headers)
    }

    fn prove(authenticator: &Authenticator, claim: Claim) -> Result<Identity, Refusal> {
        authenticator.prove(claim, "GET", "/v1/notes", b"")
    }

    fn enter(authenticator: &Authenticator, header: &str) -> Result<Identity, Refusal> {
        prove(authenticator, claim(authenticator, header)?)
    }

    fn signed(key: &str, secret: &str, user: &str, ts: u64, nonce: &str) -> String {
        use hmac::{Hmac, KeyInit, Mac};
        let text = format!("{ts}.{user}.{key}.{nonce}.GET./v1/notes.{}", super::super::to_hex(&digest("")));
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text);
        let sig = super::super::to_hex(&mac.finalize().into_bytes());
        format!(r#"HMAC-SHA256 key="{key}",user="{user}",ts="{ts}",nonce="{nonce}",sig="{sig}""#)
    }

    fn status(result: Result<Identity, Refusal>) -> StatusCode {
        result.map_or_else(|refusal| refusal.status, |_| StatusCode::OK)
    }

    #[test]
    fn a_token_opens_its_databases_for_its_user() {
        let (authenticator, _) = authenticator();
        for header in ["Bearer t0ken", "bearer  t0ken "] {
            let identity = enter(&authenticator, header).unwrap();
            assert_eq!(identity.caller.user, "ada");
            assert!(identity.may_open("notes").is_ok());
            assert_eq!(identity.may_open("other").unwrap_err().status, StatusCode::FORBIDDEN);
        }
        for header in ["Bearer t0keN", "Bearer", "Bearer t0ken x", "Basic t0ken", "t0ken", ""] {
            assert_eq!(status(enter(&authenticator, header)), StatusCode::UNAUTHORIZED, "{header}");
        }
        assert!(authenticator.claim(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_key_acts_for_its_user_or_for_any() {
        let (authenticator, _) = authenticator();
        let header = signed("any", "s1", "käthe \u{6f22}", START, "nonce-01");
        assert_eq!(enter(&authenticator, &header).unwrap().caller.user, "käthe \u{6f22}");
        assert!(enter(&authenticator, &signed("fixed", "s2", "ada", START, "nonce-02")).is_ok());
        let other = enter(&authenticator, &signed("fixed", "s2", "bob", START, "nonce-03"));
        assert_eq!(status(other), StatusCode::FORBIDDEN);
        for (key, secret) in [("any", "s2"), ("none", "s1")] {
            let refused = enter(&authenticator, &signed(key, secret, "ada", START, "nonce-04"));
            assert_eq!(status(refused), StatusCode::UNAUTHORIZED);
        }
    }

    #[test]
    fn five_minutes_of_skew_and_not_a_second_more() {
        let (authenticator, clock) = authenticator();
        let now = START + 1000;
        clock.0.store(now, Ordering::Relaxed);
        let at = |ts, nonce| status(enter(&authenticator, &signed("any", "s1", "ada", ts, nonce)));
        assert_eq!(at(now - 300, "nonce-01"), StatusCode::OK);
        assert_eq!(at(now + 300, "nonce-02"), StatusCode::OK);
        assert_eq!(at(now - 301, "nonce-03"), StatusCode::UNAUTHORIZED);
        assert_eq!(at(now + 301, "nonce-04"), StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn a_request_signed_before_the_start_is_refused() {
        let (authenticator, _) = authenticator();
        let refused = enter(&authenticator, &signed("any", "s1", "ada", START - 1, "nonce-01"));
        assert_eq!(status(refused), StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn each_nonce_is_good_once_and_a_full_store_says_when_to_come_back() {
        let (authenticator, clock) = authenticator();
        let at = |ts, nonce| enter(&authenticator, &signed("any", "s1", "ada", ts, nonce));
        assert!(at(START, "nonce-01").is_ok());
        assert_eq!(status(at(START, "nonce-01")), StatusCode::UNAUTHORIZED);
        assert!(at(START, "nonce-02").is_ok() && at(START, "nonce-03").is_ok());
        assert_eq!(status(at(START, "nonce-04")), StatusCode::SERVICE_UNAVAILABLE);
        // A minute longer than it could be signed for, or one judged in time and proven late would be another's replay.
        clock.0.store(START + 360, Ordering::Relaxed);
        assert_eq!(status(at(START + 360, "nonce-04")), StatusCode::SERVICE_UNAVAILABLE);
        clock.0.store(START + 361, Ordering::Relaxed);
        assert!(at(START + 361, "nonce-04").is_ok());
    }

    #[test]
    fn a_body_that_comes_slowly_outlives_its_ts_but_no_replay_does() {
        let (authenticator, clock) = authenticator();
        let header = signed("any", "s1", "ada", START, "nonce-01");
        let (slow, replay) = (claim(&authenticator, &header), claim(&authenticator, &header));
        assert!(enter(&authenticator, &signed("any", "s1", "ada", START, "nonce-02")).is_ok());
        let late = claim(&authenticator, &signed("any", "s1", "ada", START, "nonce-02"));
        clock.0.store(START + 400, Ordering::Relaxed);
        let end = |claim: Result<Claim, Refusal>| status(claim.and_then(|claim| prove(&authenticator, claim)));
        assert_eq!(end(slow), StatusCode::OK, "a large body, on a slow line");
        // So that what has expired is forgotten.
        assert!(enter(&authenticator, &signed("any", "s1", "ada", START + 400, "nonce-03")).is_ok());
        assert_eq!((end(replay), end(late)), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn a_refused_signature_takes_no_nonce() {
        let (authenticator, _) = authenticator();
        assert!(enter(&authenticator, &signed("any", "wrong", "ada", START, "nonce-01")).is_err());
        assert!(enter(&authenticator, &signed("any", "s1", "ada", START, "nonce-01")).is_ok());
    }
}

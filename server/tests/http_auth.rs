//! Who is let in.

mod http_support;

use hmac::{Hmac, KeyInit, Mac};
use http_support::{Answer, Fixture, TOKENS, client, gzip, push_body, send};
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

const ADA: (&str, &str) = ("authorization", "Bearer ada-t0ken");
const BOB: (&str, &str) = ("authorization", "Bearer bob-t0ken");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

struct Signer {
    secret: &'static str,
    user: &'static str,
    ts: u64,
    nonce: &'static str,
}

impl Signer {
    fn new(nonce: &'static str) -> Signer {
        Signer { secret: "rps_1", user: "carol@example.org", ts: now(), nonce }
    }

    fn sign(&self, method: &str, target: &str, body: &[u8]) -> String {
        let Signer { secret, user, ts, nonce } = self;
        let text = format!("{ts}.{user}.rpa_1.{nonce}.{method}.{target}.{}", hex(&Sha256::digest(body)));
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text);
        let sig = hex(&mac.finalize().into_bytes());
        format!(r#"HMAC-SHA256 key="rpa_1",user="{user}",ts="{ts}",nonce="{nonce}",sig="{sig}""#)
    }

    fn get(&self, fixture: &Fixture, target: &str) -> Answer {
        fixture.get(target, &[("authorization", &self.sign("GET", target, b""))])
    }
}

#[track_caller]
fn is_unauthenticated(answer: &Answer) {
    answer.is_problem(401, "unauthenticated");
    assert!(!answer.header("www-authenticate").is_empty());
}

#[test]
fn without_a_good_token_nobody_is_let_in() {
    let fixture = Fixture::configured(TOKENS);
    assert_eq!(fixture.get("/v1/notes", &[ADA]).status, 200);
    is_unauthenticated(&fixture.get("/v1/notes", &[]));
    is_unauthenticated(&fixture.get("/v1/notes", &[("authorization", "Bearer wrong")]));
    is_unauthenticated(&fixture.get("/v1/notes", &[("authorization", "Basic YTpi")]));
    let body = push_body(client(1), &["a"]);
    let json = ("content-type", "application/json");
    is_unauthenticated(&fixture.post("/v1/notes/sync/outbox", &[json], body.as_bytes()));
    // A large body does not hide the answer behind a broken connection.
    is_unauthenticated(&fixture.post("/v1/notes/sync/outbox", &[json], &vec![b' '; 7 << 20]));
    for path in ["sync/inbox", "sync/checkpoint"] {
        is_unauthenticated(&fixture.get(&format!("/v1/notes/{path}?client={}", client(1)), &[]));
    }
}

#[test]
fn a_credential_opens_its_databases_only() {
    let fixture = Fixture::configured(TOKENS);
    assert_eq!(fixture.get("/v1/bobs", &[BOB]).status, 200);
    let exists = fixture.get("/v1/bobs", &[ADA]);
    exists.is_problem(403, "forbidden");
    let unknown = fixture.get("/v1/nothing", &[ADA]);
    unknown.is_problem(403, "forbidden");
    assert_eq!(exists.body, unknown.body);
    Signer::new("nonce-001").get(&fixture, "/v1/bobs").is_problem(403, "forbidden");
}

#[test]
fn a_client_id_belongs_to_who_used_it_first() {
    let fixture = Fixture::configured(TOKENS);
    fixture.push_one("notes", &[ADA], client(7), "a");
    let body = push_body(client(7), &["b"]);
    let headers = [BOB, ("content-type", "application/json")];
    fixture.post("/v1/notes/sync/outbox", &headers, body.as_bytes()).is_problem(403, "forbidden");
    let inbox = format!("/v1/notes/sync/inbox?client={}", client(7));
    fixture.get(&inbox, &[BOB]).is_problem(403, "forbidden");
    assert_eq!(fixture.get(&inbox, &[ADA]).status, 200);
}

#[test]
fn a_signed_request_is_taken_once() {
    let fixture = Fixture::configured(TOKENS);
    let target = format!("/v1/notes/sync/inbox?client={}&limit=5", client(9));
    let header = Signer::new("nonce-001").sign("GET", &target, b"");
    assert_eq!(fixture.get(&target, &[("authorization", &header)]).status, 200);
    is_unauthenticated(&fixture.get(&target, &[("authorization", &header)]));
    let header = Signer::new("nonce-002").sign("GET", &target, b"");
    assert_eq!(fixture.get(&target, &[("authorization", &header)]).status, 200);
}

#[test]
fn a_signature_is_of_the_bytes_that_are_sent() {
    let fixture = Fixture::configured(TOKENS);
    let target = "/v1/notes/sync/outbox";
    let body = gzip(push_body(client(9), &["a"]).as_bytes());
    let header = Signer::new("nonce-001").sign("POST", target, &body);
    let headers =
        [("authorization", header.as_str()), ("content-type", "application/json"), ("content-encoding", "gzip")];
    let other = gzip(push_body(client(9), &["b"]).as_bytes());
    is_unauthenticated(&fixture.post(target, &headers, &other));
    assert_eq!(fixture.post(target, &headers, &body).status, 200);
}

#[test]
fn what_is_signed_is_the_method_and_the_target_with_its_query() {
    let fixture = Fixture::configured(TOKENS);
    let signed = |method: &str, target: &str, nonce| Signer::new(nonce).sign(method, target, b"");
    for (header, target) in [
        (signed("POST", "/v1/notes", "nonce-001"), "/v1/notes"),
        (signed("GET", "/v1/notes", "nonce-002"), "/v1/notes?x=1"),
        (signed("GET", "/v1/notes?x=1", "nonce-003"), "/v1/notes"),
        (signed("GET", "/v1/%6eotes", "nonce-004"), "/v1/notes"),
    ] {
        is_unauthenticated(&send(&fixture.url, "GET", target, &[("authorization", &header)], None));
    }
}

#[test]
fn a_signature_for_a_user_with_a_strange_name_is_no_other_users() {
    let fixture = Fixture::configured(TOKENS);
    // Signed for a name that its owner has chosen; what comes is for another user, with the rest of the name in the target.
    let eve = Signer { user: "carol.rpa_1.nonce-01.GET./v1/notes?x=", ..Signer::new("nonce-02") };
    let header = eve.sign("GET", "/v1/notes", b"");
    let sig = header.split("sig=").nth(1).unwrap();
    let ts = eve.ts;
    let forged = format!(r#"HMAC-SHA256 key="rpa_1",user="carol",ts="{ts}",nonce="nonce-01",sig={sig}"#);
    let target = "/v1/notes?x=.rpa_1.nonce-02.GET./v1/notes";
    is_unauthenticated(&fixture.get(target, &[("authorization", &forged)]));
    assert_eq!(fixture.get("/v1/notes", &[("authorization", &header)]).status, 200);
    assert_eq!(Signer::new("nonce-03").get(&fixture, "/v1/notes?x=a.rpa_1.b./c").status, 200);
}

#[test]
fn a_clock_that_is_off_is_told_the_time() {
    let fixture = Fixture::configured(TOKENS);
    for ts in [now() - 310, now() + 310] {
        let answer = Signer { ts, ..Signer::new("nonce-001") }.get(&fixture, "/v1/notes");
        is_unauthenticated(&answer);
        let date = httpdate::parse_http_date(answer.header("date")).unwrap();
        assert!(date.duration_since(UNIX_EPOCH).unwrap().as_secs().abs_diff(now()) < 60);
    }
    assert_eq!(Signer::new("nonce-001").get(&fixture, "/v1/notes").status, 200);
}

#[test]
fn a_wrong_secret_is_refused_and_a_full_store_of_nonces_asks_to_wait() {
    let fixture = Fixture::configured(&format!("{TOKENS}\n[limits]\nnonces = 1"));
    is_unauthenticated(&Signer { secret: "rps_2", ..Signer::new("nonce-001") }.get(&fixture, "/v1/notes"));
    assert_eq!(Signer::new("nonce-001").get(&fixture, "/v1/notes").status, 200);
    let answer = Signer::new("nonce-002").get(&fixture, "/v1/notes");
    answer.is_problem(503, "unavailable");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[test]
fn a_signed_user_is_the_caller() {
    let fixture = Fixture::configured(TOKENS);
    let target = format!("/v1/notes/sync/inbox?client={}", client(9));
    assert_eq!(Signer::new("nonce-001").get(&fixture, &target).status, 200);
    // The client id is carol's now.
    let other = Signer { user: "dave", ..Signer::new("nonce-002") };
    other.get(&fixture, &target).is_problem(403, "forbidden");
}

#[test]
fn the_metrics_ask_for_their_token_and_name_no_database_without_one() {
    let fixture = Fixture::configured(TOKENS);
    fixture.push_one("notes", &[ADA], client(1), "a");
    let open = fixture.get("/metrics", &[]).text();
    assert!(open.contains("syncstore_push_ops_total") && !open.contains("db=\"notes\""));
    let fixture = Fixture::configured(&format!("{TOKENS}\n[metrics]\ntoken = \"m3trics\""));
    fixture.push_one("notes", &[ADA], client(1), "a");
    is_unauthenticated(&fixture.get("/metrics", &[]));
    is_unauthenticated(&fixture.get("/metrics", &[ADA]));
    let named = fixture.get("/metrics", &[("authorization", "Bearer m3trics")]).text();
    assert!(named.contains("syncstore_database_log_head{db=\"notes\"} 1"));
}

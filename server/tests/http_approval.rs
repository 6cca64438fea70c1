//! An approver behind HTTP: what is sent to it, how it may fail, and a whole server that asks one.

mod http_support;

use http_support::approver::{accept_all, refs, respond, stub};
use http_support::{Fixture, TOKENS, client, push_body};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use syncstore_server::approver::{ApprovalRequest, Approver, ApproverError, HttpApprover};
use syncstore_server::config::{Config, Secret};
use syncstore_server::{Server, ServerOptions};

fn nothing_asked() -> ApprovalRequest {
    ApprovalRequest { database: "notes".into(), ops: Vec::new() }
}

fn ask(address: SocketAddr, timeout: Duration) -> Result<usize, ApproverError> {
    let approver = HttpApprover::new(&format!("http://{address}/approve?v=1"), None, timeout).unwrap();
    approver.ask(&nothing_asked()).map(|response| response.answers.len())
}

const PATIENT: Duration = Duration::from_secs(20);

#[test]
fn every_way_to_fail_is_an_error_and_decides_nothing() {
    for (answer, expected) in [
        (respond("500 Internal Server Error", "{\"answers\":[]}"), "answered 500"),
        (respond("202 Accepted", "{\"answers\":[]}"), "answered 202"),
        (respond("302 Found\r\nlocation: http://127.0.0.1:1/", ""), "answered 302"),
        (respond("200 OK", ""), "malformed"),
        (respond("200 OK", "<html>"), "malformed"),
        (respond("200 OK", "[]"), "malformed"),
        (respond("200 OK", "{\"answers\":{}}"), "malformed"),
        (respond("200 OK", "{\"answers\":[7]} x"), "malformed"),
        (respond("200 OK", &"[".repeat(1 << 20)), "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec(), "not reached"),
        (b"".to_vec(), "not reached"),
        (b"nonsense\r\n\r\n".to_vec(), "not reached"),
    ] {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(90)]).into_owned();
        let (address, _came) = stub(move |_| answer.clone());
        let error = ask(address, PATIENT).unwrap_err().to_string();
        assert!(error.contains(expected) && error.len() < 400, "{shown}: {error}");
    }
    let (address, _came) = stub(|_| respond("200 OK", "{\"answers\":[7,{}],\"more\":1}"));
    assert_eq!(ask(address, PATIENT).unwrap(), 2, "each part is judged by itself");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").unwrap();
        let mut sent = 0_u64;
        while stream.write_all(&[b' '; 1 << 16]).is_ok() {
            sent += 1 << 16;
        }
        sent
    });
    assert!(ask(address, Duration::from_secs(60)).is_err());
    assert!(thread.join().unwrap() < 100 << 20);
}

#[test]
fn one_that_says_nothing_or_is_not_there_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let error = ask(address, Duration::from_millis(200)).unwrap_err().to_string();
    assert!(error.contains("timeout"), "{error}");
    drop(listener);
    assert!(ask(address, PATIENT).unwrap_err().to_string().contains("not reached"));
}

#[test]
fn the_token_goes_with_each_request_and_into_no_message() {
    let (address, came) = stub(|_| respond("401 Unauthorized", ""));
    let token = Some(Secret::new("appr0ver"));
    let approver = HttpApprover::new(&format!("http://{address}/approve?v=1"), token, PATIENT).unwrap();
    let error = approver.ask(&nothing_asked()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("appr0ver"));
    let (head, body) = came.recv_timeout(PATIENT).unwrap();
    let lower = head.to_ascii_lowercase();
    assert!(head.starts_with("POST /approve?v=1 HTTP/1.1\r\n"), "{head}");
    assert!(
        lower.contains("authorization: bearer appr0ver\r\n") && lower.contains("content-type: application/json\r\n")
    );
    assert_eq!(body, json!({"database": "notes", "ops": []}));
}

fn config(address: SocketAddr) -> Config {
    impatient(address, 5)
}

fn impatient(address: SocketAddr, seconds: u64) -> Config {
    let approver =
        format!("\n[approver]\nurl = \"http://{address}/\"\ncollections = [\"notes\"]\ntimeout_seconds = {seconds}\n");
    Config::parse(&(TOKENS.to_owned() + &approver)).unwrap()
}

const ADA: (&str, &str) = ("authorization", "Bearer ada-t0ken");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn a_server_asks_and_a_held_pull_is_told() {
    let (address, came) = stub(accept_all);
    let fixture = Fixture::with(config(address));
    let answer = fixture.post("/v1/notes/sync/outbox", &[ADA, JSON], push_body(client(1), &["k"]).as_bytes());
    assert_eq!(answer.json()["results"][0]["outcome"], "queued", "{}", answer.text());
    let inbox = format!("/v1/notes/sync/inbox?client={}&wait=20", client(1));
    let page = fixture.get(&inbox, &[ADA]).json();
    let entry = &page["entries"][0];
    assert_eq!(
        (&entry["outcome"], &entry["full"], &entry["tags"]),
        (&json!("accepted"), &json!(true), &json!(["user:ada"]))
    );
    let (_, body) = came.recv_timeout(PATIENT).unwrap();
    let asked = &body["ops"][0];
    assert_eq!((&body["database"], &asked["user"], &asked["op"]["key"]), (&json!("notes"), &json!("ada"), &json!("k")));
    assert!(asked.get("item").is_none() && asked["at"].is_string() && asked["op"].get("batch").is_none(), "{asked}");
}

#[test]
fn a_server_asks_again_by_itself_after_each_way_to_fail() {
    // The first answer; `None`: nothing within the approver's time.
    for (first, seconds, failures) in [
        (Some(respond("500 Internal Server Error", "")), 20, 1),
        (Some(Vec::new()), 20, 1),
        (None, 1, 1),
        (Some(respond("200 OK", "{\"answers\":[]}")), 20, 0),
    ] {
        let what = format!("{:?}", first.as_deref().map(String::from_utf8_lossy));
        let (over, end) = channel::<()>();
        let (asked, end) = (Arc::new(Mutex::new(Vec::new())), Mutex::new(end));
        let seen = asked.clone();
        let (address, _came) = stub(move |body| {
            let mut seen = seen.lock().unwrap();
            seen.push(refs(body));
            if seen.len() > 1 {
                return accept_all(body);
            }
            drop(seen);
            first.clone().unwrap_or_else(|| {
                let _ = end.lock().unwrap().recv();
                Vec::new()
            })
        });
        let fixture = Fixture::with(impatient(address, seconds));
        // One push is all that happens: nothing but the server's own clock makes it ask again.
        let body = push_body(client(1), &["k"]);
        let answer = fixture.post("/v1/notes/sync/outbox", &[ADA, JSON], body.as_bytes());
        assert_eq!(answer.json()["results"][0]["outcome"], "queued", "{what}: {}", answer.text());
        let pushed: Value = serde_json::from_str(&body).unwrap();
        let op_ref = &pushed["ops"][0]["ref"];
        let inbox = |number, wait| format!("/v1/notes/sync/inbox?client={}&wait={wait}", client(number));
        let entries = fixture.get(&inbox(1, 20), &[ADA]).json()["entries"].clone();
        assert_eq!((&entries[0]["ref"], &entries[0]["outcome"]), (op_ref, &json!("accepted")), "{what}: {entries}");
        let log = fixture.get(&inbox(2, 0), &[ADA]).json();
        assert_eq!((log["entries"].as_array().unwrap().len(), &log["seq"]), (1, &json!(1)), "{what}: {log}");
        let asked = asked.lock().unwrap().clone();
        assert!(asked.len() >= 2 && asked.iter().all(|asked| asked[..] == [op_ref.clone()]), "{what}: {asked:?}");
        let stats = &fixture.server().service().stats()[0];
        assert!(stats.approver_failures >= failures && stats.approver_requests >= 2, "{what}: {stats:?}");
        drop(over);
    }
}

#[test]
fn what_waits_is_asked_about_after_a_restart_though_nobody_uses_the_database() {
    let data = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let server = Server::start(ServerOptions::new(data.path(), config(address))).unwrap();
    let body = push_body(client(1), &["k"]);
    let answer =
        http_support::send(&server.url(), "POST", "/v1/notes/sync/outbox", &[ADA, JSON], Some(body.as_bytes()));
    assert_eq!(answer.json()["results"][0]["outcome"], "queued");
    server.stop();
    let (address, came) = stub(accept_all);
    let server = Server::start(ServerOptions::new(data.path(), config(address))).unwrap();
    let pushed: Value = serde_json::from_str(&body).unwrap();
    let (_, asked) = came.recv_timeout(PATIENT).unwrap();
    assert_eq!(asked["ops"][0]["op"]["ref"], pushed["ops"][0]["ref"]);
    let inbox = format!("/v1/notes/sync/inbox?client={}&wait=20", client(1));
    let page = http_support::send(&server.url(), "GET", &inbox, &[ADA], None).json();
    assert_eq!(page["entries"][0]["ref"], pushed["ops"][0]["ref"]);
}

#[test]
fn a_server_stops_though_its_approver_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fixture = Fixture::with(config(listener.local_addr().unwrap()));
    fixture.post("/v1/notes/sync/outbox", &[ADA, JSON], push_body(client(1), &["k"]).as_bytes());
    let (held, _) = listener.accept().unwrap();
    let mut fixture = fixture;
    fixture.stop();
    drop(held);
}

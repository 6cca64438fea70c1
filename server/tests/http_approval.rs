//! An approver behind HTTP: what is sent to it, how it may fail, and a whole server that asks one.

mod http_support;

use http_support::{Fixture, TOKENS, client, push_body};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use syncstore_server::approver::{ApprovalRequest, Approver, ApproverError, HttpApprover};
use syncstore_server::config::{Config, Secret};
use syncstore_server::{Server, ServerOptions};

/// What came: the head, and the body.
type Came = (String, Value);

/// An approver that answers each request with the bytes that a closure makes of its body, and closes; its thread ends with
/// the test.
fn stub(mut answer: impl FnMut(&Value) -> Vec<u8> + Send + 'static) -> (SocketAddr, Receiver<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, came) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if serve_one(stream.unwrap(), &mut answer, &sender).is_none() {
                return;
            }
        }
    });
    (address, came)
}

// `None`: nobody wants to know any more.
fn serve_one(mut stream: TcpStream, answer: &mut dyn FnMut(&Value) -> Vec<u8>, came: &Sender<Came>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return Some(());
        }
        if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = number.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let answer = answer(&body);
    // Who asked may have given up.
    let _ = stream.write_all(&answer);
    came.send((head, body)).ok()
}

fn respond(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

fn accept_all(body: &Value) -> Vec<u8> {
    let answers = body["ops"].as_array().unwrap().iter().map(|asked| {
        let (op_ref, user) = (&asked["op"]["ref"], asked["user"].as_str().unwrap());
        json!({"ref": op_ref, "outcome": "accepted", "tags": [format!("user:{user}")]})
    });
    respond("200 OK", &json!({"answers": answers.collect::<Vec<_>>()}).to_string())
}

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
    let approver =
        format!("\n[approver]\nurl = \"http://{address}/\"\ncollections = [\"notes\"]\ntimeout_seconds = 5\n");
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

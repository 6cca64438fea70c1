//! The program itself.
#![cfg(unix)]

mod http_support;

use http_support::approver::{accept_all, refs, stub};
use http_support::{TOKENS, client, push_body, send};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncstore-server"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_remove("RUST_LOG");
    command
}

struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("syncstore-server listens on ").expect(&line).to_owned();
        Running { child, url }
    }

    /// Sends the signal and returns the exit code with the log.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

#[test]
fn it_serves_until_a_signal_and_keeps_what_it_answered() {
    let data = tempfile::tempdir().unwrap();
    let command = || {
        let mut command = program();
        command.arg("--data").arg(data.path()).args(["--listen", "127.0.0.1:0", "--dev"]);
        command
    };
    for (round, signal) in ["-TERM", "-INT"].into_iter().enumerate() {
        let running = Running::start(&mut command());
        let info = send(&running.url, "GET", "/v1/notes", &[], None).json();
        assert_eq!(info["seq"], round);
        let body = push_body(client(1), &["a"]);
        let json = ("content-type", "application/json");
        let answer = send(&running.url, "POST", "/v1/notes/sync/outbox", &[json], Some(body.as_bytes()));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (code, log) = running.end(signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("stopped"), "{log}");
    }
}

#[test]
fn what_waits_for_the_approver_is_decided_once_though_the_server_is_killed_twice() {
    const PATIENT: Duration = Duration::from_secs(20);
    let data = tempfile::tempdir().unwrap();
    let (over, end) = channel::<()>();
    let (asked, came) = channel();
    let calls = Arc::new(Mutex::new(0));
    let end = Mutex::new(end);
    // It holds the first request for good, and accepts whatever else is asked.
    let (address, answered) = stub(move |body| {
        let first = {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            *calls == 1
        };
        asked.send(refs(body)).unwrap();
        if first {
            let _ = end.lock().unwrap().recv();
        }
        accept_all(body)
    });
    let config = data.path().join("server.toml");
    let approver = format!("\n[approver]\nurl = \"http://{address}/\"\ncollections = [\"notes\"]\n");
    std::fs::write(&config, TOKENS.to_owned() + &approver).unwrap();
    let start = || {
        let mut command = program();
        command.arg("--data").arg(data.path().join("data")).args(["--listen", "127.0.0.1:0"]);
        Running::start(command.arg("--config").arg(&config))
    };
    let headers = [("authorization", "Bearer ada-t0ken"), ("content-type", "application/json")];
    let running = start();
    let body = push_body(client(1), &["k"]);
    let answer = send(&running.url, "POST", "/v1/notes/sync/outbox", &headers, Some(body.as_bytes()));
    assert_eq!(answer.json()["results"][0]["outcome"], "queued", "{}", answer.text());
    let op_ref = serde_json::from_str::<Value>(&body).unwrap()["ops"][0]["ref"].clone();
    let only = vec![op_ref.clone()];
    assert_eq!(came.recv_timeout(PATIENT).unwrap(), only);
    assert_eq!(running.end("-KILL").0, None);
    let running = start();
    assert_eq!(came.recv_timeout(PATIENT).unwrap(), only, "asked again");
    // The answer was sent; whether it was committed is what nobody knows.
    answered.recv_timeout(PATIENT).unwrap();
    assert_eq!(running.end("-KILL").0, None);
    let running = start();
    let inbox = |number, wait| {
        let path = format!("/v1/notes/sync/inbox?client={}&wait={wait}", client(number));
        send(&running.url, "GET", &path, &headers[..1], None).json()
    };
    let told = inbox(1, 20);
    let entry = &told["entries"][0];
    assert_eq!((&entry["ref"], &entry["outcome"]), (&op_ref, &json!("accepted")), "{told}");
    // Asked as often as it takes, but never about anything else; decided once.
    assert!(came.try_iter().all(|refs| refs == only));
    let log = inbox(2, 0);
    assert_eq!((log["entries"].as_array().unwrap().len(), &log["seq"]), (1, &json!(1)), "{log}");
    let again = send(&running.url, "POST", "/v1/notes/sync/outbox", &headers, Some(body.as_bytes())).json();
    assert_eq!(again["results"][0], json!({"ref": op_ref, "outcome": "accepted", "seq": 1}));
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    drop(over);
}

#[test]
fn its_log_has_a_json_line_for_each_request_and_no_secret() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("server.toml");
    std::fs::write(&config, TOKENS.replacen("all_tags = true", "tags = [\"team:7\"]\ngrant = [\"team:7\"]", 1))
        .unwrap();
    let mut command = program();
    command.arg("--data").arg(data.path().join("data")).args(["--listen", "127.0.0.1:0", "--log", "json"]);
    let running = Running::start(command.arg("--config").arg(config));
    let ada = ("authorization", "Bearer ada-t0ken");
    assert_eq!(send(&running.url, "GET", "/v1/notes?secret=query-s3cret", &[ada], None).status, 200);
    assert_eq!(send(&running.url, "GET", "/path-s3cret", &[("authorization", "Bearer bad-t0ken")], None).status, 404);
    let body = push_body(client(1), &["a", "b"]);
    let headers = [ada, ("content-type", "application/json")];
    send(&running.url, "POST", "/v1/notes/sync/outbox", &headers, Some(body.as_bytes()));
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0));
    for secret in ["t0ken", "s3cret", "rps_1"] {
        assert!(!log.contains(secret), "{log}");
    }
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["fields"]["message"] == "request").collect();
    assert_eq!(requests.len(), 3, "{log}");
    let push = &requests[2]["fields"];
    assert_eq!((&push["method"], &push["route"]), (&"POST".into(), &"/v1/{db}/sync/outbox".into()));
    assert_eq!((&push["db"], &push["status"], &push["ops"]), (&"notes".into(), &200.into(), &2.into()));
    assert!(push["duration_ms"].is_number());
    assert!(lines.iter().all(|line| line["level"] != "WARN"), "{log}");
}

#[test]
fn each_mistake_ends_it_with_one_line_that_says_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let bad = data.path().join("bad.toml");
    std::fs::write(&bad, "[[credential]]\ntoken = \"s3cret\"\ndatabases = [\"notes\"]\nall_tags = true\n").unwrap();
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let occupied = occupied.local_addr().unwrap().to_string();
    let (dir, bad) = (data.path().to_str().unwrap(), bad.to_str().unwrap());
    for (arguments, code, expected) in [
        (&["--dev"][..], 2, "--data"),
        (&["--data", dir], 2, "--config"),
        (&["--data", dir, "--dev", "--loud"], 2, "--help"),
        (&["--data", dir, "--dev", "--listen", "0.0.0.0:0"], 2, "loopback"),
        (&["--data", dir, "--dev", "--listen", "nowhere"], 1, "--listen"),
        (&["--data", dir, "--config", "/nonexistent/server.toml"], 2, "cannot be read"),
        (&["--data", dir, "--config", bad], 2, "line 1: credential 1: a token needs the user"),
        (&["--data", "/dev/null/data", "--dev", "--listen", "127.0.0.1:0"], 1, "data directory"),
        (&["--data", dir, "--dev", "--listen", &occupied], 1, "--listen"),
    ] {
        let output = program().args(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let last = told.lines().last().unwrap_or_default();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(last.starts_with("syncstore-server: ") && last.contains(expected), "{arguments:?}: {told}");
        assert!(!told.contains("s3cret"));
    }
}

#[test]
fn help_and_version_are_told_on_standard_output() {
    let help = program().arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--new-epoch"));
    let version = program().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("syncstore-server {}\n", env!("CARGO_PKG_VERSION")));
}

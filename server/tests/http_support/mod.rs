//! What the HTTP tests share: a server with its directory, and requests with their answers.
#![allow(dead_code)]

pub mod approver;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use syncstore::environment::{Environment, SystemEnvironment};
use syncstore::protocol::{ClientId, Problem, Ref};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};
use tempfile::TempDir;

pub const TOKENS: &str = r#"
[[credential]]
token = "ada-t0ken"
user = "ada"
databases = ["notes"]
all_tags = true

[[credential]]
token = "bob-t0ken"
user = "bob"
databases = ["notes", "bobs"]
all_tags = true

[[credential]]
key = "rpa_1"
secret = "rps_1"
databases = ["notes"]
all_tags = true
"#;

pub struct Fixture {
    // Stopped before its directory goes.
    server: Option<Server>,
    pub url: String,
    _data: TempDir,
}

impl Fixture {
    pub fn dev() -> Fixture {
        Fixture::with(Config::dev())
    }

    pub fn with(config: Config) -> Fixture {
        Fixture::in_environment(config, Arc::new(SystemEnvironment::default()))
    }

    pub fn in_environment(config: Config, environment: Arc<dyn Environment>) -> Fixture {
        let data = tempfile::tempdir().unwrap();
        let options = ServerOptions { environment, ..ServerOptions::new(data.path(), config) };
        let server = Server::start(options).unwrap();
        Fixture { url: server.url(), server: Some(server), _data: data }
    }

    pub fn configured(text: &str) -> Fixture {
        Fixture::with(Config::parse(text).unwrap())
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server().addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.url, "GET", path, headers, None)
    }

    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(&self.url, "POST", path, headers, Some(body))
    }

    /// Pushes one set as JSON; it must be accepted.
    pub fn push_one(&self, db: &str, headers: &[(&str, &str)], client: ClientId, key: &str) -> u64 {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        let answer = self.post(&format!("/v1/{db}/sync/outbox"), &all, push_body(client, &[key]).as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        assert_eq!(body["results"][0]["outcome"], "accepted", "{body}");
        body["results"][0]["seq"].as_u64().unwrap()
    }

    /// Returns once the server holds that many answers.
    pub fn wait_for_long_polls(&self, count: usize) {
        let line = format!("syncstore_long_polls {count}\n");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.get("/metrics", &[]).text().contains(&line) {
            assert!(Instant::now() < deadline, "no {count} held answers");
            std::thread::yield_now();
        }
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value)
    }

    /// The answer must be that problem, in the form of RFC 9457.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> Problem {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(!self.header("date").is_empty());
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((problem.status, problem.code.as_str()), (status, code), "{problem:?}");
        assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{problem:?}");
        problem
    }
}

/// A plain client of one request: no header that is not given, nothing decoded.
pub fn send(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .accept("")
        .accept_encoding("")
        .user_agent("")
        .allow_non_standard_methods(true)
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{url}{path}"));
    for (name, value) in headers {
        request = request.header(*name, ureq::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let response = match body {
        Some(body) => agent.run(request.body(body).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    };
    let response = response.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let (parts, mut body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let (status, headers) = (parts.status.as_u16(), headers.collect());
    Answer { status, headers, body: body.with_config().limit(64 << 20).read_to_vec().unwrap() }
}

/// Writes bytes as they are and reads until the server closes.
pub fn raw(fixture: &Fixture, bytes: &[u8]) -> String {
    let mut stream = fixture.connect();
    // A reset is the server's way to end a broken request, while it is written or after the answer.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn client(number: u128) -> ClientId {
    ClientId::from_random(number)
}

pub fn new_ref() -> Ref {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    Ref::from_parts(now << 12, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A push of one set for each key.
pub fn push_body(client: ClientId, keys: &[&str]) -> String {
    let op = |key: &&str| serde_json::json!({"ref": new_ref(), "op": "set", "collection": "notes", "key": key, "value": {"text": key}});
    let ops: Vec<_> = keys.iter().map(op).collect();
    serde_json::json!({"client": client, "ops": ops}).to_string()
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

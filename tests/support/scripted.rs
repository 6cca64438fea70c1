//! A server on a port of its own that records requests byte for byte and answers them by a script.

use flate2::{Compress, Compression as Level, FlushCompress};
use parking_lot::Mutex;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use syncstore::environment::Environment;
use syncstore::protocol::{ClientId, Json, Op, OpKind, PushRequest, Ref};
use syncstore::wire::{Compression, HttpOptions, HttpWire, PullRequest};

/// What to do about one request.
pub enum Reply {
    /// Send these bytes, and keep the connection.
    Send(Vec<u8>),
    /// Send these bytes and close.
    SendAndClose(Vec<u8>),
    /// Send these bytes before the body came, and close without reading it.
    RefuseBody(Vec<u8>),
    /// Say nothing until the client gives up.
    Silence,
    /// Send these bytes one by one until the client gives up, then the last of them again and again.
    Drip(Vec<u8>),
}

/// One request as it came.
#[derive(Clone)]
pub struct Recorded {
    pub head: String,
    pub body: Vec<u8>,
}

impl Recorded {
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap()
    }

    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice in {}", self.head);
        value
    }
}

/// The server; its thread ends with its script.
pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Server {
    pub fn start(script: Vec<Reply>) -> Server {
        Server::start_with(script, Some)
    }

    /// `accept` wraps a connection (TLS); `None` gives it up.
    pub fn start_with<S: Read + Write>(
        script: Vec<Reply>,
        accept: impl Fn(TcpStream) -> Option<S> + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::spawn({
            let (requests, connections) = (requests.clone(), connections.clone());
            move || {
                let mut script = script.into_iter().peekable();
                while script.peek().is_some() {
                    let Ok((stream, _)) = listener.accept() else { return };
                    connections.fetch_add(1, Ordering::SeqCst);
                    let pace = stream.try_clone().unwrap();
                    if let Some(mut stream) = accept(stream) {
                        while script.peek().is_some() && serve(&mut stream, &pace, &requests, &mut script) {}
                    }
                }
            }
        });
        Server { address, requests, connections, thread }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn wire(&self, options: HttpOptions) -> HttpWire {
        HttpWire::new(&self.url(), "db", options).unwrap()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many requests have come.
    pub fn seen(&self) -> usize {
        self.requests.lock().len()
    }

    /// What came; the whole script must have been asked for.
    pub fn finish(self) -> Vec<Recorded> {
        self.thread.join().unwrap();
        self.requests.lock().clone()
    }
}

// Answers one request; false: the connection is done.
fn serve(
    stream: &mut (impl Read + Write),
    pace: &TcpStream,
    requests: &Mutex<Vec<Recorded>>,
    script: &mut impl Iterator<Item = Reply>,
) -> bool {
    let Some(mut request) = read_head(stream) else { return false };
    let reply = script.next().unwrap();
    if let Reply::RefuseBody(bytes) = reply {
        requests.lock().push(request);
        stream.write_all(&bytes).unwrap();
        stream.flush().unwrap();
        return false;
    }
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).unwrap();
    requests.lock().push(request);
    match reply {
        // The client may have seen enough and gone (a body above its limit).
        Reply::Send(bytes) => stream.write_all(&bytes).is_ok() && stream.flush().is_ok(),
        Reply::SendAndClose(bytes) => {
            let _ = stream.write_all(&bytes);
            let _ = stream.flush();
            false
        }
        Reply::Silence => {
            let _ = stream.read(&mut [0]);
            false
        }
        Reply::Drip(bytes) => {
            pace.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let last = std::iter::repeat(*bytes.last().unwrap());
            for byte in bytes.into_iter().chain(last) {
                let given_up =
                    |error: std::io::Error| !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                if stream.write_all(&[byte]).is_err() || stream.read(&mut [0]).map_or_else(given_up, |_| true) {
                    break;
                }
            }
            false
        }
        Reply::RefuseBody(_) => unreachable!(),
    }
}

fn read_head(stream: &mut impl Read) -> Option<Recorded> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(Recorded { head: String::from_utf8(head).unwrap(), body: Vec::new() })
}

/// An answer with its length.
pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

pub fn json(body: &str) -> Reply {
    Reply::Send(answer("200 OK", &[("Content-Type", "application/json")], body.as_bytes()))
}

pub fn problem(status: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers = [&[("Content-Type", "application/problem+json")], headers].concat();
    Reply::Send(answer(status, &headers, body.as_bytes()))
}

pub const INFO: &str = r#"{"epoch":"e1","seq":7,"limits":{},"formats":["application/json"],"encodings":["gzip"]}"#;
pub const PUSHED: &str = r#"{"seq":7,"results":[]}"#;
pub const PAGE: &str = r#"{"entries":[],"cursor":"c2","seq":7,"more":false}"#;

/// Options whose time-outs no test waits for, if all is well.
pub fn options() -> HttpOptions {
    let mut options = HttpOptions::default();
    options.call_timeout = Duration::from_secs(20);
    options.compression = Compression::Off;
    options
}

pub fn push_of(value: &str) -> PushRequest {
    let value = Some(Json::parse(value).unwrap());
    let op = Op { value, base: Some(0), ..Op::new(Ref::from_parts(1, 1), OpKind::Set, "notes", "n1") };
    PushRequest { client: ClientId::from_random(1), cursor: None, ops: vec![op] }
}

pub fn pull_of(wait: Duration) -> PullRequest {
    let mut request = PullRequest::new(ClientId::from_random(1), 10);
    request.wait = wait;
    request
}

/// A clock that stands still, and random numbers that count.
pub struct Still {
    pub unix_ms: u64,
    pub drawn: AtomicU64,
}

impl Environment for Still {
    fn unix_ms(&self) -> u64 {
        self.unix_ms
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn random(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::SeqCst)
    }
    fn sleep(&self, _: Duration) {}
}

/// A gibibyte of zeros as gzip: one full-flushed block of a mebibyte stands for itself 1,024 times.
pub fn bomb() -> Vec<u8> {
    let mut block = Vec::with_capacity(1 << 16);
    let zeros = vec![0; 1 << 20];
    let mut compress = Compress::new(Level::best(), false);
    compress.compress_vec(&zeros, &mut block, FlushCompress::Full).unwrap();
    assert_eq!(compress.total_in(), 1 << 20);
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    gzip.extend_from_slice(&block.repeat(1024));
    gzip.extend_from_slice(&[3, 0]);
    // The check sum is never reached.
    gzip.extend_from_slice(&[0, 0, 0, 0]);
    gzip.extend_from_slice(&(1_u32 << 30).to_le_bytes());
    gzip
}

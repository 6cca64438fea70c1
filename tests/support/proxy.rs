//! A TCP proxy in front of a server that breaks the conversation at a chosen byte.

use parking_lot::Mutex;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Requests,
    Answers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both ends see the connection end.
    Close,
    /// Both ends see it reset.
    Reset,
    /// Nothing more comes through either way, and nobody is told.
    BlackHole,
    /// The server sees the connection end; the client is not told, and what it sends gets nowhere.
    HalfOpen,
    /// From here on a byte every few milliseconds.
    Drip,
}

/// What happens once when so many bytes have gone one way, counted over all connections since the fault was set.
struct Fault {
    way: Way,
    after: u64,
    how: Break,
    then: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    answers: AtomicU64,
}

impl Counters {
    fn of(&self, way: Way) -> &AtomicU64 {
        match way {
            Way::Requests => &self.requests,
            Way::Answers => &self.answers,
        }
    }
}

struct Shared {
    server: SocketAddr,
    fault: Mutex<Option<Fault>>,
    passed: Counters,
    stopped: AtomicBool,
    open: Mutex<Vec<Weak<TcpStream>>>,
}

pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    pub fn start(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server,
            fault: Mutex::new(None),
            passed: Counters::default(),
            stopped: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(server) = TcpStream::connect(accepting.server) else { continue };
                let (client, server) = (Arc::new(client), Arc::new(server));
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                    accepting.open.lock().push(Arc::downgrade(stream));
                }
                let gone = Arc::new(AtomicBool::new(false));
                let pump = |way, from: &Arc<TcpStream>, to: &Arc<TcpStream>| {
                    let (shared, gone) = (Arc::clone(&accepting), Arc::clone(&gone));
                    let (from, to) = (Arc::clone(from), Arc::clone(to));
                    thread::spawn(move || shared.pump(way, &from, &to, &gone));
                };
                pump(Way::Requests, &client, &server);
                pump(Way::Answers, &server, &client);
            }
        });
        Proxy { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the next fault, which replaces one that has not happened; counting begins anew.
    pub fn set(&self, way: Way, after: u64, how: Break) {
        self.set_then(way, after, how, || {});
    }

    /// Like [`Proxy::set`], and calls `then` when it happens.
    pub fn set_then(&self, way: Way, after: u64, how: Break, then: impl FnOnce() + Send + 'static) {
        let mut fault = self.shared.fault.lock();
        self.shared.passed.requests.store(0, Ordering::SeqCst);
        self.shared.passed.answers.store(0, Ordering::SeqCst);
        *fault = Some(Fault { way, after, how, then: Box::new(then) });
    }

    /// Takes the fault back; whether it had not happened yet.
    pub fn clear(&self) -> bool {
        self.shared.fault.lock().take().is_some()
    }

    /// How many bytes have gone one way since the last fault was set.
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.passed.of(way).load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().drain(..) {
            if let Some(stream) = stream.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn pump(&self, way: Way, mut from: &TcpStream, mut to: &TcpStream, gone: &AtomicBool) {
        let mut buffer = [0; 16 << 10];
        let mut drips = false;
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let mut bytes = &buffer[..read];
            while !bytes.is_empty() {
                if gone.load(Ordering::SeqCst) {
                    break;
                }
                // A fault that is found is one that happens here: it is judged of what is about to pass.
                let (step, fault) = self.judge(way, if drips { 1 } else { bytes.len() });
                if step > 0 {
                    if to.write_all(&bytes[..step]).is_err() {
                        break;
                    }
                    self.passed.of(way).fetch_add(step as u64, Ordering::SeqCst);
                    bytes = &bytes[step..];
                }
                if drips {
                    thread::sleep(Duration::from_millis(3));
                }
                let Some(fault) = fault else { continue };
                match fault.how {
                    Break::Drip => drips = true,
                    Break::BlackHole => gone.store(true, Ordering::SeqCst),
                    Break::HalfOpen => {
                        gone.store(true, Ordering::SeqCst);
                        let server = if way == Way::Requests { to } else { from };
                        let _ = server.shutdown(Shutdown::Both);
                    }
                    Break::Close | Break::Reset => {
                        gone.store(true, Ordering::SeqCst);
                        for stream in [from, to] {
                            if fault.how == Break::Reset {
                                // Closing it is then a reset; until then its other reader must end, unseen by the peer.
                                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
                                let _ = stream.shutdown(Shutdown::Read);
                            } else {
                                let _ = stream.shutdown(Shutdown::Both);
                            }
                        }
                        (fault.then)();
                        return;
                    }
                }
                (fault.then)();
            }
        }
        if !gone.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    /// How many of so many bytes may pass now, and the fault that is to happen behind them.
    fn judge(&self, way: Way, bytes: usize) -> (usize, Option<Fault>) {
        let mut fault = self.fault.lock();
        let Some(found) = fault.as_ref().filter(|fault| fault.way == way) else { return (bytes, None) };
        let left = found.after.saturating_sub(self.passed.of(way).load(Ordering::SeqCst));
        if left > bytes as u64 || (left == bytes as u64 && left > 0) {
            return (bytes, None);
        }
        (left as usize, fault.take())
    }
}

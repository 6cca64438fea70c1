//! An approver behind HTTP that answers what a test says.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What came: the head, and the body.
pub type Came = (String, Value);

/// An approver that answers each request with the bytes that a closure makes of its body, and closes. Each request has a
/// thread, so that a closure may hold one; what came is told once it was answered.
pub fn stub(answer: impl Fn(&Value) -> Vec<u8> + Send + Sync + 'static) -> (SocketAddr, Receiver<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, came) = channel();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer, sender) = (stream.unwrap(), answer.clone(), sender.clone());
            std::thread::spawn(move || serve_one(stream, &*answer, &sender));
        }
    });
    (address, came)
}

// `None`: it was no whole request.
fn serve_one(mut stream: TcpStream, answer: &dyn Fn(&Value) -> Vec<u8>, came: &Sender<Came>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
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
    // Who asked may have given up, and nobody may want to know any more.
    let _ = stream.write_all(&answer(&body));
    let _ = came.send((head, body));
    Some(())
}

pub fn respond(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

/// Accepts what is asked, with the tag of its sender.
pub fn accept_all(body: &Value) -> Vec<u8> {
    let answers = body["ops"].as_array().unwrap().iter().map(|asked| {
        let (op_ref, user) = (&asked["op"]["ref"], asked["user"].as_str().unwrap());
        json!({"ref": op_ref, "outcome": "accepted", "tags": [format!("user:{user}")]})
    });
    respond("200 OK", &json!({"answers": answers.collect::<Vec<_>>()}).to_string())
}

/// The refs of the ops that are asked about.
pub fn refs(body: &Value) -> Vec<Value> {
    body["ops"].as_array().unwrap().iter().map(|asked| asked["op"]["ref"].clone()).collect()
}

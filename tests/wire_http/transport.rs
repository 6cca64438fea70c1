use crate::scripted::*;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use syncstore::wire::{Credential, HttpOptions, HttpWire, Wire, WireError};
use tempfile::TempDir;

fn unreachable(error: WireError) -> String {
    assert!(error.is_transient());
    match error {
        WireError::Unreachable(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_port_that_nobody_listens_on_is_unreachable() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let wire = HttpWire::new(&format!("http://{address}"), "db", options()).unwrap();
    assert!(unreachable(wire.info().unwrap_err()).to_lowercase().contains("refused"));
}

#[test]
fn a_connection_closed_without_an_answer_is_unreachable() {
    let server = Server::start(vec![Reply::SendAndClose(Vec::new())]);
    assert!(unreachable(server.wire(options()).info().unwrap_err()).contains("closed before there was an answer"));
    let server = Server::start(vec![Reply::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-".to_vec())]);
    assert!(unreachable(server.wire(options()).info().unwrap_err()).contains("closed before there was an answer"));
}

#[test]
fn a_body_refused_unread_still_brings_its_answer() {
    let reply =
        answer("413 Content Too Large", &[("Content-Type", "application/problem+json")], br#"{"code":"too_large"}"#);
    let server = Server::start(vec![Reply::RefuseBody(reply)]);
    let large = push_of(&format!("{:?}", "x".repeat(7 << 20)));
    let error = server.wire(options()).push(&large).unwrap_err();
    assert!(matches!(error, WireError::Refused { status: 413, .. }), "{error:?}");
}

/// A TLS server whose certificate nobody but itself vouches for, and that certificate as a file.
fn tls_server(script: Vec<Reply>) -> (Server, TempDir) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), certified.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let accept = move |mut stream: TcpStream| {
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).ok()?;
        }
        Some(StreamOwned::new(connection, stream))
    };
    (Server::start_with(script, accept), directory)
}

fn tls_wire(server: &Server, host: &str, options: HttpOptions) -> HttpWire {
    HttpWire::new(&format!("https://{host}:{}", server.address.port()), "db", options).unwrap()
}

fn with_token() -> HttpOptions {
    let mut options = options();
    options.credentials = Arc::new(Credential::bearer("hunter2"));
    options
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_until_the_ca_file_does() {
    let (server, directory) = tls_server(vec![json(INFO), json(INFO)]);
    let text = unreachable(tls_wire(&server, "localhost", with_token()).info().unwrap_err());
    assert!(text.contains("UnknownIssuer") && text.contains("the option ca_file"), "{text}");
    assert!(!text.contains("hunter2"));

    let mut trusting = with_token();
    trusting.ca_file = Some(directory.path().join("ca.pem"));
    // The name must match too: the certificate is not one for an address.
    let text = unreachable(tls_wire(&server, "127.0.0.1", trusting.clone()).info().unwrap_err());
    assert!(text.contains("certificate"), "{text}");

    let wire = tls_wire(&server, "localhost", trusting);
    assert_eq!(wire.info().unwrap().seq, 7);
    assert_eq!(wire.info().unwrap().seq, 7);
    assert_eq!(server.connections(), 3, "two refused, one kept");
    assert!(server.finish().iter().all(|request| request.header("authorization") == Some("Bearer hunter2")));
}

#[test]
fn a_server_without_tls_is_unreachable_by_https() {
    let server = Server::start_with(vec![json(INFO)], |mut stream: TcpStream| {
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        Some(stream)
    });
    let error = tls_wire(&server, "localhost", options()).info().unwrap_err();
    assert!(unreachable(error).contains("does not speak TLS on this port; is its URL http://?"));
}

#[test]
fn requests_go_through_the_proxy_when_one_is_set() {
    let connected = || Reply::Send(b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec());
    let proxy = Server::start(vec![connected(), json(INFO)]);
    let mut options = with_token();
    options.proxy = Some(format!("http://ada:p%40ss@{}", proxy.address));
    // A name that no resolver knows: only the proxy is asked for it.
    let wire = HttpWire::new("http://db.invalid:8080", "db", options).unwrap();
    assert_eq!(wire.info().unwrap().seq, 7);
    assert!(!format!("{wire:?}").contains("p@ss") && !format!("{wire:?}").contains("p%40ss"));
    let requests = proxy.finish();
    assert_eq!(requests[0].head.lines().next(), Some("CONNECT db.invalid:8080 HTTP/1.1"));
    assert_eq!(requests[0].header("proxy-authorization"), Some("Basic YWRhOnBAc3M="));
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(requests[1].head.lines().next(), Some("GET /v1/db HTTP/1.1"));
    assert_eq!(requests[1].header("proxy-authorization"), None);
    assert_eq!(requests[1].header("authorization"), Some("Bearer hunter2"));
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let refusal = answer("407 Proxy Authentication Required", &[], b"");
    let proxy = Server::start(vec![Reply::SendAndClose(refusal)]);
    let mut options = with_token();
    options.proxy = Some(format!("http://ada:hunter2@{}", proxy.address));
    let wire = HttpWire::new("http://db.invalid", "db", options).unwrap();
    let text = unreachable(wire.info().unwrap_err());
    assert!(text.contains("by the proxy") && text.contains("407") && !text.contains("hunter2"), "{text}");
}

use crate::scripted::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;
use syncstore::protocol::{Cursor, Format, PushRequest};
use syncstore::wire::{CheckpointRequest, Compression, HttpWire, Wire};

#[test]
fn each_call_is_sent_as_the_protocol_says() {
    let page = r#"{"checkpoint":"k","cursor":"c","seq":7,"items":[],"total":0}"#;
    let server = Server::start(vec![json(INFO), json(PUSHED), json(PAGE), json(page)]);
    let mut options = options();
    options.headers = vec![("X-Team".into(), "seven".into())];
    options.user_agent = "notes/1.0".into();
    let wire = server.wire(options);
    let push = push_of(r#"{"a":1.0}"#);
    let mut pull = pull_of(Duration::from_secs(3));
    pull.cursor = Some(Cursor::new("a=b&c"));
    pull.own_payloads = true;

    assert_eq!(wire.info().unwrap().seq, 7);
    assert_eq!(wire.push(&push).unwrap().seq, 7);
    assert_eq!(wire.pull(&pull).unwrap().cursor.as_str(), "c2");
    let client = push.client;
    let mut checkpoint = CheckpointRequest::new(client, 9);
    checkpoint.page = Some("p/2".into());
    assert_eq!(wire.checkpoint(&checkpoint).unwrap().seq, 7);

    let address = server.address.to_string();
    let requests = server.finish();
    let lines: Vec<&str> = requests.iter().map(|request| request.head.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/db HTTP/1.1",
            "POST /v1/db/sync/outbox HTTP/1.1",
            &format!("GET /v1/db/sync/inbox?client={client}&cursor=a%3Db%26c&limit=10&wait=3&as_sent=never HTTP/1.1"),
            &format!("GET /v1/db/sync/checkpoint?client={client}&limit=9&page=p%2F2 HTTP/1.1"),
        ]
    );
    for request in &requests {
        assert_eq!(request.header("host"), Some(address.as_str()));
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        assert_eq!(request.header("user-agent"), Some("notes/1.0"));
        assert_eq!(request.header("x-team"), Some("seven"));
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("expect"), None);
    }
    assert_eq!(requests[0].header("content-type"), None);
    assert_eq!(requests[1].header("content-type"), Some("application/json"));
    assert_eq!(requests[1].header("content-encoding"), None);
    assert_eq!(requests[1].body, Format::Json.encode(&push).unwrap());
    assert!(String::from_utf8_lossy(&requests[1].body).contains(r#""value":{"a":1.0}"#), "values pass through");
}

#[test]
fn message_pack_is_sent_and_asked_for_and_either_format_is_read() {
    let pack =
        Format::MessagePack.encode(&Format::Json.decode::<serde_json::Value>(PUSHED.as_bytes()).unwrap()).unwrap();
    let pack = Reply::Send(answer("200 OK", &[("content-type", "application/msgpack")], &pack));
    let server = Server::start(vec![pack, json(PUSHED)]);
    let mut options = options();
    options.format = Format::MessagePack;
    let wire = server.wire(options);
    let push = push_of("[1,2]");
    assert_eq!(wire.push(&push).unwrap().seq, 7);
    assert_eq!(wire.push(&push).unwrap().seq, 7);
    let requests = server.finish();
    assert_eq!(requests[0].header("content-type"), Some("application/msgpack"));
    assert_eq!(requests[0].header("accept"), Some("application/msgpack"));
    assert_eq!(requests[0].body, Format::MessagePack.encode(&push).unwrap());
}

#[test]
fn bodies_go_gzipped_both_ways_and_traffic_counts_them_as_sent() {
    let entries = format!(r#"{{"seq":7,"results":[],"padding":"{}"}}"#, "x".repeat(5000));
    let mut zipped = Vec::new();
    flate2::read::GzEncoder::new(entries.as_bytes(), flate2::Compression::default()).read_to_end(&mut zipped).unwrap();
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let server = Server::start(vec![Reply::Send(answer("200 OK", &headers, &zipped)), json(PUSHED)]);
    let mut options = options();
    options.compression = Compression::On;
    let wire = server.wire(options);
    let large = push_of(&format!("{:?}", "y".repeat(5000)));
    let small = push_of("1");
    assert_eq!(wire.push(&large).unwrap().seq, 7);
    assert_eq!(wire.push(&small).unwrap().seq, 7);
    let traffic = wire.traffic();

    let requests = server.finish();
    assert_eq!(requests[0].header("accept-encoding"), Some("gzip"));
    assert_eq!(requests[0].header("content-encoding"), Some("gzip"));
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(requests[0].body.as_slice()).read_to_end(&mut inflated).unwrap();
    assert_eq!(inflated, Format::Json.encode(&large).unwrap());
    let read: PushRequest = Format::Json.decode(&inflated).unwrap();
    assert_eq!(read.ops.len(), 1);
    assert_eq!(requests[1].header("content-encoding"), None, "below the threshold");
    let (sent, received) = (requests[0].body.len() + requests[1].body.len(), zipped.len() + PUSHED.len());
    let told = (traffic.sent, traffic.received, traffic.round_trips);
    assert_eq!(told, (sent as u64, received as u64, 2));
    assert!(traffic.sent < 1000, "{traffic:?}");
}

#[test]
fn a_large_body_waits_for_the_servers_consent() {
    let server = Server::start(vec![json(PUSHED)]);
    let push = push_of(&format!("{:?}", "z".repeat(1 << 20)));
    assert_eq!(server.wire(options()).push(&push).unwrap().seq, 7);
    let requests = server.finish();
    assert_eq!(requests[0].header("expect"), Some("100-continue"));
    assert_eq!(requests[0].body, Format::Json.encode(&push).unwrap());
}

#[test]
fn a_large_body_is_sent_without_asking_where_something_on_the_way_does_not_do_that() {
    let refused = || Reply::RefuseBody(answer("417 Expectation Failed", &[], b""));
    let server = Server::start(vec![refused(), json(PUSHED)]);
    let push = push_of(&format!("{:?}", "z".repeat(1 << 20)));
    assert_eq!(server.wire(options()).push(&push).unwrap().seq, 7);
    let requests = server.finish();
    let asked: Vec<_> = requests.iter().map(|request| request.header("expect")).collect();
    assert_eq!(asked, [Some("100-continue"), None]);
    assert_eq!(requests[1].body, Format::Json.encode(&push).unwrap());
    // One that refuses what does not ask has another reason.
    let server = Server::start(vec![refused(), Reply::Send(answer("417 Expectation Failed", &[], b""))]);
    let error = server.wire(options()).push(&push).unwrap_err();
    assert!(matches!(error, syncstore::wire::WireError::Refused { status: 417, .. }), "{error:?}");
    assert_eq!(server.finish().len(), 2);
}

#[test]
fn connections_are_kept_between_calls() {
    let server =
        Server::start((0..5).map(|n| if n == 2 { problem("404 Not Found", &[], "{}") } else { json(INFO) }).collect());
    let wire = server.wire(options());
    for n in 0..5 {
        assert_eq!(wire.info().is_ok(), n != 2);
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.finish().len(), 5);
}

#[test]
fn calls_of_two_threads_go_over_connections_of_their_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let wire = HttpWire::new(&format!("http://{}", listener.local_addr().unwrap()), "db", options()).unwrap();
    std::thread::scope(|scope| {
        let calls = [scope.spawn(|| wire.info()), scope.spawn(|| wire.info())];
        // Neither is answered before both have come.
        let mut streams = [listener.accept().unwrap().0, listener.accept().unwrap().0];
        for stream in &mut streams {
            stream.write_all(&answer("200 OK", &[("Content-Type", "application/json")], INFO.as_bytes())).unwrap();
        }
        for call in calls {
            assert_eq!(call.join().unwrap().unwrap().seq, 7);
        }
    });
    assert_eq!(wire.traffic().round_trips, 2);
}

//! A gateway that decides on every order of a shop before the server commits it: it validates, computes the total, and tags the
//! order with its customer, so that each customer's replica holds the own orders and no others.
//!
//!     cargo run -p syncstore-server --example approver                    # gateway, server and two customers in one process: the story below
//!     cargo run -p syncstore-server --example approver -- 127.0.0.1:9000  # the gateway alone, for a server of its own:
//!     cargo run -p syncstore-server -- --data /tmp/shop --config examples/approver.toml
//!
//! Everything that an approver has to do is in `decide`; the rest is an HTTP server around it and the story. It keeps nothing:
//! whatever it is asked again it decides again in the same way, so that a lost answer, its own end or the server's costs
//! nothing. docs/SERVER.md has the messages, for approvers in other languages.

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use syncstore::protocol::{Code, Json as JsonText, OpKind};
use syncstore::wire::{Credential, HttpOptions, HttpWire};
use syncstore::{KeyRange, Options, Outcome, Ref, Store, SyncPolicy};
use syncstore_server::approver::{ApprovalRequest, ApprovalResponse, AskedOp, Form, OpAnswer};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The token that the server sends, as examples/approver.toml has it.
const TOKEN: &str = "gateway-s3cret";

/// What the shop sells, in cents.
const PRICES: &[(&str, u64)] = &[("tea", 450), ("coffee", 620), ("cake", 380)];

/// What becomes of one operation.
fn decide(asked: &AskedOp) -> OpAnswer {
    let op = &asked.op;
    let before = asked.item.as_ref();
    let refused = |code: &str, message: &str, detail: Value| OpAnswer {
        code: Some(Code::new(code)),
        detail: Some(JsonText::from_value(&detail)),
        ..OpAnswer::rejected(op.op_ref, message)
    };
    // What the order would be after it: a patch is judged by what it makes of the present order.
    let order = match (op.kind, &op.value, &op.patch, before) {
        // An index entry, a relation or a tag of an order is the customer's own affair.
        _ if op.index.is_some() || op.relation.is_some() || op.tag.is_some() => return OpAnswer::accepted(op.op_ref),
        (OpKind::Delete, ..) => {
            let paid = before.and_then(|item| item.value.to_value().ok()).is_some_and(|order| order["paid"] == true);
            return match paid {
                true => refused("paid", "a paid order stays", json!({})),
                false => OpAnswer::accepted(op.op_ref),
            };
        }
        (OpKind::Set, Some(value), ..) => value.to_value(),
        (_, _, Some(patch), Some(item)) => match patched(&item.value, patch) {
            Ok(order) => Ok(order),
            Err(error) => return refused("bad_order", &error.to_string(), json!({})),
        },
        // A patch of an order that is not there; the server says so itself.
        _ => return OpAnswer::accepted(op.op_ref),
    };
    let Ok(mut order) = order else { return refused("bad_order", "it is no JSON", json!({})) };
    let price = PRICES.iter().find(|(name, _)| order["item"] == *name).map(|(_, price)| *price);
    let quantity = order["quantity"].as_u64().filter(|quantity| (1..=100).contains(quantity));
    let (Some(price), Some(quantity)) = (price, quantity) else {
        let at = if price.is_none() { "/item" } else { "/quantity" };
        return refused(
            "bad_order",
            "an order has an item that there is, and a quantity from 1 to 100",
            json!({"at": at}),
        );
    };
    // Nobody but the gateway says what it costs and whose it is.
    order["total"] = (price * quantity).into();
    order["customer"] = asked.user.clone().into();
    let form = Form { base: before.map(|item| item.rev), ..Form::set(JsonText::from_value(&order)) };
    OpAnswer { op: Some(form), tags: vec![format!("user:{}", asked.user)], ..OpAnswer::accepted(op.op_ref) }
}

fn patched(value: &JsonText, patch: &JsonText) -> Result<Value> {
    let mut order = value.to_value()?;
    let patch: syncstore::json_patch::Patch = patch.to()?;
    syncstore::json_patch::patch(&mut order, &patch)?;
    Ok(order)
}

async fn approve(headers: HeaderMap, body: Bytes) -> std::result::Result<Json<ApprovalResponse>, StatusCode> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok());
    if token.and_then(|value| value.strip_prefix("Bearer ")) != Some(TOKEN) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let request: ApprovalRequest = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(Json(request.ops.iter().map(decide).collect()))
}

/// Serves until the process ends.
fn serve(listener: std::net::TcpListener) -> Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // A request may hold large orders; the server's own limits bound it.
        let routes = Router::new().route("/approve", post(approve)).layer(DefaultBodyLimit::disable());
        Ok(axum::serve(listener, routes).await?)
    })
}

fn main() -> Result<()> {
    match std::env::args().nth(1) {
        Some(address) => {
            let listener = std::net::TcpListener::bind(address)?;
            println!("the gateway listens on http://{}/approve", listener.local_addr()?);
            serve(listener)
        }
        None => story(),
    }
}

/// A gateway, a server that asks it, and two customers; an error if anything comes out otherwise than it should.
pub fn story() -> Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let gateway = listener.local_addr()?;
    std::thread::spawn(move || serve(listener).map_err(|error| eprintln!("the gateway ended: {error}")));
    let directory = tempfile::tempdir()?;
    let config = include_str!("approver.toml").replace("127.0.0.1:9000", &gateway.to_string());
    let server = Server::start(ServerOptions::new(directory.path().join("server"), Config::parse(&config)?))?;

    let ada = Customer::new("ada", &server, directory.path())?;
    let bob = Customer::new("bob", &server, directory.path())?;
    let order = ada.store.set("orders", "a1", &json!({"item": "tea", "quantity": 3, "total": 1}))?;
    let greedy = ada.store.set("orders", "a2", &json!({"item": "tea", "quantity": 1_000_000}))?;
    println!("ada orders offline, and sees it at once: {}", ada.shown("a1")?);

    // From here on she is online.
    ada.store.start(ada.wire.clone(), SyncPolicy::default())?;
    ada.settle(&[order, greedy])?;
    println!("the gateway has put in what it costs and whose it is: {}", ada.shown("a1")?);
    let expected = json!({"item": "tea", "quantity": 3, "total": 1350, "customer": "ada"});
    ensure(ada.store.get::<Value>("orders", "a1")?, &Some(expected))?;
    ensure(ada.store.tags("orders", "a1")?, &["user:ada"])?;
    let Some(Outcome::Rejected(why)) = ada.store.outcome(greedy)? else {
        return Err("the second order was taken".into());
    };
    println!("the other one it has refused: {} ({})", why.message, why.code);
    ensure((why.code.as_str(), ada.store.get::<Value>("orders", "a2")?), &("bad_order", None))?;

    let patch = serde_json::from_value(json!([{"op": "replace", "path": "/quantity", "value": 5}]))?;
    let more = ada.store.patch("orders", "a1", &patch)?;
    ada.settle(&[more])?;
    println!("she takes two more, and pays for five: {}", ada.shown("a1")?);
    ensure(ada.store.get::<Value>("orders", "a1")?.map(|order| order["total"].clone()), &Some(json!(2250)))?;

    bob.store.sync(&*bob.wire)?;
    let seen = bob.store.list("orders", &KeyRange::all())?.len();
    println!("bob sees {seen} orders");
    ensure(seen, &0)?;
    server.stop();
    Ok(())
}

struct Customer {
    store: Store,
    wire: Arc<HttpWire>,
}

impl Customer {
    fn new(name: &str, server: &Server, directory: &std::path::Path) -> Result<Customer> {
        let http = HttpOptions::default().with_credentials(Credential::bearer(format!("{name}-s3cret")));
        let store = Store::open(directory.join(format!("{name}.db")), Options::default())?;
        Ok(Customer { store, wire: Arc::new(HttpWire::new(&server.url(), "shop", http)?) })
    }

    fn shown(&self, key: &str) -> Result<String> {
        Ok(self.store.get::<Value>("orders", key)?.unwrap_or_default().to_string())
    }

    /// Waits until these are decided.
    fn settle(&self, ops: &[Ref]) -> Result<()> {
        for op in ops {
            match self.store.wait(*op, Duration::from_secs(60))? {
                Some(Outcome::Accepted { .. } | Outcome::Rejected(_)) => {}
                other => return Err(format!("{op} still waits: {other:?}").into()),
            }
        }
        Ok(())
    }
}

fn ensure<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug + ?Sized>(found: T, expected: &U) -> Result<()> {
    if found == *expected { Ok(()) } else { Err(format!("{found:?} should be {expected:?}").into()) }
}

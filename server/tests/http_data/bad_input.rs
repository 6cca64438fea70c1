//! Every field, parameter and header of every endpoint with something bad in it: answered with the documented code.

use crate::caller::{CONFIG, ask, caller};
use crate::http_support::{Fixture, gzip, new_ref};
use crate::openapi::PROTOBUF;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a bad input is answered with.
#[derive(Clone, Copy, Debug)]
enum Answered {
    /// A problem.
    Problem(u16, &'static str),
    /// 200, and the op's result is rejected with this code.
    Rejected(&'static str),
    /// 200: it does not count.
    Taken,
}

use Answered::{Problem, Rejected, Taken};

/// Method, route, field, path, header, body, answer. In paths and bodies `LONG` stands for a name of 129 bytes, `CLIENT` for a
/// client id, `REF` for a new ref, `V4` for a UUID that is no ref, `DEEP` for 129 arrays within each other and `HUGE` for a
/// string of more than 1 MiB.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
    &'static str,
    Answered,
);

const BAD: Answered = Problem(400, "malformed");
const LARGE: Answered = Problem(413, "too_large");
const INVALID: Answered = Problem(422, "invalid");
const NO_PATH: Answered = Problem(404, "unknown_path");

const INFO: &str = "/v1/{db}";
const OUTBOX: &str = "/v1/{db}/sync/outbox";
const INBOX: &str = "/v1/{db}/sync/inbox";
const CHECKPOINT: &str = "/v1/{db}/sync/checkpoint";
const COLLECTIONS: &str = "/v1/{db}/data";
const LIST: &str = "/v1/{db}/data/{collection}";
const ITEM: &str = "/v1/{db}/data/{collection}/{key}";
const INDEXES: &str = "/v1/{db}/data/{collection}/{key}/indexes";
const INDEX: &str = "/v1/{db}/data/{collection}/{key}/indexes/{name}";
const RELATIONS: &str = "/v1/{db}/data/{collection}/{key}/relations";
const RELATION: &str = "/v1/{db}/data/{collection}/{key}/relations/{id}";
const TAGS: &str = "/v1/{db}/data/{collection}/{key}/tags";
const TAG: &str = "/v1/{db}/data/{collection}/{key}/tags/{tag}";
const BATCH: &str = "/v1/{db}/batch";

const LINK: &str = r#"{"predicate":"p","object":{"collection":"c","key":"k"}}"#;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("GET", INFO, "db", "/v1/a%20b", None, "", Problem(404, "unknown_db")),
    ("GET", INFO, "db", "/v1/%2e", None, "", Problem(404, "unknown_db")),
    ("GET", INFO, "db", "/v1/%ff", None, "", Problem(404, "unknown_db")),

    ("POST", OUTBOX, "body", "/v1/notes/sync/outbox", None, "{", BAD),
    ("POST", OUTBOX, "body", "/v1/notes/sync/outbox", None, "[]", BAD),
    ("POST", OUTBOX, "client", "/v1/notes/sync/outbox", None, r#"{"ops":[]}"#, BAD),
    ("POST", OUTBOX, "client", "/v1/notes/sync/outbox", None, r#"{"client":"x","ops":[]}"#, BAD),
    ("POST", OUTBOX, "cursor", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","cursor":7,"ops":[]}"#, BAD),
    ("POST", OUTBOX, "cursor", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","cursor":"x","ops":[]}"#, Taken),
    ("POST", OUTBOX, "ops", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT"}"#, BAD),
    ("POST", OUTBOX, "ops", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":{}}"#, BAD),
    ("POST", OUTBOX, "ops.ref", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"op":"delete","collection":"c","key":"k"}]}"#, BAD),
    ("POST", OUTBOX, "ops.ref", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"V4","op":"delete","collection":"c","key":"k"}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.op", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"drop","collection":"c","key":"k"}]}"#, BAD),
    ("POST", OUTBOX, "ops.collection", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"delete","collection":"","key":"k"}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.collection", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"delete","collection":"LONG","key":"k"}]}"#, Rejected("too_large")),
    ("POST", OUTBOX, "ops.key", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"delete","collection":"c","key":""}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.key", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"delete","collection":"c","key":7}]}"#, BAD),
    ("POST", OUTBOX, "ops.value", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"k"}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.value", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"k","value":DEEP}]}"#, Rejected("too_large")),
    ("POST", OUTBOX, "ops.value", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"k","value":HUGE}]}"#, Rejected("too_large")),
    ("POST", OUTBOX, "ops.value", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"k","value":1e999}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.patch", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"patch","collection":"c","key":"there","patch":7}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.patch", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"patch","collection":"c","key":"there","patch":[{"op":"remove","path":"/x"}]}]}"#, Rejected("patch_failed")),
    ("POST", OUTBOX, "ops.base", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"delete","collection":"c","key":"k","base":-1}]}"#, BAD),
    ("POST", OUTBOX, "ops.batch", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"delete","collection":"c","key":"k","batch":"CLIENT"}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.of", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"delete","collection":"c","key":"k","batch":"CLIENT","of":0}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.index", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"there","index":"","order":"o"}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.order", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"there","index":"i","order":"LONG"}]}"#, Rejected("too_large")),
    ("POST", OUTBOX, "ops.relation", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"there","relation":"LONG","predicate":"p","object":{"collection":"c","key":"k"}}]}"#, Rejected("too_large")),
    ("POST", OUTBOX, "ops.predicate", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"there","relation":"r","predicate":"","object":{"collection":"c","key":"k"}}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.object", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"there","relation":"r","predicate":"p","object":{"collection":"c","key":""}}]}"#, Rejected("invalid")),
    ("POST", OUTBOX, "ops.tag", "/v1/notes/sync/outbox", None, r#"{"client":"CLIENT","ops":[{"ref":"REF","op":"set","collection":"c","key":"there","tag":"LONG"}]}"#, Rejected("too_large")),

    ("GET", INBOX, "client", "/v1/notes/sync/inbox", None, "", BAD),
    ("GET", INBOX, "client", "/v1/notes/sync/inbox?client=x", None, "", BAD),
    ("GET", INBOX, "cursor", "/v1/notes/sync/inbox?client=CLIENT&cursor=x", None, "", Problem(410, "cursor_expired")),
    ("GET", INBOX, "limit", "/v1/notes/sync/inbox?client=CLIENT&limit=0", None, "", BAD),
    ("GET", INBOX, "wait", "/v1/notes/sync/inbox?client=CLIENT&wait=1.5", None, "", BAD),
    ("GET", INBOX, "as_sent", "/v1/notes/sync/inbox?client=CLIENT&as_sent=always", None, "", BAD),
    ("GET", INBOX, "collections", "/v1/notes/sync/inbox?client=CLIENT&collections=a,,b", None, "", BAD),
    ("GET", INBOX, "have", "/v1/notes/sync/inbox?client=CLIENT&have=a,,b", None, "", BAD),
    ("GET", CHECKPOINT, "client", "/v1/notes/sync/checkpoint", None, "", BAD),
    ("GET", CHECKPOINT, "page", "/v1/notes/sync/checkpoint?client=CLIENT&page=x", None, "", Problem(410, "checkpoint_expired")),
    ("GET", CHECKPOINT, "limit", "/v1/notes/sync/checkpoint?client=CLIENT&limit=-1", None, "", BAD),
    ("GET", CHECKPOINT, "collections", "/v1/notes/sync/checkpoint?client=CLIENT&collections=a:b:c", None, "", BAD),
    ("GET", CHECKPOINT, "have", "/v1/notes/sync/checkpoint?client=CLIENT&have=,", None, "", BAD),

    ("GET", COLLECTIONS, "limit", "/v1/notes/data?limit=x", None, "", BAD),
    ("GET", COLLECTIONS, "after", "/v1/notes/data?after=x", None, "", BAD),
    ("GET", LIST, "collection", "/v1/notes/data/LONG", None, "", LARGE),
    ("GET", LIST, "collection", "/v1/notes/data/", None, "", NO_PATH),
    ("GET", LIST, "collection", "/v1/notes/data/%ff", None, "", BAD),
    ("GET", LIST, "prefix", "/v1/notes/data/c?prefix=LONG", None, "", LARGE),
    ("GET", LIST, "prefix", "/v1/notes/data/c?prefix=a&prefix=b", None, "", BAD),
    ("GET", LIST, "from", "/v1/notes/data/c?from=LONG", None, "", LARGE),
    ("GET", LIST, "to", "/v1/notes/data/c?to=LONG", None, "", LARGE),
    ("GET", LIST, "reverse", "/v1/notes/data/c?reverse=yes", None, "", BAD),
    ("GET", LIST, "reverse", "/v1/notes/data/c?reverse", None, "", BAD),
    ("GET", LIST, "index", "/v1/notes/data/c?index=", None, "", INVALID),
    ("GET", LIST, "index", "/v1/notes/data/c?index=LONG", None, "", LARGE),
    ("GET", LIST, "limit", "/v1/notes/data/c?limit=0", None, "", BAD),
    ("GET", LIST, "after", "/v1/notes/data/c?after=AAAA", None, "", BAD),

    ("GET", ITEM, "collection", "/v1/notes/data/LONG/k", None, "", LARGE),
    ("GET", ITEM, "collection", "/v1/notes/data//k", None, "", INVALID),
    ("PUT", ITEM, "collection", "/v1/notes/data//k", None, "1", INVALID),
    ("GET", ITEM, "key", "/v1/notes/data/c/LONG", None, "", LARGE),
    ("GET", ITEM, "key", "/v1/notes/data/c/", None, "", NO_PATH),
    ("GET", ITEM, "key", "/v1/notes/data/c/%80", None, "", BAD),
    ("GET", ITEM, "If-Match", "/v1/notes/data/c/there", Some(("if-match", "1")), "", BAD),
    ("GET", ITEM, "If-None-Match", "/v1/notes/data/c/there", Some(("if-none-match", "\"1")), "", BAD),
    ("PUT", ITEM, "collection", "/v1/notes/data/LONG/k", None, "1", LARGE),
    ("PUT", ITEM, "key", "/v1/notes/data/c/LONG", None, "1", LARGE),
    ("PUT", ITEM, "key", "/v1/notes/data/c/%c3", None, "1", BAD),
    ("PUT", ITEM, "body", "/v1/notes/data/c/k", None, "", BAD),
    ("PUT", ITEM, "body", "/v1/notes/data/c/k", None, "1 2", BAD),
    ("PUT", ITEM, "body", "/v1/notes/data/c/k", None, r#""\ud800""#, BAD),
    ("PUT", ITEM, "body", "/v1/notes/data/c/k", None, "1e999", BAD),
    ("PUT", ITEM, "body", "/v1/notes/data/c/k", None, "DEEP", LARGE),
    ("PUT", ITEM, "body", "/v1/notes/data/c/k", None, "HUGE", LARGE),
    ("PUT", ITEM, "If-Match", "/v1/notes/data/c/k", Some(("if-match", "x")), "1", BAD),
    ("PUT", ITEM, "If-None-Match", "/v1/notes/data/c/k", Some(("if-none-match", "*, \"1\"")), "1", BAD),
    ("PUT", ITEM, "Idempotency-Key", "/v1/notes/data/c/k", Some(("idempotency-key", "x")), "1", BAD),
    ("PUT", ITEM, "Idempotency-Key", "/v1/notes/data/c/k", Some(("idempotency-key", "7d3c1a52-9f0b-4e6d-8a11-0c5e2b7f9d34")), "1", INVALID),
    ("PATCH", ITEM, "collection", "/v1/notes/data/LONG/k", None, "[]", LARGE),
    ("PATCH", ITEM, "key", "/v1/notes/data/c/LONG", None, "[]", LARGE),
    ("PATCH", ITEM, "body", "/v1/notes/data/c/there", None, "", BAD),
    ("PATCH", ITEM, "body", "/v1/notes/data/c/there", None, "{}", INVALID),
    ("PATCH", ITEM, "body", "/v1/notes/data/c/there", None, r#"[{"op":"drop","path":""}]"#, INVALID),
    ("PATCH", ITEM, "body", "/v1/notes/data/c/there", None, r#"[{"op":"test","path":"","value":7}]"#, Problem(422, "patch_failed")),
    ("PATCH", ITEM, "If-Match", "/v1/notes/data/c/there", Some(("if-match", "")), "[]", BAD),
    ("PATCH", ITEM, "If-None-Match", "/v1/notes/data/c/there", Some(("if-none-match", "'1'")), "[]", BAD),
    ("PATCH", ITEM, "Idempotency-Key", "/v1/notes/data/c/there", Some(("idempotency-key", "")), "[]", BAD),
    ("DELETE", ITEM, "collection", "/v1/notes/data/LONG/k", None, "", LARGE),
    ("DELETE", ITEM, "key", "/v1/notes/data/c/LONG", None, "", LARGE),
    ("DELETE", ITEM, "body", "/v1/notes/data/c/there", None, "{}", BAD),
    ("DELETE", ITEM, "If-Match", "/v1/notes/data/c/there", Some(("if-match", "x")), "", BAD),
    ("DELETE", ITEM, "If-None-Match", "/v1/notes/data/c/there", Some(("if-none-match", "x")), "", BAD),
    ("DELETE", ITEM, "Idempotency-Key", "/v1/notes/data/c/there", Some(("idempotency-key", "1")), "", BAD),

    ("GET", INDEXES, "collection", "/v1/notes/data/LONG/k/indexes", None, "", LARGE),
    ("GET", INDEXES, "key", "/v1/notes/data/c/LONG/indexes", None, "", LARGE),
    ("GET", INDEXES, "If-Match", "/v1/notes/data/c/there/indexes", Some(("if-match", "x")), "", BAD),
    ("GET", INDEXES, "If-None-Match", "/v1/notes/data/c/there/indexes", Some(("if-none-match", "x")), "", BAD),
    ("PUT", INDEX, "collection", "/v1/notes/data/LONG/k/indexes/i", None, r#"{"order":"o"}"#, LARGE),
    ("PUT", INDEX, "key", "/v1/notes/data/c/LONG/indexes/i", None, r#"{"order":"o"}"#, LARGE),
    ("PUT", INDEX, "name", "/v1/notes/data/c/there/indexes/LONG", None, r#"{"order":"o"}"#, LARGE),
    ("PUT", INDEX, "name", "/v1/notes/data/c/there/indexes/", None, r#"{"order":"o"}"#, NO_PATH),
    ("PUT", INDEX, "order", "/v1/notes/data/c/there/indexes/i", None, "{}", BAD),
    ("PUT", INDEX, "order", "/v1/notes/data/c/there/indexes/i", None, r#"{"order":7}"#, BAD),
    ("PUT", INDEX, "order", "/v1/notes/data/c/there/indexes/i", None, r#"{"order":""}"#, INVALID),
    ("PUT", INDEX, "order", "/v1/notes/data/c/there/indexes/i", None, r#"{"order":"LONG"}"#, LARGE),
    ("PUT", INDEX, "If-Match", "/v1/notes/data/c/there/indexes/i", Some(("if-match", "x")), r#"{"order":"o"}"#, BAD),
    ("PUT", INDEX, "If-None-Match", "/v1/notes/data/c/there/indexes/i", Some(("if-none-match", "x")), r#"{"order":"o"}"#, BAD),
    ("PUT", INDEX, "Idempotency-Key", "/v1/notes/data/c/there/indexes/i", Some(("idempotency-key", "x")), r#"{"order":"o"}"#, BAD),
    ("DELETE", INDEX, "collection", "/v1/notes/data/LONG/k/indexes/i", None, "", LARGE),
    ("DELETE", INDEX, "key", "/v1/notes/data/c/LONG/indexes/i", None, "", LARGE),
    ("DELETE", INDEX, "name", "/v1/notes/data/c/there/indexes/LONG", None, "", LARGE),
    ("DELETE", INDEX, "body", "/v1/notes/data/c/there/indexes/i", None, "1", BAD),
    ("DELETE", INDEX, "If-Match", "/v1/notes/data/c/there/indexes/i", Some(("if-match", "x")), "", BAD),
    ("DELETE", INDEX, "If-None-Match", "/v1/notes/data/c/there/indexes/i", Some(("if-none-match", "x")), "", BAD),
    ("DELETE", INDEX, "Idempotency-Key", "/v1/notes/data/c/there/indexes/i", Some(("idempotency-key", "x")), "", BAD),

    ("GET", RELATIONS, "collection", "/v1/notes/data/LONG/k/relations", None, "", LARGE),
    ("GET", RELATIONS, "key", "/v1/notes/data/c/LONG/relations", None, "", LARGE),
    ("GET", RELATIONS, "If-Match", "/v1/notes/data/c/there/relations", Some(("if-match", "x")), "", BAD),
    ("GET", RELATIONS, "If-None-Match", "/v1/notes/data/c/there/relations", Some(("if-none-match", "x")), "", BAD),
    ("PUT", RELATION, "collection", "/v1/notes/data/LONG/k/relations/r", None, LINK, LARGE),
    ("PUT", RELATION, "key", "/v1/notes/data/c/LONG/relations/r", None, LINK, LARGE),
    ("PUT", RELATION, "id", "/v1/notes/data/c/there/relations/LONG", None, LINK, LARGE),
    ("PUT", RELATION, "predicate", "/v1/notes/data/c/there/relations/r", None, r#"{"object":{"collection":"c","key":"k"}}"#, BAD),
    ("PUT", RELATION, "predicate", "/v1/notes/data/c/there/relations/r", None, r#"{"predicate":"LONG","object":{"collection":"c","key":"k"}}"#, LARGE),
    ("PUT", RELATION, "object", "/v1/notes/data/c/there/relations/r", None, r#"{"predicate":"p"}"#, BAD),
    ("PUT", RELATION, "object", "/v1/notes/data/c/there/relations/r", None, r#"{"predicate":"p","object":{"collection":"","key":"k"}}"#, INVALID),
    ("PUT", RELATION, "object", "/v1/notes/data/c/there/relations/r", None, r#"{"predicate":"p","object":{"collection":"c","key":"LONG"}}"#, LARGE),
    ("PUT", RELATION, "If-Match", "/v1/notes/data/c/there/relations/r", Some(("if-match", "x")), LINK, BAD),
    ("PUT", RELATION, "If-None-Match", "/v1/notes/data/c/there/relations/r", Some(("if-none-match", "x")), LINK, BAD),
    ("PUT", RELATION, "Idempotency-Key", "/v1/notes/data/c/there/relations/r", Some(("idempotency-key", "x")), LINK, BAD),
    ("DELETE", RELATION, "collection", "/v1/notes/data/LONG/k/relations/r", None, "", LARGE),
    ("DELETE", RELATION, "key", "/v1/notes/data/c/LONG/relations/r", None, "", LARGE),
    ("DELETE", RELATION, "id", "/v1/notes/data/c/there/relations/LONG", None, "", LARGE),
    ("DELETE", RELATION, "body", "/v1/notes/data/c/there/relations/r", None, LINK, BAD),
    ("DELETE", RELATION, "If-Match", "/v1/notes/data/c/there/relations/r", Some(("if-match", "x")), "", BAD),
    ("DELETE", RELATION, "If-None-Match", "/v1/notes/data/c/there/relations/r", Some(("if-none-match", "x")), "", BAD),
    ("DELETE", RELATION, "Idempotency-Key", "/v1/notes/data/c/there/relations/r", Some(("idempotency-key", "x")), "", BAD),

    ("GET", TAGS, "collection", "/v1/notes/data/LONG/k/tags", None, "", LARGE),
    ("GET", TAGS, "key", "/v1/notes/data/c/LONG/tags", None, "", LARGE),
    ("GET", TAGS, "If-Match", "/v1/notes/data/c/there/tags", Some(("if-match", "x")), "", BAD),
    ("GET", TAGS, "If-None-Match", "/v1/notes/data/c/there/tags", Some(("if-none-match", "x")), "", BAD),
    ("PUT", TAG, "collection", "/v1/notes/data/LONG/k/tags/t", None, "", LARGE),
    ("PUT", TAG, "key", "/v1/notes/data/c/LONG/tags/t", None, "", LARGE),
    ("PUT", TAG, "tag", "/v1/notes/data/c/there/tags/LONG", None, "", LARGE),
    ("PUT", TAG, "tag", "/v1/notes/data/c/there/tags/%ff", None, "", BAD),
    ("PUT", TAG, "body", "/v1/notes/data/c/there/tags/t", None, "{}", BAD),
    ("PUT", TAG, "If-Match", "/v1/notes/data/c/there/tags/t", Some(("if-match", "x")), "", BAD),
    ("PUT", TAG, "If-None-Match", "/v1/notes/data/c/there/tags/t", Some(("if-none-match", "x")), "", BAD),
    ("PUT", TAG, "Idempotency-Key", "/v1/notes/data/c/there/tags/t", Some(("idempotency-key", "x")), "", BAD),
    ("DELETE", TAG, "collection", "/v1/notes/data/LONG/k/tags/t", None, "", LARGE),
    ("DELETE", TAG, "key", "/v1/notes/data/c/LONG/tags/t", None, "", LARGE),
    ("DELETE", TAG, "tag", "/v1/notes/data/c/there/tags/LONG", None, "", LARGE),
    ("DELETE", TAG, "body", "/v1/notes/data/c/there/tags/t", None, "x", BAD),
    ("DELETE", TAG, "If-Match", "/v1/notes/data/c/there/tags/t", Some(("if-match", "x")), "", BAD),
    ("DELETE", TAG, "If-None-Match", "/v1/notes/data/c/there/tags/t", Some(("if-none-match", "x")), "", BAD),
    ("DELETE", TAG, "Idempotency-Key", "/v1/notes/data/c/there/tags/t", Some(("idempotency-key", "x")), "", BAD),

    ("POST", BATCH, "body", "/v1/notes/batch", None, "", BAD),
    ("POST", BATCH, "ops", "/v1/notes/batch", None, "{}", BAD),
    ("POST", BATCH, "ops", "/v1/notes/batch", None, r#"{"ops":[]}"#, INVALID),
    ("POST", BATCH, "ops.ref", "/v1/notes/batch", None, r#"{"ops":[{"ref":"x","op":"delete","collection":"c","key":"k"}]}"#, BAD),
    ("POST", BATCH, "ops.ref", "/v1/notes/batch", None, r#"{"ops":[{"ref":"V4","op":"delete","collection":"c","key":"k"}]}"#, INVALID),
    ("POST", BATCH, "ops.op", "/v1/notes/batch", None, r#"{"ops":[{"collection":"c","key":"k"}]}"#, BAD),
    ("POST", BATCH, "ops.collection", "/v1/notes/batch", None, r#"{"ops":[{"op":"delete","collection":"","key":"k"}]}"#, INVALID),
    ("POST", BATCH, "ops.key", "/v1/notes/batch", None, r#"{"ops":[{"op":"delete","collection":"c","key":"LONG"}]}"#, Problem(422, "too_large")),
    ("POST", BATCH, "ops.value", "/v1/notes/batch", None, r#"{"ops":[{"op":"set","collection":"c","key":"k","value":DEEP}]}"#, Problem(422, "too_large")),
    ("POST", BATCH, "ops.value", "/v1/notes/batch", None, r#"{"ops":[{"op":"set","collection":"c","key":"k","value":1,"patch":[]}]}"#, INVALID),
    ("POST", BATCH, "ops.patch", "/v1/notes/batch", None, r#"{"ops":[{"op":"patch","collection":"c","key":"there","patch":{}}]}"#, INVALID),
    ("POST", BATCH, "ops.base", "/v1/notes/batch", None, r#"{"ops":[{"op":"delete","collection":"c","key":"k","base":"1"}]}"#, BAD),
    ("POST", BATCH, "ops.index", "/v1/notes/batch", None, r#"{"ops":[{"op":"delete","collection":"c","key":"there","index":""}]}"#, INVALID),
    ("POST", BATCH, "ops.order", "/v1/notes/batch", None, r#"{"ops":[{"op":"set","collection":"c","key":"there","index":"i"}]}"#, INVALID),
    ("POST", BATCH, "ops.relation", "/v1/notes/batch", None, r#"{"ops":[{"op":"delete","collection":"c","key":"there","relation":"LONG"}]}"#, Problem(422, "too_large")),
    ("POST", BATCH, "ops.predicate", "/v1/notes/batch", None, r#"{"ops":[{"op":"set","collection":"c","key":"there","relation":"r","predicate":"","object":{"collection":"c","key":"k"}}]}"#, INVALID),
    ("POST", BATCH, "ops.object", "/v1/notes/batch", None, r#"{"ops":[{"op":"set","collection":"c","key":"there","relation":"r","predicate":"p","object":"k"}]}"#, BAD),
    ("POST", BATCH, "ops.tag", "/v1/notes/batch", None, r#"{"ops":[{"op":"set","collection":"c","key":"there","tag":"t","index":"i"}]}"#, INVALID),
    ("POST", BATCH, "Idempotency-Key", "/v1/notes/batch", Some(("idempotency-key", "REF")), r#"{"ops":[]}"#, BAD),
    ("POST", BATCH, "If-Match", "/v1/notes/batch", Some(("if-match", "*")), r#"{"ops":[]}"#, BAD),
    ("POST", BATCH, "If-None-Match", "/v1/notes/batch", Some(("if-none-match", "*")), r#"{"ops":[]}"#, BAD),
];

/// The fields of an operation that are tried.
pub fn fields(method: &str, route: &str) -> BTreeSet<String> {
    ROWS.iter().filter(|row| row.0 == method && row.1 == route).map(|row| row.2.to_owned()).collect()
}

/// Method, route, field, target and body of each request that is bad without its headers.
pub fn bad_requests() -> impl Iterator<Item = (&'static str, &'static str, &'static str, String, String)> {
    let rows = ROWS.iter().filter(|row| row.4.is_none() && !matches!(row.6, Taken));
    rows.map(|row| (row.0, row.1, row.2, filled(row.3), filled(row.5)))
}

fn filled(text: &str) -> String {
    text.replace("LONG", &"x".repeat(129))
        .replace("CLIENT", "7d3c1a52-9f0b-4e6d-8a11-0c5e2b7f9d34")
        .replace("V4", "7d3c1a52-9f0b-4e6d-8a11-0c5e2b7f9d34")
        .replace("REF", &new_ref().to_string())
        .replace("DEEP", &format!("{}{}", "[".repeat(129), "]".repeat(129)))
        .replace("HUGE", &format!("\"{}\"", "x".repeat(1 << 20)))
}

fn fixture() -> Fixture {
    let text = CONFIG.replacen(r#"databases = ["notes"]"#, r#"databases = ["*"]"#, 1);
    let fixture = Fixture::configured(&text);
    caller(&fixture, "root").put("/data/c/there", r#"{"a":1}"#);
    fixture
}

const ROOT: (&str, &str) = ("authorization", "Bearer root-t0ken");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn each_bad_input_is_answered_with_its_code_and_changes_nothing() {
    let fixture = fixture();
    let before = caller(&fixture, "root").get("/data/c/there");
    for (method, _, field, path, header, body, answered) in ROWS {
        let what = format!("{method} {path} {field}: {header:?} {body}");
        let value = header.map(|(_, value)| filled(value));
        let mut headers = vec![ROOT, JSON];
        headers.extend(header.iter().zip(&value).map(|((name, _), value)| (*name, value.as_str())));
        let body = filled(body);
        let answer =
            ask(&fixture.url, method, &filled(path), &headers, Some(body.as_bytes()).filter(|body| !body.is_empty()));
        match answered {
            Problem(status, code) => {
                assert_eq!(
                    (answer.status, answer.text().contains(&format!("\"code\":\"{code}\""))),
                    (*status, true),
                    "{what}: {}",
                    answer.text()
                );
                answer.is_problem(*status, code);
            }
            Rejected(code) => {
                let body: Value = answer.json();
                assert_eq!(body["results"][0]["code"].as_str(), Some(*code), "{what}: {body}");
            }
            Taken => assert_eq!(answer.status, 200, "{what}: {}", answer.text()),
        }
        assert!(answer.body.len() < 2_000, "{what}: {}", answer.text());
    }
    let root = caller(&fixture, "root");
    assert_eq!(root.get("/data/c/there"), before);
    assert_eq!(root.get("/data")["collections"], serde_json::json!([{"name": "c", "items": 1}]));
}

/// A path of a route, with names that are good.
pub fn path_of(route: &str) -> String {
    let path = route.replace("{db}", "notes").replace("{collection}", "c").replace("{key}", "there");
    let path = path.replace("{name}", "i").replace("{id}", "r").replace("{tag}", "t");
    let query = if route == INBOX || route == CHECKPOINT { "?client=7d3c1a52-9f0b-4e6d-8a11-0c5e2b7f9d34" } else { "" };
    path + query
}

#[test]
fn bad_headers_and_bodies_are_refused_by_every_route() {
    let fixture = fixture();
    let mut routes = syncstore_server::route_names();
    routes.retain(|(_, path)| path.starts_with("/v1/"));
    for (method, route) in &routes {
        let path = path_of(route);
        let ask_it = |headers: &[(&str, &str)], body: Option<&[u8]>| ask(&fixture.url, method, &path, headers, body);
        for bad in ["Basic x", "Bearer", "Bearer wrong", "HMAC-SHA256 key=1", ""] {
            ask_it(&[("authorization", bad), JSON], None).is_problem(401, "unauthenticated");
        }
        ask_it(&[JSON], None).is_problem(401, "unauthenticated");
        ask_it(&[ROOT, JSON, ("accept", "text/html")], None).is_problem(406, "not_acceptable");
        if cfg!(not(feature = "protobuf")) {
            ask_it(&[ROOT, JSON, ("accept", PROTOBUF)], None).is_problem(406, "not_acceptable");
        }
        let takes_body = (method == "PUT" || method == "PATCH" || method == "POST") && *route != TAG;
        if takes_body {
            ask_it(&[ROOT], Some(b"1")).is_problem(415, "unsupported_media_type");
            ask_it(&[ROOT, ("content-type", "text/plain")], Some(b"1")).is_problem(415, "unsupported_media_type");
            ask_it(&[ROOT, JSON, ("content-encoding", "br")], Some(b"1")).is_problem(415, "unsupported_media_type");
            ask_it(&[ROOT, JSON, ("content-encoding", "gzip")], Some(b"1")).is_problem(400, "malformed");
            ask_it(&[ROOT, ("content-type", "application/msgpack")], Some(b"\xc1")).is_problem(400, "malformed");
            let known = cfg!(feature = "protobuf");
            let (status, code) = if known { (400, "malformed") } else { (415, "unsupported_media_type") };
            ask_it(&[ROOT, ("content-type", PROTOBUF)], Some(b"\xff")).is_problem(status, code);
            let zeros = gzip(&vec![b' '; (8 << 20) + 1]);
            ask_it(&[ROOT, JSON, ("content-encoding", "gzip")], Some(&zeros)).is_problem(413, "too_large");
        }
        let other = ask(&fixture.url, "PURGE", &path, &[ROOT], None);
        other.is_problem(405, "method_not_allowed");
        assert!(other.header("allow").contains(method.as_str()), "{path}: {}", other.header("allow"));
    }
    caller(&fixture, "root").ask("GET", "/nothing", &[], None).is_problem(404, "unknown_path");
}

#[test]
fn what_no_database_can_be_called_is_unknown_to_every_route() {
    let fixture = fixture();
    let mut routes = syncstore_server::route_names();
    routes.retain(|(_, path)| path.starts_with("/v1/"));
    let long = "x".repeat(65);
    for (method, route) in &routes {
        for db in ["a%20b", "%ff", "%2e", "%2e%2e", "a%2Fb", "%C3%A9", &long] {
            let path = path_of(route).replacen("/v1/notes", &format!("/v1/{db}"), 1);
            ask(&fixture.url, method, &path, &[ROOT, JSON], None).is_problem(404, "unknown_db");
        }
        let longest = path_of(route).replacen("/v1/notes", &format!("/v1/{}", "x".repeat(64)), 1);
        let answer = ask(&fixture.url, method, &longest, &[ROOT, JSON], None);
        assert!(!answer.text().contains("unknown_db"), "{method} {longest}: {}", answer.text());
    }
}

#[test]
fn the_table_has_every_route() {
    let mut routes = syncstore_server::route_names();
    routes.retain(|(_, path)| path.starts_with("/v1/"));
    for (method, path) in &routes {
        assert!(ROWS.iter().any(|row| row.0 == method && row.1 == *path), "{method} {path}");
    }
    for row in ROWS {
        assert!(routes.iter().any(|(method, path)| method == row.0 && *path == row.1), "{} {}", row.0, row.1);
    }
}

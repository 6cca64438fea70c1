//! The small texts that name things: cursors, pages, ids, the head of a request.

use crate::environment::Still;
use std::sync::OnceLock;
use syncstore::protocol::{BatchId, ClientId, Cursor, Filter, Format, Json, Ref, is_database_name};
use syncstore_server::config::Config;
use syncstore_server::core::cursor::Position;
use syncstore_server::fuzzing;

const CONFIG: &str = r#"
[[credential]]
token = "t0ken"
user = "ada"
databases = ["notes"]
all_tags = true

[[credential]]
key = "rpa_1"
secret = "rps_1"
databases = ["notes"]
all_tags = true
"#;

/// Reads the input as each of them.
pub fn cursors_and_tokens(data: &[u8]) {
    static CONFIGURATION: OnceLock<Config> = OnceLock::new();
    let config = CONFIGURATION.get_or_init(|| Config::parse(CONFIG).expect("a configuration"));
    if let Some(user) = fuzzing::authorize(config, Still::new(1), data, "/v1/notes") {
        // Nobody finds a signature by chance, but the corpus has one.
        assert_eq!(user, "ada");
        let signed = data.windows(5).any(|part| part == b"rpa_1");
        assert!(signed || data.trim_ascii_end().ends_with(b"t0ken"));
    }
    fuzzing::negotiate(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    Format::of_content_type(text);
    if let Some(position) = Position::decode(&Cursor::new(text)) {
        assert_eq!(Position::decode(&position.encode()), Some(position), "a cursor keeps its parts");
    }
    let (_, _, _, limit, scope) = fuzzing::query(text);
    assert!(limit.is_none_or(|limit| (1..=10_000).contains(&limit)));
    for filter in scope.into_iter().flat_map(|scope| [Some(scope.filter), scope.have]).flatten() {
        let read = filter.text().map_or(Ok(Filter::everything()), |text| Filter::parse(&text));
        assert_eq!(read.as_ref(), Ok(&filter), "a filter is what its text says");
    }
    if let Ok(op) = text.parse::<Ref>() {
        assert_eq!(Ref::from_parts(op.order(), op.random()) == op, op.is_v7(), "a UUIDv7 is its parts");
        assert_eq!(op.to_string().parse::<Ref>(), Ok(op));
    }
    if let Ok(id) = text.parse::<ClientId>() {
        assert_eq!(ClientId::from_bytes(*id.as_bytes()), id);
    }
    if let Ok(id) = text.parse::<BatchId>() {
        assert_eq!(id.to_string().parse::<BatchId>(), Ok(id));
    }
    if is_database_name(text) {
        assert!(text.is_ascii() && !text.contains(['/', '\\', '\0']) && !text.is_empty());
    }
    if let Ok(json) = Json::parse(text) {
        assert!(json.check().is_ok());
    }
}

//! What is written without a replica, as replicas pull it, and the other way round.

use crate::caller::{CONFIG, caller};
use crate::http_support::{Fixture, client};
use syncstore::protocol::{EntryOutcome, Format, InboxPage};

fn inbox(fixture: &Fixture, user: &str) -> InboxPage {
    let path = format!("/sync/inbox?client={}", client(1));
    let answer = caller(fixture, user).get_with(&path, &[]);
    Format::Json.decode(&answer.body).unwrap()
}

#[test]
fn a_replica_pulls_what_was_written_without_one() {
    let fixture = Fixture::configured(CONFIG);
    let (root, ada) = (caller(&fixture, "root"), caller(&fixture, "ada"));
    ada.put("/data/notes/n", r#"{"a":1}"#);
    ada.write("PATCH", "/data/notes/n", &[], r#"[{"op":"add","path":"/b","value":2}]"#);
    ada.put("/data/notes/n/indexes/i", r#"{"order":"o"}"#);
    ada.put("/data/notes/n/relations/r", r#"{"predicate":"p","object":{"collection":"c","key":"k"}}"#);
    ada.put("/data/notes/n/tags/team:7", "");
    ada.ask("PATCH", "/data/notes/n", &[], Some(br#"[{"op":"remove","path":"/x"}]"#)).is_problem(422, "patch_failed");
    ada.delete("/data/notes/n/indexes/none");
    root.put("/data/notes/hidden", "1");
    let page = inbox(&fixture, "ada");
    let seen: Vec<_> = page.entries.iter().map(|entry| (entry.seq, entry.from, entry.rev)).collect();
    let expected = [(1, 0, 1), (2, 1, 2), (3, 2, 3), (4, 3, 4), (5, 4, 5)];
    assert_eq!(seen, expected.map(|(seq, from, rev)| (seq, Some(from), Some(rev))));
    assert!(page.entries.iter().all(|entry| entry.outcome == EntryOutcome::Accepted && !entry.as_sent));
    assert!(page.entries[0].full && page.entries[0].tags == ["user:ada"]);
    assert_eq!((page.seq, page.more), (8, false));
    let bob = inbox_of_bob(&fixture);
    assert_eq!(bob.entries.len(), 1);
    assert!(bob.entries[0].full && bob.entries[0].indexes["i"] == "o");
    ada.delete("/data/notes/n");
    assert_eq!(inbox(&fixture, "ada").entries.len(), 6);
}

fn inbox_of_bob(fixture: &Fixture) -> InboxPage {
    let answer = caller(fixture, "bob").get_with(&format!("/sync/inbox?client={}", client(2)), &[]);
    Format::Json.decode(&answer.body).unwrap()
}

//! Reading items and listings.

use crate::office::{office, ways};
use syncstore::wire::{HttpOptions, WireError};
use syncstore::{Newer, Remote, RemoteError, RemoteQuery};

#[test]
fn an_item_is_read_whole_and_by_its_parts() {
    for options in ways() {
        let office = office();
        let remote = Remote::new(&office.server.url(), "db", options).unwrap();
        let item = remote.item("notes", "n");
        item.set(&"Milk").unwrap();
        item.set_index("i", "1").unwrap();
        item.set_relation("r", "in", ("folders", "f")).unwrap();
        let rev = item.add_tag("t").unwrap();
        let whole = remote.get("notes", "n").unwrap().unwrap();
        assert_eq!((whole.key.as_str(), whole.value.as_str(), whole.rev), ("n", "\"Milk\"", rev));
        assert_eq!(remote.indexes("notes", "n").unwrap().unwrap(), whole.indexes);
        assert_eq!(remote.relations("notes", "n").unwrap().unwrap(), whole.relations);
        assert_eq!(remote.tags("notes", "n").unwrap().unwrap(), ["t"]);
        assert!(remote.get("notes", "none").unwrap().is_none() && remote.get("none", "n").unwrap().is_none());
        assert!(remote.indexes("notes", "none").unwrap().is_none());
        assert!(remote.relations("notes", "none").unwrap().is_none());
        assert!(remote.tags("notes", "none").unwrap().is_none());
    }
}

#[test]
fn an_item_is_sent_again_only_when_it_has_changed() {
    let office = office();
    let remote = office.remote("root");
    let first = remote.item("notes", "n").set(&1).unwrap();
    assert!(matches!(remote.get_newer("notes", "n", first).unwrap(), Newer::Unchanged));
    let second = remote.item("notes", "n").set(&2).unwrap();
    match remote.get_newer("notes", "n", first).unwrap() {
        Newer::Changed(item) => assert_eq!((item.rev, item.value.as_str()), (second, "2")),
        other => panic!("{other:?}"),
    }
    remote.item("notes", "n").delete().unwrap();
    assert!(matches!(remote.get_newer("notes", "n", second).unwrap(), Newer::Gone));
}

#[test]
fn an_item_that_the_caller_may_not_see_is_like_one_that_is_not() {
    let office = office();
    let (ada, bob) = (office.remote("ada"), office.remote("bob"));
    let rev = ada.item("notes", "n").set(&1).unwrap();
    ada.item("notes", "n").set_index("i", "1").unwrap();
    let sees = |remote: &Remote| {
        let all = RemoteQuery::all;
        [
            remote.get("notes", "n").unwrap().is_some(),
            !matches!(remote.get_newer("notes", "n", rev).unwrap(), Newer::Gone),
            remote.indexes("notes", "n").unwrap().is_some(),
            remote.relations("notes", "n").unwrap().is_some(),
            remote.tags("notes", "n").unwrap().is_some(),
            !remote.list("notes", &all()).unwrap().items.is_empty(),
            !remote.list("notes", &all().index("i")).unwrap().items.is_empty(),
            !remote.collections(None).unwrap().collections.is_empty(),
        ]
    };
    assert_eq!(sees(&ada), [true; 8]);
    assert_eq!(sees(&bob), [false; 8]);
    assert!(matches!(bob.item("notes", "n").add_tag("user:bob"), Err(RemoteError::NotFound { .. })));
    ada.item("notes", "n").add_tag("team:7").unwrap();
    assert_eq!(sees(&bob), [true; 8]);
}

fn keys(remote: &Remote, query: &RemoteQuery) -> Vec<String> {
    let (mut keys, mut query) = (Vec::new(), query.clone());
    for _ in 0..100 {
        let page = remote.list("notes", &query).unwrap();
        keys.extend(page.items.into_iter().map(|item| item.key));
        match page.next {
            Some(next) => query = query.resume(next),
            None => return keys,
        }
    }
    panic!("the pages do not end: {keys:?}");
}

#[test]
fn a_listing_keeps_to_its_bounds_and_order_page_by_page() {
    let office = office();
    let remote = office.remote("root");
    let mut batch = remote.batch();
    for n in 0..10 {
        let key = format!("k{n}");
        batch.item("notes", &key).set(&n).unwrap();
        if n % 2 == 0 {
            batch.item("notes", &key).set_index("down", &format!("o{}", 9 - n)).unwrap();
        }
    }
    batch.item("notes", "z").set(&"last").unwrap();
    batch.commit().unwrap();
    let all = RemoteQuery::all;
    for limit in [1, 3, 100] {
        let of = |query: RemoteQuery| keys(&remote, &query.limit(limit)).join(" ");
        assert_eq!(of(all().prefix("k").from("k3").to("k6")), "k3 k4 k5");
        assert_eq!(of(all().prefix("k").from("k3").to("k6").reverse()), "k5 k4 k3");
        assert_eq!(of(all().from("k9")), "k9 z");
        assert_eq!(of(all().prefix("none")), "");
        assert_eq!(of(all().index("down")), "k8 k6 k4 k2 k0");
        assert_eq!(of(all().index("down").from("o5").reverse()), "k0 k2 k4");
        assert_eq!(of(all().index("none")), "");
    }
    let page = remote.list("notes", &all().index("down").limit(1)).unwrap();
    assert_eq!((page.items[0].order.as_deref(), page.items[0].value.as_str()), (Some("o1"), "8"));
    let other = all().index("down").reverse().resume(page.next.unwrap());
    match remote.list("notes", &other) {
        Err(RemoteError::Wire(WireError::Refused { status: 400, code, .. })) => assert_eq!(code, "malformed"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn collections_are_told_with_how_much_the_caller_sees() {
    let office = office();
    let (root, ada) = (office.remote("root"), office.remote("ada"));
    ada.item("b", "1").set(&1).unwrap();
    for (collection, key) in [("a", "1"), ("b", "2"), ("c/d", "1")] {
        root.item(collection, key).set(&1).unwrap();
    }
    let counts = |remote: &Remote| {
        let page = remote.collections(None).unwrap();
        assert!(page.next.is_none());
        page.collections.into_iter().map(|found| format!("{}:{}", found.name, found.items)).collect::<Vec<_>>()
    };
    assert_eq!(counts(&root), ["a:1", "b:2", "c/d:1"]);
    assert_eq!(counts(&ada), ["b:1"]);
    let wrong = root.collections(Some("no page"));
    assert!(matches!(wrong, Err(RemoteError::Wire(WireError::Refused { status: 400, .. }))), "{wrong:?}");
}

#[test]
fn the_limits_that_a_server_publishes_are_the_ones_that_count() {
    let office = office();
    let remote = office.remote("root");
    let info = remote.info().unwrap();
    assert_eq!((info.limits.name, info.seq), (128, 0));
    assert!(matches!(remote.get("c", &"x".repeat(129)), Err(RemoteError::Limit(_))));
}

#[test]
fn a_database_or_a_server_that_is_not_there_is_no_absent_item() {
    let office = office();
    let lost = Remote::new(&office.server.url(), "other", crate::office::options("root")).unwrap();
    let error = lost.get("notes", "n").unwrap_err();
    assert!(matches!(&error, RemoteError::Wire(WireError::Refused { .. } | WireError::Forbidden(_))), "{error:?}");
    let written = lost.item("notes", "n").set(&1).unwrap_err();
    assert!(!written.is_transient(), "{written:?}");
    let elsewhere = format!("{}/elsewhere", office.server.url());
    let astray = Remote::new(&elsewhere, "db", crate::office::options("root")).unwrap();
    let item = astray.item("notes", "n");
    let read = [astray.get("notes", "n").map(drop), astray.tags("notes", "n").map(drop)];
    let written = [item.patch_raw("[]").map(drop), item.set_index("i", "1").map(drop), item.delete().map(drop)];
    for failed in read.into_iter().chain(written) {
        match failed {
            Err(RemoteError::Wire(WireError::Refused { status: 404, code, .. })) => assert_eq!(code, "unknown_path"),
            other => panic!("{other:?}"),
        }
    }
    let url = office.server.url();
    drop(office);
    let remote = Remote::new(&url, "db", HttpOptions::default()).unwrap();
    let error = remote.get("notes", "n").unwrap_err();
    assert!(matches!(&error, RemoteError::Wire(WireError::Unreachable(_))) && error.is_transient(), "{error:?}");
    for url in ["ftp://h", "http://ada:hunter2@h", "nonsense"] {
        let error = Remote::new(url, "db", HttpOptions::default()).unwrap_err();
        assert!(matches!(&error, RemoteError::Wire(WireError::Setup(_))), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

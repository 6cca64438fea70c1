//! Bases, and what each policy makes of one that is behind (section 2).

use crate::world::*;
use syncstore::protocol::Json;
use syncstore_server::service::{Policy, ServiceOptions};

fn strict(options: &mut ServiceOptions) {
    options.policies.insert("c".into(), Policy::RejectStale);
}

fn merging(options: &mut ServiceOptions) {
    options.policies.insert("c".into(), Policy::Merge);
}

#[test]
fn accept_takes_ops_in_the_order_of_arrival() {
    let world = World::new();
    let base = world.accept(1, world.set("a", "1"));
    world.accept(2, based(world.set("a", "2"), base));
    world.accept(1, based(world.set("a", "3"), base));
    world.accept(2, world.set("a", "4"));
    assert_eq!(world.items(), ["a=4"]);
}

#[test]
fn a_second_op_of_a_client_is_not_stale_because_of_its_first() {
    let world = World::with(strict);
    let base = world.accept(1, based(world.set("a", "1"), 0));
    world.accept(1, based(world.set("a", "2"), 0));
    world.accept(2, based(world.set("a", "3"), base + 1));
    let stale = world.push(1, &[based(world.set("a", "4"), base)]);
    assert_eq!(words(&stale), ["rejected 4 stale"]);
    assert_eq!(stale[0].detail, Some(Json::parse(r#"{"rev":3}"#).unwrap()));
    world.accept(1, based(world.set("a", "4"), 3));
    // Behind is judged by others' ops alone: 1's own at 5 came after, 2's at 3 does not count for 2.
    assert_eq!(words(&world.push(2, &[based(world.set("a", "5"), 3)])), ["rejected 6 stale"]);
    world.accept(1, based(world.set("a", "5"), 3));
}

#[test]
fn reject_stale_refuses_no_claim_on_an_existing_item() {
    let world = World::with(strict);
    world.accept(1, world.set("a", "1"));
    let ops = [world.set("a", "2"), world.patch("a", "[]"), world.delete("a")];
    for op in ops {
        assert!(words(&world.push(1, &[op]))[0].ends_with("stale"));
    }
    assert_eq!(world.items(), ["a=1"]);
}

#[test]
fn the_delete_that_ended_an_item_makes_a_base_behind() {
    let world = World::with(strict);
    let base = world.accept(1, world.set("a", "1"));
    let deleted = world.accept(2, based(world.delete("a"), base));
    assert!(words(&world.push(1, &[based(world.set("a", "2"), base)]))[0].ends_with("stale"));
    assert!(words(&world.push(1, &[based(world.patch("a", "[]"), base)]))[0].ends_with("not_found"));
    // Its own delete does not count against a client, nor does any against a claim to know of no item.
    world.accept(2, based(world.set("a", "2"), base));
    world.accept(2, based(world.delete("a"), deleted));
    world.accept(1, based(world.set("a", "3"), 0));
    assert_eq!(world.items(), ["a=3"]);
}

#[test]
fn ops_of_an_earlier_life_do_not_make_a_base_behind() {
    let world = World::with(strict);
    world.accept(2, based(world.set("a", "1"), 0));
    let base = world.accept(2, based(world.set("a", "2"), 0));
    world.accept(1, based(world.delete("a"), base));
    world.accept(1, based(world.set("a", "3"), 0));
    world.accept(1, based(world.set("a", "4"), 0));
    assert_eq!(words(&world.push(2, &[based(world.set("a", "5"), base)]))[0], "rejected 6 stale");
}

#[test]
fn merge_cases() {
    // base value, then what another client makes of it, then what the client sends, then what stands
    let cases = [
        (r#"{"x":1,"y":1}"#, r#"{"x":2,"y":1}"#, r#"{"x":1,"y":5}"#, r#"{"x":2,"y":5}"#),
        (r#"{"x":1}"#, r#"{"x":2}"#, r#"{"x":3}"#, r#"{"x":2}"#),
        (r#"{"o":{"a":1,"b":1}}"#, r#"{"o":{"a":2,"b":1}}"#, r#"{"o":{"a":1,"b":3}}"#, r#"{"o":{"a":2,"b":3}}"#),
        (r#"{"o":{"a":1}}"#, r#"{"o":{"a":2}}"#, r#"{"o":0,"n":1}"#, r#"{"o":{"a":2},"n":1}"#),
        (r#"{"x":1,"y":1}"#, r#"{"y":1}"#, r#"{"x":9,"y":2}"#, r#"{"y":2}"#),
    ];
    for (number, (before, other, sent, expected)) in cases.into_iter().enumerate() {
        let world = World::with(merging);
        let base = world.accept(1, world.set("a", before));
        world.accept(2, based(world.set("a", other), base));
        world.accept(1, based(world.set("a", sent), base));
        let merged = world.items()[0].strip_prefix("a=").map(|text| Json::parse(text).unwrap());
        assert_eq!(merged, Some(Json::parse(expected).unwrap()), "case {number}");
    }
}

#[test]
fn a_merge_does_not_mind_what_members_are_called() {
    let world = World::with(merging);
    let base = world.accept(1, world.set("a", "{}"));
    world.accept(2, based(world.set("a", r#"{"$serde_json::private::RawValue":"["}"#), base));
    world.accept(1, based(world.set("a", r#"{"b":1}"#), base));
    assert_eq!(world.items(), [r#"a={"$serde_json::private::RawValue":"[","b":1}"#]);
}

#[test]
fn merge_follows_patches_of_others_and_not_the_clients_own() {
    let world = World::with(merging);
    let base = world.accept(1, world.set("a", r#"{"x":1,"y":1,"z":1}"#));
    world.accept(2, based(world.patch("a", r#"[{"op":"replace","path":"/x","value":2}]"#), base));
    world.accept(1, based(world.patch("a", r#"[{"op":"replace","path":"/y","value":2}]"#), base));
    world.accept(1, based(world.set("a", r#"{"x":1,"y":3,"z":3}"#), base));
    assert_eq!(world.items(), [r#"a={"x":2,"y":3,"z":3}"#]);
}

#[test]
fn a_merged_patch_loses_what_others_touched_and_is_not_as_sent() {
    let world = World::with(merging);
    let base = world.accept(1, world.set("a", r#"{"x":1,"y":1}"#));
    world.accept(2, based(world.patch("a", r#"[{"op":"replace","path":"/x","value":2}]"#), base));
    let patch = r#"[{"op":"replace","path":"/x","value":9},{"op":"replace","path":"/y","value":9}]"#;
    world.accept(1, based(world.patch("a", patch), base));
    world.accept(1, based(world.patch("a", r#"[{"op":"replace","path":"/y","value":10}]"#), base));
    assert_eq!(world.items(), [r#"a={"x":2,"y":10}"#]);
    let own = world.pull(1, None).0;
    assert_eq!(own[2].patch, Some(Json::parse(r#"[{"op":"replace","path":"/y","value":9}]"#).unwrap()));
    assert!(!own[2].as_sent && own[3].as_sent && own[3].patch.is_none());
}

#[test]
fn in_a_merge_a_delete_wins_over_an_update() {
    let world = World::with(merging);
    let base = world.accept(1, world.set("a", r#"{"x":1}"#));
    world.accept(2, based(world.set("a", r#"{"x":2}"#), base));
    world.accept(1, based(world.delete("a"), base));
    assert!(words(&world.push(2, &[based(world.set("a", r#"{"x":3}"#), base + 1)]))[0].ends_with("stale"));
    assert!(world.items().is_empty());
}

#[test]
fn a_merge_beyond_the_log_keeps_all_of_the_servers() {
    let world = World::with(|options| {
        merging(options);
        options.retention.log_entries = 1;
    });
    let base = world.accept(1, world.set("a", r#"{"x":1,"y":1}"#));
    world.accept(2, based(world.patch("a", r#"[{"op":"replace","path":"/x","value":2}]"#), base));
    world.service.prune(DB).unwrap();
    world.accept(1, based(world.set("a", r#"{"x":1,"y":5}"#), base));
    assert_eq!(world.items(), [r#"a={"x":2,"y":1}"#]);
}

#[test]
fn a_history_of_too_many_bytes_is_not_read_and_the_servers_value_wins() {
    // Two such changes are less than 16 MiB, or more.
    for (size, mine) in [(7 << 20, 2), (9 << 20, 1)] {
        let world = World::with(|options| {
            merging(options);
            (options.limits.value, options.limits.body) = (10 << 20, 20 << 20);
        });
        let base = world.accept(1, world.set("a", r#"{"big":"","mine":1}"#));
        for letter in ["x", "y"] {
            world.accept(2, world.set("a", &format!(r#"{{"big":"{}","mine":1}}"#, letter.repeat(size))));
        }
        world.accept(1, based(world.set("a", r#"{"big":"","mine":2}"#), base));
        let item = world.items().remove(0);
        assert!(item.ends_with(&format!(r#"y","mine":{mine}}}"#)), "{}", &item[item.len() - 20..]);
    }
}

#[test]
fn a_set_that_is_stale_leaves_no_collection_behind() {
    for policy in [strict, merging] {
        let world = World::with(policy);
        assert_eq!(words(&world.push(1, &[based(world.set("a", "1"), 7)])), ["rejected 1 stale"]);
        let file = rusqlite::Connection::open(world.dir.path().join(format!("db-{DB}.sqlite"))).unwrap();
        let count = || file.query_row("SELECT count(*) FROM collections", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count(), 0);
        world.accept(1, based(world.set("a", "1"), 0));
        assert_eq!(count(), 1);
    }
}

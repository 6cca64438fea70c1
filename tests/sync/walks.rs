//! Walks over relations: several steps, both directions, rings, limits, and one moment.

use crate::support::Fleet;
use std::sync::atomic::{AtomicBool, Ordering};
use syncstore::{Related, RelationPath, Store, WalkOptions};

fn relate(store: &Store, links: &[(&str, &str, &str)]) {
    for (n, (from, predicate, to)) in links.iter().enumerate() {
        store.set("c", from, from).unwrap();
        store.set_relation("c", from, &format!("r{n:02}"), predicate, ("c", to)).unwrap();
    }
}

fn told(related: &Related) -> String {
    related.items.iter().map(|item| format!("{}{}", item.key, item.depth)).collect::<Vec<_>>().join(" ")
}

fn walk(store: &Store, start: &str, path: &RelationPath, options: &WalkOptions) -> String {
    told(&store.related(("c", start), path, options).unwrap())
}

#[test]
fn each_step_goes_by_its_predicate_and_in_its_direction() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    relate(
        &store,
        &[
            ("n1", "in", "home"),
            ("n2", "in", "home"),
            ("n3", "in", "away"),
            ("n1", "by", "ada"),
            ("n2", "by", "bob"),
            ("n1", "in", "away"),
        ],
    );
    let once = WalkOptions::default();
    assert_eq!(walk(&store, "n1", &RelationPath::forwards("in"), &once), "home1 away1");
    assert_eq!(walk(&store, "home", &RelationPath::backwards("in"), &once), "n11 n21");
    assert_eq!(walk(&store, "home", &RelationPath::forwards("in"), &once), "");
    let siblings = RelationPath::forwards("in").then_backwards("in");
    // Back at where it began, it has been there.
    assert_eq!(walk(&store, "n1", &siblings, &once), "home1 away1 n22 n32");
    assert_eq!(walk(&store, "n1", &siblings.then_forwards("by"), &once), "home1 away1 n12 n22 n32 ada3 bob3");
    assert_eq!(
        walk(&store, "n1", &RelationPath::forwards("in").then_backwards("in"), &once.clone().depth(1)),
        "home1 away1"
    );
    assert_eq!(walk(&store, "n1", &RelationPath::forwards("in"), &once.depth(0)), "");
}

#[test]
fn a_ring_ends_and_a_path_is_repeated_as_far_as_the_depth_goes() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    relate(
        &store,
        &[("a", "next", "b"), ("b", "next", "c"), ("c", "next", "a"), ("b", "next", "b"), ("c", "next", "d")],
    );
    let next = RelationPath::forwards("next");
    let far = WalkOptions::default().depth(usize::MAX);
    assert_eq!(walk(&store, "a", &next, &far), "b1 c2 d3");
    assert_eq!(walk(&store, "a", &next, &WalkOptions::default().depth(2)), "b1 c2");
    assert_eq!(walk(&store, "d", &RelationPath::backwards("next"), &far), "c1 b2 a3");
    // With two steps an item is reached at either place of the path, once at each.
    assert_eq!(walk(&store, "a", &RelationPath::forwards("next").then_forwards("next"), &far), "b1 c2 b2 a3 d3 c3 d4");
}

#[test]
fn a_limit_leaves_the_nearest_and_says_that_there_are_more() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    relate(&store, &[("a", "next", "b"), ("a", "next", "c"), ("b", "next", "d")]);
    let far = WalkOptions::default().depth(9);
    let all = store.related(("c", "a"), &RelationPath::forwards("next"), &far).unwrap();
    assert_eq!((told(&all).as_str(), all.more), ("b1 c1 d2", false));
    let cut = store.related(("c", "a"), &RelationPath::forwards("next"), &far.clone().limit(2)).unwrap();
    assert_eq!((told(&cut).as_str(), cut.more), ("b1 c1", true));
    let all = store.related(("c", "a"), &RelationPath::forwards("next"), &far.limit(3)).unwrap();
    assert_eq!((all.items.len(), all.more), (3, false));
}

#[test]
fn values_come_where_they_are_asked_for_and_there() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    relate(&store, &[("a", "to", "b"), ("a", "to", "none")]);
    store.set("c", "b", &7).unwrap();
    let values = |options: WalkOptions| {
        let related = store.related(("c", "a"), &RelationPath::forwards("to"), &options).unwrap();
        related.items.into_iter().map(|item| item.value).collect::<Vec<_>>()
    };
    assert_eq!(values(WalkOptions::default().values()), [Some("7".to_owned()), None]);
    assert_eq!(values(WalkOptions::default()), [None, None]);
    // What was deleted leads nowhere; an object that is gone is led to all the same.
    store.delete("c", "b").unwrap();
    assert_eq!(values(WalkOptions::default().values()), [None, None]);
    store.delete("c", "a").unwrap();
    assert!(values(WalkOptions::default()).is_empty());
}

#[test]
fn a_walk_reads_one_moment_while_others_write() {
    let fleet = Fleet::new();
    let store = fleet.open("a");
    // Whoever reads it half changed finds an end of another colour than the middle.
    let paint = |colour: &str| {
        let mut batch = store.batch();
        batch.set("c", "start", &1).unwrap().set_relation("c", "start", "r", "to", ("c", colour)).unwrap();
        batch.set("c", colour, &1).unwrap().set_relation("c", colour, "r", "to", ("end", colour)).unwrap();
        let other = if colour == "red" { "blue" } else { "red" };
        batch.delete("c", other).unwrap();
        batch.commit().unwrap();
    };
    paint("red");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..200 {
                paint(if n % 2 == 0 { "blue" } else { "red" });
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let walked = store.related(
                ("c", "start"),
                &RelationPath::forwards("to").then_forwards("to"),
                &WalkOptions::default(),
            );
            let items = walked.unwrap().items;
            assert_eq!((items.len(), &items[0].key, items[1].collection.as_str()), (2, &items[1].key, "end"));
        }
    });
}

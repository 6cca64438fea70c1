//! Replicas and the server beside a model in plain maps, over random sequences of everything that a host can write.
//!
//! Three users see different things, and what they see changes; writes are made offline, alone and in batches, on
//! values, index entries, relations and tags; some are refused. After each step what was touched must be what the
//! model says, read item by item and by way of indexes, relations and SQL. The same cases are played each time; one that
//! fails is made small, and printed. `SYNCSTORE_MODEL_CASES=2000 cargo test --release --test model` plays so many.

mod derived;
mod model;
mod wire;

use model::{COLLECTIONS, Change, Content, Fate, Item, Replica, Resources, Rights, Server, Whole};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;
use std::collections::BTreeMap;
use syncstore::protocol::ClientId;
use syncstore::{Code, Error, KeyRange, Options, Outcome, Ref, ResourceName, RetryPolicy, Store};
use syncstore_server::service::{CheckpointRequest, Service};
use syncstore_simulation::disk::Disk;
use wire::{DB, Direct, caller, serve};

const USUAL_CASES: u32 = 60;
const USERS: usize = 3;
const TAGS: [&str; 3] = ["a", "b", "c"];
const INDEXES: [&str; 2] = ["x", "y"];
const PREDICATES: [&str; 2] = ["in", "of"];

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Item, Change),
    Batch(usize, Vec<(Item, Change)>),
    Push(usize),
    Pull(usize),
    Sync(usize),
    /// A user's rights are others from now on.
    Rights(usize, Rights),
}

fn item() -> impl Strategy<Value = Item> {
    (select(COLLECTIONS.to_vec()), 0..3u8)
}

fn resource() -> impl Strategy<Value = ResourceName> {
    prop_oneof![
        1 => select(INDEXES.to_vec()).prop_map(|name| ResourceName::Index(name.into())),
        1 => select(vec!["r", "s"]).prop_map(|id| ResourceName::Relation(id.into())),
        3 => select(TAGS.to_vec()).prop_map(|tag| ResourceName::Tag(tag.into())),
    ]
}

/// Any of the contents that a resource may have.
fn content() -> impl Strategy<Value = (String, &'static str, Item)> {
    ("[p-r]", select(PREDICATES.to_vec()), item())
}

fn put(resource: ResourceName, (order, predicate, object): (String, &str, Item)) -> Change {
    let content = match resource {
        ResourceName::Index(_) => Content::Order(order),
        // To one of the items themselves, which may be there or not.
        ResourceName::Relation(_) => Content::Link(predicate.to_owned(), (object.0.to_owned(), key(&object))),
        _ => Content::Tag,
    };
    Change::Put(resource, content)
}

fn change() -> impl Strategy<Value = Change> {
    let replace = |n: u8| json!({"op": "replace", "path": "/n", "value": n});
    prop_oneof![
        4 => (0..4u8).prop_map(|n| Change::Set(json!({"n": n, "l": []}))),
        2 => (0..9u8).prop_map(|n| Change::Patch(vec![json!({"op": "add", "path": "/l/-", "value": n})])),
        1 => (0..9u8).prop_map(move |n| Change::Patch(vec![replace(n)])),
        2 => (0..4u8, 0..4u8)
            .prop_map(move |(was, n)| Change::Patch(vec![json!({"op": "test", "path": "/n", "value": was}), replace(n)])),
        1 => Just(Change::Delete),
        5 => (resource(), content()).prop_map(|(resource, content)| put(resource, content)),
        3 => resource().prop_map(Change::Remove),
    ]
}

/// Items with an entry in one index and a relation each, so that several stand at one place and lead to one object.
fn furnished() -> impl Strategy<Value = Vec<(Item, Change)>> {
    let one = (item(), 0..4u8, content()).prop_map(|(item, n, content)| {
        let (index, relation) = (ResourceName::Index("x".into()), ResourceName::Relation("r".into()));
        let changes = [Change::Set(json!({"n": n, "l": []})), put(index, content.clone()), put(relation, content)];
        changes.map(|change| (item, change))
    });
    vec(one, 1..4).prop_map(|items| items.concat())
}

fn rights() -> impl Strategy<Value = Rights> {
    let some = || subsequence(TAGS.to_vec(), 0..=3).prop_map(|tags| tags.into_iter().map(str::to_owned).collect());
    (proptest::option::weighted(0.8, some()), some()).prop_map(|(tags, grant)| Rights { tags, grant })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..USERS, item(), change()).prop_map(|(at, item, change)| Step::Write(at, item, change)),
        2 => (0..USERS, vec((item(), change()), 1..4)).prop_map(|(at, ops)| Step::Batch(at, ops)),
        2 => (0..USERS, furnished()).prop_map(|(at, ops)| Step::Batch(at, ops)),
        1 => (0..USERS).prop_map(Step::Push),
        2 => (0..USERS).prop_map(Step::Pull),
        4 => (0..USERS).prop_map(Step::Sync),
        1 => (0..USERS, rights()).prop_map(|(at, rights)| Step::Rights(at, rights)),
    ]
}

/// The real ones and the model of them, side by side.
struct Pair {
    _directory: tempfile::TempDir,
    service: Service,
    stores: Vec<Store>,
    /// Of the server and of the replicas, in memory.
    _disks: Vec<Disk>,
    refs: Vec<Vec<Ref>>,
    server: Server,
    replicas: Vec<Replica>,
    rights: Vec<Rights>,
}

fn start(folds: bool) -> Pair {
    let directory = tempfile::tempdir().unwrap();
    let disks: Vec<Disk> = (0..=USERS as u64).map(Disk::new).collect();
    let open = |n: usize| {
        let mut options = Options::default();
        options.vfs = Some(disks[n].name().to_owned());
        options.coalescing = folds;
        options.retry = RetryPolicy::never();
        options.prefetch = false;
        options.pull_entries = 2;
        options.checkpoint_items = 2;
        Store::open(directory.path().join(format!("r{n}.db")), options).unwrap()
    };
    let of = |tag: &str| [tag.to_owned()].into();
    let rights = ["a", "b"].map(|tag| Rights { tags: Some([tag.to_owned(), "c".to_owned()].into()), grant: of(tag) });
    Pair {
        service: serve(&directory, disks[USERS].name()),
        stores: (0..USERS).map(open).collect(),
        refs: vec![Vec::new(); USERS],
        server: Server::default(),
        replicas: (0..USERS).map(|n| Replica::new(n, folds)).collect(),
        rights: [Rights { tags: None, grant: of("a") }].into_iter().chain(rights).collect(),
        _disks: disks,
        _directory: directory,
    }
}

fn key(item: &Item) -> String {
    format!("k{}", item.1)
}

fn write(store: &Store, item: &Item, change: &Change) -> Result<Ref, Error> {
    let (collection, key) = (item.0, &*key(item));
    match change {
        Change::Set(value) => store.set(collection, key, value),
        Change::Patch(patch) => store.patch(collection, key, &serde_json::from_value(json!(patch)).unwrap()),
        Change::Delete => store.delete(collection, key),
        Change::Put(ResourceName::Index(name), Content::Order(order)) => store.set_index(collection, key, name, order),
        Change::Put(ResourceName::Relation(id), Content::Link(predicate, (to, object))) => {
            store.set_relation(collection, key, id, predicate, (to, object))
        }
        Change::Put(ResourceName::Tag(tag), Content::Tag) => store.add_tag(collection, key, tag),
        Change::Remove(ResourceName::Index(name)) => store.delete_index(collection, key, name),
        Change::Remove(ResourceName::Relation(id)) => store.delete_relation(collection, key, id),
        Change::Remove(ResourceName::Tag(tag)) => store.remove_tag(collection, key, tag),
        Change::Put(..) | Change::Remove(ResourceName::Value) => unreachable!("no resource that is set so"),
    }
}

fn write_batch(store: &Store, ops: &[(Item, Change)]) -> Result<Vec<Ref>, Error> {
    let mut batch = store.batch();
    for (item, change) in ops {
        let (collection, key) = (item.0, &*key(item));
        match change {
            Change::Set(value) => batch.set(collection, key, value)?,
            Change::Patch(patch) => batch.patch(collection, key, &serde_json::from_value(json!(patch)).unwrap())?,
            Change::Delete => batch.delete(collection, key)?,
            Change::Put(ResourceName::Index(name), Content::Order(order)) => {
                batch.set_index(collection, key, name, order)?
            }
            Change::Put(ResourceName::Relation(id), Content::Link(predicate, (to, object))) => {
                batch.set_relation(collection, key, id, predicate, (to, object))?
            }
            Change::Put(ResourceName::Tag(tag), Content::Tag) => batch.add_tag(collection, key, tag)?,
            Change::Remove(ResourceName::Index(name)) => batch.delete_index(collection, key, name)?,
            Change::Remove(ResourceName::Relation(id)) => batch.delete_relation(collection, key, id)?,
            Change::Remove(ResourceName::Tag(tag)) => batch.remove_tag(collection, key, tag)?,
            Change::Put(..) | Change::Remove(ResourceName::Value) => unreachable!("no resource that is set so"),
        };
    }
    Ok(batch.commit()?.ops)
}

impl Pair {
    fn play(&mut self, step: &Step) {
        match step {
            Step::Write(at, item, change) => {
                let answer = write(&self.stores[*at], item, change).map(|op_ref| vec![op_ref]);
                self.written(*at, answer, &[(*item, change.clone())], false);
            }
            Step::Batch(at, ops) => {
                let answer = write_batch(&self.stores[*at], ops);
                self.written(*at, answer, ops, true);
            }
            Step::Push(at) => {
                self.stores[*at].push(&self.wire(*at)).unwrap();
                self.replicas[*at].push(&mut self.server, &self.rights[*at]);
            }
            // What sees other things than before loads a checkpoint, and pushes on the way.
            Step::Pull(at) if self.replicas[*at].pulled_as.as_ref() == Some(&self.rights[*at]) => {
                self.stores[*at].pull(&self.wire(*at)).unwrap();
                self.replicas[*at].pull(&self.server, &self.rights[*at]);
            }
            Step::Pull(at) | Step::Sync(at) => self.sync(*at),
            Step::Rights(at, rights) => self.rights[*at] = rights.clone(),
        }
    }

    fn wire(&self, at: usize) -> Direct<'_> {
        Direct { service: &self.service, caller: caller(at, &self.rights[at]) }
    }

    fn sync(&mut self, at: usize) {
        for _ in 0..8 {
            self.stores[at].sync(&self.wire(at)).unwrap();
            if self.stores[at].pending_count().unwrap() == 0 {
                break;
            }
        }
        self.replicas[at].sync(&mut self.server, &self.rights[at]);
        let report = self.stores[at].check().unwrap();
        assert!(report.is_ok(), "{report}");
    }

    fn written(&mut self, at: usize, answer: Result<Vec<Ref>, Error>, ops: &[(Item, Change)], batch: bool) {
        let refused = match answer {
            Ok(refs) => {
                self.refs[at].extend(refs);
                Ok(())
            }
            Err(Error::NotFound { .. }) => Err(Code::NOT_FOUND),
            Err(Error::PatchFailed { .. }) => Err(Code::PATCH_FAILED),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(refused, self.replicas[at].write(ops, batch), "user{at} writes {ops:?}");
    }

    /// What a host reads, and what it is told of its writes.
    fn compare(&self, at: usize) {
        let (store, replica) = (&self.stores[at], &self.replicas[at]);
        let view = named(replica.view());
        assert_eq!(read(store), view, "user{at} reads");
        derived::compare(store, &view, |item| replica.stands(item), at);
        assert_eq!(store.pending_count().unwrap(), replica.waits() as u64, "what waits of user{at}");
        for (op_ref, fate) in self.refs[at].iter().zip(&replica.fates) {
            let outcome = store.outcome(*op_ref).unwrap().unwrap();
            let told = match &outcome {
                Outcome::FoldedInto(_) => Fate::Folded,
                // Answered, and not settled before the replica has pulled so far.
                _ if *fate == Fate::Waits => Fate::Waits,
                Outcome::Accepted { .. } => Fate::Accepted,
                Outcome::Rejected(why) => Fate::Rejected(why.code.clone()),
                _ => Fate::Waits,
            };
            assert_eq!(&told, fate, "user{at}: {op_ref} is {outcome:?}");
        }
    }

    /// In the end every replica has what its user sees, and the server what the model of it has.
    fn settle(&mut self) {
        for _ in 0..2 {
            (0..USERS).for_each(|at| self.sync(at));
        }
        (0..USERS).for_each(|at| self.compare(at));
        for rights in self.rights.iter().chain([&Rights { tags: None, grant: Default::default() }]) {
            let has = self.server.seen_by(rights).into_iter().map(|(item, (whole, _))| (item, whole)).collect();
            assert_eq!(shown(&self.service, rights), named(has), "what the server shows to {rights:?}");
        }
    }
}

type Named = BTreeMap<(String, String), Whole>;

fn named(items: BTreeMap<Item, Whole>) -> Named {
    items.into_iter().map(|(item, whole)| ((item.0.to_owned(), key(&item)), whole)).collect()
}

fn resources(indexes: BTreeMap<String, String>, relations: Vec<syncstore::Relation>, tags: Vec<String>) -> Resources {
    let indexes = indexes.into_iter().map(|(name, order)| (ResourceName::Index(name), Content::Order(order)));
    let relations = relations.into_iter().map(|relation| {
        let object = (relation.object.collection, relation.object.key);
        (ResourceName::Relation(relation.id), Content::Link(relation.predicate, object))
    });
    let tags = tags.into_iter().map(|tag| (ResourceName::Tag(tag), Content::Tag));
    indexes.chain(relations).chain(tags).collect()
}

fn read(store: &Store) -> Named {
    let mut items = Named::new();
    for collection in store.collections().unwrap() {
        for item in store.list(&collection, &KeyRange::all()).unwrap().iter() {
            let indexes = store.indexes(&collection, item.key).unwrap();
            let (relations, tags) =
                (store.relations(&collection, item.key, None).unwrap(), store.tags(&collection, item.key).unwrap());
            let whole = Whole { value: item.to().unwrap(), resources: resources(indexes, relations, tags) };
            items.insert((collection.clone(), item.key.to_owned()), whole);
        }
    }
    items
}

fn shown(service: &Service, rights: &Rights) -> Named {
    let request = CheckpointRequest {
        client: ClientId::from_random(0x0b5e),
        page: None,
        limit: 1_000,
        scope: Default::default(),
    };
    let page = service.checkpoint(DB, &caller(99, rights), &request).unwrap();
    assert!(page.next.is_none());
    let items = page.items.into_iter().map(|item| {
        let resources = resources(item.indexes, item.relations, item.tags);
        ((item.collection, item.key), Whole { value: item.value.to_value().unwrap(), resources })
    });
    items.collect()
}

fn play(folds: bool, steps: &[Step]) {
    let mut pair = start(folds);
    for step in steps {
        pair.play(step);
        let (Step::Write(at, ..) | Step::Batch(at, _) | Step::Push(at) | Step::Pull(at) | Step::Sync(at)) = step else {
            continue;
        };
        pair.compare(*at);
    }
    pair.settle();
}

#[test]
fn replicas_and_their_server_are_what_plain_maps_say() {
    let cases = std::env::var("SYNCSTORE_MODEL_CASES").map_or(USUAL_CASES, |cases| match cases.parse() {
        Ok(cases @ 1..) => cases,
        _ => panic!(
            "SYNCSTORE_MODEL_CASES={cases} is no number of sequences to play; leave it out to play {USUAL_CASES}"
        ),
    });
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = (any::<bool>(), vec(step(), 1..60));
    let result = runner.run(&strategy, |(folds, steps)| {
        play(folds, &steps);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

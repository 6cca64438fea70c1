//! The tables, and how an older file becomes a present one.

/// What makes version n + 1 of a file of version n, in order; a released step never changes.
pub(super) const MIGRATIONS: &[&str] =
    &[VERSION_1, CHANGES, SEARCHES, INDEXES, RANGES, REJECTIONS, CONFLICTS, FILTERS, UNDONE, LOOKED];

// `life` of a collection: 0 live, 1 incoming (a checkpoint being loaded), 2 retired (being deleted).
// Swapping a checkpoint in changes these few rows and leaves the items where they are.
//
// `items.value` is the view; NULL: deleted in the view, while operations are pending. `rev` is the base's.
// `pending` counts the item's outbox rows. An item with pending operations has its base apart, in `base`; no row
// there means that the base has no such item.
//
// `resources.kind`: 1 an index entry, 2 a relation, 3 a tag; `outbox.resource` and `ledger.resource` the same, and 0 the
// value. `base` and `view` are the ordering key, the predicate, or nothing but '' for a tag; NULL: absent there. Of
// a relation the object stands beside them. `collection` and `key` are the item's: its entries are scanned without it.
//
// `outbox.id` and `ledger.id` are `Ref::order`, `random` the rest of the ref: no index on refs is needed.
const VERSION_1: &str = "
CREATE TABLE collections(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  life INTEGER NOT NULL
);
CREATE UNIQUE INDEX collections_live ON collections(name) WHERE life = 0;
CREATE UNIQUE INDEX collections_incoming ON collections(name) WHERE life = 1;

CREATE TABLE items(
  id INTEGER PRIMARY KEY,
  collection INTEGER NOT NULL,
  key TEXT NOT NULL,
  rev INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  value TEXT
);
CREATE UNIQUE INDEX items_key ON items(collection, key);

CREATE TABLE base(
  item INTEGER PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE resources(
  item INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  collection INTEGER NOT NULL,
  key TEXT NOT NULL,
  base TEXT,
  base_collection TEXT,
  base_key TEXT,
  view TEXT,
  view_collection TEXT,
  view_key TEXT,
  PRIMARY KEY (item, kind, name)
) WITHOUT ROWID;
CREATE INDEX resources_order ON resources(collection, name, view, key) WHERE kind = 1 AND view IS NOT NULL;
CREATE INDEX resources_object ON resources(view_collection, view_key, view) WHERE kind = 2 AND view IS NOT NULL;

CREATE TABLE outbox(
  id INTEGER PRIMARY KEY,
  random INTEGER NOT NULL,
  item INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  resource INTEGER NOT NULL DEFAULT 0,
  name TEXT,
  base INTEGER,
  batch BLOB,
  batch_of INTEGER,
  sent INTEGER NOT NULL DEFAULT 0,
  answer INTEGER NOT NULL DEFAULT 0,
  applies INTEGER NOT NULL DEFAULT 1,
  seq INTEGER,
  failure TEXT,
  payload TEXT
);
CREATE INDEX outbox_item ON outbox(item);

CREATE TABLE ledger(
  id INTEGER PRIMARY KEY,
  random INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  at INTEGER NOT NULL,
  seq INTEGER,
  into_id INTEGER,
  into_random INTEGER,
  kind INTEGER,
  resource INTEGER,
  name TEXT,
  base INTEGER,
  collection TEXT,
  key TEXT,
  failure TEXT,
  payload TEXT
);

CREATE INDEX ledger_rejected ON ledger(id) WHERE outcome = 2;

CREATE TABLE state(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  client BLOB NOT NULL,
  cursor TEXT,
  position INTEGER NOT NULL,
  limits TEXT,
  database TEXT,
  bootstrap TEXT
);
";

// What watchers of other stores are to learn. `store`: the id of the row with which the store that wrote it began to watch.
// `kind`: 0 set, 1 deleted, 2 everything reloaded, 3 a store began to watch, 4 too much to list.
//
// `watches`: what any of them wants. `kind`: 0 everything, 1 a collection, 2 a key, 3 a prefix.
const CHANGES: &str = "
CREATE TABLE changes(
  id INTEGER PRIMARY KEY,
  store INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  remote INTEGER NOT NULL,
  collection TEXT,
  key TEXT,
  op INTEGER,
  random INTEGER
);

CREATE TABLE watches(
  kind INTEGER NOT NULL,
  collection TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (kind, collection, key)
) WITHOUT ROWID;
";

// The declared searches; each has a virtual table `search_ID` and triggers on `items` (`replica/search.rs`). `at_…`: where the build
// goes on; NULL: it is complete.
const SEARCHES: &str = "
CREATE TABLE searches(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  collection TEXT NOT NULL,
  fields TEXT NOT NULL,
  at_collection INTEGER,
  at_key TEXT
);
";

// The automatic indexes of collections; each has a table `index_ID` and triggers on `items` (`replica/automatic.rs`). `field`: a JSON
// Pointer. `at_…`: where the build goes on; NULL: it is complete.
const INDEXES: &str = "
CREATE TABLE indexes(
  id INTEGER PRIMARY KEY,
  collection TEXT NOT NULL,
  name TEXT NOT NULL,
  field TEXT NOT NULL,
  dates INTEGER NOT NULL,
  at_collection INTEGER,
  at_key TEXT,
  UNIQUE (collection, name)
);
";

// Changes tell more. `kind`: 5 its index entries, relations or tags alone, 6 revoked; 7 an index was declared, dropped or built, and `key` is
// its name. `ranges`: the watched ranges of indexes that the item stood in or stands in, a JSON array of `watches.key`; NULL: it is not known.
//
// `watches.kind`: 4 a range of an index, 5 a range of keys, either as JSON in `key`; 6 more than are listed.
const RANGES: &str = "ALTER TABLE changes ADD COLUMN ranges TEXT;";

// `ledger.into_id`: of a retried op (outcome 5) the op that it was made again as. `meant`: what a rejected patch made of the value.
// `told`: a consumer has taken it.
const REJECTIONS: &str = "
ALTER TABLE ledger ADD COLUMN meant TEXT;
ALTER TABLE ledger ADD COLUMN batch BLOB;
ALTER TABLE ledger ADD COLUMN batch_of INTEGER;
ALTER TABLE ledger ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ledger_untold ON ledger(id) WHERE outcome = 2 AND told = 0;
CREATE INDEX ledger_batch ON ledger(batch) WHERE outcome = 2 AND batch IS NOT NULL;
CREATE INDEX ledger_retried ON ledger(into_id) WHERE outcome = 5;
";

// `resource` and `name` as in the outbox. `shown`: what the host read when the sides were noted. `version` counts what came of the remote side, `offered` is
// the version that a resolver has left open. `ending`: NULL open, 1 to 4 resolved (rebased, theirs, ours, merged), 5 rejected, 6 gone.
const CONFLICTS: &str = "
CREATE TABLE conflicts(
  id INTEGER PRIMARY KEY,
  collection TEXT NOT NULL,
  key TEXT NOT NULL,
  resource INTEGER NOT NULL,
  name TEXT,
  version INTEGER NOT NULL DEFAULT 1,
  opened INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  offered INTEGER NOT NULL DEFAULT 0,
  told INTEGER NOT NULL DEFAULT 0,
  accepted INTEGER NOT NULL,
  base TEXT,
  local TEXT,
  remote TEXT,
  shown TEXT,
  ending INTEGER,
  ended INTEGER,
  op INTEGER,
  random INTEGER
);
CREATE INDEX conflicts_open ON conflicts(collection, key) WHERE ending IS NULL;
CREATE INDEX conflicts_untold ON conflicts(id) WHERE told = 0;
";

// What the host wants kept, what is kept, and what the cursor was asked for with, each as the text of a filter; NULL: everything.
const FILTERS: &str = "
ALTER TABLE state ADD COLUMN keep TEXT;
ALTER TABLE state ADD COLUMN kept TEXT;
ALTER TABLE state ADD COLUMN asked TEXT;
";

// Ops that were undone and kept (outcome 8) wait for the host as the rejected ones do.
const UNDONE: &str = "
DROP INDEX ledger_rejected;
DROP INDEX ledger_untold;
CREATE INDEX ledger_rejected ON ledger(id) WHERE outcome IN (2, 8);
CREATE INDEX ledger_untold ON ledger(id) WHERE outcome IN (2, 8) AND told = 0;
";

// When the ledger was last looked through for what is too old, in milliseconds since 1970; NULL: never.
const LOOKED: &str = "ALTER TABLE state ADD COLUMN looked INTEGER;";

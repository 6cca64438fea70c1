use crate::{error, notes};
use syncstore::SqlError;

/// Statements that read no view, or more than views, and must be refused as such.
const REFUSED: &[&str] = &[
    // Writing.
    "INSERT INTO items VALUES ('c', 'k', '1', 1, 0)",
    "INSERT INTO main.items VALUES (1)",
    "UPDATE items SET value = '0'",
    "DELETE FROM ledger",
    "REPLACE INTO outbox VALUES (1)",
    "WITH x AS (SELECT 1) DELETE FROM items",
    "DELETE FROM items RETURNING value",
    "CREATE TABLE t(x)",
    "CREATE TEMP TABLE t(x)",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE TEMP TRIGGER t INSTEAD OF INSERT ON items BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE temp.t USING fts5(x)",
    "CREATE VIRTUAL TABLE temp.t USING dbstat",
    "CREATE TEMP TABLE t AS SELECT * FROM items",
    "DROP VIEW items",
    "DROP TABLE temp.items",
    "ALTER TABLE items RENAME TO x",
    "REINDEX",
    "ANALYZE",
    "VACUUM",
    "VACUUM INTO '/tmp/copy.db'",
    // Other files.
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "SELECT load_extension('evil')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('x', 'y')",
    "SELECT edit('x')",
    // Configuration.
    "PRAGMA query_only = 0",
    "PRAGMA writable_schema = 1",
    "PRAGMA database_list",
    "PRAGMA table_info(items)",
    "PRAGMA temp_store_directory = '/tmp'",
    "SELECT * FROM pragma_database_list",
    "SELECT name FROM pragma_database_list()",
    "SELECT count(*) FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('items')",
    "SELECT * FROM pragma_function_list",
    // Transactions.
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    // What SQLite knows of itself.
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM sqlite_master",
    "SELECT count(*) FROM sqlite_master",
    "SELECT sql FROM temp.sqlite_schema",
    "SELECT * FROM sqlite_temp_schema",
    "SELECT * FROM sqlite_temp_master",
    "SELECT count(*) FROM sqlite_temp_master",
    "SELECT * FROM dbstat",
    "SELECT count(*) FROM dbstat",
    "SELECT * FROM fts5vocab",
    "EXPLAIN SELECT * FROM items",
    "EXPLAIN QUERY PLAN SELECT * FROM items",
    // The tables behind the views.
    "SELECT * FROM state",
    "SELECT client FROM state",
    "SELECT count(*) FROM state",
    "SELECT 1 FROM State",
    "SELECT * FROM collections",
    "SELECT count(*) FROM collections",
    "SELECT * FROM base",
    "SELECT * FROM resources",
    "SELECT count(*) FROM resources",
    "WITH tags AS (SELECT base FROM resources) SELECT * FROM tags",
    "SELECT (SELECT value FROM base LIMIT 1)",
    "SELECT * FROM items WHERE EXISTS (SELECT 1 FROM base)",
    "SELECT key FROM items UNION ALL SELECT name FROM collections",
    "WITH items AS (SELECT * FROM state) SELECT * FROM items",
    "WITH ledger AS (SELECT name FROM collections) SELECT * FROM ledger",
    "WITH items AS (SELECT count(*) AS n FROM base) SELECT n FROM items",
    // Functions that are not on the list.
    "SELECT random()",
    "SELECT randomblob(8)",
    "SELECT last_insert_rowid()",
    "SELECT changes()",
    "SELECT sqlite_version()",
    "SELECT sqlite_source_id()",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT sqlite_log(1, 'x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts5_source_id()",
    "SELECT fts5(1)",
    "SELECT rtreecheck('items')",
    "SELECT matchinfo('items')",
    "SELECT key FROM items WHERE key MATCH 'n'",
    "SELECT key FROM items ORDER BY soundex(key)",
    // More than one.
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM items",
    "SELECT 1; PRAGMA writable_schema = 1",
];

/// Statements that SQLite cannot even find a meaning for, by names that are nowhere.
const UNKNOWN: &[&str] = &[
    "SELECT * FROM main.items",
    "SELECT * FROM main.state",
    "SELECT view FROM tags",
    "SELECT count(*) FROM main.items",
    "WITH items AS (SELECT value FROM main.items) SELECT * FROM items",
    "SELECT * FROM replica.items",
    "SELECT * FROM nowhere",
    "SELECT nothing FROM items",
    "SELECT rowid FROM items",
    "SELECT \"text\" FROM ledger",
    "SELECT",
    "SELEC 1",
    "SELECT json('{') FROM items",
    "SELECT sum(9223372036854775807) FROM (SELECT 1 UNION ALL SELECT 1)",
];

#[test]
fn every_statement_that_does_more_than_read_views_is_refused() {
    let (_dir, store) = notes();
    let before = store.check().unwrap();
    let fails = |statement: &&&str| {
        let error = error(store.sql(**statement).run());
        // What does not exist at all, or is no table, may be found out before what is forbidden.
        let earlier = ["no such ", "cannot modify ", "view items may not be altered"];
        let found_out = matches!(&error, SqlError::Statement(words) if earlier.iter().any(|w| words.starts_with(w)));
        !matches!(error, SqlError::Refused(_)) && !found_out
    };
    assert_eq!(REFUSED.iter().filter(fails).collect::<Vec<_>>(), Vec::<&&str>::new());
    for statement in UNKNOWN {
        let error = error(store.sql(*statement).run());
        assert!(matches!(error, SqlError::Statement(_)), "{statement}: {error:?}");
    }
    assert_eq!(store.check().unwrap(), before);
    // And the connections that ran them still serve.
    assert_eq!(store.sql("SELECT count(*) FROM items").run().unwrap().get(0).unwrap()[0].as_i64(), Some(2));
}

#[test]
fn no_error_tells_the_name_under_which_the_views_reach_the_tables() {
    let (_dir, store) = notes();
    for statement in REFUSED.iter().chain(UNKNOWN) {
        let error = error(store.sql(*statement).run()).to_string();
        assert!(!error.contains("replica_"), "{statement}: {error}");
    }
    for statement in
        ["SELECT x.y.z FROM items", "SELECT key FROM items, items", "SELECT value FROM items i JOIN outbox"]
    {
        if let Err(error) = store.sql(statement).run() {
            assert!(!error.to_string().contains("replica_"), "{statement}: {error}");
        }
    }
}

#[test]
fn an_empty_statement_and_a_zero_byte_are_refused() {
    let (_dir, store) = notes();
    for statement in ["", " ", "-- nothing", ";", "SELECT 1 \0 FROM items"] {
        assert!(store.sql(statement).run().is_err(), "{statement:?}");
    }
}

#[test]
fn writing_to_a_view_is_refused_and_a_collection_is_no_table() {
    let (_dir, store) = notes();
    for statement in ["DELETE FROM items", "UPDATE items SET value = '1'", "INSERT INTO tags VALUES ('c', 'k', 't')"] {
        let error = error(store.sql(statement).run());
        assert!(matches!(&error, SqlError::Refused(why) if why.contains("by SELECT")), "{statement}: {error:?}");
    }
    let error = error(store.sql("SELECT key FROM tasks").run());
    let SqlError::Statement(words) = &error else { panic!("{error:?}") };
    assert_eq!(words, "no such table: tasks (collections are no tables: SELECT … FROM items WHERE collection = '…')");
}

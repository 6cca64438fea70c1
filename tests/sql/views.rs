use crate::{error, notes};
use serde_json::json;
use std::collections::HashSet;
use syncstore::{Options, SqlError, SqlRows, SqlValue, Store};

fn texts(rows: &SqlRows, column: &str) -> Vec<String> {
    let column = rows.column(column).unwrap();
    rows.iter().map(|row| row[column].as_str().unwrap_or("NULL").to_owned()).collect()
}

#[test]
fn the_items_are_what_the_host_reads_and_json_functions_look_into_them() {
    let (_dir, store) = notes();
    store.set("other", "n1", &1).unwrap();
    store.delete("notes", "n2").unwrap();
    let rows = store.sql("SELECT * FROM items ORDER BY collection, key").run().unwrap();
    assert_eq!(rows.columns(), ["collection", "key", "value", "rev", "pending"]);
    assert_eq!(texts(&rows, "key"), ["n1", "n1"]);
    assert_eq!(rows.get(0).unwrap()[2].as_str(), store.get_raw("notes", "n1").unwrap().as_deref());
    assert_eq!(rows.get(0).unwrap()[3..], [SqlValue::Integer(0), SqlValue::Integer(1)]);
    let rows = store
        .sql("SELECT j.key AS name, j.value FROM items i, json_each(i.value) j WHERE i.collection = :c ORDER BY 1")
        .bind_named(":c", "notes")
        .run()
        .unwrap();
    assert_eq!(texts(&rows, "name"), ["done", "title"]);
    let tree = store.sql("SELECT count(*) FROM items i, json_tree(i.value)").run().unwrap();
    assert_eq!(tree.get(0).unwrap()[0].as_i64(), Some(4));
}

#[test]
fn an_index_whose_names_have_braces_is_under_those_names() {
    let (_dir, store) = notes();
    store.declare_index("a{}b", "{}", "/x").unwrap();
    store.set("a{}b", "k", &json!({"x": "here"})).unwrap();
    let rows = store.sql("SELECT collection, name, key FROM automatic_entries").run().unwrap();
    let cells: Vec<_> = rows.get(0).unwrap().iter().map(|cell| cell.as_str().unwrap_or("NULL")).collect();
    assert_eq!((rows.len(), cells), (1, vec!["a{}b", "{}", "k"]));
}

#[test]
fn refs_batches_and_states_are_those_of_the_outbox() {
    let (_dir, store) = notes();
    let mut batch = store.batch();
    batch.set("pairs", "a", &1).unwrap();
    batch.delete("pairs", "b").unwrap();
    let receipt = batch.commit().unwrap();
    let rows = store.sql("SELECT * FROM outbox ORDER BY ref").run().unwrap();
    // Its columns are named in `tests/sync/views.rs`, beside a row of every state.
    let pending = store.pending().unwrap();
    assert_eq!(texts(&rows, "ref"), pending.iter().map(|op| op.op_ref.to_string()).collect::<Vec<_>>());
    let batch = receipt.batch.unwrap().to_string();
    assert_eq!(texts(&rows, "batch"), ["NULL", "NULL", &batch, &batch]);
    assert_eq!(texts(&rows, "op"), ["set", "set", "set", "delete"]);
    assert_eq!(texts(&rows, "state"), ["queued"; 4]);
    let one = store.sql("SELECT key FROM outbox WHERE ref = ?").bind(receipt.ops[1].to_string()).run().unwrap();
    assert_eq!(texts(&one, "key"), ["b"]);
}

#[test]
fn index_entries_relations_and_tags_are_those_that_the_store_reads() {
    let (_dir, store) = notes();
    let columns = |view: &str| store.sql(format!("SELECT * FROM {view}")).run().unwrap().columns().to_vec();
    assert_eq!(columns("index_entries"), ["collection", "key", "name", "order_key"]);
    assert_eq!(columns("relations"), ["collection", "key", "id", "predicate", "object_collection", "object_key"]);
    assert_eq!(columns("tags"), ["collection", "key", "tag"]);
    store.set_index("notes", "n1", "by_date", "2026-02").unwrap();
    store.set_index("notes", "n2", "by_date", "2026-01").unwrap();
    store.set_index("notes", "n2", "by_size", "9").unwrap();
    store.set_relation("notes", "n1", "r1", "in", ("folders", "home")).unwrap();
    store.set_relation("notes", "n2", "r1", "in", ("folders", "work")).unwrap();
    store.add_tag("notes", "n1", "team").unwrap();
    store.add_tag("notes", "n2", "team").unwrap();
    store.remove_tag("notes", "n2", "team").unwrap();
    let all = |statement: &str| store.sql(statement).run().unwrap().iter().map(<[_]>::to_vec).collect::<Vec<_>>();
    assert_eq!(
        all("SELECT key, order_key FROM index_entries WHERE collection = 'notes' AND name = 'by_date' ORDER BY 2"),
        [["n2".into(), "2026-01".into()], ["n1".into(), "2026-02".into()]]
    );
    assert_eq!(
        all("SELECT * FROM relations WHERE object_key = 'home'"),
        [["notes".into(), "n1".into(), "r1".into(), "in".into(), "folders".into(), "home".into()]]
    );
    assert_eq!(all("SELECT * FROM tags"), [["notes".into(), "n1".into(), "team".into()]]);
    assert_eq!(
        all("SELECT i.value ->> '$.title' FROM items i JOIN tags t USING (collection, key) WHERE t.tag = 'team'"),
        [["Milk".into()]]
    );
    store.delete("notes", "n1").unwrap();
    assert_eq!(all("SELECT key FROM index_entries WHERE name = 'by_date'"), [["n2".into()]]);
    assert_eq!(all("SELECT key FROM relations UNION ALL SELECT key FROM tags"), [["n2".into()]]);
}

#[test]
fn the_outbox_says_what_of_an_item_an_op_is_on() {
    let (_dir, store) = notes();
    store.set_index("notes", "n1", "by", "b").unwrap();
    store.set_relation("notes", "n1", "r1", "in", ("folders", "home")).unwrap();
    store.remove_tag("notes", "n1", "team").unwrap();
    let rows = store.sql("SELECT resource, name, op FROM outbox WHERE key = 'n1' ORDER BY ref").run().unwrap();
    assert_eq!(texts(&rows, "resource"), ["value", "index", "relation", "tag"]);
    assert_eq!(texts(&rows, "name"), ["NULL", "by", "r1", "team"]);
    assert_eq!(texts(&rows, "op"), ["set", "set", "set", "delete"]);
}

#[test]
fn the_ledger_shows_what_became_of_each_op() {
    let (_dir, store) = notes();
    let first = store.pending().unwrap()[0].op_ref;
    let folded = store.set("notes", "n1", &json!({"title": "Cream"})).unwrap();
    // The columns and the rest are in `tests/sync/views.rs`, since it takes a server.
    let rows = store.sql("SELECT ref, outcome, folded_into, seq, at, key FROM ledger").run().unwrap();
    assert_eq!(rows.len(), 1);
    let row = rows.get(0).unwrap();
    assert_eq!(row[..3], [folded.to_string().into(), "folded".into(), first.to_string().into()]);
    assert!(row[3].is_null() && row[5].is_null());
    assert_eq!(row[4].as_i64().map(|at| at > 1_700_000_000_000), Some(true));
}

#[test]
fn each_type_is_handed_out_as_it_is() {
    let (_dir, store) = notes();
    let rows = store
        .sql("SELECT NULL, 9223372036854775807, 0.1, 'Ünï', x'00ff', ?1, ?2, ?3, ?4, ?5")
        .bind(None::<i64>)
        .bind(i64::MIN)
        .bind(-2.5)
        .bind("a\0b")
        .bind(vec![0_u8, 255])
        .run()
        .unwrap();
    let expected = [
        SqlValue::Null,
        SqlValue::Integer(i64::MAX),
        SqlValue::Real(0.1),
        SqlValue::Text("Ünï".into()),
        SqlValue::Blob(vec![0, 255]),
        SqlValue::Null,
        SqlValue::Integer(i64::MIN),
        SqlValue::Real(-2.5),
        SqlValue::Text("a\0b".into()),
        SqlValue::Blob(vec![0, 255]),
    ];
    assert_eq!(rows.get(0).unwrap(), expected);
    assert_eq!(error(store.sql("SELECT 1, CAST(x'ff' AS TEXT)").run()), SqlError::NotUtf8 { column: 1 });
    assert!(store.sql("SELECT key FROM items WHERE 0").run().unwrap().is_empty());
}

#[test]
fn parameters_must_fit() {
    let (_dir, store) = notes();
    for wrong in [
        store.sql("SELECT ?1"),
        store.sql("SELECT 1").bind(1),
        store.sql("SELECT ?1, ?2").bind(1),
        store.sql("SELECT ?2").bind(1),
        store.sql("SELECT :a").bind_named(":b", 1),
        store.sql("SELECT :a").bind_named("a", 1),
    ] {
        assert!(matches!(error(wrong.clone().run()), SqlError::Parameters(_)), "{wrong:?}");
    }
    let words = store.sql("SELECT :a").bind_named("a", 1).run().unwrap_err().to_string();
    assert!(words.contains("a name begins with its sign"), "{words}");
    let row = store.sql("SELECT ?1, :b").bind(1).bind_named(":b", true).run().unwrap();
    assert_eq!(row.get(0).unwrap(), [SqlValue::Integer(1), SqlValue::Integer(1)]);
    // A value is never read as SQL.
    let rows = store.sql("SELECT key FROM items WHERE key = ?").bind("n1' OR '1'='1").run().unwrap();
    assert!(rows.is_empty());
}

#[test]
fn what_a_statement_defines_itself_may_be_counted_and_joined() {
    let (_dir, store) = notes();
    for (statement, expected) in [
        ("WITH t AS (SELECT key FROM items) SELECT count(*) FROM t", 2),
        ("SELECT count(*) FROM (SELECT 1 UNION SELECT 2)", 2),
        ("SELECT count(*) FROM items a, items b", 4),
        ("SELECT count(*) FROM items WHERE collection IN (SELECT collection FROM outbox)", 2),
        ("SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY key) AS n FROM items)", 2),
        ("SELECT count(*) FROM outbox", 2),
        ("SELECT count(*) FROM ledger", 0),
        ("SELECT count(*) FROM temp.items", 2),
        ("SELECT count(*) FROM ITEMS", 2),
        ("VALUES (1)", 1),
        ("VALUES (3), (1)", 3),
        ("WITH pairs(n) AS (VALUES (1), (2)) SELECT sum(n) FROM pairs", 3),
    ] {
        assert_eq!(store.sql(statement).run().unwrap().get(0).unwrap()[0].as_i64(), Some(expected), "{statement}");
    }
}

#[test]
fn a_statement_sees_the_newest_commit_of_any_store_and_several_run_at_a_time() {
    let (dir, store) = notes();
    let other = Store::open(dir.path().join("s.db"), Options::default()).unwrap();
    let count = |store: &Store| store.sql("SELECT count(*) FROM items").run().unwrap().get(0).unwrap()[0].as_i64();
    for n in 0..5 {
        other.set("more", &n.to_string(), &n).unwrap();
        assert_eq!(count(&store), Some(3 + n));
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| count(&store))).collect();
        let counts: HashSet<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(counts, HashSet::from([Some(7)]));
    });
}

#[test]
fn a_path_with_quotes_and_spaces_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("it's \"my\" file?mode=rw.db"), Options::default()).unwrap();
    store.set("c", "k", &1).unwrap();
    assert_eq!(store.sql("SELECT value FROM items").run().unwrap().get(0).unwrap()[0].as_str(), Some("1"));
}

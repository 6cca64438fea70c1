//! A connection that runs what a host writes in SQL: it sees views, and nothing else.
//!
//! The replica is attached, read-only, to an empty database in memory, under a name that no statement can know; the views
//! are temporary ones of that connection. So whatever reads the replica's tables under that name is a view. (To go
//! by the view that SQLite says is reading would not do: it says the same of a WITH clause that has a view's name.)
//! The other tables' names are taken by views of their own that nobody may read, so that no name without a schema leads to them.

use super::automatic;
use super::connection::{Replica, Tuning};
use crate::error::Result;
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The longest value on the way through a statement, in bytes: the longest that a replica holds, with the row around it.
pub(crate) const LONGEST_VALUE: usize = (64 << 20) + (1 << 20);

/// The longest statement, in bytes.
pub(crate) const LONGEST_STATEMENT: usize = 256 << 10;

/// The longest pattern of LIKE and GLOB, in bytes: matching takes time by its length times the text's, within one step.
const LONGEST_PATTERN: i32 = 1_000;

/// Kept open for the next statement.
const IDLE: usize = 2;

/// The text of a UUIDv7 from the two columns that a ref is kept in.
macro_rules! ref_text {
    ($order:literal, $random:literal) => {
        concat!(
            "printf('%08x-%04x-%04x-%04x-%012x', ",
            $order,
            " >> 28, (",
            $order,
            " >> 12) & 65535, 28672 | (",
            $order,
            " & 4095), 32768 | ((",
            $random,
            " >> 48) & 16383), ",
            $random,
            " & 281474976710655)"
        )
    };
}

/// What of an item a row is on, from the column that says so.
macro_rules! resource_text {
    ($column:literal) => {
        concat!(
            "CASE ",
            $column,
            " WHEN 0 THEN 'value' WHEN 1 THEN 'index' WHEN 2 THEN 'relation' WHEN 3 THEN 'tag' END"
        )
    };
}

/// The views by name; `{}` stands for the schema of the replica. `docs/SQL.md` promises their columns.
const VIEWS: &[(&str, &str)] = &[
    (
        "items",
        // CROSS: from a collection to its items, which is how they are indexed.
        "SELECT c.name AS collection, i.key AS key, i.value AS value, i.rev AS rev, i.pending AS pending
         FROM {}.collections c CROSS JOIN {}.items i ON i.collection = c.id WHERE c.life = 0 AND i.value IS NOT NULL",
    ),
    (
        "outbox",
        concat!(
            "SELECT ",
            ref_text!("o.id", "o.random"),
            " AS ref, c.name AS collection, i.key AS key,
             CASE o.kind WHEN 0 THEN 'set' WHEN 1 THEN 'patch' WHEN 2 THEN 'delete' END AS op, o.payload AS payload,
             o.base AS base,
             CASE WHEN o.batch IS NOT NULL THEN lower(printf('%s-%s-%s-%s-%s', substr(hex(o.batch), 1, 8),
               substr(hex(o.batch), 9, 4), substr(hex(o.batch), 13, 4), substr(hex(o.batch), 17, 4),
               substr(hex(o.batch), 21))) END AS batch,
             CASE o.answer WHEN 0 THEN iif(o.sent, 'in_flight', 'queued') WHEN 1 THEN 'accepted' WHEN 2 THEN 'rejected'
               WHEN 3 THEN 'awaiting_approval' WHEN 4 THEN 'staged' END AS state,
             o.applies AS applies, o.seq AS seq, o.failure ->> '$.code' AS code, o.failure ->> '$.message' AS message,
             ",
            resource_text!("o.resource"),
            " AS resource, o.name AS name
             FROM {}.outbox o JOIN {}.items i ON i.id = o.item JOIN {}.collections c ON c.id = i.collection"
        ),
    ),
    (
        "ledger",
        concat!(
            "SELECT ",
            ref_text!("id", "random"),
            " AS ref,
             CASE outcome WHEN 1 THEN 'accepted' WHEN 2 THEN 'rejected' WHEN 3 THEN 'folded' WHEN 4 THEN 'undone' WHEN 8 THEN 'undone'
               WHEN 5 THEN 'retried' WHEN 6 THEN 'discarded' WHEN 7 THEN 'withdrawn' END AS outcome,
             seq AS seq, at AS at,
             CASE outcome WHEN 3 THEN ",
            ref_text!("into_id", "into_random"),
            " END AS folded_into,
             collection AS collection, key AS key,
             CASE kind WHEN 0 THEN 'set' WHEN 1 THEN 'patch' WHEN 2 THEN 'delete' END AS op,
             payload AS payload, base AS base,
             failure ->> '$.code' AS code, failure ->> '$.message' AS message, failure -> '$.detail' AS detail,
             ",
            resource_text!("resource"),
            " AS resource, name AS name,
             CASE outcome WHEN 5 THEN ",
            ref_text!("into_id", "into_random"),
            " END AS retried_as,
             CASE WHEN outcome = 7 AND into_id IS NOT NULL THEN ",
            ref_text!("into_id", "into_random"),
            " END AS withdrawn_for
             FROM {}.ledger"
        ),
    ),
    (
        "index_entries",
        // CROSS: from a collection to its indexes, each in its order.
        "SELECT c.name AS collection, r.key AS key, r.name AS name, r.view AS order_key
         FROM {}.collections c CROSS JOIN {}.resources r ON r.collection = c.id
         WHERE c.life = 0 AND r.kind = 1 AND r.view IS NOT NULL",
    ),
    (
        "relations",
        // From either end: SQLite begins with the one that is given.
        "SELECT c.name AS collection, i.key AS key, r.name AS id, r.view AS predicate,
         r.view_collection AS object_collection, r.view_key AS object_key
         FROM {}.resources r JOIN {}.items i ON i.id = r.item JOIN {}.collections c ON c.id = i.collection
         WHERE c.life = 0 AND r.kind = 2 AND r.view IS NOT NULL",
    ),
    (
        "tags",
        "SELECT c.name AS collection, i.key AS key, r.name AS tag
         FROM {}.resources r JOIN {}.items i ON i.id = r.item JOIN {}.collections c ON c.id = i.collection
         WHERE c.life = 0 AND r.kind = 3 AND r.view IS NOT NULL",
    ),
];

/// The view of the automatic indexes, each of which has a table of its own.
const AUTOMATIC_ENTRIES: &str = "automatic_entries";

/// What the other views read.
const TABLES: &[&str] = &["collections", "items", "resources", "outbox", "ledger"];

/// Table-valued functions.
const TABLE_FUNCTIONS: &[&str] = &["json_each", "json_tree"];

/// What a statement may call: functions of their arguments alone, and the clock.
const FUNCTIONS: &str = "\
    -> ->> abs avg char coalesce concat concat_ws count cume_dist current_date current_time current_timestamp \
    date datetime dense_rank first_value format glob group_concat hex if ifnull iif instr json json_array \
    json_array_insert json_array_length json_error_position json_extract json_group_array json_group_object \
    json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set json_type \
    json_valid jsonb jsonb_array jsonb_array_insert jsonb_extract jsonb_group_array jsonb_group_object \
    jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set julianday lag last_value lead \
    length like likelihood likely lower ltrim max min nth_value ntile nullif octet_length percent_rank printf \
    quote rank replace round row_number rtrim sign strftime string_agg substr substring sum time timediff \
    total trim typeof unhex unicode unistr unixepoch unlikely upper zeroblob \
";

/// A connection for a host's statements.
#[derive(Debug)]
pub(crate) struct Views {
    connection: Connection,
    guard: Arc<Guard>,
    schema: String,
    /// The version of the replica's schema that the views were made over.
    version: i64,
}

/// What there is of the replica.
struct Seen {
    version: i64,
    tables: Vec<String>,
    modules: Vec<String>,
    indexes: Vec<automatic::Automatic>,
}

/// What the authorizer knows and says.
#[derive(Debug, Default)]
struct Guard {
    /// Whether the host's statement is being prepared or run, and not one of this module.
    on: AtomicBool,
    refused: Mutex<Option<String>>,
}

/// Those kept open; the newest last.
pub(super) type Idle = Mutex<Vec<Views>>;

impl Replica {
    /// Runs `work` with a connection that sees the views at one consistent moment; `schema` gives a name that nobody can guess.
    pub fn views<T>(&self, schema: impl FnOnce() -> u128, work: impl FnOnce(&mut Views) -> Result<T>) -> Result<T> {
        let idle = self.idle_views.lock().pop();
        let mut views = match idle {
            // The tables may be others than those it knows.
            Some(views) if views.version()? == views.version => views,
            _ => Views::open(self.path(), self.tuning(), &format!("replica_{:032x}", schema()))?,
        };
        let result = work(&mut views);
        views.unguard()?;
        if views.connection.is_autocommit() {
            let mut idle = self.idle_views.lock();
            if idle.len() < IDLE {
                idle.push(views);
            }
        }
        result
    }
}

impl Views {
    fn open(path: &Path, tuning: &Tuning, schema: &str) -> Result<Views> {
        let mut views = Views::attach(path, tuning, schema)?;
        let seen = views.look()?;
        let (hidden, readable) = views.create(seen)?;
        let (connection, guard) = (&mut views.connection, Arc::clone(&views.guard));
        connection.pragma_update(None, "query_only", true)?;
        for (option, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            // "text" in double quotes is a name, and never a string for want of such a name.
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        ] {
            connection.set_db_config(option, on)?;
        }
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE as i32),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT as i32),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, most)?;
        }
        let schema = schema.to_owned();
        connection.authorizer(Some(move |asked: AuthContext<'_>| {
            if !guard.on.load(Ordering::Relaxed) {
                return Authorization::Allow;
            }
            match refusal(&asked, &schema, &hidden, &readable) {
                None => Authorization::Allow,
                Some(why) => {
                    guard.refused.lock().get_or_insert(why);
                    Authorization::Deny
                }
            }
        }))?;
        Ok(views)
    }

    /// A connection with the replica attached, and without views.
    fn attach(path: &Path, tuning: &Tuning, schema: &str) -> Result<Views> {
        // What is attached is opened with the same flags, and through the same VFS.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &tuning.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(":memory:", flags, vfs.as_str())?,
            None => Connection::open_with_flags(":memory:", flags)?,
        };
        connection.busy_timeout(tuning.busy_timeout)?;
        connection.execute(&format!("ATTACH ?1 AS {schema}"), [path_text(path)])?;
        super::connection::tune(&connection, tuning)?;
        let kib = i64::try_from(tuning.cache_bytes / 1024).unwrap_or(i64::MAX);
        connection.pragma_update(Some(schema), "cache_size", -kib.max(64))?;
        connection.pragma_update(Some(schema), "mmap_size", 0)?;
        // A large sort goes to a temporary file rather than into memory.
        connection.pragma_update(None, "temp_store", "FILE")?;
        let guard = Arc::new(Guard::default());
        Ok(Views { connection, guard, schema: schema.to_owned(), version: 0 })
    }

    /// What the views are made over, all at one moment: what is declared behind it is of a later version.
    fn look(&self) -> Result<Seen> {
        let moment = self.connection.unchecked_transaction()?;
        let names = |query: &str| -> Result<Vec<String>> {
            let mut find = self.connection.prepare(query)?;
            let rows = find.query_map([], |row| row.get::<_, String>(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        let tables = names(&format!("SELECT name FROM {}.sqlite_schema WHERE type IN ('table', 'view')", self.schema))?;
        let modules = names("SELECT name FROM pragma_module_list")?;
        let indexes = automatic::all(&self.connection, &self.schema)?;
        let version = self.version()?;
        moment.finish()?;
        Ok(Seen { version, tables, modules, indexes })
    }

    /// Makes the views; the names that no statement may use, and those of the tables that only views may.
    fn create(
        &mut self,
        Seen { version, tables, modules, indexes }: Seen,
    ) -> Result<(HashSet<String>, HashSet<String>)> {
        for (name, query) in queries(&indexes, &self.schema) {
            self.connection.execute_batch(&format!("CREATE TEMP VIEW {name} AS {query}"))?;
        }
        let is_view = |name: &String| is_view(name);
        for name in tables.iter().filter(|name| !is_view(name) && !name.starts_with("sqlite_")) {
            let quoted = name.replace('"', "\"\"");
            self.connection.execute_batch(&format!("CREATE TEMP VIEW \"{quoted}\" AS SELECT NULL AS hidden"))?;
        }
        let hidden = tables.into_iter().chain(modules).map(|name| name.to_lowercase());
        let hidden = hidden.filter(|name| !is_view(name) && !TABLE_FUNCTIONS.contains(&name.as_str())).collect();
        let tables = TABLES.iter().map(|table| (*table).to_owned());
        self.version = version;
        Ok((hidden, tables.chain(indexes.iter().map(automatic::Automatic::table)).collect()))
    }

    fn version(&self) -> Result<i64> {
        let mut find = self.connection.prepare_cached(&format!("PRAGMA {}.schema_version", self.schema))?;
        Ok(find.query_row([], |row| row.get(0))?)
    }

    /// The connection, which from now on does what a host may do, and is interrupted when `expired` says so.
    pub fn guarded(&mut self, expired: impl FnMut() -> bool + Send + 'static) -> Result<&Connection> {
        self.connection.progress_handler(PROGRESS_STEPS, Some(expired))?;
        self.guard.refused.lock().take();
        self.guard.on.store(true, Ordering::Relaxed);
        Ok(&self.connection)
    }

    /// Ends what [`Views::guarded`] began: its time is not that of what runs here next.
    fn unguard(&mut self) -> Result<()> {
        self.guard.on.store(false, Ordering::Relaxed);
        Ok(self.connection.progress_handler(PROGRESS_STEPS, None::<fn() -> bool>)?)
    }

    /// What was refused of the statement, if anything was.
    pub fn refused(&self) -> Option<String> {
        self.guard.refused.lock().take()
    }

    /// SQLite's words without the name of the schema.
    pub fn words(&self, words: &str) -> String {
        words.replace(&format!("{}.", self.schema), "").replace(&self.schema, "replica")
    }
}

/// Steps of SQLite's virtual machine between two looks at the clock: a microsecond, but one step may be a call over megabytes.
const PROGRESS_STEPS: i32 = 100;

/// Why something may not be done; `None`: it may.
fn refusal(
    asked: &AuthContext<'_>,
    schema: &str,
    hidden: &HashSet<String>,
    readable: &HashSet<String>,
) -> Option<String> {
    let has = |names: &[&str], name: &str| names.contains(&name.to_lowercase().as_str());
    match asked.action {
        AuthAction::Select | AuthAction::Recursive => None,
        AuthAction::Function { function_name } if is_function(function_name) => None,
        AuthAction::Function { function_name } => Some(format!("the function {function_name}() is not available")),
        AuthAction::Read { table_name, column_name } => {
            let readable = match asked.database_name {
                Some("temp") => is_view(&table_name.to_lowercase()),
                Some(database) if database == schema => readable.contains(&table_name.to_lowercase()),
                Some("main") => has(TABLE_FUNCTIONS, table_name),
                // Something of which no column is read and no schema was named: also what a statement itself defines.
                None => {
                    let name = table_name.to_lowercase();
                    column_name.is_empty() && !name.starts_with("sqlite_") && !hidden.contains(&name)
                }
                Some(_) => false,
            };
            (!readable).then(|| format!("there is no view {table_name} to read"))
        }
        _ => Some("a statement may only read the views, by SELECT".to_owned()),
    }
}

/// The views over the replica in a schema, by name.
fn queries(indexes: &[automatic::Automatic], schema: &str) -> impl Iterator<Item = (&'static str, String)> {
    let constant = VIEWS.iter().map(move |(name, query)| (*name, query.replace("{}", schema)));
    constant.chain([(AUTOMATIC_ENTRIES, automatic::view(indexes, schema))])
}

fn is_view(name: &str) -> bool {
    name == AUTOMATIC_ENTRIES || VIEWS.iter().any(|(view, _)| *view == name)
}

fn is_function(name: &str) -> bool {
    FUNCTIONS.split_whitespace().any(|function| function.eq_ignore_ascii_case(name))
}

#[cfg(unix)]
fn path_text(path: &Path) -> ToSqlOutput<'_> {
    use std::os::unix::ffi::OsStrExt;
    // Any bytes, as when SQLite opens it as its main database.
    ToSqlOutput::Borrowed(ValueRef::Text(path.as_os_str().as_bytes()))
}

#[cfg(not(unix))]
fn path_text(path: &Path) -> ToSqlOutput<'_> {
    ToSqlOutput::from(path.to_string_lossy().into_owned())
}

/// What an error of a host's statement is to the host; `None`: it is one of the file.
pub(crate) fn of_statement(error: &rusqlite::Error) -> Option<(rusqlite::ErrorCode, String)> {
    use rusqlite::ErrorCode::{
        ApiMisuse, AuthorizationForStatementDenied, OperationInterrupted, ReadOnly, TooBig, TypeMismatch, Unknown,
    };
    let (code, words) = match error {
        rusqlite::Error::SqlInputError { error, msg, .. } => (error.code, msg.clone()),
        rusqlite::Error::SqliteFailure(error, msg) => (error.code, msg.clone().unwrap_or_else(|| error.to_string())),
        _ => return None,
    };
    let of_statement =
        [AuthorizationForStatementDenied, OperationInterrupted, TooBig, Unknown, TypeMismatch, ReadOnly, ApiMisuse];
    of_statement.contains(&code).then_some((code, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_those_that_the_documentation_lists_and_sqlite_has() {
        let (_, functions) = include_str!("../../docs/SQL.md").split_once("\nFunctions: all of").unwrap();
        let (functions, _) = functions.split_once("\nThe names of").unwrap();
        let list = functions.lines().filter_map(|line| line.strip_prefix("> ")).flat_map(|line| line.split(','));
        let (_, clock) = functions.split_once("\nand `").unwrap();
        let clock = clock.split('`').filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let names = list.map(str::trim).filter(|name| !name.is_empty());
        let listed: HashSet<&str> = names.chain(clock.take_while(|name| *name != "now")).collect();

        let connection = Connection::open_in_memory().unwrap();
        let known = |of: &str| -> HashSet<String> {
            let mut find = connection.prepare(&format!("SELECT name FROM pragma_function_list WHERE {of}")).unwrap();
            find.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let is_json = "(name LIKE 'json%' OR name LIKE '->%')";
        let (scalar, others) = (format!("type = 's' AND NOT {is_json}"), format!("type <> 's' OR {is_json}"));
        let (scalar, others) = (known(&scalar), known(&others));
        let allowed: HashSet<&str> = FUNCTIONS.split_whitespace().collect();
        let scalar: HashSet<&str> = scalar.iter().map(String::as_str).filter(|name| allowed.contains(name)).collect();
        assert_eq!(scalar, listed);
        let others: HashSet<&str> = others.iter().map(String::as_str).filter(|name| !listed.contains(name)).collect();
        let rest: HashSet<&str> = allowed.difference(&listed).copied().collect();
        assert_eq!(rest, others, "all of SQLite's JSON functions, aggregates and window functions, and no more");
    }

    #[test]
    fn of_many_that_read_at_once_few_views_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&directory.path().join("r.db"));
        let innermost = |_: &mut Views| Ok(());
        let second = |_: &mut Views| replica.views(|| 3, innermost);
        replica.views(|| 1, |_| replica.views(|| 2, second)).unwrap();
        assert_eq!(replica.idle_views.lock().len(), IDLE);
    }

    #[test]
    fn views_are_made_anew_over_an_index_that_was_declared_while_they_were_made() {
        let directory = tempfile::tempdir().unwrap();
        let replica = Replica::open_plain(&directory.path().join("r.db"));
        let mut views = Views::attach(replica.path(), replica.tuning(), "made").unwrap();
        let seen = views.look().unwrap();
        replica.write(|writing| automatic::declare(writing, "c", "by", &"/x".into())).unwrap();
        views.create(seen).unwrap();
        replica.idle_views.lock().push(views);
        let entries = |views: &mut Views| {
            let find = "SELECT sql FROM temp.sqlite_schema WHERE name = 'automatic_entries'";
            Ok(views.connection.query_row(find, [], |row| row.get::<_, String>(0))?)
        };
        let made = replica.views(|| 7, entries).unwrap();
        assert!(made.contains("'by'"), "{made}");
    }

    #[test]
    fn what_is_looked_for_by_name_is_served_by_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.db");
        let mut connection = Connection::open(&path).unwrap();
        super::super::schema::prepare(&mut connection, &path, || [7; 16]).unwrap();
        for name in ["by", "by_other"] {
            automatic::declare(&connection, "c", name, &"/x".into()).unwrap();
        }
        for (name, query) in queries(&automatic::all(&connection, "main").unwrap(), "main") {
            connection.execute_batch(&format!("CREATE TEMP VIEW {name} AS {query}")).unwrap();
        }
        let plan = |query: &str| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN SELECT {query}")).unwrap();
            let bound = vec![rusqlite::types::Value::Null; explain.parameter_count()];
            let rows = explain.query_map(rusqlite::params_from_iter(bound), |row| row.get::<_, String>(3)).unwrap();
            rows.map(|row| row.unwrap()).collect::<Vec<_>>().join("; ")
        };
        for query in [
            "value FROM items WHERE collection = ? AND key = ?",
            "value FROM items WHERE collection = ? AND key > ? ORDER BY key",
            "key FROM index_entries WHERE collection = ? AND name = ? AND order_key > ? ORDER BY order_key, key",
            "* FROM relations WHERE collection = ? AND key = ?",
            "* FROM relations WHERE object_collection = ? AND object_key = ? AND predicate = ?",
            "* FROM tags WHERE collection = ? AND key = ?",
            "i.value FROM index_entries e JOIN items i USING (collection, key) WHERE e.collection = ? AND e.name = ?",
            "i.value FROM relations r JOIN items i ON (i.collection, i.key) = (r.object_collection, r.object_key)
             WHERE r.collection = ? AND r.key = ?",
        ] {
            let plan = plan(query);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{query}: {plan}");
        }
        // In each of the indexes that the name leaves.
        let plan = plan("key FROM automatic_entries WHERE collection = ? AND name = ? AND order_key > ?");
        assert_eq!(plan.matches("SEARCH e USING PRIMARY KEY (collection=? AND ordering>?)").count(), 2, "{plan}");
    }
}

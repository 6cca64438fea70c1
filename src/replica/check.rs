//! The check of the file, and of the tables of items and of the replica's own state.
//!
//! Rows are read as SQLite has them rather than through the functions that keep them, so that what those would
//! refuse, or never look at, is found too.

use super::collections::Life;
use super::resources::{read_content, read_name};
use super::state::{Bootstrap, Phase};
use super::{automatic, schema, search};
use crate::check::{Finding, FindingCode, Findings, LISTED, is_damage};
use crate::error::{Error, Result};
use crate::protocol::{Content, Filter, Json, Limits, Seq};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// SQLite's own complaints, the first of them: what else is wrong is to be in the report, too.
pub(crate) fn integrity(connection: &Connection, findings: &mut Findings) -> Result<()> {
    // What cannot be read is found below.
    let _ = search::reopen(connection);
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({})", LISTED / 2))?;
    let mut rows = check.query([])?;
    let mut complaints = 0;
    loop {
        let words: String = match rows.next() {
            Ok(Some(row)) => row.get(0)?,
            Ok(None) => return Ok(()),
            // It ends like this where it can go no further, which it has said before.
            Err(error) if complaints > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if words != "ok" {
            complaints += 1;
            findings.add(Finding::new(FindingCode::Integrity, "", words));
        }
    }
}

/// Whether every table is what this version of the schema makes; only then can the rows be read.
pub(crate) fn schema(connection: &Connection, path: &Path, findings: &mut Findings) -> Result<bool> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > schema::SUPPORTED {
        // Another process migrated the file since this one opened it.
        return Err(Error::NewerSchema { path: path.to_owned(), found, supported: schema::SUPPORTED });
    }
    let present = schema::present(connection)?;
    let has = |table: &str| present.keys().any(|object| object.kind == "table" && object.name == table);
    let mut declared = Declarations::default();
    if has("searches") {
        let objects = |search: Result<search::Search>| search::objects(&search?);
        declared.take_each("search", search::each(connection), objects)?;
    }
    if has("indexes") {
        let objects = |index: Result<automatic::Automatic>| {
            let index = index?;
            index.path().map(|_| index.objects())
        };
        declared.take_each("index", automatic::each(connection, automatic::MAIN), objects)?;
    }
    let (migrated, expected) = (schema::expected(&[])?, schema::expected(&declared.objects)?);
    let mut readable = true;
    for (object, sql) in &expected {
        if present.get(object) != Some(sql) {
            readable &= object.kind != "table" || !migrated.contains_key(object);
            let what = if present.contains_key(object) { "altered" } else { "missing" };
            let words = format!("the {} {} is {what}", object.kind, object.name);
            findings.add(Finding::new(FindingCode::Schema, "", words));
        }
    }
    for object in present.keys().filter(|object| !expected.contains_key(object) && !declared.is_unread(&object.name)) {
        let words = format!("the {} {} is not of a replica", object.kind, object.name);
        findings.add(Finding::new(FindingCode::Schema, "", words));
    }
    Ok(readable)
}

/// What makes the objects of the declared searches and indexes.
#[derive(Default)]
struct Declarations {
    objects: Vec<String>,
    /// The tables of those that cannot be read; it is said of them where their content is compared.
    unread: Vec<String>,
}

impl Declarations {
    /// Takes what a table lists; if that cannot be read, every table that is named like one of these may be.
    fn take_each<T>(
        &mut self,
        kind: &str,
        listed: Result<Vec<(String, Result<T>)>>,
        objects: impl Fn(Result<T>) -> Result<String>,
    ) -> Result<()> {
        match listed {
            Ok(listed) => {
                listed.into_iter().try_for_each(|(table, declaration)| self.take(table, objects(declaration)))
            }
            Err(error) => self.take(kind.to_owned(), Err(error)),
        }
    }

    fn take(&mut self, table: String, objects: Result<String>) -> Result<()> {
        match objects {
            Ok(objects) => self.objects.push(objects),
            Err(error) if is_damage(&error) => self.unread.push(table),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether an object may be of one of those.
    fn is_unread(&self, name: &str) -> bool {
        let rest = |table: &String| name.strip_prefix(table.as_str());
        self.unread.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('_'))
    }
}

/// The bytes of the file, and how many of them hold nothing.
pub(crate) fn file_and_free_bytes(connection: &Connection) -> Result<(u64, u64)> {
    let number = |name: &str| -> Result<u64> {
        Ok(connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?.unsigned_abs())
    };
    let page = number("page_size")?;
    Ok((number("page_count")? * page, number("freelist_count")? * page))
}

/// What the replica says of itself, as far as it can be read.
#[derive(Default)]
pub(crate) struct Standing {
    pub position: Option<Seq>,
    /// `None`: what is there cannot be read.
    pub bootstrapping: Option<bool>,
}

/// The table `state`.
pub(crate) fn state(connection: &Connection, findings: &mut Findings) -> Result<Standing> {
    let mut add = |code, words: &str| findings.add(Finding::new(code, "state", words));
    let mut standing = Standing::default();
    let mut find = connection
        .prepare("SELECT client, cursor, position, limits, database, bootstrap, keep, kept, asked FROM state")?;
    let mut rows = find.query([])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        if !matches!(row.get_ref(0)?, ValueRef::Blob(client) if client.len() == 16) {
            add(FindingCode::StateClient, "the client id is no 16 bytes");
        }
        let cursor = optional_text(row.get_ref(1)?);
        match (cursor, row.get_ref(2)?) {
            (Some(None), ValueRef::Integer(0)) => standing.position = Some(0),
            (Some(Some(_)), ValueRef::Integer(position @ 0..)) => standing.position = Some(position as Seq),
            _ => add(FindingCode::StatePosition, "cursor and position do not go together, or are none"),
        }
        let limits = optional_text(row.get_ref(3)?);
        let readable = limits.is_some_and(|text| text.is_none_or(|text| serde_json::from_str::<Limits>(text).is_ok()));
        if !readable || optional_text(row.get_ref(4)?).is_none() {
            add(FindingCode::StateServer, "the server's limits, or its database's name, cannot be read");
        }
        let filters = [6, 7, 8].map(|column| filter(row, column));
        match filters {
            [Some(_), Some(kept), Some(asked)] if asked.covers(&kept) => {}
            _ => add(FindingCode::StateFilter, "what is to be kept cannot be read, or more is kept than is asked for"),
        }
        standing.bootstrapping = match optional_text(row.get_ref(5)?) {
            Some(None) => Some(false),
            Some(Some(text)) => serde_json::from_str::<Bootstrap>(text).ok().filter(is_in_a_phase).map(|_| true),
            None => None,
        };
        if standing.bootstrapping.is_none() {
            add(FindingCode::StateBootstrap, "the bootstrap on its way cannot be read, or is in no phase of one");
        }
    }
    if seen != 1 {
        add(FindingCode::StateRow, &format!("there are {seen} rows; it must be one"));
    }
    Ok(standing)
}

fn is_in_a_phase(bootstrap: &Bootstrap) -> bool {
    let there = (bootstrap.checkpoint.is_some(), bootstrap.page.is_some(), bootstrap.cursor.is_some());
    bootstrap.position <= i64::MAX as u64
        && match bootstrap.phase {
            Phase::Load => there == (true, true, true) || (there == (false, false, false) && bootstrap.position == 0),
            Phase::Replay => there == (true, false, true),
            Phase::Join => there == (true, false, true) && bootstrap.scope.have.is_some(),
        }
}

/// `None`: it is none.
fn filter(row: &Row<'_>, column: usize) -> Option<Filter> {
    match optional_text(row.get_ref(column).ok()?)? {
        None => Some(Filter::everything()),
        Some(text) => Filter::parse(text).ok(),
    }
}

/// Each collection's life and, where it can be read, its name.
pub(crate) struct Collections(HashMap<i64, (Option<Life>, Option<String>)>);

/// The table `collections`.
pub(crate) fn collections(
    connection: &Connection,
    standing: &Standing,
    findings: &mut Findings,
) -> Result<Collections> {
    let mut found = HashMap::new();
    let mut names = HashSet::new();
    let mut find = connection.prepare("SELECT id, name, life FROM collections ORDER BY id")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let name = text(row.get_ref(1)?).map(str::to_owned);
        let life = match row.get_ref(2)? {
            ValueRef::Integer(0) => Some(Life::Live),
            ValueRef::Integer(1) => Some(Life::Incoming),
            ValueRef::Integer(2) => Some(Life::Retired),
            _ => None,
        };
        let mut add = |code, words: &str| {
            findings.add(Finding::new(code, "collections", words).row(id).item(name.as_deref(), None));
        };
        match life {
            None => add(FindingCode::CollectionLife, "it is neither live nor incoming nor retired"),
            Some(Life::Incoming) if standing.bootstrapping == Some(false) => {
                add(FindingCode::IncomingWithoutBootstrap, "it is incoming and no bootstrap is on its way");
            }
            Some(_) => {}
        }
        if name.is_none() {
            add(FindingCode::CollectionName, "the name is no text");
        } else if life != Some(Life::Retired) && !names.insert((name.clone(), life.map(|life| life as i64))) {
            add(FindingCode::CollectionName, "another collection has this name");
        }
        found.insert(id, (life, name));
    }
    Ok(Collections(found))
}

/// How many items there are.
#[derive(Default)]
pub(crate) struct Counts {
    /// Live, and with a value.
    pub live: u64,
    pub incoming: u64,
    pub retired: u64,
}

/// The tables `items` and `base`.
pub(crate) fn items(
    connection: &Connection,
    standing: &Standing,
    collections: &Collections,
    findings: &mut Findings,
) -> Result<Counts> {
    let pending = integers(connection, "SELECT item, count(*) FROM outbox GROUP BY item")?;
    // Those that an item accounts for are taken out; what is left is nobody's.
    let mut bases = integers(connection, "SELECT item, 1 FROM base")?;
    let mut counts = Counts::default();
    let mut find = connection.prepare("SELECT id, collection, key, rev, pending, value FROM items ORDER BY id")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let at = integer(row.get_ref(1)?).and_then(|collection| collections.0.get(&collection));
        let (life, name) = at.map_or((None, None), |(life, name)| (*life, name.as_deref()));
        let key = text(row.get_ref(2)?);
        let mut add = |code, words: &str| findings.add(Finding::new(code, "items", words).row(id).item(name, key));
        if at.is_none() {
            add(FindingCode::ItemCollection, "its collection is not there");
            bases.remove(&id);
            continue;
        }
        if key.is_none() {
            add(FindingCode::ItemKey, "the key is no text");
        }
        let value = row.get_ref(5)?;
        match life {
            Some(Life::Retired) => {
                // Deleted soon, and never read: what it had pending went on to the item in its place.
                counts.retired += 1;
                continue;
            }
            Some(Life::Incoming) => counts.incoming += 1,
            Some(Life::Live) => counts.live += u64::from(value != ValueRef::Null),
            None => {
                bases.remove(&id);
                continue;
            }
        }
        let ops = pending.get(&id).copied().unwrap_or(0);
        if integer(row.get_ref(4)?) != Some(ops) {
            add(FindingCode::ItemPending, &format!("it does not count the {ops} operations that the outbox has"));
        }
        let rev = integer(row.get_ref(3)?).filter(|rev| *rev >= 0);
        if rev.is_none_or(|rev| rev == 0 && ops == 0) {
            add(FindingCode::ItemRev, "the rev is no number from 0 up, or 0 with nothing pending");
        }
        if life == Some(Life::Live)
            && let (Some(rev), Some(position)) = (rev, standing.position)
            && rev as Seq > position
        {
            add(FindingCode::ItemRevAhead, &format!("its rev is {rev}, the replica's position {position}"));
        }
        let without = value == ValueRef::Null;
        if (without && ops == 0) || (!without && !is_value(value)) {
            add(FindingCode::ItemValue, "the value is missing with nothing pending, or no JSON that a replica takes");
        }
        if life == Some(Life::Live) && ops > 0 && rev.is_none_or(|rev| rev > 0) && bases.remove(&id).is_none() {
            add(FindingCode::BaseMissing, "operations are pending, the rev is above 0, and the base is missing");
        }
    }
    for item in bases.keys() {
        let words = "nothing is pending of its item, which is not live, or has no rev";
        findings.add(Finding::new(FindingCode::BaseUnasked, "base", words).row(*item));
    }
    Ok(counts)
}

/// The values in the table `base`.
pub(crate) fn bases(connection: &Connection, findings: &mut Findings) -> Result<()> {
    let mut find = connection.prepare("SELECT item, value FROM base ORDER BY item")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        if !is_value(row.get_ref(1)?) {
            let words = "the base is no JSON that a replica takes";
            findings.add(Finding::new(FindingCode::BaseValue, "base", words).row(row.get(0)?));
        }
    }
    Ok(())
}

/// The table `resources`, but for what pending operations make of it; how many the host can read.
pub(crate) fn resources(connection: &Connection, findings: &mut Findings) -> Result<u64> {
    let mut find = connection.prepare(
        "SELECT r.kind, r.name, r.base, r.base_collection, r.base_key, r.view, r.view_collection, r.view_key,
                r.item, r.collection = i.collection AND r.key = i.key, i.rev > 0, i.pending = 0, c.life, c.name, i.key
         FROM resources r LEFT JOIN items i ON i.id = r.item LEFT JOIN collections c ON c.id = i.collection",
    )?;
    let mut rows = find.query([])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let is = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)? == ValueRef::Integer(1));
        let life = integer(row.get_ref(12)?);
        if life == Some(Life::Retired as i64) {
            continue;
        }
        let (collection, key) = (text(row.get_ref(13)?), text(row.get_ref(14)?));
        let item = integer(row.get_ref(8)?).unwrap_or(0);
        let mut add = |code, words: &str| {
            findings.add(Finding::new(code, "resources", words).row(item).item(collection, key));
        };
        if !is(9)? {
            add(FindingCode::ResourceItem, "its item is not there, or is another");
            continue;
        }
        let name = read_name(row, 0, 1).ok().filter(|name| name.name().is_some());
        let kind = integer(row.get_ref(0)?).unwrap_or(0);
        let (base, view) = (read_content(row, kind, 2).ok(), read_content(row, kind, 5).ok());
        let (Some(name), Some(base), Some(view)) = (name, base, view) else {
            add(FindingCode::ResourceContent, "its name or its content is none");
            continue;
        };
        let within = |content: &Content| content.check(&Limits::CONFIRMED).is_ok();
        let contents = [&base, &view];
        let mut there = contents.into_iter().flatten().peekable();
        if there.peek().is_none() || !there.all(within) || name.check(&Limits::CONFIRMED).is_err() {
            add(FindingCode::ResourceContent, "it is neither confirmed nor read, or a name is empty or too long");
        }
        if base.is_some() && !is(10)? {
            add(FindingCode::ResourceBase, "it is confirmed of an item that is not");
        }
        if base != view && is(11)? {
            add(FindingCode::ResourceView, "nothing is pending, and what is read is not what is confirmed");
        }
        seen += u64::from(view.is_some() && life == Some(Life::Live as i64));
    }
    Ok(seen)
}

/// The entries of the automatic indexes, beside what the items make of them.
pub(crate) fn automatic_entries(connection: &Connection, findings: &mut Findings) -> Result<()> {
    use automatic::Wrong;
    for (table, index) in automatic::each(connection, automatic::MAIN)? {
        let compared = index.and_then(|index| {
            let of = Some(index.collection());
            automatic::compare(connection, &index, |wrong| {
                let finding = |words| Finding::new(FindingCode::IndexEntries, "indexes", words);
                findings.add(match wrong {
                    Wrong::Missing { item, key, entries } => {
                        finding(format!("{table} is without {entries} entries of the item"))
                            .row(item)
                            .item(of, Some(key))
                    }
                    Wrong::Unasked(entries) => {
                        finding(format!("{table} has {entries} entries that no item makes")).item(of, None)
                    }
                });
            })
        });
        findings.declared_part("indexes", &table, compared)?;
    }
    Ok(())
}

/// The texts of the full-text searches, beside what the items have.
pub(crate) fn search_texts(connection: &Connection, findings: &mut Findings) -> Result<()> {
    use search::Wrong;
    for (table, search) in search::each(connection)? {
        let compared = search.and_then(|search| {
            let of = Some(search.collection());
            search::compare(connection, &search, |wrong| {
                let finding = |words: String| Finding::new(FindingCode::SearchTexts, "searches", words);
                findings.add(match wrong {
                    Wrong::Missing(item, key) => {
                        finding(format!("{table} is without the item")).row(item).item(of, Some(key))
                    }
                    Wrong::Other(item, key) => {
                        finding(format!("{table} has other texts than the item")).row(item).item(of, Some(key))
                    }
                    Wrong::Unasked(rows) => {
                        finding(format!("{table} has {rows} rows that are of no item")).item(of, None)
                    }
                });
            })
        });
        findings.declared_part("searches", &table, compared)?;
    }
    Ok(())
}

/// A live item with pending operations: what the host reads, and what the server confirmed.
pub(crate) struct Viewed {
    pub collection: String,
    pub key: String,
    pub view: Option<String>,
    pub base: Option<String>,
}

/// An item with pending operations; `None` where a row is not such that the one can be made of the other.
pub(crate) fn viewed(connection: &Connection, item: i64) -> Result<Option<Viewed>> {
    let mut find = connection.prepare_cached(
        "SELECT c.name, i.key, i.value, b.value, i.rev FROM items i JOIN collections c ON c.id = i.collection
         LEFT JOIN base b ON b.item = i.id WHERE i.id = ?1 AND c.life = 0",
    )?;
    let mut rows = find.query([item])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (Some(collection), Some(key)) = (text(row.get_ref(0)?), text(row.get_ref(1)?)) else { return Ok(None) };
    let (Some(view), Some(base)) = (optional_text(row.get_ref(2)?), optional_text(row.get_ref(3)?)) else {
        return Ok(None);
    };
    if integer(row.get_ref(4)?).map(|rev| rev > 0) != Some(base.is_some()) {
        return Ok(None);
    }
    let owned = |text: &str| text.to_owned();
    Ok(Some(Viewed { collection: owned(collection), key: owned(key), view: view.map(owned), base: base.map(owned) }))
}

/// Whether a column holds JSON within the bounds of a value.
fn is_value(column: ValueRef<'_>) -> bool {
    let value = text(column).and_then(|text| Json::from_stored(text.to_owned()).ok());
    value.is_some_and(|value| value.check_within(&Limits::CONFIRMED).is_ok())
}

fn integers(connection: &Connection, query: &str) -> Result<HashMap<i64, i64>> {
    let mut find = connection.prepare(query)?;
    let mut rows = find.query([])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        if let (Some(key), Some(value)) = (integer(row.get_ref(0)?), integer(row.get_ref(1)?)) {
            found.insert(key, value);
        }
    }
    Ok(found)
}

pub(crate) fn integer(column: ValueRef<'_>) -> Option<i64> {
    if let ValueRef::Integer(number) = column { Some(number) } else { None }
}

pub(crate) fn text(column: ValueRef<'_>) -> Option<&str> {
    if let ValueRef::Text(bytes) = column { std::str::from_utf8(bytes).ok() } else { None }
}

/// The outer `None`: neither a text nor NULL.
pub(crate) fn optional_text(column: ValueRef<'_>) -> Option<Option<&str>> {
    if column == ValueRef::Null { Some(None) } else { text(column).map(Some) }
}

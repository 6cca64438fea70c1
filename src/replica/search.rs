//! Full-text search: an FTS5 table for each declared search, kept in step by triggers on `items`.
//!
//! A row has the item's id. A search looks at live items alone.

use super::declared::{Declared, literal};
use super::snippets::{self, Pieces};
use crate::error::{Error, Result};
use crate::index::beginning_of_long;
use crate::search::{SearchError, SearchHit, SearchHits, SearchQuery};
use rusqlite::{Connection, OptionalExtension, Row};

/// The most fields of a search.
const MOST_FIELDS: usize = 16;

/// The most places that a field may be at: each number in a pointer is a name or an index.
const MOST_PLACES: usize = 8;

/// The longest expression, in bytes: what one takes grows with what it asks for times what it finds.
const LONGEST_EXPRESSION: usize = 2 << 10;

/// The longest text, in bytes, in which FTS5 marks what it found, which takes it time by the square of that.
const LONGEST_MARKED: usize = 8 << 10;

const TOKENIZER: &str = "unicode61 remove_diacritics 2";

/// A declared search.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    declared: Declared,
    /// As JSON.
    fields: String,
}

const COLUMNS: &str = "id, collection, at_collection, at_key, fields, name";

impl Search {
    fn read(row: &Row<'_>) -> rusqlite::Result<Search> {
        // Nobody finds one whose name is no text.
        row.get_ref(5)?.as_str()?;
        Ok(Search { declared: Declared::read(row, "searches")?, fields: row.get(4)? })
    }

    /// The collection that it is of.
    pub fn collection(&self) -> &str {
        &self.declared.collection
    }

    /// The table of its texts, under the ids of the items.
    pub fn table(&self) -> String {
        table(self.declared.id)
    }
}

fn table(id: i64) -> String {
    format!("search_{id}")
}

/// The search of a name.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Search> {
    lookup(connection, name)?.ok_or_else(|| Error::Search(SearchError::Unknown(name.to_owned())))
}

fn lookup(connection: &Connection, name: &str) -> Result<Option<Search>> {
    let mut find = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM searches WHERE name = ?1"))?;
    Ok(find.query_row([name], Search::read).optional()?)
}

/// Declares a search, over one of the same name that is other; whether it must be built.
pub(crate) fn declare(connection: &Connection, name: &str, collection: &str, fields: &[&str]) -> Result<bool> {
    if fields.is_empty() || fields.len() > MOST_FIELDS {
        return Err(SearchError::Fields(fields.len()).into());
    }
    // Checked before anything is dropped; its length first, since what is made of it takes the square of that.
    for field in fields {
        beginning_of_long(field).map_or(Ok(()), |begin| Err(SearchError::Pointer(begin)))?;
        places(field)?;
    }
    let json = serde_json::to_string(fields).map_err(|error| Error::Storage(Box::new(error)))?;
    if let Some(search) = lookup(connection, name)? {
        if search.declared.collection == collection && search.fields == json {
            return Ok(!search.declared.is_complete());
        }
        drop_search(connection, name)?;
    }
    connection.execute(
        "INSERT INTO searches(name, collection, fields, at_collection, at_key) VALUES (?1, ?2, ?3, 0, '')",
        (name, collection, json),
    )?;
    let search = find(connection, name)?;
    connection.execute_batch(&objects(&search)?)?;
    Ok(true)
}

/// Lets what is still being built of a collection begin anew, for rows of another collection were moved into it: they may stand where the build has been.
///
/// One that is built has them: a row keeps its place in the index when it is moved.
pub(crate) fn rebuild_rest(connection: &Connection, collection: &str) -> Result<()> {
    let mut rebuild = connection.prepare_cached(
        "UPDATE searches SET at_collection = 0, at_key = '' WHERE collection = ?1 AND at_collection IS NOT NULL",
    )?;
    rebuild.execute([collection])?;
    Ok(())
}

/// Removes a search; whether it was there.
pub(crate) fn drop_search(connection: &Connection, name: &str) -> Result<bool> {
    let Some(Search { declared: Declared { id, .. }, .. }) = lookup(connection, name)? else { return Ok(false) };
    connection.execute_batch(&format!(
        "DROP TRIGGER search_{id}_insert; DROP TRIGGER search_{id}_update; DROP TRIGGER search_{id}_delete;
         DROP TABLE search_{id};"
    ))?;
    connection.execute("DELETE FROM searches WHERE id = ?1", [id])?;
    Ok(true)
}

/// Every search of the replica with its table, as far as its declaration can be read.
pub(super) fn each(connection: &Connection) -> Result<Vec<(String, Result<Search>)>> {
    let mut find = connection.prepare(&format!("SELECT {COLUMNS} FROM searches ORDER BY id"))?;
    let rows = find.query_map([], |row| Ok((table(row.get(0)?), Search::read(row).map_err(Error::from))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes FTS5 look again at what this connection has kept of each index.
///
/// It asks whether others have written since when a cursor opens on an index, but not for `PRAGMA integrity_check`,
/// which would find damage where there is none.
pub(super) fn reopen(connection: &Connection) -> rusqlite::Result<()> {
    let mut find = connection.prepare("SELECT id FROM searches")?;
    let ids: Vec<i64> = find.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for id in ids {
        connection.prepare(&format!("SELECT rowid FROM search_{id} LIMIT 1"))?.query([])?.next()?;
    }
    Ok(())
}

/// What makes the table and the triggers of a search.
pub(super) fn objects(search: &Search) -> Result<String> {
    let id = search.declared.id;
    let columns = columns(search)?;
    let (new, is_new) = (texts(search, "new.value")?, search.declared.of_collection("new.collection"));
    let is_old = search.declared.of_collection("old.collection");
    Ok(format!(
        "CREATE VIRTUAL TABLE search_{id} USING fts5({columns}, tokenize = '{TOKENIZER}');
         CREATE TRIGGER search_{id}_insert AFTER INSERT ON items WHEN new.value IS NOT NULL AND {is_new} BEGIN
           INSERT INTO search_{id}(rowid, {columns}) VALUES (new.id, {new});
         END;
         CREATE TRIGGER search_{id}_update AFTER UPDATE OF value ON items
           WHEN new.value IS NOT old.value AND {is_new} BEGIN
           DELETE FROM search_{id} WHERE rowid = old.id;
           INSERT INTO search_{id}(rowid, {columns}) SELECT new.id, {new} WHERE new.value IS NOT NULL;
         END;
         CREATE TRIGGER search_{id}_delete AFTER DELETE ON items WHEN {is_old} BEGIN
           DELETE FROM search_{id} WHERE rowid = old.id;
         END;"
    ))
}

fn fields(search: &Search) -> Result<Vec<String>> {
    let is_field = |field: &String| beginning_of_long(field).is_none() && places(field).is_ok();
    match serde_json::from_str::<Vec<String>>(&search.fields) {
        Ok(fields) if (1..=MOST_FIELDS).contains(&fields.len()) && fields.iter().all(is_field) => Ok(fields),
        // Without serde's words: a name may be in them.
        _ => Err(Error::Corrupt(format!("searches.fields: those of {} are none", search.table()))),
    }
}

fn columns(search: &Search) -> Result<String> {
    let columns = (0..fields(search)?.len()).map(|field| format!("f{field}"));
    Ok(columns.collect::<Vec<_>>().join(", "))
}

/// The texts of all fields, out of a value.
fn texts(search: &Search, value: &str) -> Result<String> {
    let texts = fields(search)?.iter().map(|field| text(field, value)).collect::<Result<Vec<_>>>()?;
    Ok(texts.join(", "))
}

/// The text of one field: a string, or the strings of an array; NULL of anything else.
fn text(field: &str, value: &str) -> Result<String> {
    let texts = places(field)?.into_iter().map(|place| {
        let place = literal(&place);
        format!(
            "CASE json_type({value}, {place}) WHEN 'text' THEN {value} ->> {place} WHEN 'array' THEN
             (SELECT group_concat(atom, char(10)) FROM json_each({value}, {place}) WHERE type = 'text') END"
        )
    });
    let texts = texts.collect::<Vec<_>>();
    // A write must not fail for what SQLite may not read as JSON.
    Ok(match texts.as_slice() {
        [one] => format!("CASE WHEN json_valid({value}) THEN {one} END"),
        all => format!("CASE WHEN json_valid({value}) THEN coalesce({}) END", all.join(", ")),
    })
}

/// A JSON Pointer as paths of SQLite.
fn places(pointer: &str) -> Result<Vec<String>> {
    let refused = || Error::Search(SearchError::Pointer(pointer.to_owned()));
    let special = |character: char| character == '"' || character == '\\' || character.is_control();
    if pointer.contains(special) || !(pointer.is_empty() || pointer.starts_with('/')) {
        return Err(refused());
    }
    let mut places = vec!["$".to_owned()];
    for token in pointer.split('/').skip(1) {
        if token.replace("~0", "").replace("~1", "").contains('~') {
            return Err(refused());
        }
        let name = token.replace("~1", "/").replace("~0", "~");
        let is_index = name == "0" || (!name.starts_with('0') && name.len() < 10 && name.parse::<u32>().is_ok());
        let steps = match is_index && name.bytes().all(|digit| digit.is_ascii_digit()) {
            true => vec![format!(".\"{name}\""), format!("[{name}]")],
            false => vec![format!(".\"{name}\"")],
        };
        places = places.iter().flat_map(|place| steps.iter().map(move |step| format!("{place}{step}"))).collect();
        if places.len() > MOST_PLACES {
            return Err(refused());
        }
    }
    Ok(places)
}

/// Takes up to `items` into the index that were there before the search was; how many, and whether that is all.
pub(crate) fn build(connection: &Connection, name: &str, items: u32) -> Result<(u64, bool)> {
    let search = find(connection, name)?;
    let id = search.declared.id;
    let mut insert = connection.prepare_cached(&format!(
        "INSERT OR REPLACE INTO search_{id}(rowid, {}) SELECT i.id, {} FROM items i
         WHERE i.id = ?1 AND i.value IS NOT NULL",
        columns(&search)?,
        texts(&search, "i.value")?
    ))?;
    search.declared.build(connection, items, |item| Ok(insert.execute([item]).map(drop)?))
}

/// How many items a search is of.
pub(crate) fn count(connection: &Connection, name: &str) -> Result<u64> {
    find(connection, name)?.declared.count(connection)
}

/// The live items that fit, the best first.
pub(crate) fn run(connection: &Connection, name: &str, query: &SearchQuery) -> Result<SearchHits> {
    let search = find(connection, name)?;
    let complete = search.declared.is_complete();
    if query.expression.trim().is_empty() {
        return Ok(SearchHits { hits: Vec::new(), complete });
    }
    if query.expression.len() > LONGEST_EXPRESSION {
        return Err(SearchError::TooLong { limit: LONGEST_EXPRESSION }.into());
    }
    if query.expression.starts_with('*') {
        // FTS5 would take it for a question about its own state.
        return Err(SearchError::Expression("it begins with *".to_owned()).into());
    }
    let id = search.declared.id;
    let columns = columns(&search)?;
    let marked = (0..fields(&search)?.len()).map(|field| {
        format!(
            "CASE WHEN octet_length(s.f{field}) <= {LONGEST_MARKED} THEN highlight(search_{id}, {field}, ?2, ?3) END"
        )
    });
    let marked = marked.collect::<Vec<_>>();
    let mut find = connection.prepare_cached(&format!(
        "SELECT i.key, s.rank, s.rowid, {} FROM search_{id} s
         CROSS JOIN items i ON i.id = s.rowid WHERE search_{id} MATCH ?1
         AND i.collection = (SELECT id FROM collections WHERE name = ?5 AND life = 0) ORDER BY s.rank LIMIT ?4",
        marked.join(", ")
    ))?;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let hit = |row: &rusqlite::Row<'_>| {
        let texts = (0..marked.len()).map(|field| Ok(row.get_ref(field + 3)?.as_str_or_null()?));
        let texts = texts.filter_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()?;
        let hit = SearchHit { key: row.get(0)?, rank: row.get(1)?, snippet: snippets::of(&texts, query) };
        // Else what was found is in a text that was too long to be marked.
        let item: Option<i64> =
            if texts.iter().any(|text| text.contains(snippets::BEFORE)) { None } else { Some(row.get(2)?) };
        Ok((hit, item))
    };
    let (before, behind) = (snippets::BEFORE.to_string(), snippets::BEHIND.to_string());
    let hits = find
        .query_map((&query.expression, before, behind, limit, &search.declared.collection), hit)
        .and_then(|rows| rows.collect::<rusqlite::Result<Vec<_>>>());
    let hits = hits.map_err(|error| match super::views::of_statement(&error) {
        Some((rusqlite::ErrorCode::Unknown, words)) => Error::Search(SearchError::Expression(words)),
        _ => error.into(),
    })?;
    let mut pieces = None;
    let mut whole = connection.prepare_cached(&format!("SELECT {columns} FROM search_{id} WHERE rowid = ?1"))?;
    let of_long = |(hit, item): (SearchHit, Option<i64>)| {
        let Some(item) = item else { return Ok(hit) };
        let texts = whole.query_row([item], |row| {
            (0..marked.len()).map(|field| row.get(field)).collect::<rusqlite::Result<Vec<Option<String>>>>()
        })?;
        let pieces = match &mut pieces {
            Some(pieces) => pieces,
            none => none.insert(Pieces::open(&columns, TOKENIZER)?),
        };
        let snippet = pieces.snippet(&texts, query)?;
        Ok(SearchHit { snippet, ..hit })
    };
    let hits = hits.into_iter().map(of_long).collect::<Result<Vec<_>>>()?;
    Ok(SearchHits { hits, complete })
}

/// What a search should have and has not, or the other way round.
pub(super) enum Wrong<'a> {
    /// An item by its row and its key, which is not there.
    Missing(i64, &'a str),
    /// An item whose texts there are not those of its value.
    Other(i64, &'a str),
    /// So many rows of no item with a value.
    Unasked(u64),
}

/// Compares the texts of a search with what the items have now. FTS5's own check compares its index with these texts alone.
pub(super) fn compare(connection: &Connection, search: &Search, mut tell: impl FnMut(Wrong<'_>)) -> Result<()> {
    let (table, collection) = (search.table(), search.collection());
    let (columns, texts) = (columns(search)?, texts(search, "i.value")?);
    let mut find = connection.prepare(&format!(
        "SELECT i.id, i.collection, i.key, s.rowid IS NULL, ({columns}) IS NOT ({texts})
         FROM items i LEFT JOIN {table} s ON s.rowid = i.id
         WHERE i.collection IN (SELECT id FROM collections WHERE name = ?1 AND life IN (0, 1))
         AND i.value IS NOT NULL"
    ))?;
    let mut rows = find.query([collection])?;
    while let Some(row) = rows.next()? {
        let (item, of): (i64, i64) = (row.get(0)?, row.get(1)?);
        // What is no text is found with the items.
        let Some(key) = super::check::text(row.get_ref(2)?) else { continue };
        match (row.get(3)?, row.get(4)?) {
            (true, _) if search.declared.has_passed(of, key) => tell(Wrong::Missing(item, key)),
            (false, true) => tell(Wrong::Other(item, key)),
            _ => {}
        }
    }
    // What a swap retired is there until it is deleted.
    let unasked: i64 = connection.query_row(
        &format!(
            "SELECT count(*) FROM {table} s LEFT JOIN items i ON i.id = s.rowid
             LEFT JOIN collections c ON c.id = i.collection WHERE i.value IS NULL OR c.name IS NOT ?1"
        ),
        [collection],
        |row| row.get(0),
    )?;
    if unasked > 0 {
        tell(Wrong::Unasked(unasked.unsigned_abs()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_become_paths() {
        let of = |pointer| places(pointer).ok();
        assert_eq!(of(""), Some(vec!["$".to_owned()]));
        assert_eq!(of("/title"), Some(vec!["$.\"title\"".to_owned()]));
        assert_eq!(of("/a.b/c~1d~01"), Some(vec!["$.\"a.b\".\"c/d~1\"".to_owned()]));
        assert_eq!(of("/l/0"), Some(vec!["$.\"l\".\"0\"".to_owned(), "$.\"l\"[0]".to_owned()]));
        assert_eq!(of("/01/+1"), Some(vec!["$.\"01\".\"+1\"".to_owned()]));
        assert_eq!(of("/1/2/3").map(|places| places.len()), Some(8));
        for wrong in ["title", "/a\"b", "/a\\b", "/a\nb", "/~2", "/a~", "/1/2/3/4"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}

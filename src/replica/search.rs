//! Full-text search: an FTS5 table for each declared search, kept in step by triggers on `items`.
//!
//! Triggers, so that whatever writes an item, in any process, keeps the index in its own transaction. A row has the
//! item's id. Items of incoming collections have theirs too: the swap of a checkpoint leaves the index as it is, and a
//! search looks at live items alone.

use crate::error::{Error, Result};
use crate::search::{SearchError, SearchHit, SearchHits, SearchQuery};
use rusqlite::{Connection, OptionalExtension};

/// The most fields of a search.
const MOST_FIELDS: usize = 16;

/// The most places that a field may be at: each number in a pointer is a name or an index.
const MOST_PLACES: usize = 8;

/// A declared search.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub id: i64,
    collection: String,
    /// As JSON.
    fields: String,
    /// Where the build goes on; `None`: it is complete.
    at: Option<(i64, String)>,
}

/// The search of a name.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Search> {
    lookup(connection, name)?.ok_or_else(|| Error::Search(SearchError::Unknown(name.to_owned())))
}

fn lookup(connection: &Connection, name: &str) -> Result<Option<Search>> {
    let mut find = connection
        .prepare_cached("SELECT id, collection, fields, at_collection, at_key FROM searches WHERE name = ?1")?;
    let found = find.query_row([name], |row| {
        let at: Option<i64> = row.get(3)?;
        Ok(Search { id: row.get(0)?, collection: row.get(1)?, fields: row.get(2)?, at: at.zip(row.get(4)?) })
    });
    Ok(found.optional()?)
}

/// Declares a search, over one of the same name that is other; whether it must be built.
pub(crate) fn declare(connection: &Connection, name: &str, collection: &str, fields: &[&str]) -> Result<bool> {
    if fields.is_empty() || fields.len() > MOST_FIELDS {
        return Err(SearchError::Fields(fields.len()).into());
    }
    // Checked before anything is dropped.
    fields.iter().try_for_each(|field| places(field).map(drop))?;
    let json = serde_json::to_string(fields).map_err(|error| Error::Storage(Box::new(error)))?;
    if let Some(search) = lookup(connection, name)? {
        if search.collection == collection && search.fields == json {
            return Ok(search.at.is_some());
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

/// Removes a search; whether it was there.
pub(crate) fn drop_search(connection: &Connection, name: &str) -> Result<bool> {
    let Some(Search { id, .. }) = lookup(connection, name)? else { return Ok(false) };
    connection.execute_batch(&format!(
        "DROP TRIGGER search_{id}_insert; DROP TRIGGER search_{id}_update; DROP TRIGGER search_{id}_delete;
         DROP TABLE search_{id};"
    ))?;
    connection.execute("DELETE FROM searches WHERE id = ?1", [id])?;
    Ok(true)
}

/// What makes the objects of every declared search, for a check of the schema.
pub(super) fn declared(connection: &Connection) -> Result<Vec<String>> {
    let names: Vec<String> = {
        let mut find = connection.prepare("SELECT name FROM searches ORDER BY id")?;
        find.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    names.iter().map(|name| objects(&find(connection, name)?)).collect()
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

/// The table and the triggers of a search.
fn objects(search: &Search) -> Result<String> {
    let id = search.id;
    let columns = columns(search)?;
    let (new, is_new) = (texts(search, "new.value")?, of_collection(search, "new.collection"));
    let is_old = of_collection(search, "old.collection");
    Ok(format!(
        "CREATE VIRTUAL TABLE search_{id} USING fts5({columns}, tokenize = 'unicode61 remove_diacritics 2');
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

fn of_collection(search: &Search, id: &str) -> String {
    format!("(SELECT name FROM collections WHERE id = {id}) = {}", literal(&search.collection))
}

fn fields(search: &Search) -> Result<Vec<String>> {
    let damaged = |error| Error::Corrupt(format!("searches.fields: {error}"));
    serde_json::from_str(&search.fields).map_err(damaged)
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

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Takes up to `items` into the index that were there before the search was; how many, and whether that is all.
pub(crate) fn build(connection: &Connection, name: &str, items: u32) -> Result<(u64, bool)> {
    let search = find(connection, name)?;
    let Some((collection, key)) = &search.at else { return Ok((0, true)) };
    // Collections made later, with higher ids, have been indexed from their first item on.
    let next = connection
        .query_row(
            "SELECT min(id) FROM collections WHERE id >= ?1 AND name = ?2 AND life IN (0, 1)",
            (collection, &search.collection),
            |row| row.get::<_, Option<i64>>(0),
        )?
        .map(|next| (next, if next == *collection { key.as_str() } else { "" }));
    let at: Option<(i64, String)>;
    let mut count = 0;
    match next {
        None => at = None,
        Some((collection, after)) => {
            let mut page = connection
                .prepare_cached("SELECT id, key FROM items WHERE collection = ?1 AND key > ?2 ORDER BY key LIMIT ?3")?;
            let rows = page.query_map((collection, after, items), |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
            let rows: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
            let id = search.id;
            let mut insert = connection.prepare_cached(&format!(
                "INSERT OR REPLACE INTO search_{id}(rowid, {}) SELECT i.id, {} FROM items i
                 WHERE i.id = ?1 AND i.value IS NOT NULL",
                columns(&search)?,
                texts(&search, "i.value")?
            ))?;
            for (item, _) in &rows {
                insert.execute([item])?;
            }
            count = rows.len() as u64;
            // The next id, should this be the last page.
            at = match rows.into_iter().next_back() {
                Some((_, key)) if count == u64::from(items) => Some((collection, key)),
                _ => collection.checked_add(1).map(|next| (next, String::new())),
            };
        }
    }
    connection.execute(
        "UPDATE searches SET at_collection = ?2, at_key = ?3 WHERE id = ?1",
        (search.id, at.as_ref().map(|at| at.0), at.as_ref().map(|at| at.1.as_str())),
    )?;
    Ok((count, at.is_none()))
}

/// How many items a search is of.
pub(crate) fn count(connection: &Connection, name: &str) -> Result<u64> {
    let search = find(connection, name)?;
    let count: i64 = connection.query_row(
        "SELECT count(*) FROM items WHERE collection IN
         (SELECT id FROM collections WHERE name = ?1 AND life IN (0, 1))",
        [&search.collection],
        |row| row.get(0),
    )?;
    Ok(count.max(0) as u64)
}

/// The live items that fit, the best first.
pub(crate) fn run(connection: &Connection, name: &str, query: &SearchQuery) -> Result<SearchHits> {
    let search = find(connection, name)?;
    let complete = search.at.is_none();
    if query.expression.trim().is_empty() {
        return Ok(SearchHits { hits: Vec::new(), complete });
    }
    let id = search.id;
    // Not FTS5's own snippet(): of a text that says the same word a hundred thousand times it takes minutes.
    let marked = (0..fields(&search)?.len()).map(|field| format!("highlight(search_{id}, {field}, ?2, ?3)"));
    let marked = marked.collect::<Vec<_>>();
    let mut find = connection.prepare_cached(&format!(
        "SELECT i.key, s.rank, {} FROM search_{id} s
         CROSS JOIN items i ON i.id = s.rowid WHERE search_{id} MATCH ?1
         AND i.collection = (SELECT id FROM collections WHERE name = ?5 AND life = 0) ORDER BY s.rank LIMIT ?4",
        marked.join(", ")
    ))?;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let hit = |row: &rusqlite::Row<'_>| {
        let texts = (0..marked.len()).map(|field| Ok(row.get_ref(field + 2)?.as_str_or_null()?));
        let texts = texts.filter_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(SearchHit { key: row.get(0)?, rank: row.get(1)?, snippet: snippet(&texts, query) })
    };
    let hits = find
        .query_map((&query.expression, BEFORE.to_string(), BEHIND.to_string(), limit, &search.collection), hit)
        .and_then(|rows| rows.collect::<rusqlite::Result<Vec<_>>>());
    match hits {
        Ok(hits) => Ok(SearchHits { hits, complete }),
        Err(error) => Err(match super::views::of_statement(&error) {
            Some((rusqlite::ErrorCode::Unknown, words)) => SearchError::Expression(words).into(),
            _ => error.into(),
        }),
    }
}

// What FTS5 puts around each word that it found; in a text itself they would only be taken for such.
const BEFORE: char = '\u{1}';
const BEHIND: char = '\u{2}';

/// How many words a snippet has, and how many of them before the first that was found.
const SNIPPET: usize = 16;
const LEAD: usize = 4;

/// The longest snippet, in bytes, without the marks and where it was cut.
const LONGEST: usize = 400;

/// A piece of the text in which most was found, from a little before the first find on.
fn snippet(texts: &[&str], query: &SearchQuery) -> String {
    let finds = |text: &&&str| text.bytes().filter(|byte| *byte == BEFORE as u8).count();
    // The first of those with the most.
    let Some(text) = texts.iter().rev().max_by_key(finds) else { return String::new() };
    let find = text.split_whitespace().position(|word| word.contains(BEFORE)).unwrap_or(0);
    let first = find.saturating_sub(LEAD);
    let mut words = text.split_whitespace().skip(first);
    let piece = words.by_ref().take(SNIPPET).collect::<Vec<_>>().join(" ");
    // Not every script has spaces.
    let found = piece.find(BEFORE).unwrap_or(0);
    let floor = |at: usize| (0..=at.min(piece.len())).rev().find(|at| piece.is_char_boundary(*at)).unwrap_or(0);
    let start = floor(found.saturating_sub(LONGEST / 4));
    let end = floor(start + LONGEST);
    let (cut_before, cut_behind) = (first > 0 || start > 0, words.next().is_some() || end < piece.len());
    let mut piece = piece[start..end].to_owned();
    if cut_before {
        piece.insert(0, '…');
    }
    if cut_behind {
        piece.push('…');
    }
    if piece.matches(BEFORE).count() > piece.matches(BEHIND).count() {
        // The end of a phrase that was found is behind the cut.
        piece.push(BEHIND);
    }
    piece.replace(BEFORE, &query.marks.0).replace(BEHIND, &query.marks.1)
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

    #[test]
    fn a_snippet_is_cut_around_the_first_find_of_the_best_text() {
        let query = SearchQuery::words("x").marks("<", ">");
        let of = |texts: &[&str]| snippet(texts, &query);
        assert_eq!(of(&[]), "");
        assert_eq!(of(&["a \u{1}b\u{2} c"]), "a <b> c");
        assert_eq!(of(&["a \u{1}b\u{2}", "c \u{1}d\u{2}"]), "a <b>", "the first of two that are alike");
        assert_eq!(of(&["a \u{1}b\u{2}", "\u{1}c\u{2} \u{1}d\u{2}"]), "<c> <d>");
        let unspaced = format!("{}\u{1}é\u{2}{}", "ü".repeat(500), "ä".repeat(500));
        let piece = of(&[&unspaced]);
        assert!(piece.contains("ü<é>ä") && piece.starts_with('…') && piece.ends_with('…') && piece.len() < 420);
        let long: String = (0..40).map(|n| format!("w{n} ")).collect::<String>().replace("w20 ", "\u{1}w20 ");
        assert_eq!(of(&[&long]), "…w16 w17 w18 w19 <w20 w21 w22 w23 w24 w25 w26 w27 w28 w29 w30 w31…>");
    }
}

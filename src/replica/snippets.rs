//! Snippets: a piece of a text, with marks around what was found in it.
//!
//! FTS5's own `snippet()` and `highlight()` take time by the square of what is found, which somebody else's document could
//! make minutes. So long texts are looked through a piece at a time.

use crate::error::Result;
use crate::search::SearchQuery;
use rusqlite::{Connection, OptionalExtension};

// What FTS5 puts around each word that it found; in a text itself they would only be taken for such.
pub(super) const BEFORE: char = '\u{1}';
pub(super) const BEHIND: char = '\u{2}';

/// How many words a snippet has, and how many of them before the first that was found.
const SNIPPET: usize = 16;
const LEAD: usize = 4;

/// The longest snippet, in bytes, without the marks and where it was cut.
const LONGEST: usize = 400;

/// A piece of the text in which most was found, from a little before the first find on.
pub(super) fn of(texts: &[&str], query: &SearchQuery) -> String {
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

/// How much of a long text is looked at together, in bytes.
const PIECE: usize = 4 << 10;

/// Pieces that one search looks at: what it may take for its snippets.
const MOST_PIECES: usize = 256;

/// An index in memory that holds one piece of a text at a time.
pub(super) struct Pieces {
    connection: Connection,
    left: usize,
}

impl Pieces {
    /// `columns` and `tokenizer` are those of the search.
    pub fn open(columns: &str, tokenizer: &str) -> Result<Pieces> {
        let connection = Connection::open_in_memory()?;
        connection
            .execute_batch(&format!("CREATE VIRTUAL TABLE pieces USING fts5({columns}, tokenize = '{tokenizer}')"))?;
        Ok(Pieces { connection, left: MOST_PIECES })
    }

    /// From the first piece in which any of what was looked for is; without marks if there is none, or it is too far behind.
    pub fn snippet(&mut self, texts: &[Option<String>], query: &SearchQuery) -> Result<String> {
        for (field, text) in texts.iter().enumerate() {
            let mut rest = text.as_deref().unwrap_or("");
            let mut is_first = true;
            while !rest.is_empty() && self.left > 0 {
                self.left -= 1;
                let (piece, behind) = rest.split_at(piece_end(rest));
                if let Some(marked) = self.marked(field, piece, query)? {
                    let mut snippet = of(&[&marked], query);
                    if !is_first && !snippet.starts_with('…') {
                        snippet.insert(0, '…');
                    }
                    if !behind.is_empty() && !snippet.ends_with('…') {
                        snippet.push('…');
                    }
                    return Ok(snippet);
                }
                (rest, is_first) = (behind, false);
            }
        }
        let begin =
            texts.iter().flatten().find(|text| !text.trim().is_empty()).map_or("", |text| &text[..piece_end(text)]);
        Ok(of(&[begin], query))
    }

    fn marked(&self, field: usize, piece: &str, query: &SearchQuery) -> Result<Option<String>> {
        self.connection
            .prepare_cached(&format!("INSERT OR REPLACE INTO pieces(rowid, f{field}) VALUES (1, ?1)"))?
            .execute([piece])?;
        let mut find = self
            .connection
            .prepare_cached(&format!("SELECT highlight(pieces, {field}, ?2, ?3) FROM pieces WHERE pieces MATCH ?1"))?;
        let marks = (BEFORE.to_string(), BEHIND.to_string());
        Ok(find.query_row((&query.any, marks.0, marks.1), |row| row.get(0)).optional()?)
    }
}

/// Where the first piece of a text ends: behind a word, if there are any.
fn piece_end(text: &str) -> usize {
    if text.len() <= PIECE {
        return text.len();
    }
    let end = (0..=PIECE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    match text[..end].rfind(char::is_whitespace) {
        Some(at) if at > 0 => at,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_is_cut_around_the_first_find_of_the_best_text() {
        let query = SearchQuery::words("x").marks("<", ">");
        let of = |texts: &[&str]| super::of(texts, &query);
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

    #[test]
    fn a_text_is_cut_into_pieces_between_words_and_within_none() {
        assert_eq!(piece_end("short and whole"), 15);
        let words = "wörd ".repeat(2_000);
        assert!(words[piece_end(&words)..].starts_with(" wörd") && piece_end(&words) <= PIECE);
        let unspaced = "ü".repeat(5_000);
        assert_eq!(piece_end(&unspaced), PIECE);
        assert_eq!(piece_end(&format!(" {unspaced}")), PIECE - 1);
    }

    #[test]
    fn a_find_at_the_edge_of_a_piece_says_that_there_is_more_beyond_it() {
        let query = SearchQuery::words("milk").marks("<", ">");
        let pieces = || Pieces::open("f0", "unicode61").unwrap();
        let snippet = |text: String| pieces().snippet(&[Some(text)], &query).unwrap();
        let text = "cat ".repeat(2_000);
        let (first, rest) = text.split_at(piece_end(&text));
        let last = format!("{first} milk");
        assert_eq!(snippet(last.clone()), "…<milk>");
        let edge = format!("{}milk{rest}", first.strip_suffix("cat cat").unwrap());
        assert!(edge[..piece_end(&edge)].ends_with("milk"));
        assert_eq!(snippet(edge), "…cat cat cat cat <milk>…");
        // Where it may look at no more pieces it shows the beginning.
        let begin = Pieces { left: 1, ..pieces() }.snippet(&[Some(last)], &query).unwrap();
        assert!(begin.starts_with("cat cat") && !begin.contains('<'), "{begin}");
    }
}

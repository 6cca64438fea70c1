//! What a full-text search is asked, and what it finds.

use std::collections::HashSet;

/// The most hits of a search that does not say how many.
const HITS: usize = 50;

/// What to search for; see [`Store::search`](crate::Store::search).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    pub(crate) expression: String,
    /// Finds what fits any part of it, where that is known.
    pub(crate) any: String,
    pub(crate) limit: usize,
    pub(crate) marks: (String, String),
}

impl SearchQuery {
    /// Items that have all of these words, in any field and order. What a user typed will do: no sign has a meaning.
    ///
    /// Words that are there twice count once; see [`SearchQuery::expression`] for how many there may be.
    pub fn words(words: &str) -> SearchQuery {
        SearchQuery::all_of(quoted(words))
    }

    /// Like [`SearchQuery::words`], and the last word may go on: for a search while the user still types it.
    pub fn words_so_far(words: &str) -> SearchQuery {
        let mut words = quoted(words);
        if let Some(last) = words.last_mut() {
            last.push('*');
        }
        SearchQuery::all_of(words)
    }

    fn all_of(words: Vec<String>) -> SearchQuery {
        SearchQuery { any: words.join(" OR "), ..SearchQuery::expression(words.join(" ")) }
    }

    /// An expression of SQLite's FTS5: `milk AND (bread OR butter*)`, `"whole phrase"`, `NEAR(a b)`. Fields have the
    /// names `f0`, `f1` and so on, in the order in which they were declared: `f0: milk`. At most 2 KiB.
    pub fn expression(expression: impl Into<String>) -> SearchQuery {
        let expression = expression.into();
        let any = expression.clone();
        SearchQuery { expression, any, limit: HITS, marks: ("[".to_owned(), "]".to_owned()) }
    }

    /// At most so many hits. Default: 50.
    pub fn limit(mut self, hits: usize) -> SearchQuery {
        self.limit = hits;
        self
    }

    /// What a snippet has before and behind each word that was found. Default: `[` and `]`.
    pub fn marks(mut self, before: impl Into<String>, behind: impl Into<String>) -> SearchQuery {
        self.marks = (before.into(), behind.into());
        self
    }
}

/// Each word once, the last one last, as a string of FTS5, in which nothing but the quotation mark is special.
fn quoted(words: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let words = words.split_whitespace().rev().filter(|word| seen.insert(word.to_lowercase()));
    let mut words: Vec<String> =
        words.map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', " "))).collect();
    words.reverse();
    words
}

/// What a search found, the best first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchHits {
    /// The items.
    pub hits: Vec<SearchHit>,
    /// Whether all of the collection was looked through; not before [`Store::build_search`](crate::Store::build_search) has ended.
    pub complete: bool,
}

/// One item that was found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchHit {
    /// The item's key.
    pub key: String,
    /// How well it fits, by BM25: the smaller the better, and always below 0 or about it.
    pub rank: f64,
    /// A piece of the field in which most was found, some 16 words around it. Of a text of more than 8 KiB, of the first place
    /// in which any of the words is; without marks if that is far behind the beginning.
    pub snippet: String,
}

/// Why a search cannot be declared or run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// No search of that name is declared.
    #[error("there is no search {0:?}")]
    Unknown(String),
    /// A search has between 1 and 16 fields.
    #[error("a search has 1 to 16 fields, not {0}")]
    Fields(usize),
    /// A field is no JSON Pointer (RFC 6901), or one that cannot be searched: with a quotation mark, a backslash or a control
    /// character in it, with more than three numbers, or of more than 4 KiB, of which only the beginning is here.
    #[error("{0:?} is no JSON Pointer to a field that can be searched")]
    Pointer(String),
    /// The expression is longer than allowed, or there are more words.
    #[error("the search expression has more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// FTS5 does not understand the expression.
    #[error("the search expression cannot be read: {0}")]
    Expression(String),
}

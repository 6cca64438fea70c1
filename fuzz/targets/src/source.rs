//! What an input says, read as choices.

use arbitrary::Unstructured;
use std::collections::BTreeMap;
use syncstore::protocol::{BatchId, Json, Object, OpKind, Relation};
use syncstore::{Filter, Ref};

/// What an op or an entry is on and is set to, in the members that say so; nothing of it: the value.
#[derive(Default)]
pub struct OnResource {
    pub index: Option<String>,
    pub order: Option<String>,
    pub relation: Option<String>,
    pub predicate: Option<String>,
    pub object: Option<Object>,
    pub tag: Option<String>,
}

/// An input; at its end every choice is the first one.
pub struct Source<'a>(Unstructured<'a>);

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8]) -> Source<'a> {
        Source(Unstructured::new(bytes))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end.saturating_sub(1)).unwrap_or(0)
    }

    /// True in one of so many cases.
    pub fn one_in(&mut self, cases: usize) -> bool {
        self.below(cases) + 1 == cases
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let len = len.min(self.0.len());
        self.0.bytes(len).unwrap_or_default()
    }

    pub fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(16) as u64,
            1 => self.pick(&[0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 53, u32::MAX as u64, 1 << 60]),
            2 => self.below(1 << 16) as u64,
            _ => self.0.arbitrary().unwrap_or(0),
        }
    }

    /// A number near `expected`, most often that one.
    pub fn near(&mut self, expected: u64) -> u64 {
        match self.below(8) {
            6 => expected.saturating_sub(self.below(4) as u64),
            7 => self.number(),
            _ => expected,
        }
    }

    /// A short text of its own, or a long one of a letter.
    pub fn text(&mut self) -> String {
        let len = self.below(24);
        let text = String::from_utf8_lossy(self.bytes(len)).into_owned();
        if self.one_in(16) { text + &"x".repeat(1 << self.below(17)) } else { text }
    }

    pub fn collection(&mut self) -> String {
        match self.below(8) {
            7 => self.text(),
            n => ["notes", "notes", "notes", "lists", "lists", "new", "a\0b"][n].to_owned(),
        }
    }

    pub fn key(&mut self) -> String {
        match self.below(12) {
            11 => self.text(),
            n => format!("k{n}"),
        }
    }

    /// Everything, or a list that can be sent.
    pub fn filter(&mut self) -> Filter {
        let mut filter = match self.below(12) {
            10 => Filter::everything(),
            11 => Filter::parse(&self.text()).unwrap_or_default(),
            _ => Filter::only::<String>([]),
        };
        for _ in 0..self.below(4) {
            let prefix = match self.below(6) {
                3 => self.key(),
                4 => self.text(),
                5 => "k".into(),
                _ => String::new(),
            };
            filter = filter.and_prefix(self.collection(), prefix);
        }
        if filter.check().is_err() {
            return Filter::everything();
        }
        let read = filter.text().map_or(Ok(Filter::everything()), |text| Filter::parse(&text));
        assert_eq!(read.as_ref(), Ok(&filter), "a filter is what its text says");
        filter
    }

    pub fn kind(&mut self) -> OpKind {
        self.pick(&[OpKind::Set, OpKind::Set, OpKind::Patch, OpKind::Delete])
    }

    /// A name of an index entry, a relation or a tag, or what one is set to.
    pub fn name(&mut self) -> String {
        match self.below(12) {
            11 => self.text(),
            n => ["x", "y", "t", "u"][n % 4].to_owned(),
        }
    }

    fn object(&mut self) -> Object {
        Object { collection: self.collection(), key: self.key() }
    }

    /// An index entry, a relation or a tag; in rare cases several at once, or without what it is set to.
    pub fn on_resource(&mut self, sets: bool) -> OnResource {
        let mut on = OnResource::default();
        let (which, all) = (self.below(3), self.one_in(24));
        let sets = sets != self.one_in(24);
        if which == 0 || all {
            on.index = Some(self.name());
            on.order = sets.then(|| self.name());
        }
        if which == 1 || all {
            on.relation = Some(self.name());
            on.predicate = sets.then(|| self.name());
            on.object = sets.then(|| self.object());
        }
        if which == 2 || all {
            on.tag = Some(self.name());
        }
        on
    }

    /// The index entries, relations and tags of a whole item.
    pub fn resources(&mut self) -> (BTreeMap<String, String>, Vec<Relation>, Vec<String>) {
        let indexes = (0..self.below(3)).map(|_| (self.name(), self.name())).collect();
        let mut relations = Vec::new();
        for _ in 0..self.below(3) {
            relations.push(Relation { id: self.name(), predicate: self.name(), object: self.object() });
        }
        let tags = (0..self.below(3)).map(|_| self.name()).collect();
        (indexes, relations, tags)
    }

    /// A ref that nobody made.
    pub fn foreign_ref(&mut self) -> Ref {
        match self.below(4) {
            0 => Ref::from_bytes([self.below(256) as u8; 16]),
            1 => Ref::from_parts(self.number() as i64, self.number()),
            _ => Ref::from_parts((1_795_132_800_000 << 12) | self.below(64) as i64, self.below(4) as u64),
        }
    }

    pub fn batch(&mut self) -> BatchId {
        BatchId::from_random(self.below(3) as u128)
    }

    /// A JSON text, in rare cases a bad one.
    pub fn json_text(&mut self) -> String {
        match self.below(12) {
            9 => {
                let levels = self.pick(&[100, 127, 128, 129, 250, 256, 257, 300, 520, 5_000]);
                format!("{}{}", "[".repeat(levels), "]".repeat(levels))
            }
            10 => self.text(),
            11 => format!("\"{}\"", "v".repeat(1 << self.below(18))),
            _ => self.value(4),
        }
    }

    fn value(&mut self, levels: usize) -> String {
        let numbers =
            ["0", "-0", "1.5", "1e308", "1e-400", "9223372036854775808", "-9223372036854775808", "1e2", "0.1"];
        match self.below(if levels == 0 { 5 } else { 8 }) {
            0 => "null".into(),
            1 => self.number().to_string(),
            2 => self.pick(&numbers).into(),
            3 => serde_json::to_string(&self.text()).unwrap_or_default(),
            4 => self.pick(&["true", "\"\\u0000\"", "\"\\ud800\"", "{}", "[]", " 1 "]).into(),
            5 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.value(levels - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let mut members = Vec::new();
                for _ in 0..self.below(4) {
                    let name = self.pick(&["a", "b", "", "a/b", "~", "0"]);
                    members.push(format!("\"{name}\":{}", self.value(levels - 1)));
                }
                format!("{{{}}}", members.join(","))
            }
        }
    }

    fn pointer(&mut self) -> String {
        let mut path = String::new();
        for _ in 0..self.below(4) {
            path +=
                self.pick(&["/a", "/b", "/0", "/1", "/-", "/", "/a~1b", "/~0", "/~2", "/00", "/18446744073709551616"]);
        }
        path
    }

    /// The text of a JSON Patch, in rare cases a bad one.
    pub fn patch_text(&mut self) -> String {
        if self.one_in(24) {
            return self.json_text();
        }
        let mut operations = Vec::new();
        for _ in 0..self.below(6) {
            let (path, from) = (self.pointer(), self.pointer());
            operations.push(match self.below(6) {
                0 => format!(r#"{{"op":"add","path":"{path}","value":{}}}"#, self.value(3)),
                1 => format!(r#"{{"op":"replace","path":"{path}","value":{}}}"#, self.value(3)),
                2 => format!(r#"{{"op":"remove","path":"{path}"}}"#),
                3 => format!(r#"{{"op":"test","path":"{path}","value":{}}}"#, self.value(2)),
                4 => format!(r#"{{"op":"move","path":"{path}","from":"{from}"}}"#),
                _ => format!(r#"{{"op":"copy","path":"{path}","from":"{from}"}}"#),
            });
        }
        let repeated = if self.one_in(8) { 1 << self.below(8) } else { 1 };
        format!("[{}]", vec![operations.join(","); repeated].join(","))
    }

    /// A JSON text that a message can carry: good as far as the grammar goes.
    pub fn raw(&mut self, text: String) -> Json {
        Json::from_stored(text).unwrap_or_else(|_| Json::null())
    }
}

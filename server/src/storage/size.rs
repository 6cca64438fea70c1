//! How many bytes what is kept takes in an answer: a page must stay below what a client takes.
//!
//! As JSON, in which a text takes the most: 6 bytes for a control character, and quotes around it.

use super::row::{Image, Link, Payload, Rejection};
use syncstore::protocol::{Object, Relation};

/// What a text takes at most, with its quotes and the comma or the colon behind it.
pub fn of_text(text: &str) -> usize {
    text.len() + 3 + of_escapes(text)
}

/// How many bytes a text's escapes take besides its own.
pub fn of_escapes(text: &str) -> usize {
    let escape = |byte: u8| match byte {
        b'"' | b'\\' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.bytes().map(escape).sum()
}

/// What tags take.
pub fn of_tags(tags: &[String]) -> usize {
    tags.iter().map(|tag| of_text(tag)).sum()
}

fn of_link(predicate: &str, object: &Object) -> usize {
    const AROUND: usize = r#""predicate":"object":{"collection":"key":},"#.len();
    AROUND + of_text(predicate) + of_text(&object.collection) + of_text(&object.key)
}

impl Payload {
    /// How many bytes it adds to an answer at most.
    pub fn size(&self) -> usize {
        match self {
            Payload::Json(json) => json.as_str().len(),
            Payload::Order(order) => of_text(order),
            Payload::Link(Link { predicate, object }) => of_link(predicate, object),
            Payload::Item(image) => image.size(),
        }
    }
}

impl Rejection {
    /// How many bytes it adds to an answer at most, but for the names of its three members.
    pub fn size(&self) -> usize {
        let detail = self.detail.as_ref().map_or(0, |detail| detail.as_str().len());
        of_text(self.code.as_str()) + of_text(&self.message) + detail
    }
}

impl Image {
    /// How many bytes it adds to an answer at most, but for the names of its three members.
    pub fn size(&self) -> usize {
        const AROUND: usize = r#"{"id":},"#.len();
        let indexes = self.indexes.iter().map(|(name, order)| of_text(name) + of_text(order));
        let relations = self
            .relations
            .iter()
            .map(|Relation { id, predicate, object }| AROUND + of_text(id) + of_link(predicate, object));
        self.value.as_str().len() + indexes.sum::<usize>() + relations.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncstore::protocol::Json;

    #[test]
    fn an_image_takes_no_more_than_its_size_and_not_much_less() {
        let all: String = (0..=0x7f_u8).map(char::from).chain(['ä', '\u{2028}', '😀']).collect();
        for name in ["a", "quoted \"name\"", "\u{1}\u{2}", &all] {
            let relation = |id: usize| Relation {
                id: format!("{id}{name}"),
                predicate: name.to_owned(),
                object: Object { collection: name.to_owned(), key: name.to_owned() },
            };
            let image = Image {
                value: Json::null(),
                indexes: (0..50).map(|index| (format!("{index}{name}"), name.to_owned())).collect(),
                relations: (0..50).map(relation).collect(),
            };
            let json = Json::from_serialize(&image).unwrap().into_string().len();
            let members = r#"{"value":,"indexes":{},"relations":[]}"#.len();
            assert!((json..2 * json).contains(&(image.size() + members)), "{name:?}: {json} {}", image.size());
            let order = Payload::Order(name.to_owned()).size();
            assert!(order > Json::from_serialize(name).unwrap().as_str().len());
        }
        assert_eq!(of_tags(&["a".into(), "\"b".into()]), r#""a","\"b","#.len());
    }
}

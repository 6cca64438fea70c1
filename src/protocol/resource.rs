//! The resources of an item other than its value (section 1), and what ops do to them (section 2).

use super::json::Json;
use super::limits::{LimitError, Limits, check_name};
use super::message::{Malformed, OpKind};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The item that a relation leads to; it need not exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// Its collection.
    pub collection: String,
    /// Its key.
    pub key: String,
}

/// A relation of an item, which is its subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Relation {
    /// Names it among the item's relations.
    pub id: String,
    /// What the object is to the subject.
    pub predicate: String,
    /// Where it leads.
    pub object: Object,
}

/// What of an item an op is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource<'a> {
    /// Its value, or the item as a whole.
    Value,
    /// Its entry in the index of that name.
    Index(&'a str),
    /// Its relation of that id.
    Relation(&'a str),
    /// Its tag.
    Tag(&'a str),
}

impl Resource<'_> {
    /// The same, owned.
    pub fn to_name(&self) -> ResourceName {
        match *self {
            Resource::Value => ResourceName::Value,
            Resource::Index(name) => ResourceName::Index(name.to_owned()),
            Resource::Relation(id) => ResourceName::Relation(id.to_owned()),
            Resource::Tag(tag) => ResourceName::Tag(tag.to_owned()),
        }
    }
}

/// What of an item an op is on, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceName {
    /// Its value, or the item as a whole.
    #[default]
    Value,
    /// Its entry in the index of that name.
    Index(String),
    /// Its relation of that id.
    Relation(String),
    /// Its tag.
    Tag(String),
}

impl ResourceName {
    /// The same, borrowed.
    pub fn as_resource(&self) -> Resource<'_> {
        match self {
            ResourceName::Value => Resource::Value,
            ResourceName::Index(name) => Resource::Index(name),
            ResourceName::Relation(id) => Resource::Relation(id),
            ResourceName::Tag(tag) => Resource::Tag(tag),
        }
    }

    /// Its name among those of its kind; the value has none.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            ResourceName::Value => None,
            ResourceName::Index(name) | ResourceName::Relation(name) | ResourceName::Tag(name) => Some(name),
        }
    }

    /// Checks its name: 1 to `limits.name` bytes.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), LimitError> {
        match self {
            ResourceName::Value => Ok(()),
            ResourceName::Index(name) => check_name("index name", name, limits),
            ResourceName::Relation(id) => check_name("relation id", id, limits),
            ResourceName::Tag(tag) => check_name("tag", tag, limits),
        }
    }
}

/// What an index entry, a relation or a tag is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// An index entry's ordering key.
    Order(String),
    /// What a relation is, and where it leads.
    Link { predicate: String, object: Object },
    /// A tag is there or not.
    Tag,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderPayload<'a> {
    order: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkPayload<'a> {
    predicate: Cow<'a, str>,
    object: Cow<'a, Object>,
}

impl Content {
    /// The payload of a set, as JSON text: the body that section 6 has for it. A tag has none.
    pub(crate) fn to_payload(&self) -> Option<String> {
        // Strings alone: they always serialise.
        match self {
            Content::Order(order) => serde_json::to_string(&OrderPayload { order: order.into() }).ok(),
            Content::Link { predicate, object } => {
                serde_json::to_string(&LinkPayload { predicate: predicate.into(), object: Cow::Borrowed(object) }).ok()
            }
            Content::Tag => None,
        }
    }

    /// What such a payload sets; `None`: it is not one of this resource.
    pub(crate) fn from_payload(resource: &ResourceName, payload: Option<&str>) -> Option<Content> {
        match (resource, payload) {
            (ResourceName::Index(_), Some(text)) => {
                let OrderPayload { order } = serde_json::from_str(text).ok()?;
                Some(Content::Order(order.into_owned()))
            }
            (ResourceName::Relation(_), Some(text)) => {
                let LinkPayload { predicate, object } = serde_json::from_str(text).ok()?;
                Some(Content::Link { predicate: predicate.into_owned(), object: object.into_owned() })
            }
            (ResourceName::Tag(_), None) => Some(Content::Tag),
            _ => None,
        }
    }

    /// Checks each of its names: 1 to `limits.name` bytes.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), LimitError> {
        match self {
            Content::Order(order) => check_name("ordering key", order, limits),
            Content::Link { predicate, object } => {
                check_name("predicate", predicate, limits)?;
                check_name("object's collection name", &object.collection, limits)?;
                check_name("object's key", &object.key, limits)
            }
            Content::Tag => Ok(()),
        }
    }
}

/// What an op does, with its payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change<'a> {
    /// Gives the item this value, and makes the item if there is none.
    Set(&'a Json),
    /// Applies a JSON Patch to the value.
    Patch(&'a Json),
    /// Removes the item with everything that it has.
    Delete,
    /// Puts the item into an index.
    SetIndex {
        /// The index.
        name: &'a str,
        /// The ordering key.
        order: &'a str,
    },
    /// Takes the item out of an index.
    DeleteIndex {
        /// The index.
        name: &'a str,
    },
    /// Adds a relation, or changes it.
    SetRelation {
        /// The relation.
        id: &'a str,
        /// What the object is to the item.
        predicate: &'a str,
        /// Where it leads.
        object: &'a Object,
    },
    /// Removes a relation.
    DeleteRelation {
        /// The relation.
        id: &'a str,
    },
    /// Adds a tag.
    AddTag(&'a str),
    /// Removes a tag.
    RemoveTag(&'a str),
}

impl<'a> Change<'a> {
    /// The kind of an op that does it.
    pub fn kind(&self) -> OpKind {
        match self {
            Change::Set(_) | Change::SetIndex { .. } | Change::SetRelation { .. } | Change::AddTag(_) => OpKind::Set,
            Change::Patch(_) => OpKind::Patch,
            Change::Delete | Change::DeleteIndex { .. } | Change::DeleteRelation { .. } | Change::RemoveTag(_) => {
                OpKind::Delete
            }
        }
    }

    /// What it is on.
    pub fn resource(&self) -> Resource<'a> {
        match *self {
            Change::Set(_) | Change::Patch(_) | Change::Delete => Resource::Value,
            Change::SetIndex { name, .. } | Change::DeleteIndex { name } => Resource::Index(name),
            Change::SetRelation { id, .. } | Change::DeleteRelation { id } => Resource::Relation(id),
            Change::AddTag(tag) | Change::RemoveTag(tag) => Resource::Tag(tag),
        }
    }
}

/// The members of an op or an entry that say what it is on and what it does.
pub(super) struct Members<'a> {
    pub kind: OpKind,
    pub value: Option<&'a Json>,
    pub patch: Option<&'a Json>,
    pub index: Option<&'a str>,
    pub order: Option<&'a str>,
    pub relation: Option<&'a str>,
    pub predicate: Option<&'a str>,
    pub object: Option<&'a Object>,
    pub tag: Option<&'a str>,
}

impl<'a> Members<'a> {
    pub fn resource(&self) -> Result<Resource<'a>, Malformed> {
        match (self.index, self.relation, self.tag) {
            (None, None, None) => Ok(Resource::Value),
            (Some(name), None, None) => Ok(Resource::Index(name)),
            (None, Some(id), None) => Ok(Resource::Relation(id)),
            (None, None, Some(tag)) => Ok(Resource::Tag(tag)),
            _ => {
                Err(Malformed("an operation is on the value, an index entry, a relation or a tag, and on one of them"))
            }
        }
    }

    /// The bytes of what there is of them.
    pub fn payload_len(&self) -> usize {
        let json = [self.value, self.patch].into_iter().flatten().map(|json| json.as_str().len());
        let names = [self.index, self.order, self.relation, self.predicate, self.tag];
        let names = names.into_iter().flatten().map(str::len);
        let object = self.object.iter().map(|object| object.collection.len() + object.key.len());
        json.chain(names).chain(object).sum()
    }

    /// Fails when there is not exactly the payload that the table of section 2 asks for.
    pub fn change(&self) -> Result<Change<'a>, Malformed> {
        let resource = self.resource()?;
        let (value, patch) = (self.value, self.patch);
        if (resource != Resource::Value) && (value.is_some() || patch.is_some())
            || !matches!(resource, Resource::Index(_)) && self.order.is_some()
            || !matches!(resource, Resource::Relation(_)) && (self.predicate.is_some() || self.object.is_some())
        {
            return Err(Malformed("an operation has the payload of another resource"));
        }
        match (resource, self.kind) {
            (Resource::Value, OpKind::Set) => match (value, patch) {
                (Some(value), None) => Ok(Change::Set(value)),
                _ => Err(Malformed("a set needs a value and no patch")),
            },
            (Resource::Value, OpKind::Patch) => match (value, patch) {
                (None, Some(patch)) => Ok(Change::Patch(patch)),
                _ => Err(Malformed("a patch needs a patch and no value")),
            },
            (Resource::Value, OpKind::Delete) => match (value, patch) {
                (None, None) => Ok(Change::Delete),
                _ => Err(Malformed("a delete has no payload")),
            },
            (_, OpKind::Patch) => Err(Malformed("only an item's value is patched")),
            (Resource::Index(name), OpKind::Set) => match self.order {
                Some(order) => Ok(Change::SetIndex { name, order }),
                None => Err(Malformed("a set of an index entry needs its ordering key")),
            },
            (Resource::Index(name), OpKind::Delete) => match self.order {
                None => Ok(Change::DeleteIndex { name }),
                Some(_) => Err(Malformed("a delete has no payload")),
            },
            (Resource::Relation(id), OpKind::Set) => match (self.predicate, self.object) {
                (Some(predicate), Some(object)) => Ok(Change::SetRelation { id, predicate, object }),
                _ => Err(Malformed("a set of a relation needs its predicate and its object")),
            },
            (Resource::Relation(id), OpKind::Delete) => match (self.predicate, self.object) {
                (None, None) => Ok(Change::DeleteRelation { id }),
                _ => Err(Malformed("a delete has no payload")),
            },
            (Resource::Tag(tag), OpKind::Set) => Ok(Change::AddTag(tag)),
            (Resource::Tag(tag), OpKind::Delete) => Ok(Change::RemoveTag(tag)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Op, Ref};

    fn op(json: &str) -> Op {
        let head = format!("{{\"ref\":\"{}\",\"collection\":\"c\",\"key\":\"k\",", Ref::from_parts(1, 1));
        serde_json::from_str(&format!("{head}{json}}}")).unwrap()
    }

    #[test]
    fn every_line_of_the_table_is_read_and_written() {
        let object = Object { collection: "folders".into(), key: "f1".into() };
        let lines = [
            (r#""op":"set","index":"by","order":"a""#, Change::SetIndex { name: "by", order: "a" }),
            (r#""op":"delete","index":"by""#, Change::DeleteIndex { name: "by" }),
            (
                r#""op":"set","relation":"r1","predicate":"in","object":{"collection":"folders","key":"f1"}"#,
                Change::SetRelation { id: "r1", predicate: "in", object: &object },
            ),
            (r#""op":"delete","relation":"r1""#, Change::DeleteRelation { id: "r1" }),
            (r#""op":"set","tag":"team:7""#, Change::AddTag("team:7")),
            (r#""op":"delete","tag":"team:7""#, Change::RemoveTag("team:7")),
        ];
        for (json, change) in lines {
            let read = op(json);
            assert_eq!(read.change().unwrap(), change, "{json}");
            let again: Op = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(again.change().unwrap(), change, "{json}");
        }
        assert!(matches!(op(r#""op":"set","value":1"#).change(), Ok(Change::Set(_))));
    }

    #[test]
    fn a_payload_is_read_back_as_what_it_sets_and_of_its_own_resource_only() {
        let object = Object { collection: "folders".into(), key: "f\"1".into() };
        let contents = [
            (ResourceName::Index("by".into()), Content::Order("a\u{1}\"ä".into())),
            (ResourceName::Relation("r".into()), Content::Link { predicate: "in".into(), object }),
            (ResourceName::Tag("t".into()), Content::Tag),
        ];
        for (n, (_, content)) in contents.iter().enumerate() {
            let payload = content.to_payload();
            for (m, (resource, _)) in contents.iter().enumerate() {
                let read = Content::from_payload(resource, payload.as_deref());
                assert_eq!(read.as_ref(), (n == m).then_some(content), "{resource:?} {payload:?}");
            }
        }
        let by = ResourceName::Index("by".into());
        for text in ["", "{}", r#"{"order":1}"#, r#"{"order":"a","more":1}"#] {
            assert_eq!(Content::from_payload(&by, Some(text)), None, "{text}");
        }
    }

    #[test]
    fn each_name_of_a_resource_is_checked() {
        let limits = Limits::default();
        let long = || "n".repeat(129);
        let names: [fn(String) -> ResourceName; 3] = [ResourceName::Index, ResourceName::Relation, ResourceName::Tag];
        for name in names {
            assert!(name("n".repeat(128)).check(&limits).is_ok());
            assert!(name(long()).check(&limits).is_err() && name(String::new()).check(&limits).is_err());
        }
        let link = |predicate: &str, collection: &str, key: &str| Content::Link {
            predicate: predicate.into(),
            object: Object { collection: collection.into(), key: key.into() },
        };
        assert!(link("p", "c", "k").check(&limits).is_ok() && Content::Order("o".into()).check(&limits).is_ok());
        for name in [String::new(), long()] {
            let links = [link(&name, "c", "k"), link("p", &name, "k"), link("p", "c", &name)];
            assert!(links.iter().all(|link| link.check(&limits).is_err()));
            assert!(Content::Order(name).check(&limits).is_err());
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_malformed() {
        let lines = [
            r#""op":"set","index":"by""#,
            r#""op":"set","index":"by","order":"a","value":1"#,
            r#""op":"patch","index":"by","order":"a""#,
            r#""op":"delete","index":"by","order":"a""#,
            r#""op":"set","relation":"r1","predicate":"in""#,
            r#""op":"set","relation":"r1","object":{"collection":"c","key":"k"}"#,
            r#""op":"delete","relation":"r1","predicate":"in""#,
            r#""op":"patch","tag":"t","patch":[]"#,
            r#""op":"set","tag":"t","order":"a""#,
            r#""op":"set","tag":"t","index":"by","order":"a""#,
            r#""op":"set","value":1,"order":"a""#,
            r#""op":"set","value":1,"predicate":"a""#,
            r#""op":"delete","tag":"t","relation":"r""#,
        ];
        for json in lines {
            assert!(op(json).change().is_err(), "{json}");
        }
    }
}

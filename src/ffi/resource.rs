//! What an operation does, and to what

use super::kit::input::CText;
use crate::protocol::{OpKind, ResourceName};

/// What an operation does.
pub type syncstore_op_kind = i32;

/// Replaces the whole value, or creates the item; or sets an index entry, a relation, a tag.
pub const SYNCSTORE_OP_SET: syncstore_op_kind = 1;
/// Applies a JSON Patch (RFC 6902) to the value.
pub const SYNCSTORE_OP_PATCH: syncstore_op_kind = 2;
/// Removes the item, or the index entry, relation or tag.
pub const SYNCSTORE_OP_DELETE: syncstore_op_kind = 3;

/// What of an item an operation, or a conflict, is on.
pub type syncstore_resource = i32;

/// Its value, or the item as a whole.
pub const SYNCSTORE_RESOURCE_VALUE: syncstore_resource = 1;
/// Its entry in an index.
pub const SYNCSTORE_RESOURCE_INDEX: syncstore_resource = 2;
/// A relation of it.
pub const SYNCSTORE_RESOURCE_RELATION: syncstore_resource = 3;
/// A tag of it.
pub const SYNCSTORE_RESOURCE_TAG: syncstore_resource = 4;

pub(super) fn op_kind(kind: OpKind) -> syncstore_op_kind {
    match kind {
        OpKind::Set => SYNCSTORE_OP_SET,
        OpKind::Patch => SYNCSTORE_OP_PATCH,
        OpKind::Delete => SYNCSTORE_OP_DELETE,
    }
}

/// A part of an item, with its name among those of its kind; the value has none.
pub(super) fn resource(name: &ResourceName) -> (syncstore_resource, Option<CText>) {
    match name {
        ResourceName::Value => (SYNCSTORE_RESOURCE_VALUE, None),
        ResourceName::Index(name) => (SYNCSTORE_RESOURCE_INDEX, Some(CText::new(name))),
        ResourceName::Relation(id) => (SYNCSTORE_RESOURCE_RELATION, Some(CText::new(id))),
        ResourceName::Tag(tag) => (SYNCSTORE_RESOURCE_TAG, Some(CText::new(tag))),
    }
}

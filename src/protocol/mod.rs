//! The SyncStore protocol's messages, limits and codecs, without any I/O.
//!
//! The engine, the wires and the reference server all speak through these types, so a rule about
//! a message's form stands in one place. `docs/PROTOCOL.md` is the specification; section numbers
//! in this module refer to it.
//!
//! Messages are plain structs that both sides build whole, so a member that the protocol gains is a change of this
//! crate's version.

pub mod code;
mod codec;
mod data;
mod filter;
mod json;
mod limits;
mod message;
mod name;
pub mod patch;
#[cfg(feature = "protobuf")]
mod protobuf;
mod resource;
mod transcode;
mod tree;

pub use code::Code;
pub use codec::{CodecError, Format};
pub use data::{
    BatchRequest, BatchResponse, CollectionCount, CollectionPage, DataItem, DataOp, IndexBody, ItemIndexes, ItemPage,
    ItemRelations, ItemTags, ListedItem, RelationBody, Written,
};
pub(crate) use filter::after_prefix;
pub use filter::{Filter, FilterError, KeySpan, Scope};
pub use json::{Json, JsonError};
pub use limits::{LimitError, Limits, check_collection, check_key, check_name, is_database_name};
pub use message::{
    CheckpointItem, CheckpointPage, DatabaseInfo, Entry, EntryOutcome, InboxPage, Malformed, Op, OpKind, OpResult,
    Problem, PublishedRetention, PushOutcome, PushRequest, PushResponse,
};
pub use name::{BatchId, ClientId, Cursor, NameError, Ref, Rev, Seq};
#[cfg(feature = "protobuf")]
pub use protobuf::ProtobufError;
pub(crate) use resource::Content;
pub use resource::{Change, Object, Relation, Resource, ResourceName};

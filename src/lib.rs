//! syncstore
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod environment;
pub mod protocol;
pub mod wire;

//! What every function is made with, so that none forgets the panic boundary, a NULL check, or to zero its outputs.

#[macro_use]
pub mod call;
pub mod callback;
pub mod failure;
pub mod handle;
#[macro_use]
pub mod input;
pub mod output;
#[macro_use]
pub mod sized;

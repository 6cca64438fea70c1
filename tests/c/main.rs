//! The C interface as C programs have it: each program here is compiled against include/syncstore.h, linked with the library
//! that cargo builds, and run.
//!
//! `SYNCSTORE_WRITE_HEADER=1 cargo test --test c` writes include/syncstore.h anew.
#![cfg(unix)]

mod abi;
mod building;
mod counterparts;
mod coverage;
mod cpp_programs;
mod declarations;
mod header;
mod live_programs;
mod misuse_calls;
mod programs;
mod symbols;
mod sync_programs;

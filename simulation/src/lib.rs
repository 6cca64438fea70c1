//! Fleets of replicas, their server, their network and their disks in one thread, from one seed.
//!
//! The engine and the server's deciding core are the real ones. Around them everything that is not deterministic is
//! replaced: clocks, randomness, the network and the disks come from a [`Plan`], which comes from a seed. [`run`]
//! plays a plan and panics at the first broken promise; [`run_seeds`] plays many, on as many threads as there are
//! cores, and prints the command that replays the first one that failed.

#![deny(unsafe_code)]

mod clock;
mod correction;
mod dealing;
mod device;
pub mod disk;
mod healing;
mod hearing;
mod inspect;
mod judge;
mod keeping;
mod merging;
mod mischief;
mod network;
mod notices;
mod offence;
mod oracle;
mod outcomes;
mod plan;
mod random;
mod reader;
mod refusals;
mod residue;
mod resolving;
mod rights;
mod runner;
mod secrets;
mod server;
mod stops;
mod told;
mod trace;
mod view;
mod workload;
mod world;

pub use plan::Plan;
pub use random::Random;
pub use runner::{Seeds, fails, run_seeds};
pub use world::{Story, run};

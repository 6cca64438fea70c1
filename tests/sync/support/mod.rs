//! What the tests stand on: servers real and scripted, wires that fail, and a clock that stands still.

pub mod direct;
pub mod environment;
pub mod faulty;
pub mod fleet;
pub mod plain;
pub mod scripted;
pub mod seeds;
pub mod server;

pub use faulty::{Call, Fault, FaultyWire, despite_losses, despite_losses_of_copies};
pub use fleet::{Fleet, get, patch, view};
pub use scripted::ScriptedWire;
pub use seeds::run_seeds;
pub use server::Server;
pub use syncstore_simulation::Random;

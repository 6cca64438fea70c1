//! The service without HTTP: every rule of the protocol that it is to keep, by name.

mod batches;
mod checkpoints;
mod cursors;
mod direct;
mod groups;
mod inbox;
mod neighbours;
mod policies;
mod push;
mod replay;
mod resources;
mod retention;
mod tags;
mod views;
mod visibility;
mod world;

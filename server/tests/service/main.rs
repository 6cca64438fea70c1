//! The service without HTTP: every rule of the protocol that it is to keep, by name.

mod approval;
mod approval_crashes;
mod approval_failures;
mod approval_queue;
mod batches;
mod checkpoints;
mod cursors;
mod direct;
mod filters;
mod groups;
mod inbox;
mod neighbours;
mod office;
mod policies;
mod push;
mod replay;
mod resources;
mod retention;
mod room;
mod tags;
mod views;
mod visibility;
mod work;
mod world;

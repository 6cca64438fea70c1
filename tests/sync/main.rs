//! The client engine with the server's core, and with servers that no reference server is.

mod support;

mod batches;
mod coalescing;
mod convergence;
mod hostile;
mod ledger;
mod rebasing;
mod refusals;
mod repeats;

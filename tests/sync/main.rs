//! The client engine with the server's core, and with servers that no reference server is.

mod support;

mod batches;
mod bootstrap;
mod coalescing;
mod concurrency;
mod convergence;
mod copies;
mod hostile;
mod ledger;
mod limits;
mod listing;
mod rebasing;
mod refusals;
mod repeats;
mod rewound;

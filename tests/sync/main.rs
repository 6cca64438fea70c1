//! The client engine with the server's core, and with servers that no reference server is.

mod support;

mod hostile;

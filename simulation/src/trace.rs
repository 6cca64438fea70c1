//! What happened, line by line, and its fingerprint.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Mutex;

/// The lines kept for a failure's report, when not all are.
const KEPT: usize = 60;

#[derive(Debug)]
pub struct Trace {
    all: bool,
    lines: Mutex<(Vec<String>, DefaultHasher)>,
}

impl Trace {
    /// `all`: keep every line, or the last few.
    pub fn new(all: bool) -> Trace {
        Trace { all, lines: Mutex::new((Vec::new(), DefaultHasher::new())) }
    }

    pub fn line(&self, line: fmt::Arguments<'_>) {
        let line = line.to_string();
        let mut lines = self.lines.lock().expect("no panic while tracing");
        lines.1.write(line.as_bytes());
        lines.1.write_u8(b'\n');
        if !self.all && lines.0.len() >= 2 * KEPT {
            lines.0.drain(..KEPT);
        }
        lines.0.push(line);
    }

    /// Equal for runs in which the same things happened.
    pub fn fingerprint(&self) -> u64 {
        self.lines.lock().expect("no panic while tracing").1.finish()
    }

    pub fn last_lines(&self) -> String {
        let lines = self.lines.lock().expect("no panic while tracing");
        let from = if self.all { 0 } else { lines.0.len().saturating_sub(KEPT) };
        lines.0[from..].join("\n")
    }
}

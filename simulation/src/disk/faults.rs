//! When the machine stops, and which calls fail.

use rusqlite::ffi;
use std::ffi::c_int;

/// What a stop leaves on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The process ends, the machine goes on: what was written stays, synced or not.
    Process,
    /// The machine loses power: of what was not synced, the seed decides.
    Power,
}

/// How one call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Any call: the I/O error of its kind, without change.
    Io,
    /// A write, a change of size or more shared memory: `SQLITE_FULL`, without change.
    Full,
    /// A write: a part of the bytes is written, and the answer is `SQLITE_FULL` or an I/O error, as the seed decides.
    ShortWrite,
    /// A read: an I/O error (not the short read at the end of a file, which is none).
    ShortRead,
}

/// The kinds of calls that count and that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Open,
    Delete,
    Access,
    Read,
    Write,
    Truncate,
    Sync,
    Size,
    /// Mapping shared memory that is there.
    Map,
    /// Mapping shared memory that is made for it.
    Grow,
}

impl Call {
    /// The error of a stopped disk.
    pub fn error(self) -> c_int {
        match self {
            Call::Open => ffi::SQLITE_IOERR,
            Call::Delete => ffi::SQLITE_IOERR_DELETE,
            Call::Access => ffi::SQLITE_IOERR_ACCESS,
            Call::Read => ffi::SQLITE_IOERR_READ,
            Call::Write => ffi::SQLITE_IOERR_WRITE,
            Call::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            Call::Sync => ffi::SQLITE_IOERR_FSYNC,
            Call::Size => ffi::SQLITE_IOERR_FSTAT,
            Call::Map => ffi::SQLITE_IOERR_SHMMAP,
            Call::Grow => ffi::SQLITE_IOERR_SHMSIZE,
        }
    }
}

impl Fault {
    /// Whether such a call can fail in this way.
    fn befalls(self, call: Call) -> bool {
        match self {
            Fault::Io => true,
            Fault::Full => matches!(call, Call::Write | Call::Truncate | Call::Grow),
            Fault::ShortWrite => call == Call::Write,
            Fault::ShortRead => call == Call::Read,
        }
    }
}

/// The faults to come; each counts the calls that it can befall.
#[derive(Debug, Default)]
pub(super) struct Faults {
    once: Option<(u64, Fault)>,
    /// Calls left, of how many each time.
    every: Option<(u64, u64, Fault)>,
    pub struck: u64,
}

impl Faults {
    pub fn once(&mut self, after: u64, fault: Fault) {
        self.once = Some((after.max(1), fault));
    }

    pub fn every(&mut self, n: u64, fault: Fault) {
        self.every = Some((n.max(1), n.max(1), fault));
    }

    pub fn are_to_come(&self) -> bool {
        self.once.is_some() || self.every.is_some()
    }

    pub fn heal(&mut self) {
        (self.once, self.every) = (None, None);
    }

    /// Whether this call fails.
    pub fn strike(&mut self, call: Call) -> Option<Fault> {
        let mut struck = None;
        if let Some((left, n, fault)) = &mut self.every
            && fault.befalls(call)
        {
            *left -= 1;
            if *left == 0 {
                *left = *n;
                struck = Some(*fault);
            }
        }
        if let Some((left, fault)) = &mut self.once
            && fault.befalls(call)
        {
            *left -= 1;
            if *left == 0 {
                struck = Some(*fault);
                self.once = None;
            }
        }
        self.struck += u64::from(struck.is_some());
        struck
    }
}

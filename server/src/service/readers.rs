//! Connections to read with, each used by one request at a time.

use super::ServiceError;
use crate::storage::sqlite::{SqliteFile, SqliteSnapshot};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

// Requests beyond this wait for one another: reads are short, and more of them than cores only evict each
// other's pages.
const MOST: usize = 4;

/// A small pool of connections.
#[derive(Debug)]
pub struct Readers {
    file: SqliteFile,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    used: usize,
}

impl Readers {
    pub fn new(file: SqliteFile) -> Readers {
        Readers { file, pool: Mutex::default(), returned: Condvar::new() }
    }

    /// Reads everything from one moment of the database.
    pub fn read<R>(
        &self,
        read: impl FnOnce(&SqliteSnapshot<'_>) -> Result<R, ServiceError>,
    ) -> Result<R, ServiceError> {
        let idle = {
            let mut pool = self.pool.lock();
            while pool.used >= MOST {
                self.returned.wait(&mut pool);
            }
            pool.used += 1;
            pool.idle.pop()
        };
        let _place = Place(self);
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.file.reader()?,
        };
        let result = read(&SqliteSnapshot::begin(&mut connection)?);
        // One that failed on its file is not used again.
        if !matches!(result, Err(ServiceError::Storage(_))) {
            self.pool.lock().idle.push(connection);
        }
        result
    }

    /// Closes the connections that nobody uses.
    pub fn close(&self) {
        self.pool.lock().idle.clear();
    }
}

struct Place<'a>(&'a Readers);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.pool.lock().used -= 1;
        self.0.returned.notify_one();
    }
}

//! A device: its replica, and its way to the server.

use crate::screen::say_report;
use crate::{DATABASE, Result};
use std::path::{Path, PathBuf};
use syncstore::wire::{Credential, HttpOptions, HttpWire};
use syncstore::{Options, Store, SyncReport};

pub struct Device {
    pub owner: &'static str,
    pub store: Store,
    pub wire: HttpWire,
    file: PathBuf,
}

impl Device {
    pub fn new(owner: &'static str, token: &str, directory: &Path, server: &str) -> Result<Device> {
        let file = directory.join(format!("{owner}.db"));
        let store = Store::open(&file, Options::default())?;
        let http = HttpOptions::default().with_credentials(Credential::bearer(token));
        // Nothing is sent yet: the wire connects when the first sync asks it to.
        let wire = HttpWire::new(server, DATABASE, http)?;
        Ok(Device { owner, store, wire, file })
    }

    /// Opens the replica anew, as an app does when it starts again.
    pub fn reopen(&mut self, options: Options) -> Result<()> {
        self.store = Store::open(&self.file, options)?;
        Ok(())
    }

    /// Syncs, and says what that did.
    pub fn sync(&self) -> Result<SyncReport> {
        let report = self.store.sync(&self.wire)?;
        say_report(self.owner, &report)?;
        Ok(report)
    }
}

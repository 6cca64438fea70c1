//! A server with three users, and each of them without a replica.

use serde_json::Value;
use std::time::Duration;
use syncstore::protocol::Format;
use syncstore::wire::{Compression, Credential, HttpOptions, HttpWire};
use syncstore::{Remote, RemoteError, RemoteRejection};
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};
use tempfile::TempDir;

const CONFIG: &str = r#"
[[credential]]
token = "root-t0ken"
user = "root"
databases = ["db"]
all_tags = true

[[credential]]
token = "ada-t0ken"
user = "ada"
databases = ["db"]
tags = ["user:ada", "team:7"]
grant = ["user:ada"]

[[credential]]
token = "bob-t0ken"
user = "bob"
databases = ["db"]
tags = ["user:bob", "team:7"]
grant = ["user:bob"]

[[credential]]
key = "rpa_1"
secret = "rps_s3cret"
databases = ["db"]
all_tags = true

[collections.strict]
policy = "reject_stale"
"#;

pub struct Office {
    // Stopped before its directory goes.
    pub server: Server,
    pub dir: TempDir,
}

pub fn office() -> Office {
    let dir = tempfile::tempdir().unwrap();
    let options = ServerOptions::new(dir.path().join("server"), Config::parse(CONFIG).unwrap());
    Office { server: Server::start(options).unwrap(), dir }
}

/// Options whose time-outs no test waits for, if all is well.
pub fn options(user: &str) -> HttpOptions {
    let mut options = HttpOptions::default().with_credentials(Credential::bearer(format!("{user}-t0ken")));
    options.call_timeout = Duration::from_secs(20);
    options.compression = Compression::Off;
    options
}

/// Every format of this build, plain and compressed whatever the size.
pub fn ways() -> Vec<HttpOptions> {
    let mut ways = Vec::new();
    for &format in Format::ALL {
        for compression in [Compression::Off, Compression::On] {
            let mut options = options("root");
            (options.format, options.compression, options.compress_above) = (format, compression, 0);
            ways.push(options);
        }
    }
    ways
}

impl Office {
    pub fn remote(&self, user: &str) -> Remote {
        Remote::new(&self.server.url(), "db", options(user)).unwrap()
    }

    pub fn wire(&self, user: &str) -> HttpWire {
        HttpWire::new(&self.server.url(), "db", options(user)).unwrap()
    }
}

/// The value of an item that must be there.
#[track_caller]
pub fn value(remote: &Remote, collection: &str, key: &str) -> Value {
    remote.get(collection, key).unwrap().unwrap().value.to().unwrap()
}

#[track_caller]
pub fn rejection<T: std::fmt::Debug>(result: Result<T, RemoteError>) -> RemoteRejection {
    match result {
        Err(RemoteError::Rejected(rejection)) => *rejection,
        other => panic!("{other:?}"),
    }
}

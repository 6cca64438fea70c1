//! A whole server within a process: the service, its port and its threads.

use crate::approver::InvalidUrl;
use crate::config::{Config, Databases};
use crate::http::{App, Limits, THREADS, router, serve};
use crate::service::{self, Service, ServiceError, ServiceOptions};
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use syncstore::environment::{Environment, SystemEnvironment};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What a [`Server`] is to serve, and where.
#[derive(Clone)]
pub struct ServerOptions {
    /// The directory of the databases; created when missing.
    pub data: PathBuf,
    /// Address and port to listen on, `host:port`; port 0: any free one.
    pub listen: String,
    /// Who may come in, and the limits.
    pub config: Config,
    /// Begin a new epoch in each database: once, after `data` was restored from a backup.
    pub new_epoch: bool,
    /// Clock and randomness.
    pub environment: Arc<dyn Environment>,
}

impl ServerOptions {
    /// A configured server of the databases in `data`, on a free port of the loopback address.
    pub fn new(data: impl Into<PathBuf>, config: Config) -> ServerOptions {
        ServerOptions {
            data: data.into(),
            listen: "127.0.0.1:0".into(),
            config,
            new_epoch: false,
            environment: Arc::new(SystemEnvironment::default()),
        }
    }

    /// A server without credentials ([`Config::dev`]), on a free port of the loopback address.
    pub fn dev(data: impl Into<PathBuf>) -> ServerOptions {
        ServerOptions::new(data, Config::dev())
    }
}

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Without credentials, others than this machine would be let in.
    #[error("without credentials it listens on loopback addresses only, and {0} is not one")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {error}")]
    Listen {
        /// As the options have it.
        listen: String,
        /// What the system says.
        error: io::Error,
    },
    /// Another server has the data directory.
    #[error("{} is in use by another syncstore-server", .0.display())]
    InUse(PathBuf),
    /// The data directory cannot be locked.
    #[error("the data directory cannot be used: {}: {error}", path.display())]
    Lock {
        /// The lock's file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The data directory cannot be used.
    #[error("the data directory cannot be used: {0}")]
    Service(#[from] ServiceError),
    /// The approver cannot be asked.
    #[error("the approver's url cannot be used: {0}")]
    Approver(#[from] InvalidUrl),
    /// The threads cannot be started.
    #[error("cannot start the server's threads: {0}")]
    Threads(#[source] io::Error),
}

/// A running server, on threads of its own. Dropping it stops it.
///
/// Every method may be called from any thread; [`Server::stop`] and dropping block until all has ended, so
/// not from within an asynchronous task.
pub struct Server {
    addr: SocketAddr,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Locks a data directory for one server, which would not wake the held requests of another; the end of the process unlocks
/// it. Does nothing on a file system without locks.
fn lock_data(data: &Path) -> Result<DataLock, StartError> {
    let path = data.join("lock");
    let failed = |error| StartError::Lock { path: path.clone(), error };
    std::fs::create_dir_all(data).map_err(failed)?;
    let file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(DataLock::new(file)),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(data.to_owned())),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(DataLock::new(file)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The hand on a data directory, of the process that took it.
struct DataLock {
    file: File,
    process: u32,
}

impl DataLock {
    fn new(file: File) -> DataLock {
        DataLock { file, process: std::process::id() }
    }
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // Closed alone, it would be kept by a process that was forked meanwhile, for as long as it is open there; and that one must not take it away.
        if self.process == std::process::id() {
            let _ = self.file.unlock();
        }
    }
}

impl Server {
    /// Opens the data directory, listens and serves; returns once requests are taken.
    pub fn start(options: ServerOptions) -> Result<Server, StartError> {
        let ServerOptions { data, listen, config, new_epoch, environment } = options;
        let unusable = |error| StartError::Listen { listen: listen.clone(), error };
        let addresses: Vec<SocketAddr> = listen.to_socket_addrs().map_err(unusable)?.collect();
        if config.dev
            && let Some(open) = addresses.iter().find(|address| !address.ip().is_loopback())
        {
            return Err(StartError::NotLoopback(*open));
        }
        let listener = TcpListener::bind(&addresses[..]).map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let addr = listener.local_addr().map_err(unusable)?;
        let lock = lock_data(&data)?;
        let service = Service::open(service_options(data, &config, new_epoch, environment.clone())?)?;
        let service = Arc::new(service);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("syncstore-http")
            .max_blocking_threads(THREADS)
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let (stop, stopping) = watch::channel(false);
        let app = Arc::new(App::new(&config, service.clone(), environment, stopping.clone()));
        let limits = Limits {
            connections: config.limits.connections,
            header: config.limits.header_timeout(),
            stall: config.limits.body_timeout(),
            shutdown: config.limits.shutdown_timeout(),
        };
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(unusable)?
        };
        let serving = {
            let service = service.clone();
            move || {
                run(&runtime, listener, app, limits, stopping);
                // The pushes first: what was answered is durable, what was not waits for its answer no more.
                service.shutdown();
                drop(runtime);
                drop(lock);
            }
        };
        let thread = std::thread::Builder::new().name("syncstore-server".into()).spawn(serving);
        let thread = thread.map_err(StartError::Threads)?;
        Ok(Server { addr, service, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its URL without a path, `http://127.0.0.1:7878`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The service behind it, to look at the databases without HTTP.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Stops: takes no more connections, answers held requests at once, finishes those under way (for
    /// `limits.shutdown_seconds`), closes the databases. Returns when all of it is done.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server's thread ended in a panic");
        }
    }
}

fn run(
    runtime: &Runtime,
    listener: tokio::net::TcpListener,
    app: Arc<App>,
    limits: Limits,
    stopping: watch::Receiver<bool>,
) {
    let router = router(app.clone());
    runtime.block_on(serve(listener, app, router, limits, stopping));
}

fn service_options(
    data: PathBuf,
    config: &Config,
    new_epoch: bool,
    environment: Arc<dyn Environment>,
) -> Result<ServiceOptions, InvalidUrl> {
    let mut options = ServiceOptions::new(data);
    let (databases, named) = databases(config);
    (options.databases, options.named) = (databases, named);
    options.policies = config.collections.iter().map(|(name, collection)| (name.clone(), collection.policy)).collect();
    options.approval = config.approver.as_ref().map(|approver| approver.options()).transpose()?;
    if let Some(approval) = &mut options.approval {
        (approval.queue_ops, approval.queue_bytes) = (config.limits.queued_ops, config.limits.queued_bytes);
    }
    options.limits = config.limits.on_the_wire();
    options.retention = config.limits.retention();
    options.environment = environment;
    options.new_epoch = new_epoch;
    options.open_databases = config.limits.open_databases;
    options.most_databases = config.limits.databases;
    options.largest_database = config.limits.database;
    Ok(options)
}

// What may be there, and what is named: databases that no credential opens need not be there.
fn databases(config: &Config) -> (service::Databases, BTreeSet<String>) {
    let (mut named, mut any) = (BTreeSet::new(), config.dev);
    for credential in &config.credentials {
        match &credential.databases {
            Databases::All => any = true,
            Databases::Only(names) => named.extend(names.iter().cloned()),
        }
    }
    if any { (service::Databases::Any, named) } else { (service::Databases::Named(named), BTreeSet::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_server_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Server::start(ServerOptions::dev(dir.path())).unwrap();
        let second = Server::start(ServerOptions::dev(dir.path()));
        assert!(matches!(second, Err(StartError::InUse(_))));
        first.stop();
        Server::start(ServerOptions::dev(dir.path())).unwrap().stop();
    }

    #[test]
    fn a_forked_process_neither_keeps_nor_takes_away_a_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let lock = lock_data(dir.path()).unwrap();
        let fork = || DataLock { file: lock.file.try_clone().unwrap(), process: 0 };
        let forked = fork();
        drop(fork());
        assert!(matches!(lock_data(dir.path()), Err(StartError::InUse(_))), "the fork let go, its parent has not");
        drop(lock);
        lock_data(dir.path()).unwrap();
        drop(forked);
    }
}

//! The program `syncstore-server`.
#![forbid(unsafe_code)]

mod arguments;

use arguments::{Command, HELP, Serve};
use std::io::Write;
use std::process::ExitCode;
use syncstore_server::config::{Config, ConfigError};
use syncstore_server::{Server, ServerOptions, StartError};
use tracing_subscriber::EnvFilter;

// What the command line or the configuration has wrong, and what went wrong afterwards.
const USAGE: u8 = 2;
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(message) => return fail(USAGE, &message),
    };
    let serve = match command {
        Command::Help => return say(HELP),
        Command::Version => return say(concat!("syncstore-server ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Serve(serve) => serve,
    };
    match run(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => fail(code, &message),
    }
}

fn run(serve: Serve) -> Result<(), (u8, String)> {
    start_log(serve.json_log);
    let config = match &serve.config {
        None => Config::dev(),
        Some(path) => Config::read(path).map_err(|error| {
            let remedy = match &error {
                ConfigError::Unreadable(_) => "; name a file that can be read with --config",
                _ => "",
            };
            (USAGE, format!("{}: {error}{remedy}", path.display()))
        })?,
    };
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let mut options = ServerOptions::new(serve.data, config);
    options.listen = serve.listen;
    options.new_epoch = serve.new_epoch;
    // Before the server starts, so that no signal finds the default action, which would cut requests off.
    let signals = Signals::new().map_err(|error| (FAILED, format!("cannot listen for signals: {error}")))?;
    let server = Server::start(options).map_err(|error| match &error {
        StartError::NotLoopback(_) => (USAGE, format!("{error}; use 127.0.0.1 or --config FILE with credentials")),
        StartError::Listen { .. } => (FAILED, format!("{error}; choose another address with --listen")),
        _ => (FAILED, error.to_string()),
    })?;
    // On standard output, for a script that asked for port 0.
    let _ = say(&format!("syncstore-server listens on {}\n", server.url()));
    tracing::info!(url = server.url(), "listening");
    let signal = signals.wait();
    tracing::info!(signal, "stopping");
    server.stop();
    tracing::info!("stopped");
    Ok(())
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { log.json().init() } else { log.with_ansi(false).init() }
}

fn say(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr(), "syncstore-server: {message}");
    ExitCode::from(code)
}

/// The signals that end the server, from its start on.
struct Signals {
    runtime: tokio::runtime::Runtime,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (terminate, interrupt) = {
            let _context = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        Ok(Signals { runtime, terminate, interrupt })
    }

    #[cfg(unix)]
    fn wait(mut self) -> &'static str {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            }
        })
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Signals> {
        Ok(Signals { runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    #[cfg(not(unix))]
    fn wait(self) -> &'static str {
        let _ = self.runtime.block_on(tokio::signal::ctrl_c());
        "Ctrl-C"
    }
}

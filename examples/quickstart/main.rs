//! Two replicas and one server: offline edits, a failing connection, a rejection, an expired cursor, and
//! in the end the same records everywhere.
//!
//!     cargo run --release -p quickstart
//!     cargo run --release -p quickstart -- FILE    # one JSON object per line, or one JSON array
//!
//! Everything happens in this process and in a temporary directory. The story is told in the order in which
//! it is called below: `offline` is what an app does all day, `trouble` what it must survive, `ending` the proof.

mod calendar;
mod device;
mod ending;
mod offline;
mod records;
mod screen;
mod trouble;
mod unreliable;

use calendar::Calendar;
use device::Device;
use records::Records;
use screen::{bytes, say, title};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use syncstore_server::config::Config;
use syncstore_server::{Server, ServerOptions};

/// Errors are only ever shown here, so any will do.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: quickstart [FILE]
       cargo run --release -p quickstart -- [FILE]
FILE holds JSON objects, one per line or in one array; without it, the story is
told with the records of examples/data/emoji.jsonl.";

const DATABASE: &str = "quickstart";

/// The collection of the records that were read; the others hold what the story adds.
const RECORDS: &str = "records";
const NOTES: &str = "notes";
const SETTINGS: &str = "settings";
const INVOICES: &str = "invoices";
const JOURNAL: &str = "journal";

/// Entries of its log that the server keeps: few, so that a cursor expires within the story.
const LOG_RETENTION: u64 = 1_000;

/// What `syncstore-server --config server.toml` would read.
const SERVER_TOML: &str = r#"
[[credential]]
token = "ada-s3cret"
user = "ada"
databases = ["quickstart"]
all_tags = true

[[credential]]
token = "bob-s3cret"
user = "bob"
databases = ["quickstart"]
all_tags = true

# An invoice that somebody else has changed meanwhile must be looked at before it is changed again.
[collections.invoices]
policy = "reject_stale"
"#;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads any further, as in `… | head`: no reason to complain.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nquickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run() -> Result<()> {
    let Some(file) = file()? else {
        return Ok(screen::line(USAGE)?);
    };
    let records = Records::read(&file)?;
    introduce(&file, &records)?;

    let directory = tempfile::tempdir()?;
    let calendar = Arc::new(Calendar::default());
    let server = start_server(&directory.path().join("server"), calendar.clone())?;
    let mut ada = Device::new("Ada", "ada-s3cret", directory.path(), &server.url())?;
    let mut bob = Device::new("Bob", "bob-s3cret", directory.path(), &server.url())?;
    say(format!("server {} (in this process)", server.url()))?;
    say(format!("data in {}, which is removed at the end", directory.path().display()))?;

    offline::load(&ada, &records)?;
    offline::first_sync(&ada)?;
    offline::bootstrap(&mut bob, &records)?;
    let edits = offline::edit(&ada, &bob, &records)?;

    trouble::broken_connection(&mut ada)?;
    trouble::rejection(&ada, &bob, &edits)?;
    trouble::expired_cursor(&ada, &bob, &server, &calendar)?;

    let proof = Device::new("A new replica", "ada-s3cret", directory.path(), &server.url())?;
    ending::compare(&ada, &bob, &proof)?;
    ending::check_records(&proof, &records, &edits)?;

    // Not needed (dropping them does the same), but here is how it ends.
    drop((ada, bob, proof));
    server.stop();
    Ok(())
}

/// The file to read; none when only the usage was asked for.
fn file() -> Result<Option<PathBuf>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => Ok(Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/emoji.jsonl"))),
        [one] if one == "--help" || one == "-h" => Ok(None),
        [file] if !file.as_encoded_bytes().starts_with(b"-") => Ok(Some(file.into())),
        _ => Err(USAGE.into()),
    }
}

fn introduce(file: &Path, records: &Records) -> Result<()> {
    title("SyncStore quickstart: two replicas, one server")?;
    let keys: Vec<_> = records.keys_from.keys().copied().collect();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let read = screen::records(records.list.len());
    say(format!("data {name}: {read}, {}, keys from {}", bytes(records.bytes as u64), keys.join(", ")))?;
    if let Some((place, key)) = records.repeated.first() {
        let repeating = screen::records(records.repeated.len());
        say(format!("{repeating} with the key of an earlier one got a new key, the first {key:?} ({place})"))?;
    }
    Ok(())
}

fn start_server(data: &Path, calendar: Arc<Calendar>) -> Result<Server> {
    let mut config = Config::parse(SERVER_TOML)?;
    config.limits.log_retention = LOG_RETENTION;
    let mut options = ServerOptions::new(data, config);
    options.environment = calendar;
    Ok(Server::start(options)?)
}

/// Ends the story with an error when what it has just told is not true.
fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.into().into()) }
}

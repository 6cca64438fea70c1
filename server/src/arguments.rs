//! The command line of `syncstore-server`.

use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
syncstore-server: the reference server of the SyncStore protocol

Usage:
  syncstore-server --data DIR [--listen ADDR] --dev
  syncstore-server --data DIR [--listen ADDR] --config FILE [--new-epoch]

Options:
  --data DIR        the directory of the databases; created when missing
  --listen ADDR     address and port, 127.0.0.1:7878 by default; port 0 is any free one
  --dev             no credentials: everybody is the user dev and may use any database;
                    loopback addresses only
  --config FILE     the configuration, server.toml (see docs/SERVER.md)
  --new-epoch       begin a new epoch in each database: once, after restoring DIR from a backup
  --log text|json   the form of the log on standard error; RUST_LOG sets its level (info)
  -h, --help        this text
  -V, --version     the version

SIGTERM and SIGINT stop it: requests under way are finished first.
";

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Version,
    Serve(Serve),
}

/// How to serve.
#[derive(Debug, PartialEq)]
pub(crate) struct Serve {
    pub(crate) data: PathBuf,
    pub(crate) listen: String,
    /// `None` is `--dev`.
    pub(crate) config: Option<PathBuf>,
    pub(crate) new_epoch: bool,
    pub(crate) json_log: bool,
}

impl Command {
    /// Reads the arguments after the program's name; the error is one line that says what to do.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let (mut data, mut config, mut listen) = (None::<PathBuf>, None::<PathBuf>, None::<String>);
        let (mut dev, mut new_epoch, mut json_log) = (false, false, false);
        let broken = |error: lexopt::Error| format!("{error}; see --help");
        while let Some(argument) = parser.next().map_err(broken)? {
            match argument {
                Long("data") => data = Some(parser.value().map_err(broken)?.into()),
                Long("config") => config = Some(parser.value().map_err(broken)?.into()),
                Long("listen") => listen = Some(parser.value().and_then(|value| value.string()).map_err(broken)?),
                Long("dev") => dev = true,
                Long("new-epoch") => new_epoch = true,
                Long("log") => {
                    json_log = match parser.value().map_err(broken)?.to_str() {
                        Some("json") => true,
                        Some("text") => false,
                        _ => return Err("--log takes text or json".into()),
                    }
                }
                Short('h') | Long("help") => return Ok(Command::Help),
                Short('V') | Long("version") => return Ok(Command::Version),
                other => return Err(broken(other.unexpected())),
            }
        }
        let data = data.ok_or("where are the databases? add --data DIR")?;
        match (dev, &config) {
            (true, Some(_)) => return Err("--dev takes no --config; leave one of them out".into()),
            (false, None) => {
                return Err("who may use the server? add --config FILE, or --dev to try it without credentials".into());
            }
            _ => {}
        }
        let listen = listen.unwrap_or_else(|| "127.0.0.1:7878".into());
        Ok(Command::Serve(Serve { data, listen, config, new_epoch, json_log }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_two_ways_to_serve() {
        let dev = Serve {
            data: "d".into(),
            listen: "127.0.0.1:7878".into(),
            config: None,
            new_epoch: false,
            json_log: false,
        };
        assert_eq!(parse("--data d --dev"), Ok(Command::Serve(dev)));
        let configured = Serve {
            data: "d".into(),
            listen: "0.0.0.0:80".into(),
            config: Some("server.toml".into()),
            new_epoch: true,
            json_log: true,
        };
        let line = "--config=server.toml --data d --listen 0.0.0.0:80 --new-epoch --log json";
        assert_eq!(parse(line), Ok(Command::Serve(configured)));
        assert_eq!(parse("--dev --help"), Ok(Command::Help));
        assert_eq!(parse("-V"), Ok(Command::Version));
    }

    #[test]
    fn each_bad_line_is_told_in_one_line_with_what_to_do() {
        for (line, remedy) in [
            ("", "--data"),
            ("--data", "--help"),
            ("--data d", "--config"),
            ("--data d --dev --config c", "leave one of them out"),
            ("--data d --dev --log xml", "text or json"),
            ("--data d --dev --verbose", "--help"),
            ("--data d --dev extra", "--help"),
            ("--data d --dev=yes", "--help"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(remedy) && !error.contains('\n'), "{line}: {error}");
        }
    }
}

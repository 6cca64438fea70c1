//! The server's disk misbehaves at each call in turn, while the host's is sound.

use crate::rig::{Beginning, Server};
use crate::script::{Host, step};
use rusqlite::{Connection, OpenFlags};
use syncstore::Durability;
use syncstore_simulation::disk::{Disk, Fault, Stop};

fn run_with(what: &str, stride: usize, misbehave: impl Fn(&Disk, u64)) {
    let beginning = Beginning::new();
    let directory = tempfile::tempdir().unwrap();
    let mut hit = 0;
    for n in (1..).step_by(step(stride)) {
        let server = beginning.server_on(Disk::new(n));
        let mut host = Host::new(Disk::new(n), &directory, Durability::Normal);
        misbehave(&server.disk, n);
        host.run(&server);
        let over = !server.disk.is_stopped() && server.disk.faults() == 0;
        // The operator's part: the process ends and begins again.
        server.close();
        server.disk.heal();
        server.disk.restart();
        assert_eq!(integrity(&server), "ok", "{what} {n}");
        server.open();
        println!("{what} at {n}: {} answers failed, {:?}", server.errors(), host.errors);
        if over {
            assert!(host.errors.is_empty(), "nothing failed, and yet {:?}", host.errors);
            break;
        }
        hit += 1;
        host.verify(&server, false);
    }
    println!("{what}: {hit} runs");
    assert!(hit > 10);
}

fn integrity(server: &Server) -> String {
    let files = server.disk.files();
    let file = files.iter().map(|(path, _)| path).find(|path| !path.to_string_lossy().ends_with("-wal"));
    let file = file.unwrap_or_else(|| panic!("{files:?}"));
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags_and_vfs(file, flags, server.disk.name()).unwrap();
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_io_error_at_any_call_of_the_server_costs_nothing() {
    run_with("io", 7, |disk, n| disk.fail_after(n, Fault::Io));
}

#[test]
fn a_full_disk_at_any_call_of_the_server_costs_nothing() {
    run_with("full", 5, |disk, n| disk.fail_after(n, Fault::Full));
}

#[test]
fn a_power_loss_at_any_call_of_the_server_costs_nothing_that_it_answered() {
    run_with("power", 7, |disk, n| disk.stop_after(n, Stop::Power));
}

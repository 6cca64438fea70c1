//! One call of the disk fails, each in turn, and the host goes on.

use crate::rig::Beginning;
use crate::script::{Host, step};
use syncstore::{Durability, Error};
use syncstore_simulation::disk::{Disk, Fault};

fn fail_each(fault: Fault, stride: usize) {
    let beginning = Beginning::new();
    let directory = tempfile::tempdir().unwrap();
    let (mut struck, mut told) = (0, 0);
    for n in (1..).step_by(step(stride)) {
        let (disk, server) = (Disk::new(n), beginning.server());
        let mut host = Host::new(disk.clone(), &directory, Durability::Normal);
        disk.fail_after(n, fault);
        host.run(&server);
        disk.heal();
        if disk.faults() == 0 {
            assert!(host.errors.is_empty(), "nothing failed, and yet {:?}", host.errors);
            assert!(host.turned_back, "it migrates a file");
            break;
        }
        struck += 1;
        told += u64::from(!host.errors.is_empty());
        println!("{fault:?} at {n}: {:?}", host.errors);
        host.verify(&server, false);
    }
    println!("{fault:?}: {struck} runs with a fault, {told} of them with an error");
    assert!(struck > 10 && told > 0);
}

#[test]
fn an_io_error_at_any_call_costs_nothing_that_was_answered() {
    fail_each(Fault::Io, 9);
}

#[test]
fn a_full_disk_at_any_call_costs_nothing_that_was_answered() {
    fail_each(Fault::Full, 3);
}

#[test]
fn a_short_write_at_any_call_costs_nothing_that_was_answered() {
    fail_each(Fault::ShortWrite, 3);
}

#[test]
fn faults_at_every_few_calls_cost_nothing_that_was_answered() {
    let beginning = Beginning::new();
    let directory = tempfile::tempdir().unwrap();
    for fault in [Fault::Io, Fault::Full, Fault::ShortWrite, Fault::ShortRead] {
        for every in (1..120).step_by(step(8)) {
            let (disk, server) = (Disk::new(every), beginning.server());
            let mut host = Host::new(disk.clone(), &directory, Durability::Normal);
            disk.fail_every(every, fault);
            host.run(&server);
            disk.heal();
            println!("{fault:?} at every {every}: {} errors", host.errors.len());
            host.verify(&server, false);
        }
    }
}

#[test]
fn a_disk_that_fills_up_costs_nothing_that_was_answered() {
    let beginning = Beginning::new();
    let directory = tempfile::tempdir().unwrap();
    let mut filled = 0;
    for capacity in (0..).step_by(1_000 * step(23)) {
        let (disk, server) = (Disk::new(capacity), beginning.server());
        let mut host = Host::new(disk.clone(), &directory, Durability::Normal);
        disk.set_capacity(Some(capacity));
        host.run(&server);
        if host.errors.is_empty() {
            break;
        }
        filled += 1;
        let full = |error: &Error| matches!(error, Error::DiskFull);
        assert!(host.errors.iter().all(full), "{capacity} bytes: {:?}", host.errors);
        disk.set_capacity(None);
        host.verify(&server, false);
    }
    assert!(filled > 3, "{filled} sizes were too small");
}

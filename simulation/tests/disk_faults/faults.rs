//! One call of the disk fails, each in turn, and the host goes on.

use crate::rig::Beginning;
use crate::script::{Host, step};
use syncstore::Durability;
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

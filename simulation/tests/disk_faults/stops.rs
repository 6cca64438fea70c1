//! The machine stops at each call in turn.

use crate::rig::Beginning;
use crate::script::{Host, step};
use syncstore::Durability;
use syncstore_simulation::disk::{Disk, Stop};

fn stop_at_each(how: Stop, durability: Durability, losable: bool) {
    let beginning = Beginning::new();
    let directory = tempfile::tempdir().unwrap();
    let (mut stops, mut lost) = (0, 0);
    for n in (1..).step_by(step(9)) {
        let (disk, server) = (Disk::new(n), beginning.server());
        let mut host = Host::new(disk.clone(), &directory, durability);
        disk.stop_after(n, how);
        host.run(&server);
        host.close();
        let stopped = disk.is_stopped();
        disk.restart();
        if !stopped {
            assert!(host.errors.is_empty(), "nothing stopped, and yet {:?}", host.errors);
            break;
        }
        println!("{how:?} at {n}");
        stops += 1;
        lost += host.verify(&server, losable);
    }
    println!("{how:?}, {durability:?}: {stops} stops took {lost} writes");
    assert!(stops > 10);
    assert_eq!(lost > 0, losable, "{lost} writes were lost");
}

#[test]
fn the_end_of_the_process_at_any_call_costs_nothing_that_was_answered() {
    stop_at_each(Stop::Process, Durability::Normal, false);
}

#[test]
fn a_power_loss_at_any_call_costs_nothing_that_was_answered_with_full_durability() {
    stop_at_each(Stop::Power, Durability::Full, false);
}

#[test]
fn a_power_loss_at_any_call_costs_only_the_last_writes_that_were_never_sent() {
    stop_at_each(Stop::Power, Durability::Normal, true);
}

#[test]
fn a_replica_that_dies_again_and_again_ends_where_the_server_is() {
    let beginning = Beginning::new();
    let directory = tempfile::tempdir().unwrap();
    for seed in 0..160 / step(8) as u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (disk, server) = (Disk::new(seed), beginning.server());
        let mut host = Host::new(disk.clone(), &directory, Durability::Normal);
        for _ in 0..5 {
            let how = if random.bool() { Stop::Power } else { Stop::Process };
            disk.stop_after(random.u64(1..900), how);
            host.run(&server);
            host.close();
            disk.restart();
            // Mostly the next life begins without having caught up.
            if random.u8(0..4) == 0 {
                host.verify(&server, true);
            } else {
                host.survey(&server, true);
            }
        }
        host.verify(&server, true);
    }
}

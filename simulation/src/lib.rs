//! Fleets of replicas, their server, their network and their disks in one thread, from one seed.

#![deny(unsafe_code)]

pub mod disk;

//! What really happens: processes die, connections break, locks run out, services are down. No command may be lost and
//! no state recorded twice.
//!
//! `cargo xtask check --only faults` runs these one after the other and shows their counts. Each run also proves that its fault took
//! place: a count of zero where there must be some is a failure. `FAULTS_SEED` repeats the choices of an earlier run.

mod campaign;
mod connections;
mod evidence;
mod floods;
mod kills;
mod locks;
mod neighbours;
mod outages;
mod phases;
mod tally;

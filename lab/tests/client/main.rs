//! Conformance of `azure_messaging_servicebus` against the lab's broker: each test begins with the number of the client
//! check that it shows.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod authorization;
mod batches;
mod by_number;
mod journey;
mod links;
mod receiving;
mod recovery;
mod sending;
mod settling;
mod size;
mod throttling;
mod traces;
mod world;

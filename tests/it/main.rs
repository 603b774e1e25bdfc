//! System tests: the real `handler` process under the lab, as a black box.
//!
//! Each test starts a world of its own on ports of its own. Add one by writing a module here, and closing its world
//! with [`support::World::close`], which fails the test if anything was left open.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may end it"
)]

mod blobs;
mod check;
mod custom_handler;
mod deployment;
mod faults;
mod http_contract;
mod infrastructure;
mod isolation;
mod leaks;
mod lifecycle;
mod local_identity;
mod messages;
mod package;
mod peer_broker;
mod published_schemas;
mod refusals;
mod round_trip;
mod secrets;
mod settings;
mod statuses;
mod support;
mod waits;

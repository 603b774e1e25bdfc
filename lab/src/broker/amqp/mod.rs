//! One connection: sessions, links, credit, and the two tasks that move its bytes.
//!
//! The reading task ([`connection`]) owns all state. It reads what is there, handles each frame ([`frames`],
//! [`attach`], [`waits`], [`session`]), then lets messages and answers flow ([`pump`]) into one buffer, and hands the buffer to
//! the writing task ([`outlet`]). It never waits for a write, so a peer whose socket is full can still be read.

pub(crate) mod attach;
pub(crate) mod connection;
pub(crate) mod deadlines;
pub(crate) mod error;
pub(crate) mod frames;
pub(crate) mod incoming;
pub(crate) mod nodes;
pub(crate) mod outgoing;
pub(crate) mod outlet;
pub(crate) mod pump;
pub(crate) mod runs;
pub(crate) mod session;
pub(crate) mod settle;
pub(crate) mod waits;

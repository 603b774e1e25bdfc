//! `lab broker` as a process of its own: what a user of Microsoft's emulator meets, and how much of the machine it takes.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod bounds;
mod child;
mod emulator;

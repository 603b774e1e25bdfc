//! The walk through the sections of a message, on anything that a peer may send.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lab::broker::untrusted::sections(bytes));

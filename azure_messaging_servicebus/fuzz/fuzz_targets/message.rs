//! The reader of received messages, on anything that another sender may have written.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| azure_messaging_servicebus::untrusted::message(bytes));

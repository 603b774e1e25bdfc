//! The stream under fe2o3-amqp and what it lets pass, on anything that a service may send.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| azure_messaging_servicebus::untrusted::frames(bytes));

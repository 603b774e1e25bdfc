//! Bytes: frames, values, message sections, request and response messages. No I/O but the reading of frames.

mod annotations;
mod arrays;
pub(crate) mod codec;
pub(crate) mod coordinator;
pub(crate) mod edit;
pub(crate) mod handshake;
pub(crate) mod message;
pub(crate) mod request;
#[cfg(any(test, fuzzing))]
pub mod untrusted;
pub(crate) mod value;
pub(crate) mod websocket;

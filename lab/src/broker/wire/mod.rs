//! Bytes: frames, values, message sections, request and response messages. No I/O but the reading of frames.

pub(crate) mod codec;
pub(crate) mod edit;
pub(crate) mod handshake;
pub(crate) mod message;
pub(crate) mod request;
pub(crate) mod value;

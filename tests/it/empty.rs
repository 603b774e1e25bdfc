//! Nothing: the tests are in `it/main.rs`.

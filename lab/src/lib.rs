//! A local Azure for two or more tenants.

pub mod clock;
pub mod directory;
pub mod jwt;

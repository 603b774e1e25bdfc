//! A local Azure for two or more tenants: token service, Microsoft Graph, managed identity, blob storage, Service Bus broker, Functions host.
//!
//! Each part is usable alone; [`Lab`] puts them together into a world of a provider and its customers.

mod access_token;
pub mod blob;
pub mod broker;
pub mod clock;
pub mod control;
pub mod deployment;
pub mod directory;
pub mod functions_host;
pub mod graph;
mod http;
pub mod jwt;
pub mod managed_identity;
pub mod stage;
pub mod tls;
pub mod token_service;
mod world;

pub use world::{
    Administrator, AppIdentity, Customer, CustomerTenant, CustomersSource, Hosts, Lab, LabConfig, LabError,
    Packages, Provider, ProviderTenant, Settings,
};

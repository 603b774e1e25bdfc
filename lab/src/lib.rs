//! A local Azure for two or more tenants: token service, managed identity, Service Bus broker, Functions host.
//!
//! Each part is usable alone; [`Lab`] puts them together into a world of a provider and its customers.

pub mod broker;
pub mod clock;
pub mod directory;
pub mod functions_host;
mod http;
pub mod jwt;
pub mod managed_identity;
pub mod stage;
pub mod tls;
pub mod token_service;
mod world;

pub use world::{
    AppIdentity, COMMAND_QUEUE, Customer, CustomerTenant, CustomersSource, Hosts, KEY_NAME, Lab, LabConfig,
    LabError, Provider, ProviderTenant, STATUS_QUEUE, Settings,
};

//! Settings of the provider's app.

use std::time::Duration;

use azure_core::credentials::Secret;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::definitions::{Definition, FunctionName};
use super::vars::{Fault, Vars, collect_faults};
use crate::customers::{BusAddress, Customer, Namespace, QueueName};
use crate::deployment::CustomerId;
use crate::identity::SecretExpiry;
use crate::store::Location;

const MANAGED_IDENTITY: &str = "ManagedIdentityClientId";

/// Settings of the provider's app.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Where deployments are recorded.
    pub store: Location,
    /// Who the customers are. `None` when no function served needs them.
    pub customers: Option<CustomersSource>,
    /// How the multi-tenant application proves itself. `None` when no customer is reached by token.
    pub identity: Option<AppIdentity>,
    /// Client id of the user-assigned identity with which the provider's own storage is reached.
    pub managed_identity: Option<String>,
    /// How the status queues are read.
    pub poll: PollConfig,
}

/// Where the customers stand.
#[derive(Clone, Debug)]
pub enum CustomersSource {
    /// In a registry document, re-read when it changes.
    Registry(Location),
    /// In the settings of the archived sample: one customer.
    Single(Box<Customer>),
}

/// How the multi-tenant application proves itself to a customer's tenant.
#[derive(Clone, Debug)]
pub enum AppIdentity {
    /// The user-assigned managed identity's token is the assertion.
    Federated {
        /// The multi-tenant application.
        client_id: String,
        /// The identity that its federated credential names.
        managed_identity: String,
        /// Audience of that credential: each cloud has its own.
        audience: String,
    },
    /// By client secret, for hosts without managed identity.
    ClientSecret {
        /// The multi-tenant application.
        client_id: String,
        /// Its secret.
        secret: Secret,
        /// When the secret expires, if anybody said so.
        expires: Option<SecretExpiry>,
    },
    /// Whoever is signed in with `az login`: on a developer's machine only.
    Developer,
}

/// How the status queues are read.
#[derive(Clone, Copy, Debug)]
pub struct PollConfig {
    /// Customers at once.
    pub concurrency: usize,
    /// How long a tick keeps listening once a queue is empty.
    pub window: Duration,
}

impl ProviderConfig {
    /// Reads them.
    ///
    /// # Errors
    /// All faults together.
    pub fn read(vars: &Vars, definitions: &[Definition]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let serves = |name: FunctionName| definitions.iter().any(|definition| definition.name == name);
        let polls = serves(FunctionName::ReadDeploymentStatus);
        let reaches_customers =
            polls || serves(FunctionName::SendDeploymentCommand) || serves(FunctionName::CheckCustomer);

        let store = collect_faults(location(vars, "DeploymentStoreUri", "blob container"), &mut faults);
        let customers = if reaches_customers { customers(vars, &mut faults) } else { None };
        let by_token = match &customers {
            Some(CustomersSource::Single(customer)) => customer.bus.is_by_app(),
            Some(CustomersSource::Registry(_)) | None => true,
        };
        let managed_identity = collect_faults(managed_identity(vars), &mut faults);
        let identity = match &managed_identity {
            Some(managed_identity) if reaches_customers && by_token => {
                collect_faults(identity(vars, managed_identity.clone()), &mut faults)
            }
            _ => None,
        };
        if polls {
            collect_faults(schedule(vars), &mut faults);
        }
        let concurrency = collect_faults(
            vars.parsed_or("StatusPollConcurrency", "a whole number from 1 to 1000", 32).and_then(|value| {
                let in_range = (1..=1000).contains(&value);
                in_range.then_some(value).ok_or_else(|| {
                    Fault::new("StatusPollConcurrency", "must be a whole number from 1 to 1000")
                })
            }),
            &mut faults,
        );
        let window = collect_faults(window(vars), &mut faults);
        match (store, managed_identity, concurrency, window) {
            (Some(store), Some(managed_identity), Some(concurrency), Some(window)) if faults.is_empty() => {
                Ok(Self {
                    store,
                    customers,
                    identity,
                    managed_identity,
                    poll: PollConfig { concurrency, window },
                })
            }
            _ => Err(faults),
        }
    }
}

fn location(vars: &Vars, name: &str, what: &str) -> Result<Location, Fault> {
    let expected = format!("a file:// URL, or the URL of a {what}");
    let location: Location = vars.parsed(name, &expected)?;
    if location.is_file() && vars.is_hosted_in_azure() {
        return Err(Fault::new(
            name,
            format!("must be the URL of a {what}: in Azure the instances share no disk, and lose theirs"),
        ));
    }
    Ok(location)
}

fn customers(vars: &Vars, faults: &mut Vec<Fault>) -> Option<CustomersSource> {
    if vars.optional("CustomersUri").is_some() {
        return collect_faults(location(vars, "CustomersUri", "blob"), faults).map(CustomersSource::Registry);
    }
    let mut take_queue =
        |name: &str| collect_faults(vars.parsed::<QueueName>(name, "the name of a queue"), faults);
    let command_queue = take_queue("DeploymentCommandQueueName");
    let status_queue = take_queue("DeploymentStatusQueueName");
    let customer_id = collect_faults(
        vars.parsed::<CustomerId>(
            "CustomerId",
            "the customer's id, 1 to 64 of a-z, 0-9 and -, unless CustomersUri names a registry",
        ),
        faults,
    );
    let connection_string =
        super::connection_string(vars, "ServiceBusConnection", [&command_queue, &status_queue]);
    let bus = match collect_faults(connection_string, faults)? {
        Some(text) => Some(text.into()),
        None => {
            let tenant =
                collect_faults(vars.parsed("CustomerTenantId", "the UUID of the customer's tenant"), faults);
            let namespace = collect_faults(
                vars.parsed::<Namespace>(
                    "ServiceBusNamespace",
                    "the customer's namespace, such as contoso.servicebus.windows.net",
                ),
                faults,
            );
            tenant.zip(namespace).map(|(tenant, namespace)| BusAddress::app_in_tenant(namespace, tenant))
        }
    };
    let customer =
        Customer { id: customer_id?, bus: bus?, command_queue: command_queue?, status_queue: status_queue? };
    Some(CustomersSource::Single(Box::new(customer)))
}

/// The user-assigned identity, if there is one.
fn managed_identity(vars: &Vars) -> Result<Option<String>, Fault> {
    let id: Option<uuid::Uuid> =
        vars.parsed_if_any(MANAGED_IDENTITY, "the client id of a user-assigned identity, which is a UUID")?;
    Ok(id.map(|id| id.to_string()))
}

fn identity(vars: &Vars, managed_identity: Option<String>) -> Result<AppIdentity, Fault> {
    const CLIENT_ID: &str = "ClientId";
    const EXPECTED: &str = "the UUID of the multi-tenant application";
    let client_id = || vars.parsed::<uuid::Uuid>(CLIENT_ID, EXPECTED).map(|id| id.to_string());
    if let Some(managed_identity) = managed_identity {
        if !vars.has_managed_identity() {
            return Err(Fault::new(
                MANAGED_IDENTITY,
                "is set, but this app has no managed identity (IDENTITY_ENDPOINT is missing): assign it, or clear the \
                 setting and give ClientSecret",
            ));
        }
        return Ok(AppIdentity::Federated {
            client_id: client_id()?,
            managed_identity,
            audience: audience(vars)?,
        });
    }
    if vars.optional("ClientSecret").is_some() {
        let secret = vars.required("ClientSecret", "the application's secret")?.to_owned();
        let secret = Secret::new(secret);
        return Ok(AppIdentity::ClientSecret {
            client_id: client_id()?,
            secret,
            expires: secret_expiry(vars)?,
        });
    }
    if vars.is_hosted_in_azure() {
        return Err(Fault::new(
            MANAGED_IDENTITY,
            "is required in Azure: the client id of the user-assigned identity that the application's federated \
             credential names (or give ClientSecret)",
        ));
    }
    Ok(AppIdentity::Developer)
}

/// The audience of the application's federated credential, which is the managed identity's resource too.
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>
fn audience(vars: &Vars) -> Result<String, Fault> {
    const NAME: &str = "TokenExchangeAudience";
    const OF_PUBLIC_CLOUD: &str = "api://AzureADTokenExchange";
    let audience = vars.optional(NAME).unwrap_or(OF_PUBLIC_CLOUD);
    // Clouds that are not listed anywhere have other endings.
    let known = audience
        .strip_prefix(OF_PUBLIC_CLOUD)
        .is_some_and(|cloud| cloud.chars().all(|letter| letter.is_ascii_alphanumeric()));
    known.then(|| audience.to_owned()).ok_or_else(|| {
        Fault::new(
            NAME,
            format!(
                "must be the audience of the application's federated credential: {OF_PUBLIC_CLOUD}, in other clouds \
                 {OF_PUBLIC_CLOUD}USGov or {OF_PUBLIC_CLOUD}China"
            ),
        )
    })
}

/// When the client secret expires: a date, which begins at midnight UTC, or a moment.
fn secret_expiry(vars: &Vars) -> Result<Option<SecretExpiry>, Fault> {
    const NAME: &str = "ClientSecretExpiresOn";
    let Some(text) = vars.optional(NAME) else { return Ok(None) };
    let moment = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    OffsetDateTime::parse(&moment, &Rfc3339).map(|moment| Some(SecretExpiry::at(moment))).map_err(|_| {
        Fault::new(NAME, "must be a date such as 2030-01-31, or a moment such as 2030-01-31T12:00:00Z")
    })
}

/// The host reads the schedule; here it is only checked, since without it nobody reads the customers' statuses.
fn schedule(vars: &Vars) -> Result<(), Fault> {
    const NAME: &str = "StatusPollSchedule";
    let text = vars.required(NAME, super::schedule::EXPECTED)?;
    super::schedule::check(text, vars.is_on_consumption()).map_err(|expected| Fault::new(NAME, expected))
}

fn window(vars: &Vars) -> Result<Duration, Fault> {
    const NAME: &str = "StatusPollWindow";
    const EXPECTED: &str = "a time span hh:mm:ss, or 0";
    match vars.optional(NAME) {
        None | Some("0" | "00:00:00") => Ok(Duration::ZERO),
        Some(text) => {
            super::vars::time_span(text).ok_or_else(|| Fault::new(NAME, format!("must be {EXPECTED}")))
        }
    }
}

impl AppIdentity {
    /// When the client secret expires, if there is one and the settings say so.
    pub fn secret_expiry(&self) -> Option<SecretExpiry> {
        match self {
            Self::ClientSecret { expires, .. } => *expires,
            Self::Federated { .. } | Self::Developer => None,
        }
    }
}

impl CustomersSource {
    /// Name for logs.
    pub fn describe(&self) -> String {
        match self {
            Self::Registry(location) => location.to_string(),
            Self::Single(customer) => format!("settings ({})", customer.id),
        }
    }
}

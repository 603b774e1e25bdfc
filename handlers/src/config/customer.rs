//! Settings of a customer's app.

use std::collections::BTreeSet;

use super::vars::{Fault, Vars, collect_faults};
use crate::customers::{BusAddress, QueueName};
use crate::deployment::{ActionName, CustomerId};

/// Settings of a customer's app.
#[derive(Clone, Debug)]
pub struct CustomerConfig {
    /// Who we are to the provider.
    pub customer_id: CustomerId,
    /// Our own namespace, and how to get in.
    pub bus: BusAddress,
    /// Where commands come from.
    pub command_queue: QueueName,
    /// Where statuses go.
    pub status_queue: QueueName,
    /// What the provider may have done here.
    pub allowed_actions: BTreeSet<ActionName>,
}

const CONNECTION: &str = "ServiceBusConnection";

impl CustomerConfig {
    /// Reads them.
    ///
    /// # Errors
    /// All faults together.
    pub fn read(vars: &Vars) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut take =
            |queue: &str| collect_faults(vars.parsed::<QueueName>(queue, "the name of a queue"), &mut faults);
        // The host reads the command queue's name for its trigger; a missing one is named here all the same.
        let command_queue = take("DeploymentCommandQueueName");
        let status_queue = take("DeploymentStatusQueueName");
        let customer_id = collect_faults(
            vars.parsed("CustomerId", "this customer's id at the provider, 1 to 64 of a-z, 0-9 and -"),
            &mut faults,
        );
        let bus = collect_faults(bus(vars, [&command_queue, &status_queue]), &mut faults);
        let allowed_actions = collect_faults(allowed_actions(vars), &mut faults);
        match (customer_id, bus, command_queue, status_queue, allowed_actions) {
            (
                Some(customer_id),
                Some(bus),
                Some(command_queue),
                Some(status_queue),
                Some(allowed_actions),
            ) if faults.is_empty() => {
                Ok(Self { customer_id, bus, command_queue, status_queue, allowed_actions })
            }
            _ => Err(faults),
        }
    }
}

/// The connection as the host reads it for the trigger, so that both go the same way in.
/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger#connections>
fn bus(vars: &Vars, queues: [&Option<QueueName>; 2]) -> Result<BusAddress, Fault> {
    if let Some(text) = super::connection_string(vars, CONNECTION, queues)? {
        return Ok(text.into());
    }
    let namespace = format!("{CONNECTION}__fullyQualifiedNamespace");
    let namespace = vars.parsed(
        &namespace,
        &format!(
            "a namespace such as contoso.servicebus.windows.net, unless {CONNECTION} is a connection string"
        ),
    )?;
    let client_id: Option<uuid::Uuid> = vars.parsed_if_any(
        &format!("{CONNECTION}__clientId"),
        "the client id of a user-assigned identity, which is a UUID",
    )?;
    let credential = format!("{CONNECTION}__credential");
    match vars.optional(&credential) {
        // The host reads the word in any case.
        Some(word) if !word.eq_ignore_ascii_case("managedidentity") => {
            Err(Fault::new(credential, "must be managedidentity, or not set"))
        }
        Some(_) if !vars.has_managed_identity() => Err(Fault::new(
            credential,
            "says managedidentity, but this app has none: assign it one, or clear the setting to use `az login`",
        )),
        None if !vars.has_managed_identity() && vars.is_hosted_in_azure() => Err(Fault::new(
            credential,
            "must be managedidentity in Azure, and the app must be assigned an identity, which it lacks: nobody is \
             signed in there",
        )),
        None if !vars.has_managed_identity() => Ok(BusAddress::developer(namespace)),
        _ => Ok(BusAddress::managed_identity(namespace, client_id.map(|id| id.to_string()))),
    }
}

fn allowed_actions(vars: &Vars) -> Result<BTreeSet<ActionName>, Fault> {
    const NAME: &str = "AllowedActions";
    let expected = format!(
        "a comma-separated list of the actions that this customer allows, out of {}",
        crate::action::known()
    );
    let list = vars.required(NAME, &expected)?;
    let actions = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    actions
        .map(|name| {
            let action: ActionName =
                name.parse().map_err(|_| Fault::new(NAME, format!("must be {expected}")))?;
            let known = crate::action::find(&action).is_some();
            known.then_some(action).ok_or_else(|| Fault::new(NAME, format!("must be {expected}")))
        })
        .collect()
}

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
        let bus = collect_faults(bus(vars), &mut faults);
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
fn bus(vars: &Vars) -> Result<BusAddress, Fault> {
    if let Some(text) = super::connection_string(vars, CONNECTION)? {
        return Ok(text.into());
    }
    let namespace = format!("{CONNECTION}__fullyQualifiedNamespace");
    let namespace = vars.parsed(
        &namespace,
        &format!(
            "a namespace such as contoso.servicebus.windows.net, unless {CONNECTION} is a connection string"
        ),
    )?;
    let client_id = vars.optional(&format!("{CONNECTION}__clientId"));
    match vars.optional(&format!("{CONNECTION}__credential")) {
        Some("managedidentity") if !vars.has_managed_identity() => Err(Fault::new(
            format!("{CONNECTION}__credential"),
            "says managedidentity, but this app has none: assign it one, or clear the setting to use `az login`",
        )),
        Some("managedidentity") => Ok(BusAddress::managed_identity(namespace, client_id.map(str::to_owned))),
        None if vars.has_managed_identity() => {
            Ok(BusAddress::managed_identity(namespace, client_id.map(str::to_owned)))
        }
        None => Ok(BusAddress::developer(namespace)),
        Some(_) => {
            Err(Fault::new(format!("{CONNECTION}__credential"), "must be managedidentity, or not set"))
        }
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

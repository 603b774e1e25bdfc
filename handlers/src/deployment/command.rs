//! The command: what the provider asks a customer's tenant to do.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{ActionName, CustomerId, DeploymentId, SchemaVersion, Unreadable};

/// Body of a `DeploymentCommand` message.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentCommand {
    /// Version of this schema.
    pub schema_version: SchemaVersion,
    /// Also the message id.
    pub deployment_id: DeploymentId,
    /// Whom it is meant for; anyone else rejects it.
    pub customer_id: CustomerId,
    /// Must be on the customer's allow-list.
    pub action: ActionName,
    /// For the action to read.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// When the provider recorded the intent.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub requested_at: OffsetDateTime,
    /// After this moment the customer rejects it and the provider reads silence as `Expired`.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub expires_at: OffsetDateTime,
}

impl DeploymentCommand {
    /// Subject of the message.
    pub const SUBJECT: &'static str = "DeploymentCommand";

    /// Reads a message body.
    ///
    /// # Errors
    /// [`Unreadable`] when it is no command, or one of a version that is not read here.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        super::read(body)
    }
}

/// Parameters may hold what the customer would not have printed.
impl fmt::Debug for DeploymentCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeploymentCommand")
            .field("deployment_id", &self.deployment_id)
            .field("customer_id", &self.customer_id)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_arrives_as_the_very_number_that_was_sent() {
        let text = r#"{"schemaVersion":"1.0","deploymentId":"6f9619ff-8b86-d011-b42d-00c04fc964ff",
            "customerId":"contoso","action":"acknowledge","parameters":{"share":9.938603040518878e-222},
            "requestedAt":"2026-11-22T20:00:00Z","expiresAt":"2026-11-23T20:00:00Z"}"#;
        let command = DeploymentCommand::read(text.as_bytes()).unwrap();
        let share = command.parameters["share"].as_f64().unwrap();
        assert_eq!(share.to_bits(), 9.938603040518878e-222_f64.to_bits());
    }
}

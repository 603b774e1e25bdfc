//! What a customer's app can do when a command asks for it.

use std::fmt;

use serde_json::{Map, Value};

use crate::deployment::{ActionName, DeploymentId};

/// A piece of work. It must be idempotent by deployment id: a command may be delivered more than once.
#[async_trait::async_trait]
pub trait Action: fmt::Debug + Send + Sync {
    /// Name by which commands and `AllowedActions` call it.
    fn name(&self) -> &'static str;

    /// Does the work.
    ///
    /// # Errors
    /// [`ActionFailed`] when the work cannot be done: the deployment ends as `Failed`, with the reason.
    async fn run(
        &self,
        deployment: DeploymentId,
        parameters: &Map<String, Value>,
    ) -> Result<Done, ActionFailed>;
}

/// The work is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// A word for people at the provider.
    pub detail: Option<String>,
}

/// The work could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ActionFailed {
    /// Why, for people at the provider.
    pub reason: String,
}

/// `acknowledge`: does nothing but answer, which shows that commands arrive and statuses return.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledge;

#[async_trait::async_trait]
impl Action for Acknowledge {
    fn name(&self) -> &'static str {
        "acknowledge"
    }

    async fn run(&self, _: DeploymentId, _: &Map<String, Value>) -> Result<Done, ActionFailed> {
        Ok(Done { detail: Some("acknowledged".to_owned()) })
    }
}

const ACTIONS: [&dyn Action; 1] = [&Acknowledge];

/// The action called `name`.
pub fn find(name: &ActionName) -> Option<&'static dyn Action> {
    ACTIONS.into_iter().find(|action| *action.name() == name.to_string())
}

/// Names of all actions, for messages to people.
pub fn known() -> String {
    ACTIONS.map(Action::name).join(", ")
}

//! Output bindings: what becomes of the values in a reply.
//!
//! All bindings at once, the messages of one binding one after the other, and all before the trigger settles its own
//! message. The first fault fails the invocation; what other bindings have sent by then stays sent.
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-output>

use std::sync::Arc;

use futures_util::future::join_all;
use uuid::Uuid;

use super::definitions::{DefinitionError, OutputName, ServiceBusOutput, Settings};
use super::invoke::InvocationError;
use super::reply::{Envelope, HttpReply, http_output, queue_output};
use super::service_bus::{Connection, QueueSender};

/// The output bindings of one function.
pub(super) struct Outputs {
    /// Of an HTTP function.
    http: Option<OutputName>,
    queues: Vec<Queue>,
}

struct Queue {
    name: OutputName,
    is_binary: bool,
    sender: QueueSender,
}

impl Queue {
    fn name(&self) -> &str {
        match &self.name {
            OutputName::Named(name) => name,
            OutputName::Return => "$return",
        }
    }

    async fn send(
        &self,
        envelope: &Envelope,
        has_return: bool,
        invocation: Uuid,
    ) -> Result<(), InvocationError> {
        for body in queue_output(envelope.value(&self.name, has_return, self.is_binary), self.name())? {
            let sent = self.sender.send(body, invocation).await;
            sent.map_err(|error| InvocationError::Output {
                binding: self.name().to_owned(),
                reason: error.to_string(),
            })?;
        }
        Ok(())
    }
}

impl Outputs {
    /// # Errors
    /// A connection is not in the settings.
    pub(super) fn new(
        function: &str,
        http: Option<OutputName>,
        queues: Vec<ServiceBusOutput>,
        settings: &Settings,
        tls: Option<&Arc<rustls::ClientConfig>>,
    ) -> Result<Self, DefinitionError> {
        let queue = |output: ServiceBusOutput| {
            let connection = Connection::of_settings(function, &output.connection, settings)?;
            let sender = QueueSender::new(connection, output.queue, tls.cloned());
            Ok(Queue { name: output.name, is_binary: output.is_binary, sender })
        };
        Ok(Self { http, queues: queues.into_iter().map(queue).collect::<Result<_, _>>()? })
    }

    /// Sends the messages and makes the client's reply, which is there for an HTTP function.
    pub(super) async fn bind(
        &self,
        envelope: &Envelope,
        invocation: Uuid,
    ) -> Result<Option<HttpReply>, InvocationError> {
        let names = self.http.iter().chain(self.queues.iter().map(|queue| &queue.name));
        let has_return = names.into_iter().any(|name| *name == OutputName::Return);
        let http = self.http.as_ref().map(|name| http_output(envelope.value(name, has_return, false), name));
        let sent =
            join_all(self.queues.iter().map(|queue| queue.send(envelope, has_return, invocation))).await;
        sent.into_iter().collect::<Result<(), _>>()?;
        Ok(http.transpose()?)
    }

    /// Closes what was opened; says what went wrong.
    pub(super) async fn close(&self) -> Vec<String> {
        join_all(self.queues.iter().map(|queue| queue.sender.close())).await.into_iter().flatten().collect()
    }
}

//! Messages of an output binding.
//!
//! <https://github.com/Azure/azure-sdk-for-net/blob/main/sdk/servicebus/Microsoft.Azure.WebJobs.Extensions.ServiceBus/src/Triggers/Converters/StringToMessageConverter.cs>

use std::sync::Arc;

use azure_messaging_servicebus::{Message, Result, RetryOptions, Sender, ServiceBusClient};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::Connection;

/// Names the invocation that a message comes from.
const PARENT: &str = "$AzureWebJobsParentId";

/// The way to one queue, opened at its first use and kept.
pub(in crate::functions_host) struct QueueSender {
    connection: Connection,
    queue: String,
    tls: Option<Arc<rustls::ClientConfig>>,
    opened: OnceCell<(ServiceBusClient, Sender)>,
}

impl QueueSender {
    pub(in crate::functions_host) fn new(
        connection: Connection,
        queue: String,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Self {
        Self { connection, queue, tls, opened: OnceCell::new() }
    }

    /// Sends a message and waits until the queue has taken it. Nothing but its body can be chosen.
    pub(in crate::functions_host) async fn send(&self, body: String, invocation: Uuid) -> Result<()> {
        let (_, sender) = self.opened.get_or_try_init(|| self.open()).await?;
        let mut message = Message::new(body);
        message.set_content_type("text/plain");
        message.set_property(PARENT, invocation.to_string());
        sender.send_message(message, None).await
    }

    async fn open(&self) -> Result<(ServiceBusClient, Sender)> {
        let client = self.connection.clone().open(self.tls.clone(), RetryOptions::default()).await?;
        let sender = client.create_sender(&self.queue, None).await?;
        Ok((client, sender))
    }

    /// What went wrong in closing.
    pub(in crate::functions_host) async fn close(&self) -> Vec<String> {
        let Some((client, sender)) = self.opened.get() else { return Vec::new() };
        let ends = [sender.close().await, client.close().await];
        let faults = ends.into_iter().filter_map(Result::err);
        faults.map(|error| format!("The output for {} was not closed cleanly: {error}", self.queue)).collect()
    }
}

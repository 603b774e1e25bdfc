//! The broker of a run, and what is left in it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use azure_core::time::Duration as AzureDuration;
use azure_messaging_servicebus::{
    CreateReceiverOptions, ReceiveMessageOptions, ReceiveMode, ServiceBusClient, SubQueue,
};
use lab::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use lab::clock::Clock;
use lab::directory::Directory;
use lab::jwt::SigningKey;
use uuid::Uuid;

use super::QUEUE;
use super::ledger::Ledger;
use crate::Result;

/// An hour: a send is repeated within seconds.
const DUPLICATES: Duration = Duration::from_secs(3600);

/// A namespace with one queue, over plain AMQP.
pub(super) struct World {
    pub(super) namespace: Namespace,
    key: SasKey,
}

impl World {
    /// # Errors
    /// The broker cannot be started.
    pub(super) async fn start() -> Result<Self> {
        let key =
            SasKey { name: "RootManageSharedAccessKey".to_owned(), key: Uuid::new_v4().simple().to_string() };
        let queue = QueueConfig {
            lock_duration: Duration::from_secs(5),
            max_delivery_count: 5,
            // SDKs repeat a send whose outcome was lost: without this, one message is two.
            duplicate_detection: Some(DUPLICATES),
            dead_lettering_on_message_expiration: true,
            ..QueueConfig::new(QUEUE)
        };
        let config = NamespaceConfig {
            plain: Some((Ipv4Addr::LOCALHOST, 0).into()),
            queues: vec![queue],
            sas_keys: vec![key.clone()],
            ..NamespaceConfig::new("soak", Uuid::nil(), "/soak")
        };
        let services = Services {
            directory: Arc::new(Directory::new()),
            signing_key: Arc::new(SigningKey::generate()?),
            clock: Clock::system(),
        };
        Ok(Self { namespace: Namespace::start(config, services).await?, key })
    }

    pub(super) fn connection_string(&self) -> String {
        let port = self.namespace.plain_addr().map_or(0, |address| address.port());
        format!(
            "Endpoint=sb://localhost:{port};SharedAccessKeyName={};SharedAccessKey={};UseDevelopmentEmulator=true;",
            self.key.name, self.key.key
        )
    }

    /// Takes out all that is left, and enters it into the books.
    ///
    /// # Errors
    /// It cannot be received.
    pub(super) async fn drain(&self, ledger: &mut Ledger) -> Result<()> {
        self.namespace.expire_locks(QUEUE)?;
        let client = ServiceBusClient::builder().open_connection_string(&self.connection_string()).await?;
        for sub_queue in [None, Some(SubQueue::DeadLetter)] {
            let options = CreateReceiverOptions {
                receive_mode: ReceiveMode::ReceiveAndDelete,
                sub_queue,
                ..CreateReceiverOptions::default()
            };
            let receiver = client.create_receiver(QUEUE, Some(options)).await?;
            let left = || -> Result<u64> {
                let counts = self.namespace.counts(QUEUE)?;
                Ok(if sub_queue.is_none() { counts.active } else { counts.dead_letter })
            };
            while left()? > 0 {
                let options = ReceiveMessageOptions { max_wait_time: Some(AzureDuration::SECOND) };
                for message in receiver.receive_messages(500, Some(options)).await? {
                    let id = message.message_id().unwrap_or_default();
                    match sub_queue {
                        None => ledger.found(id),
                        Some(_) => {
                            let reason = message.system_properties().dead_letter_reason.as_deref();
                            let reason = reason.filter(|reason| !reason.is_empty());
                            ledger.found_dead(id, reason.unwrap_or("the receiver's wish"));
                        }
                    }
                }
            }
            receiver.close().await?;
        }
        Ok(client.close().await?)
    }

    /// # Errors
    /// A client has left a connection or a lock.
    pub(super) async fn close(self) -> Result<()> {
        let left = self.namespace.close().await;
        if left.is_empty() { Ok(()) } else { Err(format!("left open:\n{left}").into()) }
    }
}

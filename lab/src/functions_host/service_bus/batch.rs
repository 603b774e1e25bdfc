//! Batches: one at the handler at a time, settled as a whole.
//!
//! Their locks are not renewed: a batch that takes longer comes again.

use std::sync::Arc;

use azure_messaging_servicebus::{ReceivedMessage, Receiver};
use futures_util::future::join_all;

use super::{BackOff, Client, Firing, Listener, Message, REASON, ServiceBusFunction, Sys, message, payload};

impl Listener {
    /// Receives batches of up to `maxMessageBatchSize` until the host stops or drains; the running one is finished.
    pub(super) async fn listen_for_batches(&self, receiver: &Arc<Receiver>, client: &Client) {
        let mut back_off = BackOff::new();
        loop {
            // Cancel safe: a dropped receive loses no message, and the other two only wait.
            let received = tokio::select! {
                biased;
                () = self.draining.cancelled() => break,
                () = self.invoker.process.host_stopped() => break,
                received = back_off.receive(receiver, self.options.max_message_batch_size) => received,
            };
            match received {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => {
                    back_off = BackOff::new();
                    self.run_batch(receiver, client, &messages).await;
                }
                Err(error) => {
                    self.processing_error("Receive", &error);
                    back_off.grow();
                }
            }
        }
    }

    async fn run_batch(&self, receiver: &Receiver, client: &Client, received: &[ReceivedMessage]) {
        let ServiceBusFunction { function, trigger } = &self.service_bus;
        let messages: Vec<Message> = received.iter().map(message::of).collect();
        let request = |sys: Sys<'_>| payload(trigger, &messages, Some(client), sys);
        let firing = Firing { reason: REASON, trace: None, keeps_id: true, request: &request };
        let succeeded = self.invoker.invoke(function, firing).await.is_ok();
        if succeeded && !self.completes() {
            return;
        }
        let settle = async |message| {
            if succeeded {
                receiver.complete_message(message, None).await
            } else {
                receiver.abandon_message(message, None).await
            }
        };
        let action = if succeeded { "Complete" } else { "Abandon" };
        for settled in join_all(received.iter().map(settle)).await {
            if let Err(error) = settled {
                self.processing_error(action, &error);
            }
        }
    }
}

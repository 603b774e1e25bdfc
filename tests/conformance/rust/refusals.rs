//! What a user of the client learns when something is refused: its error's kind. One function a case.

use std::fmt::Debug;

use azure_messaging_servicebus::{
    ErrorKind, Message, ReceivedMessage, Receiver, ServiceBusClient, ServiceBusError,
};

use crate::Result;
use crate::world::{
    Client, EMPTY_AFTER, FIRST_DELIVERY, World, complete, connection_string, expect_empty, no_retry, receive,
    receive_one, text, up_to,
};

/// The error, which must be of this kind.
pub(crate) fn refused<T: Debug>(
    kind: ErrorKind,
    result: azure_messaging_servicebus::Result<T>,
) -> Result<ServiceBusError> {
    match result {
        Err(error) if *error.kind() == kind => Ok(error),
        other => Err(format!("expected {kind:?}: {other:?}").into()),
    }
}

/// A message whose lock ran out with the receiver that had it; and the one that has it now.
struct LostLock {
    client: Client,
    slow: Receiver,
    message: ReceivedMessage,
    other: Receiver,
    again: ReceivedMessage,
}

impl LostLock {
    async fn of(world: &World) -> Result<Self> {
        let client = world.client().await?;
        client.send(&world.short_lock_queue, [text("slow")]).await?;
        let slow = client.peek_lock(&world.short_lock_queue).await?;
        let message = receive_one(&slow).await?;
        // The lock's end is seen by the message coming again, not by waiting for a time.
        let other = client.peek_lock(&world.short_lock_queue).await?;
        let again = receive_one(&other).await?;
        ensure!(
            again.delivery_count() == Some(FIRST_DELIVERY + 1),
            "delivery count {:?}",
            again.delivery_count()
        );
        Ok(Self { client, slow, message, other, again })
    }

    async fn end(self) -> Result {
        complete(&self.other, &self.again).await?;
        expect_empty(&self.other).await?;
        self.client.close().await
    }
}

pub(crate) async fn a_lost_lock_cannot_be_settled(world: &World) -> Result {
    let lost = LostLock::of(world).await?;
    refused(ErrorKind::MessageLockLost, lost.slow.complete_message(&lost.message, None).await)?;
    lost.end().await
}

pub(crate) async fn a_lost_lock_cannot_be_renewed(world: &World) -> Result {
    let lost = LostLock::of(world).await?;
    refused(ErrorKind::MessageLockLost, lost.slow.renew_message_lock(&lost.message, None).await)?;
    lost.end().await
}

pub(crate) async fn too_large_a_message_is_refused(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    let large = Message::new(vec![0; 2 * 1024 * 1024]);
    refused(ErrorKind::MessageSizeExceeded, client.send(&world.queue, [large]).await)?;
    expect_empty(&client.peek_lock(&world.queue).await?).await?;
    client.close().await
}

pub(crate) async fn a_batch_takes_no_more_than_may_be_sent(world: &World) -> Result {
    let client = world.client().await?;
    let sender = client.0.create_sender(&world.queue, None).await?;
    let mut batch = sender.create_message_batch(None).await?;
    while batch.try_add_message(Message::new(vec![0; 50 * 1024])) {
        ensure!(batch.count() < 100, "it takes anything");
    }
    let count = batch.count();
    ensure!(count > 1, "{count} messages fit");
    sender.send_message_batch(batch, None).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    for message in receive(&receiver, count).await? {
        complete(&receiver, &message).await?;
    }
    client.close().await
}

pub(crate) async fn a_full_queue_takes_no_more(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    let mut sent = 0;
    let refusal = loop {
        ensure!(sent < 100, "it takes anything");
        match client.send(&world.small_queue, [Message::new(vec![0; 16 * 1024])]).await {
            Ok(()) => sent += 1,
            refusal => break refusal,
        }
    };
    refused(ErrorKind::QuotaExceeded, refusal)?;
    let receiver = client.peek_lock(&world.small_queue).await?;
    for message in receive(&receiver, sent).await? {
        complete(&receiver, &message).await?;
    }
    // There is room again.
    client.send(&world.small_queue, [text("more")]).await?;
    complete(&receiver, &receive_one(&receiver).await?).await?;
    client.close().await
}

/// What is said of a queue that cannot be used, to a sender and to a receiver.
async fn send_and_listen(client: &Client, queue: &str, kind: ErrorKind) -> Result<[ServiceBusError; 2]> {
    let receiver = client.peek_lock(queue).await?;
    Ok([
        refused(kind, client.send(queue, [text("x")]).await)?,
        refused(kind, up_to(&receiver, 1, EMPTY_AFTER).await)?,
    ])
}

pub(crate) async fn a_queue_that_is_not_there_is_named(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    for error in send_and_listen(&client, &world.missing_queue, ErrorKind::EntityNotFound).await? {
        ensure!(error.to_string().contains(&world.missing_queue), "{error}");
    }
    client.close().await
}

pub(crate) async fn a_wrong_key_is_refused(world: &World) -> Result {
    let right = connection_string()?;
    let parts = right.split(';').map(|part| match part.starts_with("SharedAccessKey=") {
        true => "SharedAccessKey=d3Jvbmc=",
        false => part,
    });
    let wrong = parts.collect::<Vec<_>>().join(";");
    let builder = ServiceBusClient::builder().with_retry_options(no_retry());
    let client = Client(builder.open_connection_string(&wrong).await?);
    refused(ErrorKind::Unauthorized, client.send(&world.queue, [text("x")]).await)?;
    client.close().await
}

pub(crate) async fn a_wrong_secret_is_refused(world: &World) -> Result {
    let client = world.client_with_secret("not-the-secret").await?;
    let error = refused(ErrorKind::Unauthorized, client.send(&world.queue, [text("x")]).await)?;
    let told = format!("{error} {error:?}");
    ensure!(told.contains("7000215"), "{told}");
    ensure!(!told.contains("not-the-secret"), "the secret is told");
    client.close().await
}

pub(crate) async fn a_queue_without_a_role_is_refused(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    send_and_listen(&client, &world.forbidden_queue, ErrorKind::Unauthorized).await?;
    client.close().await
}

//! Our client under measurement, as a process of its own like the others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use azure_messaging_servicebus::{Message, Receiver, Sender, ServiceBusClient};
use futures_util::StreamExt;
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;

use super::{BATCH, BODY, COUNTS, IN_FLIGHT, QUEUE, Rates};
use crate::{Result, block_on};

/// Sends and receives as fast as it goes, and prints the rates.
///
/// # Errors
/// `SERVICE_BUS_CONNECTION_STRING` is missing, or the broker refuses something.
pub(crate) fn run() -> Result<()> {
    let connection_string = std::env::var("SERVICE_BUS_CONNECTION_STRING")
        .map_err(|_| "SERVICE_BUS_CONNECTION_STRING is not set; `cargo xtask bench --sdks` runs this")?;
    let rates = block_on(measure(&connection_string))?;
    println!("{}", serde_json::to_string(&rates)?);
    Ok(())
}

async fn measure(connection_string: &str) -> Result<Rates> {
    let client = ServiceBusClient::builder().open_connection_string(connection_string).await?;
    let sender = client.create_sender(QUEUE, None).await?;
    let receiver = client.create_receiver(QUEUE, None).await?;
    single(&sender, COUNTS.warm_up).await?;
    pipelined(&sender, COUNTS.warm_up).await?;
    batch(&sender, COUNTS.warm_up).await?;
    receive(&receiver, COUNTS.warm_up * 3).await?;
    let all = COUNTS.single + COUNTS.pipelined + COUNTS.batch;
    let rates = Rates {
        single: rate(COUNTS.single, single(&sender, COUNTS.single)).await?,
        pipelined: Some(rate(COUNTS.pipelined, pipelined(&sender, COUNTS.pipelined)).await?),
        batch: rate(COUNTS.batch, batch(&sender, COUNTS.batch)).await?,
        receive: rate(all, receive(&receiver, all)).await?,
    };
    receiver.close().await?;
    sender.close().await?;
    client.close().await?;
    Ok(rates)
}

async fn rate(count: usize, work: impl Future<Output = Result<()>>) -> Result<f64> {
    let began = Instant::now();
    work.await?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

fn message() -> Message {
    Message::new(vec![0; BODY])
}

async fn single(sender: &Sender, count: usize) -> Result<()> {
    for _ in 0..count {
        sender.send_message(message(), None).await?;
    }
    Ok(())
}

async fn pipelined(sender: &Sender, count: usize) -> Result<()> {
    let sent = AtomicUsize::new(0);
    let senders = (0..IN_FLIGHT).map(|_| async {
        while sent.fetch_add(1, Ordering::Relaxed) < count {
            sender.send_message(message(), None).await?;
        }
        Result::Ok(())
    });
    try_join_all(senders).await.map(drop)
}

async fn batch(sender: &Sender, count: usize) -> Result<()> {
    for _ in 0..count / BATCH {
        let mut batch = sender.create_message_batch(None).await?;
        while batch.count() < BATCH {
            if !batch.try_add_message(message()) {
                return Err("the batch is full".into());
            }
        }
        sender.send_message_batch(batch, None).await?;
    }
    Ok(())
}

async fn receive(receiver: &Receiver, count: usize) -> Result<()> {
    let mut left = count;
    while left > 0 {
        let messages = receiver.receive_messages(left.min(BATCH), None).await?;
        left -= messages.len();
        futures_util::stream::iter(&messages)
            .map(|message| receiver.complete_message(message, None))
            .buffer_unordered(BATCH)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

//! Our own client in a run; the others are programs in `tests/load`, which do the same.

use std::io;
use std::time::Duration;

use azure_core::time::Duration as AzureDuration;
use azure_messaging_servicebus::{
    Message, ReceiveMessageOptions, ReceivedMessage, Receiver, Sender, ServiceBusClient, ServiceBusError,
};
use tokio::time::{Instant, MissedTickBehavior};

use super::journal::{Event, Journal};
use super::plan::Plan;
use super::{QUEUE, TIME_TO_LIVE};
use crate::Result;

/// Messages sent in a row, one by one and together in turn.
const GROUP: u64 = 5;
const RECEIVED_AT_ONCE: usize = 20;
/// After each receive, so that the fastest client does not take everything.
const TURN: Duration = Duration::from_millis(100);

/// What the client is told.
pub(super) struct Settings {
    pub(super) connection_string: String,
    pub(super) name: &'static str,
    pub(super) end: Instant,
    /// Messages a second.
    pub(super) rate: u32,
    pub(super) seed: u64,
}

/// Sends and receives until the end, then closes in order.
///
/// # Errors
/// The log cannot be written. Whatever the service does is in the log.
pub(super) async fn run(settings: Settings, journal: Journal) -> Result<()> {
    let client = ServiceBusClient::builder().open_connection_string(&settings.connection_string).await?;
    let sender = client.create_sender(QUEUE, None).await?;
    let receiver = client.create_receiver(QUEUE, None).await?;
    let receiving = async {
        while Instant::now() < settings.end {
            receive(&receiver, &journal).await?;
        }
        io::Result::Ok(())
    };
    tokio::try_join!(send(&sender, &settings, &journal), receiving)?;
    for closed in [receiver.close().await, sender.close().await, client.close().await] {
        note_error(&journal, closed)?;
    }
    Ok(journal.write(Event::End, "")?)
}

async fn send(sender: &Sender, settings: &Settings, journal: &Journal) -> io::Result<()> {
    let mut every = tokio::time::interval(Duration::from_secs_f64(GROUP as f64 / f64::from(settings.rate)));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    while Instant::now() < settings.end {
        every.tick().await;
        let together = (number / GROUP) % 2 == 1;
        let mut group = Vec::new();
        for number in number..number + GROUP {
            let (id, message) = message(settings, number);
            journal.write(Event::Sending, &id)?;
            if together {
                group.push((id, message));
                continue;
            }
            let outcome = sender.send_message(message, None).await;
            journal.write(if outcome.is_ok() { Event::Sent } else { Event::Unconfirmed }, &id)?;
            note_error(journal, outcome)?;
        }
        if together {
            let (ids, messages): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let outcome = send_together(sender, messages).await;
            for id in &ids {
                journal.write(if outcome.is_ok() { Event::Sent } else { Event::Unconfirmed }, id)?;
            }
            note_error(journal, outcome)?;
        }
        number += GROUP;
    }
    Ok(())
}

async fn send_together(sender: &Sender, messages: Vec<Message>) -> std::result::Result<(), ServiceBusError> {
    let mut batch = sender.create_message_batch(None).await?;
    for message in messages {
        // A handful of small ones always fits.
        batch.try_add_message(message);
    }
    sender.send_message_batch(batch, None).await
}

fn message(settings: &Settings, number: u64) -> (String, Message) {
    let id = format!("{}-{number}", settings.name);
    let plan = Plan::of(number, settings.seed);
    let mut message = Message::from("soak");
    message.set_message_id(&id);
    message.set_subject(plan.name());
    if plan == Plan::Expire {
        message.set_time_to_live(AzureDuration::try_from(TIME_TO_LIVE).unwrap_or(AzureDuration::SECOND));
    }
    (id, message)
}

async fn receive(receiver: &Receiver, journal: &Journal) -> io::Result<()> {
    let options = ReceiveMessageOptions { max_wait_time: Some(AzureDuration::SECOND) };
    match receiver.receive_messages(RECEIVED_AT_ONCE, Some(options)).await {
        Ok(messages) => {
            for message in messages {
                obey(receiver, journal, &message).await?;
            }
            tokio::time::sleep(TURN).await;
            Ok(())
        }
        Err(error) => note_error(journal, Err(error)),
    }
}

async fn obey(receiver: &Receiver, journal: &Journal, message: &ReceivedMessage) -> io::Result<()> {
    let id = message.message_id().unwrap_or_default();
    // The client counts this delivery too.
    let failed = message.delivery_count().unwrap_or(1).saturating_sub(1);
    journal.write(Event::Received, &format!("{id} {failed}"))?;
    let subject = message.system_properties().subject.as_deref();
    let (settled, outcome) = match (subject.and_then(Plan::named), failed) {
        (Some(Plan::Leave | Plan::Expire), 0) => return journal.write(Event::Left, id),
        (Some(Plan::Abandon), 0) | (Some(Plan::Poison), _) => {
            journal.write(Event::Abandoning, id)?;
            (Event::Abandoned, receiver.abandon_message(message, None).await)
        }
        (Some(Plan::DeadLetter), _) => {
            journal.write(Event::DeadLettering, id)?;
            (Event::DeadLettered, receiver.dead_letter_message(message, None).await)
        }
        _ => {
            journal.write(Event::Completing, id)?;
            (Event::Completed, receiver.complete_message(message, None).await)
        }
    };
    journal.write(if outcome.is_ok() { settled } else { Event::Unsettled }, id)?;
    note_error(journal, outcome)
}

fn note_error(journal: &Journal, outcome: std::result::Result<(), ServiceBusError>) -> io::Result<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => journal.write(Event::Error, &format!("{:?} {error}", error.kind())),
    }
}

//! Settling: a caller hands the message's lock and an outcome to the link it came on, whose task writes the dispositions.

use std::sync::Arc;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::IllegalLinkStateError;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::TerminalDeliveryState;
use tokio::sync::oneshot;
use tracing::debug;

use super::link::Command;
use crate::error::{ErrorKind, Result, ServiceBusError, amqp};
use crate::message::Lock;

/// A message to be settled, and who waits for it.
pub(crate) struct Settlement {
    lock: Arc<Lock>,
    outcome: TerminalDeliveryState,
    settled: oneshot::Sender<Result<()>>,
}

/// Has a message settled on the link that it came on.
pub(super) async fn settle(lock: &Arc<Lock>, outcome: TerminalDeliveryState) -> Result<()> {
    let gone = || {
        let message =
            "the link that the message came on is gone, and its lock can no longer be used; it comes again";
        ServiceBusError::new(ErrorKind::MessageLockLost, message)
    };
    let link = lock.link.upgrade().ok_or_else(gone)?;
    let (settled, settling) = oneshot::channel();
    let settlement = Settlement { lock: Arc::clone(lock), outcome, settled };
    link.send(Command::Settle(settlement)).await.map_err(|_| gone())?;
    settling.await.map_err(|_| gone())?
}

/// Writes the dispositions of `settlements`; messages to complete share one for each row of neighbours. Fails when the link is
/// of no more use.
pub(super) async fn settle_all(receiver: &Receiver, doing: &str, settlements: Vec<Settlement>) -> Result<()> {
    let (mut completed, mut others) = (Vec::new(), Vec::new());
    for settlement in settlements {
        if !settlement.lock.take() {
            let again =
                ServiceBusError::new(ErrorKind::InvalidRequest, "the message has been settled before");
            settlement.answer(Err(again));
        } else if matches!(settlement.outcome, TerminalDeliveryState::Accepted(_)) {
            completed.push(settlement);
        } else {
            others.push(settlement);
        }
    }
    let deliveries: Vec<DeliveryInfo> = completed.iter().map(|it| it.lock.delivery.clone()).collect();
    let accepting = receiver.accept_all(deliveries).await;
    let mut ending = answer_all(doing, completed, accepting);
    for settlement in others {
        let disposing = receiver.dispose(settlement.lock.delivery.clone(), settlement.outcome.clone()).await;
        ending = ending.and(answer_all(doing, vec![settlement], disposing));
    }
    ending
}

fn answer_all(
    doing: &str,
    settlements: Vec<Settlement>,
    result: std::result::Result<(), IllegalLinkStateError>,
) -> Result<()> {
    let result = result.map_err(|error| amqp::not_sent(doing, &error));
    for settlement in settlements {
        settlement.answer(result.clone().map_err(|error| {
            let lost = "the link was lost before the message could be settled; it comes again";
            ServiceBusError::with_source(ErrorKind::MessageLockLost, lost, error)
        }));
    }
    result
}

impl Settlement {
    fn answer(self, answer: Result<()>) {
        if self.settled.send(answer).is_err() {
            debug!("a message was settled for a caller that has gone");
        }
    }
}

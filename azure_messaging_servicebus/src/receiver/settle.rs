//! Settling: the lock of a message and what is to become of it go to the link that the message came on, whose task writes the
//! disposition; the service's answer comes past [`crate::wire`]. Where the link cannot say, `$management` is asked.
//!
//! An answer costs one way there and back, and nothing else: dispositions are written without waiting for those before, and a
//! row of completed messages shares one frame, as does the answer to it.

use std::sync::Arc;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::IllegalLinkStateError;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use tokio::sync::oneshot;

use super::link::Command;
use crate::error::{ErrorKind, Result, ServiceBusError, amqp};
use crate::message::{Lock, Route};
use crate::settlement::Disposition;
use crate::wire::{Answer, LinkWatch};

/// A message to be settled, and who waits for the service's answer. The answer is dropped when the link ends before it.
pub(crate) struct Settlement {
    delivery: DeliveryInfo,
    disposition: Disposition,
    answer: oneshot::Sender<Answer>,
}

/// The right to settle a message. It goes back when it is dropped before it was used.
pub(super) struct Claim<'a> {
    lock: &'a Lock,
    is_used: bool,
}

impl<'a> Claim<'a> {
    /// Takes the right to settle.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when somebody else has it or had it.
    pub(super) fn of(lock: &'a Lock) -> Result<Self> {
        match lock.take() {
            true => Ok(Self { lock, is_used: false }),
            false => Err(ServiceBusError::new(
                ErrorKind::InvalidRequest,
                "the message has been settled before, or is being settled",
            )),
        }
    }

    /// From here on the service may have been told.
    pub(super) fn use_up(&mut self) {
        self.is_used = true;
    }

    /// Takes note of what came of it.
    pub(super) fn settle(self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            match error.kind() {
                ErrorKind::MessageLockLost => self.lock.lose(),
                _ => self.lock.give_back(),
            }
        }
        let mut this = self;
        this.is_used = true;
        result
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            self.lock.give_back();
        }
    }
}

/// Has a message settled on the link that it came on. None when the link has ended and cannot say what came of it.
pub(super) async fn on_link(
    route: &Route,
    claim: &mut Claim<'_>,
    disposition: Disposition,
) -> Option<Answer> {
    let link = route.link.upgrade()?;
    let (answer, answered) = oneshot::channel();
    let room = link.reserve().await.ok()?;
    claim.lock.use_link();
    claim.use_up();
    room.send(Command::Settle(Settlement { delivery: route.delivery.clone(), disposition, answer }));
    // The link's task ends when nobody else holds the link, and this one must not keep it.
    drop(link);
    answered.await.ok()
}

/// What the service said, as a result.
pub(super) fn result(doing: &str, answer: Answer) -> Result<()> {
    match answer {
        Answer::Applied => Ok(()),
        Answer::Refused(error) => Err(amqp::from_service(doing, &error)),
        Answer::Unclear => Err(ServiceBusError::new(
            ErrorKind::Amqp,
            format!("{doing}: the service answered without saying what became of the message"),
        )),
    }
}

/// Writes the dispositions of `settlements`; messages to complete share one for each row of neighbours. Fails when the link is
/// of no more use.
pub(super) async fn settle_all(
    receiver: &Receiver,
    watch: &Arc<LinkWatch>,
    settlements: Vec<Settlement>,
) -> std::result::Result<(), IllegalLinkStateError> {
    let (mut completed, mut others) = (Vec::with_capacity(settlements.len()), Vec::new());
    for Settlement { delivery, disposition, answer } in settlements {
        let rejects = matches!(disposition, Disposition::DeadLetter(_));
        watch.expect(delivery.delivery_id(), rejects, answer);
        match disposition {
            Disposition::Complete => completed.push(delivery),
            disposition => others.push((delivery, disposition)),
        }
    }
    if !completed.is_empty() {
        receiver.accept_all(completed).await?;
    }
    for (delivery, disposition) in others {
        receiver.dispose(delivery, disposition.outcome()).await?;
    }
    watch.written();
    Ok(())
}

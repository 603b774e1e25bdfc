//! What the service has said about the receiving links of one connection.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use fe2o3_amqp_types::definitions::Error;
use fe2o3_amqp_types::messaging::{DeliveryState, Rejected};
use tokio::sync::{Notify, oneshot};

use super::fields::Fields;

const OPEN: u8 = 0x10;
const ATTACH: u8 = 0x12;
const FLOW: u8 = 0x13;
const TRANSFER: u8 = 0x14;
const DISPOSITION: u8 = 0x15;
const END: u8 = 0x17;

/// `rcv-settle-mode` in an attach: the receiver settles by itself.
const SETTLE_FIRST: [u8; 2] = [0x50, 0];

/// The service's answer to a settlement.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was applied.
    Applied,
    /// It was not, and this is why.
    Refused(Error),
    /// The delivery was settled without an outcome that could be read.
    Unclear,
}

/// What is known of one connection and its receiving links. Each has a session of its own, so a channel says which one is
/// meant.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// How long the service waits for a frame before it gives the connection up, in milliseconds.
    idle_time_out: Option<u32>,
    /// Links that wait for the service's attach.
    named: HashMap<String, Weak<LinkWatch>>,
    /// By the channel that the service writes on.
    attached: HashMap<u16, Weak<LinkWatch>>,
}

/// What the service has said about one receiving link.
#[derive(Default)]
pub(crate) struct LinkWatch {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Settlements without an answer, by delivery id.
    unanswered: BTreeMap<u32, Waiting>,
    /// The peer has not taken the mode in which it answers settlements. Service Bus does; other brokers need not.
    answers_nothing: bool,
    /// Deliveries that have come in full; wraps around.
    delivered: u32,
    /// What that was when the service said that it has drained the link.
    drained_at: Option<u32>,
}

/// Who waits for an answer.
struct Waiting {
    /// Whether `rejected` is what was asked for.
    rejects: bool,
    answer: oneshot::Sender<Answer>,
}

impl Watches {
    /// Watches the link `name`, which is about to be attached. To be kept as long as the link.
    pub(crate) fn watch(&self, name: &str) -> Arc<LinkWatch> {
        let watch = Arc::new(LinkWatch::default());
        let mut known = lock(&self.0);
        known.named.retain(|_, watch| watch.strong_count() > 0);
        known.attached.retain(|_, watch| watch.strong_count() > 0);
        known.named.insert(name.to_owned(), Arc::downgrade(&watch));
        watch
    }

    /// How long the service waits for a frame before it gives the connection up, if it has said so.
    pub(crate) fn idle_time_out(&self) -> Option<Duration> {
        lock(&self.0).idle_time_out.map(|millis| Duration::from_millis(millis.into()))
    }

    /// Takes note of a frame that came on `channel`. False for one that is not to be handed on.
    pub(super) fn note(&self, channel: u16, body: &[u8]) -> bool {
        let Some((code, mut fields)) = Fields::of(body) else { return true };
        match code {
            OPEN => lock(&self.0).idle_time_out = fields.skip(4).uint().filter(|millis| *millis > 0),
            ATTACH => {
                let mut known = lock(&self.0);
                if let Some(watch) = fields.text().and_then(|name| known.named.remove(name)) {
                    if fields.skip(3).next() == Some(&SETTLE_FIRST)
                        && let Some(watch) = watch.upgrade()
                    {
                        lock(&watch.state).answers_nothing = true;
                    }
                    known.attached.insert(channel, watch);
                }
            }
            END => {
                lock(&self.0).attached.remove(&channel);
            }
            FLOW | TRANSFER | DISPOSITION => {
                let watch = lock(&self.0).attached.get(&channel).and_then(Weak::upgrade);
                if let Some(watch) = watch {
                    return watch.note(code, fields);
                }
            }
            _ => {}
        }
        true
    }
}

impl LinkWatch {
    /// Has the answer to the settlement of a delivery sent to `answer`, which is dropped when there will be none. `rejects` says
    /// that it is to be rejected: to be dead-lettered.
    pub(crate) fn expect(&self, delivery_id: u32, rejects: bool, answer: oneshot::Sender<Answer>) {
        lock(&self.state).unanswered.insert(delivery_id, Waiting { rejects, answer });
    }

    /// The settlements so far are written: where no answer comes, they are applied for all that can be known.
    pub(crate) fn written(&self) {
        let mut state = lock(&self.state);
        if state.answers_nothing {
            for waiting in std::mem::take(&mut state.unanswered).into_values() {
                // Whoever does not wait any more has given up before.
                drop(waiting.answer.send(Answer::Applied));
            }
        }
    }

    /// Gives up waiting for answers: the link has ended.
    pub(crate) fn give_up(&self) {
        lock(&self.state).unanswered.clear();
    }

    /// Whether settlements wait for their answers.
    pub(crate) fn is_waiting(&self) -> bool {
        !lock(&self.state).unanswered.is_empty()
    }

    /// Forgets the end of an earlier drain. To be called before the link is drained.
    pub(crate) fn begin_drain(&self) {
        lock(&self.state).drained_at = None;
    }

    /// How many deliveries had come, modulo 2^32, when the service said that it has drained the link.
    pub(crate) fn drained_at(&self) -> Option<u32> {
        lock(&self.state).drained_at
    }

    /// Waits for the end of a drain, or for the last answer. One that came before counts.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn note(&self, code: u8, mut fields: Fields<'_>) -> bool {
        match code {
            TRANSFER => {
                let more = fields.skip(5).flag();
                let aborted = fields.skip(9).flag();
                if !more && !aborted {
                    let mut state = lock(&self.state);
                    state.delivered = state.delivered.wrapping_add(1);
                }
                true
            }
            DISPOSITION => {
                self.answered(fields);
                true
            }
            // What fe2o3-amqp takes from it is the delivery count, and that before it has counted what came ahead. Without it
            // both counts go on by themselves. A flow without a handle is about the session.
            _ => {
                let is_of_link = fields.skip(4).uint().is_some();
                if is_of_link && fields.skip(8).flag() {
                    let mut state = lock(&self.state);
                    state.drained_at = Some(state.delivered);
                    drop(state);
                    self.changed.notify_one();
                }
                fields.next();
                !is_of_link
            }
        }
    }

    fn answered(&self, mut fields: Fields<'_>) {
        let is_receiver = fields.flag();
        let Some(first) = fields.uint() else { return };
        let last = fields.uint().unwrap_or(first);
        let settled = fields.flag();
        if is_receiver || !settled {
            return;
        }
        let outcome = fields.next();
        let mut state = lock(&self.state);
        // Delivery ids wrap around. Only those that are waited for are looked at, however long the row may be.
        let row = last.wrapping_sub(first);
        let answered = state.unanswered.extract_if(.., |id, _| id.wrapping_sub(first) <= row);
        for (_, Waiting { rejects, answer }) in answered {
            // A caller who has gone wants no answer.
            drop(answer.send(read(outcome, rejects)));
        }
        let was_last = state.unanswered.is_empty();
        drop(state);
        if was_last {
            self.changed.notify_one();
        }
    }
}

impl fmt::Debug for LinkWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        f.debug_struct("LinkWatch")
            .field("unanswered", &state.unanswered.len())
            .field("delivered", &state.delivered)
            .finish_non_exhaustive()
    }
}

/// An applied settlement is answered with its own outcome: `rejected` without an error says that a message was dead-lettered
/// as it should be, and nothing of any other settlement.
fn read(outcome: Option<&[u8]>, rejects: bool) -> Answer {
    match outcome.map(serde_amqp::from_slice::<DeliveryState>) {
        Some(Ok(DeliveryState::Rejected(Rejected { error: Some(error) }))) => Answer::Refused(error),
        Some(Ok(DeliveryState::Rejected(_))) if rejects => Answer::Applied,
        Some(Ok(DeliveryState::Accepted(_) | DeliveryState::Modified(_) | DeliveryState::Released(_))) => {
            Answer::Applied
        }
        _ => Answer::Unclear,
    }
}

/// Each state is valid whatever its last user was doing when it died.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

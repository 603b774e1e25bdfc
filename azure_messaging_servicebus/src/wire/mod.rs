//! What the service says in frames that fe2o3-amqp keeps to itself: its answers to settlements, and the ends of drains.
//!
//! fe2o3-amqp 0.18.4 reads the service's answer to a disposition and throws it away, and takes the delivery count of a
//! drained link over before it has counted the messages that came ahead of it. So the stream under it is a [`Tap`]: it
//! reads every frame that comes, keeps back what serde_amqp cannot decode without a panic, tells the [`LinkWatch`] of the receiving link what it says, and hands it on.

mod fields;
mod guard;
mod tap;
#[cfg(test)]
mod tests;
mod walk;
mod watch;

pub(crate) use tap::Tap;
pub(crate) use walk::all as check;
pub(crate) use watch::{Answer, LinkWatch, Watches};

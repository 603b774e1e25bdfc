//! Links that are attached in tasks of their own, so that nobody's patience decides whether an attach succeeds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use azure_messaging_servicebus::{Receiver, Sender, ServiceBusError};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tracing::Instrument;

use crate::customers::QueueName;
use crate::error::{Error, Kind};

/// A link that can be attached, and attached again once it has broken.
pub trait Attach: Send + Sync + 'static {
    /// Returns when the link is attached; at once when it is already.
    fn attach(&self) -> impl Future<Output = Result<(), ServiceBusError>> + Send;
}

impl Attach for Sender {
    async fn attach(&self) -> Result<(), ServiceBusError> {
        self.max_message_size().await.map(|_| ())
    }
}

impl Attach for Receiver {
    async fn attach(&self) -> Result<(), ServiceBusError> {
        Self::attach(self).await
    }
}

/// The links of one direction, by queue.
pub struct Links<L>(Mutex<HashMap<QueueName, Link<L>>>);

struct Link<L> {
    link: Arc<L>,
    attempt: Option<Attempt>,
}

/// An attach that several callers wait for.
type Attempt = Shared<BoxFuture<'static, Result<(), Error>>>;

impl<L: Attach> Links<L> {
    /// The link to `queue`, made by `make` if there is none, once it is attached.
    ///
    /// Dropping the future is safe: the attempt goes on, and later callers join it. There are never two at once, so
    /// callers of a namespace that answers nothing do not pile up behind one another.
    pub async fn attached(
        &self,
        queue: &QueueName,
        make: impl Future<Output = Result<L, Error>>,
    ) -> Result<Arc<L>, Error> {
        let link = match self.kept(queue) {
            Some(link) => link,
            None => self.keep(queue, make.await?),
        };
        self.attempt(queue, &link).await?;
        Ok(link)
    }

    /// Lets go of all links but the one to `queue`.
    pub fn keep_only(&self, queue: &QueueName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|kept, _| kept == queue);
    }

    /// All links, attached or not.
    pub fn all(&self) -> Vec<Arc<L>> {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.values().map(|kept| kept.link.clone()).collect()
    }

    fn kept(&self, queue: &QueueName) -> Option<Arc<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(queue).map(|kept| kept.link.clone())
    }

    /// Of two made at the same time the first is kept.
    fn keep(&self, queue: &QueueName, link: L) -> Arc<L> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Link { link: Arc::new(link), attempt: None };
        links.entry(queue.clone()).or_insert_with(fresh).link.clone()
    }

    fn attempt(&self, queue: &QueueName, link: &Arc<L>) -> Attempt {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = links
            .get(queue)
            .and_then(|kept| kept.attempt.as_ref())
            .filter(|attempt| attempt.peek().is_none());
        if let Some(attempt) = running {
            return attempt.clone();
        }
        let link = link.clone();
        let task = tokio::spawn(async move { link.attach().await }.in_current_span());
        let attempt = async move {
            match task.await {
                Ok(attached) => attached.map_err(Error::from),
                Err(error) => Err(Error::new(Kind::Internal, format!("attaching a link: {error}"))),
            }
        };
        let attempt = attempt.boxed().shared();
        if let Some(kept) = links.get_mut(queue) {
            kept.attempt = Some(attempt.clone());
        }
        attempt
    }
}

impl<L> Default for Links<L> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

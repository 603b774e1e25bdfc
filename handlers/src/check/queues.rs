//! The way to one pair of queues: a token for the namespace, and a link of each kind.

use super::Check;
use crate::customers::QueueName;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::messaging::Bus;

/// Who needs the roles, as the provider's checks say it.
pub const APPLICATION: &str = "the application's service principal in the customer's tenant";
/// The same in the customer's checks.
pub const OWN_IDENTITY: &str = "the identity of this app";

const SENDER: &str = "Azure Service Bus Data Sender";
const RECEIVER: &str = "Azure Service Bus Data Receiver";
/// Condition with which Service Bus refuses a link for want of a role.
const UNAUTHORIZED: &str = "amqp:unauthorized-access";

/// The name of a check, and the queue it is about.
type Named<'a> = (&'static str, &'a QueueName);

/// Checks that `who` gets a token, and may send to one queue and receive from the other. Without a token neither is tried.
pub async fn check(
    bus: &Bus,
    who: &str,
    (send, send_queue): Named<'_>,
    (receive, receive_queue): Named<'_>,
    deadline: Deadline,
) -> Vec<Check> {
    let mut checks = Vec::new();
    if bus.is_by_token() {
        let token = Check::of("token", deadline.bound_try("asking for a token", bus.token())).await;
        let is_given = token.ok;
        checks.push(token);
        if !is_given {
            return checks;
        }
    }
    let sender = async {
        let attach = bus.sender(send_queue);
        deadline.bound_try("attaching a sender", attach).await.map(drop)
    };
    let receiver = async {
        let attach = bus.receiver(receive_queue);
        deadline.bound_try("attaching a receiver", attach).await.map(drop)
    };
    let (send, receive) = tokio::join!(
        Check::of(send, explained(sender, who, SENDER, send_queue)),
        Check::of(receive, explained(receiver, who, RECEIVER, receive_queue)),
    );
    let mut links = [send, receive];
    // On both sides in the order of a command's way.
    links.sort_by_key(|check| check.name);
    checks.extend(links);
    checks
}

/// The same failure with a remedy that names this very role and queue.
async fn explained(
    attaching: impl Future<Output = Result<(), Error>>,
    who: &str,
    role: &str,
    queue: &QueueName,
) -> Result<(), Error> {
    attaching.await.map_err(|mut error| {
        let remedy = if error.code.as_deref() == Some(UNAUTHORIZED) {
            format!(
                "give {who} the role {role} on the queue {queue}; a new assignment takes some minutes to work"
            )
        } else if matches!(error.kind, Kind::Timeout | Kind::Unavailable) && !error.detail.contains("To do") {
            "check the namespace's name, and that its network rules let this app in".to_owned()
        } else {
            return error;
        };
        let reason = error.detail.split(". To do: ").next().unwrap_or_default();
        error.detail = format!("{reason}. To do: {remedy}");
        error
    })
}

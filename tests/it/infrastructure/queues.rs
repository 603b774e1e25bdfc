//! The names of the queues: where they are made, where roles are given on them, and where others are told them.

use super::{CUSTOMER, Deployed, Templates, refusal};

const COMMANDS: &str = "deploymentCommandQueueName";
const STATUSES: &str = "deploymentStatusQueueName";

/// The queue has another name where it is made and where roles are given on it; the apps go on using the old one.
fn renamed(queue: &str) -> Option<Templates> {
    let templates = Templates::copy()?;
    let made = templates.replace(CUSTOMER, &format!("{{ name: {queue}, "), "{ name: 'renamed', ");
    Some(made.replace_each(CUSTOMER, &format!("queueName: {queue}\n"), "queueName: 'renamed'\n", 2))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_queue_of_another_name_is_not_found_by_the_provider() {
    let Some(templates) = renamed(COMMANDS) else { return };
    let words =
        ["The messaging entity", "/deployment-commands' could not be found", "To do: check the queue's name"];
    Deployed::from(templates).await.refuses(502, "customer-refused", &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_queue_of_another_name_is_not_found_by_the_trigger() {
    let Some(templates) = renamed(COMMANDS) else { return };
    let words = ["Message processing error", "/deployment-commands' could not be found"];
    Deployed::from(templates).await.customer_says(&words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_queue_of_another_name_is_not_found_by_the_provider() {
    let Some(templates) = renamed(STATUSES) else { return };
    let words = ["cannot be read", "/deployment-status' could not be found", "To do: check the queue's name"];
    Deployed::from(templates).await.provider_says(&words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_queue_of_another_name_is_not_found_by_the_customers_app() {
    let Some(templates) = renamed(STATUSES) else { return };
    let deployed = Deployed::from(templates).await;
    let location = deployed.takes_a_command().await;
    let words = ["a status cannot be sent yet", "/deployment-status' could not be found"];
    deployed.customer_says_until_mended(&location, &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_on_a_queue_that_is_not_made_are_refused() {
    for queue in [COMMANDS, STATUSES] {
        let Some(templates) = Templates::copy() else { return };
        let from = format!("{{ name: {queue}, ");
        let said = refusal(templates.replace(CUSTOMER, &from, "{ name: 'renamed', ")).await;
        let expected = "/queues/deployment-";
        assert!(said.contains("ResourceNotFound: The Resource 'Microsoft.ServiceBus/namespaces/"), "{said}");
        assert!(said.contains("roleAssignments") && said.contains(expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_whose_name_the_provider_is_told_wrongly_is_not_found() {
    let Some(templates) = Templates::copy() else { return };
    let from = format!("output {COMMANDS} string = {COMMANDS}");
    let templates = templates.replace(CUSTOMER, &from, &format!("output {COMMANDS} string = 'others'"));
    let words =
        ["/others' could not be found", "To do: check the queue's name in the settings or the registry"];
    Deployed::from(templates).await.refuses(502, "customer-refused", &words).await;
}

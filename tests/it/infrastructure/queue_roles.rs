//! Each of the four roles on the queues.

use super::{CUSTOMER, Deployed, Templates};

async fn without(module: &str) -> Option<Deployed> {
    let templates = Templates::copy()?.without_module(CUSTOMER, module);
    Some(Deployed::from(templates).await)
}

const SEND: &str =
    "Unauthorized access. 'Send' claim(s) are required to perform this operation. Resource: 'sb://";
const LISTEN: &str =
    "Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: 'sb://";

#[tokio::test(flavor = "multi_thread")]
async fn without_the_providers_role_on_the_command_queue_callers_are_refused() {
    let Some(deployed) = without("providerSendsCommands").await else { return };
    let to_do = "To do: have the customer give the role Azure Service Bus Data Sender on the command queue";
    deployed.refuses(502, "customer-refused", &[SEND, "/deployment-commands'", to_do]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_providers_role_on_the_status_queue_no_status_is_read() {
    let Some(deployed) = without("providerReadsStatuses").await else { return };
    deployed.takes_a_command().await;
    let words =
        ["cannot be read", "\"contoso\"", LISTEN, "/deployment-status'", "To do: have the customer give"];
    deployed.provider_says(&words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_customers_role_on_the_command_queue_the_trigger_is_refused() {
    let Some(deployed) = without("appReadsCommands").await else { return };
    deployed.takes_a_command().await;
    deployed.customer_says(&["Message processing error", LISTEN, "/deployment-commands'"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_customers_role_on_the_status_queue_no_status_is_sent() {
    let Some(deployed) = without("appSendsStatuses").await else { return };
    let location = deployed.takes_a_command().await;
    let words = ["a status cannot be sent yet", SEND, "/deployment-status'", "the other way round"];
    deployed.customer_says_until_mended(&location, &words).await;
}

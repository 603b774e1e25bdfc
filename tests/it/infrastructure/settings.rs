//! App settings that lead astray.

use super::{CUSTOMER, Deployed, PROVIDER, Templates};

/// Deploys with a setting of the customer's app changed, which stands in the template like this.
async fn customer(name: &str, value: &str, instead: &str) -> Option<Deployed> {
    let templates = Templates::copy()?;
    let (from, to) = (format!("      {name}: {value}\n"), format!("      {name}: {instead}\n"));
    Some(Deployed::from(templates.replace(CUSTOMER, &from, &to)).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_of_an_app_that_takes_itself_for_another_customers_are_dead_lettered() {
    let Some(deployed) = customer("CustomerId", "customerId", "'fabrikam'").await else { return };
    deployed.takes_a_command().await;
    deployed.provider_says(&["WrongCustomer", "\"contoso\""]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_there_is_not_is_named() {
    let Some(deployed) = customer("AllowedActions", "join(allowedActions, ',')", "'restart'").await else {
        return;
    };
    deployed.takes_a_command().await;
    deployed
        .customer_says_amid_a_command(&["setting fault", "\"AllowedActions\"", "out of acknowledge"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_another_queue_than_the_commands_finds_none() {
    let name = "DeploymentCommandQueueName";
    let Some(deployed) = customer(name, "deploymentCommandQueueName", "'others'").await else { return };
    deployed.customer_says(&["Message processing error", "/others' could not be found"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_for_another_queue_find_none() {
    let name = "DeploymentStatusQueueName";
    let Some(deployed) = customer(name, "deploymentStatusQueueName", "'others'").await else { return };
    deployed.takes_a_command().await;
    let words = ["a status cannot be sent yet", "/others' could not be found"];
    deployed.customer_says_amid_a_command(&words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assertions_for_another_audience_are_refused() {
    let Some(templates) = Templates::copy() else { return };
    let (from, to) =
        ("clouds[cloud].tokenExchangeAudience : ''", "clouds.AzureChinaCloud.tokenExchangeAudience : ''");
    let deployed = Deployed::from(templates.replace(PROVIDER, from, to)).await;
    let said = "The requested identity has not been assigned to this resource";
    deployed.refuses(502, "customer-refused", &[said, "To do: ", "TokenExchangeAudience"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_none_is_named_and_no_status_is_read() {
    let Some(templates) = Templates::copy() else { return };
    let from = "StatusPollSchedule: statusPollSchedule";
    let deployed = Deployed::from(templates.replace(PROVIDER, from, "StatusPollSchedule: 'often'")).await;
    deployed.provider_says(&["ReadDeploymentStatus", "often"]).await;
}

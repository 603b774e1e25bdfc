//! What can be taken away, and how the refusal looks to the operator.

use std::time::Duration;

use clap::ValueEnum;
use lab::Lab;
use lab::directory::Role;
use serde_json::Value;
use time::OffsetDateTime;

use super::caller::Caller;
use super::journey::text;
use crate::Result;

/// Something that the crossing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Break {
    /// contoso's consent to the application: no service principal in their tenant
    Consent,
    /// The right subject in the application's federated credential
    Subject,
    /// The application's role on contoso's command queue
    Role,
    /// The validity of the application's client secret
    Secret,
}

/// The customer from whom something is taken.
const CUSTOMER: &str = "contoso";

impl Break {
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Consent => "the service principal of the application in contoso's tenant",
            Self::Subject => {
                "the subject in the application's federated credential: it names another identity now"
            }
            Self::Role => "Azure Service Bus Data Sender on contoso's command queue",
            Self::Secret => "the validity of the application's client secret: it ended yesterday",
        }
    }

    /// Changes the directory as an administrator would have.
    pub(crate) fn apply(self, lab: &Lab) {
        let app_id = lab.provider().tenant.app_id;
        let customer = lab.customer(CUSTOMER).map(|customer| customer.tenant.tenant_id).unwrap_or_default();
        let mut state = lab.directory().write();
        match self {
            Self::Consent => state
                .service_principals
                .retain(|principal| principal.tenant_id != customer || principal.app_id != app_id),
            Self::Role => {
                let principal =
                    state.service_principal(customer, app_id).map(|principal| principal.object_id);
                state
                    .role_assignments
                    .retain(|given| Some(given.principal_id) != principal || given.role != Role::DataSender);
            }
            Self::Subject => {
                let subject = lab.provider().tenant.identity.client_id.to_string();
                for app in state.applications.values_mut() {
                    app.federated_credentials
                        .iter_mut()
                        .for_each(|credential| credential.subject.clone_from(&subject));
                }
            }
            Self::Secret => {
                let yesterday = OffsetDateTime::now_utc() - time::Duration::days(1);
                for app in state.applications.values_mut() {
                    app.client_secrets.iter_mut().for_each(|secret| secret.expires = yesterday);
                }
            }
        }
    }
}

/// Sends a command to each customer and shows what comes of it, and what stands in the provider's log.
///
/// # Errors
/// Always: something was taken away.
pub(crate) async fn show(breakage: Break, lab: &Lab) -> Result<()> {
    let caller = Caller::new(lab)?;
    let mut refused = 0;
    for customer in lab.customers() {
        let name = &customer.tenant.name;
        println!("\nPOST /api/customers/{name}/deployments");
        let answer = caller.send(name, 1).await?;
        println!("  HTTP {}", answer.status);
        println!("{}", indented(&answer.body));
        refused += usize::from(answer.status != 202);
    }
    let host = lab.provider().host().ok_or("the provider's Functions host does not run")?;
    let is_failure = |line: &str| line.contains(r#""level":"ERROR""#) || line.contains(r#""level":"WARN""#);
    host.log().wait_for_line(Duration::from_secs(10), |line| is_failure(&line.text)).await;
    println!("\nThe provider's log:");
    let mut shown = Vec::new();
    for line in host.log().lines().iter().filter(|line| is_failure(&line.text)) {
        let json: Value = serde_json::from_str(&line.text).unwrap_or(Value::Null);
        let span = json.get("span").unwrap_or(&Value::Null);
        let event = format!(
            "  {:<5} {} {}: {}: {}",
            text(&json, "level"),
            text(span, "function"),
            text(span, "customerId"),
            text(&json, "message"),
            text(&json, "reason")
        );
        if !shown.contains(&event) {
            println!("{event}");
            shown.push(event);
        }
    }
    Err(format!(
        "{refused} of {} commands were refused, since this was taken away: {}",
        lab.customers().len(),
        breakage.describe()
    )
    .into())
}

fn indented(body: &Value) -> String {
    format!("{body:#}").lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end().to_owned()
}

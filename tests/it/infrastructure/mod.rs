//! The Bicep is what makes the crossing work: with one role, name, claim or setting of it gone or changed, and the snapshot
//! taken anew, it fails with the service's own error.

mod app;
mod application;
mod queue_roles;
mod queues;
mod settings;
mod storage;
mod templates;

use lab::deployment::Snapshot;
use lab::{AppIdentity, Lab, LabConfig, LabError};
use serde_json::json;

use crate::support::{Answer, PATIENCE, World, config, repository};
use templates::{Taken, Templates};

const PROVIDER: &str = "infra/provider/main.bicep";
const IDENTITY: &str = "infra/provider/identity.bicep";
const CUSTOMER: &str = "infra/customer/main.bicep";
const CONSENT: &str = "infra/customer/consent.bicep";
const APP: &str = "infra/modules/function-app.bicep";

/// Contoso alone, from these templates.
async fn lab(templates: &Templates, taken: Taken) -> Result<Lab, LabError> {
    let app_identity =
        if templates.is_by_client_secret() { AppIdentity::ClientSecret } else { AppIdentity::Federated };
    let config = LabConfig {
        snapshots: templates.snapshots(taken).await,
        customers: vec!["contoso".to_owned()],
        app_identity,
        ..config()
    };
    Lab::start(config).await
}

/// A world that could be deployed, whether or not it works.
struct Deployed(World);

impl Deployed {
    /// From templates that were changed.
    async fn from(templates: Templates) -> Self {
        Self::with(&templates, Taken::Changed).await
    }

    async fn with(templates: &Templates, taken: Taken) -> Self {
        Self(World::of(lab(templates, taken).await.unwrap()))
    }

    /// A command goes there and its status comes back.
    async fn works(self) {
        let location = self.takes_a_command().await;
        self.0.until(&location, "Succeeded").await;
        self.0.close().await;
    }

    async fn send(&self) -> Answer {
        self.0.send("contoso", &json!({"action": "acknowledge"})).await
    }

    /// The caller is refused in these words.
    async fn refuses(self, status: u16, problem: &str, words: &[&str]) {
        let answer = self.send().await;
        assert_eq!((answer.status, answer.problem()), (status, problem), "{answer:?}\n{}", self.0.log_text());
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(words.iter().all(|word| detail.contains(word)), "{words:?}: {detail}");
        self.0.close().await;
    }

    /// The provider takes a command all the same.
    async fn takes_a_command(&self) -> String {
        self.0.send_acknowledge("contoso").await
    }

    /// The provider's log has one line with all of these words.
    async fn provider_says(self, words: &[&str]) {
        self.0.provider_logs(|line| words.iter().all(|word| line.contains(word))).await;
        self.0.close().await;
    }

    /// The log of the customer's host, with what the handler says, has one line with all of these words.
    async fn customer_says(self, words: &[&str]) {
        self.customer_has_said(words).await;
        self.0.close().await;
    }

    /// The same while a status waits to be sent: it is once the repository's templates are deployed.
    async fn customer_says_until_mended(mut self, location: &str, words: &[&str]) {
        self.customer_has_said(words).await;
        let tenant = self.0.customer("contoso").tenant.tenant_id;
        let committed = repository().join("tests/infra/contoso.snapshot.json");
        self.0.lab.deploy(tenant, &Snapshot::read(&committed).unwrap()).await.unwrap();
        self.0.until(location, "Succeeded").await;
        self.0.close().await;
    }

    /// The same while the customer's app still tries, which then is all that is left open.
    async fn customer_says_amid_a_command(self, words: &[&str]) {
        self.customer_has_said(words).await;
        let left = self.0.lab.close().await;
        let is_it =
            |line: &String| line.contains("the invocation ReadDeploymentCommandAndSendDeploymentStatus ");
        assert!(left.iter().all(is_it), "{left:#?}");
    }

    async fn customer_has_said(&self, words: &[&str]) {
        let log = self.0.customer("contoso").host().unwrap().log();
        let found =
            log.wait_for_line(PATIENCE, |line| words.iter().all(|word| line.text.contains(word))).await;
        assert!(found.is_some(), "{words:?} are not in\n{}", self.0.log_text());
    }
}

/// What Azure says when it refuses the deployment.
async fn refusal(templates: Templates) -> String {
    match lab(&templates, Taken::Changed).await {
        Ok(_) => panic!("it is deployed"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_templates_with_all_snapshots_taken_anew_carry_a_command_there_and_its_status_back() {
    let Some(templates) = Templates::copy() else { return };
    Deployed::with(&templates, Taken::All).await.works().await;
}

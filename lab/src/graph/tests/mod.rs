//! The service as a program sees it: over https, with tokens of the token service.

mod applications;
mod service_principals;
mod tokens;

use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;
use time::Duration;
use uuid::Uuid;

use super::GraphService;
use crate::directory::{AppRole, AppRoleAssignment, Application, ClientSecret, State};
use crate::token_service::BodyForm;
use crate::token_service::tests::world::{CUSTOMER, PROVIDER, World};

const GRAPH_SCOPE: &str = "https://graph.microsoft.com/.default";
const ADMINISTRATORS_SECRET: &str = "administrators~secret";

/// The token service's world with Graph in it, and in each tenant an application of its administrators.
struct Graph {
    world: World,
    service: GraphService,
}

impl Graph {
    async fn start() -> Self {
        let world = World::start(BodyForm::Blank).await;
        for tenant in [PROVIDER, CUSTOMER] {
            add_administrator(&mut world.directory.write(), tenant, AppRole::ApplicationReadWriteAll);
        }
        let (directory, issuer) = (Arc::clone(&world.directory), Arc::clone(&world.issuer));
        let service = GraphService::start(directory, issuer, &world.ca).await.unwrap();
        Self { world, service }
    }

    /// A token of the administrators of `tenant` for Graph.
    async fn token(&self, tenant: Uuid) -> String {
        self.token_for(tenant, GRAPH_SCOPE).await
    }

    async fn token_for(&self, tenant: Uuid, scope: &str) -> String {
        let form = [
            ("client_id", &*administrator(tenant).to_string()),
            ("client_secret", ADMINISTRATORS_SECRET),
            ("grant_type", "client_credentials"),
            ("scope", scope),
        ];
        let (status, answer) = self.world.ask(&tenant.to_string(), &form).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a request as the administrators of `tenant`; the answer's body is null when there is none.
    async fn call(&self, tenant: Uuid, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = self.token(tenant).await;
        self.call_with(Some(&token), method, path, body).await
    }

    async fn call_with(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self.world.http.request(method, format!("{}v1.0/{path}", self.service.url()));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, tenant: Uuid, path: &str) -> (u16, Value) {
        self.call(tenant, Method::GET, path, None).await
    }
}

/// The application of the administrators of `tenant`.
fn administrator(tenant: Uuid) -> Uuid {
    Uuid::from_u128(tenant.as_u128() << 16)
}

fn add_administrator(state: &mut State, tenant: Uuid, role: AppRole) {
    let app_id = administrator(tenant);
    let secret = ClientSecret {
        key_id: Uuid::new_v4(),
        value: ADMINISTRATORS_SECRET.to_owned(),
        expires: time::OffsetDateTime::now_utc() + Duration::DAY,
    };
    let application = Application {
        app_id,
        home_tenant_id: tenant,
        multi_tenant: false,
        client_secrets: vec![secret],
        redirect_uris: Vec::new(),
        federated_credentials: Vec::new(),
        token_lifetime: None,
    };
    state.applications.insert(app_id, application);
    let principal_id = state.consent(tenant, app_id);
    state.app_role_assignments.push(AppRoleAssignment { principal_id, role });
}

/// A refusal's code and message.
fn refusal(answer: &Value) -> (&str, &str) {
    let text = |name: &str| answer["error"][name].as_str().unwrap_or_default();
    (text("code"), text("message"))
}

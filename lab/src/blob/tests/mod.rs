//! The blob service over https, as its clients meet it.

mod auth;
mod conditions;
mod files;
mod object_store;
mod rest;

use std::sync::Arc;

use reqwest::{Certificate, Method, RequestBuilder, Response};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::BlobService;
use crate::broker::Services;
use crate::clock::Clock;
use crate::directory::{Directory, Role, RoleAssignment};
use crate::jwt::SigningKey;
use crate::tls::CertificateAuthority;
use crate::token_service::{Authentication, Principal, TokenIssuer};

const TENANT: Uuid = Uuid::from_u128(0xa1);
const ACCOUNT: &str = "stcauseway";
const RESOURCE_ID: &str =
    "/subscriptions/a1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stcauseway";
const STORAGE: &str = "https://storage.azure.com";

/// One account with the containers `deployments` and `other`.
struct World {
    service: BlobService,
    directory: Arc<Directory>,
    issuer: TokenIssuer,
    clock: Clock,
    ca: CertificateAuthority,
    http: reqwest::Client,
    /// May do everything with blobs.
    owner: String,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let (directory, ca) = (Arc::new(Directory::new()), CertificateAuthority::generate().unwrap());
        let clock = Clock::stepped(OffsetDateTime::now_utc());
        let signing_key = Arc::new(SigningKey::generate().unwrap());
        let issuer = TokenIssuer::new(Arc::clone(&signing_key), clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let services = Services { directory: Arc::clone(&directory), signing_key, clock: clock.clone() };
        let service = BlobService::start(services, &ca, folder.path().to_owned()).await.unwrap();
        service.add_account(ACCOUNT, RESOURCE_ID, TENANT).unwrap();
        service.add_container(ACCOUNT, "deployments").unwrap();
        service.add_container(ACCOUNT, "other").unwrap();
        let root = Certificate::from_pem(ca.pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
        let owner = String::new();
        let mut world = Self { service, directory, issuer, clock, ca, http, owner, _folder: folder };
        world.owner = world.token(TENANT, world.principal(Role::StorageBlobDataOwner, RESOURCE_ID), STORAGE);
        world
    }

    /// A new principal with one role.
    fn principal(&self, role: Role, scope: &str) -> Uuid {
        let principal_id = Uuid::new_v4();
        let assignment = RoleAssignment { principal_id, role, scope: scope.to_owned() };
        self.directory.write().role_assignments.push(assignment);
        principal_id
    }

    fn token(&self, tenant_id: Uuid, object_id: Uuid, audience: &str) -> String {
        let client_id = Uuid::new_v4();
        let authentication = Authentication::Assertion;
        let principal = Principal { tenant_id, client_id, object_id, authentication, app_roles: Vec::new() };
        self.issuer.issue(principal, audience, Duration::HOUR).unwrap().secret
    }

    /// A request to the account, as Storage's clients write it, without a token.
    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.service.endpoint(ACCOUNT).unwrap());
        self.http.request(method, url).header("x-ms-version", "2023-11-03")
    }

    /// The owner's request.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(&self.owner)
    }

    fn put(&self, path: &str, body: &str) -> RequestBuilder {
        let request = self.request(Method::PUT, path).header("x-ms-blob-type", "BlockBlob");
        // reqwest leaves it out for an empty body.
        request.header("content-length", body.len()).body(body.to_owned())
    }

    async fn text(&self, path: &str) -> String {
        self.request(Method::GET, path).send().await.unwrap().text().await.unwrap()
    }
}

/// Status and error code of an answer; the code stands in the body too, but of `HEAD` and 304.
async fn outcome(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let (status, code) = (response.status().as_u16(), header(&response, "x-ms-error-code"));
    for name in ["x-ms-request-id", "date", "server"] {
        assert!(response.headers().contains_key(name), "{name}");
    }
    let body = response.text().await.unwrap();
    if status >= 400 && !body.is_empty() {
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    }
    (status, code)
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

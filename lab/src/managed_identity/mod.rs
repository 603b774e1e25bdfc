//! The managed identity endpoint that App Service puts beside every app: protocol version 2019-08-01, plain http.
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
//!
//! In Azure each app has an endpoint of its own. Here one serves all of them and knows the app by its header, which is
//! secret and random for each app.

#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::get;
use url::Url;
use uuid::Uuid;

use crate::directory::Directory;
use crate::http::HttpServer;
use crate::token_service::{StartError, TokenIssuer};

/// The running endpoint. Dropping it stops it at once.
#[derive(Debug)]
pub struct ManagedIdentityEndpoint {
    service: Arc<Service>,
    server: HttpServer,
    url: Url,
}

/// What the route needs.
struct Service {
    directory: Arc<Directory>,
    issuer: Arc<TokenIssuer>,
    apps: Mutex<BTreeMap<String, App>>,
}

/// An app with the principal ids of its identities.
#[derive(Clone)]
struct App {
    header: String,
    identities: Vec<Uuid>,
}

/// What an app is told about its endpoint.
#[derive(Clone)]
pub struct AppIdentity {
    /// `IDENTITY_ENDPOINT`.
    pub endpoint: Url,
    /// `IDENTITY_HEADER`: the secret that each request must carry in `X-IDENTITY-HEADER`.
    pub header: String,
}

impl ManagedIdentityEndpoint {
    /// Starts the endpoint on a free loopback port.
    ///
    /// # Errors
    /// [`StartError`] when no port can be bound.
    pub async fn start(directory: Arc<Directory>, issuer: Arc<TokenIssuer>) -> Result<Self, StartError> {
        let bound = HttpServer::bind("managed identity endpoint").await?;
        let url = Url::parse(&format!("http://{}/msi/token", bound.address()))?;
        let service = Arc::new(Service { directory, issuer, apps: Mutex::default() });
        let app = Router::new().route("/msi/token", get(token::get)).with_state(Arc::clone(&service));
        Ok(Self { service, server: bound.serve(app, None), url })
    }

    /// Gives the app `name` the managed identities with these principal ids, which are looked up in the directory at
    /// every request. To attach an app again replaces its identities and its header, as the platform does when it
    /// rotates the header.
    pub fn attach(&self, name: &str, identities: impl IntoIterator<Item = Uuid>) -> AppIdentity {
        let header = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let app = App { header: header.clone(), identities: identities.into_iter().collect() };
        self.service.apps().insert(name.to_owned(), app);
        AppIdentity { endpoint: self.url.clone(), header }
    }

    /// Makes the endpoint unreachable: connections are cut without an answer.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Ends [`ManagedIdentityEndpoint::pause`].
    pub fn resume(&self) {
        self.server.resume();
    }

    /// Stops the endpoint and names each connection whose request did not finish.
    pub async fn close(self) -> Vec<String> {
        self.server.close().await
    }
}

impl AppIdentity {
    /// The variables that App Service sets in the app's environment.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [("IDENTITY_ENDPOINT", self.endpoint.to_string()), ("IDENTITY_HEADER", self.header.clone())]
    }
}

impl Service {
    /// The map is whole whatever its last writer was doing when it died.
    fn apps(&self) -> MutexGuard<'_, BTreeMap<String, App>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("apps", &self.apps().keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AppIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppIdentity").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

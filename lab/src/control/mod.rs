//! A running world changed from outside: what administrators and operators do between deployments, over HTTP on loopback.
//!
//! It is for `cargo xtask lab`, whose commands find it by the file that the task writes. Each request carries the key of
//! the run, which is random; the world is changed by one request at a time.

mod environment;
mod routes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use tokio::sync::{Mutex, watch};
use url::Url;
use uuid::Uuid;

use crate::Lab;
use crate::deployment::Outputs;
use crate::http::HttpServer;
use crate::token_service::StartError;
pub use environment::variables;

/// A snapshot has some hundred kilobytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// A world with its control. Dropping it ends both at once; [`Control::close`] ends them in order.
#[derive(Debug)]
pub struct Control {
    shared: Arc<Shared>,
    server: HttpServer,
    url: Url,
}

/// What the routes share.
struct Shared {
    /// None when the world has ended.
    lab: Mutex<Option<Lab>>,
    key: String,
    /// What the last deployment of each tenant that gave anything has given.
    outputs: std::sync::Mutex<BTreeMap<Uuid, Outputs>>,
    asked_to_end: watch::Sender<bool>,
}

impl Control {
    /// Takes the world over and serves on a free loopback port.
    ///
    /// # Errors
    /// [`StartError`] when no port can be bound.
    pub async fn start(lab: Lab) -> Result<Self, StartError> {
        let bound = HttpServer::bind("control of the lab").await?;
        let url = Url::parse(&format!("http://{}/", bound.address()))?;
        let shared = Arc::new(Shared {
            lab: Mutex::new(Some(lab)),
            key: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            outputs: std::sync::Mutex::default(),
            asked_to_end: watch::Sender::new(false),
        });
        let app = Router::new()
            .route("/environment", get(routes::environment))
            .route("/tenants/{name}", get(routes::tenant).put(routes::make_tenant))
            .route("/tenants/{name}/deployments", post(routes::deploy))
            .route("/tenants/{name}/app", post(routes::publish))
            .route("/tenants/{name}/resources", delete(routes::delete))
            .route("/end", post(routes::end))
            .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(Arc::clone(&shared));
        Ok(Self { shared, server: bound.serve(app, None), url })
    }

    /// Where it listens: `http://127.0.0.1:{port}/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What each request must carry, as `Authorization: Bearer …`.
    pub fn key(&self) -> &str {
        &self.shared.key
    }

    /// Returns when somebody has asked the world to end.
    pub async fn asked_to_end(&self) {
        // The sender lives as long as this.
        drop(self.shared.asked_to_end.subscribe().wait_for(|asked| *asked).await);
    }

    /// Ends control and world. Gives a line for each thing that was left open.
    pub async fn close(self) -> Vec<String> {
        let mut left = self.server.close().await;
        if let Some(lab) = self.shared.lab.lock().await.take() {
            left.extend(lab.close().await);
        }
        left
    }
}

/// Without the key.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

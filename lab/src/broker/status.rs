//! Health and counts of a namespace over HTTP, for scripts and for people.
//!
//! `GET /health` answers as Microsoft's emulator does; the counts are ours.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

use super::config::BrokerError;
use super::entity::Entity;
use super::queue::QueueCounts;
use super::shared::Shared;
use crate::http::HttpServer;

/// What `GET /queues` says of a queue.
#[derive(Serialize)]
struct QueueStatus {
    name: String,
    #[serde(flatten)]
    counts: QueueCounts,
}

impl QueueStatus {
    fn of(entity: &Entity) -> Self {
        Self { name: entity.name.clone(), counts: entity.counts() }
    }
}

/// Serves until the server is closed or dropped.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    address: SocketAddr,
) -> Result<(SocketAddr, HttpServer), BrokerError> {
    let namespace = shared.config.name.clone();
    let bound = HttpServer::bind_to("broker status", address)
        .await
        .map_err(|source| BrokerError::Listen { namespace, address, source })?;
    let app = Router::new()
        .route("/health", get(health))
        .route("/queues", get(queues))
        .route("/queues/{*name}", get(queue))
        .with_state(Arc::clone(shared));
    Ok((bound.address(), bound.serve(app, None)))
}

/// The words are those of Microsoft's emulator.
/// <https://learn.microsoft.com/azure/service-bus-messaging/test-locally-with-service-bus-emulator>
async fn health() -> Response {
    Json(json!({"status": "healthy", "message": "Service is healthy."})).into_response()
}

async fn queues(State(shared): State<Arc<Shared>>) -> Response {
    let queues: Vec<_> = shared.queues().iter().map(|entity| QueueStatus::of(entity)).collect();
    let connections = *shared.connection_count.borrow();
    Json(json!({"namespace": shared.config.name, "connections": connections, "queues": queues}))
        .into_response()
}

async fn queue(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match shared.queue(&name) {
        Some(entity) => Json(QueueStatus::of(&entity)).into_response(),
        None => {
            let error = shared.no_such_queue(&name).to_string();
            (StatusCode::NOT_FOUND, Json(json!({"error": error}))).into_response()
        }
    }
}

//! From an address to an open connection: TCP, TLS, a WebSocket where one is asked for, SASL and Open.

use std::fmt;
use std::sync::Arc;

use fe2o3_amqp::Connection;
use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp_types::definitions::Fields;
use fe2o3_amqp_types::primitives::{Symbol, Value};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use super::TransportType;
#[cfg(feature = "websocket")]
use super::websocket;
use crate::connection_string::Endpoint;
use crate::error::{ErrorKind, Result, ServiceBusError, amqp};
use crate::tls;
use crate::wire::{Tap, Watches};

/// The connection is given up when nothing arrives for this long; the peer is told half of it and keeps writing.
const IDLE_TIMEOUT_MILLIS: u32 = 60_000;
/// What the service itself offers.
const MAX_FRAME_SIZE: u32 = 65_536;

pub(super) async fn dial(
    endpoint: &Endpoint,
    transport: TransportType,
    tls: Option<Arc<ClientConfig>>,
    application_id: Option<&str>,
    watches: Arc<Watches>,
) -> Result<ConnectionHandle<()>> {
    let dialing = Dialing { endpoint, transport, application_id, watches };
    let address = (endpoint.host.as_str(), endpoint.port(transport));
    let tcp = TcpStream::connect(address).await.map_err(|error| dialing.unreachable(error))?;
    // Frames are small and answers are waited for: without this, Nagle's algorithm and delayed acknowledgements cost
    // three quarters of the rate.
    tcp.set_nodelay(true).map_err(|error| dialing.unreachable(error))?;
    if !endpoint.tls {
        return dialing.over(tcp).await;
    }
    let config = tls.map_or_else(tls::system_roots, Ok)?;
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| {
        let message = format!("{}: no valid host name", dialing.doing());
        ServiceBusError::with_source(ErrorKind::InvalidRequest, message, error)
    })?;
    let stream = TlsConnector::from(config).connect(name, tcp).await;
    dialing.over(stream.map_err(|error| dialing.unreachable(error))?).await
}

struct Dialing<'a> {
    endpoint: &'a Endpoint,
    transport: TransportType,
    application_id: Option<&'a str>,
    watches: Arc<Watches>,
}

impl Dialing<'_> {
    /// Opens AMQP on `stream`, in the way that is asked for.
    async fn over<S>(&self, stream: S) -> Result<ConnectionHandle<()>>
    where
        S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static,
    {
        match self.transport {
            TransportType::AmqpTcp => self.open(stream).await,
            #[cfg(feature = "websocket")]
            TransportType::AmqpWebSockets => {
                let opened = websocket::open(stream, self.endpoint).await;
                self.open(opened.map_err(|error| self.failed("opening a WebSocket: ", error))?).await
            }
        }
    }

    async fn open<S>(&self, stream: S) -> Result<ConnectionHandle<()>>
    where
        S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static,
    {
        let host = self.endpoint.host.as_str();
        let opened = Connection::builder()
            .container_id(Uuid::new_v4().to_string())
            .hostname(Some(host))
            .sasl_hostname(Some(host))
            .sasl_profile(SaslProfile::Anonymous)
            .max_frame_size(MAX_FRAME_SIZE)
            .idle_time_out(IDLE_TIMEOUT_MILLIS)
            .properties(open_properties(self.application_id))
            .open_with_stream(Tap::new(stream, Arc::clone(&self.watches)))
            .await;
        opened.map_err(|error| match &error {
            OpenError::RemoteClosedWithError(refusal) => amqp::from_service(&self.doing(), refusal),
            _ => self.failed("opening AMQP: ", error),
        })
    }

    fn doing(&self) -> String {
        format!("connecting to `{}`", self.endpoint.namespace)
    }

    fn unreachable(&self, error: std::io::Error) -> ServiceBusError {
        self.failed("", error)
    }

    fn failed(&self, what: &str, error: impl std::error::Error + Send + Sync + 'static) -> ServiceBusError {
        let message = format!("{}: {what}{error}", self.doing());
        ServiceBusError::with_source(ErrorKind::ServiceCommunicationProblem, message, error)
    }
}

fn open_properties(application_id: Option<&str>) -> Fields {
    let product = "azure_messaging_servicebus";
    let agent = format!("{product}/{}", env!("CARGO_PKG_VERSION"));
    let agent = application_id.map_or_else(|| agent.clone(), |application| format!("{application} {agent}"));
    [
        ("product", product.to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("platform", std::env::consts::OS.to_owned()),
        ("user-agent", agent),
    ]
    .into_iter()
    .map(|(key, value)| (Symbol::from(key), Value::String(value)))
    .collect()
}

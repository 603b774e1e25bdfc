//! The client of one namespace: it knows where the namespace is and who asks, keeps the connection, and hands out senders
//! and receivers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use azure_core::credentials::TokenCredential;
use fe2o3_amqp::session::SessionHandle;
use rustls::ClientConfig;

use crate::cbs::Authorization;
use crate::connection::{Connection, TransportType};
use crate::connection_string::{ConnectionString, Endpoint};
use crate::credential::Credential;
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::receiver::{CreateReceiverOptions, Receiver};
use crate::recovery::Slot;
use crate::retry::RetryOptions;
use crate::sender::{CreateSenderOptions, Sender};
use crate::wire::LinkWatch;

/// A client of one Service Bus namespace. Its senders and receivers share one connection, which is opened at the first use
/// and again whenever it was lost. It can be used from many tasks through a shared reference.
#[derive(Debug)]
pub struct ServiceBusClient {
    core: Arc<ClientCore>,
}

impl ServiceBusClient {
    /// Starts to describe a client.
    pub fn builder() -> ServiceBusClientBuilder {
        ServiceBusClientBuilder::new()
    }

    /// Checks what [`ServiceBusClientBuilder::open_connection_string`] would be given, and that senders and receivers of these
    /// `entities` could then be made. Nothing is connected. Addition to the official crate.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] names the part that is missing or wrong, and repeats nothing of the text.
    pub fn check_connection_string<'a>(
        connection_string: &str,
        entities: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        let parsed = ConnectionString::parse(connection_string)?;
        entities.into_iter().try_for_each(|entity| check_entity(parsed.entity_path.as_deref(), entity))
    }

    /// A sender to the queue or topic `name`. Nothing is sent and no link is attached before its first use.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when the name is empty or the connection string is for another entity;
    /// [`ErrorKind::ServiceBusClosed`] after [`ServiceBusClient::close`].
    pub async fn create_sender(&self, name: &str, _options: Option<CreateSenderOptions>) -> Result<Sender> {
        self.core.check(name)?;
        Ok(Sender::new(Arc::clone(&self.core), name))
    }

    /// A receiver of the queue `name`, or of its dead-letter queue. No link is attached before its first use.
    ///
    /// # Errors
    /// As [`ServiceBusClient::create_sender`].
    pub async fn create_receiver(
        &self,
        name: &str,
        options: Option<CreateReceiverOptions>,
    ) -> Result<Receiver> {
        self.core.check(name)?;
        Ok(Receiver::new(Arc::clone(&self.core), name, options.unwrap_or_default()))
    }

    /// The namespace as it was given, with its port if one was named.
    pub fn fully_qualified_namespace(&self) -> &str {
        &self.core.endpoint.namespace
    }

    /// Closes the connection, and with it every sender and receiver of this client. Close receivers first, so that they give
    /// back what they hold; what they hold otherwise comes again when its lock runs out.
    ///
    /// # Errors
    /// [`ErrorKind::RequestTimeout`] when the service does not answer in time. The client is closed all the same.
    pub async fn close(&self) -> Result<()> {
        self.core.closed.store(true, Ordering::Relaxed);
        match self.core.connection.take() {
            Some(connection) => connection.close(self.core.retry.limit()).await,
            None => Ok(()),
        }
    }
}

/// Describes a [`ServiceBusClient`] before it is opened.
#[derive(Default)]
pub struct ServiceBusClientBuilder {
    application_id: Option<String>,
    retry: RetryOptions,
    tls: Option<Arc<ClientConfig>>,
    transport: TransportType,
}

impl ServiceBusClientBuilder {
    /// A client with the defaults of each setting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the program in the user agent that the service sees.
    pub fn with_application_id(self, application_id: String) -> Self {
        Self { application_id: Some(application_id), ..self }
    }

    /// Sets limits and further tries. Addition to the official crate.
    pub fn with_retry_options(self, retry: RetryOptions) -> Self {
        Self { retry, ..self }
    }

    /// Sets whom TLS trusts, instead of the roots of the machine or of `SSL_CERT_FILE`. Addition to the official crate.
    pub fn with_tls_config(self, config: Arc<ClientConfig>) -> Self {
        Self { tls: Some(config), ..self }
    }

    /// Sets how AMQP travels. Addition to the official crate.
    pub fn with_transport_type(self, transport: TransportType) -> Self {
        Self { transport, ..self }
    }

    /// A client of the namespace `host` or `host:port` that asks with tokens of `credential`. It connects at its first use.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when `fully_qualified_namespace` is no host with or without a port.
    pub async fn open(
        self,
        fully_qualified_namespace: &str,
        credential: Arc<dyn TokenCredential>,
    ) -> Result<ServiceBusClient> {
        let endpoint = Endpoint::of_namespace(fully_qualified_namespace)?;
        Ok(self.client(endpoint, Credential::Token(credential), None))
    }

    /// A client of the namespace in a connection string, which asks with the key or the signature in it. Addition to the
    /// official crate. With `UseDevelopmentEmulator=true` it speaks AMQP without TLS, on the port of the endpoint or 5672.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] names the part that is missing or wrong.
    pub async fn open_connection_string(self, connection_string: &str) -> Result<ServiceBusClient> {
        let parsed = ConnectionString::parse(connection_string)?;
        Ok(self.client(parsed.endpoint, parsed.credential, parsed.entity_path))
    }

    fn client(
        self,
        endpoint: Endpoint,
        credential: Credential,
        only_entity: Option<String>,
    ) -> ServiceBusClient {
        ServiceBusClient {
            core: Arc::new(ClientCore {
                endpoint,
                credential,
                only_entity,
                application_id: self.application_id,
                retry: self.retry,
                tls: self.tls,
                transport: self.transport,
                connection: Slot::empty(),
                closed: AtomicBool::new(false),
            }),
        }
    }
}

impl fmt::Debug for ServiceBusClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBusClientBuilder")
            .field("application_id", &self.application_id)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// What a client shares with its senders and receivers.
pub(crate) struct ClientCore {
    pub(crate) endpoint: Endpoint,
    credential: Credential,
    only_entity: Option<String>,
    application_id: Option<String>,
    pub(crate) retry: RetryOptions,
    tls: Option<Arc<ClientConfig>>,
    transport: TransportType,
    connection: Slot<Connection>,
    closed: AtomicBool,
}

/// What a link stands on: it must live as long as the link.
#[derive(Debug)]
pub(crate) struct Ground {
    connection: Arc<Connection>,
    #[expect(dead_code, reason = "held for what its drop does: the token is kept fresh until then")]
    authorization: Authorization,
}

impl Ground {
    /// Watches the receiving link `name`, which is about to be attached on a session of this connection.
    pub(crate) fn watch(&self, name: &str) -> Arc<LinkWatch> {
        self.connection.watches.watch(name)
    }

    /// Takes note of an attach that failed: a connection on which it is not even answered is given up.
    pub(crate) fn blame(&self, error: &ServiceBusError) {
        if *error.kind() == ErrorKind::RequestTimeout && error.condition().is_none() {
            self.connection.give_up();
        }
    }
}

impl ClientCore {
    /// A session for links to `entity` on the client's connection. A token for the entity is presented first.
    pub(crate) async fn session(&self, entity: &str) -> Result<(SessionHandle<()>, Ground)> {
        let limit = self.retry.limit();
        self.check_open()?;
        let opening = || {
            let application_id = self.application_id.as_deref();
            Connection::open(&self.endpoint, self.transport, self.tls.clone(), application_id, limit)
        };
        let connection = self.connection.get_or_make(opening).await?;
        if let Err(closed) = self.check_open() {
            // The client was closed while the connection was being opened, and nobody else will close it.
            self.connection.take();
            return Err(closed);
        }
        let audience = self.endpoint.audience(entity);
        let authorization = Authorization::obtain(&connection, &self.credential, audience, limit).await?;
        let session = connection.begin(limit).await?;
        Ok((session, Ground { connection, authorization }))
    }

    /// That the client has not been closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(ServiceBusError::new(ErrorKind::ServiceBusClosed, "the client has been closed"));
        }
        Ok(())
    }

    fn check(&self, name: &str) -> Result<()> {
        self.check_open()?;
        if name.is_empty() {
            return Err(ServiceBusError::new(ErrorKind::InvalidRequest, "the name of the entity is empty"));
        }
        check_entity(self.only_entity.as_deref(), name)
    }
}

/// That a connection string whose `EntityPath` is `only` opens the entity `name`. What the string holds is not told.
fn check_entity(only: Option<&str>, name: &str) -> Result<()> {
    match only {
        Some(only) if !only.eq_ignore_ascii_case(name) => Err(ServiceBusError::new(
            ErrorKind::InvalidRequest,
            format!(
                "connection string: `EntityPath` names another entity than `{name}`; take a connection string of the \
                 namespace"
            ),
        )),
        _ => Ok(()),
    }
}

impl fmt::Debug for ClientCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCore").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

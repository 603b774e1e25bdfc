//! Where a Service Bus namespace is, what its queues are called, and how to get in.

use std::fmt;
use std::str::FromStr;

use azure_messaging_servicebus::ServiceBusClient;
use uuid::Uuid;

/// A name breaks its rule. The text says the rule.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(&'static str);

/// A fully qualified namespace, such as `contoso.servicebus.windows.net`; may name a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(String);

impl FromStr for Namespace {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rule =
            InvalidName("a namespace is a host name with dots, such as contoso.servicebus.windows.net");
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        let host_is_named = !host.is_empty() && (host.contains('.') || port.is_some());
        let characters = host.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-'));
        let port_is_number = port.is_none_or(|port| port.parse::<u16>().is_ok());
        if host_is_named && characters && port_is_number { Ok(Self(text.to_owned())) } else { Err(rule) }
    }
}

/// Name of a queue: at most 260 characters, letters, digits, `.`, `-`, `_` and `/`.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftservicebus>
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueName(String);

impl FromStr for QueueName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'/');
        let ends_well = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        if bytes.len() <= 260
            && bytes.iter().copied().all(allowed)
            && ends_well(bytes.first())
            && ends_well(bytes.last())
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(
                "a queue name is 1 to 260 letters, digits, '.', '-', '_' and '/', a letter or digit at both ends",
            ))
        }
    }
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text!(Namespace, QueueName);

/// A Service Bus connection string that the client can use, which holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString(String);

/// The text is no connection string, or not for the queues that it must open. The reason repeats nothing of the text.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot be used: {0}")]
pub struct InvalidConnectionString(String);

impl ConnectionString {
    /// Takes a text that the client can read, and that opens these queues.
    ///
    /// # Errors
    /// [`InvalidConnectionString`] for any other.
    pub fn new<'a>(
        text: &str,
        queues: impl IntoIterator<Item = &'a QueueName>,
    ) -> Result<Self, InvalidConnectionString> {
        let queues = queues.into_iter().map(QueueName::as_str);
        ServiceBusClient::check_connection_string(text, queues)
            .map_err(|error| InvalidConnectionString(error.message().to_owned()))?;
        Ok(Self(text.to_owned()))
    }

    /// The text, key and all: for the client only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionString")
    }
}

/// A namespace and the way in. Two equal ones can share a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusAddress {
    /// By shared key: local runs.
    ConnectionString(ConnectionString),
    /// By token.
    Token {
        /// The namespace.
        namespace: Namespace,
        /// Whose token.
        entrance: Entrance,
    },
}

/// Whose token opens a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entrance {
    /// The provider's application in the customer's tenant.
    AppInTenant(Uuid),
    /// The managed identity of this app: the user-assigned one of that client id, or the system-assigned one.
    ManagedIdentity(Option<String>),
    /// Whoever is signed in with `az login`.
    Developer,
}

impl BusAddress {
    /// A customer's namespace, entered with the provider's application in the customer's tenant.
    pub fn app_in_tenant(namespace: Namespace, tenant: Uuid) -> Self {
        Self::Token { namespace, entrance: Entrance::AppInTenant(tenant) }
    }

    /// A namespace entered with this app's managed identity.
    pub fn managed_identity(namespace: Namespace, client_id: Option<String>) -> Self {
        Self::Token { namespace, entrance: Entrance::ManagedIdentity(client_id) }
    }

    /// A namespace entered as whoever is signed in on this machine.
    pub fn developer(namespace: Namespace) -> Self {
        Self::Token { namespace, entrance: Entrance::Developer }
    }

    /// Whether the provider's application is what opens it.
    pub fn is_by_app(&self) -> bool {
        matches!(self, Self::Token { entrance: Entrance::AppInTenant(_), .. })
    }
}

impl From<ConnectionString> for BusAddress {
    fn from(text: ConnectionString) -> Self {
        Self::ConnectionString(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_and_queues_are_checked() {
        for good in ["contoso.servicebus.windows.net", "localhost:5671", "127.0.0.1:5671"] {
            assert!(good.parse::<Namespace>().is_ok(), "{good}");
        }
        for bad in ["", "contoso", "sb://contoso.servicebus.windows.net", "a.b:port", "a.b/queue"] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
        for good in ["commands", "a", "a/b.c-d_e"] {
            assert!(good.parse::<QueueName>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a b", "q/$DeadLetterQueue"] {
            assert!(bad.parse::<QueueName>().is_err(), "{bad}");
        }
    }
}

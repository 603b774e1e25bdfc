//! Where a namespace is and how to prove who asks, from what an operator writes: a host name or a connection string.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas#use-the-shared-access-signature-at-amqp-level>

use azure_core::credentials::Secret;
use url::Url;

use crate::connection::TransportType;
use crate::credential::Credential;
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::sas::SharedKey;

/// AMQP inside TLS from the first byte.
const AMQPS_PORT: u16 = 5671;
/// Plain AMQP, spoken by the emulator only.
const AMQP_PORT: u16 = 5672;
/// WebSockets inside TLS.
#[cfg(feature = "websocket")]
const HTTPS_PORT: u16 = 443;

/// Where a namespace listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host name without port, as it goes into Open and into the TLS handshake.
    pub(crate) host: String,
    /// The port that the operator named, if he did.
    named_port: Option<u16>,
    /// Host as the operator wrote it, with its port if he named one. Tokens are made for it.
    pub(crate) namespace: String,
    pub(crate) tls: bool,
}

impl Endpoint {
    /// The endpoint of a fully qualified namespace, `host` or `host:port`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for anything but a host and a port.
    pub(crate) fn of_namespace(namespace: &str) -> Result<Self> {
        Self::parse(&format!("sb://{namespace}"), false).ok_or_else(|| {
            invalid(format!(
                "`{namespace}` is no fully qualified namespace: expected a host such as \
                 `contoso.servicebus.windows.net`, with a port if it is not 5671"
            ))
        })
    }

    fn parse(endpoint: &str, plain: bool) -> Option<Self> {
        let url = Url::parse(endpoint).ok().filter(|url| url.scheme() == "sb")?;
        let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
        let bare = matches!(url.path(), "" | "/")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return None;
        }
        Some(Self {
            namespace: url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
            named_port: url.port(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            tls: !plain,
        })
    }

    /// Where to connect for `transport`.
    pub(crate) fn port(&self, transport: TransportType) -> u16 {
        self.named_port.unwrap_or(match transport {
            TransportType::AmqpTcp if self.tls => AMQPS_PORT,
            #[cfg(feature = "websocket")]
            TransportType::AmqpWebSockets if self.tls => HTTPS_PORT,
            _ => AMQP_PORT,
        })
    }

    /// What a token must be made for, so that it opens `entity`.
    pub(crate) fn audience(&self, entity: &str) -> String {
        format!("sb://{}/{entity}", self.namespace)
    }
}

/// A connection string, taken apart.
#[derive(Debug)]
pub(crate) struct ConnectionString {
    pub(crate) endpoint: Endpoint,
    pub(crate) credential: Credential,
    /// The only entity that it is meant for, if it names one.
    pub(crate) entity_path: Option<String>,
}

impl ConnectionString {
    /// Takes `text` apart. Keys are read in any case; unknown ones are ignored, as Microsoft's SDKs do.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] names the key that is missing or wrong, never a value that may be secret.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut fields = Fields::default();
        for field in text.split(';').map(str::trim).filter(|field| !field.is_empty()) {
            let (key, value) = field.split_once('=').ok_or_else(|| {
                invalid("connection string: a part has no `=`; expected `Key=Value;Key=Value`")
            })?;
            fields.set(key.trim(), value.trim());
        }
        fields.finish()
    }
}

#[derive(Default)]
struct Fields<'a> {
    endpoint: Option<&'a str>,
    key_name: Option<&'a str>,
    key: Option<&'a str>,
    signature: Option<&'a str>,
    entity_path: Option<&'a str>,
    emulator: bool,
}

impl<'a> Fields<'a> {
    fn set(&mut self, key: &str, value: &'a str) {
        let value_if_any = Some(value).filter(|value| !value.is_empty());
        match key.to_ascii_lowercase().as_str() {
            "endpoint" => self.endpoint = value_if_any,
            "sharedaccesskeyname" => self.key_name = value_if_any,
            "sharedaccesskey" => self.key = value_if_any,
            "sharedaccesssignature" => self.signature = value_if_any,
            "entitypath" => self.entity_path = value_if_any,
            "usedevelopmentemulator" => self.emulator = value.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }

    fn finish(self) -> Result<ConnectionString> {
        let endpoint = self.endpoint.ok_or_else(|| invalid("connection string: `Endpoint` is missing"))?;
        let endpoint = Endpoint::parse(endpoint, self.emulator).ok_or_else(|| {
            invalid("connection string: `Endpoint` is no `sb://host/` or `sb://host:port/`")
        })?;
        let credential = match (self.key_name, self.key, self.signature) {
            (Some(name), Some(key), None) => {
                Credential::SharedKey(SharedKey { name: name.to_owned(), key: Secret::from(key.to_owned()) })
            }
            (None, None, Some(signature)) => Credential::Signature(Secret::from(signature.to_owned())),
            _ => {
                return Err(invalid(
                    "connection string: give `SharedAccessKeyName` with `SharedAccessKey`, or `SharedAccessSignature` alone",
                ));
            }
        };
        Ok(ConnectionString { endpoint, credential, entity_path: self.entity_path.map(str::to_owned) })
    }
}

fn invalid(message: impl Into<String>) -> ServiceBusError {
    ServiceBusError::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0PT0=";

    #[test]
    fn client_c07_the_parts_of_a_connection_string_are_read() {
        let check = |text: &str, host: &str, port: u16, namespace: &str, tls: bool, entity: Option<&str>| {
            let parsed = ConnectionString::parse(text).unwrap();
            let Endpoint { host: found_host, namespace: found_namespace, .. } = &parsed.endpoint;
            assert_eq!((found_host.as_str(), found_namespace.as_str()), (host, namespace), "{text}");
            assert_eq!(
                (parsed.endpoint.port(TransportType::AmqpTcp), parsed.endpoint.tls),
                (port, tls),
                "{text}"
            );
            assert_eq!(parsed.entity_path.as_deref(), entity, "{text}");
        };
        let azure = "contoso.servicebus.windows.net";
        check(&format!("Endpoint=sb://{azure}/;{KEY}"), azure, 5671, azure, true, None);
        check(&format!("endpoint=sb://{azure};{KEY};entitypath=q;"), azure, 5671, azure, true, Some("q"));
        check(&format!("Endpoint=sb://h:7000/;{KEY}"), "h", 7000, "h:7000", true, None);
        let emulator = "UseDevelopmentEmulator=true";
        check(
            &format!("Endpoint=sb://localhost;{KEY};{emulator};"),
            "localhost",
            5672,
            "localhost",
            false,
            None,
        );
        check(
            &format!("Endpoint=sb://127.0.0.1:9/;{KEY};{emulator}"),
            "127.0.0.1",
            9,
            "127.0.0.1:9",
            false,
            None,
        );
        check(
            "Endpoint=sb://h/;SharedAccessSignature=SharedAccessSignature sr=a&sig=b%3d&se=1",
            "h",
            5671,
            "h",
            true,
            None,
        );
    }

    #[test]
    fn client_c07_a_key_keeps_its_equal_signs() {
        let parsed = ConnectionString::parse(&format!("Endpoint=sb://h/;{KEY}")).unwrap();
        let Credential::SharedKey(key) = parsed.credential else { panic!("not a key") };
        assert_eq!((key.name.as_str(), key.key.secret()), ("Root", "c2VjcmV0PT0="));
    }

    #[test]
    fn client_c07_a_faulty_one_is_refused_by_the_name_of_the_key_and_without_a_value() {
        let check = |text: &str, named: &str| {
            let error = ConnectionString::parse(text).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(named), "{error}");
            assert!(!error.message().contains("c2VjcmV0"), "{error}");
        };
        check(KEY, "Endpoint");
        check("Endpoint=https://h/;SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0", "sb://");
        check("Endpoint=sb://h/q;SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0", "sb://");
        check("Endpoint=sb://h/;SharedAccessKey=c2VjcmV0", "SharedAccessKeyName");
        check("Endpoint=sb://h/;SharedAccessKeyName=Root;SharedAccessKey=", "SharedAccessKey");
        check("Endpoint=sb://h/;c2VjcmV0", "no `=`");
    }

    #[test]
    fn client_c04_a_token_is_made_for_the_namespace_as_it_was_written() {
        let check = |namespace: &str, host: &str, port: u16, audience: &str| {
            let endpoint = Endpoint::of_namespace(namespace).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port(TransportType::AmqpTcp)), (host, port));
            assert_eq!(endpoint.audience("q/$DeadLetterQueue"), audience);
        };
        check(
            "h.servicebus.windows.net",
            "h.servicebus.windows.net",
            5671,
            "sb://h.servicebus.windows.net/q/$DeadLetterQueue",
        );
        check("localhost:40001", "localhost", 40001, "sb://localhost:40001/q/$DeadLetterQueue");
        for wrong in ["", "sb://h", "h/q", "user@h", "h:port"] {
            assert!(Endpoint::of_namespace(wrong).is_err(), "{wrong}");
        }
    }
}

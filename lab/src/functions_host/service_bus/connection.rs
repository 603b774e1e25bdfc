//! The connection of a Service Bus trigger or output, from the app's settings.
//!
//! `X` holds a connection string, or `X__fullyQualifiedNamespace` names a namespace that is opened with a managed
//! identity, or outside Azure by whoever is signed in with `az`. <https://learn.microsoft.com/azure/azure-functions/functions-reference#connections>

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_messaging_servicebus::{Result, RetryOptions, ServiceBusClient};

use super::azure_cli::AzureCli;
use super::credential::AppServiceIdentity;
use crate::functions_host::definitions::{DefinitionError, Settings, setting};

/// How a namespace is opened.
#[derive(Clone)]
pub(in crate::functions_host) enum Connection {
    /// Holds a key.
    ConnectionString(String),
    Identity {
        namespace: String,
        credential: Arc<dyn TokenCredential>,
    },
}

impl Connection {
    /// The connection called `name`, for error messages about `function`.
    ///
    /// # Errors
    /// The setting that is missing or not supported here, by its name.
    pub(in crate::functions_host) fn of_settings(
        function: &str,
        name: &str,
        settings: &Settings,
    ) -> std::result::Result<Self, DefinitionError> {
        let fault =
            |key: String, rule: &str| DefinitionError::rule(&format!("{function}/function.json"), key, rule);
        let given = |name: &str| setting(settings, name).filter(|value| !value.is_empty());
        if let Some(text) = given(name).or_else(|| given(&format!("AzureWebJobs{name}"))) {
            return Ok(Self::ConnectionString(text.to_owned()));
        }
        let of_connection =
            |key: &str| given(&format!("{name}__{key}")).or_else(|| given(&format!("{name}:{key}")));
        let Some(namespace) = of_connection("fullyQualifiedNamespace") else {
            let rule = "is named as the connection, but there is no such app setting: give a connection string, or \
                        the namespace in the setting of that name with __fullyQualifiedNamespace added";
            return Err(fault(name.to_owned(), rule));
        };
        let credential = of_connection("credential");
        if credential.is_some_and(|credential| !credential.eq_ignore_ascii_case("managedidentity")) {
            return Err(fault(
                format!("{name}__credential"),
                "must be managedidentity: this host knows no other",
            ));
        }
        if of_connection("managedIdentityResourceId").is_some() {
            let rule = "is not supported for Service Bus: name the identity by __clientId";
            return Err(fault(format!("{name}__managedIdentityResourceId"), rule));
        }
        // The platform names every app of its own; nobody is signed in there.
        let is_in_azure = given("WEBSITE_SITE_NAME").is_some();
        let credential: Arc<dyn TokenCredential> =
            match (given("IDENTITY_ENDPOINT"), given("IDENTITY_HEADER")) {
                (Some(endpoint), Some(header)) => {
                    // The host takes AZURE_CLIENT_ID for every connection that names no identity itself.
                    let client_id = of_connection("clientId").or_else(|| given("AZURE_CLIENT_ID"));
                    Arc::new(AppServiceIdentity::new(endpoint, header, client_id))
                }
                _ if credential.is_none() && !is_in_azure => Arc::new(AzureCli::new(settings)),
                _ => {
                    let rule =
                        "needs a managed identity, but the app has none (IDENTITY_ENDPOINT, IDENTITY_HEADER)";
                    return Err(fault(format!("{name}__fullyQualifiedNamespace"), rule));
                }
            };
        Ok(Self::Identity { namespace: namespace.to_owned(), credential })
    }

    /// A client, which connects at its first use.
    pub(super) async fn open(
        self,
        tls: Option<Arc<rustls::ClientConfig>>,
        retry: RetryOptions,
    ) -> Result<ServiceBusClient> {
        let builder = ServiceBusClient::builder().with_retry_options(retry);
        let builder = match tls {
            Some(tls) => builder.with_tls_config(tls),
            None => builder,
        };
        match self {
            Self::ConnectionString(text) => builder.open_connection_string(&text).await,
            Self::Identity { namespace, credential } => builder.open(&namespace, credential).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &[(&str, &str)]) -> String {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match Connection::of_settings("F", "Bus", &settings) {
            Ok(Connection::ConnectionString(text)) => text,
            Ok(Connection::Identity { namespace, credential }) => format!("{namespace} {credential:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_settings_of_a_connection() {
        let app = [("IDENTITY_ENDPOINT", "http://127.0.0.1:1/"), ("IDENTITY_HEADER", "secret")];
        let with = |more: &[(&'static str, &'static str)]| of(&[&app[..], more].concat());
        let namespace = ("Bus__fullyQualifiedNamespace", "ns:5671");
        for (seen, expected) in [
            (of(&[("Bus", "Endpoint=x"), namespace]), "Endpoint=x"),
            (of(&[("AzureWebJobsBus", "Endpoint=y")]), "Endpoint=y"),
            (of(&[]), "`Bus` is named as the connection"),
            (of(&[namespace]), "ns:5671 AzureCli"),
            (of(&[namespace, ("WEBSITE_SITE_NAME", "app")]), "needs a managed identity"),
            (of(&[namespace, ("Bus__credential", "managedidentity")]), "needs a managed identity"),
            (with(&[namespace]), "ns:5671 AppServiceIdentity { client_id: None"),
            (
                with(&[namespace, ("Bus__credential", "managedidentity"), ("Bus__clientId", "c1")]),
                "client_id: Some(\"c1\")",
            ),
            (with(&[namespace, ("AZURE_CLIENT_ID", "c2")]), "client_id: Some(\"c2\")"),
            (
                with(&[namespace, ("Bus__credential", "workloadidentity")]),
                "`Bus__credential` must be managedidentity",
            ),
        ] {
            assert!(seen.contains(expected) && !seen.contains("secret"), "{expected}: {seen}");
        }
    }
}

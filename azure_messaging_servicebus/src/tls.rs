//! Whom TLS trusts when the caller does not say.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use tracing::debug;

use crate::error::{ErrorKind, Result, ServiceBusError};

/// A configuration that trusts the roots of the machine, or those of `SSL_CERT_FILE` alone when it is set. It is read once
/// in a process and shared, for a thousand namespaces need it no more than once.
///
/// The cryptographic provider is given here: a process-wide default belongs to the program, not to a library.
pub(crate) fn system_roots() -> Result<Arc<ClientConfig>> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = SHARED.get() {
        return Ok(Arc::clone(config));
    }
    let config = load()?;
    Ok(Arc::clone(SHARED.get_or_init(|| config)))
}

fn load() -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        debug!(%error, "a root certificate could not be read");
    }
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    debug!(added, ignored, "trusting the roots of the machine");
    if roots.is_empty() {
        return Err(ServiceBusError::new(
            ErrorKind::InvalidRequest,
            "no root certificate was found: install the system's, or name a PEM file in SSL_CERT_FILE",
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ServiceBusError::with_source(ErrorKind::Unknown, "setting TLS up", error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

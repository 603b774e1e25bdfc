//! The lab's certificate authority: what every TLS listener of the lab shows, and what its clients trust.

use std::fmt;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use time::{Duration, OffsetDateTime};

/// How long the authority and its leaves are valid: longer than any lab runs, shorter than the 825 days beyond which
/// some platforms distrust a leaf. <https://support.apple.com/103769>
const VALIDITY: Duration = Duration::days(365);

/// A root certificate with its key, both made for one run and gone with it.
pub struct CertificateAuthority {
    root: CertifiedIssuer<'static, KeyPair>,
    provider: Arc<CryptoProvider>,
}

/// Why a certificate or a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be made; a name that is no DNS name is the usual reason.
    #[error("the lab's certificate authority could not make a certificate for {names}: {source}")]
    Certificate {
        /// The names asked for.
        names: String,
        /// What the library said.
        source: rcgen::Error,
    },
    /// The library refused the certificate or the key.
    #[error("no TLS configuration could be made of the lab's certificates: {0}")]
    Configuration(#[from] rustls::Error),
}

impl CertificateAuthority {
    /// A fresh authority with an ECDSA P-256 key.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when the cryptographic library fails.
    pub fn generate() -> Result<Self, TlsError> {
        let name = "Causeway lab root";
        let root = params(name, &[])
            .and_then(|mut params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
                CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            })
            .map_err(|source| TlsError::Certificate { names: name.to_owned(), source })?;
        Ok(Self { root, provider: Arc::new(aws_lc_rs::default_provider()) })
    }

    /// The root certificate, for a file that `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE` or `NODE_EXTRA_CA_CERTS` names.
    pub fn pem(&self) -> String {
        self.root.pem()
    }

    /// What a server shows that is reached by `names` (DNS names and IP addresses): a leaf of its own, without ALPN.
    ///
    /// # Errors
    /// [`TlsError`] when a name is no DNS name or a library refuses.
    pub fn server_config(&self, names: &[&str]) -> Result<Arc<ServerConfig>, TlsError> {
        let (leaf, key) = self.named_leaf(names)?;
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        Ok(Arc::new(config))
    }

    /// Certificate and private key of another such leaf in one PEM text, for a server that reads them from a file.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when a name is no DNS name.
    pub fn server_pem(&self, names: &[&str]) -> Result<String, TlsError> {
        let (leaf, key) = self.named_leaf(names)?;
        Ok(leaf.pem() + &key.serialize_pem())
    }

    /// What a client needs that trusts this authority and no other.
    ///
    /// # Errors
    /// [`TlsError::Configuration`] when the library refuses the root.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone())?;
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    fn named_leaf(&self, names: &[&str]) -> Result<(rcgen::Certificate, KeyPair), TlsError> {
        self.leaf(names).map_err(|source| TlsError::Certificate { names: names.join(", "), source })
    }

    fn leaf(&self, names: &[&str]) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
        let mut params = params(names.first().copied().unwrap_or("localhost"), names)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Python 3.13 and later refuse a leaf without it.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.root)?, key))
    }
}

/// What root and leaf share. TLS clients compare with the machine's clock, so the lab's own has no say here.
fn params(common_name: &str, names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::DAY;
    params.not_after = now + VALIDITY;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    async fn exchange(client: &CertificateAuthority, server: Arc<ServerConfig>, name: &'static str) -> bool {
        let (near, far) = duplex(16 * 1024);
        let connector = TlsConnector::from(client.client_config().unwrap());
        let answer = async {
            let mut stream = TlsAcceptor::from(server).accept(far).await?;
            stream.write_all(b"hello").await?;
            stream.shutdown().await
        };
        let ask = async {
            let mut stream = connector.connect(ServerName::try_from(name).unwrap(), near).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await.map(|_| text)
        };
        let (answered, asked) = tokio::join!(answer, ask);
        answered.is_ok() && asked.is_ok_and(|text| text == "hello")
    }

    #[tokio::test]
    async fn a_leaf_is_trusted_for_its_names_and_by_those_who_trust_its_authority() {
        let (ours, other) =
            (CertificateAuthority::generate().unwrap(), CertificateAuthority::generate().unwrap());
        let server = ours.server_config(&["localhost", "127.0.0.1", "127.9.8.7"]).unwrap();
        for name in ["localhost", "127.0.0.1", "127.9.8.7"] {
            assert!(exchange(&ours, Arc::clone(&server), name).await, "{name}");
        }
        assert!(!exchange(&ours, Arc::clone(&server), "example.org").await, "a name the leaf does not carry");
        assert!(!exchange(&other, server, "localhost").await, "an authority the client does not trust");
    }

    #[test]
    fn a_name_that_is_none_is_named_in_the_error() {
        let error =
            CertificateAuthority::generate().unwrap().server_config(&["grüße"]).unwrap_err().to_string();
        assert!(error.contains("grüße"), "{error}");
    }
}

//! Why something was not deployed.

use std::io;
use std::path::PathBuf;

use crate::blob::BlobError;
use crate::broker::BrokerError;
use crate::tls::TlsError;

/// Why a snapshot was not deployed. What had been deployed before the fault stays, as in Azure.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The file cannot be read.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The snapshot's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The document is no snapshot, or lacks what was to be changed in it.
    #[error("{snapshot}: {what}")]
    NoSnapshot {
        /// Name of the snapshot.
        snapshot: String,
        /// What is wrong.
        what: String,
    },
    /// An expression cannot be evaluated, or uses what the lab does not know.
    #[error("{snapshot}: {place}: {fault}")]
    Expression {
        /// Name of the snapshot.
        snapshot: String,
        /// The resource and the property, or the output.
        place: String,
        /// What is wrong with it.
        fault: String,
    },
    /// Resources wait for each other.
    #[error("{snapshot}: CircularDependency: {cycle}")]
    Cycle {
        /// Name of the snapshot.
        snapshot: String,
        /// Each resource with the next one that it refers to.
        cycle: String,
    },
    /// A resource was refused.
    #[error("{snapshot}: {resource}: {refusal}")]
    Refused {
        /// Name of the snapshot.
        snapshot: String,
        /// Id of the resource, or type and symbolic name of a Graph resource.
        resource: String,
        /// Who refused it.
        refusal: Refusal,
    },
}

/// Why one resource was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Azure would refuse it too, with this code and text.
    #[error("{code}: {message}")]
    Azure {
        /// Azure's error code, such as `ResourceNotFound`.
        code: &'static str,
        /// Azure's text.
        message: String,
    },
    /// Azure has it, the lab has not.
    #[error("the lab cannot deploy this: {0}")]
    Unsupported(String),
    /// A namespace could not be started.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A listener's certificate could not be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A storage account or container could not be made.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl DeploymentError {
    /// Azure's error code, when it is something that Azure would refuse.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused { refusal: Refusal::Azure { code, .. }, .. } => Some(code),
            _ => None,
        }
    }
}

impl Refusal {
    pub(super) fn azure(code: &'static str, message: impl Into<String>) -> Self {
        Self::Azure { code, message: message.into() }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}

//! `Idempotency-Key`: a request that is repeated with its key makes no second deployment.
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>

use time::OffsetDateTime;

use super::deployment_request::{DeploymentRequest, body};
use crate::deployment::{CustomerId, DeploymentId};
use crate::error::{Error, Kind, RequestFault};
use crate::host::HttpRequest;
use crate::store::{DeploymentStore, IdempotencyKey, KeyRecord, sha256_hex};

const HEADER: &str = "Idempotency-Key";
const MAX_LENGTH: usize = 255;

/// The key of a request, and what the request said.
#[derive(Clone, Debug)]
pub struct Claim {
    key: IdempotencyKey,
    body_sha256: String,
}

/// Which deployment a request is about, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// When it was first requested: a repeat sends the very same command.
    pub requested_at: OffsetDateTime,
}

impl Occasion {
    /// A new deployment.
    pub fn new(now: OffsetDateTime) -> Self {
        Self { deployment_id: DeploymentId::random(), requested_at: now }
    }
}

impl Claim {
    /// The claim that `request` makes, if it has a key.
    ///
    /// # Errors
    /// When the key is empty or too long, together with all that is wrong with the body as of `now`; or when there is no
    /// body that it could stand for.
    pub fn of(request: &HttpRequest, now: OffsetDateTime) -> Result<Option<Self>, Error> {
        let Some(key) = request.header(HEADER) else { return Ok(None) };
        if key.is_empty() || key.len() > MAX_LENGTH {
            let detail = format!("must be 1 to {MAX_LENGTH} characters");
            let mut faults = vec![RequestFault { pointer: HEADER.to_owned(), detail }];
            faults.extend(
                DeploymentRequest::read(request, now).err().into_iter().flat_map(Error::into_request_faults),
            );
            return Err(Error::of_request(Kind::InvalidRequest, faults));
        }
        let body_sha256 = sha256_hex(body(request)?.as_bytes());
        Ok(Some(Self { key: IdempotencyKey::new(key), body_sha256 }))
    }

    /// What the key stands for already.
    ///
    /// # Errors
    /// When it stands for another request, or the store fails.
    pub async fn first(
        &self,
        store: &DeploymentStore,
        customer: &CustomerId,
    ) -> Result<Option<Occasion>, Error> {
        let record = store.find_key(customer, &self.key).await?;
        record.map(|record| self.same_request(&record)).transpose()
    }

    /// Ties the key to `ours`, unless somebody else has tied it meanwhile: then theirs counts.
    ///
    /// # Errors
    /// As [`Claim::first`].
    pub async fn hold(
        &self,
        store: &DeploymentStore,
        customer: &CustomerId,
        ours: Occasion,
    ) -> Result<Occasion, Error> {
        let record = KeyRecord {
            deployment_id: ours.deployment_id,
            body_sha256: self.body_sha256.clone(),
            requested_at: ours.requested_at,
        };
        self.same_request(&store.claim_key(customer, &self.key, record).await?)
    }

    fn same_request(&self, record: &KeyRecord) -> Result<Occasion, Error> {
        if record.body_sha256 != self.body_sha256 {
            return Err(Error::new(
                Kind::IdempotencyKeyReused,
                format!(
                    "this Idempotency-Key was used for deployment {} with another body: use a new key",
                    record.deployment_id
                ),
            ));
        }
        Ok(Occasion { deployment_id: record.deployment_id, requested_at: record.requested_at })
    }
}

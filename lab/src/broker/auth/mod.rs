//! Who may do what: tokens become grants at `$cbs`, keys do in the handshake, grants are looked at when a link attaches.

pub(crate) mod grants;
pub(crate) mod jwt;
pub(crate) mod plain;
pub(crate) mod sas;

use time::OffsetDateTime;
use uuid::Uuid;

/// Whom a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The holder of a shared access key, which has all rights.
    SharedAccessKey,
    /// A service principal or managed identity by its object id; the directory says what it may do.
    Object(Uuid),
}

/// What a good token gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) principal: Principal,
    /// From then on the token is worth nothing.
    pub(crate) expires: OffsetDateTime,
}

/// Why a token was refused, with the service's own texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Another tenant's token, or one of another issuer altogether.
    #[error("InvalidIssuer: Token issuer is invalid.")]
    InvalidIssuer,
    /// A token for another resource.
    #[error("InvalidAudience: The authorization header contains a token with a wrong audience.")]
    InvalidAudience,
    /// Its time is over.
    #[error("ExpiredToken: The token is expired. Expiration time: '{0}'.")]
    Expired(String),
    /// Its time has not come.
    #[error("InvalidToken: The token is not yet valid. Valid from: '{0}'.")]
    NotYetValid(String),
    /// Not signed by the issuer's key, or by a shared access key of another value.
    #[error("InvalidSignature: The token has an invalid signature.")]
    InvalidSignature,
    /// No token that could be read.
    #[error("MalformedToken: The token is malformed: {0}.")]
    Malformed(&'static str),
    /// A shared access signature on a namespace with `disableLocalAuth`.
    #[error(
        "LocalAuthDisabled: Authorization failed because SAS authentication has been disabled for the namespace."
    )]
    LocalAuthDisabled,
}

/// A moment as the service writes it into these texts.
fn written(moment: OffsetDateTime) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    moment.format(format).unwrap_or_else(|_| moment.unix_timestamp().to_string())
}

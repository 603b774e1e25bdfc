//! Why a request is refused, in the codes and words of Microsoft Entra ID.
//!
//! Codes: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>. The words are those that public
//! cloud was seen to send, except where a comment says otherwise.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::BodyForm;

const TIMESTAMP: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
const PRECISE: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");

/// A refusal, as far as it follows from the request and the directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "No tenant-identifying information found in either the request or implied by any provided credentials."
    )]
    NoTenantNamed,
    #[error("Specified tenant identifier '{0}' is neither a valid DNS name, nor a valid external domain.")]
    MalformedTenant(String),
    #[error(
        "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct \
         cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for \
         the tenant."
    )]
    TenantNotFound(String),
    #[error("The request body must contain the following parameter: '{0}'.")]
    MissingParameter(&'static str),
    #[error("The app requested an unsupported grant type '{0}'.")]
    UnsupportedGrantType(String),
    #[error(
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter \
         'scope' is not valid. The scope {0} is not valid."
    )]
    MalformedScope(String),
    #[error(
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You might have sent your authentication request to the wrong tenant."
    )]
    UnknownResource { resource: String, tenant: String },
    #[error(
        "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You may have sent your authentication request to the wrong tenant."
    )]
    ApplicationNotFound { app: String, tenant: String },
    #[error(
        "The client application {app} is missing service principal in the tenant {tenant}. See instructions here: \
         https://go.microsoft.com/fwlink/?linkid=2225119"
    )]
    MissingServicePrincipal { app: Uuid, tenant: Uuid },
    // The directory holds no names of applications, so the id stands for the name too.
    #[error("Application '{0}'({0}) is disabled.")]
    DisabledServicePrincipal(Uuid),
    #[error(
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
    )]
    NoCredential,
    #[error(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not \
         the client secret ID, for a secret added to app '{0}'."
    )]
    WrongSecret(Uuid),
    // Bodies seen since 2023 name the application; older ones named nothing.
    #[error(
        "The provided client secret keys for app '{0}' are expired. Visit the Azure portal to create new keys for \
         your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: \
         https://aka.ms/certCreds."
    )]
    ExpiredSecret(Uuid),
    #[error("There are too many incoming requests. This exception is thrown for blocked tenants.")]
    Throttled,
    // As an application met it; with the policy's id in `claims`, which is left out here.
    #[error(
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
    )]
    BlockedByConditionalAccess,
    #[error("Access to '{0}' tenant is denied.")]
    RestrictedTenant(String),
    #[error("JWT token is invalid or malformed.")]
    MalformedAssertion,
    #[error("Client assertion failed signature validation. [Reason - The key was not found.]")]
    UnknownSigningKey,
    #[error(
        "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time \
         of assertion {}. Review the documentation at \
         https://learn.microsoft.com/entra/identity-platform/certificate-credentials.",
        precise(*now), precise(*valid_from), precise(*expires)
    )]
    AssertionOutOfTime { now: OffsetDateTime, valid_from: OffsetDateTime, expires: OffsetDateTime },
    // The directory holds no names of applications: the brackets are empty, as they were seen for a nameless one.
    #[error("The client '{0}'() has no configured federated identity credentials.")]
    NoFederatedCredentials(Uuid),
    #[error(
        "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. Assertion \
         Subject: '{subject}'. Assertion Audience: '{audience}'. \
         https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation"
    )]
    NoMatchingCredential { issuer: String, subject: String, audience: String },
    #[error("{}", no_matching_credential("issuer", .0))]
    NoMatchingIssuer(String),
    #[error("{}", no_matching_credential("subject", .0))]
    NoMatchingSubject(String),
    #[error("{}", no_matching_credential("audience", .0))]
    NoMatchingAudience(String),
    #[error("{}", no_matching_credential("audience", .0))]
    AudienceIsNotTheExchange(String),
    // The code is known from the field, its words are not.
    #[error("The audience of the federated identity credential must be 'api://AzureADTokenExchange'.")]
    AudienceIsNotTheUri,
    #[error(
        "Entra ID tokens issued by issuer '{0}' may not be used for federated identity credential flows for \
         applications or managed identities registered in this tenant."
    )]
    ForeignIssuer(String),
    #[error("Forbidden token audience.")]
    ForbiddenAudience,
    #[error("Only MSI tokens may be used as Federated Identity Credentials for AAD issuer.")]
    NotAManagedIdentity,
    #[error(
        "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the \
         application '{app}'. Make sure the redirect URI sent in the request matches one added to your application in the \
         Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this \
         error."
    )]
    UnknownRedirectUri { uri: String, app: Uuid },
    #[error(
        "User account '{user}' from identity provider '{provider}' does not exist in tenant '{tenant}' and cannot access \
         the application '{app}' in that tenant. The account needs to be added as an external user in the tenant first. \
         Sign out and sign in again with a different Azure Active Directory user account."
    )]
    ForeignUser { user: String, provider: String, tenant: String, app: Uuid },
    // The words of the documents: what a browser is sent was not seen.
    #[error("Administrator consent is required.")]
    NeedsAdministrator,
    #[error("User declined to consent to access the app.")]
    Declined,
}

/// By what the service's support finds a refusal again.
struct Trailers {
    trace_id: Uuid,
    correlation_id: Uuid,
    timestamp: String,
}

impl Trailers {
    fn new(now: OffsetDateTime, correlation_id: Option<Uuid>) -> Self {
        Self {
            trace_id: Uuid::new_v4(),
            correlation_id: correlation_id.unwrap_or_else(Uuid::new_v4),
            timestamp: formatted(now, TIMESTAMP),
        }
    }
}

fn no_matching_credential(what: &str, value: &str) -> String {
    format!(
        "No matching federated identity record found for presented assertion {what} '{value}'. Check your federated \
         identity credential Subject, Audience and Issuer against the presented assertion. \
         https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    )
}

impl Refusal {
    /// The AADSTS code, the HTTP status and the `error` of <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>.
    fn classification(&self) -> (u32, StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;
        match self {
            Self::NoTenantNamed => (50059, BAD, "invalid_request"),
            Self::MalformedTenant(_) => (900_023, BAD, "invalid_request"),
            Self::TenantNotFound(_) => (90002, BAD, "invalid_request"),
            Self::MissingParameter(_) => (900_144, BAD, "invalid_request"),
            Self::UnsupportedGrantType(_) => (70003, BAD, "unsupported_grant_type"),
            Self::MalformedScope(_) => (70011, BAD, "invalid_scope"),
            Self::UnknownResource { .. } => (500_011, BAD, "invalid_resource"),
            Self::ApplicationNotFound { .. } => (700_016, BAD, "unauthorized_client"),
            Self::MissingServicePrincipal { .. } => (7_000_229, UNAUTHORIZED, "invalid_client"),
            Self::DisabledServicePrincipal(_) => (7_000_112, UNAUTHORIZED, "unauthorized_client"),
            Self::NoCredential => (7_000_216, UNAUTHORIZED, "invalid_client"),
            Self::WrongSecret(_) => (7_000_215, UNAUTHORIZED, "invalid_client"),
            Self::ExpiredSecret(_) => (7_000_222, UNAUTHORIZED, "invalid_client"),
            Self::Throttled => (90055, StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            Self::BlockedByConditionalAccess => (53003, BAD, "invalid_grant"),
            Self::RestrictedTenant(_) => (500_021, BAD, "invalid_request"),
            Self::MalformedAssertion => (50027, BAD, "invalid_request"),
            Self::UnknownSigningKey => (700_027, UNAUTHORIZED, "invalid_client"),
            Self::AssertionOutOfTime { .. } => (700_024, UNAUTHORIZED, "invalid_client"),
            Self::NoFederatedCredentials(_) => (70025, UNAUTHORIZED, "invalid_client"),
            Self::NoMatchingCredential { .. } => (70021, UNAUTHORIZED, "invalid_client"),
            Self::NoMatchingIssuer(_) => (700_211, UNAUTHORIZED, "invalid_client"),
            Self::NoMatchingSubject(_) => (700_213, UNAUTHORIZED, "invalid_client"),
            Self::NoMatchingAudience(_) => (700_212, UNAUTHORIZED, "invalid_client"),
            Self::AudienceIsNotTheExchange(_) => (7_002_121, UNAUTHORIZED, "invalid_client"),
            Self::AudienceIsNotTheUri => (700_214, UNAUTHORIZED, "invalid_client"),
            Self::ForeignIssuer(_) => (700_236, UNAUTHORIZED, "invalid_client"),
            Self::ForbiddenAudience => (700_227, UNAUTHORIZED, "invalid_client"),
            Self::NotAManagedIdentity => (700_226, UNAUTHORIZED, "invalid_client"),
            Self::UnknownRedirectUri { .. } => (50011, BAD, "invalid_request"),
            Self::ForeignUser { .. } => (50020, BAD, "invalid_request"),
            Self::NeedsAdministrator => (90094, BAD, "access_denied"),
            Self::Declined => (65004, BAD, "consent_required"),
        }
    }

    /// The number after `AADSTS`.
    pub(super) fn code(&self) -> u32 {
        self.classification().0
    }

    /// The answer of the token endpoint. `correlation_id` is the request's own, if it sent one.
    pub(super) fn answer(
        &self,
        form: BodyForm,
        now: OffsetDateTime,
        correlation_id: Option<Uuid>,
    ) -> Response {
        self.answer_as(self.classification().2, form, now, correlation_id)
    }

    /// The same with another `error`: discovery calls an unknown tenant `invalid_tenant`.
    pub(super) fn answer_as(
        &self,
        error: &str,
        form: BodyForm,
        now: OffsetDateTime,
        correlation_id: Option<Uuid>,
    ) -> Response {
        let (code, status, _) = self.classification();
        let trailers = Trailers::new(now, correlation_id);
        let description = self.described(form, &trailers);
        let Trailers { trace_id, correlation_id, timestamp } = trailers;
        let body = Json(json!({
            "error": error,
            "error_description": description,
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        }));
        let mut response =
            (status, [(CACHE_CONTROL, "no-store, no-cache"), (PRAGMA, "no-cache")], body).into_response();
        if *self == Self::Throttled {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// The `error` of a redirect, and its description.
    pub(super) fn for_redirect(&self, form: BodyForm, now: OffsetDateTime) -> (&'static str, String) {
        (self.classification().2, self.described(form, &Trailers::new(now, None)))
    }

    fn described(&self, form: BodyForm, trailers: &Trailers) -> String {
        let between = match form {
            BodyForm::Blank => " ",
            BodyForm::Crlf => "\r\n",
        };
        let Trailers { trace_id, correlation_id, timestamp } = trailers;
        format!(
            "AADSTS{}: {self}{between}Trace ID: {trace_id}{between}Correlation ID: {correlation_id}{between}Timestamp: \
             {timestamp}",
            self.code()
        )
    }
}

fn precise(at: OffsetDateTime) -> String {
    formatted(at, PRECISE)
}

fn formatted(at: OffsetDateTime, form: &[FormatItem<'_>]) -> String {
    // Both forms ask only for what every moment has, so the fall-back is never seen.
    at.to_offset(UtcOffset::UTC).format(form).unwrap_or_else(|_| at.to_string())
}

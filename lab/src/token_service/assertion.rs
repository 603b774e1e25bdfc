//! Whether a client assertion proves that its bearer may act as an application: workload identity federation with a
//! managed identity's token.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>

use jsonwebtoken::errors::ErrorKind;
use time::{Duration, OffsetDateTime};

use super::issuer::{TOKEN_EXCHANGE_APP_ID, is_version_1_issuer, version_2_issuer};
use super::refusal::Refusal;
use crate::directory::{Application, Cloud, FederatedCredential, ManagedIdentityKind, State};
use crate::jwt::{Claims, JwtError, SigningKey};

/// How much earlier than `nbf` an assertion is taken.
const LEEWAY: Duration = Duration::minutes(5);

/// Checks `assertion` for `application`: signature, then issuer, subject and audience against the application's
/// federated credentials, then the rules for tokens that Microsoft Entra ID itself has issued, then the time.
///
/// # Errors
/// The refusal for the first of them that does not hold.
pub(super) fn check(
    state: &State,
    key: &SigningKey,
    now: OffsetDateTime,
    application: &Application,
    assertion: &str,
) -> Result<(), Refusal> {
    let claims = key.verify(assertion).map_err(|error| match error {
        JwtError::Token(error) if *error.kind() == ErrorKind::InvalidSignature => Refusal::UnknownSigningKey,
        _ => Refusal::MalformedAssertion,
    })?;
    let issuer = text(&claims, "iss")?;
    let subject = text(&claims, "sub")?;
    match_credential(state.cloud, application, issuer, subject, text(&claims, "aud")?)?;

    // Tokens of version 1.0 are for resources, whatever a credential may say.
    if is_version_1_issuer(issuer) {
        return Err(Refusal::ForbiddenAudience);
    }
    // The application and the identity must live in the same tenant; where the token is used does not matter.
    if issuer != version_2_issuer(application.home_tenant_id) {
        return Err(Refusal::ForeignIssuer(issuer.to_owned()));
    }
    // The documents allow user-assigned identities only; what a system-assigned one is told is not written there.
    let is_user_assigned = state.managed_identities.iter().any(|identity| {
        identity.kind == ManagedIdentityKind::UserAssigned
            && identity.tenant_id == application.home_tenant_id
            && identity.principal_id.to_string() == subject
    });
    if !is_user_assigned {
        return Err(Refusal::NotAManagedIdentity);
    }

    let (valid_from, expires) = (moment(&claims, "nbf")?, moment(&claims, "exp")?);
    if now < valid_from - LEEWAY || now >= expires {
        return Err(Refusal::AssertionOutOfTime { now, valid_from, expires });
    }
    Ok(())
}

/// Looks for the application's credential that the assertion fits. The refusal names the first claim that fits none of
/// them; where each claim fits one and no credential fits all claims, it is the older code for them together. That one
/// was seen from an application with one credential; since when, and whether, it is left to this case is not known.
fn match_credential(
    cloud: Cloud,
    application: &Application,
    issuer: &str,
    subject: &str,
    audience: &str,
) -> Result<(), Refusal> {
    let credentials = &application.federated_credentials;
    let any = |fits: &dyn Fn(&FederatedCredential) -> bool| credentials.iter().any(fits);
    // A token for the exchange carries the application id, its credential must carry the URI.
    let exchange_id = TOKEN_EXCHANGE_APP_ID.to_string();
    let presented = if audience == exchange_id { cloud.token_exchange() } else { audience };
    if any(&|it| it.issuer == issuer && it.subject == subject && it.audience == presented) {
        return Ok(());
    }
    Err(if credentials.is_empty() {
        Refusal::NoFederatedCredentials(application.app_id)
    } else if !any(&|it| it.issuer == issuer) {
        Refusal::NoMatchingIssuer(issuer.to_owned())
    } else if !any(&|it| it.subject == subject) {
        Refusal::NoMatchingSubject(subject.to_owned())
    } else if any(&|it| it.audience == presented) {
        let [issuer, subject, audience] = [issuer, subject, audience].map(str::to_owned);
        Refusal::NoMatchingCredential { issuer, subject, audience }
    } else if presented != cloud.token_exchange() {
        // Seen with a managed identity's token for another resource.
        Refusal::AudienceIsNotTheExchange(audience.to_owned())
    } else if any(&|it| it.audience == exchange_id) {
        Refusal::AudienceIsNotTheUri
    } else {
        Refusal::NoMatchingAudience(audience.to_owned())
    })
}

fn text<'a>(claims: &'a Claims, name: &str) -> Result<&'a str, Refusal> {
    claims.get(name).and_then(|value| value.as_str()).ok_or(Refusal::MalformedAssertion)
}

fn moment(claims: &Claims, name: &str) -> Result<OffsetDateTime, Refusal> {
    claims
        .get(name)
        .and_then(|value| value.as_i64())
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(Refusal::MalformedAssertion)
}

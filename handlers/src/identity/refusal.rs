//! Why no token was given, in the operator's words.

use std::time::Duration;

use azure_core::error::ErrorKind;

/// No token was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The AADSTS code, when Entra refused.
    pub code: Option<u32>,
    /// What Entra, the managed identity endpoint or the network said, on one line.
    pub said: String,
    /// Whether trying again later may help without anybody doing anything.
    pub is_transient: bool,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => {
                let (meaning, action) = explain(code);
                write!(f, "AADSTS{code}: {meaning}. To do: {action}")
            }
            None => write!(f, "no token: {}", self.said),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// What `error` of `azure_identity` means.
    pub fn of(error: &azure_core::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut said = error.to_string();
        let mut is_transient = false;
        while let Some(current) = cause {
            if let Some(inner) = current.downcast_ref::<azure_core::Error>() {
                match inner.kind() {
                    ErrorKind::HttpResponse { status, error_code, .. } => {
                        // Several codes are joined by commas; the first is the one that decides.
                        let first = error_code.as_deref().and_then(|codes| codes.split(',').next());
                        let code = first.and_then(|code| code.trim().parse().ok());
                        let status = u16::from(*status);
                        let is_transient =
                            status == 429 || status >= 500 || code.is_some_and(is_transient_code);
                        return Self { code, said: one_line(&inner.to_string()), is_transient };
                    }
                    ErrorKind::Io | ErrorKind::Connection => is_transient = true,
                    _ => {}
                }
            }
            said = current.to_string();
            cause = current.source();
        }
        Self { code: None, said: one_line(&said), is_transient }
    }

    /// The token did not come in time.
    pub fn timed_out(after: Duration) -> Self {
        let said = format!("the token endpoint gave no answer within {} s", after.as_secs());
        Self { code: None, said, is_transient: true }
    }

    /// The refusal among the causes of `error`, if that is what made it fail.
    pub fn among<'error>(error: &'error (dyn std::error::Error + 'static)) -> Option<&'error Self> {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(refusal) = current.downcast_ref::<Self>() {
                return Some(refusal);
            }
            cause = current.source();
        }
        None
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_transient_code(code: u32) -> bool {
    matches!(code, 90033 | 90055)
}

/// What an AADSTS code means for a command that crosses tenants, and what the operator must do.
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
fn explain(code: u32) -> (&'static str, &'static str) {
    match code {
        7000215 => ("the client secret is wrong", "put the secret's value, not its id, into ClientSecret"),
        7000222 => (
            "the client secret has expired",
            "add a new secret to the application and put it into ClientSecret",
        ),
        700027 => (
            "the assertion's signature is not known",
            "check the application's certificate or federated credential",
        ),
        700016 => (
            "the application is not known in the customer's tenant",
            "check ClientId; make the application multi-tenant; have the customer consent to it",
        ),
        7000229 => (
            "the application has no service principal in the customer's tenant",
            "have the customer's administrator consent, or run `az ad sp create --id <ClientId>` there",
        ),
        7000112 => (
            "the customer has disabled the application's service principal",
            "ask the customer to enable it, or take the customer out of the registry",
        ),
        90002 | 900023 => ("there is no such tenant", "check the customer's tenant id"),
        70021 => (
            "no federated credential of the application matches the assertion",
            "check the credential's issuer, subject and audience; a new one takes some minutes to work",
        ),
        700211 => (
            "the federated credential's issuer does not match",
            "set it to https://login.microsoftonline.com/<provider tenant id>/v2.0",
        ),
        700213 => (
            "the federated credential's subject does not match",
            "set it to the principal (object) id of the managed identity, not its client id",
        ),
        700212 | 700214 | 7002121 => {
            ("the federated credential's audience does not match", "set it to api://AzureADTokenExchange")
        }
        700236 => (
            "the managed identity lives in another tenant than the application",
            "put the managed identity and the app registration into the same tenant",
        ),
        700222 | 700226 | 700227 => (
            "only a managed identity's v2.0 token may be the assertion",
            "use a user-assigned managed identity, and the issuer that ends in /v2.0",
        ),
        700024 => {
            ("the assertion is outside its time range", "check the clock; the next token is fetched anew")
        }
        500011 => ("the customer's tenant does not know Service Bus", "check the cloud that tenant is in"),
        70011 => ("the scope is malformed", "report it: the handler asks for a fixed scope"),
        53003 => {
            ("conditional access blocks the application", "ask the customer's administrator for an exception")
        }
        _ => ("Entra refused", "look the code up at https://login.microsoftonline.com/error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_code_its_meaning_and_what_to_do() {
        let refusal = Refusal { code: Some(7000229), said: String::new(), is_transient: false };
        let text = refusal.to_string();
        assert!(text.contains("AADSTS7000229") && text.contains("consent"), "{text}");
        let wrapped = azure_core::Error::with_error(ErrorKind::Credential, refusal.clone(), "outer");
        assert_eq!(Refusal::among(&wrapped), Some(&refusal));
    }
}

//! What AADSTS codes mean for a command that crosses tenants, and what the operator must do.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

/// What the code `code` means, and what to do.
pub fn explain(code: u32) -> Option<(&'static str, &'static str)> {
    Some(match code {
        7000215 => ("the client secret is wrong", "put the secret's value, not its id, into ClientSecret"),
        7000222 => (
            "the client secret has expired",
            "add a new secret to the application and put it into ClientSecret",
        ),
        7000216 => ("the request carried no credential", "set ManagedIdentityClientId, or ClientSecret"),
        700027 => (
            "the assertion's signature is not known",
            "check the application's certificate or federated credential, and that the managed identity is of the same \
             cloud as AZURE_AUTHORITY_HOST",
        ),
        50013 | 50027 => (
            "the assertion cannot be read",
            "check that IDENTITY_ENDPOINT is the platform's own, and that it answers with a token of the managed identity",
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
        65001 => (
            "the customer has not consented to the application",
            "have the customer's administrator consent, or run `az ad sp create --id <ClientId>` there",
        ),
        50020 => (
            "the account does not belong to the customer's tenant",
            "have an administrator of the customer's tenant sign in, with `az login --tenant <tenant id>`",
        ),
        90002 | 900023 | 50059 => {
            ("there is no such tenant", "check the customer's tenant id, and the cloud it is in")
        }
        70021 => (
            "no federated credential of the application matches the assertion",
            "check the credential's issuer, subject and audience; a new one takes some minutes to work",
        ),
        70025 => (
            "the application has no federated credential",
            "add one for the managed identity to the app registration; it takes some minutes to work",
        ),
        700211 => (
            "the federated credential's issuer does not match",
            "set it to https://login.microsoftonline.com/<provider tenant id>/v2.0, in another cloud with that cloud's \
             sign-in host",
        ),
        700213 | 7002137 | 7002138 => (
            "the federated credential's subject does not match",
            "set it to the principal (object) id of the managed identity in small letters, not its client id",
        ),
        700212 | 700214 | 7002121 => (
            "the federated credential's audience does not match",
            "set it to api://AzureADTokenExchange, in another cloud to that cloud's, and TokenExchangeAudience to the same",
        ),
        700236 => (
            "the managed identity lives in another tenant than the application",
            "put the managed identity and the app registration into the same tenant",
        ),
        700222 | 700226 | 700227 | 700229 => (
            "only a managed identity's v2.0 token may be the assertion",
            "use a user-assigned managed identity, and the issuer that ends in /v2.0",
        ),
        700024 => (
            "the assertion is outside its time range",
            "check the clock; the next try takes a new token of the managed identity",
        ),
        500011 => ("the customer's tenant does not know Service Bus", "check the cloud that tenant is in"),
        900382 => (
            "the application and the customer's tenant are in different clouds",
            "serve each cloud by an application of its own, with AZURE_AUTHORITY_HOST set to it",
        ),
        70011 | 70003 | 900144 => {
            ("the request is malformed", "report it: what the handler asks for is fixed")
        }
        53003 => {
            ("conditional access blocks the application", "ask the customer's administrator for an exception")
        }
        500021 | 500022 => (
            "a proxy on the way allows certain tenants only",
            "have the customer's tenant put on the list of the tenant restrictions of this app's network",
        ),
        90033 | 90055 => ("Entra is not available, or throttles", "nothing: it is tried again"),
        _ => return None,
    })
}

/// Whether trying again later may help without anybody doing anything.
pub fn is_transient(code: u32) -> bool {
    matches!(code, 90033 | 90055)
}

/// Whether the assertion was at fault: another one, taken later, may be good.
pub fn is_of_assertion(code: u32) -> bool {
    matches!(
        code,
        50013 | 50027 | 70021 | 700024 | 700027 | 700211
            ..=700214 | 7002121 | 7002137 | 7002138 | 700222 | 700226 | 700227 | 700229 | 700236
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_a_crossing_can_meet_is_explained() {
        for code in [
            7000215, 7000216, 7000222, 700027, 50013, 50027, 700016, 7000229, 7000112, 90002, 900023, 50059,
            70021, 70025, 700211, 700213, 7002137, 7002138, 700212, 7002121, 700214, 700236, 700222, 700226,
            700227, 700229, 700024, 65001, 50020, 500011, 70011, 70003, 900144, 53003, 500021, 500022,
            900382, 90033, 90055,
        ] {
            let (meaning, action) = explain(code).unwrap_or_default();
            assert!(!meaning.is_empty() && !action.is_empty(), "{code}");
        }
        assert_eq!(explain(1), None);
    }

    #[test]
    fn only_codes_about_the_assertion_ask_for_another_one() {
        for (code, expected) in [
            (700024, true),
            (700027, true),
            (700213, true),
            (700236, true),
            // There is no credential for any assertion.
            (70025, false),
            (7000215, false),
            (7000229, false),
            (90033, false),
        ] {
            assert_eq!(is_of_assertion(code), expected, "{code}");
        }
    }
}

//! What the commands of a shell need of a world, as variables.

use crate::{Administrator, Lab};

/// Names with their values, in the order in which they are told. Among them are secrets of this world.
///
/// A tenant's begin with its name in capitals: `CONTOSO_TENANT`.
pub fn variables(lab: &Lab) -> Vec<(String, String)> {
    let trimmed = |url: &url::Url| url.as_str().trim_end_matches('/').to_owned();
    let provider = lab.provider();
    let mut variables = vec![
        // By this curl trusts the world's certificates.
        ("CURL_CA_BUNDLE".to_owned(), lab.ca_file().display().to_string()),
        ("LOGIN".to_owned(), trimmed(lab.token_service().authority())),
        ("GRAPH".to_owned(), trimmed(lab.graph().url())),
        ("CLIENT_ID".to_owned(), provider.tenant.app_id.to_string()),
    ];
    if let Some(registry) = provider.outputs.text("customersUri") {
        variables.push(("REGISTRY".to_owned(), registry.to_owned()));
    }
    if let Some(host) = provider.host() {
        variables.push(("PROVIDER".to_owned(), host.base_url()));
        variables.push(("KEY".to_owned(), host.master_key().to_owned()));
    }
    let tenants: Vec<_> = lab.directory().read().tenants.values().cloned().collect();
    for tenant in tenants {
        let prefix = tenant.display_name.to_ascii_uppercase().replace('-', "_");
        let Administrator { tenant_id, user, client_id, client_secret } = lab.administrator(tenant.id);
        for (what, value) in [
            ("TENANT", tenant_id.to_string()),
            ("ADMINISTRATOR", user),
            ("ADMINISTRATOR_CLIENT_ID", client_id.to_string()),
            ("ADMINISTRATOR_CLIENT_SECRET", client_secret),
        ] {
            variables.push((format!("{prefix}_{what}"), value));
        }
    }
    variables
}

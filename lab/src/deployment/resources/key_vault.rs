//! Key vaults: secrets, and the references to them in app settings that the platform resolves.
//! <https://learn.microsoft.com/azure/app-service/app-service-key-vault-references>

use serde_json::{Value, json};

use super::Resource;
use super::web::Site;
use crate::deployment::error::Refusal;
use crate::deployment::manager::ResourceManager;
use crate::deployment::resource_id::{key, last_name};
use crate::directory::Action;

const VAULTS: &str = "Microsoft.KeyVault/vaults";

pub(super) fn put_vault(resource: &Resource) -> Value {
    json!({"vaultUri": format!("https://{}.vault.azure.net/", last_name(&resource.id))})
}

pub(super) fn put_secret(manager: &mut ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    // A template may change a secret's attributes alone; the value stays as it is.
    if let Some(value) = resource.text("value") {
        manager.secrets.insert(key(&resource.id), value.to_owned());
    }
    // Azure does not give it out again either.
    Ok(json!({"value": null}))
}

impl ResourceManager {
    /// Puts a secret into the vault of that name, as somebody may who administers its secrets: a template that leaves the
    /// value out leaves the vault's own. Gives whether there is such a vault.
    pub fn put_secret(&mut self, vault: &str, name: &str, value: &str) -> bool {
        let id = self.vault(vault).map(|vault| format!("{vault}/secrets/{name}"));
        if let Some(id) = &id {
            self.secrets.insert(key(id), value.to_owned());
        }
        id.is_some()
    }

    /// What `setting` refers to, when it is a reference that the platform can resolve for `site`: the vault and secret are
    /// there, and the identity that the site reads references by may read the secret.
    pub(in super::super) fn resolve_setting(&self, site: &Site, setting: &str) -> Option<&str> {
        let (vault, secret) = key_vault_reference(setting)?;
        let vault = self.vault(&vault)?;
        let id = format!("{vault}/secrets/{secret}");
        let by_roles = &self.deployed(vault)?.full["properties"]["enableRbacAuthorization"];
        let reader = site.key_vault_principal?;
        let may_read = by_roles == &Value::Bool(true)
            && self.services.directory.read().allows(reader, Action::SecretRead, &id);
        self.secrets.get(&key(&id)).filter(|_| may_read).map(String::as_str)
    }

    /// The id of the vault of that name: names are unique in the cloud.
    fn vault(&self, name: &str) -> Option<&str> {
        let mut vaults = self.of_type(VAULTS);
        vaults.find(|vault| last_name(&vault.id).eq_ignore_ascii_case(name)).map(|vault| vault.id.as_str())
    }
}

/// Vault and secret that an app setting `@Microsoft.KeyVault(…)` refers to, in either form. The lab keeps one version of each
/// secret.
pub fn key_vault_reference(setting: &str) -> Option<(String, String)> {
    let inside = setting.trim().strip_prefix("@Microsoft.KeyVault(")?.strip_suffix(')')?;
    let part = |wanted: &str| {
        let mut parts = inside.split(';').filter_map(|part| part.split_once('='));
        parts.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    if let Some(uri) = part("SecretUri") {
        let (host, path) = uri.strip_prefix("https://")?.split_once('/')?;
        let secret = path.strip_prefix("secrets/")?.split('/').next()?;
        return Some((host.split('.').next()?.to_owned(), secret.to_owned()));
    }
    Some((part("VaultName")?.to_owned(), part("SecretName")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_reference_are_read() {
        let expected = Some(("kv-x".to_owned(), "ClientSecret".to_owned()));
        for setting in [
            "@Microsoft.KeyVault(VaultName=kv-x;SecretName=ClientSecret)",
            "@Microsoft.KeyVault(SecretUri=https://kv-x.vault.azure.net/secrets/ClientSecret)",
            "@Microsoft.KeyVault(SecretUri=https://kv-x.vault.azure.net/secrets/ClientSecret/ec96f020)",
        ] {
            assert_eq!(key_vault_reference(setting), expected, "{setting}");
        }
        for setting in
            ["hunter2", "@Microsoft.KeyVault(VaultName=kv-x)", "@Microsoft.KeyVault(SecretUri=kv-x)"]
        {
            assert_eq!(key_vault_reference(setting), None, "{setting}");
        }
    }
}

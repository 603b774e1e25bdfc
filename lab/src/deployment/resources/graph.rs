//! Microsoft Graph: applications, their federated credentials, and service principals.
//! <https://learn.microsoft.com/graph/templates/bicep/overview-bicep-templates-for-graph>

use serde_json::{Value, json};
use uuid::Uuid;

use super::Resource;
use crate::deployment::application_id;
use crate::deployment::error::Refusal;
use crate::deployment::manager::ResourceManager;
use crate::directory::{Application, FederatedCredential};

/// Registers an application, or updates the one of that unique name. Its secrets are not the template's.
pub(super) fn put_application(manager: &ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    let unique_name = resource.required("uniqueName")?;
    resource.required("displayName")?;
    let multi_tenant = match resource.text("signInAudience") {
        None | Some("AzureADMyOrg") => false,
        Some("AzureADMultipleOrgs" | "AzureADandPersonalMicrosoftAccount") => true,
        Some(other) => {
            let text = format!(
                "Invalid value specified for property 'signInAudience' of resource 'Application': '{other}'."
            );
            return Err(Refusal::azure("Request_BadRequest", text));
        }
    };
    let redirect_uris = resource.property("web")["redirectUris"].as_array().into_iter().flatten();
    let redirect_uris = redirect_uris.filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
    let app_id = application_id(resource.tenant, unique_name);
    let mut state = manager.services.directory.write();
    let application = state.applications.entry(app_id).or_insert_with(|| Application {
        app_id,
        home_tenant_id: resource.tenant,
        multi_tenant,
        client_secrets: Vec::new(),
        redirect_uris: Vec::new(),
        token_lifetime: None,
        federated_credentials: Vec::new(),
    });
    application.multi_tenant = multi_tenant;
    application.redirect_uris = redirect_uris;
    let object_id = application.object_id();
    let mut properties = resource.body["properties"].clone();
    properties["appId"] = app_id.to_string().into();
    properties["id"] = object_id.to_string().into();
    Ok(properties)
}

/// Adds a federated credential to the application that its name begins with, or updates the one of that name.
pub(super) fn put_federated_credential(
    manager: &ResourceManager,
    resource: &Resource,
) -> Result<Value, Refusal> {
    let name = resource.required("name")?;
    let Some((application, credential)) = name.split_once('/') else {
        return Err(Refusal::azure(
            "Request_BadRequest",
            format!(
                "The name '{name}' is not made of the application's unique name, a slash and the credential's name."
            ),
        ));
    };
    let (issuer, subject) = (resource.required("issuer")?, resource.required("subject")?);
    let audience = match resource.property("audiences").as_array().map(Vec::as_slice) {
        Some([Value::String(audience)]) if !audience.is_empty() => audience.clone(),
        _ => {
            let text =
                "Invalid value specified for property 'audiences' of resource 'FederatedIdentityCredential'.";
            return Err(Refusal::azure("Request_BadRequest", text));
        }
    };
    let mut state = manager.services.directory.write();
    let Some(application) = state.applications.get_mut(&application_id(resource.tenant, application)) else {
        let text = format!(
            "Resource '{application}' does not exist or one of its queried reference-property objects are not present."
        );
        return Err(Refusal::azure("Request_ResourceNotFound", text));
    };
    let app_id = application.app_id;
    let credentials = &mut application.federated_credentials;
    if credentials
        .iter()
        .any(|other| other.name != credential && (&*other.issuer, &*other.subject) == (issuer, subject))
    {
        let text = "FederatedIdentityCredential with issuer and subject already exists on the application.";
        return Err(Refusal::azure("Request_MultipleObjectsWithSameKeyValue", text));
    }
    let made = FederatedCredential {
        name: credential.to_owned(),
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        audience,
    };
    let id = made.id(app_id);
    match credentials.iter_mut().find(|other| other.name == credential) {
        Some(present) => *present = made,
        None => credentials.push(made),
    }
    let mut properties = resource.body["properties"].clone();
    properties["id"] = id.to_string().into();
    Ok(properties)
}

/// Makes the application's service principal in the tenant, as an administrator's consent does.
pub(super) fn put_service_principal(
    manager: &ResourceManager,
    resource: &Resource,
) -> Result<Value, Refusal> {
    let tenant = resource.tenant;
    let app_id = resource.required("appId")?;
    let mut state = manager.services.directory.write();
    let known = app_id.parse::<Uuid>().ok().filter(|app_id| {
        let application = state.applications.get(app_id);
        application.is_some_and(|app| app.multi_tenant || app.home_tenant_id == tenant)
    });
    let Some(known) = known else {
        let text = format!(
            "The appId '{app_id}' of the service principal does not reference a valid application object."
        );
        return Err(Refusal::azure("Request_BadRequest", text));
    };
    let object_id = state.consent(tenant, known);
    if let Some(enabled) = resource.property("accountEnabled").as_bool() {
        let principals = state.service_principals.iter_mut();
        principals.filter(|it| it.object_id == object_id).for_each(|it| it.enabled = enabled);
    }
    Ok(json!({"appId": known, "id": object_id}))
}

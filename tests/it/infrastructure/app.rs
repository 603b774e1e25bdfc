//! The Function Apps: what Flex Consumption takes, who the apps are, and what their hosts need.

use super::{APP, CUSTOMER, Deployed, PROVIDER, Templates, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_role_on_the_hosts_storage_an_app_does_not_start() {
    for template in [PROVIDER, CUSTOMER] {
        let Some(templates) = Templates::copy() else { return };
        let said = refusal(templates.without_module(template, "hostRole")).await;
        let expected = "cannot start: its package cannot be read from https://";
        assert!(said.contains(expected) && said.contains("AuthorizationPermissionMismatch"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_only_reads_the_hosts_storage_is_too_little() {
    for template in [PROVIDER, CUSTOMER] {
        let Some(templates) = Templates::copy() else { return };
        let templates =
            templates.replace(template, "'Storage Blob Data Owner'", "'Storage Blob Data Reader'");
        let said = refusal(templates).await;
        let expected = "cannot start: its host's locks and keys cannot be written to https://";
        assert!(said.contains(expected) && said.contains("AuthorizationPermissionMismatch"), "{said}");
    }
}

/// In Azure only telemetry is lost: the one role that a crossing can do without.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_role_on_telemetry_a_command_crosses_all_the_same() {
    let Some(templates) = Templates::copy() else { return };
    let templates = templates.without_module(PROVIDER, "telemetryRole");
    Deployed::from(templates.without_module(CUSTOMER, "telemetryRole")).await.works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_runtime_is_refused() {
    for (from, to) in [("name: 'custom'", "name: 'rust'"), ("version: '1.0'", "version: '1'")] {
        let Some(templates) = Templates::copy() else { return };
        let said = refusal(templates.replace(APP, from, to)).await;
        assert!(said.contains("Microsoft.Web/sites") && said.contains("runtime"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_setting_that_flex_consumption_does_not_take_is_refused() {
    for setting in ["ftpsState: 'Disabled'", "linuxFxVersion: ''"] {
        let Some(templates) = Templates::copy() else { return };
        let said = refusal(templates.replace(APP, "http20Enabled: true", setting)).await;
        let expected = "The following site configuration property";
        assert!(said.contains(expected) && said.contains("for Flex Consumption sites is invalid"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_by_an_identity_that_the_app_does_not_have_is_refused() {
    let Some(templates) = Templates::copy() else { return };
    let from = "ServiceBusConnection__clientId: identity.properties.clientId";
    let to = "ServiceBusConnection__clientId: identity.properties.principalId";
    let deployed = Deployed::from(templates.replace(CUSTOMER, from, to)).await;
    deployed
        .customer_says(&["Message processing error", "No User Assigned or Delegated Managed Identity found"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_by_an_identity_that_the_app_does_not_have_is_refused() {
    let Some(templates) = Templates::copy() else { return };
    let from = "ManagedIdentityClientId: isFederated ? identity.properties.clientId : ''";
    let to = "ManagedIdentityClientId: isFederated ? identity.properties.principalId : ''";
    let deployed = Deployed::from(templates.replace(PROVIDER, from, to)).await;
    let said =
        "The requested identity has not been assigned to this resource. To do: assign the managed identity";
    deployed.refuses(503, "unavailable", &[said]).await;
}

//! What an app needs of storage before it starts.

use super::{Cloud, PROVIDER, committed};
use crate::directory::Role;

#[tokio::test]
async fn an_app_starts_with_its_role_on_the_hosts_storage_and_its_identity_alone() {
    let mut cloud = Cloud::new().await;
    let snapshot = committed("provider");
    cloud.deploy(PROVIDER, &snapshot).await.unwrap();
    let check = |cloud: &Cloud| {
        cloud.manager.check_host_storage(cloud.only_site()).map_err(|error| error.to_string())
    };
    assert_eq!(check(&cloud), Ok(()));
    let mismatch =
        "AuthorizationPermissionMismatch: This request is not authorized to perform this operation";
    let all = cloud.directory.read().role_assignments.clone();
    for (role, expected) in [
        (None, "func-causeway-5564kfml cannot start: its package cannot be read from https://localhost:"),
        (
            Some(Role::StorageBlobDataReader),
            "its host's locks and keys cannot be written to https://localhost:",
        ),
    ] {
        let mut given = all.clone();
        given.retain(|one| one.role != Role::StorageBlobDataOwner || role.is_some());
        given
            .iter_mut()
            .filter(|one| one.role == Role::StorageBlobDataOwner)
            .for_each(|one| one.role = role.unwrap());
        cloud.directory.write().role_assignments = given;
        let said = check(&cloud).unwrap_err();
        assert!(said.contains(expected) && said.contains(mismatch), "{said}");
    }
    cloud.directory.write().role_assignments = all;
    assert_eq!(check(&cloud), Ok(()));

    // The system-assigned identity has no role there, and this app has none.
    let mut other = snapshot;
    other.resources_mut("Microsoft.Web/sites").for_each(|it| {
        let storage = &mut it["properties"]["functionAppConfig"]["deployment"]["storage"];
        storage["authentication"] = serde_json::json!({"type": "SystemAssignedIdentity"});
    });
    cloud.deploy(PROVIDER, &other).await.unwrap();
    assert!(check(&cloud).unwrap_err().contains("its package cannot be read"));
}

//! Roles on more than they are needed for.

use super::*;

#[test]
fn a_role_on_more_than_it_is_needed_for_is_named() {
    let of = |queue: &str| format!("namespaces/sb-contoso{queue}/providers/Microsoft.Authorization/");
    let (queue, namespace) = (of("/queues/deployment-commands"), of(""));
    let containers = "/blobServices/default/containers/deployments/providers/Microsoft.Authorization/";
    for (path, from, to, expected) in [
        ("contoso", &*queue, &*namespace, "is given on namespaces, but is needed on queues alone"),
        (
            "provider",
            containers,
            "/providers/Microsoft.Authorization/",
            "on storageAccounts, but is needed on containers",
        ),
        (
            "provider",
            "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
            "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
            "needed on containers",
        ),
        (
            "contoso",
            "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
            "090c5cfd-751d-490a-894a-3ce6f1109419",
            "is no role that this",
        ),
    ] {
        let path = format!("tests/infra/{path}.snapshot.json");
        let found = faults(&path, from, to);
        assert!(matches!(&found[..], [one] if one.contains(expected)), "{to}: {found:?}");
    }
}

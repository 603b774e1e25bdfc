//! On the lab's blob endpoint. Who may do what is as the infrastructure gives it: the handler's identity may write the
//! store's container and read the registry's.

use std::time::Duration;

use ::lab::Lab;
use ::lab::blob::BlobService;
use ::lab::directory::{Role, RoleAssignment};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Backend, Operator, STORE};
use crate::support::{Answer, PATIENCE};

const ACCOUNT: &str = "stcausewaydata";
const RESOURCE_ID: &str = "/subscriptions/provider/resourceGroups/rg-causeway/providers/Microsoft.Storage/storageAccounts/stcausewaydata";

/// A storage account of the provider's.
struct Storage {
    service: BlobService,
    operator: Operator,
    _folder: TempDir,
}

impl Storage {
    async fn start(lab: &Lab) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = lab.services();
        let service = BlobService::start(services, lab.ca(), folder.path().to_owned()).await.unwrap();
        let tenant = &lab.provider().tenant;
        service.add_account(ACCOUNT, RESOURCE_ID, tenant.tenant_id).unwrap();
        let app =
            lab.directory().read().service_principal(tenant.tenant_id, tenant.app_id).unwrap().object_id;
        let handler = tenant.identity.principal_id;
        for (principal, role, scope) in [
            (app, Role::StorageBlobDataOwner, RESOURCE_ID.to_owned()),
            (handler, Role::StorageBlobDataContributor, container(STORE)),
            (handler, Role::StorageBlobDataReader, container("configuration")),
        ] {
            assign(lab, principal, role, scope);
        }
        Self { service, operator: Operator::of(lab).await, _folder: folder }
    }
}

fn container(name: &str) -> String {
    format!("{RESOURCE_ID}/blobServices/default/containers/{name}")
}

fn assign(lab: &Lab, principal_id: Uuid, role: Role, scope: String) {
    lab.directory().write().role_assignments.push(RoleAssignment { principal_id, role, scope });
}

impl Backend for Storage {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.service.endpoint(ACCOUNT).unwrap())
    }

    fn operator(&self) -> &Operator {
        &self.operator
    }

    async fn answered(&self, method: &Method, path: &str, status: u16) {
        let begin = format!("/{ACCOUNT}/{path}");
        let waiting = self.service.wait_for_request(|served| {
            served.method == method.as_str() && served.path.starts_with(&begin) && served.status == status
        });
        let ended = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(ended.is_ok(), "no {method} of {path} with {status} in {:#?}", self.service.requests());
    }

    async fn stop(self) {
        assert_eq!(self.service.close().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_recorded_in_blobs_once_however_often_it_is_asked_for() {
    let lab = super::prepare().await;
    let storage = Storage::start(&lab).await;
    super::a_deployment_is_recorded_once(lab, storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_a_blob_is_read_again_when_its_etag_changes() {
    let lab = super::prepare().await;
    let storage = Storage::start(&lab).await;
    super::a_registry_is_read_again(lab, storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handlers_tests_of_its_store_hold_in_a_container() {
    let lab = super::prepare().await;
    let storage = Storage::start(&lab).await;
    super::the_stores_own_tests_hold(&lab, &storage).await;
    storage.stop().await;
    assert_eq!(lab.close().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_not_there_is_waited_for() {
    let lab = super::gone::prepare().await;
    let storage = Storage::start(&lab).await;
    super::gone::a_container_is_waited_for(lab, storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_role_on_the_store_the_provider_says_so_and_goes_on_once_it_has_it() {
    let lab = super::prepare().await;
    let storage = Storage::start(&lab).await;
    let world = super::start(lab, &storage).await;
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;

    let handler = world.lab.provider().tenant.identity.principal_id;
    let is_stores = |given: &RoleAssignment| given.principal_id == handler && given.scope == container(STORE);
    world.lab.directory().write().role_assignments.retain(|given| !is_stores(given));
    let refused = world.send("contoso", &json!({"action": "acknowledge"})).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let health = Answer::to(world.http.get(format!("{}/api/health", world.provider().base_url()))).await;
    assert_eq!((health.status, &health.body["checks"]["store"]), (503, &json!("unhealthy")), "{health:?}");
    let said = world.provider_logs(|line| line.contains("AuthorizationPermissionMismatch")).await;
    assert!(!said.contains("eyJ"), "{said}");

    assign(&world.lab, handler, Role::StorageBlobDataContributor, container(STORE));
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.close().await;
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_unreachable_nothing_is_promised_and_then_all_goes_on() {
    let lab = super::prepare().await;
    let storage = Storage::start(&lab).await;
    let world = super::start(lab, &storage).await;
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    storage.service.pause();
    let sending = async {
        // A 202 says that the intent is in the store: none can be given before it is back.
        let mut every = tokio::time::interval(Duration::from_millis(100));
        loop {
            every.tick().await;
            let answer = world.send("contoso", &json!({"action": "acknowledge"})).await;
            if answer.status == 202 {
                return answer.location.unwrap();
            }
            assert_eq!(answer.status, 503, "{answer:?}");
        }
    };
    let health = async {
        let health = Answer::to(world.http.get(format!("{}/api/health", world.provider().base_url()))).await;
        assert_eq!(health.status, 503, "{health:?}");
        storage.service.resume();
    };
    let (location, ()) = tokio::join!(sending, health);
    world.until(&location, "Succeeded").await;
    world.close().await;
    storage.stop().await;
}

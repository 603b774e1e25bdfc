//! An assertion that cannot be good: of another time, of a key that nobody knows, of an identity in the wrong tenant.
//!
//! The handler keeps an assertion for as long as it says that it is good for. That all is well again within seconds shows
//! that it lets go of one that was refused.

use std::sync::Arc;

use lab::Lab;
use lab::clock::Clock;
use lab::directory::{Directory, ManagedIdentityKind};
use lab::jwt::SigningKey;
use lab::managed_identity::ManagedIdentityEndpoint;
use lab::token_service::TokenIssuer;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Refusals;

/// A platform's endpoint whose keys, clock and directory are its own, and at first agree with everybody else's.
struct Platform {
    endpoint: ManagedIdentityEndpoint,
    directory: Arc<Directory>,
    issuer: Arc<TokenIssuer>,
    clock: Clock,
}

/// How long an assertion is good for, and how much of that is left by this platform's clock: too little to be kept.
const LIFETIME: Duration = Duration::DAY;
const LEFT: Duration = Duration::minutes(4);

impl Platform {
    async fn start() -> Self {
        let clock = Clock::stepped(OffsetDateTime::now_utc() - LIFETIME + LEFT);
        let directory = Arc::new(Directory::new());
        let key = Arc::new(SigningKey::generate().unwrap());
        let issuer = Arc::new(TokenIssuer::new(key, clock.clone()));
        let endpoint = ManagedIdentityEndpoint::start(directory.clone(), issuer.clone()).await.unwrap();
        Self { endpoint, directory, issuer, clock }
    }

    /// Is the platform of the provider's app.
    fn serve(&self, lab: &mut Lab) {
        let identity = lab.provider().tenant.identity.clone();
        let app = self.endpoint.attach("provider", [identity.principal_id]);
        self.directory.write().managed_identities.push(identity);
        self.issuer.sign_with(lab.issuer().key());
        let settings = app.environment().map(|(name, value)| (name.to_owned(), value));
        lab.provider_settings_mut().extend(settings);
        // Whoever may not trust the platform's tokens may not enter storage either: here that is a folder.
        for (name, place) in
            [("DeploymentStoreUri", lab.store()), ("CustomersUri", lab.registry_file().unwrap())]
        {
            let url = format!("file://{}", place.display());
            lab.provider_settings_mut().insert(name.to_owned(), url);
        }
        // As on a developer's machine, since an app in Azure must not keep records on its disk.
        lab.provider_settings_mut().insert("FUNCTIONS_CORETOOLS_ENVIRONMENT".to_owned(), "True".to_owned());
    }

    /// Has the identity live in `tenant`, and the application trust it there, as those do who do not know the rule.
    fn move_identity(&self, lab: &Lab, tenant: Uuid) {
        let provider = &lab.provider().tenant;
        for directory in [lab.directory(), &self.directory] {
            let mut state = directory.write();
            let mut identities = state.managed_identities.iter_mut();
            let id = provider.identity.principal_id;
            identities.find(|identity| identity.principal_id == id).unwrap().tenant_id = tenant;
        }
        let mut state = lab.directory().write();
        let application = state.applications.get_mut(&provider.app_id).unwrap();
        application.federated_credentials[0].issuer =
            format!("https://login.microsoftonline.com/{tenant}/v2.0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_that_cannot_be_good_is_told_and_not_kept() {
    let platform = Platform::start().await;
    let customers = ["late", "early", "stranger", "moved", "system"];
    let refusals = Refusals::start(&customers, |_| {}, |lab| platform.serve(lab)).await;

    let told = (700_024, "the assertion is outside its time range", "check the clock");
    platform.clock.advance(-LEFT - Duration::minutes(1));
    refusals.refused("late", told).await;
    platform.clock.advance(LEFT + Duration::minutes(1));
    refusals.works("late").await;

    // From tomorrow on, and then for a day: worth keeping, by what it says.
    platform.clock.advance(LIFETIME * 2);
    refusals.refused("early", told).await;
    platform.clock.advance(-LIFETIME * 2);
    refusals.works("early").await;

    let known = platform.issuer.key();
    platform.clock.advance(LIFETIME - LEFT);
    platform.issuer.sign_with(Arc::new(SigningKey::generate().unwrap()));
    let told =
        (700_027, "the assertion's signature is not known", "of the same cloud as AZURE_AUTHORITY_HOST");
    refusals.refused("stranger", told).await;
    platform.issuer.sign_with(known);
    platform.clock.advance(LEFT - LIFETIME);
    refusals.works("stranger").await;

    let told = (700_236, "the managed identity lives in another tenant", "into the same tenant");
    let lab = &refusals.world.lab;
    let (home, elsewhere) =
        (lab.provider().tenant.tenant_id, refusals.world.customer("moved").tenant.tenant_id);
    platform.move_identity(lab, elsewhere);
    refusals.refused("moved", told).await;
    platform.move_identity(lab, home);
    refusals.works("moved").await;

    let told = (700_226, "only a managed identity's v2.0 token", "use a user-assigned managed identity");
    refusals
        .refused_until_undone("system", told, |state, provider, _| {
            let mut identities = state.managed_identities.iter_mut();
            let id = provider.identity.principal_id;
            identities.find(|identity| identity.principal_id == id).unwrap().kind =
                ManagedIdentityKind::SystemAssigned;
        })
        .await;
    refusals.world.close().await;
    assert_eq!(platform.endpoint.close().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_assertion_serves_the_tenants_of_all_customers() {
    let refusals = Refusals::start(&["contoso"], |_| {}, |_| {}).await;
    refusals.take_in("contoso", |_| {});
    refusals.works("contoso").await;
    let lab = &refusals.world.lab;
    let provider = &lab.provider().tenant;
    // And one more token, for storage.
    assert_eq!(lab.issuer().issued_count(provider.tenant_id, provider.identity.client_id), 2);
    for customer in lab.customers() {
        assert_eq!(lab.issuer().issued_count(customer.tenant.tenant_id, provider.app_id), 1);
    }
    refusals.world.close().await;
}

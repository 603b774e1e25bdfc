//! `handler check` and the function `CheckCustomer`: what an operator is told of everything that a command needs on its way.

use std::path::Path;
use std::process::Stdio;

use lab::directory::{Cloud, Role};
use lab::{AppIdentity, Hosts, Lab, LabConfig};
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use crate::support::{Answer, COMMAND_QUEUE, STATUS_QUEUE, World, config, handler};

/// What a run of the subcommand came to.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}\n{}", self.stdout, self.stderr))
    }

    /// What was found in the check `name` of `customer`, or of the app itself.
    fn found(&self, customer: Option<&str>, name: &str) -> Value {
        let whole = self.json();
        let customers = whole["customers"].as_array().unwrap();
        let whose = match customer {
            Some(customer) => customers.iter().find(|entry| entry["customerId"] == customer).unwrap(),
            None => &whole,
        };
        let checks = whose["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["name"] == name)
            .cloned()
            .unwrap_or_else(|| panic!("{name}: {whole:#}"))
    }

    fn names(&self, customer: Option<&str>) -> Vec<String> {
        let whole = self.json();
        let customers = whole["customers"].as_array().unwrap();
        let whose = customer.map_or(&whole, |customer| {
            customers.iter().find(|entry| entry["customerId"] == customer).unwrap()
        });
        let checks = whose["checks"].as_array().unwrap();
        checks.iter().map(|check| check["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Runs `handler check` with `arguments` as the app `root` of that tenant would with these settings.
async fn run(lab: &Lab, root: &Path, settings: &lab::Settings, tenant: Uuid, arguments: &[&str]) -> Run {
    let sites = lab.resources().sites().filter(|site| site.tenant_id == tenant);
    let identities = sites.flat_map(|site| &site.identities).map(|identity| identity.principal_id);
    let identity = lab.managed_identity().attach("check", identities);
    let output = Command::new(handler())
        .arg("check")
        .args(arguments)
        .env_clear()
        .envs(settings)
        .envs(identity.environment())
        .env("FUNCTIONS_APP_ROOT_PATH", root)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    for token in lab.issuer().issued_tokens() {
        let tail = token.token.rsplit('.').next().unwrap().to_owned();
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains(&tail) && !text.contains(&lab.client_secret()), "a secret is printed");
        }
    }
    run
}

async fn of_provider(lab: &Lab, arguments: &[&str]) -> Run {
    let provider = lab.provider();
    run(lab, &provider.staged.root, &provider.settings, provider.tenant.tenant_id, arguments).await
}

async fn of_customer(lab: &Lab, name: &str, arguments: &[&str]) -> Run {
    let customer = lab.customer(name).unwrap();
    let root = &customer.staged.root;
    run(lab, root, &customer.settings, customer.tenant.tenant_id, arguments).await
}

async fn closed(lab: Lab) {
    let left = lab.close().await;
    assert!(left.is_empty(), "left open: {left:#?}");
}

async fn prepared(change: impl FnOnce(&mut LabConfig)) -> Lab {
    let mut config = config();
    change(&mut config);
    Lab::prepare(config).await.unwrap()
}

/// Takes the role on the customer's queue from a principal.
fn take_role(lab: &Lab, customer: &str, principal: Uuid, role: Role, queue: &str) {
    let namespace = &lab.customer(customer).unwrap().tenant.namespace_id;
    let scope = format!("{namespace}/queues/{queue}");
    let mut state = lab.directory().write();
    let before = state.role_assignments.len();
    state.role_assignments.retain(|assignment| {
        (assignment.principal_id, assignment.role, &assignment.scope) != (principal, role, &scope)
    });
    assert_eq!(state.role_assignments.len(), before - 1);
}

/// The application's service principal in the customer's tenant.
fn app_in(lab: &Lab, customer: &str) -> Uuid {
    let tenant = lab.customer(customer).unwrap().tenant.tenant_id;
    lab.directory().read().service_principal(tenant, lab.provider().tenant.app_id).unwrap().object_id
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_on_both_sides_and_nothing_is_touched() {
    for app_identity in [AppIdentity::Federated, AppIdentity::ClientSecret] {
        let lab = prepared(|config| config.app_identity = app_identity).await;
        let run = of_provider(&lab, &["--format", "json"]).await;
        assert_eq!((run.code, run.json()["ok"].clone()), (0, json!(true)), "{}{}", run.stdout, run.stderr);
        let mut own = vec!["storeReadable", "storeWritable", "customers"];
        if app_identity == AppIdentity::Federated {
            own.insert(0, "assertion");
        } else {
            own.insert(0, "clientSecret");
        }
        assert_eq!(run.names(None), own);
        for customer in ["contoso", "fabrikam"] {
            assert_eq!(run.names(Some(customer)), ["token", "commandQueue", "statusQueue"]);
            assert!(run.stderr.contains(&format!("of 2: {customer} ok")), "{}", run.stderr);
        }
        let left = std::fs::read_dir(lab.store()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["check.json"]);
        let text = of_provider(&lab, &[]).await;
        assert_eq!(text.code, 0);
        assert!(text.stdout.ends_with("All is well, with 2 customers.\n"), "{}", text.stdout);

        for customer in ["contoso", "fabrikam"] {
            let run = of_customer(&lab, customer, &["--format", "json"]).await;
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
            assert_eq!(run.names(None), ["token", "commandQueue", "statusQueue"]);
            let customer = lab.customer(customer).unwrap();
            for queue in customer.queues() {
                let counts = customer.namespace.counts(queue).unwrap();
                assert_eq!(counts.active, 0, "nothing was sent");
            }
        }
        closed(lab).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_its_code_and_remedy_and_hides_nothing_else() {
    let names = ["well", "no-consent", "no-sender", "no-receiver", "no-queue", "no-namespace"];
    let lab = prepared(|config| config.customers = names.map(str::to_owned).to_vec()).await;
    let no_consent = lab.customer("no-consent").unwrap().tenant.tenant_id;
    let app = lab.provider().tenant.app_id;
    take_role(&lab, "no-sender", app_in(&lab, "no-sender"), Role::DataSender, COMMAND_QUEUE);
    take_role(&lab, "no-receiver", app_in(&lab, "no-receiver"), Role::DataReceiver, STATUS_QUEUE);
    lab.directory()
        .write()
        .service_principals
        .retain(|principal| (principal.tenant_id, principal.app_id) != (no_consent, app));
    let registry = lab.registry_file().unwrap();
    let mut document: Value = serde_json::from_slice(&std::fs::read(&registry).unwrap()).unwrap();
    for entry in document["customers"].as_array_mut().unwrap() {
        if entry["customerId"] == "no-queue" {
            entry["deploymentCommandQueueName"] = "not-there".into();
        } else if entry["customerId"] == "no-namespace" {
            // A port that was free a moment ago.
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            entry["serviceBusNamespace"] = format!("localhost:{port}").into();
        }
    }
    document["customers"].as_array_mut().unwrap().push(json!({"customerId": "Wrong"}));
    std::fs::write(&registry, document.to_string()).unwrap();

    let run = of_provider(&lab, &["--format", "json"]).await;
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    for (customer, check, code, remedy) in [
        ("no-consent", "token", json!("AADSTS7000229"), "consent"),
        (
            "no-sender",
            "commandQueue",
            json!("amqp:unauthorized-access"),
            "Data Sender on the queue deployment-c",
        ),
        (
            "no-receiver",
            "statusQueue",
            json!("amqp:unauthorized-access"),
            "Data Receiver on the queue deployment-s",
        ),
        ("no-queue", "commandQueue", json!("amqp:not-found"), "check the queue's name"),
        ("no-namespace", "commandQueue", Value::Null, "check the namespace's name"),
        ("no-namespace", "statusQueue", Value::Null, "check the namespace's name"),
    ] {
        let found = run.found(Some(customer), check);
        assert_eq!((&found["ok"], &found["code"]), (&json!(false), &code), "{customer}: {found:#}");
        assert!(found["remedy"].as_str().unwrap().contains(remedy), "{customer}: {found:#}");
        assert!(!found["reason"].as_str().unwrap().is_empty());
    }
    assert_eq!(run.names(Some("no-consent")), ["token"], "no link is tried without a token");
    for (customer, check) in
        [("no-sender", "statusQueue"), ("no-receiver", "commandQueue"), ("no-queue", "statusQueue")]
    {
        assert_eq!(run.found(Some(customer), check)["ok"], true, "{customer} {check}");
    }
    let left_out = run.found(None, "customers");
    assert!(left_out["reason"].as_str().unwrap().contains("customers[6]"), "{left_out:#}");
    assert_eq!(run.found(None, "storeWritable")["ok"], true);

    let text = of_provider(&lab, &["--customer", "no-sender"]).await;
    assert_eq!(text.code, 1);
    let failed = text.stdout.lines().find(|line| line.contains("FAILED  commandQueue")).unwrap();
    assert!(failed.ends_with("amqp:unauthorized-access"), "{}", text.stdout);
    assert!(text.stdout.contains("To do: give the application's service principal"), "{}", text.stdout);
    assert!(!text.stdout.contains("no-consent"), "only that customer: {}", text.stdout);
    let well = of_provider(&lab, &["--customer", "well", "--timeout", "30"]).await;
    assert!(well.stdout.contains("well\n  ok      token"), "{}", well.stdout);
    closed(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_learns_which_of_its_own_roles_is_missing() {
    let lab = prepared(|_| {}).await;
    let identity = lab.customer("contoso").unwrap().tenant.identity.principal_id;
    take_role(&lab, "contoso", identity, Role::DataSender, STATUS_QUEUE);
    let run = of_customer(&lab, "contoso", &["--format", "json"]).await;
    assert_eq!(run.code, 1, "{}", run.stdout);
    let found = run.found(None, "statusQueue");
    assert_eq!((&found["ok"], &found["code"]), (&json!(false), &json!("amqp:unauthorized-access")));
    let remedy =
        "give the identity of this app the role Azure Service Bus Data Sender on the queue deployment-status";
    assert!(found["remedy"].as_str().unwrap().starts_with(remedy), "{found:#}");
    assert_eq!(run.found(None, "commandQueue")["ok"], true);
    assert_eq!(of_customer(&lab, "contoso", &["--customer", "fabrikam"]).await.code, 2, "another's app");
    closed(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_settings_and_arguments_end_with_two() {
    let lab = prepared(|_| {}).await;
    let provider = lab.provider();
    let mut settings = provider.settings.clone();
    settings.remove("StatusPollSchedule");
    settings.insert("ClientId".to_owned(), "not-an-id".to_owned());
    let tenant = provider.tenant.tenant_id;
    let run = run(&lab, &provider.staged.root, &settings, tenant, &["--format", "json"]).await;
    assert_eq!(run.code, 2);
    let reasons: Vec<_> =
        run.json()["checks"].as_array().unwrap().iter().map(|check| check["reason"].to_string()).collect();
    for name in ["StatusPollSchedule", "ClientId"] {
        assert!(reasons.iter().any(|reason| reason.contains(name)), "all at once: {reasons:?}");
    }
    for arguments in [&["--customer", "nobody"][..], &["--format", "xml"], &["--settings", "/not/there.json"]]
    {
        let run = of_provider(&lab, arguments).await;
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    closed(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_settings_file_is_read_as_core_tools_read_it() {
    let lab = prepared(|config| config.hosts = Hosts::CoreTools).await;
    let provider = lab.provider();
    let file = provider.staged.root.join("local.settings.json");
    let output = Command::new(handler())
        .args(["check", "--format", "json", "--settings"])
        .arg(&file)
        .env_clear()
        .output()
        .await
        .unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    // By connection string there is no token to ask for.
    assert_eq!(run.names(Some("contoso")), ["commandQueue", "statusQueue"]);
    assert!(!run.stdout.contains("SharedAccessKey"), "{}", run.stdout);
    closed(lab).await;
}

/// `GET /api/customers/{id}/check`.
async fn ask(world: &World, customer: &str) -> Answer {
    let path = format!("/api/customers/{customer}/check");
    Answer::to(world.request(reqwest::Method::GET, "CheckCustomer", &path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_told_inside_the_function_app_as_things_are_now() {
    let world = World::start().await;
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    let answer = ask(&world, "contoso").await;
    assert_eq!((answer.status, &answer.body["ok"]), (200, &json!(true)), "{answer:?}");
    let names: Vec<_> =
        answer.body["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert_eq!(names, ["assertion", "token", "commandQueue", "statusQueue"]);

    // The links and the token that the app keeps still work; the check asks anew.
    take_role(&world.lab, "contoso", app_in(&world.lab, "contoso"), Role::DataSender, COMMAND_QUEUE);
    let answer = ask(&world, "contoso").await;
    assert_eq!((answer.status, &answer.body["ok"]), (200, &json!(false)), "{answer:?}");
    let failed: Vec<_> =
        answer.body["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert_eq!(failed.len(), 1, "{answer:?}");
    assert_eq!(
        (&failed[0]["name"], &failed[0]["code"]),
        (&json!("commandQueue"), &json!("amqp:unauthorized-access"))
    );
    world
        .provider_logs(|line| line.contains("not in order") && line.contains("\"customerId\":\"contoso\""))
        .await;

    let unknown = ask(&world, "nobody").await;
    assert_eq!((unknown.status, unknown.problem()), (404, "unknown-customer"));
    let url = format!("{}/api/customers/contoso/check", world.provider().base_url());
    assert_eq!(world.http.get(url).send().await.unwrap().status(), 401, "it needs a key");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_another_cloud_assertions_have_that_clouds_audience() {
    let mut lab = prepared(|_| {}).await;
    {
        let app = lab.provider().tenant.app_id;
        let mut state = lab.directory().write();
        state.cloud = Cloud::UsGovernment;
        let credentials = &mut state.applications.get_mut(&app).unwrap().federated_credentials;
        credentials[0].audience = Cloud::UsGovernment.token_exchange().to_owned();
    }
    let run = of_provider(&lab, &["--format", "json"]).await;
    assert_eq!((run.code, &run.found(None, "assertion")["ok"]), (1, &json!(false)), "{}", run.stdout);

    let audience = "api://AzureADTokenExchangeUSGov".to_owned();
    lab.provider_settings_mut().insert("TokenExchangeAudience".to_owned(), audience);
    assert_eq!(of_provider(&lab, &[]).await.code, 0);
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_that_will_soon_expire_is_spoken_of() {
    let world = World::start_with(|config| {
        config.app_identity = AppIdentity::ClientSecret;
        let soon = (time::OffsetDateTime::now_utc() + time::Duration::days(12)).date();
        config.provider_settings.insert("ClientSecretExpiresOn".to_owned(), soon.to_string());
    })
    .await;
    let line = world.provider_logs(|line| line.contains("the client secret expires on")).await;
    assert!(line.contains("\"level\":\"WARN\""), "{line}");
    let found = of_provider(&world.lab, &["--format", "json"]).await.found(None, "clientSecret");
    assert_eq!(found["ok"], true, "{found:#}");
    assert!(found["remedy"].as_str().unwrap().contains("add a new secret"), "{found:#}");
    world.close().await;
}

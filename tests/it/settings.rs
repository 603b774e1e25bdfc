//! The staged handler with the samples' values: it starts without fault, and names each required setting that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use lab::Lab;
use lab::functions_host::{FunctionsHost, HostConfig};
use lab::stage::{Role, Staged, sample_settings, stage};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Answer, COMMAND_QUEUE, PATIENCE, World, config, handler, repository};

fn staged(role: Role, folder: &Path) -> Staged {
    stage(role, &repository(), &handler(), &folder.join(role.as_str())).unwrap()
}

fn sample(role: Role, folder: &Path) -> BTreeMap<String, String> {
    let json = sample_settings(role, &repository()).unwrap();
    let values = json["Values"].as_object().unwrap().iter();
    let mut settings: BTreeMap<_, _> =
        values.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    if role == Role::Provider {
        settings
            .insert("DeploymentStoreUri".to_owned(), format!("file://{}", folder.join("store").display()));
    }
    settings
}

/// Starts the staged handler as the host would, with these settings, and gives the settings that it names as faulty.
async fn faults(staged: &Staged, settings: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut child = tokio::process::Command::new(staged.root.join("handler"))
        .current_dir(&staged.root)
        .env_clear()
        .envs(settings)
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", "0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut faults = BTreeSet::new();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let event: Value =
                serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"));
            match event["message"].as_str().unwrap() {
                "setting fault" => faults.insert(event["setting"].as_str().unwrap().to_owned()),
                "app ready" | "app served with faults: see above" => return,
                _ => continue,
            };
        }
        panic!("the handler ended");
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    child.kill().await.unwrap();
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn each_required_setting_is_named_when_it_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let required: [(Role, &[&str]); 2] = [
        (
            Role::Provider,
            &[
                "DeploymentStoreUri",
                "StatusPollSchedule",
                "CustomerId",
                "CustomerTenantId",
                "ServiceBusNamespace",
                "DeploymentCommandQueueName",
                "DeploymentStatusQueueName",
            ],
        ),
        (
            Role::Customer,
            &[
                "CustomerId",
                "ServiceBusConnection__fullyQualifiedNamespace",
                "DeploymentCommandQueueName",
                "DeploymentStatusQueueName",
                "AllowedActions",
            ],
        ),
    ];
    for (role, names) in required {
        let staged = staged(role, folder.path());
        let sample = sample(role, folder.path());
        assert_eq!(faults(&staged, &sample).await, BTreeSet::new(), "the {role}'s sample");
        for name in names {
            let mut without = sample.clone();
            without.remove(*name);
            assert_eq!(faults(&staged, &without).await, BTreeSet::from([(*name).to_owned()]), "{role}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_app_tells_its_callers_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let staged = staged(Role::Provider, folder.path());
    let mut settings = sample(Role::Provider, folder.path());
    settings.remove("CustomerTenantId");
    settings.insert("ClientSecret".to_owned(), "hunter2".to_owned());
    let host = FunctionsHost::start(HostConfig::new("provider", &staged.root, settings)).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/customers/contoso/deployments", host.base_url());
    let key = host.function_key("SendDeploymentCommand").unwrap();
    let request = http.post(url).header("x-functions-key", key).header("content-type", "application/json");
    let answer = Answer::to(request.body(r#"{"action":"acknowledge"}"#)).await;
    assert_eq!((answer.status, answer.problem()), (503, "misconfigured"), "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("CustomerTenantId") && detail.contains("ClientId"), "{detail}");
    assert!(!detail.contains("hunter2"));
    let health = Answer::to(http.get(format!("{}/api/health", host.base_url()))).await;
    assert_eq!((health.status, &health.body["checks"]["settings"]), (503, &Value::from("unhealthy")));
    drop(host);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_app_holds_an_invocation_until_just_before_the_time_out_and_then_fails_it() {
    let folder = tempfile::tempdir().unwrap();
    let staged = staged(Role::Provider, folder.path());
    let mut settings = sample(Role::Provider, folder.path());
    settings.remove("CustomerId");
    settings.insert("AzureFunctionsJobHost__functionTimeout".to_owned(), "00:00:05".to_owned());
    // Once a year: here the test calls.
    settings.insert("StatusPollSchedule".to_owned(), "0 0 0 1 1 *".to_owned());
    let host = FunctionsHost::start(HostConfig::new("provider", &staged.root, settings)).await.unwrap();
    let began = std::time::Instant::now();
    let failed = host.tick("ReadDeploymentStatus").await.unwrap_err();
    assert!(failed.to_string().contains("500"), "{failed}");
    assert!(began.elapsed() >= std::time::Duration::from_secs(4), "held for four fifths of functionTimeout");
    let reply = host.invocations().pop().unwrap().reply;
    let problem: Value = serde_json::from_slice(&reply).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("CustomerId"), "{problem}");
    assert_eq!(host.restarts(), 0, "a setting fault never makes a restart loop");
    drop(host);
}

/// Changes a binding in a staged function.json.
fn edit(staged: &Staged, function: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let file = staged.root.join(function).join("function.json");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(json["bindings"].as_array_mut().unwrap());
    std::fs::write(file, json.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_for_a_function_whose_file_is_at_fault_is_held_and_not_worn_out() {
    const FUNCTION: &str = "ReadDeploymentCommandAndSendDeploymentStatus";
    let mut config = config();
    // By functionTimeout it would be held for minutes.
    let renewal = "AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration";
    config.customer_settings.insert(renewal.to_owned(), "00:00:05".to_owned());
    let mut lab = Lab::prepare(config).await.unwrap();
    edit(&lab.customer("contoso").unwrap().staged, FUNCTION, |bindings| {
        bindings[0].as_object_mut().unwrap().remove("dataType").unwrap();
    });
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    let sent = std::time::Instant::now();
    world.send_acknowledge("contoso").await;
    world.settled("contoso", COMMAND_QUEUE, |counts| counts.abandoned == 1).await;
    assert!(
        sent.elapsed() >= std::time::Duration::from_secs(4),
        "held for four fifths of the lock's renewal"
    );
    let counts = world.customer("contoso").namespace.counts(COMMAND_QUEUE).unwrap();
    assert!(counts.delivered_total <= 2, "delivered once, and now again: {counts:?}");
    let host = world.customer("contoso").host().unwrap();
    let exchange = host.invocations().into_iter().find(|exchange| exchange.function == FUNCTION).unwrap();
    let problem: Value = serde_json::from_slice(&exchange.reply).unwrap();
    assert_eq!(
        (exchange.status, &problem["type"]),
        (Some(500), &"urn:causeway:problem:misconfigured".into())
    );
    assert!(problem["detail"].as_str().unwrap().contains(&format!("{FUNCTION}/function.json")), "{problem}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_outputs_may_be_return_values() {
    let mut lab = Lab::prepare(config()).await.unwrap();
    for function in ["SendDeploymentCommand", "GetDeployment"] {
        edit(&lab.provider().staged, function, |bindings| bindings[1]["name"] = "$return".into());
    }
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_no_store_on_flex_consumption() {
    let folder = tempfile::tempdir().unwrap();
    let staged = staged(Role::Provider, folder.path());
    let mut settings = sample(Role::Provider, folder.path());
    settings.insert(
        "ServiceBusConnection".to_owned(),
        "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=aw==".to_owned(),
    );
    for (name, value) in [("CONTAINER_NAME", "0--c0ffee"), ("LEGION_SERVICE_HOST", "10.0.0.1")] {
        assert_eq!(faults(&staged, &settings).await, BTreeSet::new(), "without {name}");
        settings.insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(faults(&staged, &settings).await, BTreeSet::from(["DeploymentStoreUri".to_owned()]));
    settings.insert("FUNCTIONS_CORETOOLS_ENVIRONMENT".to_owned(), "True".to_owned());
    assert_eq!(faults(&staged, &settings).await, BTreeSet::new(), "on a developer's machine");
}

//! Nothing that must not print prints, in whole runs with successes and refusals: neither by the handlers and their hosts, nor in
//! answers and the store, nor by the lab itself.

mod lab_log;

use std::collections::BTreeSet;

use lab::functions_host::FunctionsHost;
use lab::{AppIdentity, Customer, Hosts, Lab, LabConfig};
use serde_json::json;

use crate::support::{World, config};
use lab_log::LabLog;

/// Stands in what callers send, and nowhere else.
const MARKER: &str = "marker-3f9c0e";

#[test]
fn no_token_secret_key_or_parameter_stands_in_any_output() {
    for app_identity in [AppIdentity::Federated, AppIdentity::ClientSecret] {
        let log = LabLog::default();
        log.clone().block_on(async {
            let mut config = talkative();
            config.app_identity = app_identity;
            let world = World::of(Lab::start(config).await.unwrap());
            let mut secrets: BTreeSet<_> = run(&world, "nobody").await;
            let tokens = world.lab.issuer().issued_tokens();
            assert!(tokens.len() >= 5, "too few tokens were issued for this to prove anything");
            secrets.extend(tokens.into_iter().map(|issued| ("a token", issued.token)));
            secrets.insert(("the client secret", world.lab.client_secret()));
            look(&world, &log, &secrets);
            world.close().await;
        });
    }
}

#[test]
fn no_shared_access_key_stands_in_any_output() {
    let log = LabLog::default();
    log.clone().block_on(async {
        let mut config = talkative();
        config.hosts = Hosts::CoreTools;
        let mut lab = Lab::prepare(config).await.unwrap();
        // One key is not the namespace's: what is refused is told, and the key is not.
        let fabrikam = lab.customer("fabrikam").and_then(Customer::connection_string).unwrap();
        let (key, other) = (shared_access_key(fabrikam), "d3JvbmctbWFya2VyLTNmOWMwZS13cm9uZw==");
        let connection = fabrikam.replace(&key, other);
        lab.provider_settings_mut().insert("ServiceBusConnection_fabrikam".to_owned(), connection);
        lab.start_hosts().await.unwrap();
        let world = World::of(lab);
        let mut secrets = run(&world, "fabrikam").await;
        for customer in world.lab.customers() {
            let key = shared_access_key(customer.connection_string().unwrap());
            secrets.insert(("a shared access key", key));
        }
        secrets.insert(("a shared access key", other.to_owned()));
        secrets.insert(("a shared access signature", "SharedAccessSignature sr=".to_owned()));
        secrets.insert(("a shared access signature", "&sig=".to_owned()));
        look(&world, &log, &secrets);
        world.close().await;
    });
}

/// As much as the handlers can be made to say of themselves.
fn talkative() -> LabConfig {
    let mut config = config();
    for settings in [&mut config.provider_settings, &mut config.customer_settings] {
        settings.insert("LOG_LEVEL".to_owned(), "handler=trace,azure_messaging_servicebus=trace".to_owned());
    }
    config
}

/// Commands that are carried out and some that are refused, one of them to the customer `refused`. Gives the secrets that every
/// world has; that no answer holds one is seen to at once.
async fn run(world: &World, refused: &str) -> BTreeSet<(&'static str, String)> {
    let body = json!({"action": "acknowledge", "parameters": {"password": MARKER}});
    let mut answers = Vec::new();
    let sound = ["contoso", "fabrikam"].into_iter().filter(|customer| *customer != refused);
    for customer in sound {
        let answer = world.send(customer, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answers.push(world.until(answer.location.as_deref().unwrap(), "Succeeded").await.to_string());
        answers.push(answer.body.to_string());
    }
    let faulty =
        [json!({"action": "acknowledge", "parameters": MARKER}), json!({"action": MARKER, "x": MARKER})];
    for (customer, body) in [(refused, body)].into_iter().chain(faulty.map(|body| ("contoso", body))) {
        let answer = world.send(customer, &body).await;
        assert!(answer.status >= 400, "{answer:?}");
        answers.push(answer.body.to_string());
    }
    let mut secrets = BTreeSet::from([("a parameter", MARKER.to_owned())]);
    for (host, functions) in hosts(world) {
        secrets.insert(("a master key", host.master_key().to_owned()));
        for function in functions {
            secrets.insert(("a function key", host.function_key(function).unwrap().to_owned()));
        }
    }
    assert!(secrets.len() >= 1 + 3 + 7, "keys of three hosts and their seven functions, and the parameter");
    assert_none(&secrets, "an answer", &answers.join("\n"));
    secrets
}

/// All hosts, each with the names of its functions.
fn hosts(world: &World) -> Vec<(&FunctionsHost, &[String])> {
    let provider = world.lab.provider();
    let customers = world.lab.customers().iter().map(|customer| (customer.host(), &customer.staged));
    let all = customers.chain([(provider.host(), &provider.staged)]);
    all.map(|(host, staged)| (host.unwrap(), staged.functions.as_slice())).collect()
}

/// Looks into the logs of handlers and hosts, the lab's own, and the store.
fn look(world: &World, log: &LabLog, secrets: &BTreeSet<(&str, String)>) {
    assert_none(secrets, "the log", &world.log_text());
    let lab = log.text();
    // A host's lines are handed on by the lab.
    let own =
        lab.lines().filter(|line| line.contains(" lab::") && !line.contains(" lab::functions_host::log"));
    assert!(own.count() > 0, "the lab said nothing of its own:\n{lab}");
    assert_none(secrets, "the lab's log", &lab);
    for entry in walk(&world.lab.store()) {
        assert_none(secrets, "the store", &std::fs::read_to_string(entry).unwrap());
    }
}

fn assert_none(secrets: &BTreeSet<(&str, String)>, place: &str, text: &str) {
    for (what, secret) in secrets {
        // Of a token the signature alone is enough to do harm, so it is looked for too.
        let tail = secret.rsplit('.').next().unwrap_or(secret);
        // What comes after it may be one too, so it is not shown.
        let before = |line: &str| {
            let at = line.find(secret.as_str()).or_else(|| line.find(tail));
            at.and_then(|at| line.get(..at)).map(str::to_owned)
        };
        let shown = text.lines().find_map(before);
        assert_eq!(shown, None, "{what} stands in {place}");
    }
}

/// The value of `SharedAccessKey`.
fn shared_access_key(connection_string: &str) -> String {
    let parts = connection_string.split(';');
    parts.filter_map(|part| part.strip_prefix("SharedAccessKey=")).next().unwrap().to_owned()
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

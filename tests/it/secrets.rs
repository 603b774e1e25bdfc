//! Nothing that must not print prints, in a whole run with successes and refusals.

use std::collections::BTreeSet;

use lab::AppIdentity;
use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn no_token_secret_key_or_parameter_stands_in_any_output() {
    for app_identity in [AppIdentity::Federated, AppIdentity::ClientSecret] {
        let world = World::start_with(|config| {
            config.app_identity = app_identity;
            // As much as the handler can be made to say of itself.
            for settings in [&mut config.provider_settings, &mut config.customer_settings] {
                settings.insert(
                    "LOG_LEVEL".to_owned(),
                    "handler=trace,azure_messaging_servicebus=trace".to_owned(),
                );
            }
        })
        .await;
        let marker = "marker-3f9c0e";
        let body = json!({"action": "acknowledge", "parameters": {"password": marker}});
        let mut answers = Vec::new();
        for customer in ["contoso", "fabrikam", "nobody"] {
            let answer = world.send(customer, &body).await;
            if let Some(location) = &answer.location {
                answers.push(world.until(location, "Succeeded").await.to_string());
            }
            answers.push(answer.body.to_string());
        }
        for body in
            [json!({"action": "acknowledge", "parameters": marker}), json!({"action": marker, "x": marker})]
        {
            answers.push(world.send("contoso", &body).await.body.to_string());
        }
        let mut outputs = vec![("the log", world.log_text()), ("an answer", answers.join("\n"))];
        for entry in walk(&world.lab.store()) {
            outputs.push(("the store", std::fs::read_to_string(entry).unwrap()));
        }

        let mut secrets: BTreeSet<(&str, String)> =
            world.lab.issuer().issued_tokens().into_iter().map(|issued| ("a token", issued.token)).collect();
        assert!(secrets.len() >= 5, "too few tokens were issued for this to prove anything");
        secrets.insert(("the client secret", world.lab.client_secret()));
        secrets.insert(("a parameter", marker.to_owned()));
        for host in
            world.lab.customers().iter().filter_map(lab::Customer::host).chain(world.lab.provider().host())
        {
            secrets.insert(("a master key", host.master_key().to_owned()));
        }
        for function in ["SendDeploymentCommand", "GetDeployment"] {
            secrets.insert(("a function key", world.provider().function_key(function).unwrap().to_owned()));
        }
        for (where_, text) in &outputs {
            for (what, secret) in &secrets {
                // The signature alone is enough to do harm, so it is looked for too.
                let tail = secret.rsplit('.').next().unwrap_or(secret);
                assert!(!text.contains(secret.as_str()) && !text.contains(tail), "{what} stands in {where_}");
            }
        }
        world.close().await;
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

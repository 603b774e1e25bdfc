//! Starts, crashes and ends of the handler.

use crate::support::{COMMAND_QUEUE, PATIENCE, STATUS_QUEUE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_handler_comes_back_and_nothing_is_lost() {
    let world = World::start().await;
    let before = world.send_acknowledge("contoso").await;
    let (provider, customer) = (world.provider(), world.customer("contoso").host().unwrap());
    let (provider_pid, customer_pid) = (provider.pid(), customer.pid());
    tokio::join!(provider.kill_handler(), customer.kill_handler());
    assert!(provider.wait_for_another(provider_pid, PATIENCE).await, "{}", world.log_text());
    assert!(customer.wait_for_another(customer_pid, PATIENCE).await, "{}", world.log_text());
    let after = world.send_acknowledge("contoso").await;
    // What was under a killed handler's lock comes again when the lock runs out; the test does not wait for that.
    for queue in [COMMAND_QUEUE, STATUS_QUEUE] {
        world.customer("contoso").namespace.expire_locks(queue).unwrap();
    }
    world.until(&before, "Succeeded").await;
    world.until(&after, "Succeeded").await;
    assert!(provider.restarts() >= 1 && customer.restarts() >= 1);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_in_flight_and_the_host_starts_it_again() {
    let settings = [("LOG_LEVEL".to_owned(), "handler=debug".to_owned())];
    let world = World::start_with(|config| config.provider_settings.extend(settings)).await;
    let provider = world.provider();
    let first = provider.pid();
    // A silent namespace keeps the request in flight until it is heard again.
    let contoso = &world.customer("contoso").namespace;
    contoso.silence(true);
    contoso.drop_connections();
    let sending = world.send_acknowledge("contoso");
    let terminating = async {
        world
            .provider_logs(|line| {
                line.contains("invocation begins") && line.contains("SendDeploymentCommand")
            })
            .await;
        provider.terminate_politely().await;
        world.provider_logs(|line| line.contains("asked to stop")).await;
        contoso.silence(false);
    };
    let (location, ()) = tokio::join!(sending, terminating);
    assert!(provider.wait_for_another(first, PATIENCE).await, "{}", world.log_text());
    world.until(&location, "Succeeded").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_is_answered_before_anything_else() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut child = tokio::process::Command::new(crate::support::handler())
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let probing = async {
        loop {
            if let Ok(answer) = http.get(format!("http://127.0.0.1:{port}/")).send().await {
                return answer.status();
            }
            tokio::task::yield_now().await;
        }
    };
    let status = tokio::time::timeout(PATIENCE, probing).await.unwrap();
    assert_eq!(status, 200, "even without a script root worth the name");
    let unknown = http.post(format!("http://127.0.0.1:{port}/Nothing")).body("{}").send().await.unwrap();
    assert_eq!(unknown.status(), 500);
    assert!(!unknown.text().await.unwrap().is_empty(), "never an empty body");
    child.kill().await.unwrap();
}

#[test]
fn help_and_version_are_told() {
    for (argument, expected) in [("--help", "FUNCTIONS_CUSTOMHANDLER_PORT"), ("--version", "handler 0.")] {
        let output = std::process::Command::new(crate::support::handler()).arg(argument).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected), "{argument}");
    }
}

//! What the handler is started with, and hosts that do not start.

use super::*;

#[tokio::test]
async fn host_c02_the_environment_is_the_settings_and_five_variables() {
    let app = App::new().setting("MY_SETTING", "value");
    app.host_json(json!({"customHandler": {"description": {
        "defaultExecutablePath": "python3", "arguments": ["handler.py", "-x", "%MY_SETTING%"],
    }}}));
    let host = app.start().await.unwrap();
    let seen = echo(&host).await;
    let environment = seen["environment"].as_object().unwrap();
    assert_eq!(environment["MY_SETTING"], "value");
    assert_eq!(environment["FUNCTIONS_CUSTOMHANDLER_PORT"], environment["FUNCTIONS_HTTPWORKER_PORT"]);
    assert_eq!(environment["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"], environment["FUNCTIONS_HTTPWORKER_ID"]);
    assert_eq!(environment["FUNCTIONS_APP_ROOT_PATH"], app.root().to_str().unwrap());
    // Cargo has set a good many for this test.
    let inherited = environment.keys().find(|name| name.starts_with("CARGO") || name.starts_with("RUST"));
    assert_eq!(inherited, None);
    assert_eq!(seen["arguments"], json!(["-x", "value"]));
    assert_eq!(
        fs::canonicalize(seen["directory"].as_str().unwrap()).unwrap(),
        fs::canonicalize(app.root()).unwrap()
    );
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c04_the_probe_takes_any_answer_and_gives_up_on_none() {
    let app = App::new();
    let host = app.start().await.unwrap();
    assert_eq!(line(&host, "probe").await.text, "probe / ['Host']", "a 404 counts as ready");
    assert!(host.stop().await.is_empty());

    app.host_json(json!({"customHandler": {
        "description": {"defaultExecutablePath": "python3", "arguments": ["handler.py"]},
        "initializationTimeout": "00:00:00.2",
    }}));
    let silent = app.sign("hold-start");
    assert!(matches!(app.start().await, Err(HostError::NeverListened { .. })));
    drop(silent);
    app.host_json(json!({"customHandler": {
        "description": {"defaultExecutablePath": "python3", "arguments": ["handler.py"]},
        "initializationTimeout": "00:00:02",
    }}));
    let _mute = app.sign("mute");
    assert!(matches!(app.start().await, Err(HostError::NeverReady)));
}

#[tokio::test]
async fn a_handler_that_cannot_run_is_named() {
    let app = App::new().setting("EXIT_AT_START", "3");
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("cannot start"), "{error}");

    let app = App::new().setting("EXIT_AT_START", "0");
    assert!(matches!(app.start().await, Err(HostError::HandlerEnded)));

    let app = App::new();
    app.host_json(json!({"customHandler": {"description": {"defaultExecutablePath": "no-such-handler"}}}));
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("no-such-handler"), "{error}");
}

#[tokio::test]
async fn host_c39_what_is_wrong_with_the_folder_is_told_before_anything_runs() {
    let app = App::new();
    app.function("Probe", json!([http_trigger("probe", "function")]));
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("no function can be started") && error.contains("Probe/function.json"), "{error}");

    app.host_json(json!({"version": 2.0}));
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("must be the string \"2.0\""), "{error}");
}

#[tokio::test]
async fn a_faulty_function_leaves_the_others_alone() {
    let app = App::new();
    app.function(
        "Bad",
        json!([{"type": "timerTrigger", "direction": "in", "name": "t", "schedule": "%Nowhere%"}]),
    );
    let host = app.start().await.unwrap();
    line(&host, "add the app setting Nowhere").await;
    assert_eq!(probe(&host, None).await.status(), 200);
    assert!(host.stop().await.is_empty());
}

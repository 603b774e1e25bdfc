//! The handler's process through crashes, restarts and the stop.

use super::*;
use crate::functions_host::LogLevel;

#[tokio::test]
async fn host_c01_a_crashed_handler_comes_back_on_the_same_port_with_another_worker_id() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let before = echo(&host).await["environment"].clone();
    let pid = host.pid();
    host.kill_handler().await;
    assert!(host.wait_for_another(pid, LONG).await);
    let after = echo(&host).await["environment"].clone();
    assert_eq!(before["FUNCTIONS_CUSTOMHANDLER_PORT"], after["FUNCTIONS_CUSTOMHANDLER_PORT"]);
    assert_ne!(before["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"], after["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"]);
    assert_eq!(host.restarts(), 1);
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c05_an_early_invocation_waits_and_gives_up_at_last() {
    let app = App::new();
    app.host_json(json!({"customHandler": {
        "description": {"defaultExecutablePath": "python3", "arguments": ["handler.py"]},
        "initializationTimeout": "00:00:02",
    }}));
    let host = app.start().await.unwrap();
    let starting = app.sign("hold-start");
    host.kill_handler().await;
    line(&host, "the handler ended with signal: 9").await;
    let (response, ()) = tokio::join!(probe(&host, None), async {
        line(&host, "Executing 'Functions.Probe'").await;
        drop(starting);
    });
    assert_eq!(response.status(), 200);

    let pid = host.pid();
    let mute = app.sign("mute");
    host.kill_handler().await;
    lines(&host, "the handler ended with signal: 9", 2).await;
    let (response, ()) = tokio::join!(probe(&host, None), async {
        line(&host, "Shutting down Functions Host").await;
        drop(mute);
    });
    assert_eq!(response.status(), 500);
    assert!(host.wait_for_another(pid, LONG).await, "the platform starts another host");
    assert_eq!(probe(&host, None).await.status(), 200);
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c06_exit_code_0_is_not_noticed() {
    let app = App::new();
    let host = app.start().await.unwrap();
    assert_eq!(probe(&host, Some(json!({"exit": 0}))).await.status(), 500);
    line(&host, "left with exit code 0").await;
    assert_eq!(probe(&host, None).await.status(), 500);
    assert_eq!((host.restarts(), host.pid()), (0, None));
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c07_exit_200_restarts_uncounted_and_the_third_crash_stops_the_host() {
    let app = App::new();
    let host = app.start().await.unwrap();
    for code in [200, 200, 200, 200, 1, 7] {
        let pid = host.pid();
        assert_eq!(probe(&host, Some(json!({"exit": code}))).await.status(), 500);
        assert!(host.wait_for_another(pid, LONG).await, "{code}");
    }
    let shut_down =
        |host: &FunctionsHost| host.log().lines().iter().any(|line| line.text.contains("Shutting down"));
    assert!(!shut_down(&host));
    let pid = host.pid();
    assert_eq!(probe(&host, Some(json!({"exit": 1, "stderr": "why\n"}))).await.status(), 500);
    assert!(host.wait_for_another(pid, LONG).await);
    assert!(shut_down(&host));
    assert_eq!(probe(&host, None).await.status(), 200, "the platform has started another host");
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c08_a_stop_drains_and_then_kills_without_a_signal() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let (url, log) = (host.base_url(), host.log().clone());
    let hold = app.sign("hold");
    let key = host.function_key("Probe").unwrap().to_owned();
    let request =
        reqwest::Client::new().get(format!("{url}/api/probe")).header("x-functions-key", key).send();
    let request = tokio::spawn(request);
    line(&host, "in flight 1").await;
    let stopping = tokio::spawn(host.stop());
    let address = url.trim_start_matches("http://").to_owned();
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    drop(hold);
    assert_eq!(request.await.unwrap().unwrap().status(), 200);
    assert!(stopping.await.unwrap().is_empty());
    assert!(!log.lines().iter().any(|line| line.text.contains("SIGTERM")), "{:?}", log.lines());
}

#[tokio::test]
async fn sigterm_can_be_sent_for_handlers_that_know_it() {
    let app = App::new();
    let host = app.start().await.unwrap();
    host.terminate_politely().await;
    line(&host, "got SIGTERM").await;
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c09_stdout_is_information_and_stderr_is_error_or_warning() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let said = json!({"stdout": "out warn\n", "stderr": "bad\n\n  \nno Warnings\nunfinished"});
    assert_eq!(probe(&host, Some(said)).await.status(), 204);
    line(&host, "no Warnings").await;
    let of_console = |host: &FunctionsHost| {
        let lines = host.log().lines().into_iter().filter(|line| line.category == "Host.Function.Console");
        lines.map(|line| (line.level, line.text)).collect::<Vec<_>>()
    };
    let expected = |level, text: &str| (level, text.to_owned());
    line(&host, "out warn").await;
    let seen = of_console(&host);
    for line in [
        expected(LogLevel::Information, "out warn"),
        expected(LogLevel::Error, "bad"),
        expected(LogLevel::Warning, "no Warnings"),
    ] {
        assert!(seen.contains(&line), "{line:?} in {seen:?}");
    }
    assert!(!seen.iter().any(|(level, text)| *level != LogLevel::Information && text.trim().is_empty()));
    assert!(!seen.iter().any(|(_, text)| text == "unfinished"), "a line is logged when it ends");
    host.kill_handler().await;
    line(&host, "unfinished").await;
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c33_a_function_over_its_time_takes_the_handler_and_all_calls_with_it() {
    let app = App::new();
    app.host_json(json!({"functionTimeout": "00:00:00.1"}));
    let host = app.start().await.unwrap();
    let pid = host.pid();
    // The first reply is empty and so never ends; the second call is in flight when the handler is killed.
    let hanging = probe(&host, Some(json!({"body": ""})));
    let (hanging, held) = tokio::join!(hanging, async {
        line(&host, "The reply is empty or null").await;
        let _hold = app.sign("hold");
        probe(&host, None).await
    });
    assert_eq!((hanging.status().as_u16(), held.status().as_u16()), (500, 500));
    assert!(host.wait_for_another(pid, LONG).await);
    assert_eq!(host.restarts(), 1);
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn a_child_that_ends_a_moment_after_the_handler_is_not_left() {
    let app = App::new();
    let host = app.start().await.unwrap();
    assert_eq!(probe(&host, Some(json!({"spawn": 0.1}))).await.status(), 204);
    let left = host.stop().await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_a_stop_leaves_is_named() {
    let mut app = App::new();
    app.config.drain = Duration::from_millis(50);
    let host = app.start().await.unwrap();
    let pid = host.pid().unwrap();
    assert_eq!(probe(&host, Some(json!({"spawn": 60}))).await.status(), 204);
    let hold = app.sign("hold");
    let url = format!("{}/api/probe?code={}", host.base_url(), host.function_key("Probe").unwrap());
    let held = tokio::spawn(reqwest::get(url));
    while host.open_invocations().is_empty() {
        tokio::task::yield_now().await;
    }
    let left = host.stop().await;
    drop(hold);
    let group = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    assert_eq!(left.processes, [pid]);
    assert!(left.invocations.len() == 1 && left.invocations[0].starts_with("Probe "), "{left:?}");
    assert_eq!(left.lines().len(), 2);
    assert_eq!(held.await.unwrap().unwrap().status(), 500);
}

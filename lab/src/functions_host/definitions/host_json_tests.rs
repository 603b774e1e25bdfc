use super::*;
use serde_json::json;

fn read(file: &str, settings: &[(&str, &str)]) -> Result<HostJson, DefinitionError> {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(FILE), file).unwrap();
    fs::write(root.path().join("handler"), "").unwrap();
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut host = HostJson::read(root.path(), &settings)?;
    if let Ok(relative) = host.executable.strip_prefix(root.path()) {
        host.executable = Path::new("ROOT").join(relative);
    }
    Ok(host)
}

fn minimal() -> Value {
    json!({"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "handler"}}})
}

#[test]
fn host_c03_an_executable_is_looked_for_in_the_root_and_else_on_path() {
    assert_eq!(read(&minimal().to_string(), &[]).unwrap().executable, Path::new("ROOT/handler"));
    for (path, expected) in [("python3", "python3"), ("/bin/sh", "/bin/sh"), ("%TOOL%", "node")] {
        let mut file = minimal();
        file["customHandler"]["description"]["defaultExecutablePath"] = path.into();
        assert_eq!(read(&file.to_string(), &[("TOOL", "node")]).unwrap().executable, Path::new(expected));
    }
}

#[test]
fn a_worker_has_a_folder_a_path_and_arguments_of_its_own() {
    let mut file = minimal();
    file["customHandler"] = json!({"type": "Http", "description": {
        "defaultExecutablePath": "tool",
        "workerDirectory": "worker",
        "workingDirectory": "elsewhere",
        "arguments": ["-u", "a b"],
        "defaultWorkerPath": "%FOLDER%/my app.py",
        "workerArguments": ["--port=%PORT%", "--x=%GONE%"],
    }});
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(FILE), file.to_string()).unwrap();
    fs::create_dir(root.path().join("worker")).unwrap();
    fs::write(root.path().join("worker/tool"), "").unwrap();
    let mut settings = Settings::from([("FOLDER", "src"), ("PORT", "80")].map(|(n, v)| (n.into(), v.into())));
    let host = HostJson::read(root.path(), &settings).unwrap();
    assert_eq!(host.executable, root.path().join("worker/tool"));
    assert_eq!(host.working_directory, root.path().join("elsewhere"));
    assert_eq!(host.arguments, ["-u", "a", "b", "src/my app.py", "--port=80", "--x="]);

    settings.insert(
        "AzureFunctionsJobHost__customHandler__description__workerArguments".to_owned(),
        r#"["--one"]"#.to_owned(),
    );
    let host = HostJson::read(root.path(), &settings).unwrap();
    assert_eq!(host.arguments, ["-u", "a", "b", "src/my app.py", "--one"]);
}

#[test]
fn defaults_and_overrides_by_app_setting() {
    let host = read(&minimal().to_string(), &[]).unwrap();
    assert_eq!(host.route_prefix, "api");
    assert_eq!(host.function_timeout, Some(Duration::from_secs(1800)));
    assert_eq!(host.initialization_timeout, Duration::from_secs(30));
    assert!(host.service_bus.auto_complete_messages && host.service_bus.max_concurrent_calls >= 16);

    let host = read(
        &minimal().to_string(),
        &[
            ("AzureFunctionsJobHost__functionTimeout", "-1"),
            ("AzureFunctionsJobHost__extensions__http__routePrefix", ""),
            ("AZUREFUNCTIONSJOBHOST__EXTENSIONS__SERVICEBUS__MAXCONCURRENTCALLS", "2"),
            ("AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration", "00:00:00"),
            ("AzureFunctionsJobHost__customHandler__description__arguments", r#"["-x", "%GONE%", "%NAME%"]"#),
            ("NAME", "\"two words\""),
        ],
    )
    .unwrap();
    assert_eq!(host.function_timeout, None);
    assert_eq!(host.route_prefix, "");
    assert_eq!(host.service_bus.max_concurrent_calls, 2);
    assert_eq!(host.service_bus.max_auto_lock_renewal_duration, Duration::ZERO);
    assert_eq!(host.arguments, ["-x", "two words"]);
}

#[test]
fn host_c39_faults_are_named_with_file_and_key() {
    let with = |pointer: &str, value: Value| {
        let mut file = minimal();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[key] = value;
        file.to_string()
    };
    for (file, settings, expected) in [
        (with("/version", json!(2.0)), &[][..], "`version` must be the string \"2.0\""),
        (with("/customHandler", json!({})), &[], "defaultExecutablePath` is missing"),
        (with("/functionTimeOut", json!("00:00:05")), &[("X", "")], ""),
        (with("/functionsTimeout", json!("00:00:05")), &[], "`functionstimeout` is unknown"),
        (with("/functionTimeout", json!("5 s")), &[], "`functionTimeout` must be a time span"),
        (with("/customHandler/enableProxyingHttpRequest", json!(true)), &[], "must be false"),
        (with("/customHandler/type", json!("grpc")), &[], "`customHandler:type` must be http"),
        (
            with("/customHandler/description/useStdErrorStreamForErrorsOnly", json!(false)),
            &[],
            "usestderrorstreamforerrorsonly` is unknown",
        ),
        (
            with("/extensions", json!({"serviceBus": {"maxConcurrentSessions": 8}})),
            &[],
            "maxconcurrentsessions` is unknown",
        ),
        (with("/logging", json!({"logLevel": {"default": "Debug"}})), &[], ""),
        (
            minimal().to_string(),
            &[("AzureFunctionsJobHost__functionTimeot", "x")],
            "app setting AzureFunctionsJobHost__functionTimeot",
        ),
        ("[]".to_owned(), &[], "is not a JSON object"),
        ("{".to_owned(), &[], "is not a JSON object"),
    ] {
        match read(&file, settings) {
            Ok(_) => assert_eq!(expected, "", "{file}"),
            Err(error) => {
                assert!(!expected.is_empty() && error.to_string().contains(expected), "{file}: {error}")
            }
        }
    }
}

//! Each setting that Flex Consumption refuses or ignores, in a source and in what a parameter file comes to.

use super::*;

/// As Microsoft's page of deprecations, and what Azure was seen to refuse, have them.
const SITE: [&str; 8] = [
    "alwaysOn",
    "ftpsState",
    "functionsRuntimeScaleMonitoringEnabled",
    "linuxFxVersion",
    "netFrameworkVersion",
    "preWarmedInstanceCount",
    "use32BitWorkerProcess",
    "windowsFxVersion",
];
const SETTINGS: [&str; 13] = [
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "TZ",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_NODE_DEFAULT_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_TIME_ZONE",
    "WEBSITE_VNET_ROUTE_ALL",
];

#[test]
fn each_property_and_setting_that_flex_consumption_refuses_is_named() {
    const APP: &str = "infra/modules/function-app.bicep";
    const SNAPSHOT: &str = "tests/infra/contoso.snapshot.json";
    let places = [
        (SITE.as_slice(), "http20Enabled", "is not for Flex Consumption"),
        (&SETTINGS, "AzureWebJobsStorage__credential", "must not be set on Flex Consumption"),
    ];
    for (names, replaced, why) in places {
        for name in names {
            for (path, from, to) in [
                (APP, format!("{replaced}:"), format!("{name}:")),
                (APP, format!("{replaced}:"), format!("'{}' :", name.to_ascii_uppercase())),
                (SNAPSHOT, format!("\"{replaced}\""), format!("\"{name}\"")),
                (SNAPSHOT, format!("\"{replaced}\""), format!("\"{}\"", name.to_ascii_lowercase())),
            ] {
                let found = faults(path, &from, &to);
                let named = |fault: &String| fault.contains(why) && fault.contains(name);
                assert!(found.iter().any(named), "{to}: {found:?}");
            }
        }
    }
}

#[test]
fn any_other_runtime_than_that_of_a_custom_handler_is_named() {
    for path in ["tests/infra/provider.snapshot.json", "tests/infra/contoso.snapshot.json"] {
        for (from, to) in [
            (r#""name": "custom""#, r#""name": "rust""#),
            (r#""name": "custom""#, r#""name": "Custom""#),
            (r#""version": "1.0""#, r#""version": "1""#),
            (r#""version": "1.0""#, r#""version": "2.0""#),
            (r#""version": "1.0""#, r#""version": 1.0"#),
            (r#""runtime""#, r#""runTime""#),
            (r#""functionAppConfig""#, r#""functionAppConfiguration""#),
        ] {
            let found = faults(path, from, to);
            assert!(
                found.iter().any(|fault| fault.contains("runs on \"custom\" \"1.0\" alone")),
                "{to}: {found:?}"
            );
        }
    }
}

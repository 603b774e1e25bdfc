//! What Flex Consumption refuses or ignores, and the one runtime of a custom handler.

use serde_json::Value;

use super::{app_settings, is_a, is_configuration};

/// Of an app or its `siteConfig`: the plan decides them itself. Of some it refuses the app (ARM error 51021), and the rest
/// it ignores so far.
/// <https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations>
const PROPERTIES: [&str; 14] = [
    "alwaysOn",
    "containerSize",
    "ftpsState",
    "functionAppScaleLimit",
    "functionsRuntimeScaleMonitoringEnabled",
    "isReserved",
    "isXenon",
    "javaVersion",
    "linuxFxVersion",
    "netFrameworkVersion",
    "powerShellVersion",
    "preWarmedInstanceCount",
    "use32BitWorkerProcess",
    "windowsFxVersion",
];

/// App settings that the plan sets itself, or that mean nothing on it.
/// <https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations>
const APP_SETTINGS: [&str; 19] = [
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "TZ",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_DNS_SERVER",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_NODE_DEFAULT_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_SKIP_CONTENTSHARE_VALIDATION",
    "WEBSITE_TIME_ZONE",
    "WEBSITE_VNET_ROUTE_ALL",
];

/// The pair that the catalogue of stacks has for custom handlers. Azure takes any other, and then the host never starts.
/// <https://github.com/Azure/Azure-Functions/issues/2666>
const RUNTIME: (&str, &str) = ("custom", "1.0");

/// Forbidden names that a line of Bicep gives a value.
pub(super) fn of_line(code: &str) -> Vec<String> {
    let given = |name: &&str| gives(code, name);
    let properties = PROPERTIES.into_iter().filter(given).map(property);
    properties.chain(APP_SETTINGS.into_iter().filter(given).map(setting)).collect()
}

/// The same for what a parameter file comes to, and the runtime.
pub(super) fn of_resource(resource: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, _) in app_settings(resource) {
        let forbidden = APP_SETTINGS.into_iter().find(|forbidden| forbidden.eq_ignore_ascii_case(name));
        faults.extend(forbidden.map(setting));
    }
    let properties = &resource["properties"];
    let is_site = is_a(resource, "Microsoft.Web/sites");
    if is_site || is_configuration(resource, "web") {
        let given = [properties, &properties["siteConfig"]].into_iter().filter_map(Value::as_object);
        for name in given.flat_map(|properties| properties.keys()) {
            let forbidden = PROPERTIES.into_iter().find(|forbidden| forbidden.eq_ignore_ascii_case(name));
            faults.extend(forbidden.map(property));
        }
    }
    if is_site {
        let runtime = &properties["functionAppConfig"]["runtime"];
        let (name, version) = RUNTIME;
        if runtime["name"] != name || runtime["version"] != version {
            faults.push(format!(
                "functionAppConfig.runtime is {} {}, but a custom handler runs on \"{name}\" \"{version}\" alone",
                runtime["name"], runtime["version"]
            ));
        }
    }
    faults
}

fn property(name: &str) -> String {
    format!("`{name}` is not for Flex Consumption, which decides it itself or refuses it: leave it out")
}

fn setting(name: &str) -> String {
    format!("the app setting `{name}` must not be set on Flex Consumption: leave it out")
}

/// Whether `name` stands in `code` as a key, quoted or not, or as a whole string. Azure ignores its case.
fn gives(code: &str, name: &str) -> bool {
    let (code, name) = (code.to_ascii_lowercase(), name.to_ascii_lowercase());
    code.match_indices(&name).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = &code[start + name.len()..];
        let is_key = |rest: &str| rest.trim_start().starts_with(':');
        match (before, after.strip_prefix('\'')) {
            (Some('\''), rest) => rest.is_some(),
            (Some(letter), _) if letter.is_alphanumeric() || letter == '_' => false,
            _ => is_key(after),
        }
    })
}

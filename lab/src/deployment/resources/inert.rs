//! Resources that are recorded, so that others can refer to them, and do nothing.

use serde_json::{Value, json};

use super::Resource;
use crate::deployment::expression::guid;

/// Types that the lab takes as they are.
const KINDS: [&str; 11] = [
    "microsoft.authorization/locks",
    "microsoft.insights/actiongroups",
    "microsoft.insights/components",
    "microsoft.insights/diagnosticsettings",
    "microsoft.insights/metricalerts",
    "microsoft.insights/scheduledqueryrules",
    "microsoft.operationalinsights/workspaces",
    "microsoft.storage/storageaccounts/blobservices",
    "microsoft.storage/storageaccounts/managementpolicies",
    "microsoft.web/serverfarms",
    "microsoft.web/sites/basicpublishingcredentialspolicies",
];

/// What Azure adds to a resource of `kind`, which is written in small letters; `None` for a type that is not known.
pub(super) fn put(kind: &str, resource: &Resource) -> Option<Value> {
    let added = match kind {
        "microsoft.insights/components" => {
            let (instrumentation_key, application) = (guid(&[&resource.id]), guid(&[&resource.id, "AppId"]));
            json!({
                "InstrumentationKey": instrumentation_key,
                "AppId": application,
                // Nothing sends there: the lab's hosts keep their logs to themselves.
                "ConnectionString": format!(
                    "InstrumentationKey={instrumentation_key};IngestionEndpoint=https://westeurope-5.in.\
                     applicationinsights.azure.com/;LiveEndpoint=https://westeurope.livediagnostics.monitor.azure.com/;\
                     ApplicationId={application}"
                ),
            })
        }
        "microsoft.operationalinsights/workspaces" => json!({"customerId": guid(&[&resource.id])}),
        _ => json!({}),
    };
    KINDS.contains(&kind).then_some(added)
}

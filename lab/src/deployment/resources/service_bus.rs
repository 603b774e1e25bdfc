//! Service Bus namespaces and their queues.
//! <https://learn.microsoft.com/azure/templates/microsoft.servicebus/namespaces>

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Resource;
use crate::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Sku, parse_duration};
use crate::deployment::error::Refusal;
use crate::deployment::manager::ResourceManager;
use crate::deployment::resource_id::{key, last_name, not_found};

/// Name of the shared access key of every namespace.
pub const KEY_NAME: &str = "RootManageSharedAccessKey";

/// As long as a time to live may be: for ever.
const NEVER: Duration = Duration::from_secs(10_675_199 * 24 * 3600);

/// A namespace, running.
pub struct NamespaceResource {
    /// Resource id.
    pub id: String,
    /// The namespace itself.
    pub namespace: Arc<Namespace>,
    /// Value of the key [`KEY_NAME`].
    key: String,
    sku: Sku,
}

impl NamespaceResource {
    /// `localhost:port` of the namespace over TLS.
    pub fn fully_qualified_namespace(&self) -> String {
        format!("localhost:{}", self.namespace.tls_addrs().first().map_or(5671, SocketAddr::port))
    }

    /// A connection string in the form of Microsoft's emulator: plain AMQP, by shared key. None where `disableLocalAuth`
    /// held when the namespace was made: then it listens for TLS alone.
    pub fn connection_string(&self) -> Option<String> {
        let plain = self.namespace.plain_addr()?;
        let key = &self.key;
        Some(format!(
            "Endpoint=sb://{plain};SharedAccessKeyName={KEY_NAME};SharedAccessKey={key};UseDevelopmentEmulator=true;"
        ))
    }
}

/// Starts a namespace, or changes whether it takes shared access signatures.
pub(super) async fn put_namespace(
    manager: &mut ResourceManager,
    resource: &Resource,
) -> Result<Value, Refusal> {
    let name = last_name(&resource.id).to_owned();
    let sku = match resource.body["sku"]["name"].as_str() {
        Some(sku) if sku.eq_ignore_ascii_case("Standard") => Sku::Standard,
        Some(sku) if sku.eq_ignore_ascii_case("Premium") => Sku::Premium,
        other => {
            return Err(Refusal::unsupported(format!("the sku {}", other.unwrap_or("that is not given"))));
        }
    };
    let disable_local_auth = resource.property("disableLocalAuth").as_bool().unwrap_or(false);
    if let Some(present) = manager.namespace(&resource.id) {
        if present.sku != sku {
            let text = format!(
                "SKU change invalid for ServiceBus namespace. Cannot change from {:?} to {sku:?}.",
                present.sku
            );
            return Err(Refusal::azure("BadRequest", text));
        }
        present.namespace.set_disable_local_auth(disable_local_auth);
        return Ok(answer(present));
    }
    if manager.namespaces.values().any(|other| last_name(&other.id).eq_ignore_ascii_case(&name)) {
        let text = format!("The namespace name '{name}' is already taken; names are unique in the cloud.");
        return Err(Refusal::azure("Conflict", text));
    }
    let own_address = own_loopback_address();
    let tls = manager.ca.server_config(&["localhost", "127.0.0.1", &own_address.to_string()])?;
    let mut config = NamespaceConfig::new(name, resource.tenant, &resource.id);
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    config.sku = sku;
    config.disable_local_auth = disable_local_auth;
    config.sas_keys = vec![SasKey { name: KEY_NAME.to_owned(), key: secret.clone() }];
    config.plain = (!disable_local_auth).then(|| (Ipv4Addr::LOCALHOST, 0).into());
    config.tls = vec![((Ipv4Addr::LOCALHOST, 0).into(), tls.clone())];
    // Some SDKs take no port: for them the namespace also has an address of its own. Only Linux lets a program listen on all
    // of 127.0.0.0/8 without setting it up.
    if cfg!(target_os = "linux") {
        config.tls.push((SocketAddr::from((own_address, 5671)), tls));
    }
    let namespace = Arc::new(Namespace::start(config, manager.services.clone()).await?);
    let made = NamespaceResource { id: resource.id.clone(), namespace, key: secret, sku };
    let answer = answer(&made);
    manager.namespaces.insert(key(&resource.id), made);
    Ok(answer)
}

fn answer(namespace: &NamespaceResource) -> Value {
    json!({
        "serviceBusEndpoint": format!("https://{}/", namespace.fully_qualified_namespace()),
        "status": "Active",
        "provisioningState": "Succeeded",
    })
}

/// Makes a queue, or changes what can be changed of it.
pub(super) fn put_queue(manager: &ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    let (namespace_id, name) = resource.id.rsplit_once("/queues/").unwrap_or_default();
    let Some(namespace) = manager.namespace(namespace_id) else {
        return Err(Refusal::azure("ResourceNotFound", not_found(namespace_id)));
    };
    let config = queue_config(name, resource)?;
    let Some(present) = namespace.namespace.queue_config(name) else {
        namespace.namespace.add_queue(config)?;
        return Ok(json!({"status": "Active"}));
    };
    let fixed = [
        ("RequiresSession", present.requires_session == config.requires_session),
        (
            "RequiresDuplicateDetection",
            present.duplicate_detection.is_some() == config.duplicate_detection.is_some(),
        ),
    ];
    if let Some((property, _)) = fixed.into_iter().find(|(_, is_same)| !is_same) {
        let text = format!(
            "SubCode=40000. The value for the '{property}' property of an existing Queue cannot be changed. To know more visit \
             https://aka.ms/sbResourceMgrExceptions."
        );
        return Err(Refusal::azure("BadRequest", text));
    }
    namespace.namespace.update_queue(config)?;
    Ok(json!({"status": "Active"}))
}

/// A queue's properties with the service's defaults. Those that would change what the lab's queues do, and that it has not,
/// are refused.
fn queue_config(name: &str, resource: &Resource) -> Result<QueueConfig, Refusal> {
    const INERT: [&str; 3] = ["enableBatchedOperations", "enableExpress", "userMetadata"];
    let mut config = QueueConfig::new(name);
    let mut window = Duration::from_secs(600);
    for (property, value) in resource.body["properties"].as_object().into_iter().flatten() {
        match (property.as_str(), value) {
            (_, Value::Null) => {}
            ("lockDuration", _) => {
                config.lock_duration = duration(property, value, Duration::from_secs(300))?
            }
            ("defaultMessageTimeToLive", _) => {
                let time = duration(property, value, Duration::MAX)?;
                config.default_message_time_to_live = (time < NEVER).then_some(time);
            }
            ("duplicateDetectionHistoryTimeWindow", _) => {
                window = duration(property, value, Duration::from_secs(7 * 24 * 3600))?;
            }
            ("deadLetteringOnMessageExpiration", Value::Bool(is_on)) => {
                config.dead_lettering_on_message_expiration = *is_on;
            }
            ("requiresSession", Value::Bool(is_on)) => config.requires_session = *is_on,
            ("requiresDuplicateDetection", Value::Bool(is_on)) => {
                config.duplicate_detection = is_on.then_some(Duration::ZERO);
            }
            ("forwardTo", Value::String(to)) => config.forward_to = Some(to.clone()),
            ("forwardDeadLetteredMessagesTo", Value::String(to)) => {
                config.forward_dead_lettered_messages_to = Some(to.clone());
            }
            ("enablePartitioning", Value::Bool(false)) => {}
            ("status", Value::String(status)) if status == "Active" => {}
            ("maxDeliveryCount", _) => config.max_delivery_count = whole(property, value, 1..=2000)?,
            ("maxSizeInMegabytes", _) => {
                config.max_size_bytes = u64::from(whole(property, value, 1024..=81_920)?) << 20;
            }
            (name, _) if INERT.contains(&name) => {}
            (name, value) => {
                return Err(Refusal::unsupported(format!("properties.{name}: {value} of a queue")));
            }
        }
    }
    config.duplicate_detection = config.duplicate_detection.map(|_| window);
    Ok(config)
}

fn duration(property: &str, value: &Value, longest: Duration) -> Result<Duration, Refusal> {
    let parsed = value.as_str().and_then(parse_duration);
    parsed
        .filter(|duration| !duration.is_zero() && *duration <= longest)
        .ok_or_else(|| bad_value(property, value))
}

fn whole(property: &str, value: &Value, range: std::ops::RangeInclusive<u32>) -> Result<u32, Refusal> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| bad_value(property, value))
}

fn bad_value(property: &str, value: &Value) -> Refusal {
    let text =
        format!("SubCode=40000. The value {value} for the '{property}' property is invalid or out of range.");
    Refusal::azure("BadRequest", text)
}

/// A random address in 127.0.0.0/8, so that worlds that run at the same time do not meet.
fn own_loopback_address() -> Ipv4Addr {
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254))
}

impl fmt::Debug for NamespaceResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceResource").field("id", &self.id).finish_non_exhaustive()
    }
}

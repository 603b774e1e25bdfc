//! A full status queue drained into the store by ticks of the timer.

use std::path::Path;
use std::time::{Duration, Instant};

use azure_messaging_servicebus::{Message, ServiceBusClient};
use lab::broker::QueueCounts;
use lab::{Customer, Lab};
use serde_json::json;
use uuid::Uuid;

use super::contender::Running;
use super::figures::Figures;
use crate::Result;

const TICK: &str = r#"{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{}}}"#;
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn measure(running: &Running, lab: &Lab, count: usize, figures: &mut Figures) -> Result<()> {
    let customer = lab.customers().first().ok_or("no customer")?;
    // The first ones open the connection; they are not measured.
    drain(running, lab, 64).await?;
    fill(customer, &running.store, count).await?;
    let completed_before = customer.namespace.counts(customer.status_queue())?.completed;
    let cpu_before = running.cpu_seconds()?;
    let began = Instant::now();
    let drained = |counts: &QueueCounts| counts.completed >= completed_before + count as u64;
    // A tick may leave a rest to the next one.
    let tick = async {
        while !drained(&customer.namespace.counts(customer.status_queue())?) {
            running.invoke("ReadDeploymentStatus", TICK.to_owned()).await?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    let done = customer.namespace.wait_until(customer.status_queue(), drained);
    let measured = async {
        tokio::time::timeout(PATIENCE, done).await.map_err(|_| "the statuses were not drained")??;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((
            began.elapsed(),
            running.cpu_seconds()? - cpu_before,
        ))
    };
    let (tick, measured) = tokio::join!(tick, measured);
    tick?;
    let (took, cpu) = measured?;
    figures.statuses_per_second.push(count as f64 / took.as_secs_f64());
    figures.cpu_per_status_us.push(cpu * 1e6 / count as f64);
    Ok(())
}

async fn drain(running: &Running, lab: &Lab, count: usize) -> Result<()> {
    let customer = lab.customers().first().ok_or("no customer")?;
    fill(customer, &running.store, count).await?;
    running.invoke("ReadDeploymentStatus", TICK.to_owned()).await?;
    let queue = customer.status_queue();
    customer.namespace.wait_until(queue, |counts| counts.active + counts.locked == 0).await?;
    Ok(())
}

/// Records `count` intents in the store, and puts the terminal status of each into the queue.
async fn fill(customer: &Customer, store: &Path, count: usize) -> Result<()> {
    let connection_string = customer.connection_string().ok_or("the namespace takes no keys")?;
    let client = ServiceBusClient::builder().open_connection_string(connection_string).await?;
    let sender = client.create_sender(customer.status_queue(), None).await?;
    let mut messages = Vec::with_capacity(count);
    for _ in 0..count {
        let id = Uuid::new_v4();
        let folder = store.join("contoso").join(id.to_string());
        std::fs::create_dir_all(&folder)?;
        let intent = json!({
            "deploymentId": id, "customerId": "contoso", "action": "acknowledge", "traceId": "0",
            "requestedAt": "2026-01-01T00:00:00Z", "expiresAt": "2100-01-01T00:00:00Z",
        });
        std::fs::write(folder.join("requested.json"), intent.to_string())?;
        let status = json!({
            "schemaVersion": "1.0", "deploymentId": id, "customerId": "contoso", "sequence": 3, "state": "Succeeded",
            "detail": "acknowledged", "handlerVersion": "0.1.0", "reportedAt": "2026-01-01T00:00:01Z",
        });
        let mut message = Message::new(status.to_string());
        message.set_message_id(format!("{id}/3"));
        message.set_content_type("application/json");
        message.set_subject("DeploymentStatus");
        messages.push(message);
    }
    sender.send_messages(messages, None).await?;
    Ok(client.close().await?)
}

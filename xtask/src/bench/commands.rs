//! Commands through the handler until the broker has accepted them, 64 callers at once.

use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt};
use lab::Lab;
use serde_json::{Value, json};

use super::CONCURRENT;
use super::contender::Running;
use super::figures::{Figures, percentile};
use crate::Result;

pub(crate) async fn measure(running: &Running, lab: &Lab, count: usize, figures: &mut Figures) -> Result<()> {
    // The first ones open the connection and warm the code; they are not measured.
    send(running, CONCURRENT * 2).await?;
    let customer = lab.customers().first().ok_or("no customer")?;
    let (namespace, queue) = (&customer.namespace, customer.command_queue());
    let accepted_before = namespace.counts(queue)?.received_total;
    let cpu_before = running.cpu_seconds()?;
    let began = Instant::now();
    let latencies = send(running, count).await?;
    let took = began.elapsed().as_secs_f64();
    let cpu = running.cpu_seconds()? - cpu_before;
    let accepted = namespace.counts(queue)?.received_total - accepted_before;
    if accepted != count as u64 {
        return Err(format!("{count} commands were answered, but the broker accepted {accepted}").into());
    }
    figures.commands_per_second.push(count as f64 / took);
    figures.command_p50_ms.push(percentile(&latencies, 0.5));
    figures.command_p99_ms.push(percentile(&latencies, 0.99));
    figures.cpu_per_command_us.push(cpu * 1e6 / count as f64);
    Ok(())
}

/// Sends `count` commands and gives the milliseconds of each.
async fn send(running: &Running, count: usize) -> Result<Vec<f64>> {
    let calls = (0..count).map(|number| async move {
        let began = Instant::now();
        let reply = running.invoke("SendDeploymentCommand", payload(number)).await?;
        let reply: Value = serde_json::from_str(&reply)?;
        match reply["Outputs"]["res"]["statusCode"].as_u64() {
            Some(202) => Ok(began.elapsed().as_secs_f64() * 1000.0),
            _ => Err(format!("a command was refused: {reply}").into()),
        }
    });
    futures_util::stream::iter(calls).buffer_unordered(CONCURRENT).try_collect().await
}

/// An HTTP invocation as the real host writes it.
fn payload(number: usize) -> String {
    let body = json!({"action": "acknowledge", "parameters": {"number": number, "padding": "x".repeat(512)}});
    json!({
        "Data": {"req": {
            "Url": "http://127.0.0.1:7071/api/customers/contoso/deployments",
            "Method": "POST",
            "Query": {},
            "Headers": {"Content-Type": ["application/json"], "Host": ["127.0.0.1:7071"], "Content-Length": ["600"]},
            "Params": {"customerId": "contoso"},
            "Identities": [],
            "Body": body.to_string(),
        }},
        "Metadata": {"customerId": "\"contoso\"", "Query": {}, "sys": {"MethodName": "SendDeploymentCommand"}},
    })
    .to_string()
}

//! The end of the demo: figures from the provider's own answers and from the brokers' counters.

use std::time::Duration;

use lab::Lab;

use super::journey::Journey;
use crate::Result;

/// Prints the summary.
///
/// # Errors
/// Not every command succeeded with all its statuses recorded.
pub(crate) fn print(journeys: &[Journey], lab: &Lab, took: Duration) -> Result<()> {
    println!("\nBrokers' counters:");
    println!(
        "  {:<9} {:<20} {:>8} {:>9} {:>9} {:>9} {:>12} {:>10}",
        "customer", "queue", "received", "delivered", "completed", "abandoned", "dead-letters", "duplicates"
    );
    for customer in lab.customers() {
        for queue in customer.queues() {
            let counts = customer.namespace.counts(queue)?;
            println!(
                "  {:<9} {:<20} {:>8} {:>9} {:>9} {:>9} {:>12} {:>10}",
                customer.tenant.name,
                queue,
                counts.received_total,
                counts.delivered_total,
                counts.completed,
                counts.abandoned,
                counts.dead_lettered,
                counts.duplicates
            );
        }
    }
    println!("\nDeployments, by GetDeployment:");
    for customer in lab.customers() {
        let of_customer = || journeys.iter().filter(|journey| journey.customer == customer.tenant.name);
        println!(
            "  {:<9} {} of {} succeeded and recorded",
            customer.tenant.name,
            of_customer().filter(succeeded).count(),
            of_customer().count()
        );
    }
    let well = journeys.iter().filter(succeeded).count();
    let median = |values: Vec<f64>| median(values).map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0} ms"));
    println!(
        "\n{well} of {} commands recorded as Succeeded in {:.1} s. Median from request to record {}, from report to record {}.",
        journeys.len(),
        took.as_secs_f64(),
        median(journeys.iter().filter_map(|journey| journey.recorded_ms).collect()),
        median(journeys.iter().filter_map(|journey| journey.return_ms).collect()),
    );
    if well == journeys.len() {
        Ok(())
    } else {
        Err(format!("{} commands did not arrive", journeys.len() - well).into())
    }
}

fn succeeded(journey: &&Journey) -> bool {
    journey.is_complete && journey.state.as_deref().is_ok_and(|state| state == "Succeeded")
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

//! The table of rates.

use std::fmt::Write;

use super::contenders::Contender;
use super::{BATCH, BODY, COUNTS, IN_FLIGHT, Rates};
use crate::Result;
use crate::bench::figures::median;
use crate::bench::report::machine;

/// A contender a row; medians of its rounds.
pub(super) fn table(rounds: u32, contenders: &[Contender], figures: &[Vec<Rates>]) -> Result<String> {
    let mut table = format!(
        "Messages a second: medians of {rounds} rounds; bodies of {BODY} bytes; {} single sends, {} with {IN_FLIGHT} in flight, \
         {} in batches of {BATCH}, then all received, up to {BATCH} at once, and completed; plain AMQP. {}\n\n",
        COUNTS.single,
        COUNTS.pipelined,
        COUNTS.batch,
        machine("client and broker"),
    );
    table.push_str("| client | single send | pipelined | batch send | receive and complete |\n");
    table.push_str("|---|---:|---:|---:|---:|\n");
    for (contender, rates) in contenders.iter().zip(figures) {
        let of = |field: fn(&Rates) -> f64| median(&rates.iter().map(field).collect::<Vec<_>>());
        let pipelined = match rates.first().and_then(|rates| rates.pipelined) {
            Some(_) => format!("{:.0}", of(|rates| rates.pipelined.unwrap_or(f64::NAN))),
            None => "–".to_owned(),
        };
        writeln!(
            table,
            "| {} | {:.0} | {} | {:.0} | {:.0} |",
            contender.name,
            of(|rates| rates.single),
            pipelined,
            of(|rates| rates.batch),
            of(|rates| rates.receive),
        )?;
    }
    Ok(table)
}

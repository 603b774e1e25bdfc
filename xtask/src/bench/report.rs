//! The bench's table: medians, ratios, and what is missed of the budgets.

use std::fmt::Write;
use std::path::Path;

use super::Arguments;
use super::figures::{Figures, median};
use crate::Result;

/// One line of the table.
struct Row {
    what: &'static str,
    ours: f64,
    peer: Option<f64>,
    unit: &'static str,
    budget: Budget,
}

/// What was promised.
enum Budget {
    Below(f64),
    /// Ours must be this many times the peer's.
    TimesPeer(f64),
    /// Ours must be at most this share of the peer's.
    ShareOfPeer(f64),
    None,
}

/// # Errors
/// The executable cannot be looked at.
pub(crate) fn table(
    arguments: &Arguments,
    executable: &Path,
    ours: &Figures,
    peer: &Figures,
) -> Result<String> {
    let binary_mib = std::fs::metadata(executable)?.len() as f64 / (1024.0 * 1024.0);
    let row = |what, values: fn(&Figures) -> &Vec<f64>, unit, budget| Row {
        what,
        ours: median(values(ours)),
        peer: Some(median(values(peer))),
        unit,
        budget,
    };
    let rows = [
        row("start: exec to first answer on `GET /`", |f| &f.start_ms, "ms", Budget::Below(20.0)),
        row("resident memory when idle", |f| &f.idle_mib, "MiB", Budget::Below(20.0)),
        row("resident memory after the commands", |f| &f.busy_mib, "MiB", Budget::None),
        Row {
            what: "stripped release binary",
            ours: binary_mib,
            peer: None,
            unit: "MiB",
            budget: Budget::Below(15.0),
        },
        row(
            "commands accepted by the broker, 64 callers",
            |f| &f.commands_per_second,
            "/s",
            Budget::TimesPeer(5.0),
        ),
        row("a command, median", |f| &f.command_p50_ms, "ms", Budget::None),
        row("a command, 99th percentile", |f| &f.command_p99_ms, "ms", Budget::ShareOfPeer(1.0)),
        row("CPU a command", |f| &f.cpu_per_command_us, "µs", Budget::ShareOfPeer(0.2)),
        row("statuses drained into the store", |f| &f.statuses_per_second, "/s", Budget::TimesPeer(5.0)),
        row("CPU a status", |f| &f.cpu_per_status_us, "µs", Budget::None),
    ];
    let mut table = format!(
        "Medians of {} rounds; {} commands and {} statuses a round; 64 in flight; plain AMQP; store in a folder, in memory where the system has one.\n{}\n\n",
        arguments.rounds,
        arguments.commands,
        arguments.statuses,
        machine("load, broker and handler")
    );
    table.push_str("| what | Causeway | Node.js | ratio | budget | |\n|---|---:|---:|---:|---|---|\n");
    for row in rows {
        let peer = row.peer.map_or_else(|| "–".to_owned(), |value| format!("{} {}", number(value), row.unit));
        let ratio = row.peer.map_or_else(|| "–".to_owned(), |value| format!("{:.2}", row.ours / value));
        let (budget, verdict) = judge(&row);
        writeln!(
            table,
            "| {} | {} {} | {peer} | {ratio} | {budget} | {verdict} |",
            row.what,
            number(row.ours),
            row.unit
        )?;
    }
    Ok(table)
}

fn judge(row: &Row) -> (String, String) {
    let peer = row.peer.unwrap_or(f64::NAN);
    let (text, limit, more_is_better) = match row.budget {
        Budget::None => return (String::new(), String::new()),
        Budget::Below(limit) => (format!("below {limit} {}", row.unit), limit, false),
        Budget::TimesPeer(times) => (format!("at least {times} times"), times * peer, true),
        Budget::ShareOfPeer(share) => (format!("at most {share} times"), share * peer, false),
    };
    let is_met = if more_is_better { row.ours >= limit } else { row.ours <= limit };
    let verdict = if is_met {
        "met".to_owned()
    } else {
        format!("missed by {:.0} %", (row.ours / limit - 1.0).abs() * 100.0)
    };
    (text, verdict)
}

fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// The machine in a line, as far as Linux tells, and who shares it.
pub(super) fn machine(sharing: &str) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("Machine: {}, {cores} cores, shared by {sharing}.", model.trim_start_matches([' ', '\t', ':']))
}

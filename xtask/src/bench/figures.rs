//! What is measured of a contender, a value a round.

/// Values of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// From exec to the first answer on `GET /`, milliseconds.
    pub(crate) start_ms: Vec<f64>,
    /// Resident memory after the start, MiB.
    pub(crate) idle_mib: Vec<f64>,
    /// Resident memory after the commands, MiB.
    pub(crate) busy_mib: Vec<f64>,
    /// Commands accepted by the broker a second.
    pub(crate) commands_per_second: Vec<f64>,
    /// Median latency of a command, milliseconds.
    pub(crate) command_p50_ms: Vec<f64>,
    /// 99th percentile, milliseconds.
    pub(crate) command_p99_ms: Vec<f64>,
    /// CPU time of the handler for a command, microseconds.
    pub(crate) cpu_per_command_us: Vec<f64>,
    /// Statuses stored and completed a second.
    pub(crate) statuses_per_second: Vec<f64>,
    /// CPU time of the handler for a status, microseconds.
    pub(crate) cpu_per_status_us: Vec<f64>,
}

/// The middle one of `values`; of an even number the upper of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value below which `share` of `values` lie.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let position = ((sorted.len() as f64 * share) as usize).min(last);
    sorted.get(position).copied().unwrap_or(f64::NAN)
}

//! What a whole check has shown, for people and for programs.

use serde::Serialize;
use serde_json::json;

use super::{Check, Finding, all_well};
use crate::config::Fault;
use crate::deployment::CustomerId;

/// Everything that was checked.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is the app's own.
    pub checks: Vec<Check>,
    /// The way to each customer.
    pub customers: Vec<CustomerReport>,
}

/// The way to one customer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerReport {
    /// Who.
    pub customer_id: CustomerId,
    /// What was checked.
    pub checks: Vec<Check>,
}

impl CustomerReport {
    /// Whether all is well with this customer.
    pub fn ok(&self) -> bool {
        all_well(&self.checks)
    }
}

impl Report {
    /// The report on settings that have faults, with which nothing can be tried.
    pub fn of_faults(faults: &[Fault]) -> Self {
        let check = |fault: &Fault| Check {
            name: "settings",
            ok: false,
            finding: Some(Finding::said(&fault.to_string())),
            milliseconds: 0,
        };
        Self { checks: faults.iter().map(check).collect(), customers: Vec::new() }
    }

    /// Whether all is well.
    pub fn ok(&self) -> bool {
        all_well(&self.checks) && self.customers.iter().all(CustomerReport::ok)
    }

    /// For programs: `{ok, checks, customers: [{customerId, ok, checks}]}`.
    pub fn to_json(&self) -> String {
        let customers = self.customers.iter().map(|customer| {
            json!({"customerId": customer.customer_id, "ok": customer.ok(), "checks": customer.checks})
        });
        let whole = json!({
            "ok": self.ok(), "checks": self.checks, "customers": customers.collect::<Vec<_>>(),
        });
        format!("{whole:#}\n")
    }

    /// For people: a line a check, and under one that failed why and what to do.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        section(&mut text, "this app", &self.checks);
        for customer in &self.customers {
            section(&mut text, &customer.customer_id.to_string(), &customer.checks);
        }
        let failed = self.checks.iter().chain(self.customers.iter().flat_map(|customer| &customer.checks));
        let failed = failed.filter(|check| !check.ok).count();
        let refused = self.customers.iter().filter(|customer| !customer.ok()).count();
        let end = match (failed, self.customers.len()) {
            (0, 0) => "All is well.".to_owned(),
            (0, customers) => format!("All is well, with {customers} customers."),
            (failed, 0) => format!("{failed} checks failed."),
            (failed, customers) => {
                format!("{failed} checks failed; {refused} of {customers} customers are affected.")
            }
        };
        text.push_str(&end);
        text.push('\n');
        text
    }
}

fn section(text: &mut String, title: &str, checks: &[Check]) {
    text.push_str(title);
    text.push('\n');
    for Check { name, ok, finding, milliseconds } in checks {
        let word = if *ok { "ok" } else { "FAILED" };
        let code = finding.as_ref().and_then(|finding| finding.code.as_deref()).unwrap_or_default();
        let line = format!("  {word:<6}  {name:<14} {milliseconds:>6} ms  {code}");
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(Finding { reason, remedy, .. }) = finding {
            let indent = " ".repeat(10);
            text.push_str(&format!("{indent}{reason}\n"));
            if let Some(remedy) = remedy {
                text.push_str(&format!("{indent}To do: {remedy}\n"));
            }
        }
    }
}

//! Commands that change the lab that runs, as administrators and operators change Azure.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::running::Running;
use crate::{Result, process};

/// What can be done to a lab that is up.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a tenant with an administrator and nothing else; prints its id
    Tenant {
        /// a to z, 0 to 9 and -
        name: String,
    },
    /// Deploy a snapshot into a tenant's subscription, as `az deployment group create` does; prints the outputs as JSON
    Deploy {
        /// The tenant's name
        tenant: String,
        /// NAME.snapshot.json, or NAME.bicepparam, of which the Bicep CLI then writes the snapshot beside it
        file: PathBuf,
    },
    /// Put the handler into the Function App that a customer has deployed, as `az functionapp deployment source config-zip` does
    Publish {
        /// The tenant's name
        tenant: String,
    },
    /// Delete all that a customer has deployed, as `az group delete` does
    Delete {
        /// The tenant's name
        tenant: String,
    },
    /// End the lab
    Stop,
}

pub(super) async fn run(command: &Command, root: &Path) -> Result<()> {
    let lab = Running::find(root).await?;
    match command {
        Command::Tenant { name } => {
            let made = lab.ask(Method::PUT, &format!("tenants/{name}"), None).await?;
            println!("{}", made["tenantId"].as_str().unwrap_or_default());
            lab.refresh_variables(root).await
        }
        Command::Deploy { tenant, file } => {
            let id = lab.ask(Method::GET, &format!("tenants/{tenant}"), None).await?;
            let file = snapshot(file, id["tenantId"].as_str().unwrap_or_default())?;
            let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let snapshot: Value =
                serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            let body = json!({"name": file.display().to_string(), "snapshot": snapshot});
            let outputs =
                lab.ask(Method::POST, &format!("tenants/{tenant}/deployments"), Some(&body)).await?;
            println!("{outputs:#}");
            lab.refresh_variables(root).await
        }
        Command::Publish { tenant } => {
            lab.ask(Method::POST, &format!("tenants/{tenant}/app"), None).await?;
            println!("the app of {tenant} runs");
            Ok(())
        }
        Command::Delete { tenant } => {
            let gone = lab.ask(Method::DELETE, &format!("tenants/{tenant}/resources"), None).await?;
            for line in gone["leftOpen"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                println!("left open: {line}");
            }
            println!("the resources of {tenant} are gone");
            Ok(())
        }
        Command::Stop => {
            lab.ask(Method::POST, "end", None).await?;
            println!("the lab ends");
            Ok(())
        }
    }
}

/// The snapshot of `file`, which may be one; of a parameter file the Bicep CLI writes it.
fn snapshot(file: &Path, tenant: &str) -> Result<PathBuf> {
    if file.extension().is_none_or(|extension| extension != "bicepparam") {
        return Ok(file.to_owned());
    }
    let bicep = process::find("bicep").ok_or(
        "bicep is not on PATH, and without it a .bicepparam cannot be read: get it from \
         https://github.com/Azure/bicep/releases, or give a .snapshot.json",
    )?;
    let mut take = std::process::Command::new(bicep);
    take.arg("snapshot").arg(file).args(["--tenant-id", tenant, "--subscription-id", tenant]);
    // Of every tenant of the lab.
    take.args(["--resource-group", "rg-causeway", "--location", "westeurope"]);
    process::run(take.stdout(std::process::Stdio::null()))?;
    Ok(file.with_extension("snapshot.json"))
}

//! `cargo xtask lab`: the demo's world, kept up for whoever wants to try something, and commands that change it meanwhile.

mod commands;
mod running;

use std::path::Path;
use std::time::Duration;

use clap::Args;
use lab::control::{Control, variables};
use lab::{CustomersSource, Hosts, Lab, LabConfig};

use crate::stage::{Profile, build_handler};
use crate::{Result, block_on};
use commands::Command;
use running::Running;
pub(crate) use running::{END_OF_GREETING, FOLDER};

/// Keep a local Azure of a provider and customers up, until Ctrl-C
///
/// Prints its URLs, keys and ready-made curl lines. With --without-host everything runs but the Functions hosts: start the real
/// one with `func start` in the folders that are named. While it is up, `cargo xtask lab tenant`, `deploy`, `publish` and so on
/// change it from another terminal, and `. target/lab/env.sh` gives a shell its addresses and keys.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Start no Functions hosts, and write folders for `func start`
    #[arg(long)]
    without_host: bool,
    /// Customers, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "contoso,fabrikam", value_name = "NAMES")]
    customers: Vec<String>,
    /// Use the archived sample's settings for the first customer instead of a registry of all
    #[arg(long)]
    single: bool,
    /// Build the handler as it is deployed, which takes minutes
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    if let Some(command) = &arguments.command {
        return block_on(commands::run(command, root));
    }
    let profile = if arguments.release { Profile::Release } else { Profile::Debug };
    let mut config = LabConfig::new(root, build_handler(root, profile)?);
    config.customers.clone_from(&arguments.customers);
    if arguments.single {
        config.customers_source = CustomersSource::Settings;
    }
    if arguments.without_host {
        config.hosts = Hosts::CoreTools;
        config.poll_schedule = Some("*/10 * * * * *".to_owned());
        config.poll_window = Some(Duration::from_secs(8));
    }
    block_on(keep_up(config, root))
}

async fn keep_up(config: LabConfig, root: &Path) -> Result<()> {
    if let Ok(other) = Running::find(root).await {
        return Err(format!(
            "a lab is up already, process {}: end it with `cargo xtask lab stop`",
            other.pid
        )
        .into());
    }
    let lab = Lab::start(config).await?;
    println!("Local Azure is up; Ctrl-C ends it. It keeps nothing.\n");
    println!("  certificates    SSL_CERT_FILE={}", lab.ca_file().display());
    println!("  token service   AZURE_AUTHORITY_HOST={}", lab.token_service().authority());
    println!(
        "  application     {} of tenant {}",
        lab.provider().tenant.app_id,
        lab.provider().tenant.tenant_id
    );
    println!("  client secret   {}", lab.client_secret());
    println!("  store           {}", lab.store().display());
    for customer in lab.customers() {
        println!("\n  {}", customer.tenant.name);
        println!("    tenant        {}", customer.tenant.tenant_id);
        println!("    namespace     {} (TLS, token)", customer.fully_qualified_namespace());
        if let Some(address) = customer.own_address() {
            println!("                  {address} (the same at port 5671, for clients that take no port)");
        }
        if let Some(connection_string) = customer.connection_string() {
            println!("    by key        {connection_string}");
        }
    }
    match lab.provider().host() {
        Some(_) => print_calls(&lab)?,
        None => print_folders(&lab),
    }
    let variables = variables(&lab);
    let control = Control::start(lab).await?;
    let running = Running::new(&control);
    running.write_variables(root, &variables)?;
    running.write(root)?;
    println!("\n{END_OF_GREETING}");
    // Cancel safe: either is only waited for.
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        () = control.asked_to_end() => {}
    }
    println!("\nEnding …");
    Running::forget(root);
    let left = control.close().await;
    for line in &left {
        println!("left open: {line}");
    }
    if left.is_empty() { Ok(()) } else { Err("the local Azure did not end cleanly".into()) }
}

fn print_calls(lab: &Lab) -> Result<()> {
    let host = lab.provider().host().ok_or("the provider's Functions host does not run")?;
    let key = |function: &str| host.function_key(function).unwrap_or_default();
    println!("\nThe provider, at {}:\n", host.base_url());
    for customer in lab.customers() {
        println!(
            "curl -i -X POST '{}/api/customers/{}/deployments' \\\n  -H 'x-functions-key: {}' -H 'content-type: application/json' \\\n  -d '{{\"action\":\"acknowledge\",\"parameters\":{{\"version\":\"1.2.3\"}}}}'\n",
            host.base_url(),
            customer.tenant.name,
            key("SendDeploymentCommand"),
        );
    }
    println!("curl -H 'x-functions-key: {}' \"{}$LOCATION\"\n", key("GetDeployment"), host.base_url());
    println!("curl '{}/api/health'", host.base_url());
    Ok(())
}

fn print_folders(lab: &Lab) {
    println!("\nStart the real Functions host in each of these, in terminals of their own:\n");
    println!("cd '{}' && func start", lab.provider().staged.root.display());
    for customer in lab.customers() {
        println!("cd '{}' && func start", customer.staged.root.display());
    }
    println!("\nfunc needs a storage account for its timers: start Azurite beside it.");
}

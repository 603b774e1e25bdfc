//! `cargo xtask demo`: commands leave a provider's tenant, arrive in two customers' tenants, and their statuses return.

mod breakage;
mod caller;
mod journey;
mod summary;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use lab::stage::{PACKAGE, Role};
use lab::{AppIdentity, Lab, LabConfig, Packages};

use crate::stage::{Profile, build_handler};
use crate::{Result, block_on};
pub(crate) use breakage::Break;
use caller::Caller;

/// Show deployment commands crossing tenants, on a local Azure
///
/// Builds the handler, starts a provider's tenant and two customers' tenants with everything of Azure between them, sends
/// commands over HTTP and follows each one until its last status is recorded. Exits with 0 only if every one succeeded.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many commands to send, in turn to contoso and fabrikam
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    commands: u32,
    /// Take something away in the directory first, and show the refusal; exits with 1
    #[arg(long = "break", value_enum, value_name = "WHAT")]
    breakage: Option<Break>,
    /// Let the application prove itself by client secret instead of by federated credential
    #[arg(long)]
    client_secret: bool,
    /// Build the handler as it is deployed, which takes minutes
    #[arg(long)]
    release: bool,
    /// Build nothing, and run provider/released-package.zip and customer/released-package.zip of this folder as they are
    #[arg(long, value_name = "DIR", conflicts_with = "release")]
    packages: Option<PathBuf>,
}

/// How long the last status may take to be recorded.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    let mut config = match &arguments.packages {
        Some(folder) => {
            let package = |role: Role| folder.join(role.as_str()).join(PACKAGE);
            let packages = Packages { provider: package(Role::Provider), customer: package(Role::Customer) };
            LabConfig { packages: Some(packages), ..LabConfig::new(root, PathBuf::new()) }
        }
        None => {
            println!("Building the handler …");
            let profile = if arguments.release { Profile::Release } else { Profile::Debug };
            LabConfig::new(root, build_handler(root, profile)?)
        }
    };
    if arguments.client_secret || arguments.breakage == Some(Break::Secret) {
        config.app_identity = AppIdentity::ClientSecret;
    }
    block_on(show(arguments, config))
}

async fn show(arguments: &Arguments, config: LabConfig) -> Result<()> {
    let started = Instant::now();
    let mut lab = Lab::prepare(config).await?;
    if let Some(breakage) = arguments.breakage {
        breakage.apply(&lab);
        println!("\nTaken away: {}.", breakage.describe());
    }
    lab.start_hosts().await?;
    println!(
        "\nA local Azure of {} tenants is up after {} ms:",
        1 + lab.customers().len(),
        started.elapsed().as_millis()
    );
    println!(
        "  {:<9} tenant {}  token service {}",
        "provider",
        lab.provider().tenant.tenant_id,
        lab.token_service().authority()
    );
    for customer in lab.customers() {
        println!(
            "  {:<9} tenant {}  namespace {}",
            customer.tenant.name,
            customer.tenant.tenant_id,
            customer.fully_qualified_namespace()
        );
    }
    let outcome = match arguments.breakage {
        None => deliver(arguments.commands, &lab).await,
        Some(breakage) => breakage::show(breakage, &lab).await,
    };
    let left = lab.close().await;
    for line in &left {
        println!("left open: {line}");
    }
    outcome?;
    if left.is_empty() { Ok(()) } else { Err("the local Azure did not end cleanly".into()) }
}

/// Waits until the provider listens for statuses: what is sent before the timer's first tick would only show how long
/// that was away.
async fn first_tick(lab: &Lab) -> Result<()> {
    let host = lab.provider().host().ok_or("the provider's Functions host does not run")?;
    let listening = async {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        while !host.open_invocations().iter().any(|name| name.contains("ReadDeploymentStatus")) {
            every.tick().await;
        }
    };
    Ok(tokio::time::timeout(PATIENCE, listening).await.map_err(|_| "the provider's timer does not tick")?)
}

async fn deliver(commands: u32, lab: &Lab) -> Result<()> {
    let caller = Caller::new(lab)?;
    let names: Vec<&str> = lab.customers().iter().map(|customer| customer.tenant.name.as_str()).collect();
    first_tick(lab).await?;
    println!("\nSending {commands} commands. Milliseconds from each request:\n");
    journey::print_header();
    let began = Instant::now();
    let journeys = journey::follow_all(&caller, &names, commands, PATIENCE).await;
    summary::print(&journeys, lab, began.elapsed())
}

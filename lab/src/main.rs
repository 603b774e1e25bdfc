//! The parts of the lab that are of use alone.

mod alone;

use clap::{Parser, Subcommand};

/// A local Azure for two or more tenants.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    Broker(alone::Arguments),
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match Arguments::parse().part {
        Part::Broker(arguments) => alone::run(arguments).await,
    }
}

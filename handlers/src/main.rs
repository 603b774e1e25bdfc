//! Causeway's handler: an Azure Functions custom handler for the provider's and the customers' Function Apps.
//!
//! The way of an invocation: `server` receives, `invoke` reads and replies, `functions` do. See docs/ARCHITECTURE.md.

mod action;
mod app;
mod check;
mod config;
mod customers;
mod deadline;
mod deployment;
mod error;
mod functions;
#[cfg(test)]
mod fuzz;
mod host;
mod identity;
mod invoke;
mod json;
mod links;
mod messaging;
mod pace;
mod server;
mod store;
mod telemetry;
mod trace_context;

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Vars;
use crate::server::{LateApp, serve};

/// How long invocations in flight may go on after SIGTERM: within the 30 s that a platform leaves before it kills.
const DRAIN: Duration = Duration::from_secs(25);
/// How long connections may take to close after that.
const CLOSE: Duration = Duration::from_secs(2);
/// The host takes this exit code as an intended restart: it starts the handler again and counts no failure. After 0 it
/// would never start it again, and every later invocation would fail.
const RESTART: u8 = 200;

const HELP: &str = "\
handler: Causeway's Azure Functions custom handler

The Functions host starts it and names the port; it is of no use by hand but for these:

  handler check        whether identities, roles, queues and store are in order; see --help
  handler --help       this text
  handler --version    name and version

It serves the functions whose folders, each with a function.json, stand beside host.json, on
127.0.0.1 at the port FUNCTIONS_CUSTOMHANDLER_PORT. Settings are environment variables; those that
are missing or wrong are named on stdout and in the functions' answers. SIGTERM lets invocations
in flight finish (25 s at most) and exits with code 200, which the host takes as a restart.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    let rest: Vec<_> = arguments.collect();
    match first.as_ref().and_then(|argument| argument.to_str()) {
        Some("--version" | "-V") if rest.is_empty() => {
            return say(concat!("handler ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        Some("--help" | "-h") if rest.is_empty() => return say(HELP),
        Some("check") => return check::command::run(rest),
        _ => {}
    }
    let vars = Vars::of_process();
    telemetry::start(&vars);
    if first.is_some() {
        // Arguments may come from host.json, where a typing error should not stop the app.
        tracing::warn!("unknown arguments are ignored; --help names those that there are");
    }
    match run(vars) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(reason = %error, "the handler cannot serve");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(vars: Vars) -> std::io::Result<ExitCode> {
    let port = vars.parsed::<u16>("FUNCTIONS_CUSTOMHANDLER_PORT", "the port that the Functions host gives");
    let port = port.map_err(|fault| std::io::Error::other(fault.to_string()))?;
    // Bound before anything else: the host's probe comes at once, and whatever is slow happens behind it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let app = LateApp::new(vars);
    let early = app.clone();
    let building = tokio::spawn(async move {
        early.get().await.watch().await;
    });

    let (stop, stopped) = tokio::sync::oneshot::channel();
    let mut terminate = signal(SignalKind::terminate())?;
    let serving = serve(listener, app.clone(), async move {
        // A dropped sender means that the process ends anyway.
        stopped.await.unwrap_or_default();
    });
    tokio::pin!(serving);
    let code = tokio::select! {
        // Neither branch is polled again after the other has won, so neither needs to be cancel safe.
        served = &mut serving => return served.map(|()| ExitCode::SUCCESS),
        _ = terminate.recv() => ExitCode::from(RESTART),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| ExitCode::SUCCESS)?,
    };
    tracing::info!("asked to stop: finishing the invocations in flight");
    if stop.send(()).is_err() || tokio::time::timeout(DRAIN, serving).await.is_err() {
        tracing::warn!(
            seconds = DRAIN.as_secs(),
            "invocations were still in flight when the time to finish them was over"
        );
    }
    building.abort();
    app.close(CLOSE).await;
    Ok(code)
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

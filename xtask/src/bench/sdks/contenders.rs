//! The programs that are measured: our client in this program, the others in `tests/load`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::{BODY, COUNTS, QUEUE, Rates};
use crate::{Result, load};

/// One program.
pub(super) struct Contender {
    pub(super) name: &'static str,
    executable: PathBuf,
    arguments: Vec<OsString>,
}

/// All that this machine can run, ready; what it cannot is named.
///
/// # Errors
/// An installation or a build fails.
pub(super) fn all(root: &Path) -> Result<Vec<Contender>> {
    let mut contenders = vec![
        Contender {
            name: "Causeway's client",
            executable: std::env::current_exe()?,
            arguments: vec!["throughput".into()],
        },
        Contender {
            name: "Python",
            executable: load::python(root)?,
            arguments: vec![root.join("tests/load/python/throughput.py").into()],
        },
        Contender {
            name: "JavaScript",
            executable: "node".into(),
            arguments: vec![load::javascript(root, "throughput.js")?.into()],
        },
    ];
    match load::go(root)? {
        Some(executable) => {
            contenders.push(Contender { name: "Go", executable, arguments: vec!["throughput".into()] });
        }
        None => println!("without Go: go is not on PATH"),
    }
    match load::java(root)? {
        Some(class_path) => contenders.push(Contender {
            name: "Java",
            executable: "java".into(),
            arguments: vec!["-cp".into(), class_path, "Throughput".into()],
        }),
        None => println!("without Java: java, javac and mvn are not all on PATH"),
    }
    Ok(contenders)
}

impl Contender {
    /// Runs it once.
    ///
    /// # Errors
    /// It cannot be started, fails, or prints something else than its rates.
    pub(super) async fn measure(&self, connection_string: &str) -> Result<Rates> {
        let output = Command::new(&self.executable)
            .args(&self.arguments)
            .env("SERVICE_BUS_CONNECTION_STRING", connection_string)
            .env("LOAD_QUEUE", QUEUE)
            .env("LOAD_BODY", BODY.to_string())
            .env("LOAD_WARM_UP", COUNTS.warm_up.to_string())
            .env("LOAD_SINGLE", COUNTS.single.to_string())
            .env("LOAD_PIPELINED", COUNTS.pipelined.to_string())
            .env("LOAD_BATCH", COUNTS.batch.to_string())
            // Everything is on this machine, whatever proxy it uses for the rest.
            .env("NO_PROXY", "localhost,127.0.0.0/8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| format!("{}: {error}", self.executable.display()))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} ended with {}:\n{why}", self.name, output.status).into());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|error| format!("{} printed {last}: {error}", self.name).into())
    }
}

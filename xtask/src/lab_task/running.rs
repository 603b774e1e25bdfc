//! The lab that runs, as its files tell of it: how commands find it, and what a shell is given.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use lab::control::Control;
use reqwest::{Client, Method};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;

/// Where the files are, in the repository.
pub(crate) const FOLDER: &str = "target/lab";
const STATE: &str = "state.json";
const VARIABLES: &str = "env.sh";

/// The last line of what the task says when the lab is up: then the files are there.
pub(crate) const END_OF_GREETING: &str = "A shell gets these addresses and keys by: . target/lab/env.sh    See docs/onboarding.md for what to try.";

/// A lab that runs.
#[derive(Deserialize, Serialize)]
pub(super) struct Running {
    pub(super) pid: u32,
    url: String,
    key: String,
}

impl Running {
    /// The lab of this process.
    pub(super) fn new(control: &Control) -> Self {
        Self { pid: std::process::id(), url: control.url().to_string(), key: control.key().to_owned() }
    }

    /// The lab that runs.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn find(root: &Path) -> Result<Self> {
        const NONE: &str = "no lab is up: start one with `cargo xtask lab` in another terminal";
        let text = fs::read(folder(root).join(STATE)).map_err(|_| NONE)?;
        let running: Self = serde_json::from_slice(&text).map_err(|_| NONE)?;
        // A lab that was killed leaves its file behind.
        running.ask(Method::GET, "environment", None).await.map_err(|_| NONE)?;
        Ok(running)
    }

    /// Asks the lab for something.
    ///
    /// # Errors
    /// It does not answer, or refuses; then with its words.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let client = Client::builder().no_proxy().build()?;
        let mut request = client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let is_success = response.status().is_success();
        let answer: Value = response.json().await?;
        if is_success { Ok(answer) } else { Err(answer["error"].as_str().unwrap_or_default().into()) }
    }

    /// Writes the file by which commands find it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        write(&folder(root).join(STATE), &serde_json::to_string_pretty(self)?)
    }

    /// Writes the variables for a shell.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write_variables(&self, root: &Path, variables: &[(String, String)]) -> Result<()> {
        let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
        let lines = variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value)));
        let text: String =
            std::iter::once("# Of the lab that is up; gone with it.\n".to_owned()).chain(lines).collect();
        write(&folder(root).join(VARIABLES), &text)
    }

    /// Writes the variables anew, for what has changed.
    ///
    /// # Errors
    /// The lab does not answer, or the file cannot be written.
    pub(super) async fn refresh_variables(&self, root: &Path) -> Result<()> {
        let variables = self.ask(Method::GET, "environment", None).await?;
        self.write_variables(root, &serde_json::from_value::<Vec<(String, String)>>(variables)?)
    }

    /// Deletes the files of the lab that has ended. What cannot be deleted leads nowhere.
    pub(super) fn forget(root: &Path) {
        for name in [STATE, VARIABLES] {
            drop(fs::remove_file(folder(root).join(name)));
        }
    }
}

fn folder(root: &Path) -> PathBuf {
    root.join(FOLDER)
}

/// Writes a file that nobody else may read, since it holds keys.
fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

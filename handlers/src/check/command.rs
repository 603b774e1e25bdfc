//! `handler check`: the result on stdout, progress on stderr, and an exit code for scripts.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::local_settings::go_on_with;
use super::report::{CustomerReport, Report};
use super::{PATIENCE, of_app};
use crate::app::Ready;
use crate::config::{Config, Fault, Vars, deadlines, read_definitions, script_root};
use crate::deployment::CustomerId;

/// What `handler check --help` says.
const HELP: &str = "\
handler check: whether everything that a command needs on its way is in order

Run it in a folder with host.json and the function folders, or name one by FUNCTIONS_APP_ROOT_PATH.
For a provider: the identity, store and registry, and with each customer the token, the command
queue and the status queue. For a customer: the token and the two queues. It neither sends nor
receives a message; in the store it leaves one small object, check.json.

  --customer ID       this customer only
  --format FORMAT     text (default) or json
  --timeout SECONDS   for each customer [default: 20]
  --settings FILE     take settings from the Values of a local.settings.json; those of the
                      environment go before

Exit code: 0 all is well, 1 something failed, 2 settings or arguments are at fault.
";

const ALL_WELL: u8 = 0;
const FAILED: u8 = 1;
const UNUSABLE: u8 = 2;

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    customer: Option<CustomerId>,
    as_json: bool,
    patience: Option<Duration>,
    settings: Option<OsString>,
    help: bool,
}

/// Runs the subcommand with what stands after its name.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let options = match Options::read(arguments.iter()) {
        Ok(options) => options,
        Err(fault) => return complain(&format!("{fault}; `handler check --help` lists what there is")),
    };
    if options.help {
        return say(HELP, ALL_WELL);
    }
    if let Some(file) = &options.settings {
        return complain(&go_on_with(file.as_ref(), without_settings(arguments)));
    }
    check(&options)
}

#[tokio::main]
async fn check(options: &Options) -> ExitCode {
    let vars = Vars::of_process();
    let ready = read_config(&vars).and_then(|config| {
        Ready::new(config, &vars).map_err(|error| vec![Fault::new("settings", error.to_string())])
    });
    let (report, code) = match ready {
        Ok(ready) => {
            let done = AtomicUsize::new(0);
            let progress = |customer: &CustomerReport, count: usize| {
                let number = done.fetch_add(1, Ordering::Relaxed) + 1;
                let word = if customer.ok() { "ok" } else { "failed" };
                tell(&format!("{number} of {count}: {} {word}", customer.customer_id));
            };
            let patience = options.patience.unwrap_or(PATIENCE);
            match of_app(&ready, options.customer.as_ref(), patience, progress).await {
                Ok(report) => {
                    let code = if report.ok() { ALL_WELL } else { FAILED };
                    (report, code)
                }
                Err(super::UnknownCustomer) => {
                    return complain(
                        "no customer has that id: check it, and that the registry names the customer",
                    );
                }
            }
        }
        Err(faults) => (Report::of_faults(&faults), UNUSABLE),
    };
    say(&if options.as_json { report.to_json() } else { report.to_text() }, code)
}

/// What the environment and the script root say, or all their faults.
fn read_config(vars: &Vars) -> Result<Config, Vec<Fault>> {
    let root = script_root(vars);
    let (definitions, mut faults) = read_definitions(&root);
    faults.extend(deadlines(vars, &root, &definitions).1);
    match Config::read(vars, &definitions) {
        Ok(config) if faults.is_empty() => Ok(config),
        Ok(_) => Err(faults),
        Err(found) => {
            faults.extend(found);
            Err(faults)
        }
    }
}

impl Options {
    fn read<'a>(arguments: impl Iterator<Item = &'a OsString>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let name = argument.to_str().unwrap_or_default();
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name {
                "--help" | "-h" => options.help = true,
                "--settings" => options.settings = Some(value()?.clone()),
                "--customer" => {
                    let id = value()?.to_str().and_then(|id| id.parse().ok());
                    options.customer = Some(id.ok_or("--customer needs an id of 1 to 64 of a-z, 0-9 and -")?);
                }
                "--format" => match value()?.to_str() {
                    Some("json") => options.as_json = true,
                    Some("text") => options.as_json = false,
                    _ => return Err("--format needs text or json".to_owned()),
                },
                "--timeout" => {
                    let seconds = value()?.to_str().and_then(|text| text.parse().ok());
                    let seconds = seconds.filter(|seconds| (1..=3600).contains(seconds));
                    let seconds: u64 = seconds.ok_or("--timeout needs seconds, from 1 to 3600")?;
                    options.patience = Some(Duration::from_secs(seconds));
                }
                // It may be a secret that was put in the wrong place, so it is not repeated.
                _ => return Err("there is an argument that is not known".to_owned()),
            }
        }
        Ok(options)
    }
}

/// The whole command line but for `--settings` and its value.
fn without_settings(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut rest = vec![OsString::from("check")];
    while let Some(argument) = arguments.next() {
        if argument == "--settings" {
            arguments.next();
        } else {
            rest.push(argument);
        }
    }
    rest
}

fn say(text: &str, code: u8) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(UNUSABLE),
    }
}

fn complain(text: &str) -> ExitCode {
    tell(text);
    ExitCode::from(UNUSABLE)
}

fn tell(text: &str) {
    // Whoever has closed stderr does not want to know.
    writeln!(std::io::stderr(), "{text}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let arguments: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        Options::read(arguments.iter())
    }

    #[test]
    fn arguments_are_read_or_their_fault_is_named() {
        let options = read("--customer contoso --format json --timeout 5 --settings s.json").unwrap();
        assert_eq!(options.customer.unwrap().to_string(), "contoso");
        assert!(options.as_json && options.settings == Some("s.json".into()));
        assert_eq!(options.patience, Some(Duration::from_secs(5)));
        for (line, named) in [
            ("--customer", "--customer"),
            ("--customer A/B", "--customer"),
            ("--format xml", "--format"),
            ("--timeout 0", "--timeout"),
            ("secret", "not known"),
        ] {
            let fault = read(line).unwrap_err();
            assert!(fault.contains(named) && !fault.contains("secret"), "{line}: {fault}");
        }
    }

    #[test]
    fn the_settings_file_is_read_once() {
        let line = ["--format", "json", "--settings", "s.json", "--timeout", "5"].map(OsString::from);
        assert_eq!(without_settings(line.to_vec()), ["check", "--format", "json", "--timeout", "5"]);
    }
}

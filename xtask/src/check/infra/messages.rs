//! What the compiler says: `PATH(LINE,COLUMN) : Warning CODE: TEXT`, a line each.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::tidy::Fault;

/// A rule that a tree breaks by growing old: what was good yesterday must not fail today, so it is shown and no fault.
const ADVICE: &str = "use-recent-api-versions";

/// Runs the compiler; whatever else it says is a fault, and so is an end that it says nothing of.
///
/// # Errors
/// It cannot be started.
pub(super) fn of(command: Command, folder: &Path) -> Result<Vec<Fault>> {
    let (advice, faults) = read(command, folder)?;
    advice.iter().for_each(|line| println!("{line}"));
    Ok(faults)
}

/// The same with the advice as lines.
pub(super) fn read(mut command: Command, folder: &Path) -> Result<(Vec<String>, Vec<Fault>)> {
    let output = command.output().map_err(|error| format!("bicep: {error}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let (advice, text): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.contains(ADVICE));
    let mut faults = faults(&text.join("\n"), folder);
    if faults.is_empty() && !output.status.success() {
        let task = command.get_args().next().unwrap_or_default().to_string_lossy();
        faults.push(Fault::of_file("infra", format!("`bicep {task}` failed: {}", output.status)));
    }
    Ok((advice.into_iter().map(str::to_owned).collect(), faults))
}

fn faults(text: &str, folder: &Path) -> Vec<Fault> {
    let placed: Vec<_> = text.lines().filter_map(|line| placed(line, folder)).collect();
    if !placed.is_empty() {
        // What has no place then only says that something failed.
        return placed;
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let folder = format!("{}/", folder.display());
    lines.map(|line| Fault::of_file("infra", format!("bicep says: {}", line.replace(&folder, "")))).collect()
}

fn placed(line: &str, folder: &Path) -> Option<Fault> {
    let (place, said) = line.split_once(") : ")?;
    let (path, position) = place.rsplit_once('(')?;
    let path = Path::new(path).strip_prefix(folder).ok()?;
    let number = position.split(',').next()?.parse().ok()?;
    // All levels are the same here.
    let (_, said) = said.split_once(' ')?;
    Some(Fault::at(path.to_string_lossy(), number, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_fault_with_the_place_as_in_the_repository() {
        let folder = Path::new("/tmp/x");
        let warning = "/tmp/x/infra/a (b).bicep(47,5) : Warning BCP089: The property \"y\" is not allowed.";
        let failed = "Failed to read /tmp/x/infra/a.bicep\n";
        for (said, expected) in [
            (
                &*format!("{warning}\n{failed}"),
                "infra/a (b).bicep:47: BCP089: The property \"y\" is not allowed.",
            ),
            (failed, "infra: bicep says: Failed to read infra/a.bicep"),
        ] {
            let faults: Vec<_> = faults(said, folder).iter().map(ToString::to_string).collect();
            assert_eq!(faults, [expected]);
        }
    }

    #[test]
    fn advice_is_shown_and_is_no_fault() {
        let said =
            "/tmp/x/infra/a.bicep(9,53) : Warning use-recent-api-versions: Use more recent API version.";
        let mut echo = Command::new("echo");
        echo.arg(said);
        assert_eq!(read(echo, Path::new("/tmp/x")).unwrap(), (vec![said.to_owned()], Vec::new()));
    }

    #[test]
    fn an_end_without_a_word_is_a_fault() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exit 1"]);
        let faults = of(shell, Path::new("/tmp")).unwrap();
        assert!(faults[0].to_string().contains("failed"), "{faults:?}");
    }
}

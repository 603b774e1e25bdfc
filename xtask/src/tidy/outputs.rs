//! The outputs of deployments that scripts and documents ask for are outputs of the Bicep: `az` gives nothing, and no
//! error, for one that there is not.

use std::collections::BTreeSet;

use super::Fault;
use super::source::SourceFile;

/// The folders whose files are deployed by themselves.
const DEPLOYED: [&str; 2] = ["infra/provider/", "infra/customer/"];

/// Names each output that a script or a document asks for and no deployed file has.
pub(super) fn check(files: &[SourceFile]) -> Vec<Fault> {
    let bicep = files.iter().filter(|file| {
        file.path.ends_with(".bicep") && DEPLOYED.iter().any(|folder| file.path.starts_with(folder))
    });
    let outputs: BTreeSet<&str> = bicep
        .flat_map(|file| file.text.lines())
        .filter_map(|line| line.strip_prefix("output ")?.split(' ').next())
        .collect();
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".sh") || file.path.ends_with(".md")) {
        for (number, line) in file.lines() {
            for name in asked_for(line).into_iter().filter(|name| !outputs.contains(name)) {
                faults.push(Fault::at(&file.path, number, format!("no deployment has the output `{name}`")));
            }
        }
    }
    faults
}

/// The names in `properties.outputs.NAME.value`, in `{key: NAME.value}` of a selection of outputs, and in
/// `$(output NAME)`, as the scripts' function is called.
fn asked_for(line: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric();
    let mut names: Vec<&str> = Vec::new();
    for (at, _) in line.match_indices(".value") {
        let before = line.get(..at).unwrap_or_default();
        let start = before.rfind(|c| !is_name(c)).map_or(0, |position| position + 1);
        let (lead, name) = before.split_at(start);
        if lead.ends_with("properties.outputs.") || lead.ends_with(": ") {
            names.push(name);
        }
    }
    for (at, call) in line.match_indices("$(output ") {
        let rest = line.get(at + call.len()..).unwrap_or_default();
        names.push(rest.split(|c| !is_name(c)).next().unwrap_or_default());
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn an_output_that_there_is_not_is_named() {
        let bicep =
            file("infra/provider/main.bicep", "output name string = app.name\noutput uri string = 'x'\n");
        let inner = file("infra/modules/x.bicep", "output inner string = 'x'\n");
        let script = file(
            "infra/scripts/x.sh",
            "az … --query properties.outputs.name.value\n--query 'properties.outputs.{a: uri.value, b: other.value}'\n\
             echo $(output uri) $(output inner)\n--query properties.outputs.$1.value\n",
        );
        let faults = check(&[bicep, inner, script]);
        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "infra/scripts/x.sh:2: no deployment has the output `other`",
                "infra/scripts/x.sh:3: no deployment has the output `inner`",
            ]
        );
    }
}

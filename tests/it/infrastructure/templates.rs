//! A copy of the Bicep with one thing changed in it, and what it would deploy then.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::support::{installed, repository};

/// The templates, and their parameter files with the snapshots.
const FOLDERS: [&str; 2] = ["infra", "tests/infra"];
const CONFIGURATION: &str = "bicepconfig.json";

/// What a world of one customer is deployed from.
const PARTIES: [&str; 4] = ["provider-identity", "provider", "contoso-consent", "contoso"];
/// And from this too, when the provider's application proves itself by a secret.
const BY_SECRET: &str = "variants/provider-secret";

/// The compiler takes a processor for seconds, and most of these tests start with it.
static COMPILERS: Semaphore = Semaphore::const_new(2);

/// The copy. Paths of files are those in the repository.
pub(super) struct Templates {
    folder: TempDir,
    bicep: PathBuf,
    changed: Vec<PathBuf>,
    is_by_client_secret: bool,
}

/// Which snapshots are taken anew. The others are the repository's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// All that is made from a changed file.
    Changed,
    All,
}

impl Templates {
    /// None, which is said, where there is no compiler.
    pub(super) fn copy() -> Option<Self> {
        let bicep = installed("BICEP", "deployment")?;
        let folder = tempfile::tempdir().unwrap();
        for source in FOLDERS {
            copy(&repository().join(source), &folder.path().join(source));
        }
        Some(Self { folder, bicep, changed: Vec::new(), is_by_client_secret: false })
    }

    /// Puts `to` in the place of `from`, which must stand there exactly once.
    pub(super) fn replace(self, file: &str, from: &str, to: &str) -> Self {
        self.replace_each(file, from, to, 1)
    }

    /// The same for something that stands there `times` times.
    pub(super) fn replace_each(self, file: &str, from: &str, to: &str, times: usize) -> Self {
        self.change(file, |text| {
            assert_eq!(text.matches(from).count(), times, "{file}: {from}");
            text.replace(from, to)
        })
    }

    /// Takes a module out, and its name out of the lists of what others wait for.
    pub(super) fn without_module(self, file: &str, name: &str) -> Self {
        self.without(file, &format!("module {name} "), name)
    }

    /// The same with a resource within another.
    pub(super) fn without_resource(self, file: &str, name: &str) -> Self {
        self.without(file, &format!("resource {name} "), name)
    }

    fn without(self, file: &str, declaration: &str, name: &str) -> Self {
        self.change(file, |text| {
            let mut kept = String::new();
            let mut end = None;
            let mut removed = 0;
            for line in text.split_inclusive('\n') {
                let indent = &line[..line.len() - line.trim_start().len()];
                if line.trim_start().starts_with(declaration) {
                    (end, removed) = (Some(format!("{indent}}}\n")), removed + 1);
                }
                match &end {
                    None if line.trim_start().starts_with("dependsOn: [") => {
                        kept += &line.replace(&format!("{name}, "), "").replace(&format!(", {name}"), "");
                    }
                    None => kept += line,
                    Some(last) if line == last => end = None,
                    Some(_) => {}
                }
            }
            assert_eq!((removed, end), (1, None), "{file}: {declaration}");
            kept
        })
    }

    fn change(mut self, file: &str, change: impl FnOnce(&str) -> String) -> Self {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(&text)).unwrap();
        self.changed.push(path.canonicalize().unwrap());
        self
    }

    /// The provider's application is to prove itself by a secret from a key vault.
    pub(super) fn by_client_secret(self) -> Self {
        Self { is_by_client_secret: true, ..self }
    }

    pub(super) fn is_by_client_secret(&self) -> bool {
        self.is_by_client_secret
    }

    /// Takes snapshots anew, which must differ from the repository's if a template does. Gives their folder.
    pub(super) async fn snapshots(&self, taken: Taken) -> PathBuf {
        let tests = self.folder.path().join(FOLDERS[1]);
        let parties = PARTIES.into_iter().chain(self.is_by_client_secret.then_some(BY_SECRET));
        let concerned: Vec<_> = parties
            .filter(|party| {
                let sources = sources(&tests.join(format!("{party}.bicepparam")));
                taken == Taken::All || self.changed.iter().any(|changed| sources.contains(changed))
            })
            .collect();
        let is_of_graph = |party: &&str| party.ends_with("identity") || party.ends_with("consent");
        self.configure(concerned.iter().any(is_of_graph)).await;
        let differ = concerned.iter().map(|party| self.take(&tests, party));
        let differ = futures_util::future::join_all(differ).await;
        assert_eq!(differ.contains(&true), !self.changed.is_empty(), "{concerned:?}: {:?}", self.changed);
        tests
    }

    /// Without the linter, who minds what is left over, and with the Microsoft Graph extension as a local file.
    async fn configure(&self, has_graph: bool) {
        let folder = self.folder.path();
        let configuration = json!({
            "analyzers": {"core": {"enabled": false}},
            "extensions": {"microsoftGraphV1": "./graph.tgz"},
            "cacheRootDirectory": folder.join("cache"),
        });
        fs::write(folder.join(CONFIGURATION), configuration.to_string()).unwrap();
        if has_graph {
            let types = installed("MICROSOFT_GRAPH_TYPES", "deployment").unwrap().join("index.json");
            let types = types.to_str().unwrap();
            self.run(&["publish-extension", types, "--target", "./graph.tgz"]).await;
            // Into the cache before several want to fill it.
            fs::write(folder.join("graph.bicep"), "extension microsoftGraphV1\n").unwrap();
            self.run(&["restore", "graph.bicep", "--config", CONFIGURATION]).await;
        }
    }

    /// Takes one, and says whether it differs from the repository's.
    async fn take(&self, tests: &Path, party: &str) -> bool {
        let read =
            |name: &str| -> Value { serde_json::from_slice(&fs::read(tests.join(name)).unwrap()).unwrap() };
        let (scopes, name) = (read("scopes.json"), format!("{party}.snapshot.json"));
        let committed = read(&name);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let tenant = &scopes["parameterFiles"][format!("{party}.bicepparam")];
        let tenant = text(&scopes["tenants"][text(tenant)]);
        let (group, location) = (text(&scopes["resourceGroup"]), text(&scopes["location"]));
        let parameters = format!("{}/{party}.bicepparam", FOLDERS[1]);
        self.run(&[
            "snapshot",
            &parameters,
            "--tenant-id",
            &tenant,
            "--subscription-id",
            &tenant,
            "--resource-group",
            &group,
            "--location",
            &location,
            "--config",
            CONFIGURATION,
        ])
        .await;
        read(&name) != committed
    }

    async fn run(&self, arguments: &[&str]) {
        let _turn = COMPILERS.acquire().await.unwrap();
        let mut command = Command::new(&self.bicep);
        command.current_dir(self.folder.path()).args(arguments);
        // It lives for seconds: what .NET does for programs that live longer takes a fifth of its time.
        command.env("DOTNET_TieredPGO", "0").env("DOTNET_gcConcurrent", "0");
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "bicep {arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// All files from which a file is made, with itself.
fn sources(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![file.canonicalize().unwrap()];
    while let Some(file) = open.pop() {
        let text = fs::read_to_string(&file).unwrap();
        let strings = text.split('\'').skip(1).step_by(2).filter(|text| text.ends_with(".bicep"));
        // A description may speak of a file.
        open.extend(strings.filter_map(|path| file.with_file_name(path).canonicalize().ok()));
        open.retain(|other| !found.contains(other));
        found.insert(file);
    }
    found
}

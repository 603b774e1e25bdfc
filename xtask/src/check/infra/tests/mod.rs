mod compiler;

use std::fs;
use std::io::Write;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A small world: storage, a Graph resource, a parameter file of each with its snapshot.
const FILES: [(&str, &str); 5] = [
    (
        "infra/storage.bicep",
        "@description('Required. Name.')
param name string

@description('Optional. Region.')
param location string = resourceGroup().location

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' = {
  name: name
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
  }
}

@description('The name of the account.')
output name string = account.name
",
    ),
    (
        "infra/consent.bicep",
        "extension microsoftGraphV1

@description('Required. Client id.')
param clientId string

resource servicePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: clientId
}
",
    ),
    ("tests/infra/storage.bicepparam", "using '../../infra/storage.bicep'\n\nparam name = 'stone'\n"),
    (
        "tests/infra/more/consent.bicepparam",
        "using '../../../infra/consent.bicep'\n\nparam clientId = '7de35fee-a56a-56cb-a0c5-c4d81d6aa59f'\n",
    ),
    (
        "tests/infra/scopes.json",
        r#"{
          "resourceGroup": "rg", "location": "westeurope",
          "tenants": {"one": "10000000-0000-4000-8000-000000000001"},
          "parameterFiles": {"storage.bicepparam": "one", "more/consent.bicepparam": "one"}
        }"#,
    ),
];

/// A repository with nothing but [`FILES`], and with snapshots as the compiler writes them.
struct World {
    folder: TempDir,
    tools: Tools,
}

impl World {
    /// None where there is no compiler, which is said. Continuous integration must have one.
    fn new() -> Option<Self> {
        let tools = match Tools::find(LEFT_OUT) {
            Ok(tools) => tools,
            Err(missing) => {
                assert_ne!(env::var("CI").as_deref(), Ok("true"), "{missing}");
                // Past the harness, which shows what a passing test prints to nobody.
                writeln!(std::io::stderr(), "not tested: {missing}").unwrap();
                return None;
            }
        };
        let world = Self { folder: tempfile::tempdir().unwrap(), tools };
        for (path, text) in FILES {
            world.write(path, text);
        }
        let configuration = "infra/bicepconfig.json";
        world
            .write(configuration, &fs::read_to_string(crate::repository_root().join(configuration)).unwrap());
        let copies = Copies::of(world.folder.path(), &world.tools).unwrap();
        let scopes = snapshots::Scopes::read(world.folder.path()).unwrap();
        for stem in ["storage", "more/consent"] {
            let (parameters, snapshot) = (format!("{stem}.bicepparam"), Self::snapshot(stem));
            let path = format!("tests/infra/{parameters}");
            let made = snapshots::predict(&copies, &scopes, &parameters, &path, &snapshot).unwrap().unwrap();
            world.write(&snapshot, &made.to_string());
        }
        Some(world)
    }

    fn snapshot(stem: &str) -> String {
        format!("tests/infra/{stem}.snapshot.json")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn change(&self, path: &str, change: impl FnOnce(&str) -> String) {
        let text = fs::read_to_string(self.folder.path().join(path)).unwrap();
        let changed = change(&text);
        assert_ne!(text, changed, "{path}");
        self.write(path, &changed);
    }

    fn faults(&self) -> Vec<String> {
        let faults = inspect(self.folder.path(), &self.tools).unwrap();
        faults.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn each_kind_of_planted_fault_is_named_with_its_file_and_none_without() {
    let Some(world) = World::new() else { return };
    assert_eq!(world.faults(), Vec::<String>::new());

    let storage = FILES[0].1;
    world.write("infra/a-property.bicep", &storage.replace("allowBlobPublic", "allowBlobPublik"));
    world
        .write("infra/b-unused.bicep", &format!("@description('Unused.')\nparam unused string\n\n{storage}"));
    world.write("infra/c-broken.bicep", &storage.replace("= account.name", "= nothing.name"));
    world.write("infra/d-graph.bicep", &FILES[1].1.replace("appId", "appIdd"));
    world.write("infra/e-format.bicep", &storage.replace("  name: name", "    name: name"));
    world.write("tests/infra/unlisted.bicepparam", FILES[2].1);
    world.write("tests/infra/orphan.snapshot.json", "{}");
    let mut snapshot: Value = serde_json::from_str(
        &fs::read_to_string(world.folder.path().join(World::snapshot("storage"))).unwrap(),
    )
    .unwrap();
    snapshot["outputs"]["name"] = json!("stother");
    world.write(&World::snapshot("storage"), &snapshot.to_string());
    // Parameter files that are listed: without a parameter, without a snapshot, of nobody, and not there.
    world.write("tests/infra/nameless.bicepparam", "using '../../infra/storage.bicep'\n");
    world.write("tests/infra/new.bicepparam", FILES[2].1);
    world.write("tests/infra/lost.bicepparam", FILES[2].1);
    world.change("tests/infra/scopes.json", |text| {
        let more = r#"{"nameless.bicepparam": "one", "new.bicepparam": "one", "lost.bicepparam": "nobody",
                       "gone.bicepparam": "one", "storage"#;
        text.replace("{\"storage", more)
    });
    world.change("infra/storage.bicep", |text| {
        text.replace("SharedKeyAccess: false", "SharedKeyAccess: true")
    });
    world.change("tests/infra/more/consent.bicepparam", |text| text.replace("7de35fee", "7de35fef"));

    let faults = world.faults();
    let expected = [
        "infra/a-property.bicep:15: BCP089: The property \"allowBlobPublikAccess\"",
        "infra/b-unused.bicep:2: no-unused-params: ",
        "infra/c-broken.bicep:21: BCP057: The name \"nothing\"",
        "infra/d-graph.bicep:7: BCP089: The property \"appIdd\"",
        "infra/d-graph.bicep:6: BCP035: ",
        "infra/e-format.bicep:8: is not formatted",
        "tests/infra/gone.bicepparam: is in scopes.json, but is not there",
        "tests/infra/more/consent.snapshot.json: Microsoft.Graph/servicePrincipals@v1.0: /properties/appId is ",
        "tests/infra/nameless.bicepparam:1: BCP258: ",
        "tests/infra/new.snapshot.json: Microsoft.Storage/storageAccounts `stone`: must say false at",
        "tests/infra/new.snapshot.json: is missing or is not JSON",
        "tests/infra/orphan.snapshot.json: is the snapshot of no parameter file",
        "tests/infra/scopes.json: lost.bicepparam is of a tenant that is not there",
        "tests/infra/storage.snapshot.json: Microsoft.Storage/storageAccounts `stone`: must say false at",
        "tests/infra/storage.snapshot.json: Microsoft.Storage/storageAccounts `stone`: \
         /properties/allowSharedKeyAccess is false, but by the Bicep true",
        "tests/infra/storage.snapshot.json: outputs: /name is \"stother\", but by the Bicep \"stone\"",
        "tests/infra/unlisted.bicepparam: is not in scopes.json",
    ];
    for start in expected {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}\nin {faults:#?}");
    }
    let planted = |fault: &&String| expected.iter().any(|start| fault.starts_with(start));
    let others: Vec<_> = faults.iter().filter(|fault| !planted(fault)).collect();
    assert_eq!(others, Vec::<&String>::new());
}

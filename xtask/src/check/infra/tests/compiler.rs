//! Each kind of thing that the compiler and its linter say, planted in a file of its own.

use super::*;

/// A sound file, into which each fault is planted.
const STORAGE: &str = FILES[0].1;

/// Name of the file; what is replaced in [`STORAGE`], and by what; how each message starts, from the line's number on.
type Planted = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Where a declaration can stand: before the resource, or before the output.
const TOP: &str = "resource account";
const END: &str = "@description('The name of the account.')";
const OUTPUT: &str = "= account.name";

/// What the compiler itself says. Of a wrong property, type or version it only warns.
const COMPILER: [Planted; 9] = [
    ("property", "    allowShared", "    zzz: true\n    allowShared", &["16: BCP037: The property \"zzz\""]),
    ("value", "allowSharedKeyAccess: false", "allowSharedKeyAccess: 'no'", &["16: BCP036: "]),
    ("missing", "  kind: 'StorageV2'\n", "", &["7: BCP035: "]),
    ("version", "@2025-08-01", "@2025-08-31", &["7: BCP081: "]),
    ("undeclared", OUTPUT, "= nothing.name", &["21: BCP057: The name \"nothing\""]),
    ("unclosed", OUTPUT, "= 'account", &["21: BCP004: "]),
    ("output", "output name string", "output name int", &["21: BCP033: "]),
    ("lost-module", TOP, "module lost 'lost.bicep' = {}\n\nresource account", &["7: BCP091: "]),
    ("extension", TOP, "extension radius\n\nresource account", &["7: BCP204: "]),
];

/// What the linter says by the rules of the repository's `bicepconfig.json`.
const LINTER: [Planted; 29] = [
    (
        "undescribed-parameter",
        "@description('Required. Name.')\n",
        "",
        &["1: use-description-params: Parameter \"name\""],
    ),
    ("empty-description", "'Required. Name.'", "''", &["1: use-description-params: "]),
    (
        "undescribed-output",
        "@description('The name of the account.')\n",
        "",
        &["20: use-description-outputs: "],
    ),
    (
        "undescribed-variable",
        TOP,
        "var kind = 'StorageV2'\n\nresource account",
        &["7: use-description-vars: ", "7: no-unused-vars: "],
    ),
    (
        "undescribed-type",
        TOP,
        "@export()\ntype sizeType = 'Standard_LRS'\n\nresource account",
        &["8: use-description-types: "],
    ),
    (
        "undescribed-property",
        TOP,
        "@export()\n@description('Size.')\ntype sizeType = {\n  size: string\n}\n\nresource account",
        &["10: use-description-type-properties: "],
    ),
    (
        "unused-parameter",
        TOP,
        "@description('Size.')\nparam size string\n\nresource account",
        &["8: no-unused-params: "],
    ),
    (
        "unused-type",
        TOP,
        "@description('Size.')\ntype sizeType = 'Standard_LRS'\n\nresource account",
        &["8: no-unused-types: "],
    ),
    (
        "unused-resource",
        TOP,
        "resource other 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {\n  name: 'other'\n}\n\n\
         resource account",
        &["7: no-unused-existing-resources: "],
    ),
    (
        "fixed-location",
        "  location: location\n",
        "  location: 'westeurope'\n  tags: { region: location }\n",
        &["9: no-hardcoded-location: "],
    ),
    (
        "location-of-the-group",
        "  location: location\n",
        "  location: resourceGroup().location\n  tags: { region: location }\n",
        &["9: no-loc-expr-outside-params: "],
    ),
    ("address-of-a-cloud", "'StorageV2'", "'https://management.azure.com'", &["10: no-hardcoded-env-urls: "]),
    (
        "default-of-a-secret",
        "param name string",
        "@secure()\nparam name string = 'x'",
        &["3: secure-parameter-default: "],
    ),
    (
        "open-secret",
        OUTPUT,
        "= adminPassword\n\n@description('Required. Password.')\nparam adminPassword string",
        &["24: secure-secrets-in-params: "],
    ),
    (
        "secret-as-output",
        OUTPUT,
        "= account.listKeys().keys[0].value",
        &["21: outputs-should-not-contain-secrets: "],
    ),
    (
        "order",
        END,
        "resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-08-01' = {\n  parent: account\n  \
         name: 'default'\n  dependsOn: [account]\n}\n\n@description('The name of the account.')",
        &["23: no-unnecessary-dependson: "],
    ),
    (
        "name-of-a-child",
        END,
        "resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-08-01' = {\n  name: \
         '${account.name}/default'\n}\n\n@description('The name of the account.')",
        &["21: use-parent-property: "],
    ),
    (
        "name-by-chance",
        END,
        "resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-08-01' = {\n  parent: account\n  \
         name: at\n}\n\n@description('Optional. At.')\nparam at string = newGuid()\n\n\
         @description('The name of the account.')",
        &["22: use-stable-resource-identifiers: "],
    ),
    (
        "deployment",
        END,
        "resource nested 'Microsoft.Resources/deployments@2025-04-01' = {\n  name: 'x'\n  properties: {\n    \
         mode: 'Incremental'\n    template: {}\n  }\n}\n\n@description('The name of the account.')",
        &["20: no-deployments-resources: "],
    ),
    (
        "default-location",
        END,
        "module other 'storage.bicep' = {\n  params: {\n    name: name\n  }\n}\n\n@description('The name of the \
         account.')",
        &["21: explicit-values-for-loc-params: "],
    ),
    (
        "name-from-azure",
        END,
        "module other 'storage.bicep' = {\n  params: {\n    name: account.properties.accessTier\n    location: \
         location\n  }\n}\n\n@description('The name of the account.')",
        &["22: what-if-short-circuiting: "],
    ),
    ("any", "param name string", "param name any", &["2: no-explicit-any: "]),
    (
        "object",
        OUTPUT,
        "= more.name\n\n@description('Required. More.')\nparam more object",
        &["24: use-user-defined-types: "],
    ),
    (
        "reference",
        OUTPUT,
        "= reference(account.id, '2025-08-01').accessTier",
        &["21: use-resource-symbol-reference: "],
    ),
    ("fixed-output", OUTPUT, "= 'x'", &["21: no-hardcoded-outputs: "]),
    ("concat", "  name: name\n", "  name: concat(name, 'x')\n", &["8: prefer-interpolation: "]),
    ("interpolation", "  name: name\n", "  name: '${name}'\n", &["8: simplify-interpolation: "]),
    (
        "quotes",
        "    name: 'Standard_LRS'",
        "    'name': 'Standard_LRS'",
        &["12: prefer-unquoted-property-names: "],
    ),
    (
        "null",
        "  kind: 'StorageV2'\n",
        "  kind: 'StorageV2'\n  tags: json('null')\n",
        &["11: simplify-json-null: "],
    ),
];

fn of(planted: Planted) -> String {
    let (name, from, to, _) = planted;
    assert!(STORAGE.contains(from), "{name}");
    STORAGE.replacen(from, to, 1)
}

#[test]
fn whatever_the_compiler_or_the_linter_says_is_a_fault() {
    let Some(world) = World::new() else { return };
    let mut expected = Vec::new();
    for planted in COMPILER.into_iter().chain(LINTER) {
        let path = format!("infra/{}.bicep", planted.0);
        world.write(&path, &of(planted));
        expected.extend(planted.3.iter().map(|start| format!("{path}:{start}")));
    }
    let parameters = "infra/wrong.bicepparam";
    world.write(parameters, "using 'storage.bicep'\n\nparam name = 3\nparam other = 'x'\n");
    expected.extend(["3: BCP033: ", "4: BCP259: "].map(|start| format!("{parameters}:{start}")));

    let faults = world.faults();
    for start in &expected {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}\nin {faults:#?}");
    }
    let planted = |fault: &&String| expected.iter().any(|start| fault.starts_with(start));
    assert_eq!(faults.iter().filter(|fault| !planted(fault)).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn an_old_version_is_looked_for_and_only_advised_against() {
    let Some(world) = World::new() else { return };
    let old = "infra/old.bicep";
    world.write(old, &STORAGE.replace("@2025-08-01", "@2021-04-01"));
    let copies = Copies::of(world.folder.path(), &world.tools).unwrap();
    let (advice, faults) = messages::read(copies.bicep(&["lint", old]), &copies.compiled()).unwrap();
    assert_eq!(faults, []);
    assert!(advice.concat().contains("Use more recent API version"), "{advice:?}");
}

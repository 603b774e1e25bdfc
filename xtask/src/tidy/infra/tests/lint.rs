//! The linter turned down, in its configuration and in a file.

use super::*;

const CONFIGURATION: &str = "infra/bicepconfig.json";

#[test]
fn a_rule_that_is_turned_down_or_left_out_is_named() {
    let rule = |name: &str, level: &str| format!("\"{name}\": {{\n          \"level\": \"{level}\"");
    for name in ["use-description-params", "no-hardcoded-location", "secure-parameter-default", "max-params"]
    {
        let expected = format!("{CONFIGURATION}: the rule `{name}` must have the level error");
        for level in ["off", "info", "warning"] {
            assert_eq!(
                faults(CONFIGURATION, &rule(name, "error"), &rule(name, level)),
                std::slice::from_ref(&expected)
            );
        }
    }
    // Off unless turned on.
    let found = faults(CONFIGURATION, "\"use-description-vars\"", "\"use-description-variables\"");
    assert_eq!(
        found,
        [format!("{CONFIGURATION}: the rule `use-description-vars` must have the level error")]
    );
    let advice = "use-recent-api-versions";
    let expected = format!("{CONFIGURATION}: the rule `{advice}` must have the level warning");
    for level in ["off", "error"] {
        assert_eq!(
            faults(CONFIGURATION, &rule(advice, "warning"), &rule(advice, level)),
            std::slice::from_ref(&expected)
        );
    }
    let found = faults(CONFIGURATION, "\"enabled\": true", "\"enabled\": false");
    assert_eq!(found, [format!("{CONFIGURATION}: analyzers.core.enabled must be true")]);
}

#[test]
fn a_file_that_silences_the_compiler_is_named_with_its_line() {
    const PATH: &str = "infra/modules/key-vault.bicep";
    let from = "#disable-next-line use-recent-api-versions";
    for to in [
        "#disable-next-line BCP037",
        "  #disable-next-line use-recent-api-versions no-unused-vars",
        "#disable-diagnostics use-recent-api-versions",
        "#disable-diagnostics no-unused-params",
    ] {
        let found = faults(PATH, from, to);
        let line = planted(PATH, from, to).text.split(to).next().unwrap().lines().count() + 1;
        let start = format!("{PATH}:{line}: `{}` silences the compiler", to.trim());
        assert!(matches!(&found[..], [one] if one.starts_with(&start)), "{found:?}");
    }
    assert_eq!(faults(PATH, from, from), Vec::<String>::new());
}

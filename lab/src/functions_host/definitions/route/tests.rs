//! Templates against paths, as ASP.NET takes them.

use super::*;

/// `name=value` of each parameter, `name` of one that is absent, or `None`.
fn of(template: &str, path: &str) -> Option<String> {
    let values = RouteTemplate::parse(template).unwrap().matches(path)?;
    let shown =
        values.into_iter().map(|(name, value)| value.map_or(name.clone(), |value| format!("{name}={value}")));
    Some(shown.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_path_fits_or_not() {
    for (template, path, expected) in [
        ("orders/{id}", "Orders/42", Some("id=42")),
        ("orders/{id}", "orders/42/", Some("id=42")),
        ("orders/{id}", "orders", None),
        ("orders/{id}", "orders//42", None),
        ("orders/{id}", "orders/42//", None),
        ("orders/{id}", "orders/1/2", None),
        ("orders/{id}/{opt?}", "orders/a%20b%2Fc", Some("id=a b%2Fc opt")),
        ("{a?}/b", "x/b", Some("a=x")),
        ("{a?}/b", "b", None),
        ("{year=2026}/{month=11}", "", Some("year=2026 month=11")),
        ("{year=2026}/{month=11}", "2027", Some("year=2027 month=11")),
        ("files/{*path}", "files/a/b%20c/", Some("path=a/b c/")),
        ("files/{**path}", "files/a//b", Some("path=a//b")),
        ("files/{*path}", "files", Some("path")),
        ("", "", Some("")),
        ("", "x", None),
        ("%X%", "%X%", Some("")),
        ("a{{b}}", "a{b}", Some("")),
    ] {
        assert_eq!(of(template, path).as_deref(), expected, "{template} {path}");
    }
}

#[test]
fn text_and_parameters_share_a_segment() {
    for (template, path, expected) in [
        ("v{version}", "V12", Some("version=12")),
        ("v{version}", "v", None),
        ("v{version}", "xv1", None),
        ("{x}-{y}", "a-b-c", Some("x=a-b y=c")),
        ("{x}-{y}", "a-", None),
        ("{x}-{y}", "-b", None),
        ("{x}ab", "1abAB", Some("x=1ab")),
        ("{x}ab", "1ab2", None),
        ("{file}.{extension?}", "a.b.c", Some("file=a.b extension=c")),
        ("{file}.{extension?}", "a", Some("file=a extension")),
        ("{file}.{extension?}", "a.", None),
        ("o/{x}.json", "o/é.json", Some("x=é")),
        ("{x}", "a/b", None),
    ] {
        assert_eq!(of(template, path).as_deref(), expected, "{template} {path}");
    }
}

#[test]
fn constraints_decide_too() {
    const GUID: &str = "10000000-0000-4000-8000-00000000abcd";
    for (constraints, well, ill) in [
        ("int", &["7", "-7", "+7", "%207"][..], &["7.0", "a", "2147483648"][..]),
        ("INT", &["7"], &["a"]),
        ("long", &["2147483648"], &["9223372036854775808"]),
        ("bool", &["true", "FALSE"], &["1", "yes"]),
        (
            "guid",
            &[GUID, "{10000000-0000-4000-8000-00000000ABCD}", "1000000000004000800000000000abcd"],
            &["7", "urn:uuid:x"],
        ),
        ("alpha", &["abC"], &["a1", "é", "a-b"]),
        ("length(2)", &["ab"], &["a", "abc"]),
        ("length(2, 3)", &["ab", "abc"], &["a", "abcd"]),
        ("minlength(2)", &["ab"], &["a"]),
        ("maxlength(2)", &["ab", "é"], &["abc"]),
        ("min(18)", &["18"], &["17", "x"]),
        ("max(-1)", &["-1"], &["0"]),
        ("range(1,3)", &["1", "3"], &["0", "4"]),
        ("required", &["x"], &[]),
        ("alpha:minlength(2):maxlength(3)", &["ab"], &["a", "abcd", "12"]),
        (r"regex(^\d{{3}}-[a-c]$)", &["123-B"], &["12-b", "123-d"]),
        ("regex(^(a|b:c=d)$):minlength(2)", &["b:c=d"], &["a"]),
        ("regex(b/c|x)", &["axa"], &["b"]),
    ] {
        let template = format!("o/{{id:{constraints}}}");
        for (value, expected) in
            well.iter().map(|value| (value, true)).chain(ill.iter().map(|value| (value, false)))
        {
            assert_eq!(of(&template, &format!("o/{value}")).is_some(), expected, "{template} {value}");
        }
    }
    for (template, path, expected) in [
        ("{id:int?}", "", Some("id")),
        ("{id:int?}", "x", None),
        ("{id:int=5}", "", Some("id=5")),
        ("{id:int=x}", "", None),
        ("{*path:minlength(2)}", "", None),
        ("{x:int}-{y:alpha}", "1-a", Some("x=1 y=a")),
        ("{x:int}-{y:alpha}", "a-1", None),
    ] {
        assert_eq!(of(template, path).as_deref(), expected, "{template} {path}");
    }
}

#[test]
fn what_the_host_keeps_or_this_stand_in_lacks_is_refused_by_name() {
    for (template, named) in [
        ("admin/x", "admin"),
        ("Runtime", "runtime"),
        ("{at:datetime}", "datetime"),
        ("{x:int:Double}", "Double"),
        ("{x:regex(^(?!a))}", "(?!a)"),
    ] {
        match RouteTemplate::parse(template) {
            Err(RouteFault::Refused(rule)) => assert!(rule.contains(named), "{template}: {rule}"),
            other => panic!("{template}: {other:?}"),
        }
    }
}

#[test]
fn a_template_that_aspnet_cannot_read_is_invalid() {
    for template in [
        "/orders",
        "a//b",
        "{}",
        "{a",
        "a}",
        "{a{b}",
        "a?",
        "{a}{b}",
        "{a}/{A}",
        "{*a}/b",
        "x{*a}",
        "{*a?}",
        "{a?}x",
        "x{a?}",
        "{a?=5}x",
        "{a=5?}",
        "{a/b}",
        "{a:unknown}",
        "{a:int(3)}",
        "{a:length()}",
        "{a:length(x)}",
        "{a:length(3,2)}",
        "{a:range(1)}",
        "{a:min(1,2)}",
        "{a:regex}",
    ] {
        let parsed = RouteTemplate::parse(template);
        assert!(matches!(parsed, Err(RouteFault::Invalid(_))), "{template}: {parsed:?}");
    }
}

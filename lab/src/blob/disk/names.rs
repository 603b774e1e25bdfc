//! Names of blobs as paths of files, and back: plain where they can be, and never out of the container's folder.

/// The parts of a file's path. Parts that a path cannot have are written with `%`, and `%` itself too.
pub(super) fn to_file(name: &str) -> impl Iterator<Item = String> {
    name.split('/').map(|part| match part {
        // Two slashes in a row, or one at the end.
        "" => "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => part.replace('%', "%25").replace('\0', "%00").replace('\\', "%5C"),
    })
}

/// A part of a blob's name, of a part of its file's path.
pub(super) fn from_file(part: &str) -> String {
    if part == "%" {
        return String::new();
    }
    let escapes = [("%2E", "."), ("%00", "\0"), ("%5C", "\\"), ("%25", "%")];
    let mut name = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(first) = rest.chars().next() {
        let escape = escapes.iter().find_map(|(from, to)| Some((rest.strip_prefix(from)?, to)));
        rest = match escape {
            Some((after, letter)) => {
                name.push_str(letter);
                after
            }
            None => {
                name.push(first);
                &rest[first.len_utf8()..]
            }
        };
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(name: &str) -> Vec<String> {
        to_file(name).collect()
    }

    #[test]
    fn plain_names_stay_plain_and_none_leads_out_of_the_folder() {
        assert_eq!(file("contoso/1/requested.json"), ["contoso", "1", "requested.json"]);
        assert_eq!(file("../x"), ["%2E%2E", "x"]);
        assert_eq!(file("/a//"), ["%", "a", "%", "%"]);
        assert_eq!(file("a%2Eb"), ["a%252Eb"]);
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "[a-z%./\\\\\0ü25E]{0,12}") {
            let parts = file(&name);
            prop_assert!(parts.iter().all(|part| !part.is_empty() && part != "." && part != ".."));
            prop_assert!(parts.iter().all(|part| !part.contains(['/', '\0', '\\'])));
            let back: Vec<_> = parts.iter().map(|part| from_file(part)).collect();
            prop_assert_eq!(back.join("/"), name);
        }
    }
}

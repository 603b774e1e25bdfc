//! What must not stand in what the demo and its kin print: nothing that would let its reader in anywhere.

/// A kind of secret, and the marks by which it is known in a line.
struct Kind {
    name: &'static str,
    is_in: fn(&str) -> bool,
}

const KINDS: [Kind; 4] = [
    Kind { name: "a function key with its name", is_in: has_named_key },
    Kind { name: "a key or signature of Service Bus", is_in: has_shared_access },
    Kind { name: "a signed token", is_in: has_token },
    Kind { name: "a long random word, as keys and client secrets are", is_in: has_random_word },
];

/// The secrets in `output`, each as the number of its line and its kind, and never its text.
pub(super) fn found(output: &str) -> Vec<String> {
    let kinds = |line: &str| KINDS.iter().filter(|kind| (kind.is_in)(line)).map(|kind| kind.name).collect();
    let lines = output.lines().map(kinds).enumerate();
    lines
        .flat_map(|(number, kinds): (usize, Vec<&str>)| {
            kinds.into_iter().map(move |kind| format!("line {}: {kind}", number + 1))
        })
        .collect()
}

/// `?code=…` in a URL, or the header.
fn has_named_key(line: &str) -> bool {
    let line = line.to_lowercase();
    ["?code=", "&code=", "x-functions-key"].iter().any(|mark| line.contains(mark))
}

fn has_shared_access(line: &str) -> bool {
    let line = line.to_lowercase();
    ["sharedaccesskey=", "sharedaccesssignature", "accountkey="].iter().any(|mark| line.contains(mark))
}

/// A JSON object in base64, and after it two dots: a JWT, whole or with its end cut off.
fn has_token(line: &str) -> bool {
    let is_of_token = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    line.split(|letter| !is_of_token(letter))
        .filter_map(|word| word.find("eyJ").and_then(|at| word.get(at..)))
        .any(|token| token.matches('.').count() >= 2)
}

/// Longer than a UUID with what Service Bus adds to one, in the letters of base64 or of Entra's secrets; with a digit, which
/// long names of functions have not. A slash ends a word, since paths are long.
fn has_random_word(line: &str) -> bool {
    const SHORTEST: usize = 40;
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || "-_~+=".contains(letter);
    line.split(|letter| !is_of_word(letter)).any(|word| {
        word.len() >= SHORTEST
            && word.contains(|letter: char| letter.is_ascii_digit())
            && word.contains(|letter: char| letter.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_secret_is_found_by_line_and_not_quoted() {
        let key = "mKq7Vd0aZ1_bXw3RtY-9uPs2LcJh5GfDeNi8OoQvWx4TkSaBzEyMrC==";
        for (secret, kind) in [
            ("GET http://127.0.0.1/api/x?code=abc", "a function key"),
            ("curl -H 'x-functions-key: abc'", "a function key"),
            ("Endpoint=sb://x;SharedAccessKeyName=R;SharedAccessKey=abc;", "Service Bus"),
            ("SharedAccessSignature sr=x&sig=y", "Service Bus"),
            ("bearer eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln", "a signed token"),
            ("token=eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.", "a signed token"),
            (key, "a long random word"),
            ("said 25659c5f39c142729d45228eec6ba6c3~8bed1ba118ea469b95a579058b833aa5.", "a long random word"),
        ] {
            let found = found(&format!("well\n{secret}\n"));
            assert!(
                found.iter().any(|found| found.starts_with("line 2: ") && found.contains(kind)),
                "{secret}: {found:?}"
            );
            assert!(!found.concat().contains(secret));
        }
    }

    #[test]
    fn what_the_demo_prints_is_no_secret() {
        for line in [
            "contoso   4de56dbe-02a3-423c-a675-9ae5e9e829df        40    150       223        515       535",
            "TrackingId:a89f38c9-679d-4439-ad07-f11a02af29fb_G0, SystemTracker:lab (amqp:unauthorized-access)",
            "\"statusUrl\": \"/api/customers/fabrikam/deployments/da9cfd13-9108-4c28-8f29-ca2753e16774\"",
            "cd '/tmp/causeway-lab-3HjBhc/storage/stcausewaydata5564kfml/deployments' && func start",
            "Staged customer in dist/customer: ReadDeploymentCommandAndSendDeploymentStatus",
            "AADSTS700213: the federated credential's subject does not match.",
        ] {
            assert_eq!(found(line), Vec::<String>::new(), "{line}");
        }
    }
}

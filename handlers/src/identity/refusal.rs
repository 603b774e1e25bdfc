//! Why no token was given, in the operator's words.

use std::time::Duration;

use azure_core::error::ErrorKind;

use super::codes;

/// How much of what somebody said is repeated.
const SAID_LIMIT: usize = 400;

/// No token was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The AADSTS code, when Entra refused.
    pub code: Option<u32>,
    /// What Entra, the managed identity endpoint or the network said, on one line.
    pub said: String,
    /// Whether trying again later may help without anybody doing anything.
    pub is_transient: bool,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, said, .. } = self;
        match code.map(|code| (code, codes::explain(code))) {
            Some((code, Some((meaning, action)))) => {
                write!(f, "AADSTS{code}: {meaning}. To do: {action}")
            }
            Some((code, None)) => write!(
                f,
                "AADSTS{code}: Entra refused: {said}. To do: look the code up at \
                 https://login.microsoftonline.com/error?code={code}"
            ),
            None => write!(f, "no token: {said}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// What `error` of `azure_identity` means.
    pub fn of(error: &azure_core::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut said = error.to_string();
        let mut is_transient = false;
        while let Some(current) = cause {
            if let Some(inner) = current.downcast_ref::<azure_core::Error>() {
                match inner.kind() {
                    ErrorKind::HttpResponse { status, error_code, .. } => {
                        return Self::of_answer(
                            u16::from(*status),
                            error_code.as_deref(),
                            &inner.to_string(),
                        );
                    }
                    ErrorKind::Io | ErrorKind::Connection => is_transient = true,
                    _ => {}
                }
            }
            said = current.to_string();
            cause = current.source();
        }
        Self { code: None, said: one_line(&said), is_transient }
    }

    fn of_answer(status: u16, codes: Option<&str>, said: &str) -> Self {
        // Several codes are joined by commas; the first is the one that decides.
        let first = codes.and_then(|codes| codes.split(',').next());
        let code = first.and_then(|code| code.trim().parse().ok());
        let is_transient = status == 429 || status >= 500 || code.is_some_and(codes::is_transient);
        let mut said = one_line(said);
        // Without a code it is the managed identity endpoint that answered, and 400 is all it says of identities.
        if code.is_none() && status == 400 {
            said.push_str(
                ". To do: assign the managed identity that the settings name to this Function App, or correct its \
                 client id or TokenExchangeAudience in the settings",
            );
        }
        Self { code, said, is_transient }
    }

    /// The token did not come in time.
    pub fn timed_out(after: Duration) -> Self {
        let said = format!("the token endpoint gave no answer within {} s", after.as_secs());
        Self { code: None, said, is_transient: true }
    }

    /// Whether the assertion was at fault: another one, taken later, may be good.
    pub fn is_of_assertion(&self) -> bool {
        self.code.is_some_and(codes::is_of_assertion)
    }

    /// The refusal among the causes of `error`, if that is what made it fail.
    pub fn among<'error>(error: &'error (dyn std::error::Error + 'static)) -> Option<&'error Self> {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(refusal) = current.downcast_ref::<Self>() {
                return Some(refusal);
            }
            cause = current.source();
        }
        None
    }
}

/// `text` on one line, without its full stop, and not longer than anybody reads.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SAID_LIMIT) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(code: u32) -> Refusal {
        Refusal { code: Some(code), said: "Entra's own words".to_owned(), is_transient: false }
    }

    #[test]
    fn a_refusal_names_its_code_its_meaning_and_what_to_do() {
        let refusal = coded(7000229);
        let text = refusal.to_string();
        assert!(text.contains("AADSTS7000229") && text.contains("To do: have the customer's"), "{text}");
        let wrapped = azure_core::Error::with_error(ErrorKind::Credential, refusal.clone(), "outer");
        assert_eq!(Refusal::among(&wrapped), Some(&refusal));
    }

    #[test]
    fn a_code_that_nobody_foresaw_comes_with_entras_own_words() {
        let text = coded(1).to_string();
        assert!(text.contains("AADSTS1: ") && text.contains("Entra's own words"), "{text}");
        assert!(text.contains("error?code=1"), "{text}");
    }

    #[test]
    fn an_answer_is_judged_by_its_status_and_its_first_code() {
        for (status, codes, code, is_transient) in [
            (401, Some("7000215"), Some(7000215), false),
            (400, Some("90002, 1"), Some(90002), false),
            (400, Some("90033"), Some(90033), true),
            (429, None, None, true),
            (503, Some("nonsense"), None, true),
        ] {
            let refusal = Refusal::of_answer(status, codes, "said");
            assert_eq!((refusal.code, refusal.is_transient), (code, is_transient), "{status} {codes:?}");
        }
        let unassigned = Refusal::of_answer(400, None, "The requested identity has not been assigned");
        assert!(unassigned.to_string().contains("To do: assign the managed identity"), "{unassigned}");
    }

    #[test]
    fn what_was_said_is_one_short_line() {
        assert_eq!(one_line("a\r\n b\tc."), "a b c");
        let long = one_line(&"\u{e4}".repeat(1_000));
        assert_eq!(long.chars().count(), SAID_LIMIT + 2);
    }
}

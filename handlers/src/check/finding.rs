//! What is wrong, in three parts: the code that others know it by, the reason, and what to do.

use serde::Serialize;

use crate::error::Error;

/// What stands between reason and remedy in the texts of this handler.
const TO_DO: &str = ". To do: ";

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `AADSTS…` of Entra, or the condition of an AMQP error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// What `error` says.
    pub fn of(error: &Error) -> Self {
        Self { code: error.code.clone(), ..Self::said(&error.detail) }
    }

    /// A reason, with its remedy if the text goes on to one.
    pub fn said(text: &str) -> Self {
        let (reason, remedy) = match text.split_once(TO_DO) {
            Some((reason, remedy)) => (reason, Some(remedy.to_owned())),
            None => (text, None),
        };
        Self { code: None, reason: reason.to_owned(), remedy }
    }

    /// The same with this remedy, if it had none.
    #[must_use]
    pub fn or_remedy(mut self, remedy: &str) -> Self {
        self.remedy.get_or_insert_with(|| remedy.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn reason_and_remedy_are_told_apart() {
        let error = Error::new(Kind::CustomerRefused, "AADSTS1: it is so. To do: make it otherwise");
        let finding = Finding::of(&error);
        assert_eq!(
            (finding.reason.as_str(), finding.remedy.as_deref()),
            ("AADSTS1: it is so", Some("make it otherwise"))
        );
        assert_eq!(Finding::said("no more than this").or_remedy("that").remedy.as_deref(), Some("that"));
        assert_eq!(finding.or_remedy("that").remedy.as_deref(), Some("make it otherwise"));
    }
}

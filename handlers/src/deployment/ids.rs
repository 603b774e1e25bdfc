//! Identifiers that cross a trust border: checked once, here, before they become a path, a queue's business or a log field.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An identifier breaks its rule. The text says the rule, not the input.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InvalidId(&'static str);

/// Who a customer is to the provider: 1 to 64 of `a-z`, `0-9` and `-`.
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[a-z0-9-]{1,64}$")))]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomerId(String);

/// One deployment: a UUID, written in lower case with hyphens. It is also the message id of its command.
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("format" = "uuid")))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentId(Uuid);

/// The name of an action: 1 to 64 of `a-z`, `A-Z`, `0-9`, `.`, `_` and `-`.
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[a-zA-Z0-9._-]{1,64}$")))]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActionName(String);

impl DeploymentId {
    /// A new one, random.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for CustomerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("a customer id is 1 to 64 of a-z, 0-9 and -"))
        }
    }
}

impl FromStr for DeploymentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rule = InvalidId("a deployment id is a UUID of 36 characters");
        // `Uuid` reads braces, URNs and bare hex too; those would give one deployment several names.
        if text.len() != 36 {
            return Err(rule);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| rule)
    }
}

impl FromStr for ActionName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("an action is named by 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'"))
        }
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

as_text!(CustomerId, DeploymentId, ActionName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_that_could_leave_their_place_are_refused() {
        for good in ["contoso", "a", "0-9", &"x".repeat(64)] {
            assert!(good.parse::<CustomerId>().is_ok(), "{good}");
        }
        for bad in ["", "Contoso", "../x", "a/b", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<CustomerId>().is_err(), "{bad:?}");
        }
        let id = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
        assert_eq!(id.to_uppercase().parse::<DeploymentId>().unwrap().to_string(), id);
        for bad in ["", "1", "{6f9619ff-8b86-d011-b42d-00c04fc964ff}", "6f9619ff8b86d011b42d00c04fc964ff"] {
            assert!(bad.parse::<DeploymentId>().is_err(), "{bad:?}");
        }
    }
}

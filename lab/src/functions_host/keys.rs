//! Access keys: the master key, the host's default key and one default key a function, random for every run.
//!
//! <https://learn.microsoft.com/azure/azure-functions/function-keys-how-to>

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::definitions::AuthLevel;

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyLevel {
    /// Calls HTTP functions of level `function`.
    Function,
    /// Calls everything, the admin API too.
    Admin,
}

impl KeyLevel {
    /// As the `authlevel` claim has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Admin => "Admin",
        }
    }

    /// Whether a caller of this level, or without a key, may call a function of `required`.
    pub(crate) fn satisfies(held: Option<Self>, required: AuthLevel) -> bool {
        match required {
            AuthLevel::Anonymous => true,
            AuthLevel::Function => held.is_some(),
            AuthLevel::Admin => held == Some(Self::Admin),
        }
    }
}

/// Which key a caller gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyIdentity {
    pub(crate) level: KeyLevel,
    /// `master` or `default`.
    pub(crate) name: String,
}

/// All keys of a Function App.
pub(crate) struct Keys {
    master: String,
    host: String,
    functions: BTreeMap<String, String>,
}

impl Keys {
    /// Fresh keys; `None` if the system gives no random bytes.
    pub(crate) fn generate<'a>(functions: impl Iterator<Item = &'a str>) -> Option<Self> {
        let functions =
            functions.map(|name| Some((name.to_owned(), random_key()?))).collect::<Option<_>>()?;
        Some(Self { master: random_key()?, host: random_key()?, functions })
    }

    pub(crate) fn master(&self) -> &str {
        &self.master
    }

    pub(crate) fn function(&self, name: &str) -> Option<&str> {
        self.functions.get(name).map(String::as_str)
    }

    /// Whose key `given` is, for a call of `function`.
    pub(crate) fn identify(&self, given: &str, function: Option<&str>) -> Option<KeyIdentity> {
        let is = |key: &str| verify_slices_are_equal(key.as_bytes(), given.as_bytes()).is_ok();
        if is(&self.master) {
            return Some(KeyIdentity { level: KeyLevel::Admin, name: "master".to_owned() });
        }
        let own = function.and_then(|function| self.functions.get(function));
        let known = is(&self.host) || own.is_some_and(|key| is(key));
        known.then(|| KeyIdentity { level: KeyLevel::Function, name: "default".to_owned() })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

fn random_key() -> Option<String> {
    let mut bytes = [0; 40];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE.encode(bytes))
}

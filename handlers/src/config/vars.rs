//! The environment as a map, and the faults found in it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The app settings: environment variables, read once at the start and handed over.
#[derive(Clone, Default)]
pub struct Vars(BTreeMap<String, String>);

/// One setting that is missing or wrong. Its value is not part of it: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the setting, or of the file, at fault.
    pub name: String,
    /// What is expected.
    pub expected: String,
}

impl Fault {
    /// A fault of the setting `name`.
    pub fn new(name: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { name: name.into(), expected: expected.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.expected)
    }
}

impl Vars {
    /// The variables of this process. One that is no Unicode is left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`; an empty one counts as absent, as a cleared app setting is.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// As [`Vars::optional`], whatever the case of the name: so does the host read what overrides host.json.
    pub fn optional_in_any_case(&self, name: &str) -> Option<&str> {
        let known = self.0.keys().find(|known| known.eq_ignore_ascii_case(name))?;
        self.optional(known)
    }

    /// The value of `name`, which must be there.
    ///
    /// # Errors
    /// The fault, when it is absent or a Key Vault reference that the platform could not resolve.
    pub fn required(&self, name: &str, expected: &str) -> Result<&str, Fault> {
        match self.optional(name) {
            None => Err(Fault::new(name, format!("is required: {expected}"))),
            Some(value) if value.starts_with("@Microsoft.KeyVault(") => Err(unresolved(name)),
            Some(value) => Ok(value),
        }
    }

    /// The value of `name` as a `T`, which must be there.
    ///
    /// # Errors
    /// The fault, when it is absent or no `T`.
    pub fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<T, Fault> {
        self.required(name, expected)?.parse().map_err(|_| Fault::new(name, format!("must be {expected}")))
    }

    /// The value of `name` as a `T`, or `default` when it is absent.
    ///
    /// # Errors
    /// The fault, when it is there and no `T`.
    pub fn parsed_or<T: FromStr>(&self, name: &str, expected: &str, default: T) -> Result<T, Fault> {
        if self.optional(name).is_none() { Ok(default) } else { self.parsed(name, expected) }
    }

    /// The value of `name` as a `T`, if there is one.
    ///
    /// # Errors
    /// The fault, when it is there and no `T`.
    pub fn parsed_if_any<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Fault> {
        self.optional(name).map(|_| self.parsed(name, expected)).transpose()
    }

    /// Whether the handler runs in Azure rather than on somebody's machine: by what the Functions host itself goes by.
    /// <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Environment/EnvironmentExtensions.cs>
    pub fn is_hosted_in_azure(&self) -> bool {
        !self.is_under_core_tools() && (self.is_app_service() || self.is_on_consumption())
    }

    /// Whether the app is on a plan that starts an instance when there is something to do: Flex Consumption, or Linux
    /// Consumption, where `LEGION_SERVICE_HOST` may be missing. A container's name alone may be anybody's.
    pub fn is_on_consumption(&self) -> bool {
        let any = |names: [&str; 2]| names.into_iter().any(|name| self.optional(name).is_some());
        let is_flex =
            self.optional("WEBSITE_SKU").is_some_and(|sku| sku.eq_ignore_ascii_case("flexconsumption"));
        let is_container = any(["CONTAINER_NAME", "WEBSITE_POD_NAME"])
            && any(["LEGION_SERVICE_HOST", "WEBSITE_SITE_NAME"])
            && !self.is_app_service();
        !self.is_under_core_tools() && (is_flex || is_container)
    }

    fn is_app_service(&self) -> bool {
        self.optional("WEBSITE_INSTANCE_ID").is_some()
    }

    /// Core Tools, for runs on a developer's machine, set this and none of what the platform sets.
    /// <https://github.com/Azure/azure-functions-core-tools/blob/main/src/Cli/func/Program.cs>
    fn is_under_core_tools(&self) -> bool {
        self.optional("FUNCTIONS_CORETOOLS_ENVIRONMENT").is_some()
    }

    /// Whether the app has a managed identity: the platform sets both, and either alone is of no use.
    pub fn has_managed_identity(&self) -> bool {
        self.optional("IDENTITY_ENDPOINT").is_some() && self.optional("IDENTITY_HEADER").is_some()
    }
}

/// A Key Vault reference that still stands there as text was not resolved.
fn unresolved(name: &str) -> Fault {
    Fault::new(
        name,
        "is a Key Vault reference that was not resolved: give the app's identity the role Key Vault Secrets User on \
         the vault and look at the app's configuration references",
    )
}

impl FromIterator<(String, String)> for Vars {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(vars: I) -> Self {
        Self(vars.into_iter().collect())
    }
}

/// Values may be secrets; names are not.
impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Takes the values of a group of settings, or all their faults.
pub fn collect_faults<T>(result: Result<T, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

/// A .NET time span `[d.]hh:mm:ss` of at least one second.
pub fn time_span(text: &str) -> Option<std::time::Duration> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) => (days.parse::<u64>().ok()?, clock),
        None => (0, text),
    };
    let mut seconds = days.checked_mul(24 * 3600)?;
    let parts: Vec<u64> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, rest] = parts.as_slice() else { return None };
    if *hours > 23 || *minutes > 59 || *rest > 59 {
        return None;
    }
    seconds = seconds.checked_add(hours * 3600 + minutes * 60 + rest)?;
    (seconds > 0).then(|| std::time::Duration::from_secs(seconds))
}

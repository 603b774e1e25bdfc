//! `retry` of a `function.json`: how often and after which pause a failed function runs again.
//!
//! Only the file's own policy is read; one in `host.json` is not. The real host varies the pause of an exponential
//! policy at random, this one does not.
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-error-pages#retry-policies>

use std::time::Duration;

use serde_json::Value;

use super::settings::time_span;

/// A retry policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// Attempts after the first one; `-1` is without end.
    pub(crate) max_retry_count: i64,
    pause: Pause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pause {
    Fixed(Duration),
    Exponential { minimum: Duration, maximum: Duration },
}

impl RetryPolicy {
    /// # Errors
    /// The key at fault with its path, and its rule.
    pub(crate) fn read(policy: &Value) -> Result<Self, (String, String)> {
        let fault = |key: &str, rule: &str| (format!("retry.{key}"), rule.to_owned());
        let Value::Object(members) = policy else {
            return Err(("retry".to_owned(), "must be an object".to_owned()));
        };
        let span = |key: &str| {
            let text = members.get(key).and_then(Value::as_str);
            text.and_then(time_span).ok_or_else(|| fault(key, "must be a time span of the form hh:mm:ss"))
        };
        let max_retry_count = members.get("maxRetryCount").and_then(Value::as_i64);
        let max_retry_count = max_retry_count
            .filter(|count| *count >= -1)
            .ok_or_else(|| fault("maxRetryCount", "must be a whole number from -1 on"))?;
        let strategy = members.get("strategy").and_then(Value::as_str).unwrap_or_default();
        let (pause, keys) = match strategy.to_lowercase().as_str() {
            "fixeddelay" => (Pause::Fixed(span("delayInterval")?), &["delayInterval"][..]),
            "exponentialbackoff" => {
                let (minimum, maximum) = (span("minimumInterval")?, span("maximumInterval")?);
                if minimum > maximum {
                    return Err(fault("minimumInterval", "must not be above maximumInterval"));
                }
                (Pause::Exponential { minimum, maximum }, &["minimumInterval", "maximumInterval"][..])
            }
            _ => return Err(fault("strategy", "must be fixedDelay or exponentialBackoff")),
        };
        let known = |key: &str| ["strategy", "maxRetryCount"].contains(&key) || keys.contains(&key);
        match members.keys().find(|key| !known(key)) {
            Some(key) => Err(fault(key, "does not belong to this strategy: remove it")),
            None => Ok(Self { max_retry_count, pause }),
        }
    }

    /// The pause before another attempt when `retries` have been made; `None` if there is none.
    pub(crate) fn pause(&self, retries: u32) -> Option<Duration> {
        if self.max_retry_count >= 0 && i64::from(retries) >= self.max_retry_count {
            return None;
        }
        Some(match self.pause {
            Pause::Fixed(pause) => pause,
            Pause::Exponential { minimum, maximum } => {
                minimum.saturating_mul(2_u32.saturating_pow(retries)).min(maximum)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pauses_follow_the_strategy_and_end_with_the_count() {
        let fixed = json!({"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:10"});
        let fixed = RetryPolicy::read(&fixed).unwrap();
        let ten = Some(Duration::from_secs(10));
        assert_eq!([0, 1, 2].map(|retries| fixed.pause(retries)), [ten, ten, None]);
        let backoff = json!({
            "strategy": "exponentialBackoff", "maxRetryCount": -1,
            "minimumInterval": "00:00:01", "maximumInterval": "00:00:05",
        });
        let backoff = RetryPolicy::read(&backoff).unwrap();
        let seconds = [0, 2, 3, 90].map(|retries| backoff.pause(retries).unwrap().as_secs());
        assert_eq!(seconds, [1, 4, 5, 5]);
    }

    #[test]
    fn what_is_wrong_with_a_policy_is_named() {
        for (policy, expected) in [
            (json!(3), "retry must be an object"),
            (json!({"strategy": "fixedDelay"}), "retry.maxRetryCount must be"),
            (json!({"strategy": "never", "maxRetryCount": 1}), "retry.strategy must be"),
            (
                json!({"strategy": "fixedDelay", "maxRetryCount": 1}),
                "retry.delayInterval must be a time span",
            ),
            (
                json!({"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "00:00:01", "minimumInterval": "00:00:01"}),
                "retry.minimumInterval does not belong",
            ),
            (
                json!({"strategy": "exponentialBackoff", "maxRetryCount": 1, "minimumInterval": "00:01:00", "maximumInterval": "00:00:01"}),
                "must not be above",
            ),
        ] {
            let (key, rule) = RetryPolicy::read(&policy).unwrap_err();
            assert!(format!("{key} {rule}").contains(expected), "{expected}: {key} {rule}");
        }
    }
}

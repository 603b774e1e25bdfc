//! When the application's client secret expires, and who is told before.
//!
//! Entra says nothing until the secret is refused, to all customers at once. So the settings may say when that is.

use std::time::Duration;

use time::OffsetDateTime;

/// How long before its end a secret is spoken of.
const NOTICE: time::Duration = time::Duration::days(30);
/// From when on it is an error, of which the deployment's alerts tell somebody.
const ALARM: time::Duration = time::Duration::days(7);
/// How often the log says it.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// When a client secret expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretExpiry(OffsetDateTime);

/// How a secret stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// For longer than anybody need care.
    Good,
    /// For so many days more.
    Expiring(i64),
    /// No longer.
    Expired,
}

impl SecretExpiry {
    /// A secret that expires at `moment`.
    pub fn at(moment: OffsetDateTime) -> Self {
        Self(moment)
    }

    /// How the secret stands at `now`.
    pub fn standing(self, now: OffsetDateTime) -> Standing {
        match self.0 - now {
            left if !left.is_positive() => Standing::Expired,
            left if left <= NOTICE => Standing::Expiring(left.whole_days()),
            _ => Standing::Good,
        }
    }

    /// What an operator is told at `now`, if there is anything to tell.
    pub fn notice(self, now: OffsetDateTime) -> Option<String> {
        const TO_DO: &str = "To do: add a new secret to the application, put it into ClientSecret and its date into \
                             ClientSecretExpiresOn";
        let date = self.0.date();
        match self.standing(now) {
            Standing::Good => None,
            Standing::Expiring(days) => {
                Some(format!("the client secret expires on {date}, in {days} days. {TO_DO}"))
            }
            Standing::Expired => Some(format!("the client secret has expired on {date}. {TO_DO}")),
        }
    }

    /// Tells the log once a day, for ever. Dropping it ends that.
    pub async fn watch(self) {
        let mut days = tokio::time::interval(EVERY);
        loop {
            days.tick().await;
            let now = OffsetDateTime::now_utc();
            match self.notice(now) {
                Some(notice) if self.0 - now <= ALARM => tracing::error!(reason = notice, "client secret"),
                Some(notice) => tracing::warn!(reason = notice, "client secret"),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_spoken_of_from_thirty_days_before_its_end() {
        let end = OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
        let secret = SecretExpiry::at(end);
        for (before, expected) in [
            (time::Duration::days(31), Standing::Good),
            (time::Duration::days(30), Standing::Expiring(30)),
            (time::Duration::hours(1), Standing::Expiring(0)),
            (time::Duration::ZERO, Standing::Expired),
            (-time::Duration::days(1), Standing::Expired),
        ] {
            assert_eq!(secret.standing(end - before), expected, "{before}");
            assert_eq!(secret.notice(end - before).is_none(), expected == Standing::Good, "{before}");
        }
        let notice = secret.notice(end - time::Duration::days(12)).unwrap();
        assert!(notice.contains("on 2030-03-17, in 12 days. To do: "), "{notice}");
    }
}

//! Wrong hands: what is taken away from an identity is refused in one customer's name, with what it means and what to do,
//! costs no other customer anything, and works again without a restart once it is given back.

mod application;
mod assertion;
mod customer;
mod roles;

use std::sync::Mutex;
use std::time::Duration;

use lab::directory::State;
use lab::{CustomerTenant, Lab, LabConfig, ProviderTenant};
use serde_json::{Value, json};

use crate::support::{Answer, PATIENCE, World, handler, repository};

/// For whom all is well, all the time.
const WELL: &str = "fabrikam";

/// A world whose provider knows one customer at first, and takes in each other in its turn: so every case meets a tenant
/// of which the provider holds no token yet, while the one for whom all is well keeps theirs.
struct Refusals {
    world: World,
    /// The registry's document, with those taken in so far.
    registry: Mutex<Value>,
    /// The entries of all others.
    waiting: Vec<Value>,
}

/// How an operator is told: the code, and parts of what it means and of what is to be done.
type Told<'a> = (u32, &'a str, &'a str);

impl Refusals {
    /// A world with these customers. The lab may be changed before its handlers start.
    async fn start(
        customers: &[&str],
        configure: impl FnOnce(&mut LabConfig),
        prepare: impl FnOnce(&mut Lab),
    ) -> Self {
        let mut config = LabConfig::new(repository(), handler());
        config.customers = std::iter::once(&WELL).chain(customers).map(|&name| name.to_owned()).collect();
        // Ticks that do not linger, soon after one another.
        config.poll_schedule = Some("* * * * * *".to_owned());
        config.poll_window = Some(Duration::ZERO);
        configure(&mut config);
        let mut lab = Lab::prepare(config).await.unwrap();
        prepare(&mut lab);

        let file = lab.registry_file().unwrap();
        let mut document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let entries = document["customers"].as_array().unwrap().clone();
        let (known, waiting): (Vec<_>, _) =
            entries.into_iter().partition(|entry| entry["customerId"] == WELL);
        document["customers"] = known.into();
        std::fs::write(&file, document.to_string()).unwrap();
        lab.start_hosts().await.unwrap();
        let this = Self { world: World::of(lab), registry: Mutex::new(document), waiting };
        this.works(WELL).await;
        this
    }

    /// Takes something away, sees a customer refused who is new to the provider, gives it back, and sees all well.
    async fn refused_until_undone(
        &self,
        customer: &str,
        told: Told<'_>,
        take_away: impl FnOnce(&mut State, &ProviderTenant, &CustomerTenant),
    ) {
        let lab = &self.world.lab;
        let before = lab.directory().read().clone();
        let theirs = &self.world.customer(customer).tenant;
        take_away(&mut lab.directory().write(), &lab.provider().tenant, theirs);
        self.refused(customer, told).await;
        *lab.directory().write() = before;
        self.works(customer).await;
    }

    /// Takes the customer in, who must be refused: the caller and the log are told the same, and nobody else is harmed.
    async fn refused(&self, customer: &str, told: Told<'_>) {
        let before = self.failures().len();
        self.take_in(customer, |_| {});
        let (code, meaning, to_do) = told;
        let answer = self.first_answer(customer).await;
        assert_eq!((answer.status, answer.problem()), (502, "customer-refused"), "{code}: {answer:?}");
        assert!(answer.content_type.starts_with("application/problem+json"), "{answer:?}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("AADSTS{code}: {meaning}")), "{code}: {detail}");
        let (_, advice) = detail.split_once(". To do: ").unwrap();
        assert!(advice.contains(to_do), "{code}: {detail}");
        assert!(!self.world.lab.store().join(customer).exists(), "{code}: a refusal leaves no record");

        let ours = format!("\"customerId\":\"{customer}\"");
        let polled = |line: &str| line.contains("cannot be read") && line.contains(&ours);
        self.world.provider_logs(polled).await;
        self.works(WELL).await;
        let failures = self.failures().split_off(before);
        assert!(!failures.is_empty());
        for (whose, reason) in failures {
            assert_eq!((whose.as_str(), reason.as_str()), (customer, detail), "{code}");
        }
    }

    /// A command goes there and its status comes back, if not at once.
    async fn works(&self, customer: &str) {
        let sending = async {
            let mut every = tokio::time::interval(Duration::from_millis(50));
            loop {
                every.tick().await;
                let answer = self.world.send(customer, &json!({"action": "acknowledge"})).await;
                if let (202, Some(location)) = (answer.status, answer.location) {
                    return location;
                }
            }
        };
        let Ok(location) = tokio::time::timeout(PATIENCE, sending).await else {
            panic!("{customer} stays refused; the log:\n{}", self.world.log_text());
        };
        self.world.until(&location, "Succeeded").await;
    }

    /// Writes the customer's entry, changed by `change`, into the registry.
    fn take_in(&self, customer: &str, change: impl FnOnce(&mut Value)) {
        let mut entry =
            self.waiting.iter().find(|entry| entry["customerId"] == customer).cloned().expect("is waiting");
        change(&mut entry);
        let mut registry = self.registry.lock().unwrap();
        let customers = registry["customers"].as_array_mut().unwrap();
        customers.retain(|known| known["customerId"] != customer);
        customers.push(entry);
        // In one step: a document that is read half written is refused as a whole.
        let file = self.world.lab.registry_file().unwrap();
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, registry.to_string()).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }

    /// What a command is answered as soon as the provider knows the customer.
    async fn first_answer(&self, customer: &str) -> Answer {
        let asking = async {
            let mut every = tokio::time::interval(Duration::from_millis(50));
            loop {
                every.tick().await;
                let answer = self.world.send(customer, &json!({"action": "acknowledge"})).await;
                if answer.status != 404 {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("the registry is read again")
    }

    /// Whose status queue could not be read so far, and why, from the provider's log.
    fn failures(&self) -> Vec<(String, String)> {
        let lines = self.world.provider().log().lines();
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events
            .filter(|event| event["message"].as_str().is_some_and(|text| text.contains("cannot be read")))
            .map(|event| (text(&event["span"]["customerId"]), text(&event["reason"])))
            .collect()
    }
}

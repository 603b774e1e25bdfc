//! Who writes first has written: in a real folder, or in a container of a blob service that the environment names.

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::deployment::{DeploymentStatus, SchemaVersion};
use crate::store::Opener;

/// A store of the test's own: a new folder, or a new path in the container `STORE_TESTS_URL`, which is entered with the
/// token `STORE_TESTS_TOKEN`.
fn store() -> (tempfile::TempDir, DeploymentStore) {
    let folder = tempfile::tempdir().unwrap();
    let url = std::env::var("STORE_TESTS_URL").map_or_else(
        |_| format!("file://{}", folder.path().display()),
        |container| format!("{container}/{}", Uuid::new_v4()),
    );
    let objects = Opener::new(Arc::new(Given)).open(&url.parse().unwrap()).unwrap();
    (folder, DeploymentStore::new(objects))
}

/// The token of the environment.
#[derive(Debug)]
struct Given;

#[async_trait::async_trait]
impl TokenCredential for Given {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = std::env::var("STORE_TESTS_TOKEN").unwrap();
        Ok(AccessToken::new(token, OffsetDateTime::now_utc() + time::Duration::HOUR))
    }
}

fn intent(id: DeploymentId) -> Intent {
    Intent {
        deployment_id: id,
        customer_id: "contoso".parse().unwrap(),
        action: "acknowledge".parse().unwrap(),
        requested_at: datetime!(2026-11-22 10:00 UTC),
        expires_at: datetime!(2026-11-23 10:00 UTC),
        trace_id: "t".to_owned(),
    }
}

fn status(id: DeploymentId, state: &str, sequence: u32) -> StatusRecord {
    StatusRecord {
        status: DeploymentStatus {
            schema_version: SchemaVersion::CURRENT,
            deployment_id: id,
            customer_id: "contoso".parse().unwrap(),
            sequence,
            state: State::try_from(state.to_owned()).unwrap(),
            detail: None,
            error: None,
            handler_version: "1".to_owned(),
            reported_at: datetime!(2026-11-22 10:01 UTC),
        },
        recorded_at: datetime!(2026-11-22 10:02 UTC),
    }
}

#[tokio::test]
async fn the_first_terminal_state_wins_and_repeats_change_nothing() {
    let (_folder, store) = store();
    let id = DeploymentId::random();
    assert_eq!(store.record_status(&status(id, "Accepted", 1)).await.unwrap(), Recorded::UnknownDeployment);
    store.record_intent(intent(id)).await.unwrap();
    for (state, sequence, expected) in [
        ("Succeeded", 3, Recorded::New),
        ("Accepted", 1, Recorded::New),
        ("Accepted", 1, Recorded::Repeat),
        ("Succeeded", 3, Recorded::Repeat),
        ("Failed", 3, Recorded::Conflict(State::Succeeded)),
        ("Pondering", 2, Recorded::New),
        ("Pondering", 2, Recorded::Repeat),
        ("Dreaming", 2, Recorded::New),
    ] {
        assert_eq!(store.record_status(&status(id, state, sequence)).await.unwrap(), expected, "{state}");
    }
    let history = store.history(&"contoso".parse().unwrap(), id).await.unwrap().unwrap();
    assert_eq!(history.outcome, Some(State::Succeeded));
    let states: Vec<_> = history.statuses.iter().map(|record| record.status.state.as_str()).collect();
    assert_eq!(
        states,
        ["Accepted", "Pondering", "Dreaming", "Succeeded"],
        "in the order of states, not of arrival"
    );
}

#[tokio::test]
async fn unknown_states_do_not_pile_up() {
    let (_folder, store) = store();
    let id = DeploymentId::random();
    store.record_intent(intent(id)).await.unwrap();
    for letter in 'a'..='j' {
        let recorded = store.record_status(&status(id, &letter.to_string(), 2)).await.unwrap();
        assert_eq!(recorded, if letter <= 'h' { Recorded::New } else { Recorded::TooManyStates }, "{letter}");
    }
}

#[tokio::test]
async fn an_intent_and_a_key_belong_to_whom_came_first() {
    let (_folder, store) = store();
    let id = DeploymentId::random();
    let first = store.record_intent(intent(id)).await.unwrap();
    let later = Intent { requested_at: datetime!(2027-01-01 0:00 UTC), ..intent(id) };
    assert_eq!(store.record_intent(later).await.unwrap(), first);

    let customer = "contoso".parse().unwrap();
    let key = IdempotencyKey::new("../../etc/passwd");
    let record = |id| KeyRecord {
        deployment_id: id,
        body_sha256: "x".into(),
        requested_at: datetime!(2026-11-22 0:00 UTC),
    };
    let mine = store.claim_key(&customer, &key, record(id)).await.unwrap();
    let theirs = store.claim_key(&customer, &key, record(DeploymentId::random())).await.unwrap();
    assert_eq!(mine, theirs);
}

#[tokio::test]
async fn many_writers_at_once_end_in_one_outcome() {
    let (_folder, store) = store();
    let id = DeploymentId::random();
    store.record_intent(intent(id)).await.unwrap();
    let states = ["Succeeded", "Failed", "Rejected"];
    let records: Vec<_> = (0..30).map(|n| status(id, states[n % 3], 3)).collect();
    let written =
        futures_util::future::join_all(records.iter().map(|record| store.record_status(record))).await;
    let new = written.iter().filter(|outcome| matches!(outcome, Ok(Recorded::New))).count();
    assert_eq!(new, 1);
    let history = store.history(&"contoso".parse().unwrap(), id).await.unwrap().unwrap();
    assert_eq!(history.statuses.len(), 1);
    assert_eq!(Some(&history.statuses[0].status.state), history.outcome.as_ref());
}

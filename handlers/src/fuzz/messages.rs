//! The two messages: whatever comes is read or refused in words of our own, and what is written is read as it was.

use std::fmt::Debug;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::check;
use super::generate::{changed, edited, json, swollen, text};
use crate::deployment::{DeploymentCommand, DeploymentStatus, SchemaVersion, State, Unreadable};

pub(super) fn a_command() -> Value {
    json!({
        "schemaVersion": "1.0", "deploymentId": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "customerId": "contoso",
        "action": "acknowledge", "parameters": {"version": "1.2.3", "replicas": 3, "share": 0.1},
        "requestedAt": "2026-11-22T20:00:00.123Z", "expiresAt": "2030-01-31T12:00:00Z", "unknown": [null],
    })
}

fn a_status() -> Value {
    json!({
        "schemaVersion": "1.0", "deploymentId": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "customerId": "contoso",
        "sequence": 3, "state": "Failed", "detail": "a word", "error": "why", "handlerVersion": "0.1.0",
        "reportedAt": "2026-11-22T20:00:00.123+02:00", "unknown": {},
    })
}

/// What may come in place of `message`.
pub(super) fn bodies(message: fn() -> Value) -> impl Strategy<Value = Bytes> {
    let bytes = |value: Value| value.to_string().into_bytes();
    prop_oneof![
        10 => vec(any::<u8>(), 0..600),
        10 => json().prop_map(bytes),
        40 => changed(Just(message())).prop_map(bytes),
        40 => edited(Just(bytes(message()))),
        2 => swollen(Just(message())),
    ]
    .prop_map(Bytes::from)
}

/// Reads `body`; what can be read is written and read again without a difference.
fn read_or_refused<T: PartialEq + Debug + Serialize>(
    body: &[u8],
    read: fn(&[u8]) -> Result<T, Unreadable>,
) -> TestCaseResult {
    match read(body) {
        Ok(message) => same_again(&message, read),
        Err(refused) => {
            let text = refused.to_string();
            let is_ours = match &refused {
                Unreadable::Shape(_) => text.contains(" at line ") && text.contains(" column "),
                Unreadable::Version { found, .. } => text.contains(&found.to_string()),
            };
            // A text of one size cannot quote what it refuses.
            prop_assert!(is_ours && text.len() < 160, "{text}");
            Ok(())
        }
    }
}

fn same_again<T: PartialEq + Debug + Serialize>(
    message: &T,
    read: fn(&[u8]) -> Result<T, Unreadable>,
) -> TestCaseResult {
    let written = serde_json::to_vec(message).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let again = read(&written).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(again == *message, "{} became another", String::from_utf8_lossy(&written));
    Ok(())
}

#[test]
fn any_command_is_read_or_refused() {
    check(file!(), "any_command_is_read_or_refused", &bodies(a_command), |body| {
        read_or_refused(&body, DeploymentCommand::read)
    });
}

#[test]
fn any_status_is_read_or_refused() {
    check(file!(), "any_status_is_read_or_refused", &bodies(a_status), |body| {
        read_or_refused(&body, DeploymentStatus::read)
    });
}

fn uuids() -> impl Strategy<Value = String> {
    any::<u128>().prop_map(|bits| Uuid::from_u128(bits).to_string())
}

/// To the nanosecond, in the years that RFC 3339 can write, at every offset that it can write.
fn moments() -> impl Strategy<Value = OffsetDateTime> {
    // A day less at both ends, so that no offset leads out of the years 0 to 9999.
    let seconds = -62_167_132_800_i64..=253_402_214_399;
    (seconds, 0_u32..1_000_000_000, -23_i8..=23, 0_i8..60).prop_map(|(seconds, nanos, hours, minutes)| {
        let offset = UtcOffset::from_hms(hours, minutes * hours.signum(), 0).unwrap();
        let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        moment.replace_nanosecond(nanos).unwrap().to_offset(offset)
    })
}

fn versions() -> impl Strategy<Value = SchemaVersion> {
    (0..=SchemaVersion::CURRENT.major, any::<u32>()).prop_map(|(major, minor)| SchemaVersion { major, minor })
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let commands = (
        versions(),
        uuids(),
        "[a-z0-9-]{1,64}",
        "[a-zA-Z0-9._-]{1,64}",
        proptest::collection::btree_map(text(), json(), 0..6),
        moments(),
        moments(),
    )
        .prop_map(|(schema_version, id, customer, action, parameters, requested_at, expires_at)| {
            DeploymentCommand {
                schema_version,
                deployment_id: id.parse().unwrap(),
                customer_id: customer.parse().unwrap(),
                action: action.parse().unwrap(),
                parameters: parameters.into_iter().collect(),
                requested_at,
                expires_at,
            }
        });
    check(file!(), "what_is_written_is_read_as_it_was (command)", &commands, |command| {
        same_again(&command, DeploymentCommand::read)
    });

    let states = prop_oneof!["Accepted|Running|Succeeded|Failed|Rejected", "[a-zA-Z]{1,32}"];
    let states = states.prop_map(|name| State::try_from(name).unwrap());
    let (detail, error) = (proptest::option::of(text()), proptest::option::of(text()));
    let statuses =
        (versions(), uuids(), "[a-z0-9-]{1,64}", any::<u32>(), states, detail, error, text(), moments())
            .prop_map(
                |(schema_version, id, customer, sequence, state, detail, error, version, reported_at)| {
                    DeploymentStatus {
                        schema_version,
                        deployment_id: id.parse().unwrap(),
                        customer_id: customer.parse().unwrap(),
                        sequence,
                        state,
                        detail,
                        error,
                        handler_version: version,
                        reported_at,
                    }
                },
            );
    check(file!(), "what_is_written_is_read_as_it_was (status)", &statuses, |status| {
        same_again(&status, DeploymentStatus::read)
    });
}

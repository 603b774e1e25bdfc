//! Runs the cases with this repository's own client against the namespace that the environment names.
//!
//! One line a case, `ok NAME`, `not ok NAME: reason` or `n/a NAME: reason`; the last line is JSON with the versions and the
//! counts. A case has the same name in all languages.
#![expect(clippy::print_stdout, reason = "its lines are what it is for")]

/// Fails a case unless the condition holds, with a formatted reason.
macro_rules! ensure {
    ($holds:expr, $($reason:tt)+) => {
        if !$holds {
            return Err(format!($($reason)+).into());
        }
    };
}

mod cases;
mod queue_cases;
mod refusals;
mod world;

use std::error::Error;
use std::process::ExitCode;

use futures_util::future::BoxFuture;
use serde_json::json;

use world::World;

/// What a case gives: any error fails it.
type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A case, by the name that all languages have for it.
struct Case {
    name: &'static str,
    what: What,
}

enum What {
    Run(fn(&World) -> BoxFuture<'_, Result>),
    /// Why the client cannot do it.
    NotApplicable(&'static str),
}

/// Names a case by its function.
macro_rules! case {
    ($module:ident :: $function:ident) => {
        Case { name: stringify!($function), what: What::Run(|world| Box::pin($module::$function(world))) }
    };
}

const NO_PROCESSOR: &str = "the client has no processor: messages are received by calls only";

const NO_SESSIONS: &str = "the client has no sessions";
const SESSION_CASES: [&str; 8] = [
    "a_session_is_received_in_order_by_one_receiver",
    "the_next_free_session_is_given",
    "without_a_session_that_is_free_the_wait_ends_in_time",
    "a_session_keeps_its_state",
    "a_session_lock_is_renewed",
    "a_session_whose_lock_ran_out_is_lost",
    "deferred_messages_of_a_session_come_by_their_numbers",
    "sessions_are_used_where_they_are_required_and_nowhere_else",
];

/// The cases of a way, in the order in which they run.
fn cases(way: &str) -> Vec<Case> {
    let not_applicable = |name, reason| Case { name, what: What::NotApplicable(reason) };
    let mut cases = vec![
        case!(cases::send_receive_complete),
        case!(cases::properties_arrive_as_they_were_sent),
        case!(cases::a_binary_body_arrives_as_it_was_sent),
        case!(cases::a_message_without_an_id_can_be_settled),
        case!(cases::completes_in_any_order),
        case!(cases::abandon_raises_the_delivery_count),
        case!(cases::dead_letters_with_reason_and_description),
        case!(cases::dead_letters_after_the_last_delivery),
        case!(cases::a_batch_arrives_whole_and_in_order),
        case!(cases::carries_200_kilobytes),
        case!(cases::an_empty_queue_gives_nothing_in_the_time_asked_for),
        case!(cases::receive_and_delete_needs_no_settlement),
        case!(cases::competing_receivers_never_share_a_message),
        case!(cases::senders_side_by_side_lose_nothing),
        not_applicable("a_subscription_completes_what_its_handler_took", NO_PROCESSOR),
        case!(cases::a_duplicate_is_accepted_and_dropped),
        case!(refusals::a_lost_lock_cannot_be_settled),
        case!(refusals::a_lost_lock_cannot_be_renewed),
        case!(refusals::too_large_a_message_is_refused),
        case!(refusals::a_batch_takes_no_more_than_may_be_sent),
        case!(refusals::a_full_queue_takes_no_more),
        case!(refusals::a_queue_that_is_not_there_is_named),
    ];
    cases.extend([
        case!(queue_cases::a_scheduled_message_comes_at_its_time),
        case!(queue_cases::a_cancelled_message_never_comes),
        case!(queue_cases::deferred_messages_come_by_their_numbers),
        case!(queue_cases::a_deferred_message_can_be_received_and_deleted),
        case!(queue_cases::peeking_sees_what_is_there_and_takes_nothing),
        case!(queue_cases::a_renewed_lock_lasts_longer),
        case!(queue_cases::an_expired_message_becomes_a_dead_letter),
        not_applicable(
            "a_queues_own_time_to_live_is_the_longest",
            "the client shows the time to live, but not the time of expiry",
        ),
    ]);
    cases.extend(SESSION_CASES.map(|name| not_applicable(name, NO_SESSIONS)));
    cases.extend(match way {
        world::BY_CONNECTION_STRING => vec![case!(refusals::a_wrong_key_is_refused)],
        _ => {
            vec![
                case!(refusals::a_wrong_secret_is_refused),
                case!(refusals::a_queue_without_a_role_is_refused),
            ]
        }
    });
    cases
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let world = World::of_environment()?;
    let (mut passed, mut failed) = (0, 0);
    for Case { name, what } in cases(&world.way) {
        let run = match what {
            What::Run(run) => run,
            What::NotApplicable(reason) => {
                println!("n/a {name}: {reason}");
                continue;
            }
        };
        match run(&world).await {
            Ok(()) => {
                passed += 1;
                println!("ok {name}");
            }
            Err(error) => {
                failed += 1;
                println!("not ok {name}: {}", one_line(&error));
                if let Err(error) = world.drain().await {
                    println!("# the queues could not be emptied: {}", one_line(&error));
                }
            }
        }
    }
    let summary = json!({
        // Both are of the workspace, which has one version.
        "sdk": concat!("azure_messaging_servicebus ", env!("CARGO_PKG_VERSION")),
        "way": world.way,
        "passed": passed,
        "failed": failed,
    });
    println!("{summary}");
    Ok(if passed > 0 && failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one_line(error: &dyn ToString) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

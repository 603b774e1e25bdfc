//! Performatives and messages as the peer writes them, with the fields that do not matter filled in.

use fe2o3_amqp_types::definitions::{Error, Handle, ReceiverSettleMode, Role, SenderSettleMode};
use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{
    Body, Data, Header, Message, MessageAnnotations, Properties, Source, Target,
};
use fe2o3_amqp_types::performatives::{Attach, Begin, Flow, Transfer};
use serde_amqp::primitives::Timestamp;
use serde_amqp::{Value, to_vec};

use crate::broker::wire::value;

pub(super) type Decoded = Message<Body<Value>>;

pub(super) fn begin() -> Begin {
    Begin {
        remote_channel: None,
        next_outgoing_id: 0,
        incoming_window: 5000,
        outgoing_window: 5000,
        handle_max: Handle(1000),
        offered_capabilities: None,
        desired_capabilities: None,
        properties: None,
    }
}

pub(super) fn attach(handle: u32, role: Role, source: Source, target: Target) -> Attach {
    Attach {
        name: format!("link-{handle}"),
        handle: Handle(handle),
        role,
        snd_settle_mode: SenderSettleMode::Unsettled,
        rcv_settle_mode: ReceiverSettleMode::Second,
        source: Some(Box::new(source)),
        target: Some(Box::new(target.into())),
        unsettled: None,
        incomplete_unsettled: false,
        initial_delivery_count: None,
        max_message_size: None,
        offered_capabilities: None,
        desired_capabilities: None,
        properties: None,
    }
}

pub(super) fn receiver(handle: u32, address: &str) -> Attach {
    let source = Source { address: Some(address.into()), ..Source::default() };
    attach(handle, Role::Receiver, source, Target::default())
}

/// A receiver of a session: of that which `filter` names, or of any when it is null.
pub(super) fn session_receiver(handle: u32, address: &str, filter: Value, timeout: Option<u32>) -> Attach {
    let mut attach = receiver(handle, address);
    if let Some(source) = &mut attach.source {
        source.filter = Some([("com.microsoft:session-filter".into(), filter)].into_iter().collect());
    }
    let timeout = timeout.map(|timeout| ("com.microsoft:timeout".into(), Value::Uint(timeout)));
    Attach { properties: Some(timeout.into_iter().collect()), ..attach }
}

/// A flow of the session alone, whose window has so much room from its beginning on.
pub(super) fn window(frames: u32) -> Flow {
    Flow {
        next_incoming_id: None,
        incoming_window: frames,
        next_outgoing_id: 0,
        outgoing_window: 5000,
        handle: None,
        delivery_count: None,
        link_credit: None,
        available: None,
        drain: false,
        echo: false,
        properties: None,
    }
}

pub(super) fn flow(handle: u32, delivery_count: u32, credit: u32, drain: bool, echo: bool) -> Flow {
    Flow {
        handle: Some(Handle(handle)),
        delivery_count: Some(delivery_count),
        link_credit: Some(credit),
        drain,
        echo,
        ..window(5000)
    }
}

pub(super) fn transfer(handle: u32, id: u32, format: u32, settled: Option<bool>) -> Transfer {
    Transfer {
        handle: Handle(handle),
        delivery_id: Some(id),
        delivery_tag: Some(Vec::new().into()),
        message_format: Some(format),
        settled,
        more: false,
        rcv_settle_mode: None,
        state: None,
        resume: false,
        aborted: false,
        batchable: false,
    }
}

/// The condition and the description of an error, which always has three fields.
pub(super) fn told(error: Error) -> (String, String) {
    assert!(error.info.is_some());
    let condition = to_vec(&error.condition).unwrap();
    (value::text(&condition).unwrap().to_owned(), error.description.unwrap())
}

pub(super) fn empty() -> Decoded {
    Message {
        header: None,
        delivery_annotations: None,
        message_annotations: None,
        properties: None,
        application_properties: None,
        body: Body::Empty,
        footer: None,
    }
}

/// A message with one data section.
pub(super) fn encode(text: &str) -> Vec<u8> {
    encode_with_id(text, None)
}

pub(super) fn encode_with_id(text: &str, id: Option<&str>) -> Vec<u8> {
    let properties = id.map(|id| Properties::builder().message_id(id.to_owned()).build());
    let body = Body::Data(vec![Data(text.as_bytes().to_vec().into())].into());
    to_vec(&Serializable(Decoded { properties, body, ..empty() })).unwrap()
}

/// A message of a session.
pub(super) fn encode_of_session(text: &str, session: &str) -> Vec<u8> {
    let properties = Properties { group_id: Some(session.to_owned()), ..Properties::default() };
    let body = Body::Data(vec![Data(text.as_bytes().to_vec().into())].into());
    to_vec(&Serializable(Decoded { properties: Some(properties), body, ..empty() })).unwrap()
}

/// A message for a moment in milliseconds since 1970.
pub(super) fn encode_scheduled(text: &str, at: i64) -> Vec<u8> {
    let at = ("x-opt-scheduled-enqueue-time".into(), Value::Timestamp(at.into()));
    let message_annotations = Some(MessageAnnotations([at].into_iter().collect()));
    let body = Body::Data(vec![Data(text.as_bytes().to_vec().into())].into());
    to_vec(&Serializable(Decoded { message_annotations, body, ..empty() })).unwrap()
}

/// A message that is good for so many milliseconds, with the times that SDKs write by their own clocks.
pub(super) fn encode_good_for(text: &str, milliseconds: u32) -> Vec<u8> {
    let header = Some(Header { ttl: Some(milliseconds), ..Header::default() });
    let properties = Properties {
        creation_time: Some(Timestamp::from_milliseconds(1000)),
        absolute_expiry_time: Some(Timestamp::from_milliseconds(2000)),
        ..Properties::default()
    };
    let body = Body::Data(vec![Data(text.as_bytes().to_vec().into())].into());
    to_vec(&Serializable(Decoded { header, properties: Some(properties), body, ..empty() })).unwrap()
}

/// The map of a request or an answer.
pub(super) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (Value::String(name.into()), value)).collect())
}

/// An entry of an answer's map.
pub(super) fn entry<'a>(map: &'a Value, name: &str) -> &'a Value {
    let Value::Map(map) = map else { panic!("{map:?}") };
    map.get(&Value::String(name.into())).unwrap_or(&Value::Null)
}

pub(super) fn longs<const N: usize>(numbers: [i64; N]) -> Value {
    Value::Array(numbers.map(Value::Long).to_vec().into())
}

/// A message annotation.
pub(super) fn annotation(message: &Decoded, name: &str) -> Option<Value> {
    let annotations = &message.message_annotations.as_ref().unwrap().0;
    annotations.iter().find(|(key, _)| format!("{key:?}").contains(name)).map(|(_, value)| value.clone())
}

//! Performatives and messages as the peer writes them, with the fields that do not matter filled in.

use fe2o3_amqp_types::definitions::{Error, Handle, ReceiverSettleMode, Role, SenderSettleMode};
use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{Body, Data, Message, Properties, Source, Target};
use fe2o3_amqp_types::performatives::{Attach, Begin, Transfer};
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

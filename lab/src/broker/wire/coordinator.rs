//! Attaches to a coordinator of transactions, which the decoder of performatives does not know.
//!
//! What cannot be decoded ends the connection with all its links; an attach that is refused ends one link. So the coordinator
//! is given an address, as other targets have one, and is refused by that.
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transactions-v1.0-os.html#type-coordinator>

use bytes::{BufMut, BytesMut};

use super::edit;
use super::value::{self, Elements, Malformed};

/// Stands for the coordinator; no queue can have such a name.
pub(crate) const ADDRESS: &str = "$coordinator";

const ATTACH: u8 = 0x12;
const TARGET: u8 = 0x29;
const COORDINATOR: u8 = 0x30;

/// Where the target stands among the fields of an attach.
const FIELDS_BEFORE_TARGET: usize = 6;

/// An attach to a coordinator as one to [`ADDRESS`]; none for every other performative.
pub(super) fn as_target(performative: &[u8]) -> Result<Option<BytesMut>, Malformed> {
    let Some(list) = described(performative, ATTACH, "amqp:attach:list") else { return Ok(None) };
    let fields = Elements::of(list)?;
    let mut rest = fields;
    rest.by_ref().take(FIELDS_BEFORE_TARGET).try_for_each(|field| field.map(drop))?;
    let before = &fields.rest[..fields.rest.len() - rest.rest.len()];
    let Some(target) = rest.next().transpose()? else { return Ok(None) };
    if described(target, COORDINATOR, "amqp:coordinator:list").is_none() {
        return Ok(None);
    }
    let mut address = Vec::new();
    edit::put_text(&mut address, 0xa1, ADDRESS);
    let mut elements = before.to_vec();
    edit::put_compound(&mut elements, TARGET, 0xd0, 1, &address);
    elements.put_slice(rest.rest);
    let mut attach = Vec::new();
    edit::put_compound(&mut attach, ATTACH, 0xd0, fields.count, &elements);
    Ok(Some(attach.as_slice().into()))
}

/// The value behind a descriptor that is this code or this symbol.
fn described<'a>(encoded: &'a [u8], code: u8, symbol: &str) -> Option<&'a [u8]> {
    let descriptor = encoded.strip_prefix(&[0x00])?;
    let (descriptor, value) = descriptor.split_at(value::length(descriptor).ok()?);
    let is_it = match descriptor {
        [0x53, number] | [0x80, 0, 0, 0, 0, 0, 0, 0, number] => *number == code,
        _ => value::text(descriptor) == Some(symbol),
    };
    is_it.then_some(value)
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::definitions::Role;
    use fe2o3_amqp_types::messaging::TargetArchetype;
    use fe2o3_amqp_types::performatives::Attach;
    use serde_amqp::described::Described;
    use serde_amqp::descriptor::Descriptor;
    use serde_amqp::primitives::{Array, Symbol};
    use serde_amqp::{Value, from_slice, to_vec};

    use super::*;

    fn list(descriptor: Descriptor, fields: Vec<Value>) -> Value {
        Value::Described(Box::new(Described { descriptor, value: Value::List(fields) }))
    }

    fn attach(target: Value) -> Vec<u8> {
        let mut fields = vec![Value::String("link".into()), Value::Uint(3), Value::Bool(false)];
        fields.extend([
            Value::Null,
            Value::Null,
            Value::Null,
            target,
            Value::Null,
            Value::Null,
            Value::Uint(0),
        ]);
        to_vec(&list(Descriptor::Code(0x12), fields)).unwrap()
    }

    #[test]
    fn a_coordinator_is_given_an_address_and_everything_else_stays() {
        let capability =
            Value::Array(Array::from(vec![Value::Symbol(Symbol::from("amqp:local-transactions"))]));
        for coordinator in [
            list(Descriptor::Code(0x30), Vec::new()),
            list(Descriptor::Code(0x30), vec![capability]),
            list(Descriptor::Name("amqp:coordinator:list".into()), Vec::new()),
        ] {
            let rewritten = as_target(&attach(coordinator)).unwrap().unwrap();
            let attach: Attach = from_slice(&rewritten).unwrap();
            assert_eq!((attach.name.as_str(), attach.handle.0, attach.role), ("link", 3, Role::Sender));
            assert_eq!(attach.initial_delivery_count, Some(0));
            let TargetArchetype::Target(target) = *attach.target.unwrap();
            assert_eq!(target.address.as_deref(), Some(ADDRESS));
        }
        let queue = list(Descriptor::Code(0x29), vec![Value::String("q".into())]);
        for other in
            [attach(queue), attach(Value::Null), to_vec(&list(Descriptor::Code(0x10), Vec::new())).unwrap()]
        {
            assert_eq!(as_target(&other).unwrap(), None);
        }
    }
}

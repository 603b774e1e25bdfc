//! Frames as few clients write them, all of them by the book.

use fe2o3_amqp::frames::amqp::FrameBody;
use serde_amqp::Value;

use super::build::{begin, encode, map};
use super::*;
use crate::broker::wire::codec::write_frame;

const NULL: &[u8] = &[0x40];

/// A performative, or a section whose value is a list.
fn list(code: u8, fields: &[&[u8]]) -> Vec<u8> {
    let elements = fields.concat();
    let mut out = vec![0x00, 0x53, code, 0xd0];
    out.extend_from_slice(&u32::try_from(elements.len() + 4).unwrap().to_be_bytes());
    out.extend_from_slice(&u32::try_from(fields.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&elements);
    out
}

fn text(constructor: u8, text: &str) -> Vec<u8> {
    [&[constructor, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// A frame on channel 0 whose header has so many words.
fn frame(words: u8, body: &[u8]) -> Vec<u8> {
    let extension = vec![0xab; usize::from(words - 2) * 4];
    let length = u32::try_from(8 + extension.len() + body.len()).unwrap();
    [&length.to_be_bytes()[..], &[words, 0, 0, 0], &extension, body].concat()
}

/// A peer that opens with these fields behind the container's name.
async fn opened(world: &World, fields: &[&[u8]]) -> Peer {
    let mut peer = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    peer.out.extend_from_slice(b"AMQP\x00\x01\x00\x00");
    let name = text(0xa1, "raw");
    let open = list(0x10, &[&[&name[..]], fields].concat());
    peer.out.extend_from_slice(&frame(2, &open));
    write_frame(&mut peer.out, 0, &begin()).unwrap();
    peer.handshake().await;
    assert!(matches!(peer.next().await.1, FrameBody::Open(_)));
    assert!(matches!(peer.next().await.1, FrameBody::Begin(_)));
    peer
}

#[tokio::test]
async fn broker_b41_who_names_no_frame_size_is_sent_the_largest_and_each_delivery_is_named_once() {
    let world = World::start().await;
    let mut peer = opened(&world, &[]).await;
    peer.put_token("sb://h/q", &world.token()).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "q").await.unwrap();
    peer.flow(1, 0, 2, false, false).await;
    for (length, frames) in [(60_000, 1), (150_000, 3)] {
        let body = "x".repeat(length);
        let payload = encode(&body);
        let mut parts = payload.chunks(50_000).peekable();
        while let Some(part) = parts.next() {
            let transfer = build::transfer(0, length as u32, 0, Some(true));
            let more = parts.peek().is_some();
            peer.transfer_frame(&fe2o3_amqp_types::performatives::Transfer { more, ..transfer }, part).await;
        }
        let received = peer.receive().await;
        assert_eq!((received.text(), received.frames), (body, frames));
    }
    peer.close().await;
}

#[tokio::test]
async fn empty_arrays_are_none() {
    let world = World::start().await;
    let (symbols, strings): (&[u8], &[u8]) = (&[0xe0, 2, 0, 0xa3], &[0xf0, 0, 0, 0, 5, 0, 0, 0, 0, 0xb1]);
    let entries = [&text(0xa3, "a")[..], symbols, &text(0xa3, "b"), &[0x41]].concat();
    let properties = [&[0xc1, u8::try_from(entries.len() + 1).unwrap(), 4][..], &entries].concat();
    let fields = [NULL, NULL, NULL, NULL, symbols, strings, symbols, symbols, &properties];
    let mut peer = opened(&world, &fields).await;
    assert_eq!(world.namespace.connections()[0].container_id, "raw");
    peer.put_token("sb://h/q", &world.token()).await;
    // A receiver whose source has no outcomes and no capabilities, and which desires none.
    let (address, name) = (text(0xa1, "q"), text(0xa1, "l"));
    let source = list(0x28, &[&address, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, symbols, strings]);
    let target = list(0x29, &[NULL]);
    let attach = list(
        0x12,
        &[&name, &[0x52, 1], &[0x41], NULL, NULL, &source, &target, NULL, NULL, NULL, NULL, symbols, symbols],
    );
    peer.out.extend_from_slice(&frame(2, &attach));
    peer.flush().await;
    let FrameBody::Attach(answer) = peer.next().await.1 else { panic!("no attach") };
    assert_eq!(answer.source.unwrap().address.as_deref(), Some("q"));
    // In a message they stay what they were, in a request they are understood.
    peer.attach_sender(0, "q").await.unwrap();
    let message = [&[0x00, 0x53, 0x77][..], symbols].concat();
    peer.transfer(0, 0, Some(true), &message).await;
    world.namespace.wait_until("q", |counts| counts.active == 1).await.unwrap();
    assert_eq!(world.namespace.messages("q").unwrap()[0].body, symbols);
    peer.attach_node("q/$management", 10).await;
    for (operation, argument, status) in [
        ("renew-lock", "lock-tokens", 400),
        ("schedule-message", "messages", 400),
        ("update-disposition", "lock-tokens", 200),
        ("receive-by-sequence-number", "sequence-numbers", 204),
    ] {
        let body = map([
            (argument, Value::Array(Vec::new().into())),
            ("disposition-status", Value::String("completed".into())),
            ("receiver-settle-mode", Value::Uint(1)),
        ]);
        let body = serde_amqp::to_vec(&body).unwrap();
        let at = body.windows(3).position(|bytes| bytes == [0xe0, 1, 0]).unwrap();
        let with_constructor = [&body[..at], symbols, &body[at + 3..]].concat();
        for mut body in [body.clone(), with_constructor] {
            body[1] = u8::try_from(body.len() - 2).unwrap();
            let name = text(0xa1, &format!("com.microsoft:{operation}"));
            let properties = [&text(0xa1, "operation")[..], &name].concat();
            let size = u8::try_from(properties.len() + 1).unwrap();
            let request = [
                &list(0x73, &[&text(0xa1, "id")])[..],
                &[0x00, 0x53, 0x74, 0xc1, size, 2],
                &properties,
                &[0x00, 0x53, 0x77],
                &body,
            ]
            .concat();
            peer.transfer(10, 0, Some(true), &request).await;
            let id = fe2o3_amqp_types::messaging::MessageId::String("id".into());
            let answer = peer.answer(&id, "statusCode", "statusDescription").await;
            assert_eq!(answer.status, status, "{operation}: {}", answer.description);
        }
    }
    peer.close().await;
}

#[tokio::test]
async fn an_extended_header_is_passed_over_on_the_wire() {
    let world = World::start().await;
    let mut peer = opened(&world, &[]).await;
    peer.out.extend_from_slice(&frame(5, &[]));
    peer.out.extend_from_slice(&frame(3, &list(0x17, &[])));
    peer.flush().await;
    assert!(matches!(peer.next().await.1, FrameBody::End(_)));
    peer.out.extend_from_slice(&frame(255, &list(0x18, &[])));
    peer.flush().await;
    assert!(matches!(peer.next().await.1, FrameBody::Close(close) if close.error.is_none()));
}

#[tokio::test]
async fn answers_have_tags_of_their_own() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_node("q/$management", 10).await;
    let mut tags = Vec::new();
    for _ in 0..3 {
        peer.ask(10, &[("operation", "made-up")], Value::Null).await;
        let transfer = peer.receive().await.transfer;
        assert_ne!(transfer.settled, Some(true));
        tags.push(transfer.delivery_tag.unwrap().to_vec());
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "{tags:?}");
    peer.close().await;
}

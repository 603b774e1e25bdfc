//! Frames as the service sends them: what passes, and what the watches make of it.

use std::io;
use std::sync::Arc;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::tap::{HEADER, Tap};
use super::watch::{Answer, LinkWatch, Watches};

const CHANNEL: u8 = 7;

fn frame(channel: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(HEADER + body.len()).unwrap();
    [&size.to_be_bytes()[..], &[2, 0, 0, channel], body].concat()
}

fn list(code: u8, count: u8, fields: &[u8]) -> Vec<u8> {
    let length = u8::try_from(fields.len() + 1).unwrap();
    [&[0x00, 0x53, code, 0xc0, length, count], fields].concat()
}

fn attach(channel: u8) -> Vec<u8> {
    frame(channel, &list(0x12, 2, b"\xa1\x04link\x43"))
}

fn transfer(channel: u8, more: bool) -> Vec<u8> {
    carrying(channel, more, &[&[0x00, 0x53, 0x75, 0xa0, 200][..], &[7; 200]].concat())
}

fn carrying(channel: u8, more: bool, payload: &[u8]) -> Vec<u8> {
    let more = if more { 0x41 } else { 0x42 };
    let fields = [0x43, 0x52, 9, 0xa0, 1, 5, 0x43, 0x42, more];
    frame(channel, &[&list(0x14, 6, &fields), payload].concat())
}

/// Incoming id and windows, then the handle, the delivery count, the credit, what is available, and drain.
fn flow(channel: u8, handle: u8, drain: u8) -> Vec<u8> {
    frame(channel, &list(0x13, 9, &[0x43, 0x43, 0x43, 0x43, handle, 0x52, 3, 0x43, 0x43, drain]))
}

/// Role, first, last, settled and the state.
fn disposition(channel: u8, first: u8, last: u8, state: &[u8]) -> Vec<u8> {
    frame(channel, &list(0x15, 5, &[&[0x42, 0x52, first, 0x52, last, 0x41], state].concat()))
}

const ACCEPTED: [u8; 4] = [0x00, 0x53, 0x24, 0x45];
const HEADERS: [&[u8]; 2] = [b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00"];

/// What comes through a tap when `bytes` come in pieces of these sizes.
async fn through(bytes: &[u8], pieces: &[usize]) -> (Vec<u8>, Arc<LinkWatch>) {
    let watches = Arc::new(Watches::default());
    let watch = watches.watch("link");
    let (mut service, stream) = tokio::io::duplex(16);
    let mut tap = Tap::new(stream, watches);
    let writing = async {
        let (mut rest, mut pieces) = (bytes, pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
            service.write_all(piece).await.unwrap();
            rest = after;
        }
        drop(service);
    };
    let mut passed = Vec::new();
    let (read, ()) = tokio::join!(tap.read_to_end(&mut passed), writing);
    read.unwrap();
    (passed, watch)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn all_frames_pass_but_flows_of_the_link(pieces in proptest::collection::vec(1_usize..40, 1..20)) {
        let before = [HEADERS.concat(), attach(CHANNEL), transfer(CHANNEL, true)].concat();
        let drained = flow(CHANNEL, 0x43, 0x41);
        let after = [
            transfer(CHANNEL, false),
            flow(CHANNEL, 0x40, 0x42),
            flow(CHANNEL + 1, 0x43, 0x41),
            frame(0, &[]),
        ]
        .concat();
        let bytes = [&before[..], &transfer(CHANNEL, false), &drained, &after].concat();
        let (passed, watch) = block_on(through(&bytes, &pieces));
        prop_assert!(passed == [before, transfer(CHANNEL, false), after].concat());
        prop_assert_eq!(watch.drained_at(), Some(1), "one delivery had come in full");
    }

    #[test]
    fn a_peer_that_does_not_speak_amqp_is_heard_as_it_is(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        pieces in proptest::collection::vec(1_usize..40, 1..20),
    ) {
        let bytes = [b"HTTP/1.1 400 Bad Request\r\n".to_vec(), bytes].concat();
        prop_assert!(block_on(through(&bytes, &pieces)).0 == bytes);
    }
}

#[test]
fn a_payload_that_cannot_be_counted_becomes_one_that_cannot_be_read() {
    use fe2o3_amqp_types::messaging::message::__private::Deserializable;
    use fe2o3_amqp_types::messaging::{Body, Message};
    use fe2o3_amqp_types::primitives::Value;

    let good = b"\x00\x53\x74\xc1\x07\x02\xa1\x01k\xa1\x01v\x00\x53\x75\xa0\x02hi";
    // A key without a value, and a size without its count.
    for bad in [
        &b"\x00\x53\x74\xc1\x04\x01\xa1\x01k\x00\x53\x75\xa0\x02hi"[..],
        b"\x00\x53\x75\xa0\x02hi\x00\x53\x78\xc1\x00\x00",
    ] {
        for cut in 0..=bad.len() {
            let (before, after) = bad.split_at(cut);
            let sent = [
                HEADERS[1].to_vec(),
                attach(CHANNEL),
                carrying(CHANNEL, true, before),
                carrying(CHANNEL + 1, false, good),
                carrying(CHANNEL, false, after),
                carrying(CHANNEL, false, good),
            ]
            .concat();
            let (passed, _) = block_on(through(&sent, &[7]));
            assert_eq!(passed.len(), sent.len(), "frames keep their size");
            let end = passed.len() - carrying(CHANNEL, false, good).len();
            assert!(passed.ends_with(&carrying(CHANNEL, false, good)), "the next delivery is in order");
            let second = &passed[end - after.len()..end];
            let other = carrying(CHANNEL + 1, false, good);
            let middle = end - carrying(CHANNEL, false, after).len();
            assert!(passed[..middle].ends_with(&other), "and so is another link's");
            let first = &passed[middle - other.len() - before.len()..middle - other.len()];
            let whole = [first, second].concat();
            let read = serde_amqp::from_slice::<Deserializable<Message<Body<Value>>>>(&whole);
            assert!(read.is_err(), "{cut}: {whole:x?}");
        }
    }
}

#[test]
fn what_is_no_frame_or_cannot_be_counted_ends_the_connection() {
    let too_small = [0, 0, 0, 5, 2, 0, 0, 0].to_vec();
    let head_beyond_the_end = [0, 0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 0].to_vec();
    let too_large = [1, 0, 0, 0, 2, 0, 0, 0].to_vec();
    // An attach whose properties are a map without its count.
    let not_counted = frame(CHANNEL, &list(0x12, 2, b"\xa1\x04link\xc1\x00\x00"));
    for broken in [too_small, head_beyond_the_end, too_large, not_counted] {
        let bytes = [HEADERS.concat(), attach(CHANNEL), broken, attach(CHANNEL)].concat();
        let mut tap = Tap::new(&bytes[..], Arc::new(Watches::default()));
        let mut passed = Vec::new();
        let error = block_on(tap.read_to_end(&mut passed)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(passed, [HEADERS.concat(), attach(CHANNEL)].concat());
    }
}

#[test]
fn a_frame_that_is_cut_off_is_left_out() {
    // The first says that it is whole, and has no room for a head.
    for cut in [&[0, 0, 0, 5, 2][..], &[0, 0, 0, 9, 2, 0, 0, 0], &[0]] {
        let bytes = [HEADERS[1], &attach(CHANNEL)[..]].concat();
        let (passed, _) = block_on(through(&[&bytes[..], cut].concat(), &[3]));
        assert_eq!(passed, bytes);
    }
}

#[test]
fn a_peer_that_settles_first_is_not_waited_for() {
    // Name, handle, role, and the modes of sender and receiver.
    let answers_after_written = |modes: &[u8]| {
        let watches = Watches::default();
        let watch = watches.watch("link");
        let attach = list(0x12, 5, &[b"\xa1\x04link\x43\x42", modes].concat());
        watches.note(u16::from(CHANNEL), &attach);
        let (answer, mut answered) = oneshot::channel();
        watch.expect(1, false, answer);
        assert!(answered.try_recv().is_err(), "nothing is written yet");
        watch.written();
        (matches!(answered.try_recv(), Ok(Answer::Applied)), watch.is_waiting())
    };
    assert_eq!(answers_after_written(&[0x50, 0, 0x50, 0]), (true, false), "first");
    assert_eq!(answers_after_written(&[0x40, 0x50, 0]), (true, false), "first, and no word of the sender's");
    assert_eq!(answers_after_written(&[0x50, 0, 0x50, 1]), (false, true), "second");
}

#[test]
fn client_c25_each_delivery_of_a_row_gets_the_answer_and_no_other() {
    let watches = Watches::default();
    let watch = watches.watch("link");
    let note = |frame: Vec<u8>| assert!(watches.note(u16::from(frame[7]), &frame[HEADER..]));
    let expect = |id| {
        let (answer, answered) = oneshot::channel();
        watch.expect(id, false, answer);
        answered
    };
    let mut waiting: Vec<_> = (1..=6).map(expect).collect();
    note(attach(CHANNEL));
    note(disposition(CHANNEL + 1, 1, 6, &ACCEPTED));
    assert!(waiting.iter_mut().all(|answer| answer.try_recv().is_err()), "of another link");
    note(disposition(CHANNEL, 2, 3, &ACCEPTED));
    let lost = b"\x00\x53\x25\xc0\x2c\x01\x00\x53\x1d\xc0\x26\x03\xa3\x1fcom.microsoft:message-lock-lost\x40\xc1\x01\x00";
    note(disposition(CHANNEL, 5, 200, lost));
    let answers: Vec<_> = waiting.iter_mut().map(|answer| answer.try_recv().ok()).collect();
    assert!(
        matches!(
            answers[..],
            [
                None,
                Some(Answer::Applied),
                Some(Answer::Applied),
                None,
                Some(Answer::Refused(_)),
                Some(Answer::Refused(_))
            ]
        ),
        "{answers:?}"
    );
    assert!(watch.is_waiting());
    watch.give_up();
    assert!(waiting[0].try_recv().is_err() && !watch.is_waiting());
}

#[test]
fn client_c25_ids_wrap_around_and_an_outcome_that_cannot_be_read_is_no_success() {
    let watches = Watches::default();
    let watch = watches.watch("link");
    watches.note(u16::from(CHANNEL), &attach(CHANNEL)[HEADER..]);
    let (first, mut last_id) = oneshot::channel();
    let (second, mut first_id) = oneshot::channel();
    watch.expect(u32::MAX, false, first);
    watch.expect(0, false, second);
    let row = [&[0x42, 0x70, 0xff, 0xff, 0xff, 0xff, 0x43, 0x41][..], &ACCEPTED].concat();
    watches.note(u16::from(CHANNEL), &list(0x15, 5, &row));
    assert!(matches!(last_id.try_recv(), Ok(Answer::Applied)));
    assert!(matches!(first_id.try_recv(), Ok(Answer::Applied)));
    let (answer, mut answered) = oneshot::channel();
    watch.expect(5, false, answer);
    watches.note(u16::from(CHANNEL), &list(0x15, 5, &[0x42, 0x52, 5, 0x40, 0x41, 0x40]));
    assert!(matches!(answered.try_recv(), Ok(Answer::Unclear)));
}

#[test]
fn client_c11_rejected_without_a_reason_is_success_for_a_dead_letter_only() {
    let watches = Watches::default();
    let watch = watches.watch("link");
    watches.note(u16::from(CHANNEL), &attach(CHANNEL)[HEADER..]);
    let ((completing, mut completed), (rejecting, mut rejected)) = (oneshot::channel(), oneshot::channel());
    watch.expect(1, false, completing);
    watch.expect(2, true, rejecting);
    watches.note(u16::from(CHANNEL), &disposition(CHANNEL, 1, 2, &[0x00, 0x53, 0x25, 0x45])[HEADER..]);
    assert!(matches!(completed.try_recv(), Ok(Answer::Unclear)));
    assert!(matches!(rejected.try_recv(), Ok(Answer::Applied)));
}

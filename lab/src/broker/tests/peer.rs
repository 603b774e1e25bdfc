//! A peer that writes frames by hand.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::{Error, Role};
use fe2o3_amqp_types::messaging::message::__private::Deserializable;
use fe2o3_amqp_types::messaging::{Body, DeliveryState, Source, Target};
use fe2o3_amqp_types::performatives::{Attach, Close, Detach, Disposition, Open, Transfer};
use serde_amqp::from_slice;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::build::{Decoded, attach, begin, encode, flow, receiver, transfer};
use crate::broker::wire::codec::{FrameReader, decode, write_frame};

/// Longer than anything that the broker does in its own time; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct Peer {
    pub(super) reader: FrameReader<Box<dyn AsyncRead + Send + Unpin>>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) out: BytesMut,
    pub(super) next_delivery_id: u32,
    pub(super) has_cbs: bool,
    /// For the next Open, in milliseconds.
    pub(super) idle_time_out: Option<u32>,
    /// For the next request.
    pub(super) reply_to: Option<String>,
}

/// A delivery as it arrived.
pub(super) struct Received {
    pub(super) transfer: Transfer,
    pub(super) frames: usize,
    pub(super) message: Decoded,
}

impl Received {
    pub(super) fn id(&self) -> u32 {
        self.transfer.delivery_id.unwrap()
    }

    pub(super) fn text(&self) -> String {
        match &self.message.body {
            Body::Data(data) => {
                String::from_utf8(data.iter().flat_map(|data| data.0.to_vec()).collect()).unwrap()
            }
            body => panic!("{body:?}"),
        }
    }

    pub(super) fn delivery_count(&self) -> u32 {
        self.message.header.as_ref().unwrap().delivery_count
    }
}

impl Peer {
    /// Connects and sends everything up to Begin in one packet, as the Python SDK does; reads the answers.
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let mut peer = Self::raw(address).await;
        let open = peer.open_and_begin().await;
        assert!(matches!(open, (FrameBody::Open(_), FrameBody::Begin(_))), "{open:?}");
        peer
    }

    /// A socket on which nothing was said.
    pub(super) async fn raw(address: SocketAddr) -> Self {
        let (reader, writer) = TcpStream::connect(address).await.unwrap().into_split();
        Self::over(reader, writer)
    }

    pub(super) fn over(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let reader = FrameReader::new(Box::new(reader) as Box<_>);
        let writer = Box::new(writer);
        Self {
            reader,
            writer,
            out: BytesMut::new(),
            next_delivery_id: 0,
            has_cbs: false,
            idle_time_out: None,
            reply_to: None,
        }
    }

    pub(super) async fn open_and_begin(&mut self) -> (FrameBody, FrameBody) {
        self.open_and_begin_with(&[]).await
    }

    /// Opens and begins with `more` frames in the same packet.
    pub(super) async fn open_and_begin_with(&mut self, more: &[u8]) -> (FrameBody, FrameBody) {
        let open = Open {
            container_id: "test".into(),
            hostname: Some("localhost".into()),
            max_frame_size: 1024.into(),
            channel_max: 100.into(),
            idle_time_out: self.idle_time_out,
            outgoing_locales: None,
            incoming_locales: None,
            offered_capabilities: None,
            desired_capabilities: None,
            properties: None,
        };
        self.out.extend_from_slice(b"AMQP\x00\x01\x00\x00");
        write_frame(&mut self.out, 0, &open).unwrap();
        write_frame(&mut self.out, 0, &begin()).unwrap();
        self.out.extend_from_slice(more);
        self.handshake().await;
        (self.next().await.1, self.next().await.1)
    }

    /// Writes what is there and waits for the broker's protocol header.
    pub(super) async fn handshake(&mut self) {
        self.flush().await;
        while self.reader.take_protocol_header().is_none() {
            assert!(self.reader.fill().await.unwrap());
        }
    }

    pub(super) async fn flush(&mut self) {
        self.writer.write_all(&self.out.split()).await.unwrap();
        self.writer.flush().await.unwrap();
    }

    pub(super) async fn send(&mut self, performative: &impl serde::Serialize) {
        write_frame(&mut self.out, 0, performative).unwrap();
        self.flush().await;
    }

    /// The next frame that is not empty.
    pub(super) async fn next(&mut self) -> (u16, FrameBody) {
        self.try_next().await.expect("the connection is open")
    }

    pub(super) async fn try_next(&mut self) -> Option<(u16, FrameBody)> {
        loop {
            let frame = self.next_of_any_kind().await?;
            if !matches!(frame.1, FrameBody::Empty) {
                return Some(frame);
            }
        }
    }

    pub(super) async fn next_of_any_kind(&mut self) -> Option<(u16, FrameBody)> {
        loop {
            if let Some(frame) = self.reader.take_frame().unwrap() {
                let frame = decode(frame).unwrap();
                return Some((frame.channel, frame.body));
            }
            // A reset is an end too: it is what a broken connection looks like.
            let filled = tokio::time::timeout(PATIENCE, self.reader.fill()).await.expect("an answer");
            if !filled.unwrap_or(false) {
                return None;
            }
        }
    }

    /// Attaches a sending link; the error of the detach when it is refused.
    pub(super) async fn attach_sender(&mut self, handle: u32, address: &str) -> Result<Attach, Error> {
        let attach = attach(
            handle,
            Role::Sender,
            Source::default(),
            Target { address: Some(address.into()), ..Target::default() },
        );
        let answer = self.attach(attach).await?;
        match self.next().await.1 {
            FrameBody::Flow(flow) => assert!(flow.link_credit > Some(0) && flow.delivery_count.is_some()),
            body => panic!("{body:?}"),
        }
        Ok(answer)
    }

    /// Attaches a receiving link in peek-lock mode; the error of the detach when it is refused.
    pub(super) async fn attach_receiver(&mut self, handle: u32, address: &str) -> Result<Attach, Error> {
        self.attach(receiver(handle, address)).await
    }

    pub(super) async fn attach(&mut self, attach: Attach) -> Result<Attach, Error> {
        self.send(&attach).await;
        let FrameBody::Attach(answer) = self.next().await.1 else { panic!("no attach") };
        assert_eq!((&answer.name, answer.properties.is_some()), (&attach.name, true));
        if answer.source.is_some() && answer.target.is_some() {
            return Ok(answer);
        }
        assert_eq!((answer.source, answer.target), (None, None), "a refusal has neither");
        let FrameBody::Detach(Detach { closed: true, error: Some(error), .. }) = self.next().await.1 else {
            panic!("no detach")
        };
        assert!(error.info.is_some(), "an error has three fields");
        Err(error)
    }

    /// Detaches a link and waits for the answer.
    pub(super) async fn detach(&mut self, handle: u32) {
        self.send(&Detach { handle: handle.into(), closed: true, error: None }).await;
        assert!(matches!(self.next().await.1, FrameBody::Detach(detach) if detach.error.is_none()));
    }

    pub(super) async fn flow(
        &mut self,
        handle: u32,
        delivery_count: u32,
        credit: u32,
        drain: bool,
        echo: bool,
    ) {
        self.send(&flow(handle, delivery_count, credit, drain, echo)).await;
    }

    /// Sends a delivery and gives its id; `None` for `settled` leaves the field out.
    pub(super) async fn transfer(
        &mut self,
        handle: u32,
        format: u32,
        settled: Option<bool>,
        payload: &[u8],
    ) -> u32 {
        let id = self.next_delivery_id;
        self.next_delivery_id += 1;
        self.transfer_frame(&transfer(handle, id, format, settled), payload).await;
        id
    }

    pub(super) async fn transfer_frame(&mut self, transfer: &Transfer, payload: &[u8]) {
        self.put_transfer(transfer, payload);
        self.flush().await;
    }

    /// As [`Peer::transfer_frame`], but it goes with what is sent next.
    pub(super) fn put_transfer(&mut self, transfer: &Transfer, payload: &[u8]) {
        let start = self.out.len();
        write_frame(&mut self.out, 0, transfer).unwrap();
        self.out.extend_from_slice(payload);
        let length = u32::try_from(self.out.len() - start).unwrap().to_be_bytes();
        self.out[start..start + 4].copy_from_slice(&length);
    }

    /// Sends a text and waits until it is accepted.
    pub(super) async fn send_text(&mut self, handle: u32, text: &str) {
        let id = self.transfer(handle, 0, None, &encode(text)).await;
        let disposition = self.disposition().await;
        assert!(disposition.settled && (disposition.first..=disposition.last.unwrap()).contains(&id));
        assert!(matches!(disposition.state, Some(DeliveryState::Accepted(_))), "{disposition:?}");
    }

    pub(super) async fn disposition(&mut self) -> Disposition {
        match self.next().await.1 {
            FrameBody::Disposition(disposition) => disposition,
            body => panic!("{body:?}"),
        }
    }

    /// Reads one delivery, of however many frames.
    pub(super) async fn receive(&mut self) -> Received {
        let (mut first, mut payload, mut frames) = (None, Vec::new(), 0);
        loop {
            let FrameBody::Transfer { performative, payload: part } = self.next().await.1 else {
                panic!("no transfer")
            };
            payload.extend_from_slice(&part);
            if frames > 0 {
                // Only the first frame names the delivery.
                assert_eq!((performative.delivery_id, &performative.delivery_tag), (None, &None));
            }
            frames += 1;
            let more = performative.more;
            let transfer = first.get_or_insert(performative).clone();
            if !more {
                let message = from_slice::<Deserializable<Decoded>>(&payload).unwrap().0;
                return Received { transfer, frames, message };
            }
        }
    }

    pub(super) async fn settle(
        &mut self,
        first: u32,
        last: u32,
        settled: bool,
        state: impl Into<DeliveryState>,
    ) {
        let (role, state) = (Role::Receiver, Some(state.into()));
        self.send(&Disposition { role, first, last: Some(last), settled, state, batchable: false }).await;
    }

    /// Settles one delivery and gives the state of the reply.
    pub(super) async fn settle_one(&mut self, id: u32, state: impl Into<DeliveryState>) -> DeliveryState {
        self.settle(id, id, false, state).await;
        let reply = self.disposition().await;
        assert_eq!((reply.role, reply.first, reply.last, reply.settled), (Role::Sender, id, Some(id), true));
        reply.state.unwrap()
    }

    /// Closes in good order and waits for the answer.
    pub(super) async fn close(mut self) {
        self.send(&Close { error: None }).await;
        while let Some((_, body)) = self.try_next().await {
            if matches!(body, FrameBody::Close(_)) {
                return;
            }
        }
        panic!("no close");
    }
}

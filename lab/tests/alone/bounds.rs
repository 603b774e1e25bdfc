//! What the broker takes of the machine when much is asked of it. The figures are printed; the limits are generous, so that
//! they tell a leak from a busy machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use azure_messaging_servicebus::{Message, PeekMessagesOptions, ReceiveMessageOptions, ServiceBusClient};
use futures_util::{StreamExt, stream};
use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::child::{Broker, PATIENCE};

const MESSAGE: usize = 1024;

/// By how many MiB the process grew since it held `before`; 0 where the system does not say.
fn grown(broker: &Broker, before: Option<u64>) -> f64 {
    let (Some(before), Some(now)) = (before, broker.memory()) else { return 0.0 };
    f64::from(u32::try_from(now.saturating_sub(before)).unwrap()) / 1024.0
}

/// Sends `count` messages of `size` bytes, many at a time.
async fn fill(client: &ServiceBusClient, queue: &str, count: usize, size: usize) {
    let sender = client.create_sender(queue, None).await.unwrap();
    let send = |_| sender.send_message(Message::new(vec![b'x'; size]), None);
    let mut sending = stream::iter(0..count).map(send).buffer_unordered(500);
    while let Some(sent) = sending.next().await {
        sent.unwrap();
    }
}

/// A message there and back.
async fn is_served(client: &ServiceBusClient, queue: &str) {
    let sender = client.create_sender(queue, None).await.unwrap();
    sender.send_message(Message::from("hello"), None).await.unwrap();
    let receiver = client.create_receiver(queue, None).await.unwrap();
    let message = tokio::time::timeout(PATIENCE, receiver.receive_message(None)).await.unwrap();
    receiver.complete_message(&message.unwrap().unwrap(), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_messages_of_a_kilobyte_wait_in_one_queue() {
    const COUNT: usize = 100_000;
    let broker = Broker::start(&["--queue", "full", "--queue", "other"]).await;
    let client = broker.client().await;
    is_served(&client, "other").await;
    let before = broker.memory();
    let began = Instant::now();
    fill(&client, "full", COUNT, MESSAGE).await;
    let (took, grown) = (began.elapsed(), grown(&broker, before));
    assert_eq!(broker.count("full", "active").await, COUNT as u64);
    let began = Instant::now();
    is_served(&client, "other").await;
    println!(
        "{COUNT} messages of {MESSAGE} bytes in {took:.1?}: {grown:.0} MiB; a message on another queue: {:.1?}",
        began.elapsed()
    );
    assert!(grown < 300.0, "{grown} MiB for 98 MiB of bodies");
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_are_served() {
    const COUNT: u16 = 1000;
    let broker = Arc::new(Broker::start(&["--queue", "q", "--queue", "other"]).await);
    let first = broker.client().await;
    is_served(&first, "other").await;
    let before = broker.memory();
    let began = Instant::now();
    let mut opening = JoinSet::new();
    let mut clients = Vec::new();
    for _ in 0..COUNT {
        // Not all at once: the system holds only so many that were not accepted yet.
        if opening.len() == 50 {
            clients.push(opening.join_next().await.unwrap().unwrap());
        }
        let broker = Arc::clone(&broker);
        opening.spawn(async move {
            let client = broker.client().await;
            let sender = client.create_sender("q", None).await.unwrap();
            sender.send_message(Message::from("hello"), None).await.unwrap();
            (client, sender)
        });
    }
    clients.extend(opening.join_all().await);
    let (took, grown) = (began.elapsed(), grown(&broker, before));
    let (_, all) = broker.get("/queues").await;
    assert_eq!(all["connections"], u64::from(COUNT) + 1);
    assert_eq!(broker.count("q", "active").await, u64::from(COUNT));
    let began = Instant::now();
    is_served(&first, "other").await;
    println!(
        "{COUNT} connections, each with a sent message, in {took:.1?}: {:.0} KiB each; a message on one more: {:.1?}",
        grown * 1024.0 / f64::from(COUNT),
        began.elapsed()
    );
    assert!(grown < 250.0, "{grown} MiB for {COUNT} connections");
}

/// A way to `broker` that brings nothing back from it once `stop` is cancelled.
async fn one_way(broker: SocketAddr, stop: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let (mut from_client, mut to_client) = near.into_split();
        let (mut from_broker, mut to_broker) = TcpStream::connect(broker).await.unwrap().into_split();
        let there = copy(&mut from_client, &mut to_broker);
        let back = async {
            // Cancel safe: what is in the copy's buffer then is not wanted.
            tokio::select! {
                ended = copy(&mut from_broker, &mut to_client) => drop(ended),
                () = stop.cancelled() => std::future::pending().await,
            }
        };
        tokio::join!(there, back)
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_hold_little_and_others_are_served() {
    const CLIENTS: usize = 4;
    const COUNT: usize = 2000;
    const LARGE: usize = 60 * 1024;
    let broker = Broker::start(&["--queue", "q", "--queue", "other", "--lock-duration", "300"]).await;
    let client = broker.client().await;
    is_served(&client, "other").await;
    let (stop, mut clients) = (CancellationToken::new(), Vec::new());
    fill(&client, "q", CLIENTS, MESSAGE).await;
    for _ in 0..CLIENTS {
        let deaf = broker.client_by_way_of(one_way(broker.amqp(), stop.clone()).await).await;
        let receiver = deaf.create_receiver("q", None).await.unwrap();
        let message = receiver.receive_message(None).await.unwrap().unwrap();
        receiver.complete_message(&message, None).await.unwrap();
        clients.push((deaf, receiver));
    }
    stop.cancel();
    fill(&client, "q", COUNT, LARGE).await;
    let before = broker.memory();
    let mut receiving = JoinSet::new();
    for (deaf, receiver) in clients {
        receiving.spawn(async move {
            let forever = Some(azure_core::time::Duration::hours(1));
            let options = ReceiveMessageOptions { max_wait_time: forever };
            let received = receiver.receive_messages(COUNT, Some(options)).await;
            drop((received, deaf));
        });
    }
    // Each is sent what its sockets and the broker's buffer for it hold, and no more.
    let mut locked = 0;
    loop {
        is_served(&client, "other").await;
        let now = broker.count("q", "locked").await;
        if now == locked && now >= CLIENTS as u64 {
            break;
        }
        locked = now;
    }
    let grown = grown(&broker, before);
    let began = Instant::now();
    is_served(&client, "other").await;
    println!(
        "{CLIENTS} clients that never read hold {locked} of {COUNT} messages of {LARGE} bytes: {grown:.0} MiB; a message of \
         another: {:.1?}",
        began.elapsed()
    );
    assert!(broker.count("q", "active").await > COUNT as u64 / 4, "the most is left for others");
    assert!(grown < 50.0, "{grown} MiB");
}

/// The broker's memory once nothing changes it any more.
async fn settled_memory(broker: &Broker, client: &ServiceBusClient) -> Option<u64> {
    const NOISE: u64 = 1024;
    let (mut last, mut calm) = (broker.memory()?, 0);
    while calm < 10 {
        is_served(client, "other").await;
        let now = broker.memory()?;
        calm = if now.abs_diff(last) < NOISE { calm + 1 } else { 0 };
        last = now;
    }
    Some(last)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_the_answers_to_their_requests_hold_little() {
    const CLIENTS: usize = 2;
    /// As many as our client has credit for.
    const REQUESTS: usize = 100;
    const LARGE: usize = 60 * 1024;
    let broker = Broker::start(&["--queue", "q", "--queue", "other"]).await;
    let client = broker.client().await;
    is_served(&client, "other").await;
    // An answer holds no more than a mebibyte.
    fill(&client, "q", 20, LARGE).await;
    let (stop, mut receivers) = (CancellationToken::new(), Vec::new());
    for _ in 0..CLIENTS {
        let deaf = broker.client_by_way_of(one_way(broker.amqp(), stop.clone()).await).await;
        let receiver = deaf.create_receiver("q", None).await.unwrap();
        receiver.peek_messages(1, None).await.unwrap();
        receivers.push((deaf, Arc::new(receiver)));
    }
    stop.cancel();
    let before = settled_memory(&broker, &client).await;
    let mut asking = JoinSet::new();
    for (_, receiver) in &receivers {
        for _ in 0..REQUESTS {
            let receiver = Arc::clone(receiver);
            asking.spawn(async move {
                let options = PeekMessagesOptions { from_sequence_number: Some(1) };
                receiver.peek_messages(100, Some(options)).await.map(drop)
            });
        }
    }
    settled_memory(&broker, &client).await;
    let grown = grown(&broker, before);
    println!("{CLIENTS} clients with {REQUESTS} unread answers of a mebibyte each: {grown:.0} MiB");
    assert!(grown < 50.0, "{grown} MiB");
}

//! The readiness probe: `GET /` until anything answers.
//!
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Workers/Http/DefaultHttpWorkerService.cs>

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

const INTERVAL: Duration = Duration::from_millis(25);

/// Below the ports that systems give to whoever asks for any, outgoing connections among them.
/// <https://www.rfc-editor.org/rfc/rfc6335#section-6>, and `ip_local_port_range` of Linux, which begins at 32768
const PORTS: Range<u16> = 15_000..32_000;
const ATTEMPTS: usize = 100;

/// A loopback port that is free at this moment. It is released at once, as the host does, and kept for all restarts, so
/// another process could take it while no handler listens. Hence none that the system gives away by itself.
pub(super) fn free_port() -> io::Result<u16> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    match std::iter::repeat_with(random_port).take(ATTEMPTS).find(is_free) {
        Some(port) => Ok(port),
        None => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port()),
    }
}

fn random_port() -> u16 {
    let [.., high, low] = Uuid::new_v4().into_bytes();
    PORTS.start + u16::from_be_bytes([high, low]) % (PORTS.end - PORTS.start)
}

/// Waits until the handler on `port` answers. False if nobody listened within `limit`, which is looked at between
/// attempts only: a handler that accepts and then keeps silent holds the probe.
///
/// Any answer counts, and so does a connection that is accepted and then closed.
pub(super) async fn answered(port: u16, limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        if attempt(port).await.is_ok() {
            return true;
        }
        if start.elapsed() >= limit {
            return false;
        }
        sleep(INTERVAL).await;
    }
}

/// Fails only if no connection could be made.
async fn attempt(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_ok() {
        // Whatever comes, be it nothing at all, the handler listens.
        stream.read_u8().await.ok();
    }
    Ok(())
}

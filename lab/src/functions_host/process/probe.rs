//! The readiness probe: `GET /` until anything answers.
//!
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Workers/Http/DefaultHttpWorkerService.cs>

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

const INTERVAL: Duration = Duration::from_millis(25);

/// A loopback port that is free at this moment. It is released at once, as the host does, so another process may take
/// it before the handler binds it.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
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

//! What the lab says of itself, by `tracing`, while one test runs in it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::Dispatch;
use tracing_subscriber::EnvFilter;

/// Takes the lines of the lab and of the Service Bus client in it. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct LabLog(Arc<Mutex<Vec<u8>>>);

impl LabLog {
    /// Runs `work` on threads of its own, so that other tests' labs, which share the process, are not heard.
    pub(super) fn block_on(self, work: impl Future<Output = ()>) {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("lab=trace,azure_messaging_servicebus=trace"))
            .with_ansi(false)
            .with_writer(move || lines.clone());
        let dispatch = Dispatch::new(subscriber.finish());
        let _here = tracing::dispatcher::set_default(&dispatch);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            // For as long as the thread lives.
            .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
            .build();
        runtime.unwrap().block_on(work);
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for LabLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! W3C trace context: taken from the request or started here, and carried in the messages both ways.
//!
//! The host adds no `traceparent` to an invocation unless Application Insights is set up, so without one a trace
//! starts in the handler. <https://www.w3.org/TR/trace-context/>

use uuid::Uuid;

/// Name of the header and of the message property.
pub const TRACEPARENT: &str = "traceparent";
/// Name of the header and of the message property.
pub const TRACESTATE: &str = "tracestate";

/// One position in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: String,
    parent_id: String,
    flags: String,
    state: Option<String>,
}

impl TraceContext {
    /// The context that the caller gave, or a new trace when there is none or it breaks the format.
    pub fn continue_or_start(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        traceparent.and_then(|header| Self::parse(header, tracestate)).unwrap_or_else(Self::start)
    }

    fn start() -> Self {
        Self {
            trace_id: Uuid::new_v4().simple().to_string(),
            parent_id: new_parent_id(),
            flags: "01".to_owned(),
            state: None,
        }
    }

    fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (version, trace_id, parent_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Version 00 has exactly four parts; a later one may have more, which are ignored.
        let complete = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let valid = is_hex(trace_id, 32) && is_hex(parent_id, 16) && is_hex(flags, 2);
        let not_zero = |id: &str| id.bytes().any(|digit| digit != b'0');
        if !(complete && valid && not_zero(trace_id) && not_zero(parent_id)) {
            return None;
        }
        Some(Self {
            trace_id: trace_id.to_owned(),
            parent_id: parent_id.to_owned(),
            flags: flags.to_owned(),
            state: tracestate.filter(|state| state.len() <= 512 && state.is_ascii()).map(str::to_owned),
        })
    }

    /// The next position in the same trace, to be given to whom we call.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { parent_id: new_parent_id(), ..self.clone() }
    }

    /// Id of the whole trace.
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// Value of `traceparent`.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{}", self.trace_id, self.parent_id, self.flags)
    }

    /// Value of `tracestate`, if the trace has one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// Half of a version 4 UUID: its version digit keeps it from being all zeros.
fn new_parent_id() -> String {
    format!("{:016x}", Uuid::new_v4().as_u64_pair().0)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_trace_goes_on_and_an_invalid_one_is_replaced() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let context = TraceContext::continue_or_start(Some(given), Some("vendor=1"));
        assert_eq!(context.traceparent(), given);
        assert_eq!(context.tracestate(), Some("vendor=1"));
        let child = context.child();
        assert_eq!(child.trace_id(), context.trace_id());
        assert_ne!(child.traceparent(), given);

        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more",
        ] {
            let started = TraceContext::continue_or_start(Some(bad), None);
            assert!(is_hex(started.trace_id(), 32), "{bad}");
            assert_ne!(started.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736", "{bad}");
        }
    }
}

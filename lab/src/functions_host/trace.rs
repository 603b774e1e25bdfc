//! `traceparent` and `tracestate`, which the host sends on only if Application Insights is configured.
//!
//! <https://www.w3.org/TR/trace-context/>

use uuid::Uuid;

/// The trace that an invocation belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TraceContext {
    trace_id: String,
    flags: String,
    pub(super) state: Option<String>,
}

impl TraceContext {
    /// A trace of its own.
    pub(super) fn start() -> Self {
        Self { trace_id: Uuid::new_v4().simple().to_string(), flags: "01".to_owned(), state: None }
    }

    /// The caller's trace, if `traceparent` is well formed.
    pub(super) fn of_caller(traceparent: &str, state: Option<&str>) -> Option<Self> {
        let parts: Vec<&str> = traceparent.split('-').collect();
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        match parts[..] {
            ["00", trace_id, span_id, flags] if hex(trace_id, 32) && hex(span_id, 16) && hex(flags, 2) => {
                Some(Self {
                    trace_id: trace_id.to_owned(),
                    flags: flags.to_owned(),
                    state: state.map(str::to_owned),
                })
            }
            _ => None,
        }
    }

    /// `traceparent` with a new span.
    pub(super) fn traceparent(&self) -> String {
        let span = Uuid::new_v4().simple().to_string();
        format!("00-{}-{}-{}", self.trace_id, &span[..16], self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_trace_goes_on_under_a_new_span() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let trace = TraceContext::of_caller(parent, Some("k=v")).unwrap();
        let child = trace.traceparent();
        assert!(
            child.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && child.ends_with("-00"),
            "{child}"
        );
        assert_ne!(child, parent);
        assert_eq!(trace.state.as_deref(), Some("k=v"));
        for malformed in ["", "00-x-y-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"] {
            assert_eq!(TraceContext::of_caller(malformed, None), None, "{malformed}");
        }
    }
}

//! Dates as HTTP writes them: `Sun, 22 Nov 2026 10:00:00 GMT`. <https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Writes `moment`.
pub(super) fn written(moment: OffsetDateTime) -> String {
    // Four digits of a year are all that the format has; nothing here is older or younger.
    moment.to_offset(UtcOffset::UTC).format(FORMAT).unwrap_or_default()
}

/// Reads a moment; `None` for another form.
pub(super) fn read(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, FORMAT).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_date_is_written_in_gmt_and_read_back() {
        let moment = datetime!(2026-11-02 10:05:09 UTC);
        assert_eq!(written(moment), "Mon, 02 Nov 2026 10:05:09 GMT");
        assert_eq!(written(moment.to_offset(time::macros::offset!(+2))), "Mon, 02 Nov 2026 10:05:09 GMT");
        assert_eq!(read("Mon, 02 Nov 2026 10:05:09 GMT"), Some(moment));
        assert_eq!(read("2026-11-02T10:05:09Z"), None);
    }
}

//! Shared access keys that are shown as they are, by SASL PLAIN: JMS clients do so, and others that know nothing of `$cbs`.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#connections-and-sessions>

use time::PrimitiveDateTime;

use super::{Grant, Principal, TokenError};
use crate::broker::config::SasKey;

/// Checks the message of PLAIN, whose parts are an identity to act as, the name of a key, and the key. What it gives holds
/// as long as the connection.
/// <https://www.rfc-editor.org/rfc/rfc4616>
pub(crate) fn check(message: &[u8], keys: &[SasKey]) -> Result<Grant, TokenError> {
    const MALFORMED: TokenError = TokenError::Malformed("PLAIN needs the name of a key and the key");
    let mut parts = message.split(|byte| *byte == 0);
    let (Some(identity), Some(name), Some(key), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(MALFORMED);
    };
    // A key's holder acts as nobody else.
    if !identity.is_empty() && identity != name {
        return Err(MALFORMED);
    }
    let is_it = |known: &&SasKey| known.name.as_bytes() == name && known.key.as_bytes() == key;
    keys.iter().find(is_it).ok_or(TokenError::InvalidSignature)?;
    Ok(Grant { principal: Principal::SharedAccessKey, expires: PrimitiveDateTime::MAX.assume_utc() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_its_key_are_needed_and_no_other_identity() {
        let keys = ["Root", "Other"].map(|name| SasKey { name: name.into(), key: format!("key of {name}") });
        for (message, is_good) in [
            ("\0Root\0key of Root", true),
            ("Root\0Root\0key of Root", true),
            ("\0Other\0key of Other", true),
            ("\0Other\0key of Root", false),
            ("\0root\0key of Root", false),
            ("\0Root\0key of Root\0", false),
            ("Other\0Root\0key of Root", false),
            ("\0Root\0", false),
            ("\0\0", false),
            ("Root\0key of Root", false),
            ("", false),
        ] {
            assert_eq!(check(message.as_bytes(), &keys).is_ok(), is_good, "{message:?}");
        }
    }
}

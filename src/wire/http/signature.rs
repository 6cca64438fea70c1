//! The `Authorization` header of a request (section 7).

use super::credential::Credential;
use crate::wire::WireError;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What a signature covers, exactly as it goes over the wire.
pub(super) struct Signed<'a> {
    /// Unix time in seconds, by the server's clock as far as it is known.
    pub(super) ts: u64,
    /// Never used twice.
    pub(super) nonce: u128,
    pub(super) method: &'a str,
    /// The path, with `?` and the query when there is one.
    pub(super) target: &'a str,
    /// The body's bytes, compressed if they are sent so.
    pub(super) body: &'a [u8],
}

/// The header's value; `None` when the request goes without one.
pub(super) fn authorization(credential: &Credential, signed: &Signed<'_>) -> Result<Option<String>, WireError> {
    Ok(match credential {
        Credential::None => None,
        Credential::Bearer(token) => Some(format!("Bearer {}", token.expose())),
        Credential::Hmac { key, user, secret } => {
            let Signed { ts, nonce, method, target, body } = signed;
            let message = format!("{ts}.{user}.{key}.{nonce:032x}.{method}.{target}.{}", hex(&Sha256::digest(body)));
            let sig = hex(&hmac_sha256(secret.expose().as_bytes(), message.as_bytes())?);
            Some(format!(r#"HMAC-SHA256 key="{key}",user="{user}",ts="{ts}",nonce="{nonce:032x}",sig="{sig}""#))
        }
    })
}

fn hmac_sha256(secret: &[u8], message: &[u8]) -> Result<[u8; 32], WireError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)
        .map_err(|_| WireError::Setup("the HMAC secret cannot be used as a key".into()))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        // Test cases 2 and 6: a short key, and one longer than a block.
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", b"what do ya want for nothing?").unwrap()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First").unwrap()),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn the_header_has_the_protocols_form() {
        let signed = Signed { ts: 1_700_000_000, nonce: 0xab, method: "GET", target: "/v1/db", body: b"" };
        let header = authorization(&Credential::hmac("rpa_1", "ada", "rps_1"), &signed).unwrap().unwrap();
        let mac = hmac_sha256(
            b"rps_1",
            b"1700000000.ada.rpa_1.000000000000000000000000000000ab.GET./v1/db.\
              e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        )
        .unwrap();
        assert_eq!(
            header,
            format!(
                "HMAC-SHA256 key=\"rpa_1\",user=\"ada\",ts=\"1700000000\",\
                 nonce=\"000000000000000000000000000000ab\",sig=\"{}\"",
                hex(&mac)
            )
        );
        assert_eq!(authorization(&Credential::bearer("t"), &signed).unwrap().unwrap(), "Bearer t");
        assert_eq!(authorization(&Credential::None, &signed).unwrap(), None);
    }
}

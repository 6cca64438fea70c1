//! The `HMAC-SHA256` scheme of the `Authorization` header: its parameters and its signature (section 7).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The name of the scheme.
pub(crate) const SCHEME: &str = "HMAC-SHA256";

const NONCE: std::ops::RangeInclusive<usize> = 8..=128;

/// The parameters of the header, each there exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) key: String,
    pub(crate) user: String,
    /// Unix time in seconds, as the client wrote it: its text is signed.
    pub(crate) ts: String,
    pub(crate) seconds: u64,
    pub(crate) nonce: String,
    pub(crate) sig: [u8; 32],
}

impl Signed {
    /// Reads what follows the scheme; the error says what is wrong with it, not what it holds.
    pub(crate) fn parse(params: &str) -> Result<Signed, &'static str> {
        let [mut key, mut user, mut ts, mut nonce, mut sig] = [const { None::<String> }; 5];
        for param in Params(params) {
            let (name, value) = param?;
            let slot = match name {
                "key" => &mut key,
                "user" => &mut user,
                "ts" => &mut ts,
                "nonce" => &mut nonce,
                "sig" => &mut sig,
                _ => return Err("the Authorization header has an unknown parameter"),
            };
            if slot.replace(value).is_some() {
                return Err("the Authorization header repeats a parameter");
            }
        }
        let (Some(key), Some(user), Some(ts), Some(nonce), Some(sig)) = (key, user, ts, nonce, sig) else {
            return Err("the Authorization header needs key, user, ts, nonce and sig");
        };
        // Neither has dots, nor has the key, which is one of the configuration; what dots the user and the target may have is
        // for `reads_otherwise` to judge.
        if !is_word(&nonce, NONCE) {
            return Err("the nonce is not 8 to 128 letters, digits, - and _");
        }
        if user.is_empty() || user.len() > 128 {
            return Err("the user is not 1 to 128 bytes");
        }
        let seconds = if ts.bytes().all(|byte| byte.is_ascii_digit()) { ts.parse().ok() } else { None };
        let seconds = seconds.ok_or("the ts is not a time in seconds")?;
        let sig = from_hex(&sig).ok_or("the sig is not 64 hexadecimal digits")?;
        Ok(Signed { key, user, ts, seconds, nonce, sig })
    }

    /// Whether the signed text could also be that of another user and another target: in the target stands once more what
    /// parts the user from the target.
    ///
    /// Of two readings of one text the one with the shorter user has such a target, so at most one has none.
    pub(crate) fn reads_otherwise(&self, target: &str) -> bool {
        let key = format!(".{}.", self.key);
        // Two of them may share a dot.
        target.match_indices('.').filter_map(|(at, _)| target.get(at..)?.strip_prefix(&key)).any(|rest| {
            let mut parts = rest.splitn(3, '.');
            let (nonce, method, target) = (parts.next(), parts.next(), parts.next());
            nonce.is_some_and(|nonce| is_word(nonce, NONCE))
                && method.is_some_and(|method| is_word(method, 1..=32))
                && target.is_some_and(|target| target.starts_with('/'))
        })
    }

    /// Whether `secret` made the signature, for this request; takes the same time whatever differs.
    ///
    /// `target` is the path with its query exactly as sent, `body` the bytes as sent.
    pub(crate) fn verify(&self, secret: &[u8], method: &str, target: &str, body: &[u8]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
        let parts = [self.ts.as_str(), &self.user, &self.key, &self.nonce, method, target];
        for part in parts {
            mac.update(part.as_bytes());
            mac.update(b".");
        }
        mac.update(to_hex(&Sha256::digest(body)).as_bytes());
        mac.verify_slice(&self.sig).is_ok()
    }
}

/// Whether `text` has that many bytes, all letters, digits, `-` and `_`.
pub(crate) fn is_word(text: &str, len: std::ops::RangeInclusive<usize>) -> bool {
    len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

// The auth-params of RFC 9110, section 11.2: names with values, bare or quoted, between commas.
struct Params<'a>(&'a str);

impl<'a> Iterator for Params<'a> {
    type Item = Result<(&'a str, String), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
        if self.0.is_empty() {
            return None;
        }
        let param = self.param();
        if param.is_none() {
            self.0 = "";
        }
        Some(param.ok_or("the Authorization header is not a list of name=\"value\""))
    }
}

impl<'a> Params<'a> {
    fn param(&mut self) -> Option<(&'a str, String)> {
        let (name, rest) = self.0.split_once('=')?;
        let name = name.trim_end_matches([' ', '\t']);
        let rest = rest.trim_start_matches([' ', '\t']);
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest.find([',', ' ', '\t', '"']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        self.0 = rest.trim_start_matches([' ', '\t']);
        (is_word(name, 1..=16) && (self.0.is_empty() || self.0.starts_with(','))).then_some((name, value))
    }
}

fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sig: &str) -> String {
        format!(r#"key="rpa_1",user="ada@example.org",ts="1790000000",nonce="0123456789abcdef",sig="{sig}""#)
    }

    // Made with: printf '%s' "$text" | openssl dgst -sha256 -hmac rps_1, the body's digest with sha256sum.
    const SIG: &str = "2afb2e1f7a094f47ad4ecb0a32af87b4e33826485c883985013854b57e90a96c";

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let signed = Signed::parse(&header(SIG)).unwrap();
        let target = "/v1/notes/sync/outbox?x=1";
        assert!(signed.verify(b"rps_1", "POST", target, b"{}"));
        assert!(!signed.verify(b"rps_2", "POST", target, b"{}"));
        assert!(!signed.verify(b"rps_1", "GET", target, b"{}"));
        assert!(!signed.verify(b"rps_1", "POST", "/v1/notes/sync/outbox", b"{}"));
        assert!(!signed.verify(b"rps_1", "POST", target, b"{ }"));
        let other = Signed { user: "bob@example.org".into(), ..signed };
        assert!(!other.verify(b"rps_1", "POST", target, b"{}"));
    }

    #[test]
    fn a_text_that_reads_in_two_ways_is_taken_in_one() {
        let reads_otherwise = |user: &str, target: &str| {
            let signed = Signed { user: user.into(), ..Signed::parse(&header(SIG)).unwrap() };
            signed.reads_otherwise(target)
        };
        // What `bob`, who has chosen his name, is signed for, and what it would be to `ada`.
        let (bob, one) = ("ada.rpa_1.nonce-01.GET./v1/notes/data/c/k?x=", "/v1/notes");
        let (ada, other) = ("ada", "/v1/notes/data/c/k?x=.rpa_1.nonce-02.PUT./v1/notes");
        let text =
            |user: &str, nonce: &str, method: &str, target: &str| format!("{user}.rpa_1.{nonce}.{method}.{target}");
        assert_eq!(text(bob, "nonce-02", "PUT", one), text(ada, "nonce-01", "GET", other));
        assert_eq!([reads_otherwise(bob, one), reads_otherwise(ada, other)], [false, true]);
        for repeated in 1..4 {
            let target = format!("/{}.nonce-02.PUT./", ".rpa_1".repeat(repeated));
            assert!(reads_otherwise("ada", &target), "{target}");
        }
        for target in [
            "/v1/notes/data/c/a.rpa_1.b",
            "/v1/notes/data/c.rpa_1.nonce-01.GET",
            "/v1/notes/data/c.rpa_1.nonce-01.GET.x/k",
            "/v1/notes/data/c.rpa_1.short.GET./k",
            "/v1/notes/data/c.rpa_2.nonce-01.GET./k",
            "/v1/notes/data/c.rpa_1.nonce-01.%47ET./k",
        ] {
            assert!(!reads_otherwise("ada", target), "{target}");
        }
    }

    #[test]
    fn parameters_come_in_any_order_with_spaces_and_quoted_pairs() {
        let text = format!(r#" sig={SIG} , nonce="01234567", ts=7,user = "a\"b\\c, d",key="k" "#);
        let signed = Signed::parse(&text).unwrap();
        assert_eq!((signed.user.as_str(), signed.seconds), (r#"a"b\c, d"#, 7));
    }

    #[test]
    fn each_broken_header_is_refused() {
        let good = header(SIG);
        for (part, other) in [
            ("key=\"rpa_1\",", ""),
            ("key=\"rpa_1\",", "key=\"rpa_1\",key=\"rpa_1\","),
            ("key=", "kez="),
            ("1790000000", "+1790000000"),
            ("1790000000", "179e7"),
            ("1790000000", "99999999999999999999"),
            ("0123456789abcdef", "0123.456"),
            ("0123456789abcdef", "0123"),
            ("ada@example.org", ""),
            (&SIG[..2], "xy"),
            (&SIG[..2], ""),
            ("\",", "\" "),
        ] {
            assert!(good.contains(part));
            assert!(Signed::parse(&good.replacen(part, other, 1)).is_err(), "{part} -> {other}");
        }
        for text in ["", "key", "key=\"", "=", "\"", "key=\"a\\"] {
            assert!(Signed::parse(text).is_err(), "{text}");
        }
    }
}

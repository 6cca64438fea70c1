//! Which format and coding a request has and its answer shall have (section 7).

use super::refusal::Refusal;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use syncstore::protocol::Format;

/// What the answer of a request shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) format: Format,
    pub(crate) gzip: bool,
}

impl Wanted {
    /// Reads `Accept` and `Accept-Encoding`; 406 when the client takes none of the formats.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Wanted, Refusal> {
        Ok(Wanted { format: accepted_format(headers)?, gzip: accepts_gzip(headers) })
    }
}

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) format: Format,
    pub(crate) gzip: bool,
}

impl Sent {
    /// Reads `Content-Type` and `Content-Encoding`; 415 for what the server does not read.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Sent, Refusal> {
        let format = Format::of_content_type(one(headers, &CONTENT_TYPE).unwrap_or_default());
        Sent::with(format, headers)
    }

    /// The same of a JSON Patch, which has a type of its own (RFC 6902).
    pub(crate) fn of_patch(headers: &HeaderMap) -> Result<Sent, Refusal> {
        let content_type = one(headers, &CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let patch = media_type.eq_ignore_ascii_case("application/json-patch+json");
        let format = if patch { Some(Format::Json) } else { Format::of_content_type(content_type) };
        Sent::with(format, headers)
    }

    fn with(format: Option<Format>, headers: &HeaderMap) -> Result<Sent, Refusal> {
        let format = format
            .ok_or_else(|| Refusal::unsupported("the Content-Type must be application/json or application/msgpack"))?;
        let gzip = match one(headers, &CONTENT_ENCODING).map(str::trim) {
            None | Some("") => false,
            Some(coding) if coding.eq_ignore_ascii_case("identity") => false,
            Some(coding) if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => true,
            Some(_) => return Err(Refusal::unsupported("the only Content-Encoding is gzip")),
        };
        Ok(Sent { format, gzip })
    }
}

// A header that may come once; what comes twice, or is no text, is none that the server knows.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { Some("?") } else { Some(first.to_str().unwrap_or("?")) }
}

// The elements of a list header with their weights; an element that cannot be read counts as absent.
fn weighted<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = (&'a str, f32)> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let value = parts.next().filter(|value| !value.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(Ok(1.0), str::parse::<f32>).ok()?;
        (0.0..=1.0).contains(&weight).then_some((value, weight))
    })
}

fn accepted_format(headers: &HeaderMap) -> Result<Format, Refusal> {
    if !headers.contains_key(ACCEPT) {
        return Ok(Format::Json);
    }
    let weight_of = |format: Format| {
        // The most specific range decides, whatever weights the wider ones have.
        let rank = |range: &str| match range {
            "*/*" => Some(0),
            "application/*" => Some(1),
            _ => range.eq_ignore_ascii_case(format.content_type()).then_some(2),
        };
        let ranges = weighted(headers, &ACCEPT).filter_map(|(range, weight)| Some((rank(range)?, weight)));
        ranges.max_by_key(|(rank, _)| *rank).map_or(0.0, |(_, weight)| weight)
    };
    let (json, message_pack) = (weight_of(Format::Json), weight_of(Format::MessagePack));
    if json <= 0.0 && message_pack <= 0.0 {
        return Err(Refusal::not_acceptable("the formats are application/json and application/msgpack"));
    }
    Ok(if message_pack > json { Format::MessagePack } else { Format::Json })
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let weight = |coding: &str| {
        weighted(headers, &ACCEPT_ENCODING).find(|(value, _)| value.eq_ignore_ascii_case(coding)).map(|(_, q)| q)
    };
    weight("gzip").or(weight("x-gzip")).or(weight("*")).unwrap_or(0.0) > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_static(value));
        }
        headers
    }

    fn format(values: &[&'static str]) -> Option<Format> {
        accepted_format(&headers(ACCEPT, values)).ok()
    }

    #[test]
    fn json_unless_the_client_prefers_message_pack() {
        const MSGPACK: &str = "application/msgpack";
        assert_eq!(format(&[]), Some(Format::Json));
        assert_eq!(format(&["*/*"]), Some(Format::Json));
        assert_eq!(format(&["application/*"]), Some(Format::Json));
        assert_eq!(format(&[MSGPACK]), Some(Format::MessagePack));
        assert_eq!(format(&["application/json", MSGPACK]), Some(Format::Json));
        assert_eq!(format(&["application/json;q=0.5, application/msgpack"]), Some(Format::MessagePack));
        assert_eq!(format(&["*/*, application/json;q=0.5"]), Some(Format::MessagePack));
        assert_eq!(format(&["application/json; charset=utf-8 ; q=0.9, */*;q=0.1"]), Some(Format::Json));
        assert_eq!(format(&["*/*;q=0, Application/JSON"]), Some(Format::Json));
    }

    #[test]
    fn what_the_client_does_not_take_is_not_acceptable() {
        for value in ["text/html", "application/json;q=0", "*/*;q=0", "application/json;q=2", ""] {
            assert_eq!(format(&[value]), None, "{value}");
        }
    }

    #[test]
    fn gzip_only_for_who_asks() {
        let gzip = |values: &[&'static str]| accepts_gzip(&headers(ACCEPT_ENCODING, values));
        for values in [&["gzip"][..], &["br, GZIP;q=0.1"], &["br", "x-gzip"], &["*"]] {
            assert!(gzip(values), "{values:?}");
        }
        for values in [&[][..], &["identity"], &["gzip;q=0"], &["*, gzip;q=0"], &["gzip;q=x"], &["br"]] {
            assert!(!gzip(values), "{values:?}");
        }
    }

    #[test]
    fn a_body_is_json_or_message_pack_and_plain_or_gzip() {
        let sent = |content_type, coding: &[&'static str]| {
            let mut all = headers(CONTENT_ENCODING, coding);
            all.extend(headers(CONTENT_TYPE, content_type));
            Sent::of(&all).ok()
        };
        let json = |gzip| Some(Sent { format: Format::Json, gzip });
        assert_eq!(sent(&["application/json; charset=utf-8"], &[]), json(false));
        assert_eq!(sent(&["application/json"], &["Gzip"]), json(true));
        assert_eq!(sent(&["application/json"], &["identity"]), json(false));
        for coding in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"]] {
            assert_eq!(sent(&["application/json"], coding), None, "{coding:?}");
        }
        for content_type in [&[][..], &["text/plain"], &["application/json", "application/json"]] {
            assert_eq!(sent(content_type, &[]), None, "{content_type:?}");
        }
    }
}

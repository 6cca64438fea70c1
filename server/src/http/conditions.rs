//! The headers that say when a request may be done, and as which op: `If-Match`, `If-None-Match`, `Idempotency-Key`.

use super::refusal::Refusal;
use crate::service::{Conditions, Expected};
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName};
use syncstore::protocol::{Ref, Rev};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The entity tag of an item's rev.
pub(crate) fn entity_tag(rev: Rev) -> String {
    format!("\"{rev}\"")
}

/// Reads `If-Match` and `If-None-Match`; 400 for what is neither `*` nor a list of entity tags.
pub(crate) fn conditions(headers: &HeaderMap) -> Result<Conditions, Refusal> {
    // A weak tag says that something may differ: good for not sending again what is there, not for changing it.
    Ok(Conditions { matching: expected(headers, &IF_MATCH, false)?, unlike: expected(headers, &IF_NONE_MATCH, true)? })
}

/// Reads `Idempotency-Key`; 400 for what is no UUID, in quotes or without.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Ref>, Refusal> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none()).map(str::trim);
    let text = text.map(|text| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text));
    match text.and_then(|text| text.parse().ok()) {
        Some(op_ref) => Ok(Some(op_ref)),
        None => Err(Refusal::malformed("the Idempotency-Key is not one UUID")),
    }
}

fn expected(headers: &HeaderMap, name: &HeaderName, weak: bool) -> Result<Option<Expected>, Refusal> {
    let mut revs = Vec::new();
    let mut lines = headers.get_all(name).iter().peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    let unreadable = || Refusal::malformed(format!("the {name} is neither * nor a list of entity tags"));
    for (number, line) in lines.enumerate() {
        let mut rest = line.to_str().map_err(|_| unreadable())?.trim();
        if rest == "*" && number == 0 && headers.get_all(name).iter().count() == 1 {
            return Ok(Some(Expected::There));
        }
        loop {
            let (is_weak, tag) = match rest.strip_prefix("W/") {
                Some(tag) => (true, tag),
                None => (false, rest),
            };
            let (tag, after) = tag.strip_prefix('"').and_then(|tag| tag.split_once('"')).ok_or_else(unreadable)?;
            // A tag that is of no rev is of nothing here.
            if let (Ok(rev), true) = (tag.parse::<Rev>(), weak || !is_weak)
                && entity_tag(rev).trim_matches('"') == tag
            {
                revs.push(rev);
            }
            match after.trim_start() {
                "" => break,
                after => rest = after.strip_prefix(',').ok_or_else(unreadable)?.trim_start(),
            }
        }
    }
    Ok(Some(Expected::Revs(revs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_condition_is_a_star_or_a_list_of_tags() {
        let read = |values: &[&'static str]| conditions(&headers("if-match", values)).map(|found| found.matching);
        let revs = |revs: &[Rev]| Some(Expected::Revs(revs.to_vec()));
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["*"]).unwrap(), Some(Expected::There));
        assert_eq!(read(&["\"41\""]).unwrap(), revs(&[41]));
        assert_eq!(read(&["\"41\" , \"x,y\",W/\"7\"", "\"8\""]).unwrap(), revs(&[41, 8]));
        assert_eq!(read(&["\"041\", \"+4\""]).unwrap(), revs(&[]));
        for bad in ["", "41", "\"41", "\"1\" \"2\"", "\"1\",", "*, \"1\"", "w/\"1\""] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
        assert!(read(&["*", "\"1\""]).is_err());
        let unlike = conditions(&headers("if-none-match", &["W/\"7\""])).unwrap().unlike;
        assert_eq!(unlike, revs(&[7]));
    }

    #[test]
    fn an_idempotency_key_is_one_uuid_with_or_without_quotes() {
        const KEY: &str = "019aa0b2-7a10-7000-8f3e-5b1c2a9d4e01";
        let read = |values: &[&'static str]| idempotency_key(&headers(IDEMPOTENCY_KEY, values));
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[KEY]).unwrap().unwrap().to_string(), KEY);
        assert!(read(&["\"019aa0b2-7a10-7000-8f3e-5b1c2a9d4e01\""]).unwrap().is_some());
        for bad in [&[""][..], &["1"], &[KEY, KEY], &["\"\""]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}

//! An answer other than 200, in the words of [`WireError`].

use super::body::printable;
use super::endpoint::Call;
use crate::environment::Environment;
use crate::protocol::Problem;
use crate::wire::{Expiry, WireError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::http::{HeaderMap, StatusCode, Uri, header};

// A server that asks for more has a broken clock, or is not worth obeying.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a call failed, by its answer's status, its headers, and its problem document (an empty one if it had none).
pub(super) fn of_answer(
    status: StatusCode,
    headers: &HeaderMap,
    problem: &Problem,
    call: &Call<'_>,
    environment: &dyn Environment,
) -> WireError {
    of_status(status, problem, call, || retry_after(headers, environment), || redirect(headers))
}

/// The same for whoever has no headers: how long to wait, and where it redirects to, are asked where they count.
pub(crate) fn of_status(
    status: StatusCode,
    problem: &Problem,
    call: &Call<'_>,
    retry_after: impl FnOnce() -> Option<Duration>,
    redirect: impl FnOnce() -> String,
) -> WireError {
    let code = printable(&problem.code, 64);
    let message = match [&problem.detail, &problem.title].into_iter().find(|text| !text.is_empty()) {
        Some(text) => printable(text, 400),
        None => status.canonical_reason().unwrap_or("no reason given").to_owned(),
    };
    match status.as_u16() {
        401 => WireError::Unauthenticated(message),
        403 => WireError::Forbidden(message),
        408 | 425 | 429 | 500..=599 => {
            WireError::Unavailable { status: status.as_u16(), retry_after: retry_after(), message }
        }
        // Only with the protocol's own word: a gateway says 410 to everything, and everything would be loaded anew.
        410 => match (problem.code.as_str(), call) {
            ("cursor_expired", Call::Push | Call::Pull(_)) => WireError::CursorExpired(expiry(problem)),
            ("checkpoint_expired", Call::Checkpoint(_)) => WireError::CheckpointExpired,
            _ => WireError::Refused { status: 410, code, message },
        },
        300..=399 => WireError::Refused { status: status.as_u16(), code, message: redirect() },
        200..=299 => WireError::Protocol(format!("{call}: HTTP {status} where 200 was expected")),
        _ => WireError::Refused { status: status.as_u16(), code, message },
    }
}

fn expiry(problem: &Problem) -> Expiry {
    match problem.reason.as_deref() {
        Some("rewound") => Expiry::Rewound { restored: problem.restored_seq },
        Some("filter") => Expiry::Filter,
        _ => Expiry::Pruned,
    }
}

// Only the host: a path or query may hold a token.
fn redirect(headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match location.parse::<Uri>().ok().as_ref().and_then(Uri::host) {
        Some(host) => format!("it redirects to {}, and redirects are not followed", printable(host, 255)),
        None => "it redirects, and redirects are not followed".to_owned(),
    }
}

/// The time in an answer's `Date` header, in seconds since 1970.
pub(super) fn date(headers: &HeaderMap) -> Option<u64> {
    seconds(headers.get(header::DATE)?.to_str().ok()?)
}

fn seconds(date: &str) -> Option<u64> {
    let time: SystemTime = httpdate::parse_http_date(date).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

fn retry_after(headers: &HeaderMap, environment: &dyn Environment) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit are more than a day.
        text.parse().map_or(LONGEST_WAIT, Duration::from_secs)
    } else {
        // By the server's own clock where it tells it: this machine's may be wrong by more than the wait.
        let now = date(headers).unwrap_or_else(|| environment.unix_ms() / 1000);
        Duration::from_secs(seconds(text)?.saturating_sub(now))
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(u64);

    impl Environment for At {
        fn unix_ms(&self) -> u64 {
            self.0
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
        fn random(&self) -> u64 {
            0
        }
        fn sleep(&self, _: Duration) {}
    }

    fn wait(retry: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().unwrap());
        }
        // Sun, 06 Nov 1994 08:49:00 GMT
        retry_after(&headers, &At(784_111_740_000))
    }

    #[test]
    fn retry_after_in_both_forms() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(wait("0", None), seconds(0));
        assert_eq!(wait(" 120 ", None), seconds(120));
        assert_eq!(wait("86401", None), seconds(86_400));
        assert_eq!(wait("99999999999999999999999999", None), seconds(86_400));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", None), seconds(37));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:30 GMT")), seconds(7));
        assert_eq!(wait("Sun, 06 Nov 1994 08:48:00 GMT", None), seconds(0));
        assert_eq!(wait("Sat, 06 Nov 2094 08:49:37 GMT", None), seconds(86_400));
        for nonsense in ["", "-1", "1.5", "soon", "+3"] {
            assert_eq!(wait(nonsense, None), None, "{nonsense:?}");
        }
    }
}

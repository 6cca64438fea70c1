//! What the story prints, in at most 80 columns.

use std::io::{self, Write};
use std::time::Duration;
use syncstore::SyncReport;

/// Fewer say nothing about how fast it goes.
const RATED: u64 = 100;

/// A line as it is. Unlike `println!` it does not panic when nobody reads any more, as in `… | head`.
pub fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

pub fn title(text: &str) -> io::Result<()> {
    line(&format!("\n{text}"))
}

/// A line of text below a title; long ones continue on the next line.
pub fn say(text: impl AsRef<str>) -> io::Result<()> {
    const WIDTH: usize = 76;
    let mut row = String::new();
    for word in text.as_ref().split(' ') {
        if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > WIDTH {
            line(&format!("   {row}"))?;
            row = String::from(" ");
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(word);
    }
    line(&format!("   {row}"))
}

/// A sync in one sentence or two.
pub fn say_report(who: &str, report: &SyncReport) -> io::Result<()> {
    let mut did = Vec::new();
    if report.pushed > 0 {
        let (accepted, rejected) = (count(report.accepted), count(report.rejected));
        did.push(format!("pushed {} ({accepted} accepted, {rejected} rejected)", operations(report.pushed)));
    }
    if report.loaded > 0 {
        did.push(format!("loaded {} from a checkpoint", items(report.loaded)));
    }
    if report.pulled > 0 {
        did.push(format!("pulled {}", counted(report.pulled, "log entry", "log entries")));
    }
    if did.is_empty() {
        did.push("found nothing to do".into());
    }
    let (up, down) = (bytes(report.bytes_sent), bytes(report.bytes_received));
    let (trips, elapsed) = (counted(report.round_trips, "round trip", "round trips"), time(report.elapsed));
    say(format!("{who} {}: {trips}, {up} up, {down} down, {elapsed}", did.join(", ")))
}

pub fn operations(number: u64) -> String {
    counted(number, "operation", "operations")
}

pub fn records(number: usize) -> String {
    counted(number as u64, "record", "records")
}

pub fn items(number: u64) -> String {
    counted(number, "item", "items")
}

pub fn counted(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

/// A number with a comma before every three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many a second, to three digits; nothing for a few.
pub fn rate(number: u64, time: Duration) -> Option<String> {
    if number < RATED {
        return None;
    }
    let per_second = number as f64 / time.as_secs_f64().max(1e-9);
    let unit = 10_f64.powf((per_second.log10().floor() - 2.0).max(0.0));
    Some(count(((per_second / unit).round() * unit) as u64))
}

/// How long that many took, and how many a second that is.
pub fn pace(number: u64, elapsed: Duration) -> String {
    let rate = rate(number, elapsed).map(|rate| format!(" ({rate} a second)"));
    format!("{}{}", time(elapsed), rate.unwrap_or_default())
}

pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.1 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

pub fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{} KB", number / 1_000),
        _ => format!("{:.1} MB", number as f64 / 1e6),
    }
}

//! The records to begin with: a file of JSON objects, one per line or in one array.

use crate::Result;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// The members whose value becomes a record's key; the first that is there and fits.
const KEY_MEMBERS: [&str; 4] = ["id", "key", "hexcode", "_id"];

/// Longer ones cannot be keys (which have up to 128 bytes) once a number has to be appended.
const KEY_BYTES: usize = 100;

pub struct Record {
    /// Its key: the value of a member of [`KEY_MEMBERS`], or else its number.
    pub key: String,
    /// Its JSON text, byte for byte as in the file.
    pub text: String,
    /// Where it stands in the file, for messages.
    pub place: String,
}

pub struct Records {
    pub list: Vec<Record>,
    pub bytes: usize,
    /// What gave the keys, and how many.
    pub keys_from: BTreeMap<&'static str, usize>,
    /// What repeated an earlier key, as (place, key given).
    pub repeated: Vec<(String, String)>,
}

impl Records {
    /// Reads a file; the error names the line, or the element of the array, that is no JSON object.
    pub fn read(path: &Path) -> Result<Records> {
        let name = path.display();
        let bytes = std::fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8 text"))?;
        let records = Records::parse(&text).map_err(|error| format!("{name}: {error}"))?;
        if records.list.is_empty() {
            return Err(format!("{name} holds no records; put one JSON object on each line").into());
        }
        Ok(records)
    }

    fn parse(text: &str) -> Result<Records> {
        let text = text.trim_start_matches('\u{feff}');
        let mut records = Records { list: Vec::new(), bytes: 0, keys_from: BTreeMap::new(), repeated: Vec::new() };
        let mut seen = HashSet::new();
        if text.trim_start().starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(text)
                .map_err(|error| format!("line {}: the array is not JSON: {}", error.line(), reason(&error)))?;
            for (index, element) in elements.into_iter().enumerate() {
                records.add(&mut seen, "element", index + 1, element.get())?;
            }
        } else {
            for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                records.add(&mut seen, "line", index + 1, line.trim())?;
            }
        }
        Ok(records)
    }

    fn add(&mut self, seen: &mut HashSet<String>, unit: &str, number: usize, text: &str) -> Result<()> {
        let place = format!("{unit} {number}");
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("{place} is not JSON: {}", reason(&error)))?;
        let Value::Object(members) = value else {
            return Err(format!("{place} is not a JSON object, but {}", kind(&value)).into());
        };
        let found = KEY_MEMBERS.into_iter().find_map(|name| Some((name, key_text(members.get(name)?)?)));
        let (source, mut key) = found.unwrap_or_else(|| ("their numbers", number.to_string()));
        *self.keys_from.entry(source).or_default() += 1;
        if seen.contains(&key) {
            while seen.contains(&key) {
                key = format!("{key}#{number}");
            }
            self.repeated.push((place.clone(), key.clone()));
        }
        seen.insert(key.clone());
        self.bytes += text.len();
        self.list.push(Record { key, text: text.to_owned(), place });
        Ok(())
    }
}

fn key_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if !number.is_f64() => number.to_string(),
        _ => return None,
    };
    (1..=KEY_BYTES).contains(&text.len()).then_some(text)
}

/// What is wrong, without the line, which is that of the text at hand and not of the file.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    format!("{reason} (column {})", error.column())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

//! Texts and lists of names

use super::kit::handle::{self, Handle, Life};
use super::kit::input::CText;
use super::kit::output::Plain;
use crate::error::Error;
use crate::protocol::Json;
use serde::Serialize;
use std::ffi::c_char;
use std::ptr;

/// A text that the caller owns: len bytes of UTF-8, and a NUL behind them that does not count. Free it with syncstore_text_free(), which goes by both members: change
/// neither, and free one copy of them only. What it points to may be changed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct syncstore_text {
    /// Its bytes; NULL: there is no text.
    pub data: *mut c_char,
    /// How many bytes.
    pub len: usize,
}

// SAFETY: NULL and 0.
unsafe impl Plain for syncstore_text {}

impl syncstore_text {
    /// Copies a text for C, which has to free it.
    pub fn new(text: &str) -> syncstore_text {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        handle::gave();
        syncstore_text { data: Box::into_raw(bytes.into_boxed_slice()).cast(), len: text.len() }
    }

    /// A message of the protocol as JSON.
    pub fn of_json<T: Serialize>(message: &T) -> Result<syncstore_text, Error> {
        Ok(syncstore_text::new(Json::from_serialize(message)?.as_str()))
    }
}

/// Frees a text and sets it to NULL and 0. A text that is NULL or 0 already, and NULL, are ignored.
///
/// Thread: any; no other may be using this text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_text_free(text: *mut syncstore_text) {
    // SAFETY: by the conventions of the header it is NULL or a text.
    let Some(text) = (unsafe { text.as_mut() }) else { return };
    let data = std::mem::replace(&mut text.data, ptr::null_mut());
    let len = std::mem::take(&mut text.len);
    if !data.is_null() {
        handle::took();
        // SAFETY: `new` made it of so many bytes and the NUL.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(data.cast::<u8>(), len + 1)) });
    }
}

/// A list of names.
pub struct syncstore_names {
    life: Life,
    names: Vec<CText>,
}

impl syncstore_names {
    pub fn new(names: &[String]) -> syncstore_names {
        syncstore_names { life: Life::new(), names: names.iter().map(|name| CText::new(name)).collect() }
    }
}

impl Handle for syncstore_names {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// How many names there are; of NULL 0.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_names_count(names: *const syncstore_names) -> usize {
    read!(names, 0, |names| Some(names.names.len()))
}

/// The name at a place, from 0; NULL behind the last one. Belongs to the list.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_names_at(names: *const syncstore_names, place: usize) -> *const c_char {
    read!(names, ptr::null(), |names| names.names.get(place).map(CText::as_ptr))
}

/// Frees a list of names. NULL is ignored.
///
/// Thread: any; no other may be using this list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_names_free(names: *mut syncstore_names) {
    free!(names)
}

//! What the C interface costs: `syncstore_get` beside `get_raw` and `syncstore_set` beside `set`, called as C calls them.
//!
//! `cargo bench --bench capi --features capi`. The table at the end holds the medians, and the ratios of
//! rounds in which both take turns; docs/PERFORMANCE.md says what they mean.

#[allow(dead_code)]
mod support;

use criterion::{BatchSize, Criterion, Throughput};
use serde_json::value::RawValue;
use std::ffi::{CString, c_char, c_int, c_void};
use std::hint::black_box;
use std::path::Path;
use std::ptr;
use support::{Raw, criterion, document, documents, key, line, median, open, scrambled, share};

const DOCUMENTS: usize = 100_000;

#[repr(C)]
struct Text {
    data: *mut c_char,
    len: usize,
}

// As include/syncstore.h has them.
#[allow(unsafe_code)]
unsafe extern "C" {
    fn syncstore_open(
        path: *const c_char,
        options: *const c_void,
        store: *mut *mut c_void,
        error: *mut *mut c_void,
    ) -> c_int;
    fn syncstore_free(store: *mut c_void);
    fn syncstore_set(
        store: *mut c_void,
        collection: *const c_char,
        key: *const c_char,
        json: *const c_char,
        json_len: usize,
        op: *mut [u8; 16],
        error: *mut *mut c_void,
    ) -> c_int;
    fn syncstore_get(
        store: *mut c_void,
        collection: *const c_char,
        key: *const c_char,
        json: *mut Text,
        error: *mut *mut c_void,
    ) -> c_int;
    fn syncstore_text_free(text: *mut Text);
}

/// A store by its C interface.
struct Handle(*mut c_void);

#[allow(unsafe_code)]
impl Handle {
    fn open(path: &Path) -> Handle {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let mut store = ptr::null_mut();
        // SAFETY: by the header: a text, no options, and a place for the store.
        let opened = unsafe { syncstore_open(path.as_ptr(), ptr::null(), &mut store, ptr::null_mut()) };
        assert_eq!(opened, 0);
        Handle(store)
    }

    fn set(&self, key: &CString, json: &str) {
        let (mut op, mut error) = ([0; 16], ptr::null_mut());
        // SAFETY: by the header: texts that end with NUL, bytes with their length, and places for op and error.
        let set = unsafe {
            syncstore_set(self.0, c"docs".as_ptr(), key.as_ptr(), json.as_ptr().cast(), json.len(), &mut op, &mut error)
        };
        assert_eq!(set, 0);
        black_box(op);
    }

    fn get(&self, key: &CString) -> usize {
        let (mut text, mut error) = (Text { data: ptr::null_mut(), len: 0 }, ptr::null_mut());
        // SAFETY: by the header: texts that end with NUL, and places for text and error; the text is freed once.
        unsafe {
            assert_eq!(syncstore_get(self.0, c"docs".as_ptr(), key.as_ptr(), &mut text, &mut error), 0);
            black_box(text.data);
            let len = text.len;
            syncstore_text_free(&mut text);
            len
        }
    }
}

#[allow(unsafe_code)]
impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: open made it, and nothing has it any more.
        unsafe { syncstore_free(self.0) };
    }
}

/// A document that no earlier call has had.
type Document = (String, CString, Box<RawValue>);

fn fresh(next: &mut usize) -> Document {
    *next += 1;
    let key = key(*next);
    (key.clone(), CString::new(key).unwrap(), RawValue::from_string(document(*next)).unwrap())
}

fn set(criterion: &mut Criterion) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let rust = open(&dir.path().join("rust.db"));
    let c = Handle::open(&dir.path().join("c.db"));
    let (mut rust_next, mut c_next) = (0, 0);
    let by_rust = |(key, _, value): &Document| {
        black_box(rust.set("docs", key, value).unwrap());
    };
    let by_c = |(_, key, value): &Document| c.set(key, value.get());
    let mut group = criterion.benchmark_group("capi_set");
    group.throughput(Throughput::Elements(1));
    group.bench_function("floor", |bench| {
        bench.iter_batched_ref(|| fresh(&mut rust_next), |document| by_rust(document), BatchSize::SmallInput);
    });
    group.bench_function("syncstore", |bench| {
        bench.iter_batched_ref(|| fresh(&mut c_next), |document| by_c(document), BatchSize::SmallInput);
    });
    group.finish();
    // Made beforehand, so that the rounds time nothing but the sets.
    let rounds = 60;
    let made = |next: &mut usize| -> Vec<Vec<Document>> {
        (0..rounds).map(|_| (0..1_000).map(|_| fresh(next)).collect()).collect()
    };
    let (rust_documents, c_documents) = (made(&mut rust_next), made(&mut c_next));
    let (mut rust_round, mut c_round) = (rust_documents.iter(), c_documents.iter());
    share(
        rounds,
        || rust_round.next().unwrap().iter().for_each(by_rust),
        || c_round.next().unwrap().iter().for_each(by_c),
    )
}

fn get(criterion: &mut Criterion) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docs.db");
    Raw::open(&path).load(&documents(DOCUMENTS));
    let rust = open(&path);
    let c = Handle::open(&path);
    let keys: Vec<(String, CString)> =
        scrambled(DOCUMENTS).take(DOCUMENTS).map(|n| (key(n), CString::new(key(n)).unwrap())).collect();
    let by_rust = |key: &str| black_box(rust.get_raw("docs", key).unwrap().unwrap()).len();
    let by_c = |key: &CString| c.get(key);
    let mut group = criterion.benchmark_group("capi_get");
    group.throughput(Throughput::Elements(1));
    let mut next = keys.iter().cycle();
    group.bench_function("floor", |bench| bench.iter(|| by_rust(&next.next().unwrap().0)));
    let mut next = keys.iter().cycle();
    group.bench_function("syncstore", |bench| bench.iter(|| by_c(&next.next().unwrap().1)));
    group.finish();
    let (mut rust_next, mut c_next) = (keys.iter().cycle(), keys.iter().cycle());
    share(
        60,
        || rust_next.by_ref().take(5_000).for_each(|key| assert!(by_rust(&key.0) > 0)),
        || c_next.by_ref().take(5_000).for_each(|key| assert!(by_c(&key.1) > 0)),
    )
}

fn main() {
    let mut criterion = criterion();
    let lines = [("capi_set", set(&mut criterion), 0.95), ("capi_get", get(&mut criterion), 0.90)];
    criterion.final_summary();
    println!();
    for (group, share, at_least) in lines {
        if let (Some(ours), Some(floor)) = (median(group, "syncstore"), median(group, "floor")) {
            line(group, 1.0, ours, floor, share, at_least);
        }
    }
}

//! include/syncstore.symbols: what the shared library exports, and all that the static one shows. `.ci/c-symbols` compares it with both.

use crate::building::{library, root};
use crate::header::{WRITE, functions};
use std::fs;

#[test]
fn the_list_of_symbols_is_that_of_the_headers_functions() {
    let header = fs::read_to_string(&library().header).unwrap();
    let mut names = functions(&header);
    names.sort_unstable();
    let listed = names.join("\n") + "\n";
    let kept = root().join("include/syncstore.symbols");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&kept, &listed).unwrap();
    }
    assert!(
        fs::read_to_string(&kept).is_ok_and(|kept| kept == listed),
        "include/syncstore.symbols is not the header's functions. Write it anew: {WRITE}=1 cargo test --test c"
    );
}

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| syncstore_fuzz_targets::requests_to_server(data));

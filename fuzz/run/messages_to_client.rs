#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| syncstore_fuzz_targets::messages_to_client(data));

//! A plugin's manifest of whatever bytes: read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhost_policy::Manifest;

fuzz_target!(|bytes: &[u8]| {
    let _ = Manifest::parse(bytes);
});

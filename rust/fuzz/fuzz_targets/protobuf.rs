//! `cd rust/fuzz; RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir . protobuf corpus/protobuf seeds/protobuf`;
//! a nightly compiler needs no `RUSTC_BOOTSTRAP=1` and can have sanitizers.

#![no_main]
#![allow(clippy::panic, dead_code, reason = "a finding is a panic; the bodies are shared")]

#[path = "../../pinnace-engine/tests/fuzz_bodies/mod.rs"]
mod fuzz_bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_bodies::protobuf(input));

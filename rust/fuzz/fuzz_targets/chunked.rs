//! `cd rust/fuzz; RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir . chunked corpus/chunked`

#![no_main]

use pinnace_http::chunked::Chunked;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&piece_bytes, text)) = input.split_first() else { return };
    let (mut whole, mut in_pieces) = (Vec::new(), Vec::new());
    let at_once = Chunked::default().take(text, &mut whole).ok();
    let mut chunked = Chunked::default();
    let pieces = text.chunks(usize::from(piece_bytes).max(1));
    let taken: Option<usize> = pieces.map(|piece| chunked.take(piece, &mut in_pieces).ok()).sum();
    assert_eq!((at_once, at_once.and(Some(whole))), (taken, taken.and(Some(in_pieces))));
});

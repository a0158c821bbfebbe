//! Deflate libraries beside each other on one realistic tar, in members of 1 MiB: MB/s of tar, and sizes on stderr.

#[path = "realistic.rs"]
mod realistic;

use std::io::Read;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::Level;
use pinnace_engine::page::{Page, PageSpec};

type Member = Box<dyn FnMut(&[u8], &mut [u8]) -> usize>;

const MEMBER_BYTES: usize = 1 << 20;
const BODY_BYTES: usize = 12_000_000;

fn tar() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut archive = Archive::new(Level::Fast, 1_700_000_000, 1)?;
    archive.enter(Folder::new("configmaps", "v1", true)?);
    let mut page = Page::new(PageSpec::new("v1", "ConfigMap"));
    page.feed(&realistic::body(BODY_BYTES, 9)?, &mut archive)?;
    page.finish()?;
    archive.finish()?;
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(archive.take_archive().as_slice()).read_to_end(&mut tar)?;
    Ok(tar)
}

/// Name and encoder of each candidate; a failure shows as size 0, because a benchmark may not panic.
fn candidates() -> Vec<(String, Member)> {
    let mut found: Vec<(String, Member)> = Vec::new();
    for level in [1, 3, 6, 7, 8] {
        let mut state = Compress::new(Compression::new(level), false);
        let member = move |source: &[u8], out: &mut [u8]| {
            state.reset();
            state.compress(source, out, FlushCompress::Finish).map_or(0, |_| state.total_out() as usize)
        };
        found.push((format!("zlib-rs {level}"), Box::new(member)));
    }
    for level in [1, 4, 5, 6, 9] {
        let mut state = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap_or_default());
        let member = move |source: &[u8], out: &mut [u8]| state.gzip_compress(source, out).unwrap_or(0);
        found.push((format!("libdeflate {level}"), Box::new(member)));
    }
    for level in [1, 2, 6, 8] {
        let member = move |source: &[u8], out: &mut [u8]| {
            let mut length = out.len();
            // SAFETY: both pointers are of slices whose lengths are given beside them, and outlive the call.
            let code = unsafe {
                libz_ng_sys::compress2(out.as_mut_ptr(), &raw mut length, source.as_ptr(), source.len() as _, level)
            };
            if code == 0 { length } else { 0 }
        };
        found.push((format!("zlib-ng {level}"), Box::new(member)));
    }
    #[cfg(feature = "isal")]
    for (number, level) in [(1, isal::CompressionLevel::One), (3, isal::CompressionLevel::Three)] {
        let member = move |source: &[u8], out: &mut [u8]| {
            isal::compress_into(source, out, level, isal::Codec::Gzip).unwrap_or(0)
        };
        found.push((format!("isa-l {number}"), Box::new(member)));
    }
    found
}

fn deflate(criterion: &mut Criterion) {
    let Ok(tar) = tar() else {
        eprintln!("the golden pages can't be read");
        return;
    };
    let mut out = vec![0; 2 * MEMBER_BYTES];
    let mut group = criterion.benchmark_group("deflate");
    group.throughput(Throughput::BytesDecimal(tar.len() as u64)).sample_size(10);
    for (name, mut member) in candidates() {
        let mut pass = || tar.chunks(MEMBER_BYTES).map(|source| member(source, &mut out)).sum::<usize>();
        eprintln!("{name}: {} bytes of {}", pass(), tar.len());
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| bencher.iter(&mut pass));
    }
    group.finish();
}

criterion_group!(benches, deflate);
criterion_main!(benches);

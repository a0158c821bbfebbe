//! Deflate libraries beside each other, in members of 1 MiB: sizes relative to `gzip -6` of the whole tar on stderr (of
//! a generated tar, of Velero's golden one, and of the file that PINNACE_TAR names), then MB/s of the generated tar.

#[path = "realistic.rs"]
mod realistic;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::Level;
use pinnace_engine::page::{Page, PageSpec};

type Member = Box<dyn FnMut(&[u8], &mut [u8]) -> usize>;

const MEMBER_BYTES: usize = 1 << 20;
const BODY_BYTES: usize = 12_000_000;

type Failure = Box<dyn std::error::Error>;

fn gunzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

fn generated_tar() -> Result<Vec<u8>, Failure> {
    let mut archive = Archive::new(Level::Fast, 1_700_000_000, 1)?;
    archive.enter(Folder::new("configmaps", "v1", true)?);
    let mut page = Page::new(PageSpec::new("v1", "ConfigMap"));
    page.feed(&realistic::body(BODY_BYTES, 9)?, &mut archive)?;
    page.finish()?;
    archive.finish()?;
    Ok(gunzip(&archive.take_archive())?)
}

/// Generated, golden and given, in this order.
fn tars() -> Result<Vec<Vec<u8>>, Failure> {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/bucket/backups/golden-all/golden-all.tar.gz");
    let mut tars = vec![generated_tar()?, gunzip(&std::fs::read(golden)?)?];
    if let Some(path) = std::env::var_os("PINNACE_TAR") {
        tars.push(std::fs::read(path)?);
    }
    Ok(tars)
}

/// Bytes that `gzip -6` makes of `tar`.
fn gzip_6(tar: &[u8]) -> Result<usize, Failure> {
    let mut gzip = Command::new("gzip").arg("-6c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = gzip.stdin.take().ok_or("no pipe")?;
    let tar = tar.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&tar));
    let length = gzip.wait_with_output()?.stdout.len();
    writer.join().map_err(|_| "the writer panicked")??;
    Ok(length)
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
    for level in [1, 4, 5, 6, 7, 9] {
        let mut state = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap_or_default());
        let member = move |source: &[u8], out: &mut [u8]| state.gzip_compress(source, out).unwrap_or(0);
        found.push((format!("libdeflate {level}"), Box::new(member)));
    }
    for level in [1, 2, 6, 7, 8] {
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
    for (number, level) in
        [(0, isal::CompressionLevel::Zero), (1, isal::CompressionLevel::One), (3, isal::CompressionLevel::Three)]
    {
        let member = move |source: &[u8], out: &mut [u8]| {
            isal::compress_into(source, out, level, isal::Codec::Gzip).unwrap_or(0)
        };
        found.push((format!("isa-l {number}"), Box::new(member)));
    }
    found
}

fn packed_bytes(member: &mut Member, tar: &[u8], out: &mut [u8]) -> usize {
    tar.chunks(MEMBER_BYTES).map(|source| member(source, out)).sum()
}

fn compare(criterion: &mut Criterion) -> Result<(), Failure> {
    let tars = tars()?;
    let of_gzip = tars.iter().map(|tar| gzip_6(tar)).collect::<Result<Vec<_>, _>>()?;
    eprintln!("gzip -6: {of_gzip:?} bytes of {:?}", tars.iter().map(Vec::len).collect::<Vec<_>>());
    let mut out = vec![0; 2 * MEMBER_BYTES];
    let mut group = criterion.benchmark_group("deflate");
    group.throughput(Throughput::BytesDecimal(tars[0].len() as u64)).sample_size(10);
    for (name, mut member) in candidates() {
        let sizes = tars
            .iter()
            .zip(&of_gzip)
            .map(|(tar, gzip)| format!("{:.3}", packed_bytes(&mut member, tar, &mut out) as f64 / *gzip as f64));
        eprintln!("{name}: {}", sizes.collect::<Vec<_>>().join(" "));
        let mut pass = || packed_bytes(&mut member, &tars[0], &mut out);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| bencher.iter(&mut pass));
    }
    group.finish();
    Ok(())
}

fn deflate(criterion: &mut Criterion) {
    if let Err(failure) = compare(criterion) {
        eprintln!("nothing to compare: {failure}");
    }
}

criterion_group!(benches, deflate);
criterion_main!(benches);

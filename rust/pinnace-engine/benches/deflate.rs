//! Our deflate and libraries beside each other, in members of 1 MiB: sizes relative to `gzip -6` of the whole tar on stderr (of
//! a generated tar, of Velero's golden one, and of the file that PINNACE_TAR names), then MB/s of the generated tar.

#[path = "realistic.rs"]
mod realistic;

use std::io::{Read, Write};
use std::ops::Range;
use std::process::{Command, Stdio};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::own::Own;
use pinnace_engine::deflate::{Deflate, Level, Repeat};
use pinnace_engine::page::{Page, PageSpec};

type Encode = Box<dyn FnMut(&[u8], &[Repeat], &mut [u8]) -> usize>;

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
fn candidates() -> Vec<(String, Encode)> {
    let mut own = Own::default();
    let encode =
        move |source: &[u8], repeats: &[Repeat], _: &mut [u8]| own.member(source, repeats).map_or(0, |m| m.len());
    let mut found: Vec<(String, Encode)> = vec![("pinnace".into(), Box::new(encode))];
    for level in [1, 3, 6, 7, 8] {
        let mut state = Compress::new(Compression::new(level), false);
        let encode = move |source: &[u8], _: &[Repeat], out: &mut [u8]| {
            state.reset();
            state.compress(source, out, FlushCompress::Finish).map_or(0, |_| state.total_out() as usize)
        };
        found.push((format!("zlib-rs {level}"), Box::new(encode)));
    }
    for level in [1, 4, 5, 6, 7, 9] {
        let mut state = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap_or_default());
        let encode = move |source: &[u8], _: &[Repeat], out: &mut [u8]| state.gzip_compress(source, out).unwrap_or(0);
        found.push((format!("libdeflate {level}"), Box::new(encode)));
    }
    for level in [1, 2, 6, 7, 8] {
        let encode = move |source: &[u8], _: &[Repeat], out: &mut [u8]| {
            let mut length = out.len();
            // SAFETY: both pointers are of slices whose lengths are given beside them, and outlive the call.
            let code = unsafe {
                libz_ng_sys::compress2(out.as_mut_ptr(), &raw mut length, source.as_ptr(), source.len() as _, level)
            };
            if code == 0 { length } else { 0 }
        };
        found.push((format!("zlib-ng {level}"), Box::new(encode)));
    }
    #[cfg(feature = "isal")]
    for (number, level) in
        [(0, isal::CompressionLevel::Zero), (1, isal::CompressionLevel::One), (3, isal::CompressionLevel::Three)]
    {
        let encode = move |source: &[u8], _: &[Repeat], out: &mut [u8]| {
            isal::compress_into(source, out, level, isal::Codec::Gzip).unwrap_or(0)
        };
        found.push((format!("isa-l {number}"), Box::new(encode)));
    }
    found
}

/// A member's bytes in the tar, and where in it second copies are.
type Member = (Range<usize>, Vec<Repeat>);

/// The members of a tar of USTAR entries, as an archive would be cut.
fn members(tar: &[u8]) -> Vec<Member> {
    let (mut found, mut repeats) = (Vec::new(), Vec::new());
    let (mut start, mut at) = (0, 0);
    let mut before = 0..0;
    while tar.get(at).is_some_and(|&first| first != 0) {
        let digits = tar[at + 124..at + 135].iter();
        let size = digits.fold(0, |size, digit| size * 8 + usize::from(digit.wrapping_sub(b'0') % 8));
        let body = at + 512..(at + 512 + size.next_multiple_of(512)).min(tar.len());
        let is_copy = before.start >= start && tar[before.clone()] == tar[body.clone()];
        let (length, distance) = (body.len(), body.start - before.start);
        if is_copy && distance <= Repeat::FARTHEST {
            repeats.push(Repeat { start: body.start - start, length, distance });
        }
        at = body.end;
        before = if is_copy { 0..0 } else { body };
        if is_copy && at - start >= MEMBER_BYTES {
            found.push((start..at, std::mem::take(&mut repeats)));
            start = at;
        }
    }
    found.push((start..tar.len(), repeats));
    found
}

fn packed_bytes(encode: &mut Encode, tar: &[u8], members: &[Member], out: &mut Vec<u8>) -> usize {
    let packed = members.iter().map(|(range, repeats)| {
        out.resize(out.len().max(2 * range.len()), 0);
        encode(&tar[range.clone()], repeats, out)
    });
    packed.sum()
}

fn compare(criterion: &mut Criterion) -> Result<(), Failure> {
    let tars = tars()?;
    let of_gzip = tars.iter().map(|tar| gzip_6(tar)).collect::<Result<Vec<_>, _>>()?;
    eprintln!("gzip -6: {of_gzip:?} bytes of {:?}", tars.iter().map(Vec::len).collect::<Vec<_>>());
    let cut = tars.iter().map(|tar| members(tar)).collect::<Vec<_>>();
    let mut out = vec![0; 2 * MEMBER_BYTES];
    let mut group = criterion.benchmark_group("deflate");
    group.throughput(Throughput::BytesDecimal(tars[0].len() as u64)).sample_size(10);
    for (name, mut encode) in candidates() {
        let sizes = tars.iter().zip(cut.iter().zip(&of_gzip)).map(|(tar, (cut, gzip))| {
            format!("{:.3}", packed_bytes(&mut encode, tar, cut, &mut out) as f64 / *gzip as f64)
        });
        eprintln!("{name}: {}", sizes.collect::<Vec<_>>().join(" "));
        let mut pass = || packed_bytes(&mut encode, &tars[0], &cut[0], &mut out);
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

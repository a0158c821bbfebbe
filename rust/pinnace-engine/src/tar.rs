//! Tar entries as Go's `archive/tar` writes them for Velero: USTAR, and PAX where a path does not fit it.

use std::ops::Range;

/// Headers and padding are multiples of this.
pub const BLOCK_BYTES: usize = 512;

/// Two empty blocks, the end of a tar.
pub const TRAILER: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;
const MODE: u64 = 0o755;

type Header = [u8; BLOCK_BYTES];

/// Append the header blocks of a regular file of `size` bytes at `path`: one, or three with a PAX record.
///
/// The mode is 0755 because Velero's extractor gives parent directories the mode of their first file.
pub fn header(path: &str, size: u64, mtime_seconds: u64, out: &mut Vec<u8>) {
    if path.len() <= NAME_BYTES && path.is_ascii() {
        out.extend_from_slice(&file_header(path, "", size, mtime_seconds));
    } else if let Some((prefix, name)) = split(path) {
        out.extend_from_slice(&file_header(name, prefix, size, mtime_seconds));
    } else {
        pax_header(path, out);
        out.extend_from_slice(&file_header(&ascii(path), "", size, mtime_seconds));
    }
}

/// Append a whole entry, header, `body` and padding; returns where the body is in `out`.
pub fn entry(path: &str, body: &[u8], mtime_seconds: u64, out: &mut Vec<u8>) -> Range<usize> {
    header(path, body.len() as u64, mtime_seconds, out);
    let start = out.len();
    out.extend_from_slice(body);
    pad(body.len(), out);
    start..start + body.len()
}

/// Append the zeros that fill the last block of `size` bytes.
pub fn pad(size: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + size.next_multiple_of(BLOCK_BYTES) - size, 0);
}

/// Where USTAR can cut a long path, as Go's `splitUSTARPath` does: the last slash that leaves a prefix that fits.
fn split(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    let cut = path[..path.len().min(PREFIX_BYTES + 1)].rfind('/')?;
    let (prefix, name) = (&path[..cut], &path[cut + 1..]);
    (!prefix.is_empty() && !name.is_empty() && name.len() <= NAME_BYTES).then_some((prefix, name))
}

fn file_header(name: &str, prefix: &str, size: u64, mtime_seconds: u64) -> Header {
    let mut header = common_header(name, MODE, size, mtime_seconds, b'0');
    octal(&mut header[329..337], 0);
    octal(&mut header[337..345], 0);
    text(&mut header[345..500], prefix);
    sealed(header)
}

fn pax_header(path: &str, out: &mut Vec<u8>) {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let separator = if folder.is_empty() { "" } else { "/" };
    let mut name = ascii(&format!("{folder}{separator}PaxHeaders.0/{file}"));
    name.truncate(NAME_BYTES);
    let record = pax_record("path", path);
    let name = name.trim_end_matches('/');
    out.extend_from_slice(&sealed(common_header(name, 0, record.len() as u64, 0, b'x')));
    out.extend_from_slice(record.as_bytes());
    pad(record.len(), out);
}

/// `length key=value\n`, where the length counts its own digits too.
fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn common_header(name: &str, mode: u64, size: u64, mtime_seconds: u64, kind: u8) -> Header {
    let mut header = [0; BLOCK_BYTES];
    text(&mut header[..NAME_BYTES], name);
    octal(&mut header[100..108], mode);
    octal(&mut header[108..116], 0);
    octal(&mut header[116..124], 0);
    octal(&mut header[124..136], size);
    octal(&mut header[136..148], mtime_seconds);
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header
}

/// The header with its checksum, which counts its own field as spaces.
fn sealed(mut header: Header) -> Header {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut header[148..155], sum);
    header
}

/// Digits with leading zeros up to a NUL in the field's last byte.
fn octal(field: &mut [u8], mut number: u64) {
    let Some((last, digits)) = field.split_last_mut() else { return };
    *last = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number & 7) as u8;
        number >>= 3;
    }
}

/// What fits of `value`; as in Go, a cut name never ends with a slash, since readers take such a one for a folder.
fn text(field: &mut [u8], value: &str) {
    let length = value.len().min(field.len());
    let mut kept = &value.as_bytes()[..length];
    if value.len() > field.len() && kept.ends_with(b"/") {
        kept = value[..length].trim_end_matches('/').as_bytes();
    }
    field[..kept.len()].copy_from_slice(kept);
}

fn ascii(path: &str) -> String {
    path.chars().filter(|character| character.is_ascii() && *character != '\0').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pax_record_counts_its_own_length() {
        assert_eq!(pax_record("path", "a"), "9 path=a\n");
        for length in 1..1200 {
            let record = pax_record("path", &"x".repeat(length));
            let stated = record.split(' ').next().unwrap().parse::<usize>().unwrap();
            assert_eq!(stated, record.len(), "a value of {length}");
        }
    }

    #[test]
    fn a_long_path_is_cut_at_a_slash_if_its_name_fits() {
        let folder = "f".repeat(60);
        let path = format!("{folder}/{folder}/name.json");
        assert_eq!(split(&path), Some((&path[..121], "name.json")));
        assert_eq!(split(&format!("folder/{}", "n".repeat(101))), None);
        assert_eq!(split(&format!("{folder}/ü/{folder}")), None);
    }
}

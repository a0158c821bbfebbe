//! Single values as JSON has them, where that is not what protobuf has: times, base64, numbers.

use std::io::Write as _;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The second at which Go's `time.Time` is zero: 0001-01-01T00:00:00Z.
pub(super) const ZERO_SECOND: i64 = -62_135_596_800;

const DAY_SECONDS: i64 = 86_400;
/// The second after 9999-12-31T23:59:59Z; what comes then has no RFC 3339.
const END_SECOND: i64 = 253_402_300_800;

/// Append a time as RFC 3339 in UTC and quotes; `microseconds` are the six digits that a `MicroTime` has.
/// False, and nothing is appended, where its year has not four digits.
pub(super) fn time(second: i64, microseconds: Option<u32>, out: &mut Vec<u8>) -> bool {
    if !(ZERO_SECOND..END_SECOND).contains(&second) {
        return false;
    }
    let (year, month, day) = civil(second.div_euclid(DAY_SECONDS));
    let rest = second.rem_euclid(DAY_SECONDS);
    out.push(b'"');
    digits(year, 4, out);
    for (separator, value) in
        [(b'-', month), (b'-', day), (b'T', rest / 3600), (b':', rest / 60 % 60), (b':', rest % 60)]
    {
        out.push(separator);
        digits(value, 2, out);
    }
    if let Some(microseconds) = microseconds {
        out.push(b'.');
        digits(i64::from(microseconds), 6, out);
    }
    out.extend_from_slice(b"Z\"");
    true
}

/// Year, month and day of a day counted from 1970 (`civil_from_days` of Hinnant's date algorithms).
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_month)
}

/// Append `value`, which is not negative, with `count` digits.
fn digits(value: i64, count: u32, out: &mut Vec<u8>) {
    for place in (0..count).rev() {
        let digit = value / 10_i64.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
}

/// Append a number.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    if (0..10).contains(&value) {
        digits(value, 1, out);
    } else {
        // Writing to a vector does not fail.
        let _ = write!(out, "{value}");
    }
}

/// Append bytes as base64 with padding and quotes.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4 + 2);
    out.push(b'"');
    let (triples, rest) = bytes.as_chunks::<3>();
    for &[first, second, third] in triples {
        out.extend_from_slice(&quadruple([first, second, third]));
    }
    match *rest {
        [first] => {
            out.extend_from_slice(&quadruple([first, 0, 0])[..2]);
            out.extend_from_slice(b"==");
        }
        [first, second] => {
            out.extend_from_slice(&quadruple([first, second, 0])[..3]);
            out.push(b'=');
        }
        _ => {}
    }
    out.push(b'"');
}

#[inline]
fn quadruple([first, second, third]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from(first) << 16 | u32::from(second) << 8 | u32::from(third);
    [18, 12, 6, 0].map(|shift| BASE64[(bits >> shift & 63) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn times_are_spelled_as_go_does() {
        for (second, microseconds, expected) in [
            (0, None, "\"1970-01-01T00:00:00Z\""),
            (-1, None, "\"1969-12-31T23:59:59Z\""),
            (951_825_600, None, "\"2000-02-29T12:00:00Z\""),
            (1_700_000_000, Some(1_000), "\"2023-11-14T22:13:20.001000Z\""),
            (ZERO_SECOND, Some(999_999), "\"0001-01-01T00:00:00.999999Z\""),
            (END_SECOND - 1, None, "\"9999-12-31T23:59:59Z\""),
            (END_SECOND, None, ""),
            (ZERO_SECOND - 1, None, ""),
            (i64::MAX, None, ""),
            (i64::MIN, None, ""),
        ] {
            assert_eq!(written(|out| assert_ne!(time(second, microseconds, out), expected.is_empty())), expected);
        }
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, expected) in [
            (&b""[..], "\"\""),
            (b"f", "\"Zg==\""),
            (b"fo", "\"Zm8=\""),
            (b"foo", "\"Zm9v\""),
            (b"foob", "\"Zm9vYg==\""),
            (b"\xfb\xff\xbf", "\"+/+/\""),
        ] {
            assert_eq!(written(|out| base64(bytes, out)), expected);
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        for value in [0, 9, 10, -1, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| integer(value, out)), value.to_string());
        }
    }
}

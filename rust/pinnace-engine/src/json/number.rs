//! JSON's grammar of numbers; their bytes are kept as they are.

/// Where the number that starts at `from` ends, or the offset at which it is none.
pub fn end(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let at = |place: usize| bytes.get(place).copied().unwrap_or(0);
    let mut place = from + usize::from(at(from) == b'-');
    place = if at(place) == b'0' { place + 1 } else { digits(bytes, place)? };
    if at(place) == b'.' {
        place = digits(bytes, place + 1)?;
    }
    if matches!(at(place), b'e' | b'E') {
        place += 1;
        place += usize::from(matches!(at(place), b'+' | b'-'));
        place = digits(bytes, place)?;
    }
    Ok(place)
}

/// Past one or more digits.
fn digits(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let count = bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    if count == 0 { Err(from) } else { Ok(from + count) }
}

#[cfg(test)]
mod tests {
    use super::end;

    #[test]
    fn numbers_of_the_grammar_end_where_they_end() {
        for number in ["0", "-0", "1e400", "-1.50E-07", "123456789012345678901234567890", "0.0", "2e+1"] {
            assert_eq!(end(format!("{number},").as_bytes(), 0), Ok(number.len()), "{number}");
        }
    }

    #[test]
    fn other_numbers_fail_at_the_first_wrong_byte() {
        for (number, place) in [("-", 1), ("1.", 2), ("1e", 2), ("1e+", 3), ("-a", 1), (".5", 0), ("+1", 0)] {
            assert_eq!(end(number.as_bytes(), 0), Err(place), "{number}");
        }
    }
}

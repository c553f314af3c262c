//! Ages and intervals as RabbitMQ writes them: a number and a unit `[rabbitmq streams]`.

/// `[1-9][0-9]*[YMDhms]` in milliseconds; a year has 365 days, a month has 30.
pub(crate) fn parse_ms(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "Y" => 365 * 86_400,
        "M" => 30 * 86_400,
        "D" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    if digits.starts_with('0') || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(number.saturating_mul(seconds).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_make_an_age() {
        let day = 86_400_000;
        for (text, ms) in [("1Y", 365 * day), ("2M", 60 * day), ("7D", 7 * day), ("90s", 90_000)] {
            assert_eq!(parse_ms(text), Some(ms));
        }
        assert_eq!(parse_ms("5m"), Some(300_000));
        assert_eq!(parse_ms("4h"), Some(14_400_000));
        for wrong in ["", "s", "7d", "0h", "5", "1h30m", "+5s", " 5s", "5é", "05s"] {
            assert_eq!(parse_ms(wrong), None, "{wrong}");
        }
        assert_eq!(parse_ms("18446744073709551615Y"), Some(u64::MAX));
    }
}

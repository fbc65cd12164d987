//! Numbers as people read them.

/// Digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An estimate: two digits, and the size of the rest.
pub(super) fn about(number: u64) -> String {
    let unit = 10u64.pow(number.max(1).ilog10().saturating_sub(1));
    grouped((number / unit + u64::from(number % unit >= unit.div_ceil(2))) * unit)
}

/// A share as whole percent. Only all is 100 %.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 {
        return "under 1%".to_owned();
    }
    format!("{}%", percent as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn an_estimate_has_two_digits() {
        let cases = [0, 7, 42, 149, 151, 585_690, 996_000, 12_345_678];
        assert_eq!(cases.map(about), ["0", "7", "42", "150", "150", "590,000", "1,000,000", "12,000,000"]);
        assert!(!about(u64::MAX / 4).is_empty());
    }

    #[test]
    fn almost_all_is_not_all() {
        assert_eq!([0.0, 0.001, 0.5, 0.999_9, 1.0].map(percent), ["0%", "under 1%", "50%", "99%", "100%"]);
    }
}

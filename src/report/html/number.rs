//! Numbers as people read them: thousands separated, a true minus sign, an en dash where there is no number.

/// What stands where a number is missing or not finite.
pub(super) const MISSING: &str = "–";

/// A whole number: `1,234,567`.
pub(super) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A number of things: `1 domain`, `6 domains`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// With that many decimals: `−1,234.50`.
pub(super) fn decimal(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return MISSING.to_owned();
    }
    let text = format!("{:.decimals$}", x.abs());
    // What rounds to zero has no sign.
    let negative = x < 0.0 && text.contains(|digit: char| ('1'..='9').contains(&digit));
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if negative { "−" } else { "" };
    format!("{sign}{}{rest}", grouped(whole))
}

/// A share of 1 in percent, without the sign: `15.87`.
pub(super) fn percent(share: f64) -> String {
    decimal(100.0 * share, 2)
}

/// A difference of shares in percentage points, with its sign: `+1.20`, `−0.35`, `0.00`.
pub(super) fn points(difference: f64) -> String {
    let text = percent(difference);
    let plus = difference.is_finite() && difference > 0.0 && text != "0.00";
    if plus { format!("+{text}") } else { text }
}

/// Both ends of an interval of shares: `14.93 – 16.81`.
pub(super) fn interval((low, high): (f64, f64)) -> String {
    format!("{} – {}", percent(low), percent(high))
}

/// Four digits that count, with a power of ten where the number is very large or small.
pub(super) fn significant(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return if x == 0.0 { "0".into() } else { MISSING.into() };
    }
    let magnitude = x.abs().log10().floor() as i32;
    if (-3..6).contains(&magnitude) {
        return decimal(x, (3 - magnitude).max(0) as usize);
    }
    power_of_ten(&format!("{x:.3e}"))
}

/// A parameter as it was set, in the fewest digits: `10`, `0.001`, `1e−9`.
pub(super) fn parameter(x: f64) -> String {
    if !x.is_finite() {
        return MISSING.to_owned();
    }
    if x != 0.0 && !(1e-4..1e6).contains(&x.abs()) {
        return power_of_ten(&format!("{x:e}"));
    }
    let text = x.to_string();
    let decimals = text
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    decimal(x, decimals)
}

fn power_of_ten(text: &str) -> String {
    text.replace('-', "−")
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [-1234.5, -0.001, f64::NAN].map(|x| decimal(x, 2)),
            ["−1,234.50", "0.00", "–"]
        );
        assert_eq!(
            [0.012, -0.012, -1e-9].map(points),
            ["+1.20", "−1.20", "0.00"]
        );
        assert_eq!([0.158_74, 1.0].map(percent), ["15.87", "100.00"]);
        let [a, b, c, d] = [12.345_6, 0.000_123_4, -1.5e9, 0.0].map(significant);
        assert_eq!([&*a, &*b, &*c, &*d], ["12.35", "1.234e−4", "−1.500e9", "0"]);
        assert_eq!(
            [10.0, 0.001, 1e-9, -31_623.5].map(parameter),
            ["10", "0.001", "1e−9", "−31,623.5"]
        );
    }
}

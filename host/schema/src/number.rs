//! Numbers as JSON Schema sees them: by their mathematical value, so `1` is `1.0`. All of it takes
//! constant time.

use std::cmp::Ordering;

use serde_json::Number;

/// The value of a number, exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ExactNumber {
    Integer(i128),
    /// One with a fraction, or one too large for the other.
    Float(f64),
}

/// Below this, each whole number of a float is an `i128` exactly.
const I128_SAFE: f64 = 1e38;

pub(crate) fn exact(number: &Number) -> ExactNumber {
    if let Some(integer) = number.as_i64() {
        return ExactNumber::Integer(integer.into());
    }
    if let Some(integer) = number.as_u64() {
        return ExactNumber::Integer(integer.into());
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    if float.fract() == 0.0 && float.abs() < I128_SAFE {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole and smaller than 2^127"
        )]
        return ExactNumber::Integer(float as i128);
    }
    ExactNumber::Float(float)
}

pub(crate) fn is_integer(number: &Number) -> bool {
    match exact(number) {
        ExactNumber::Integer(_) => true,
        // A float that large has no fraction.
        ExactNumber::Float(float) => float.abs() >= I128_SAFE && float.is_finite(),
    }
}

pub(crate) fn compare(a: &Number, b: &Number) -> Ordering {
    match (exact(a), exact(b)) {
        (ExactNumber::Integer(a), ExactNumber::Integer(b)) => a.cmp(&b),
        (ExactNumber::Float(a), ExactNumber::Float(b)) => {
            a.partial_cmp(&b).unwrap_or(Ordering::Equal)
        }
        (ExactNumber::Integer(a), ExactNumber::Float(b)) => integer_to_float(a, b),
        (ExactNumber::Float(a), ExactNumber::Integer(b)) => integer_to_float(b, a).reverse(),
    }
}

/// A float here has a fraction, or is beyond every integer that there can be.
fn integer_to_float(integer: i128, float: f64) -> Ordering {
    if float.abs() >= I128_SAFE {
        return if float > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is smaller than 2^127")]
    let floor = float.floor() as i128;
    if integer <= floor {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

/// Whether one number is a multiple of another, by their decimal digits: `0.0075` is one of
/// `0.0001`, which their floats do not say.
pub(crate) fn is_multiple(number: &Number, of: &Number) -> bool {
    let (Some((value, value_exponent)), Some((unit, unit_exponent))) =
        (decimal(number), decimal(of))
    else {
        return false;
    };
    if value == 0 {
        return true;
    }
    if unit == 0 {
        return false;
    }
    let shift = i64::from(value_exponent) - i64::from(unit_exponent);
    if shift >= 0 {
        // Neither has more than 20 digits, so no product passes 128 bits.
        let mut rest = value % unit;
        let (mut power, mut base, mut left) = (1 % unit, 10 % unit, shift);
        while left > 0 {
            if left & 1 == 1 {
                power = multiply_mod(power, base, unit);
            }
            base = multiply_mod(base, base, unit);
            left >>= 1;
        }
        rest = multiply_mod(rest, power, unit);
        return rest == 0;
    }
    let scale = u32::try_from(-shift)
        .ok()
        .and_then(|digits| 10_u128.checked_pow(digits));
    // A unit that passes 128 bits is larger than the value.
    match scale.and_then(|scale| unit.checked_mul(scale)) {
        Some(unit) => value % unit == 0,
        None => false,
    }
}

/// `a * b % modulus` for numbers below 2^67.
fn multiply_mod(a: u128, b: u128, modulus: u128) -> u128 {
    let (mut a, mut b, mut sum) = (a % modulus, b, 0);
    if let Some(product) = a.checked_mul(b) {
        return product % modulus;
    }
    while b > 0 {
        if b & 1 == 1 {
            sum = (sum + a) % modulus;
        }
        a = (a * 2) % modulus;
        b >>= 1;
    }
    sum
}

/// Digits and a power of ten, without the sign.
fn decimal(number: &Number) -> Option<(u128, i32)> {
    if let Some(integer) = number.as_i64() {
        return Some((integer.unsigned_abs().into(), 0));
    }
    if let Some(integer) = number.as_u64() {
        return Some((integer.into(), 0));
    }
    // The shortest digits that mean this float, such as `7.5e-3`.
    let text = format!("{:e}", number.as_f64()?.abs());
    let (digits, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, exponent - i32::try_from(fraction.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use serde_json::Number;

    use super::{compare, is_integer, is_multiple};

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_compare_by_their_value() {
        for (a, b, expected) in [
            ("1", "1.0", Ordering::Equal),
            ("0", "-0.0", Ordering::Equal),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("18446744073709551615", "1e300", Ordering::Less),
            ("-1", "-1.5", Ordering::Greater),
            ("-2", "-1.5", Ordering::Less),
            ("1e300", "2e300", Ordering::Less),
            ("-1e300", "0", Ordering::Less),
        ] {
            assert_eq!(compare(&number(a), &number(b)), expected, "{a} {b}");
            assert_eq!(
                compare(&number(b), &number(a)),
                expected.reverse(),
                "{b} {a}"
            );
        }
        assert!(
            is_integer(&number("1.0"))
                && is_integer(&number("1e300"))
                && !is_integer(&number("1.5"))
        );
    }

    #[test]
    fn multiples_are_exact_and_cost_the_same_for_every_number() {
        for (value, unit, expected) in [
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("4.5", "1.5", true),
            ("35", "1.5", false),
            ("1e308", "0.5", true),
            ("1e308", "0.123456789", false),
            ("1e308", "1e-308", true),
            ("1e-308", "1e308", false),
            ("12391239123", "1e-8", true),
            ("18446744073709551615", "5", true),
            ("18446744073709551615", "18446744073709551557", false),
            ("0", "1e308", true),
            ("-4", "2", true),
        ] {
            assert_eq!(
                is_multiple(&number(value), &number(unit)),
                expected,
                "{value} {unit}"
            );
        }
    }
}

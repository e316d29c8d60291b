//! Decimal numbers of any length: `shopspring/decimal`, as far as Sprig's float functions use it.

use landfall_gotemplate::{FuncError, Value, format};
use num_bigint::BigInt;

use crate::cast::to_float64;

/// Digits behind the point that a division gives.
const DIVISION_PRECISION: i32 = 16;

/// `digits` × 10^`exponent`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decimal {
    digits: BigInt,
    exponent: i32,
}

impl Decimal {
    pub(super) fn of(value: &Value) -> Result<Self, FuncError> {
        Self::from_float(to_float64(value))
    }

    /// The decimal with the shortest digits that mean this float.
    pub(super) fn from_float(number: f64) -> Result<Self, FuncError> {
        if !number.is_finite() {
            return Err(FuncError::new(format!("Cannot create a Decimal from {}", format::float(number))));
        }
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().unwrap_or_default();
        let exponent = exponent.parse::<i32>().unwrap_or(0) - fraction.len() as i32;
        Ok(Self { digits, exponent })
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self { digits: self.scaled(exponent) + other.scaled(exponent), exponent }
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self { digits: self.scaled(exponent) - other.scaled(exponent), exponent }
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, exponent: self.exponent + other.exponent }
    }

    /// Rounds half away from zero.
    pub(super) fn div(&self, other: &Self) -> Result<Self, FuncError> {
        let zero = BigInt::ZERO;
        if other.digits == zero {
            return Err(FuncError::new("decimal division by 0"));
        }
        // quotient = self × 10^(precision + other's exponent − self's) / other, with one side scaled up.
        let shift = DIVISION_PRECISION + self.exponent - other.exponent;
        let (above, below) = match shift {
            0.. => (&self.digits * power(shift), other.digits.clone()),
            _ => (self.digits.clone(), &other.digits * power(-shift)),
        };
        let mut quotient = &above / &below;
        let remainder = &above - &quotient * &below;
        if BigInt::from(remainder.magnitude().clone()) * 2 >= BigInt::from(below.magnitude().clone()) {
            let away = if (above < zero) == (below < zero) { 1 } else { -1 };
            quotient += away;
        }
        Ok(Self { digits: quotient, exponent: -DIVISION_PRECISION })
    }

    /// The nearest float.
    pub(super) fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(0.0)
    }

    fn scaled(&self, exponent: i32) -> BigInt {
        &self.digits * power(self.exponent - exponent)
    }
}

fn power(exponent: i32) -> BigInt {
    BigInt::from(10u8).pow(exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_add_and_divide_as_on_paper() {
        let decimal = |number| Decimal::from_float(number).expect("finite");
        assert_eq!(decimal(0.1).add(&decimal(0.2)).to_float(), 0.3);
        assert_eq!(decimal(1.0).div(&decimal(3.0)).expect("not by zero").to_float(), 0.3333333333333333);
        assert_eq!(decimal(-1.0).div(&decimal(6.0)).expect("not by zero").to_float(), -0.1666666666666667);
        assert_eq!(decimal(1e300).mul(&decimal(1e-300)).to_float(), 1.0);
        assert!(decimal(1.0).div(&decimal(0.0)).is_err());
    }
}

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// How a quantity is written: the family of its suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuantityFormat {
    /// `12e6`
    DecimalExponent,
    /// `12Mi` (powers of 1024)
    BinarySi,
    /// `12M` (powers of 1000)
    DecimalSi,
}

/// An amount of a resource (`500m`, `1Gi`, `1e3`), exact, printed as the API server prints it.
///
/// Follows `k8s.io/apimachinery/pkg/api/resource`: a canonical text is kept as it was written (with Go's own idea
/// of "canonical", so `1.500` stays), everything else is printed in canonical form (`1000m` is `1`, `1024Mi` is
/// `1Gi`); what is finer than a nano unit is rounded up to one; binary amounts are capped at 2^63-1.
#[derive(Debug, Clone)]
pub struct Quantity {
    unscaled: i128,
    /// Power of ten that `unscaled` is multiplied with; at least -9.
    scale: i32,
    format: QuantityFormat,
    /// The text as written, when Go would reuse it.
    written: Option<String>,
}

/// The text is not a quantity, in the API server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// Not of the form number plus suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number cannot be read.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// The suffix is none of the known ones.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

const NANO: i32 = -9;
/// Go keeps a value in an int64 up to this many decimal digits.
const MAX_INT64_DIGITS: i64 = 18;

impl Quantity {
    /// Zero.
    pub fn zero() -> Self {
        Self { unscaled: 0, scale: 0, format: QuantityFormat::DecimalSi, written: None }
    }

    /// A whole number of units.
    pub fn from_units(units: i64, format: QuantityFormat) -> Self {
        Self { unscaled: i128::from(units), scale: 0, format, written: None }
    }

    /// A number of thousandths, as `cpu` is counted.
    pub fn from_millis(millis: i64) -> Self {
        Self { unscaled: i128::from(millis), scale: -3, format: QuantityFormat::DecimalSi, written: None }
    }

    /// Reads a quantity as a manifest writes it: a string, or a bare JSON number.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ParseQuantityError> {
        match value {
            serde_json::Value::String(text) => text.trim().parse(),
            serde_json::Value::Number(number) => number.to_string().parse(),
            _ => Err(ParseQuantityError::Format),
        }
    }

    /// The family of its suffix.
    pub fn format(&self) -> QuantityFormat {
        self.format
    }

    /// Whether it is exactly zero.
    pub fn is_zero(&self) -> bool {
        self.unscaled == 0
    }

    /// -1, 0 or 1.
    pub fn signum(&self) -> i32 {
        self.unscaled.signum() as i32
    }

    /// The value in units, rounded up (away from zero), capped at the range of `i64`.
    pub fn units(&self) -> i64 {
        self.scaled_value(0)
    }

    /// The value in thousandths, rounded up (away from zero), capped at the range of `i64`.
    pub fn millis(&self) -> i64 {
        self.scaled_value(-3)
    }

    fn scaled_value(&self, scale: i32) -> i64 {
        let (value, _) = rescale(self.unscaled, self.scale, scale);
        value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// Rounded up to a multiple of 10^`scale`; the text becomes canonical. The API server does this with scale -3
    /// to every resource list (`SetDefaults_ResourceList`).
    #[must_use]
    pub fn rounded_up(&self, scale: i32) -> Self {
        let mut rounded = Self { written: None, ..self.clone() };
        if self.scale < scale {
            (rounded.unscaled, _) = rescale(self.unscaled, self.scale, scale);
            rounded.scale = scale;
        }
        rounded
    }

    /// The sum, in this quantity's format (the other's when this is zero); saturating.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        let scale = self.scale.min(other.scale);
        let (left, _) = rescale(self.unscaled, self.scale, scale);
        let (right, _) = rescale(other.unscaled, other.scale, scale);
        Self { unscaled: left.saturating_add(right), scale, format, written: None }
    }

    /// The difference, in this quantity's format; saturating.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.plus(&Self { unscaled: other.unscaled.saturating_neg(), ..other.clone() })
    }

    fn canonical(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let mut format = self.format;
        if format == QuantityFormat::BinarySi {
            let (whole, exact) = rescale(self.unscaled, self.scale, 0);
            if exact && whole.unsigned_abs() >= 1024 {
                let (mut amount, mut power) = (whole, 0);
                while amount % 1024 == 0 && power < 6 {
                    amount /= 1024;
                    power += 1;
                }
                return format!("{amount}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power]);
            }
            format = QuantityFormat::DecimalSi;
        }
        let (amount, exponent) = self.in_thousands().unwrap_or((self.unscaled.signum() * i128::MAX, self.scale));
        if format == QuantityFormat::DecimalSi
            && let Some((suffix, _)) = DECIMAL.iter().find(|(_, power)| *power == exponent)
        {
            return format!("{amount}{suffix}");
        }
        if exponent == 0 { amount.to_string() } else { format!("{amount}e{exponent}") }
    }

    /// The shortest number whose power of ten is a multiple of three, and that power; `None` past the range of `i128`.
    fn in_thousands(&self) -> Option<(i128, i32)> {
        let (mut amount, mut exponent) = (self.unscaled, self.scale);
        while amount != 0 && amount % 10 == 0 {
            amount /= 10;
            exponent += 1;
        }
        while exponent.rem_euclid(3) != 0 {
            amount = amount.checked_mul(10)?;
            exponent -= 1;
        }
        Some((amount, exponent))
    }
}

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, ParseQuantityError> {
        if text.is_empty() {
            return Err(ParseQuantityError::Format);
        }
        let (negative, rest) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let stripped = rest.trim_start_matches('0');
        if stripped.is_empty() {
            return Ok(Self { written: (text == "0").then(|| "0".to_owned()), ..Self::zero() });
        }
        let whole_end = stripped.find(|c: char| !c.is_ascii_digit()).unwrap_or(stripped.len());
        let (whole, mut rest) = stripped.split_at(whole_end);
        let whole = if whole.is_empty() { "0" } else { whole };
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            (fraction, rest) = after.split_at(end);
        }
        let letters = rest.find(|c: char| !"eEinumkKMGTP".contains(c)).unwrap_or(rest.len());
        let tail = rest[letters..].strip_prefix(['-', '+']).unwrap_or(&rest[letters..]);
        if tail.contains(|c: char| !c.is_ascii_digit()) {
            return Err(ParseQuantityError::Format);
        }
        let (base, exponent, mut format) = suffix(rest).ok_or(ParseQuantityError::Suffix)?;

        let digits = format!("{whole}{fraction}");
        let mut unscaled: i128 = digits.parse().map_err(|_| ParseQuantityError::Number)?;
        let mut scale = -i32::try_from(fraction.len()).map_err(|_| ParseQuantityError::Number)?;
        if base == 2 {
            unscaled = unscaled.checked_mul(1 << exponent).ok_or(ParseQuantityError::Number)?;
        } else {
            scale = scale.saturating_add(exponent);
        }
        let written = reuses_text(&digits, scale, exponent, format, fraction.is_empty()).then(|| text.to_owned());
        if scale < NANO {
            (unscaled, _) = rescale(unscaled, scale, NANO);
            scale = NANO;
        }
        if base == 2 {
            let (whole, _) = rescale(unscaled, scale, 0);
            if whole > i128::from(i64::MAX) {
                (unscaled, scale) = (i128::from(i64::MAX), 0);
            } else if whole == 1 && compare(unscaled, scale, 1, 0) == Ordering::Less {
                format = QuantityFormat::DecimalSi;
            }
        }
        let read = Self { unscaled: if negative { -unscaled } else { unscaled }, scale, format, written };
        // A number that cannot be told again would be another one the next time it is read.
        read.in_thousands().map(|_| read.clone()).ok_or(ParseQuantityError::Number)
    }
}

/// Whether Go keeps the text as written: its fast path's test for "canonical".
fn reuses_text(digits: &str, scale: i32, exponent: i32, format: QuantityFormat, integer: bool) -> bool {
    let length = digits.len() as i64;
    match format {
        QuantityFormat::BinarySi => {
            let precision = 15 - length - i64::from(exponent) * 3 / 10 - 1;
            integer && precision >= 0 && digits.parse::<i64>().is_ok_and(|value| value & 7 != 0)
        }
        _ => {
            // A fraction that starts at zero counts its stripped zero as a digit, as in Go.
            length <= MAX_INT64_DIGITS
                && scale >= NANO
                && scale % 3 == 0
                && !digits.ends_with("000")
                && !digits.starts_with('0')
        }
    }
}

fn suffix(text: &str) -> Option<(u32, i32, QuantityFormat)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == text) {
        return Some((10, *power, QuantityFormat::DecimalSi));
    }
    if let Some(at) = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|name| *name == text) {
        return Some((2, 10 * (at as i32 + 1), QuantityFormat::BinarySi));
    }
    let exponent = text.strip_prefix(['e', 'E'])?;
    let exponent: i64 = exponent.parse().ok()?;
    // Go truncates to 32 bits; anything beyond a few digits is hostile, and is refused here.
    let exponent = i32::try_from(exponent).ok().filter(|exponent| exponent.unsigned_abs() < 1 << 20)?;
    Some((10, exponent, QuantityFormat::DecimalExponent))
}

/// The value at another power of ten, rounded away from zero, saturating; and whether nothing was lost.
fn rescale(unscaled: i128, from: i32, to: i32) -> (i128, bool) {
    let (mut value, mut exact) = (unscaled, true);
    if from > to {
        for _ in to..from {
            match value.checked_mul(10) {
                Some(0) => return (0, true),
                Some(larger) => value = larger,
                None => return (if value < 0 { i128::MIN } else { i128::MAX }, false),
            }
        }
    } else {
        for _ in from..to {
            if value == 0 {
                break;
            }
            exact &= value % 10 == 0;
            value /= 10;
        }
        if !exact {
            value += unscaled.signum();
        }
    }
    (value, exact)
}

fn compare(left: i128, left_scale: i32, right: i128, right_scale: i32) -> Ordering {
    if left.signum() != right.signum() {
        return left.signum().cmp(&right.signum());
    }
    let scale = left_scale.min(right_scale);
    let ((l, l_exact), (r, r_exact)) = (rescale(left, left_scale, scale), rescale(right, right_scale, scale));
    match (l_exact, r_exact) {
        // Both are far beyond what an i128 holds at one scale; the larger power of ten wins.
        (false, false) => left_scale.cmp(&right_scale),
        _ => l.cmp(&r),
    }
}

impl PartialEq for Quantity {
    /// By value: `1000m` equals `1`.
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.unscaled, self.scale, other.unscaled, other.scale)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.written {
            Some(written) => f.write_str(written),
            None => f.write_str(&self.canonical()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        text.parse::<Quantity>().map_or_else(|error| format!("error: {error}"), |quantity| quantity.to_string())
    }

    #[test]
    fn quantities_print_in_canonical_form() {
        for (input, output) in [
            ("0", "0"),
            ("00", "0"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1500Mi", "1500Mi"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("100Mi", "100Mi"),
            ("1024Ki", "1Mi"),
            ("512", "512"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("1000e0", "1e3"),
            ("1k", "1k"),
            ("1000", "1k"),
            ("1.500", "1.500"),
            ("0.0000000001", "1n"),
            ("-1000m", "-1"),
            ("8Ei", "9223372036854775807"),
            ("2000000000", "2G"),
            ("12345", "12345"),
            ("100000", "100k"),
            ("0.1Ki", "102400m"),
        ] {
            assert_eq!(printed(input), output, "{input}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_in_the_servers_words() {
        assert_eq!("".parse::<Quantity>(), Err(ParseQuantityError::Format));
        assert_eq!("1 Gi".parse::<Quantity>(), Err(ParseQuantityError::Format));
        assert_eq!("1GB".parse::<Quantity>(), Err(ParseQuantityError::Format));
        assert_eq!("1Gim".parse::<Quantity>(), Err(ParseQuantityError::Suffix));
        assert_eq!("1..5".parse::<Quantity>(), Err(ParseQuantityError::Format));
    }

    #[test]
    fn a_number_that_cannot_be_told_again_is_refused() {
        for text in [
            "-999999999999999999999999999999991177.98",
            "-777999999999999999999999999991.1599939",
            "-9777999999999999999999999999991.1599939",
        ] {
            assert_eq!(text.parse::<Quantity>().err(), Some(ParseQuantityError::Number), "{text}");
        }
        let told = "99999999999999999999999999999991177".parse::<Quantity>().map(|it| it.to_string());
        assert_eq!(told.as_deref(), Ok("99999999999999999999999999999991177"));
    }

    #[test]
    fn comparison_is_by_value_even_where_numbers_are_huge() {
        let quantity = |text: &str| text.parse::<Quantity>().expect("a quantity");
        assert_eq!(quantity("1000m"), quantity("1"));
        assert!(quantity("1Gi") > quantity("1G"));
        assert!(quantity("1e400000") > quantity("1e300000"));
        assert!(quantity("1e400000") > quantity("1"));
        assert!(quantity("-1") < quantity("0"));
        assert_eq!(quantity("250m").plus(&quantity("750m")).to_string(), "1");
        assert_eq!(quantity("1Gi").minus(&quantity("512Mi")).to_string(), "512Mi");
        assert_eq!(quantity("0.0001").millis(), 1);
        assert_eq!(quantity("1.500").rounded_up(-3).to_string(), "1500m");
    }
}

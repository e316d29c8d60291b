//! `strconv.FormatFloat`.

/// More digits than any `float64` has; what is asked for beyond is zeros.
const EXACT_DIGITS: usize = 1100;

/// Digits before and after the point: 0.`digits` × 10^`point`.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// Rounded to so many digits, or the fewest that read back as the same number.
    fn of(number: f64, digits: Option<usize>) -> Decimal {
        let text = match digits {
            Some(count) => format!("{:.*e}", count.saturating_sub(1).min(EXACT_DIGITS), number.abs()),
            None => format!("{:e}", number.abs()),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Decimal { digits, point: 0 };
        }
        Decimal { digits, point: exponent.parse::<i32>().unwrap_or(0) + 1 }
    }
}

/// Formats as the verb (`b e E f g G x X`) with that precision, or the shortest that reads back the same.
pub(crate) fn format(number: f64, verb: u8, precision: Option<usize>) -> Vec<u8> {
    if number.is_nan() {
        return b"NaN".to_vec();
    }
    if number.is_infinite() {
        return if number > 0.0 { b"+Inf".to_vec() } else { b"-Inf".to_vec() };
    }
    let mut out = Vec::with_capacity(24);
    if number.is_sign_negative() {
        out.push(b'-');
    }
    match verb {
        b'e' | b'E' => {
            let decimal = Decimal::of(number, precision.map(|precision| precision + 1));
            let shown = precision.unwrap_or_else(|| decimal.digits.len().saturating_sub(1));
            scientific(&mut out, &decimal, shown, verb);
        }
        b'f' => plain(&mut out, number, precision),
        b'g' | b'G' => general(&mut out, number, precision, verb),
        b'x' | b'X' => hexadecimal(&mut out, number, precision, verb),
        _ => binary(&mut out, number),
    }
    out
}

/// What `%v` prints: `%g` with the fewest digits, scientific from 1e+21 in JSON but from 1e+06 here.
pub(crate) fn shortest(out: &mut Vec<u8>, number: f64) {
    // Most numbers of a values file are small whole numbers.
    if number.fract() == 0.0 && number.abs() < 1e6 && !(number == 0.0 && number.is_sign_negative()) {
        super::append_int(out, number as i64);
    } else {
        out.extend_from_slice(&format(number, b'g', None));
    }
}

fn scientific(out: &mut Vec<u8>, decimal: &Decimal, shown: usize, verb: u8) {
    out.push(decimal.digits.first().copied().unwrap_or(b'0'));
    if shown > 0 {
        out.push(b'.');
        let have = decimal.digits.get(1..).unwrap_or(&[]);
        let have = &have[..have.len().min(shown)];
        out.extend_from_slice(have);
        out.resize(out.len() + shown - have.len(), b'0');
    }
    let exponent = if decimal.digits.is_empty() { 0 } else { decimal.point - 1 };
    out.push(verb);
    out.push(if exponent < 0 { b'-' } else { b'+' });
    out.extend_from_slice(format!("{:02}", exponent.abs()).as_bytes());
}

fn plain(out: &mut Vec<u8>, number: f64, precision: Option<usize>) {
    let number = number.abs();
    match precision {
        None => out.extend_from_slice(format!("{number}").as_bytes()),
        Some(precision) => {
            let exact = precision.min(EXACT_DIGITS);
            out.extend_from_slice(format!("{number:.exact$}").as_bytes());
            out.resize(out.len() + precision - exact, b'0');
        }
    }
}

fn general(out: &mut Vec<u8>, number: f64, precision: Option<usize>, verb: u8) {
    let precision = precision.map(|precision| precision.max(1));
    let decimal = Decimal::of(number, precision);
    let count = decimal.digits.len();
    let threshold = match precision {
        None => 6,
        Some(precision) if precision > count && count as i32 >= decimal.point => count as i32,
        Some(precision) => i32::try_from(precision).unwrap_or(i32::MAX),
    };
    let exponent = decimal.point - 1;
    if exponent < -4 || exponent >= threshold {
        let shown = precision.map_or(count, |precision| precision.min(count)).saturating_sub(1);
        return scientific(out, &decimal, shown, if verb == b'g' { b'e' } else { b'E' });
    }
    if decimal.point > 0 {
        let whole = decimal.point as usize;
        let have = whole.min(count);
        out.extend_from_slice(&decimal.digits[..have]);
        out.resize(out.len() + whole - have, b'0');
    } else {
        out.push(b'0');
    }
    if count as i32 > decimal.point {
        out.push(b'.');
        out.resize(out.len() + usize::try_from(-decimal.point).unwrap_or(0), b'0');
        out.extend_from_slice(&decimal.digits[usize::try_from(decimal.point).unwrap_or(0)..]);
    }
}

/// Mantissa (with its hidden bit) and power of two of a finite number.
fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) }
}

fn binary(out: &mut Vec<u8>, number: f64) {
    let (mantissa, exponent) = parts(number);
    out.extend_from_slice(format!("{mantissa}p{exponent:+}").as_bytes());
}

fn hexadecimal(out: &mut Vec<u8>, number: f64, precision: Option<usize>, verb: u8) {
    let (mut mantissa, mut exponent) = parts(number);
    if mantissa == 0 {
        exponent = 0;
    } else {
        exponent += 52;
        while mantissa & (1 << 52) == 0 {
            mantissa <<= 1;
            exponent -= 1;
        }
    }
    // One hexadecimal digit before the point, up to thirteen behind it.
    if let Some(precision) = precision.filter(|precision| *precision < 13) {
        let cut = 4 * (13 - precision) as u32;
        let half = 1u64 << (cut - 1);
        let below = mantissa & ((1 << cut) - 1);
        mantissa >>= cut;
        if below > half || (below == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= cut;
        if mantissa & (1 << 53) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    out.extend_from_slice(if verb == b'x' { b"0x" } else { b"0X" });
    out.push(if mantissa == 0 { b'0' } else { b'1' });
    let fraction = mantissa & ((1 << 52) - 1);
    let mut digits = if verb == b'x' { format!("{fraction:013x}") } else { format!("{fraction:013X}") };
    match precision {
        None => digits.truncate(digits.trim_end_matches('0').len()),
        Some(precision) => {
            digits = format!("{digits:0<13}").chars().chain(std::iter::repeat('0')).take(precision).collect()
        }
    }
    if !digits.is_empty() {
        out.push(b'.');
        out.extend_from_slice(digits.as_bytes());
    }
    out.push(if verb == b'x' { b'p' } else { b'P' });
    out.push(if exponent < 0 { b'-' } else { b'+' });
    out.extend_from_slice(format!("{:02}", exponent.abs()).as_bytes());
}

//! The order of keys: go-yaml's natural sort (`sorter.go`).

use std::cmp::Ordering;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::Flavor;

/// Compares two keys as go-yaml v2 sorts them: digits by their number, letters after everything else.
pub fn key_order(a: &str, b: &str) -> Ordering {
    compare(a, b, Flavor::Sigs)
}

/// Sorts the entries of a mapping.
///
/// go-yaml's order goes round in circles for keys like `9`, `10` and `1a`, where Go's result depends on the random
/// order of its map. `sort_by` may panic on such an order, so this merges by hand, from the order of the bytes on.
pub(super) fn sort<T>(entries: &mut Vec<(&str, T)>, flavor: Flavor) {
    entries.sort_by(|a, b| a.0.cmp(b.0));
    let in_order = |a: &(&str, T), b: &(&str, T)| compare(a.0, b.0, flavor) != Ordering::Greater;
    if entries.iter().all(|entry| is_simple(entry.0)) || entries.is_sorted_by(in_order) {
        return;
    }
    let mut runs: Vec<Vec<(&str, T)>> = entries.drain(..).map(|entry| vec![entry]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut rest = runs.into_iter();
        while let Some(left) = rest.next() {
            match rest.next() {
                Some(right) => merged.push(merge(left, right, flavor)),
                None => merged.push(left),
            }
        }
        runs = merged;
    }
    *entries = runs.pop().unwrap_or_default();
}

fn merge<'k, T>(left: Vec<(&'k str, T)>, right: Vec<(&'k str, T)>, flavor: Flavor) -> Vec<(&'k str, T)> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let first = if compare(b.0, a.0, flavor) == Ordering::Less { right.next() } else { left.next() };
        out.extend(first);
    }
    out.extend(left);
    out.extend(right);
    out
}

pub(super) fn compare(a: &str, b: &str, flavor: Flavor) -> Ordering {
    if is_simple(a) && is_simple(b) {
        // Letters only, by far the most common keys: code points decide.
        return a.cmp(b);
    }
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let Some(at) = (0..=same).rev().find(|at| a.is_char_boundary(*at) && b.is_char_boundary(*at)) else {
        return a.cmp(b);
    };
    let (Some(ac), Some(bc)) = (a[at..].chars().next(), b[at..].chars().next()) else {
        return a.len().cmp(&b.len());
    };
    let (a_letter, b_letter) = (is_letter(ac), is_letter(bc));
    if a_letter && b_letter {
        return ac.cmp(&bc);
    }
    if a_letter || b_letter {
        let after_digit = flavor == Flavor::V3 && a[..at].chars().next_back().is_some_and(is_digit);
        let a_first = if after_digit { a_letter } else { b_letter };
        return if a_first { Ordering::Less } else { Ordering::Greater };
    }
    let base = i64::from((ac == '0' || bc == '0') && has_number_before(&a[..at]));
    let (a_number, a_digits) = number(&a[at..], base);
    let (b_number, b_digits) = number(&b[at..], base);
    a_number.cmp(&b_number).then(a_digits.cmp(&b_digits)).then(ac.cmp(&bc))
}

/// Whether the digits at the end of `text` make a number that is not 0.
fn has_number_before(text: &str) -> bool {
    text.chars().rev().take_while(|c| is_digit(*c)).any(|c| c != '0')
}

/// The number at the start of `text` behind `base`, and how many digits it has.
fn number(text: &str, base: i64) -> (i64, usize) {
    text.chars().take_while(|c| is_digit(*c)).fold((base, 0), |(number, digits), c| {
        let digit = i64::from(c as u32) - i64::from('0' as u32);
        (number.wrapping_mul(10).wrapping_add(digit), digits + 1)
    })
}

fn is_simple(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Go's `unicode.IsLetter`.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Letter)
}

/// Go's `unicode.IsDigit`.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber)
}

//! The order of merged lists: the patch's order wins, items only the server has stay where they were.

use serde_json::Value;

use super::{DIRECTIVE, StrategicError, no_merge_key};

/// Whether two items are the same one: by merge key, or by value.
pub(super) fn key_equal(left: &Value, right: &Value, merge_key: Option<&str>) -> Result<bool, StrategicError> {
    let Some(key) = merge_key else { return Ok(left == right) };
    let left = left.get(key).ok_or_else(|| no_merge_key(left, key))?;
    Ok(left == right.get(key).ok_or_else(|| no_merge_key(right, key))?)
}

fn index(list: &[Value], wanted: &Value, merge_key: Option<&str>) -> Option<usize> {
    match merge_key {
        Some(key) => {
            let wanted = wanted.get(key);
            list.iter().position(|item| item.get(key) == wanted)
        }
        None => list.iter().position(|item| item == wanted),
    }
}

/// Parts the items into those the list names and those it does not.
pub(super) fn partition(
    items: Vec<Value>,
    by: &[Value],
    merge_key: Option<&str>,
) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
    if let Some(key) = merge_key
        && let Some(item) = items.iter().find(|item| item.get(key).is_none())
    {
        return Err(no_merge_key(item, key));
    }
    Ok(items.into_iter().partition(|item| index(by, item, merge_key).is_some()))
}

/// Sorts both parts by their own order and merges them.
pub(super) fn normalize(
    patched: Vec<Value>,
    server_only: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    merge_key: Option<&str>,
) -> Result<Vec<Value>, StrategicError> {
    let patched = sorted(patched, patch_order, merge_key)?;
    let server_only = sorted(server_only, server_order, merge_key)?;
    let mut merged = Vec::with_capacity(patched.len() + server_only.len());
    let (mut left, mut right) = (server_only.into_iter().peekable(), patched.into_iter().peekable());
    loop {
        let take_left = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(l), Some(r)) => match (index(server_order, l, merge_key), index(server_order, r, merge_key)) {
                (Some(l), Some(r)) => l < r,
                _ => false,
            },
        };
        merged.extend(if take_left { left.next() } else { right.next() });
    }
    Ok(merged)
}

/// Items in the order of `order`; those to be deleted at the end.
///
/// The comparison is the peer's, which calls an item that `order` does not know smaller than its neighbour, sorted as
/// the peer sorts short lists (insertion).
pub(super) fn sorted(
    items: Vec<Value>,
    order: &[Value],
    merge_key: Option<&str>,
) -> Result<Vec<Value>, StrategicError> {
    if let Some(key) = merge_key
        && let Some(item) = items.iter().chain(order).find(|item| item.get(key).is_none())
    {
        return Err(no_merge_key(item, key));
    }
    let (deleted, kept): (Vec<Value>, Vec<Value>) =
        items.into_iter().partition(|item| item.get(DIRECTIVE).and_then(Value::as_str) == Some("delete"));
    let mut placed: Vec<(Option<usize>, Value)> =
        kept.into_iter().map(|item| (index(order, &item, merge_key), item)).collect();
    if placed.iter().all(|(place, _)| place.is_some()) {
        placed.sort_by_key(|(place, _)| *place);
    } else {
        let less = |a: Option<usize>, b: Option<usize>| a.zip(b).is_none_or(|(a, b)| a < b);
        for end in 1..placed.len() {
            let mut at = end;
            while at > 0 && less(placed[at].0, placed[at - 1].0) {
                placed.swap(at, at - 1);
                at -= 1;
            }
        }
    }
    Ok(placed.into_iter().map(|(_, item)| item).chain(deleted).collect())
}

/// Scalars without repetitions, moved as the peer moves them: the last item takes a duplicate's place.
pub(super) fn deduplicated(mut items: Vec<Value>) -> Vec<Value> {
    let mut at = 0;
    while at < items.len() {
        let mut other = at + 1;
        while other < items.len() {
            if items[at] == items[other] {
                items.swap_remove(other);
            } else {
                other += 1;
            }
        }
        at += 1;
    }
    items
}

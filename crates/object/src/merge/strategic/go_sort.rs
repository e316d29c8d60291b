//! Sorting as Go's `sort.Sort` does (Go 1.19 and later: pattern-defeating quicksort), swap by swap.
//!
//! Entries with one merge key stand in no defined order in the peer: its comparison calls equal keys smaller than each
//! other. Which of two such entries wins depends on each swap, so the swaps are the peer's.

/// Up to so many items are sorted by insertion.
const INSERTION: usize = 12;
/// From so many items on the pivot is a median of medians.
const NINTHER: usize = 50;
/// Swaps of [`choose_pivot`] that say that the items stand in falling order.
const ALL_SWAPPED: usize = 12;

/// Sorts by a comparison that may contradict itself.
pub(super) fn sort<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let depth = bits(items.len());
    let mut range = Range { items, less };
    let end = range.items.len();
    range.quick(0, end, depth);
}

/// How many bits a number has.
fn bits(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}

struct Range<'a, T, L> {
    items: &'a mut [T],
    less: L,
}

#[derive(PartialEq)]
enum Hint {
    Unknown,
    Rising,
    Falling,
}

impl<T, L: Fn(&T, &T) -> bool> Range<'_, T, L> {
    fn less(&self, a: usize, b: usize) -> bool {
        (self.less)(&self.items[a], &self.items[b])
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.items.swap(a, b);
    }

    fn quick(&mut self, mut from: usize, mut to: usize, mut depth: u32) {
        let (mut was_balanced, mut was_partitioned) = (true, true);
        loop {
            let length = to - from;
            if length <= INSERTION {
                return self.insertion(from, to);
            }
            if depth == 0 {
                return self.heap(from, to);
            }
            if !was_balanced {
                self.break_patterns(from, to);
                depth -= 1;
            }
            let (mut pivot, mut hint) = self.choose_pivot(from, to);
            if hint == Hint::Falling {
                self.items[from..to].reverse();
                pivot = (to - 1) - (pivot - from);
                hint = Hint::Rising;
            }
            if was_balanced && was_partitioned && hint == Hint::Rising && self.nearly_sorted(from, to) {
                return;
            }
            if from > 0 && !self.less(from - 1, pivot) {
                from = self.partition_equal(from, to, pivot);
                continue;
            }
            let (middle, partitioned) = self.partition(from, to, pivot);
            was_partitioned = partitioned;
            let (left, right) = (middle - from, to - middle);
            was_balanced = left.min(right) >= length / 8;
            if left < right {
                self.quick(from, middle, depth);
                from = middle + 1;
            } else {
                self.quick(middle + 1, to, depth);
                to = middle;
            }
        }
    }

    fn insertion(&mut self, from: usize, to: usize) {
        for end in from + 1..to {
            let mut at = end;
            while at > from && self.less(at, at - 1) {
                self.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn heap(&mut self, from: usize, to: usize) {
        let length = to - from;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift_down(root, length, from);
        }
        for end in (0..length).rev() {
            self.swap(from, from + end);
            self.sift_down(0, end, from);
        }
    }

    fn sift_down(&mut self, mut root: usize, end: usize, first: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= end {
                return;
            }
            if child + 1 < end && self.less(first + child, first + child + 1) {
                child += 1;
            }
            if !self.less(first + root, first + child) {
                return;
            }
            self.swap(first + root, first + child);
            root = child;
        }
    }

    /// Moves three items to where chance (the same one for each length) wants them.
    fn break_patterns(&mut self, from: usize, to: usize) {
        let length = to - from;
        if length < 8 {
            return;
        }
        let mut random = length as u64;
        let mask = (1_u64 << bits(length)) - 1;
        let at = from + (length / 4) * 2 - 1;
        for step in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut other = usize::try_from(random & mask).unwrap_or_default();
            if other >= length {
                other -= length;
            }
            self.swap(at + step, from + other);
        }
    }

    fn choose_pivot(&self, from: usize, to: usize) -> (usize, Hint) {
        let quarter = (to - from) / 4;
        let mut swaps = 0;
        let (mut a, mut b, mut c) = (from + quarter, from + quarter * 2, from + quarter * 3);
        if to - from >= NINTHER {
            a = self.median(a - 1, a, a + 1, &mut swaps);
            b = self.median(b - 1, b, b + 1, &mut swaps);
            c = self.median(c - 1, c, c + 1, &mut swaps);
        }
        b = self.median(a, b, c, &mut swaps);
        let hint = match swaps {
            0 => Hint::Rising,
            ALL_SWAPPED => Hint::Falling,
            _ => Hint::Unknown,
        };
        (b, hint)
    }

    fn median(&self, mut a: usize, mut b: usize, mut c: usize, swaps: &mut usize) -> usize {
        for step in 0..3 {
            let (low, high) = if step == 1 { (&mut b, &mut c) } else { (&mut a, &mut b) };
            if self.less(*high, *low) {
                *swaps += 1;
                std::mem::swap(low, high);
            }
        }
        b
    }

    /// Tries a few swaps of neighbours; true when that was enough.
    fn nearly_sorted(&mut self, from: usize, to: usize) -> bool {
        let mut at = from + 1;
        for _ in 0..5 {
            while at < to && !self.less(at, at - 1) {
                at += 1;
            }
            if at == to {
                return true;
            }
            if to - from < NINTHER {
                return false;
            }
            self.swap(at, at - 1);
            if at - from >= 2 {
                let mut left = at - 1;
                while left >= 1 && self.less(left, left - 1) {
                    self.swap(left, left - 1);
                    left -= 1;
                }
            }
            if to - at >= 2 {
                let mut right = at + 1;
                while right < to && self.less(right, right - 1) {
                    self.swap(right, right - 1);
                    right += 1;
                }
            }
        }
        false
    }

    /// Items below the pivot to its left, the others to its right; where it stands then, and whether it was so before.
    fn partition(&mut self, from: usize, to: usize, pivot: usize) -> (usize, bool) {
        self.swap(from, pivot);
        let (mut left, mut right) = (from + 1, to - 1);
        let mut was_so = true;
        loop {
            while left <= right && self.less(left, from) {
                left += 1;
            }
            while left <= right && !self.less(right, from) {
                right -= 1;
            }
            if left > right {
                self.swap(right, from);
                return (right, was_so);
            }
            was_so = false;
            self.swap(left, right);
            left += 1;
            right -= 1;
        }
    }

    /// Items that are the pivot's equals to the left; where the others begin.
    fn partition_equal(&mut self, from: usize, to: usize, pivot: usize) -> usize {
        self.swap(from, pivot);
        let (mut left, mut right) = (from + 1, to - 1);
        loop {
            while left <= right && !self.less(from, left) {
                left += 1;
            }
            while left <= right && self.less(from, right) {
                right -= 1;
            }
            if left > right {
                return left;
            }
            self.swap(left, right);
            left += 1;
            right -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sort;

    /// `{key}.{place}` in turn of length, step and count of keys, sorted by keys that are smaller than their equals.
    fn sorted(length: usize, step: usize, keys: usize) -> Vec<String> {
        let mut items: Vec<String> = (0..length).map(|place| format!("{:02}.{place}", place * step % keys)).collect();
        sort(&mut items, |a, b| a[..2] <= b[..2]);
        items
    }

    fn fnv(items: &[String]) -> u32 {
        let bytes = items.iter().flat_map(|item| item.bytes().chain([b' ']));
        bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    #[test]
    fn few_equal_items_are_turned_round() {
        assert_eq!(sorted(3, 7, 2), ["00.2", "00.0", "01.1"]);
    }

    #[test]
    fn equal_items_end_where_go_leaves_them() {
        // Length, step, keys, and the hash of what `sort.Sort` of Go 1.26 makes of them.
        for (length, step, keys, hash) in [
            (3, 7, 2, 0xc72281ff),
            (12, 5, 4, 0x2a084c23),
            (13, 5, 4, 0xcdf7ca40),
            (20, 7, 19, 0x521681e5),
            (40, 11, 6, 0x43860783),
            (60, 1, 10, 0xee426fb3),
            (60, 59, 30, 0x2045a6ff),
            (130, 37, 13, 0xc3d3d76a),
            (130, 1, 99, 0x87ab54e0),
            (300, 77, 90, 0x12ab5213),
        ] {
            assert_eq!(fnv(&sorted(length, step, keys)), hash, "{length} items of {keys} keys");
        }
    }
}

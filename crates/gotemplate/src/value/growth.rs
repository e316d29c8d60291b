//! How much room Go leaves behind a slice that was appended to (`runtime/slice.go`, `runtime/sizeclasses.go`).

use super::Type;

/// From so many elements on a slice grows by a quarter, and no more to twice its size.
const LARGE: usize = 256;
/// What the allocator hands out up to 32 KiB, in bytes.
const SIZES: [usize; 67] = [
    8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480,
    512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864,
    5120, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072,
    20480, 21760, 24576, 27264, 28672,
];
/// The last size, and the one that whole pages follow.
const LAST: usize = 32768;
const PAGE: usize = 8192;

/// What an element takes, in bytes.
fn size(element: Type) -> usize {
    match element {
        Type::Int => 8,
        // An interface and a string are two words each.
        _ => 16,
    }
}

fn rounded(bytes: usize) -> usize {
    match SIZES.iter().find(|size| **size >= bytes) {
        Some(size) => *size,
        None if bytes <= LAST => LAST,
        None => bytes.div_ceil(PAGE) * PAGE,
    }
}

/// The room of a slice that had room for `room` elements, once it was to have `length` at once and they did not fit.
pub(super) fn appended(room: usize, length: usize, element: Type) -> usize {
    if length <= room {
        return room;
    }
    let mut wanted = room;
    if length > 2 * room {
        wanted = length;
    } else if room < LARGE {
        wanted = 2 * room;
    } else {
        while wanted < length {
            wanted += (wanted + 3 * LARGE) / 4;
        }
    }
    rounded(wanted * size(element)) / size(element)
}

/// The room of a slice that began with some and was appended to one by one.
pub(super) fn one_by_one(mut room: usize, length: usize, element: Type) -> usize {
    while room < length {
        room = appended(room, room + 1, element);
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_that_was_appended_to_has_the_room_that_go_leaves() {
        let rooms: Vec<usize> =
            [0, 1, 2, 3, 5, 9, 256, 257, 513].map(|length| one_by_one(0, length, Type::Any)).to_vec();
        assert_eq!(rooms, [0, 1, 2, 4, 8, 16, 256, 512, 848]);
        assert_eq!([1, 3, 5, 7, 17].map(|length| appended(length, length + 1, Type::Any)), [2, 6, 10, 14, 36]);
        assert_eq!(one_by_one(0, 3, Type::Int), 4);
        assert_eq!([3, 10, 11].map(|length| one_by_one(10, length, Type::String)), [10, 10, 20]);
        assert_eq!(appended(1, 4, Type::Any), 4);
        assert_eq!(appended(1, 6, Type::Any), 6);
    }
}

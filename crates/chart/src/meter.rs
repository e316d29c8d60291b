//! Readers that end in an error where more comes than may.

use std::cell::Cell;
use std::io::{self, Read};

/// Most bytes in front of an entry of an archive: padding, long names, extended headers (Go: `maxSpecialFileSize`, of
/// each kind).
pub const MAX_HEADERS: u64 = 3 * 1024 * 1024;

/// How much was read, and how much may be.
#[derive(Debug, Default)]
pub struct Meter {
    read: Cell<u64>,
    most: Cell<u64>,
}

impl Meter {
    /// Allows so many bytes from here on, and no more than `all` altogether.
    pub fn allow(&self, bytes: u64, all: u64) {
        self.most.set(self.read.get().saturating_add(bytes).min(all));
    }

    /// The limit, when it was reached.
    pub fn limit(&self) -> Option<u64> {
        (self.read.get() >= self.most.get()).then_some(self.most.get())
    }

    /// Bytes that were read.
    pub fn read(&self) -> u64 {
        self.read.get()
    }
}

/// A reader with a meter.
#[derive(Debug)]
pub struct Metered<'m, R> {
    inner: R,
    meter: &'m Meter,
}

impl<'m, R: Read> Metered<'m, R> {
    /// Reads what the meter allows.
    pub fn new(inner: R, meter: &'m Meter) -> Self {
        Metered { inner, meter }
    }
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.most.get().saturating_sub(self.meter.read.get());
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("larger than it may be"));
        }
        let most = buffer.len().min(left);
        let count = self.inner.read(&mut buffer[..most])?;
        self.meter.read.set(self.meter.read.get() + count as u64);
        Ok(count)
    }
}

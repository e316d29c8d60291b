//! A disk in memory whose power can be cut at each operation, and that then keeps what POSIX promises and nothing more: bytes that were
//! synced with their file, names that were synced with their directory. Of the rest, any part may be there, in any order.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{Disk, Mode};

/// What a disk keeps of what was not synced when its power went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survival {
    /// None of it.
    Nothing,
    /// All of it.
    All,
    /// Names, but none of the bytes: a file that was renamed before it was synced is empty.
    Names,
    /// Bytes, but no names.
    Bytes,
    /// Each write and each name by a throw of dice: writes torn or zeroed, later names without earlier ones.
    Dice(u64),
}

#[derive(Debug, Clone)]
enum Inode {
    File { bytes: Vec<u8>, synced: Vec<u8> },
    Directory { names: BTreeMap<OsString, usize>, synced: BTreeMap<OsString, usize>, pending: Vec<Change> },
    Link,
}

#[derive(Debug, Clone)]
enum Change {
    Put(OsString, usize),
    Take(OsString),
    Move { from: OsString, to: OsString, inode: usize },
}

fn apply(names: &mut BTreeMap<OsString, usize>, change: &Change) {
    match change {
        Change::Put(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Change::Take(name) => {
            names.remove(name);
        }
        Change::Move { from, to, inode } => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}

/// Which syncs a disk only pretends to do: the hook by which a test shows that each of them is needed.
pub(crate) type Forgotten = fn(&Path) -> bool;

/// A disk in memory.
pub(crate) struct SimulatedDisk {
    inodes: RefCell<Vec<Inode>>,
    done: Cell<usize>,
    cut_at: Option<usize>,
    dead: Cell<bool>,
    room: Cell<Option<u64>>,
    pub(crate) forgotten: Option<Forgotten>,
}

const ROOT: usize = 0;

impl SimulatedDisk {
    pub(crate) fn new() -> Self {
        let root = Inode::Directory { names: BTreeMap::new(), synced: BTreeMap::new(), pending: Vec::new() };
        Self::of(vec![root])
    }

    fn of(inodes: Vec<Inode>) -> Self {
        Self {
            inodes: RefCell::new(inodes),
            done: Cell::new(0),
            cut_at: None,
            dead: Cell::new(false),
            room: Cell::new(None),
            forgotten: None,
        }
    }

    /// Another one with the same content, all of it synced or not as here, whose power goes in the operation of this number.
    pub(crate) fn copy(&self, cut_at: Option<usize>) -> Self {
        let mut copy = Self::of(self.inodes.borrow().clone());
        copy.cut_at = cut_at;
        copy.forgotten = self.forgotten;
        copy.room.set(self.room.get());
        copy
    }

    /// How many operations changed something or synced.
    pub(crate) fn operations(&self) -> usize {
        self.done.get()
    }

    /// Whether the power went.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// So many bytes may still be written.
    pub(crate) fn limit(&self, room: Option<u64>) {
        self.room.set(room);
    }

    /// What is found when the power is back.
    pub(crate) fn after(&self, survival: Survival) -> Self {
        let mut dice = match survival {
            Survival::Dice(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            _ => 1,
        };
        let mut roll = move |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            (dice >> 11) % sides
        };
        let mut inodes = self.inodes.borrow().clone();
        for inode in &mut inodes {
            match inode {
                Inode::File { bytes, synced } => {
                    let kept = match survival {
                        Survival::All | Survival::Bytes => bytes.clone(),
                        Survival::Nothing | Survival::Names => synced.clone(),
                        Survival::Dice(_) => match roll(4) {
                            0 => bytes.clone(),
                            1 => synced.clone(),
                            2 => {
                                // Torn: the write got half way.
                                let half = synced.len().min(bytes.len()) + bytes.len().saturating_sub(synced.len()) / 2;
                                bytes[..half].to_vec()
                            }
                            _ => {
                                // The length was kept, its blocks were not.
                                let mut zeroed = bytes.clone();
                                let same = synced.len().min(zeroed.len());
                                if synced[..same] == zeroed[..same] {
                                    zeroed[same..].fill(0);
                                } else {
                                    zeroed.fill(0);
                                }
                                zeroed
                            }
                        },
                    };
                    bytes.clone_from(&kept);
                    *synced = kept;
                }
                Inode::Directory { names, synced, pending } => {
                    let mut kept = synced.clone();
                    for change in pending.drain(..) {
                        let survives = match survival {
                            Survival::All | Survival::Names => true,
                            Survival::Nothing | Survival::Bytes => false,
                            Survival::Dice(_) => roll(2) == 0,
                        };
                        if survives {
                            apply(&mut kept, &change);
                        }
                    }
                    names.clone_from(&kept);
                    *synced = kept;
                }
                Inode::Link => {}
            }
        }
        let mut after = Self::of(inodes);
        after.forgotten = self.forgotten;
        after.room.set(self.room.get());
        after
    }

    /// Makes everything that is there last.
    pub(crate) fn settle(&self) {
        for inode in self.inodes.borrow_mut().iter_mut() {
            match inode {
                Inode::File { bytes, synced } => synced.clone_from(bytes),
                Inode::Directory { names, synced, pending } => {
                    synced.clone_from(names);
                    pending.clear();
                }
                Inode::Link => {}
            }
        }
    }

    /// Counts an operation; the one in which the power goes is done in part, by the caller, and fails.
    fn step(&self) -> io::Result<bool> {
        if self.dead.get() {
            return Err(power());
        }
        let number = self.done.get();
        self.done.set(number + 1);
        if self.cut_at == Some(number) {
            self.dead.set(true);
            return Ok(false);
        }
        Ok(true)
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let inodes = self.inodes.borrow();
        let mut at = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Inode::Directory { names, .. } = &inodes[at] else { return Err(io::ErrorKind::NotADirectory.into()) };
            at = *names.get(name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn place(&self, path: &Path) -> io::Result<(usize, OsString)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.find(path.parent().unwrap_or(Path::new("")))?, name.to_owned()))
    }

    fn change(&self, directory: usize, change: Change) -> io::Result<()> {
        match &mut self.inodes.borrow_mut()[directory] {
            Inode::Directory { names, pending, .. } => {
                apply(names, &change);
                pending.push(change);
                Ok(())
            }
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn add(&self, inode: Inode) -> usize {
        let mut inodes = self.inodes.borrow_mut();
        inodes.push(inode);
        inodes.len() - 1
    }

    /// What a file took is free again.
    fn give_back(&self, path: &Path) {
        if let Some(room) = self.room.get()
            && let Ok(inode) = self.find(path)
            && let Inode::File { bytes, .. } = &self.inodes.borrow()[inode]
        {
            self.room.set(Some(room + bytes.len() as u64));
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead.get() { Err(power()) } else { Ok(()) }
    }
}

fn power() -> io::Error {
    io::Error::other("the power is gone")
}

impl Disk for SimulatedDisk {
    fn read(&self, path: &Path, longest: u64) -> io::Result<Vec<u8>> {
        self.alive()?;
        match &self.inodes.borrow()[self.find(path)?] {
            Inode::File { bytes, .. } if bytes.len() as u64 <= longest => Ok(bytes.clone()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn read_at(&self, path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.alive()?;
        match &self.inodes.borrow()[self.find(path)?] {
            Inode::File { bytes, .. } => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let count = buffer.len().min(bytes.len() - from);
                buffer[..count].copy_from_slice(&bytes[from..from + count]);
                Ok(count)
            }
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        self.alive()?;
        match self.find(path) {
            Ok(inode) => match &self.inodes.borrow()[inode] {
                Inode::File { bytes, .. } => Ok(Some(bytes.len() as u64)),
                _ => Err(io::ErrorKind::InvalidInput.into()),
            },
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn create(&self, path: &Path, _: Mode) -> io::Result<()> {
        let whole = self.step()?;
        let (directory, name) = self.place(path)?;
        self.give_back(path);
        if let Ok(there) = self.find(path)
            && let Inode::File { bytes, .. } = &mut self.inodes.borrow_mut()[there]
        {
            bytes.clear();
            return if whole { Ok(()) } else { Err(power()) };
        }
        let inode = self.add(Inode::File { bytes: Vec::new(), synced: Vec::new() });
        self.change(directory, Change::Put(name, inode))?;
        if whole { Ok(()) } else { Err(power()) }
    }

    fn append(&self, path: &Path, added: &[u8]) -> io::Result<()> {
        let whole = self.step()?;
        let inode = self.find(path)?;
        let mut count = if whole { added.len() } else { added.len() / 2 };
        let mut full = false;
        if let Some(room) = self.room.get() {
            full = (count as u64) > room;
            count = count.min(usize::try_from(room).unwrap_or(usize::MAX));
            self.room.set(Some(room - count as u64));
        }
        if let Inode::File { bytes, .. } = &mut self.inodes.borrow_mut()[inode] {
            bytes.extend_from_slice(&added[..count]);
        }
        if full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if whole { Ok(()) } else { Err(power()) }
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let whole = self.step()?;
        let inode = self.find(path)?;
        if let Inode::File { bytes, .. } = &mut self.inodes.borrow_mut()[inode] {
            bytes.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
        }
        if whole { Ok(()) } else { Err(power()) }
    }

    fn link(&self, _: &Path, path: &Path) -> io::Result<()> {
        let whole = self.step()?;
        let (directory, name) = self.place(path)?;
        let inode = self.add(Inode::Link);
        self.change(directory, Change::Put(name, inode))?;
        if whole { Ok(()) } else { Err(power()) }
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        let whole = self.step()?;
        if self.find(path).is_err() {
            let (directory, name) = self.place(path)?;
            let inode =
                self.add(Inode::Directory { names: BTreeMap::new(), synced: BTreeMap::new(), pending: Vec::new() });
            self.change(directory, Change::Put(name, inode))?;
        }
        if whole { Ok(()) } else { Err(power()) }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        self.alive()?;
        let Ok(directory) = self.find(path) else { return Ok(Vec::new()) };
        let inodes = self.inodes.borrow();
        let Inode::Directory { names, .. } = &inodes[directory] else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        Ok(names
            .iter()
            .map(|(name, inode)| (PathBuf::from(name), matches!(inodes[*inode], Inode::Directory { .. })))
            .collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let whole = self.step()?;
        let (directory, from_name) = self.place(from)?;
        let (other, to_name) = self.place(to)?;
        assert_eq!(directory, other, "names move within one directory only");
        let inode = self.find(from)?;
        self.give_back(to);
        self.change(directory, Change::Move { from: from_name, to: to_name, inode })?;
        if whole { Ok(()) } else { Err(power()) }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let whole = self.step()?;
        if self.find(path).is_ok() {
            let (directory, name) = self.place(path)?;
            self.give_back(path);
            self.change(directory, Change::Take(name))?;
        }
        if whole { Ok(()) } else { Err(power()) }
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.remove_file(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let whole = self.step()?;
        if !whole {
            return Err(power());
        }
        if self.forgotten.is_some_and(|forgotten| forgotten(path)) {
            return Ok(());
        }
        let inode = self.find(path)?;
        if let Inode::File { bytes, synced } = &mut self.inodes.borrow_mut()[inode] {
            synced.clone_from(bytes);
        }
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let whole = self.step()?;
        if !whole {
            return Err(power());
        }
        if self.forgotten.is_some_and(|forgotten| forgotten(path)) {
            return Ok(());
        }
        let inode = self.find(path)?;
        if let Inode::Directory { names, synced, pending } = &mut self.inodes.borrow_mut()[inode] {
            synced.clone_from(names);
            pending.clear();
        }
        Ok(())
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        self.alive()?;
        Ok(self.room.get().unwrap_or(u64::MAX))
    }
}

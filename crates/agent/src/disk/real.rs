//! The system's own files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Disk, Mode};

/// The disk of this machine. New files are their owner's alone, and a link in place of a file is never followed: whoever can write
/// to the directory must not lead a service of root elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn read(&self, path: &Path, longest: u64) -> io::Result<Vec<u8>> {
        let file = opened(path, OpenOptions::new().read(true))?;
        let mut bytes = Vec::new();
        file.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > longest {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("longer than {longest} bytes, which none of ours is"),
            ));
        }
        Ok(bytes)
    }

    fn read_at(&self, path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = opened(path, OpenOptions::new().read(true))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut read = 0;
        while read < buffer.len() {
            match file.read(&mut buffer[read..])? {
                0 => break,
                count => read += count,
            }
        }
        Ok(read)
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => Ok(Some(found.len())),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "there is something else than a file")),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn create(&self, path: &Path, mode: Mode) -> io::Result<()> {
        // A link with this name goes; it is not written through.
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            fs::remove_file(path)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let file = created(path, &mut options, mode)?;
        permit(&file, mode)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        opened(path, OpenOptions::new().append(true))?.write_all(bytes)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        opened(path, OpenOptions::new().write(true))?.set_len(length)
    }

    #[cfg(unix)]
    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, path)
    }

    #[cfg(not(unix))]
    fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "links are not unpacked on this system"))
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        let builder = {
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder
        };
        #[cfg(not(unix))]
        let builder = fs::DirBuilder::new();
        match builder.create(path) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                if fs::symlink_metadata(path)?.is_dir() {
                    Ok(())
                } else {
                    Err(cause)
                }
            }
            done => done,
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        let entries = match fs::read_dir(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = entries
            .map(|entry| {
                let entry = entry?;
                Ok((PathBuf::from(entry.file_name()), entry.file_type()?.is_dir()))
            })
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    #[cfg(not(windows))]
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Whoever reads a file there keeps it from being replaced until it is read: the watchdog a journal that its worker writes.
    #[cfg(windows)]
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        const TRIES: u32 = 200;
        for _ in 1..TRIES {
            match fs::rename(from, to) {
                Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {}
                done => return done,
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        absent_is_done(fs::remove_file(path))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        absent_is_done(fs::remove_dir(path))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        // Windows syncs only what may be written.
        opened(path, OpenOptions::new().read(true).write(cfg!(windows)))?.sync_all()
    }

    #[cfg(unix)]
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(if path.as_os_str().is_empty() { Path::new(".") } else { path })?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        // NTFS journals names itself; there is no handle of a directory to be flushed without rights over the volume.
        Ok(())
    }

    #[cfg(unix)]
    fn free(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    #[cfg(not(unix))]
    fn free(&self, _: &Path) -> io::Result<u64> {
        // Asked by writing.
        Ok(u64::MAX)
    }
}

fn absent_is_done(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(unix)]
fn opened(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let follow_no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    options.custom_flags(follow_no_link).open(path)
}

#[cfg(not(unix))]
fn opened(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.open(path)
}

#[cfg(unix)]
fn created(path: &Path, options: &mut OpenOptions, mode: Mode) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    opened(path, options.mode(bits(mode)))
}

#[cfg(not(unix))]
fn created(path: &Path, options: &mut OpenOptions, _: Mode) -> io::Result<File> {
    options.open(path)
}

/// Says again what a file is for: one that was there before keeps its own mode otherwise.
#[cfg(unix)]
fn permit(file: &File, mode: Mode) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(bits(mode)))
}

#[cfg(not(unix))]
fn permit(_: &File, _: Mode) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn bits(mode: Mode) -> u32 {
    match mode {
        Mode::Private => 0o600,
        Mode::Program => 0o700,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::disk::{remove_tree, replace};

    #[test]
    fn a_link_is_neither_read_nor_written_through_nor_followed_when_it_is_removed() {
        let place = tempfile::tempdir().expect("a directory");
        let (outside, inside) = (place.path().join("outside"), place.path().join("inside"));
        for directory in [&outside, &inside] {
            RealDisk.make_directory(directory).expect("made");
        }
        let (kept, planted) = (outside.join("kept"), inside.join("planted"));
        fs::write(&kept, "kept").expect("written");
        let plant = || std::os::unix::fs::symlink(&kept, &planted).expect("made");
        plant();
        assert!(RealDisk.read(&planted, 100).is_err());
        assert!(RealDisk.read_at(&planted, 0, &mut [0; 4]).is_err());
        assert!(RealDisk.append(&planted, b"more").is_err());
        assert!(RealDisk.truncate(&planted, 0).is_err());
        assert!(RealDisk.length(&planted).is_err());
        replace(&RealDisk, &planted, b"own", Mode::Private).expect("in its place");
        assert_eq!(fs::read(&planted).expect("there"), b"own");
        fs::remove_file(&planted).expect("there");
        plant();
        RealDisk.create(&planted, Mode::Private).expect("in its place");
        fs::remove_file(&planted).expect("there");
        std::os::unix::fs::symlink(&outside, &planted).expect("made");
        remove_tree(&RealDisk, &inside).expect("removed");
        assert_eq!(fs::read(&kept).expect("there"), b"kept");
        // A directory that is a link is none of ours.
        std::os::unix::fs::symlink(&outside, &inside).expect("made");
        assert!(RealDisk.make_directory(&inside).is_err());
    }
}

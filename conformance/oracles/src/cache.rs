//! The folder in which built oracles are kept, keyed by what they were built from.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::build::{self, BuildError};
use crate::oracle::{Beside, Oracle, With};
use crate::toolchain::Go;

/// Where oracles are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    modules: PathBuf,
}

/// An oracle that is ready to run.
#[derive(Debug, Clone)]
pub struct Built {
    /// The binary, by its hashed name.
    pub path: PathBuf,
    /// How long the build took; `None` where the cache had it.
    pub took: Option<Duration>,
}

impl Cache {
    /// A cache at `root`, building from the module folders in `modules`.
    pub fn new(root: impl Into<PathBuf>, modules: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), modules: modules.into() }
    }

    /// The folder that the environment names: `LANDFALL_CACHE`, else `.cache/landfall` in the home directory.
    ///
    /// `modules` is this crate's own folder, known at build time.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let root = match set("LANDFALL_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(&set("HOME")?).join(".cache").join("landfall"),
        };
        Some(Self::new(root, env!("CARGO_MANIFEST_DIR")))
    }

    /// The cache's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with `NAME` links.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// The hash of all that decides what a binary is: module files, package, link flags, stages.
    pub fn key(&self, oracle: &Oracle) -> Result<String, BuildError> {
        let mut hash = Sha256::new();
        let folder = self.modules.join(oracle.module);
        let programs = programs(&folder).map_err(|cause| BuildError::file("read", &folder, cause))?;
        for file in ["go.mod", "go.sum"].into_iter().map(str::to_owned).chain(programs) {
            let path = folder.join(&file);
            let text = fs::read(&path).map_err(|cause| BuildError::file("read", &path, cause))?;
            hash.update(file.as_bytes());
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(&text);
        }
        let beside = oracle.beside.map(|beside| beside.files.join(" ")).unwrap_or_default();
        for part in [oracle.name, oracle.package, &oracle.link_flags(), build::FLAGS, &beside] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        if let With::C(tags) = oracle.with {
            hash.update(tags.as_bytes());
        }
        let digest = hash.finalize();
        Ok(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The binary, built first when the cache has none.
    ///
    /// Waits while another process builds the same one.
    pub fn ensure(&self, oracle: &Oracle) -> Result<Built, BuildError> {
        let bin = self.bin();
        let hashed = format!("{}-{}", oracle.name, self.key(oracle)?);
        let path = bin.join(&hashed);
        if path.exists() && self.links_hold(oracle, &hashed) {
            return Ok(Built { path, took: None });
        }
        fs::create_dir_all(&bin).map_err(|cause| BuildError::file("create", &bin, cause))?;
        let lock_path = bin.join(format!(".{}.lock", oracle.name));
        let lock = File::create(&lock_path).map_err(|cause| BuildError::file("create", &lock_path, cause))?;
        lock.lock().map_err(|cause| BuildError::file("lock", &lock_path, cause))?;
        let mut took = None;
        if !path.exists() {
            let started = Instant::now();
            let go = Go::find(&self.root)?;
            let unfinished = bin.join(format!(".{hashed}.{}", std::process::id()));
            let module = self.modules.join(oracle.module);
            build::binary(&go, oracle, &module, &unfinished)?;
            if let Some(beside) = &oracle.beside {
                build::together(&go, beside, &module, &bin.join(name_beside(beside, &hashed)))?;
            }
            fs::rename(&unfinished, &path).map_err(|cause| BuildError::file("rename", &unfinished, cause))?;
            took = Some(started.elapsed());
        }
        link(&bin, oracle.name, &hashed)?;
        if let Some(beside) = &oracle.beside {
            link(&bin, &name_beside(beside, oracle.name), &name_beside(beside, &hashed))?;
        }
        Ok(Built { path, took })
    }

    /// The binary as the cache has it; nothing is built.
    ///
    /// # Errors
    /// When it was not built, in words that say how it is.
    pub fn built(&self, oracle: &Oracle) -> Result<PathBuf, String> {
        let key = self.key(oracle).map_err(|error| error.to_string())?;
        let path = self.bin().join(format!("{}-{key}", oracle.name));
        if path.exists() {
            Ok(path)
        } else {
            Err(format!(
                "the oracle {0} is not built: `cargo run -p oracles -- {0}` builds it (it needs Go)",
                oracle.name
            ))
        }
    }

    fn links_hold(&self, oracle: &Oracle, hashed: &str) -> bool {
        let points_at = |name: &str, target: &str| {
            fs::read_link(self.bin().join(name)).is_ok_and(|found| found == Path::new(target))
        };
        let holds = |beside: Beside| points_at(&name_beside(&beside, oracle.name), &name_beside(&beside, hashed));
        points_at(oracle.name, hashed) && oracle.beside.is_none_or(holds)
    }
}

fn name_beside(beside: &Beside, name: &str) -> String {
    format!("{name}-{}.yaml", beside.what)
}

/// Points `bin/name` at `target`, in one step for those who look.
fn link(bin: &Path, name: &str, target: &str) -> Result<(), BuildError> {
    let fresh = bin.join(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    std::os::unix::fs::symlink(target, &fresh).map_err(|cause| BuildError::file("link", &fresh, cause))?;
    let link = bin.join(name);
    fs::rename(&fresh, &link).map_err(|cause| BuildError::file("rename", &link, cause))
}

/// The names of a module's own Go files, sorted: what keeps the peer's package required, or a program of ours.
fn programs(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.retain(|name| name.ends_with(".go"));
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{ALL, select};

    #[test]
    fn every_oracle_has_a_key() {
        let cache = Cache::new("unused", env!("CARGO_MANIFEST_DIR"));
        for oracle in ALL {
            assert!(cache.key(oracle).is_ok(), "{}: {:?}", oracle.name, cache.key(oracle).err());
        }
    }

    #[test]
    fn the_key_changes_with_the_flags() {
        let cache = Cache::new("unused", env!("CARGO_MANIFEST_DIR"));
        let helm = select("helm").expect("helm is an oracle")[0];
        let mut relinked = *helm;
        relinked.variables = &[];
        let (key, other) = (cache.key(helm).expect("module files"), cache.key(&relinked).expect("module files"));
        assert_ne!(key, other);
        assert_eq!(key.len(), 16);
    }

    #[test]
    fn an_oracle_that_is_not_built_is_told_with_what_builds_it() {
        let cache = Cache::new("nowhere", env!("CARGO_MANIFEST_DIR"));
        let told = cache.built(select("yamlcheck").expect("is an oracle")[0]).expect_err("is not built");
        assert!(told.contains("cargo run -p oracles -- yamlcheck"), "{told}");
    }

    #[test]
    fn the_environment_names_the_folder() {
        let named = Cache::of_environment(|name| (name == "LANDFALL_CACHE").then(|| "elsewhere".to_owned()));
        assert_eq!(named.expect("named").root(), Path::new("elsewhere"));
        let home = Cache::of_environment(|name| (name == "HOME").then(|| "home".to_owned()));
        assert_eq!(home.expect("home").root(), Path::new("home/.cache/landfall"));
        assert!(Cache::of_environment(|_| None).is_none());
    }
}

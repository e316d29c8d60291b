//! Which `go` builds, when the system's own is older than the modules ask for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::build::{self, BuildError};

/// The toolchain taken as a module where the system's Go cannot fetch one by itself.
const TOOLCHAIN: &str = "go1.26.0";

/// A `go` and what its environment needs.
#[derive(Debug, Clone)]
pub(crate) struct Go {
    pub(crate) program: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
}

impl Go {
    /// The system's `go`; from 1.21 on it switches to the toolchain that go.mod names, before that we do it here.
    pub(crate) fn find(cache: &Path) -> Result<Self, BuildError> {
        let system = Self { program: "go".into(), environment: vec![("GOTOOLCHAIN".into(), "auto".into())] };
        let version = build::run(&system, Path::new("."), &["env", "GOVERSION"])?;
        if minor(version.trim()).is_none_or(|minor| minor >= 21) {
            return Ok(system);
        }
        system.newer(cache)
    }

    /// Downloads the toolchain module and gives its `go`.
    fn newer(&self, cache: &Path) -> Result<Self, BuildError> {
        let folder = cache.join("toolchain");
        fs::create_dir_all(&folder).map_err(|cause| BuildError::file("create", &folder, cause))?;
        let platform =
            build::run(self, &folder, &["env", "GOOS", "GOARCH"])?.split_whitespace().collect::<Vec<_>>().join("-");
        let module = format!("golang.org/toolchain@v0.0.1-{TOOLCHAIN}.{platform}");
        let answer = build::run(self, &folder, &["mod", "download", "-json", &module])?;
        let root = answer
            .lines()
            .find_map(|line| line.trim().strip_prefix("\"Dir\": \"")?.strip_suffix("\","))
            .map(PathBuf::from)
            .ok_or_else(|| BuildError::Go { arguments: format!("mod download {module}"), output: answer.clone() })?;
        // Only a Go that knows toolchains keeps their files executable.
        make_executable(&root.join("bin"))?;
        make_executable(&root.join("pkg").join("tool").join(platform.replace('-', "_")))?;
        let environment = vec![("GOTOOLCHAIN".into(), "local".into()), ("GOROOT".into(), root.display().to_string())];
        Ok(Self { program: root.join("bin").join("go"), environment })
    }
}

fn make_executable(folder: &Path) -> Result<(), BuildError> {
    let failed = |cause| BuildError::file("make executable", folder, cause);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).map_err(failed)?;
        }
    }
    Ok(())
}

/// The minor number of `go1.26.8`; `None` for a development version.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go1.")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn versions_of_go_are_read() {
        assert_eq!(minor("go1.26.8"), Some(26));
        assert_eq!(minor("go1.19"), Some(19));
        assert_eq!(minor("go1.26rc1"), Some(26));
        assert_eq!(minor("devel go1.27-abc"), None);
    }
}

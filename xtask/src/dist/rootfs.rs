//! The image's own file system: the binary, git, the ssh client, kustomize, and only what these need.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::archive::{Entry, Files};
use super::elf::wants;
use super::packages::Package;

/// The programs that are taken of Debian's packages: a package, where it has the program, and where the image has it.
const PROGRAMS: [(&str, &str, &str); 6] = [
    ("git", "usr/bin/git", "usr/bin/git"),
    ("git", "usr/lib/git-core/git-remote-http", "usr/lib/git-core/git-remote-http"),
    ("openssh-client", "usr/bin/ssh", "usr/bin/ssh"),
    ("openssh-client", "usr/bin/ssh-keygen", "usr/bin/ssh-keygen"),
    // git runs what answers for logins, and ssh, by a shell; the answer is a `cat`.
    ("dash", "bin/dash", "usr/bin/dash"),
    ("coreutils", "bin/cat", "usr/bin/cat"),
];

/// Names that lead to those, or to a directory.
const LINKS: [(&str, &str); 10] = [
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
    ("usr/bin/git-receive-pack", "git"),
    ("usr/bin/git-upload-archive", "git"),
    ("usr/bin/git-upload-pack", "git"),
    ("usr/bin/sh", "dash"),
    ("usr/lib/git-core/git-remote-https", "git-remote-http"),
    ("usr/lib/git-core/git", "../../bin/git"),
];

/// Directories beside those that files bring: paths and modes.
const DIRECTORIES: [(&str, u32); 7] = [
    ("dev", 0o755),
    ("etc/landfall", 0o755),
    ("proc", 0o755),
    ("state", 0o1777),
    ("tmp", 0o1777),
    ("usr/sbin", 0o755),
    ("usr/share/git-core/templates", 0o755),
];

/// The one who runs it: nobody.
pub(crate) const USER: u32 = 65534;

/// The file system, and the packages that something of it comes from.
pub(crate) struct Rootfs<'p> {
    pub(crate) files: Files,
    pub(crate) packages: Vec<&'p Package>,
}

/// Puts together what the image holds.
pub(crate) fn made<'p>(packages: &'p [Package], landfall: Vec<u8>, kustomize: Vec<u8>) -> Result<Rootfs<'p>, String> {
    let mut files = Files::default();
    for (path, mode) in DIRECTORIES {
        files.put(path, Entry::Directory(mode));
    }
    for (path, target) in LINKS {
        files.link(path, target);
    }
    accounts(&mut files);
    for (name, bytes) in [("landfall", landfall), ("kustomize", kustomize)] {
        if let Some(interpreter) = wants(&bytes).ok_or_else(|| format!("{name} is no program of Linux"))?.interpreter {
            return Err(format!(
                "{name} is not static: it wants {interpreter}, which would tie the image to this machine"
            ));
        }
        files.file(&format!("usr/local/bin/{name}"), 0o755, bytes);
    }
    let mut used = BTreeSet::new();
    let mut missing: Vec<(String, Vec<u8>)> = Vec::new();
    for (package, from, to) in PROGRAMS {
        let found = packages
            .iter()
            .find(|it| it.name == package)
            .ok_or_else(|| format!("the package {package} is not there"))?;
        let bytes = fs::read(found.files.join(from)).map_err(|cause| format!("{package}: {from}: {cause}"))?;
        used.insert(package.to_owned());
        missing.push((to.to_owned(), bytes));
    }
    let libraries = libraries(packages)?;
    while let Some((path, bytes)) = missing.pop() {
        let wants = wants(&bytes).unwrap_or_default();
        files.file(&path, 0o755, bytes);
        let loader = wants.interpreter.as_deref().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
        for name in wants.libraries.into_iter().chain(loader) {
            let to = format!("usr/lib/{}/{name}", triplet());
            if files.0.contains_key(&to) || missing.iter().any(|(waiting, _)| *waiting == to) {
                continue;
            }
            let (package, from) =
                libraries.get(&name).ok_or_else(|| format!("{path} wants {name}, which no package brings"))?;
            used.insert((*package).to_owned());
            missing.push((to, fs::read(from).map_err(|cause| format!("{}: {cause}", from.display()))?));
        }
    }
    let loader = files.0.keys().find_map(|path| path.rsplit('/').next().filter(|name| name.starts_with("ld-linux")));
    if let Some(loader) = loader.map(str::to_owned) {
        files.link(&format!("usr/lib64/{loader}"), &format!("../lib/{}/{loader}", triplet()));
    }
    certificates(&mut files, packages)?;
    used.insert("ca-certificates".to_owned());
    let packages: Vec<&Package> = packages.iter().filter(|it| used.contains(&it.name)).collect();
    for package in &packages {
        described(&mut files, package);
    }
    Ok(Rootfs { files, packages })
}

/// Debian's name for this machine's kind.
fn triplet() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

/// Who there is, and that names are looked for in files and by DNS.
fn accounts(files: &mut Files) {
    let passwd = format!("root:x:0:0:root:/:/sbin/nologin\nnobody:x:{USER}:{USER}:nobody:/tmp:/sbin/nologin\n");
    files.file("etc/passwd", 0o644, passwd);
    files.file("etc/group", 0o644, format!("root:x:0:\nnogroup:x:{USER}:\n"));
    files.file("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n");
    files.file("etc/os-release", 0o644, "PRETTY_NAME=\"Landfall on Debian's packages\"\nID=debian\n");
}

/// The shared libraries by the name under which they are asked for: the package, and the file.
fn libraries(packages: &[Package]) -> Result<BTreeMap<String, (&str, PathBuf)>, String> {
    let mut found = BTreeMap::new();
    for package in packages {
        for place in ["lib", "usr/lib"] {
            let directory = package.files.join(place).join(triplet());
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries {
                let path = entry.map_err(|cause| format!("{}: {cause}", directory.display()))?.path();
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if path.is_file() && name.contains(".so") {
                    found.insert(name, (package.name.as_str(), path));
                }
            }
        }
    }
    Ok(found)
}

/// The authorities that Debian trusts, in one file, as `update-ca-certificates` writes it.
fn certificates(files: &mut Files, packages: &[Package]) -> Result<(), String> {
    let package = packages.iter().find(|it| it.name == "ca-certificates").ok_or("ca-certificates is not there")?;
    let directory = package.files.join("usr/share/ca-certificates/mozilla");
    let entries = fs::read_dir(&directory).map_err(|cause| format!("{}: {cause}", directory.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut bundle = Vec::new();
    for path in &paths {
        bundle.extend(fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()))?);
        if !bundle.ends_with(b"\n") {
            bundle.push(b'\n');
        }
    }
    files.file("etc/ssl/certs/ca-certificates.crt", 0o644, bundle);
    Ok(())
}

/// A package's licence, and what scanners read to know that it is there.
fn described(files: &mut Files, package: &Package) {
    let name = &package.name;
    let copyright: &Path = &package.files.join("usr/share/doc").join(name).join("copyright");
    if let Ok(text) = fs::read(copyright) {
        files.file(&format!("usr/share/doc/{name}/copyright"), 0o644, text);
    }
    files.file(&format!("var/lib/dpkg/status.d/{name}"), 0o644, format!("{}\n", package.control));
}

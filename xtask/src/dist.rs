//! `cargo xtask dist`: everything that a release publishes, from one commit, and the same bytes from it each time.
//!
//! ```text
//! Cargo.toml ─► landfall version next ─► version ─► binary ─┬─► archive with manual pages, completions, licences
//! CHANGELOG.md ─► notes                                     ├─► image, with Debian's packages and kustomize
//! cargo metadata ─► SBOM                                    └─► chart, install script ─► SHA256SUMS ─► signature
//! ```
//!
//! What a release is called is asked of Landfall itself; nothing is published from here.

mod archive;
mod binary;
mod changelog;
mod digest;
mod elf;
mod image;
#[cfg(test)]
mod install;
mod manual;
mod packages;
mod renamed;
mod rootfs;
mod run;
mod sbom;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use archive::{Entry, Files};
use binary::{Effort, TARGETS};
pub(crate) use renamed::as_compiler;
use run::{done, line, said};

/// The program that builds kustomizations in the image.
const KUSTOMIZE: (&str, &str) = ("sigs.k8s.io/kustomize/kustomize/v5", "v5.8.1");

/// What was asked for.
#[derive(Debug)]
struct Options {
    /// Where everything is written.
    out: PathBuf,
    effort: Effort,
    channel: String,
    run: Option<String>,
    attempt: Option<String>,
    targets: Vec<String>,
    /// A binary of this commit that was built before, instead of a build.
    binary: Option<PathBuf>,
    is_image_made: bool,
    are_packages_updated: bool,
    /// The file system of the image, laid out in a directory besides.
    rootfs: Option<PathBuf>,
    /// The private key of OpenSSH that signs the checksums.
    sign: Option<PathBuf>,
    is_dirty_allowed: bool,
}

impl Options {
    fn of(root: &Path, arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            out: root.join("target/release-files"),
            effort: Effort::Whole,
            channel: "stable".to_owned(),
            run: None,
            attempt: None,
            targets: Vec::new(),
            binary: None,
            is_image_made: true,
            are_packages_updated: false,
            rootfs: None,
            sign: None,
            is_dirty_allowed: false,
        };
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().cloned().ok_or_else(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--out" => options.out = PathBuf::from(value()?),
                "--quick" => options.effort = Effort::Quick,
                "--channel" => options.channel = value()?,
                "--run" => options.run = Some(value()?),
                "--attempt" => options.attempt = Some(value()?),
                "--target" => options.targets.push(value()?),
                "--binary" => options.binary = Some(PathBuf::from(value()?)),
                "--no-image" => options.is_image_made = false,
                "--update-packages" => options.are_packages_updated = true,
                "--rootfs" => options.rootfs = Some(PathBuf::from(value()?)),
                "--sign" => options.sign = Some(PathBuf::from(value()?)),
                "--allow-dirty" => options.is_dirty_allowed = true,
                other => return Err(format!("`{other}` is no flag of dist")),
            }
        }
        Ok(options)
    }
}

/// The commit that is released.
struct Commit {
    revision: String,
    /// Its time: all that is made is of it.
    epoch: u64,
    created: String,
}

/// Makes the files of a release.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<Vec<String>, String> {
    let root = &root.canonicalize().map_err(|cause| format!("{}: {cause}", root.display()))?;
    let options = Options::of(root, arguments)?;
    let commit = commit(root, options.is_dirty_allowed)?;
    let asked = match &options.binary {
        Some(binary) => binary.clone(),
        None => asked_binary(root)?,
    };
    let version = version(root, &asked, &options)?;
    println!("landfall {version} of {} ({})", &commit.revision[..12.min(commit.revision.len())], commit.created);
    let binaries = binaries(root, &version, commit.epoch, &options)?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (target, binary) in &binaries {
        let name = format!("landfall-{version}-{target}");
        let bytes = read(binary)?;
        binary::check_static(&bytes)?;
        let mut archive = Files::default();
        manual::added(&mut archive, &name, &asked)?;
        archive.file(&format!("{name}/landfall"), 0o755, bytes);
        for file in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
            archive.file(&format!("{name}/{file}"), 0o644, read(&root.join(file))?);
        }
        files.insert(format!("{name}.tar.gz"), archive.tar_gz(commit.epoch)?);
    }
    let metadata = said(
        Command::new("cargo")
            .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", TARGETS[0]])
            .current_dir(root),
    )?;
    let lock = text(&root.join("Cargo.lock"))?;
    let mut components = sbom::crates(&metadata, &lock, "landfall")?;
    let document = |name: &str, components: &[sbom::Component]| {
        format!("{:#}\n", sbom::document(name, &version, &commit.created, components)).into_bytes()
    };
    files.insert(format!("landfall-{version}.cdx.json"), document("landfall", &components));
    let mut digest = None;
    if options.is_image_made {
        let cache = cache()?;
        let kustomize = kustomize(&cache)?;
        let packages = packages::fetched(root, &cache.join("packages"), options.are_packages_updated)?;
        let binary = binaries.iter().find(|(target, _)| target.starts_with(std::env::consts::ARCH));
        let (_, binary) = binary.ok_or("no binary for this machine's kind was built, and the image holds one")?;
        let rootfs = rootfs::made(&packages, read(binary)?, read(&kustomize)?)?;
        if options.are_packages_updated {
            packages::write_lock(root, &rootfs.packages)?;
        }
        if let Some(directory) = &options.rootfs {
            laid_out(&rootfs.files, directory)?;
        }
        let about = image::About {
            version: &version,
            revision: &commit.revision,
            created: &commit.created,
            epoch: commit.epoch,
        };
        let image = image::made(&rootfs.files, &about)?;
        components.extend(sbom::debian(&rootfs.packages));
        components.extend(sbom::go(&line(Command::new("go").args(["version", "-m"]).arg(&kustomize))?));
        components.sort();
        components.dedup();
        files.insert(format!("landfall-{version}-image.oci.tar"), image.archive);
        files.insert(format!("landfall-{version}-image.cdx.json"), document("landfall-image", &components));
        println!("image {} from {} packages of Debian", image.digest, rootfs.packages.len());
        digest = Some(image.digest);
    }
    files.insert(format!("landfall-chart-{version}.tgz"), chart(root, &version, digest.as_deref(), commit.epoch)?);
    let install = text(&root.join("deploy/install.sh"))?.replace("@VERSION@", &version);
    let named = format!("landfall-{version}-{}.tar.gz", TARGETS[0]);
    let pinned = files.get(&named).map(|bytes| digest::sha256(bytes)).unwrap_or_default();
    let action = text(&root.join("deploy/ci/action/action.yml"))?;
    let mut archive = Files::default();
    archive.file("install.sh", 0o755, install.as_bytes());
    archive.file("action.yml", 0o644, action.replace("@VERSION@", &version).replace("@SHA256@", &pinned));
    files.insert(format!("landfall-action-{version}.tar.gz"), archive.tar_gz(commit.epoch)?);
    files.insert("install.sh".to_owned(), install.into_bytes());
    let notes = text(&root.join("CHANGELOG.md"))?;
    let notes = format!("# Landfall {version}\n\n{}\n", changelog::notes(&notes, &version)?);
    files.insert(format!("landfall-{version}.md"), notes.into_bytes());
    write(&options, &files)?;
    println!("{} files in {}", files.len() + 1, options.out.display());
    Ok(Vec::new())
}

/// Writes the files, their checksums, and who says so.
fn write(options: &Options, files: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let out = &options.out;
    // What an earlier run made is not in the checksums of this one.
    let _none_there = fs::remove_dir_all(out);
    fs::create_dir_all(out).map_err(|cause| format!("{}: {cause}", out.display()))?;
    let put = |name: &str, bytes: &[u8]| fs::write(out.join(name), bytes).map_err(|cause| format!("{name}: {cause}"));
    for (name, bytes) in files {
        put(name, bytes)?;
        println!("  {name}  {} kB", bytes.len().div_ceil(1000));
    }
    put("SHA256SUMS", digest::sums(files).as_bytes())?;
    match &options.sign {
        Some(key) => done(
            Command::new("ssh-keygen")
                .args(["-q", "-Y", "sign", "-n", "landfall-release", "-f"])
                .arg(key)
                .arg(out.join("SHA256SUMS")),
        ),
        None => {
            println!("  not signed: --sign KEY signs the checksums, with a key of OpenSSH");
            Ok(())
        }
    }
}

/// The commit that is checked out; a tree that differs from it makes no release.
fn commit(root: &Path, is_dirty_allowed: bool) -> Result<Commit, String> {
    let git = |words: &[&str]| line(Command::new("git").args(words).env("TZ", "UTC").current_dir(root));
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    if !changed.is_empty() && !is_dirty_allowed {
        return Err(format!(
            "what is released is a commit, and these differ from it (--allow-dirty to try):\n{changed}"
        ));
    }
    let epoch = git(&["log", "-1", "--format=%ct"])?;
    Ok(Commit {
        revision: git(&["rev-parse", "HEAD"])?,
        epoch: epoch.parse().map_err(|_| format!("git says `{epoch}` of the commit's time"))?,
        created: git(&["log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ"])?,
    })
}

/// A binary of these sources that answers questions: quickly built, and not published.
fn asked_binary(root: &Path) -> Result<PathBuf, String> {
    done(
        Command::new("cargo").args(["build", "--locked", "--package", "landfall", "--profile", "ci"]).current_dir(root),
    )?;
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(directory.join("ci/landfall"))
}

/// What the release is called, by our own rules.
fn version(root: &Path, landfall: &Path, options: &Options) -> Result<String, String> {
    let manifest: toml::Table =
        toml::from_str(&text(&root.join("Cargo.toml"))?).map_err(|cause| format!("Cargo.toml: {cause}"))?;
    let declared = manifest.get("workspace").and_then(|it| it.get("package")?.get("version")?.as_str());
    let declared = declared.ok_or("Cargo.toml: workspace.package.version is missing")?;
    let mut command = Command::new(landfall);
    command.args(["version", "next", "--from", declared, "--channel", &options.channel]);
    for (flag, value) in [("--run", &options.run), ("--attempt", &options.attempt)] {
        command.args(value.iter().flat_map(|value| [flag, value.as_str()]));
    }
    line(&mut command)
}

/// The binaries by target; a target that cannot be built here is said, and one that was asked for is refused.
fn binaries(root: &Path, version: &str, epoch: u64, options: &Options) -> Result<Vec<(String, PathBuf)>, String> {
    if let Some(binary) = &options.binary {
        return Ok(vec![(TARGETS[0].to_owned(), binary.clone())]);
    }
    let mut found = Vec::new();
    let is_asked = !options.targets.is_empty();
    let wanted: Vec<&str> =
        if is_asked { options.targets.iter().map(String::as_str).collect() } else { TARGETS.to_vec() };
    for target in wanted {
        match binary::hindrance(target)? {
            None => found.push((target.to_owned(), binary::built(root, target, version, epoch, options.effort)?)),
            Some(why) if is_asked => return Err(format!("{target}: {why}")),
            Some(why) => println!("  not built: {target}: {why}"),
        }
    }
    if found.is_empty() { Err("no target can be built here".to_owned()) } else { Ok(found) }
}

/// kustomize, static, from its module: Go's checksum database says that it is what everybody gets.
fn kustomize(cache: &Path) -> Result<PathBuf, String> {
    let (module, version) = KUSTOMIZE;
    let place = cache.join(format!("kustomize-{version}"));
    let built = place.join("kustomize");
    if !built.exists() {
        let aside = cache.join("kustomize.part");
        let _none_there = fs::remove_dir_all(&aside);
        fs::create_dir_all(&aside).map_err(|cause| format!("{}: {cause}", aside.display()))?;
        said(
            Command::new("go")
                .args(["install", "-trimpath", "-buildvcs=false", "-p=2", "-ldflags=-s -w -buildid="])
                .arg(format!("{module}@{version}"))
                .env("GOBIN", &aside)
                .env("CGO_ENABLED", "0")
                .env("GOFLAGS", ""),
        )?;
        let _none_there = fs::remove_dir_all(&place);
        fs::rename(&aside, &place).map_err(|cause| format!("{}: {cause}", place.display()))?;
    }
    Ok(built)
}

/// Our own chart under the release's version, with the image's digest where there is one.
fn chart(root: &Path, version: &str, digest: Option<&str>, epoch: u64) -> Result<Vec<u8>, String> {
    let directory = root.join("deploy/chart");
    let mut archive = Files::default();
    let listed = line(Command::new("git").args(["ls-files", "."]).current_dir(&directory))?;
    for path in listed.lines().filter(|path| *path != ".helmignore") {
        let mut bytes = read(&directory.join(path))?;
        let replaced = |text: &str, key: &str, value: &str| -> String {
            let is_it = |line: &&str| line.trim_start().starts_with(&format!("{key}:"));
            let put = |line: &str| format!("{}{key}: {value}", &line[..line.len() - line.trim_start().len()]);
            text.lines().map(|line| if is_it(&line) { put(line) } else { line.to_owned() } + "\n").collect()
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if path == "Chart.yaml" {
            bytes =
                replaced(&replaced(&text, "version", version), "appVersion", &format!("\"{version}\"")).into_bytes();
        } else if let (Some(digest), "values.yaml") = (digest, path) {
            bytes = replaced(&text, "digest", digest).into_bytes();
        }
        archive.file(&format!("landfall/{path}"), 0o644, bytes);
    }
    // Helm wants files only, the chart's own name in front.
    archive.0.retain(|_, entry| matches!(entry, Entry::File(..)));
    archive.tar_gz(epoch)
}

/// Lays a file system out in a new directory, as far as a user who is not root may.
fn laid_out(files: &Files, directory: &Path) -> Result<(), String> {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let _none_there = fs::remove_dir_all(directory);
    let failed = |path: &Path, cause: std::io::Error| format!("{}: {cause}", path.display());
    fs::create_dir_all(directory).map_err(|cause| failed(directory, cause))?;
    // Links last: `bin` leads to `usr/bin`, and nothing is written through it.
    let (links, others): (Vec<_>, Vec<_>) = files.0.iter().partition(|(_, entry)| matches!(entry, Entry::Link(_)));
    for (path, entry) in others.into_iter().chain(links) {
        let path = &directory.join(path);
        let mode = |mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        let laid = match entry {
            Entry::Directory(bits) => fs::create_dir_all(path).and_then(|()| mode(*bits)),
            Entry::File(bits, bytes) => fs::write(path, bytes).and_then(|()| mode(*bits)),
            Entry::Link(target) => symlink(target, path),
        };
        laid.map_err(|cause| failed(path, cause))?;
    }
    Ok(())
}

/// Where what is fetched is kept, outside of the repository.
fn cache() -> Result<PathBuf, String> {
    let own = std::env::var_os("LANDFALL_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/landfall"));
    let cache = own.or_else(home).ok_or("neither LANDFALL_CACHE nor HOME is set")?.join("image");
    fs::create_dir_all(&cache).map_err(|cause| format!("{}: {cause}", cache.display()))?;
    Ok(cache)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()))
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|cause| format!("{}: {cause}", path.display()))
}

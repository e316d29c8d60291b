//! The install script, held against releases that are what they say, and against those that are not.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::archive::Files;
use super::digest::{sha256, sums};

const NAME: &str = "landfall-1.2.3-x86_64-unknown-linux-gnu";

/// A release in a directory of its own, whose binary is a script that says a version.
struct Release {
    directory: tempfile::TempDir,
}

impl Release {
    fn new(says: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut files = Files::default();
        files.file(&format!("{NAME}/landfall"), 0o755, format!("#!/bin/sh\necho {says}\n"));
        files.file(&format!("{NAME}/man/man1/landfall.1"), 0o644, ".TH");
        for name in ["landfall.bash", "_landfall", "landfall.fish"] {
            files.file(&format!("{NAME}/completions/{name}"), 0o644, "#");
        }
        let archive = files.tar_gz(0).expect("packed");
        let release = Release { directory };
        let all = [(format!("{NAME}.tar.gz"), archive.clone())].into();
        release.write(&format!("{NAME}.tar.gz"), &archive);
        release.write("SHA256SUMS", sums(&all).as_bytes());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/install.sh");
        let script = std::fs::read_to_string(script).expect("the script").replace("@VERSION@", "1.2.3");
        release.write("install.sh", script.as_bytes());
        release
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("written");
    }

    /// Makes a key, and signs the checksums with it; gives the line of who may sign.
    fn signed(&self, key: &str) -> String {
        let keygen = |words: &[&str]| {
            let status =
                Command::new("ssh-keygen").args(words).current_dir(self.directory.path()).output().expect("it runs");
            assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
        };
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", key]);
        let _none_there = std::fs::remove_file(self.path("SHA256SUMS.sig"));
        keygen(&["-q", "-Y", "sign", "-n", "landfall-release", "-f", key, "SHA256SUMS"]);
        format!("landfall {}", std::fs::read_to_string(self.path(&format!("{key}.pub"))).expect("a key"))
    }

    fn installed(&self, more: &[&str]) -> (Output, bool) {
        let to = self.path("to");
        let output = Command::new("sh")
            .arg(self.path("install.sh"))
            .args(["--from", &self.directory.path().display().to_string(), "--to", &to.display().to_string()])
            .args(["--target", "x86_64-unknown-linux-gnu"])
            .args(more)
            .output()
            .expect("sh runs");
        let is_there = to.join("bin/landfall").exists();
        let _none_there = std::fs::remove_dir_all(to);
        (output, is_there)
    }

    #[track_caller]
    fn refuses(&self, more: &[&str], word: &str) {
        let (output, is_there) = self.installed(more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!is_there && said.contains(word) && said.contains("nothing was installed"), "{said}");
    }
}

#[test]
fn a_release_is_installed_and_what_was_checked_is_said() {
    let release = Release::new("1.2.3");
    let (output, is_there) = release.installed(&[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && is_there, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("who wrote that was not checked"), "{said}");
    release.write("signers", release.signed("key").as_bytes());
    let signers = release.path("signers").display().to_string();
    let (output, is_there) = release.installed(&["--signers", &signers]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(is_there && said.contains("signed by one of"), "{said}");
    let archive = std::fs::read(release.path(&format!("{NAME}.tar.gz"))).expect("there");
    let (_, is_there) = release.installed(&["--sha256", &sha256(&archive)]);
    assert!(is_there);
}

#[test]
fn what_is_not_what_was_published_is_not_installed() {
    let release = Release::new("1.2.3");
    release.refuses(&["--sha256", &"0".repeat(64)], "is not what was published");
    let ours = release.signed("ours");
    release.write("signers", ours.as_bytes());
    let signers = release.path("signers").display().to_string();
    // Somebody else signs the same checksums.
    release.signed("theirs");
    release.refuses(&["--signers", &signers], "is not signed by anybody");
    // One byte of the archive, and then of the checksums that are signed.
    let release = Release::new("1.2.3");
    let archive = release.path(&format!("{NAME}.tar.gz"));
    let mut bytes = std::fs::read(&archive).expect("there");
    bytes[20] ^= 1;
    std::fs::write(&archive, &bytes).expect("written");
    release.refuses(&[], "is not what was published");
    release.write("signers", release.signed("key").as_bytes());
    let signers = release.path("signers").display().to_string();
    release.write("SHA256SUMS", format!("{}  {NAME}.tar.gz\n", sha256(&bytes)).as_bytes());
    release.refuses(&["--signers", &signers], "is not signed by anybody");
    release.write("SHA256SUMS", b"");
    release.refuses(&[], "does not name");
    Release::new("9.9.9").refuses(&[], "says that it is 9.9.9");
}

//! The one writer: commits onto branches of repositories that git itself keeps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_source::{
    Accounts, AllowedPaths, Builds, Change, Edited, Edits, GitRemote, GitWriter, Landing, Network, Person, Reads,
    Signing, SourceTree, Write, WriteError,
};
use landfall_yaml::{Scalar, Step, edit};

use crate::{git, write};

/// A bare repository with a values file on `main`, and a directory for the writers.
pub(crate) struct Forge {
    dir: tempfile::TempDir,
}

impl Forge {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let work = dir.path().join("work");
        std::fs::create_dir(&work).expect("made");
        git(&work, &["init", "-q"]);
        write(&work, "shop/values.yaml", "# kept\ncount: 0   # so far\n\nimage:\n  tag: 'v0'\n");
        write(&work, "other/values.yaml", "a: 1\n");
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-qm", "first"]);
        git(dir.path(), &["clone", "-q", "--bare", "work", "shop.git"]);
        let forge = Forge { dir };
        git(&forge.bare(), &["config", "core.logAllRefUpdates", "true"]);
        git(&forge.bare(), &["config", "http.receivepack", "true"]);
        forge
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.dir.path().join("shop.git")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn remote(&self) -> GitRemote {
        Accounts::default().remote(&format!("file://{}", self.bare().display()))
    }

    pub(crate) fn writer(&self) -> GitWriter {
        GitWriter::new(&Network::default(), self.dir.path().join("writers"), None)
    }

    pub(crate) fn said(&self, words: &[&str]) -> String {
        said(&self.bare(), words)
    }

    pub(crate) fn file(&self, path: &str) -> String {
        self.said(&["show", &format!("main:{path}")])
    }

    fn hook(&self, name: &str, script: &str) {
        let path = self.bare().join("hooks").join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    }

    /// How many commits the branch has; each but the first has one parent.
    pub(crate) fn linear(&self) -> usize {
        let parents = self.said(&["rev-list", "--parents", "main"]);
        assert!(parents.lines().rev().skip(1).all(|line| line.split(' ').count() == 2), "{parents}");
        self.said(&["fsck", "--strict"]);
        parents.lines().count()
    }
}

pub(crate) fn said(directory: &Path, words: &[&str]) -> String {
    let output = std::process::Command::new("git").args(words).current_dir(directory).output().expect("git runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn edits(subject: &str, path: &str, text: String) -> Edited {
    Edited::Files(Edits {
        subject: subject.to_owned(),
        body: String::new(),
        trailers: vec![("Landfall-Cause".to_owned(), "test".to_owned())],
        files: [(path.to_owned(), text.into_bytes())].into(),
    })
}

pub(crate) fn text(tree: &SourceTree, path: &str) -> String {
    String::from_utf8(tree.read(path).expect("read").expect("there")).expect("text")
}

pub(crate) fn wish(change: Change) -> Write {
    Write {
        starts_at: None,
        branch: "main".to_owned(),
        allowed: AllowedPaths::parse(["shop/**"]).expect("globs"),
        change,
        reads: Reads::Tip,
        cause: None,
        builds: Builds::Asked,
        author: Person::default(),
        signing: Signing::No,
        at: "2026-11-22T12:00:00Z".parse().expect("a time"),
    }
}

/// Sets the tag.
fn tag(value: &'static str) -> Change {
    Arc::new(move |tree| {
        let path = [Step::Key("image"), Step::Key("tag")];
        let new = edit::set(&text(tree, "shop/values.yaml"), &path, &Scalar::Str(value.into())).expect("edited");
        Ok(edits(&format!("tag {value}"), "shop/values.yaml", new))
    })
}

/// Counts one more, and leaves a line of its own: what is lost or doubled is seen in both.
fn counted(name: String) -> Change {
    Arc::new(move |tree| {
        let old = text(tree, "shop/values.yaml");
        let documents = landfall_yaml::parse(&old).expect("yaml");
        let count: i64 =
            documents[0].root().get("count").and_then(|it| it.text()).expect("counted").parse().expect("a number");
        if documents[0].root().get(&name).is_some() {
            return Ok(Edited::Nothing("counted already".to_owned()));
        }
        let new = edit::set(&old, &[Step::Key("count")], &Scalar::Int(count + 1)).expect("edited");
        let new = edit::set_or_insert(&new, &[Step::Key(&name)], &Scalar::Int(count + 1)).expect("edited");
        Ok(edits(&name, "shop/values.yaml", new))
    })
}

#[tokio::test]
async fn a_commit_lands_on_the_tip_with_every_other_byte_kept() {
    let forge = Forge::new();
    let before = forge.said(&["rev-parse", "main"]).trim().to_owned();
    let mut wanted = wish(tag("v1"));
    wanted.builds = Builds::Skipped;
    let landed = forge.writer().write(&forge.remote(), wanted.clone()).await.expect("written");
    let Landing::Pushed { commit, parent, files, attempts } = landed else { panic!("{landed:?}") };
    assert_eq!((parent, files, attempts), (before, vec!["shop/values.yaml".to_owned()], 1));
    assert_eq!(forge.said(&["rev-parse", "main"]).trim(), commit);
    assert_eq!(forge.file("shop/values.yaml"), "# kept\ncount: 0   # so far\n\nimage:\n  tag: 'v1'\n");
    let told = forge.said(&["log", "-1", "--format=%an <%ae> %ct%n%B", "main"]);
    assert!(
        told.starts_with("landfall-bot <landfall-bot@localhost> 1795348800\ntag v1 [skip ci]\n\nLandfall-Change: ")
    );
    assert!(told.trim_end().ends_with("\nLandfall-Cause: test"), "{told}");
    assert_eq!(forge.linear(), 2);
    let again = forge.writer().write(&forge.remote(), wanted).await.expect("looked");
    assert_eq!(again, Landing::Nothing { head: commit, why: "it is so already".to_owned() });
    assert_eq!(forge.linear(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lp_68_fifty_writers_of_two_replicas_land_in_one_line_and_none_is_lost_or_doubled() {
    let forge = Forge::new();
    let replicas = [forge.writer(), forge.writer()];
    let mut all = Vec::new();
    for number in 0..50 {
        let (writer, remote) = (replicas[number % 2].clone(), forge.remote());
        let wanted = wish(counted(format!("w{number}")));
        all.push(tokio::spawn(async move { writer.write(&remote, wanted).await }));
    }
    let mut commits = std::collections::BTreeSet::new();
    for one in all {
        match one.await.expect("no panic").expect("written") {
            Landing::Pushed { commit, .. } => assert!(commits.insert(commit), "twice"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((forge.linear(), commits.len()), (51, 50));
    let values = forge.file("shop/values.yaml");
    assert!(values.contains("count: 50   # so far\n"), "{values}");
    assert!((0..50).all(|number| values.contains(&format!("\nw{number}: "))), "{values}");
    let pushes = std::fs::read_to_string(forge.bare().join("logs/refs/heads/main")).expect("a log").lines().count();
    assert!(pushes < 40, "who waits for the same branch goes together: {pushes} pushes");
}

#[tokio::test]
async fn whoever_comes_while_the_branch_is_read_goes_with_the_same_push() {
    let forge = Forge::new();
    let (writer, remote) = (forge.writer(), forge.remote());
    // On one thread: all of them have come before the first one hears where the branch is.
    let all = (0..20).map(|number| writer.write(&remote, wish(counted(format!("w{number}")))));
    for landed in futures::future::join_all(all).await {
        assert!(matches!(landed, Ok(Landing::Pushed { attempts: 1, .. })), "{landed:?}");
    }
    assert_eq!(forge.linear(), 21);
    assert!(forge.file("shop/values.yaml").contains("count: 20   # so far\n"));
    let pushes = std::fs::read_to_string(forge.bare().join("logs/refs/heads/main")).expect("a log").lines().count();
    assert_eq!(pushes, 1);
}

#[tokio::test]
async fn one_whose_change_panics_takes_none_of_the_others_along() {
    let forge = Forge::new();
    let (writer, remote) = (forge.writer(), forge.remote());
    let changes =
        [counted("w0".to_owned()), Arc::new(|_: &SourceTree| panic!("a bug of its own")), counted("w2".to_owned())];
    let all = futures::future::join_all(changes.map(|change| writer.write(&remote, wish(change)))).await;
    assert!(matches!(all[0], Ok(Landing::Pushed { .. })) && matches!(all[2], Ok(Landing::Pushed { .. })), "{all:?}");
    assert!(all[1].is_err(), "{all:?}");
    assert_eq!(forge.linear(), 3);
    assert!(forge.file("shop/values.yaml").contains("count: 2   # so far\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_writers_that_know_nothing_of_each_other_land_in_one_line() {
    let forge = Forge::new();
    let mut all = Vec::new();
    for number in 0..10 {
        let (writer, remote) = (forge.writer(), forge.remote());
        let wanted = wish(counted(format!("w{number}")));
        all.push(tokio::spawn(async move { writer.write(&remote, wanted).await }));
    }
    for one in all {
        let landed = one.await.expect("no panic").expect("written");
        assert!(matches!(landed, Landing::Pushed { .. }), "{landed:?}");
    }
    assert_eq!(forge.linear(), 11);
    assert!(forge.file("shop/values.yaml").contains("count: 10   # so far\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_stopped_anywhere_and_begun_again_counts_once() {
    let forge = Forge::new();
    let writer = forge.writer();
    for (number, after) in [0u64, 2, 5, 9, 14, 20, 27, 35, 44, 60].into_iter().enumerate() {
        let wanted = wish(counted(format!("w{number}")));
        let (remote, other) = (forge.remote(), wish(counted(format!("x{number}"))));
        // Another one waits with it, and goes on.
        let beside = tokio::spawn({
            let (writer, remote) = (writer.clone(), remote.clone());
            async move { writer.write(&remote, other).await }
        });
        let stopped =
            tokio::time::timeout(std::time::Duration::from_millis(after), writer.write(&remote, wanted.clone()));
        let _stopped = stopped.await;
        let again = writer.write(&remote, wanted).await.expect("written");
        assert!(matches!(again, Landing::Pushed { .. } | Landing::Nothing { .. }), "{again:?}");
        let other = beside.await.expect("no panic").expect("written");
        assert!(matches!(other, Landing::Pushed { .. } | Landing::Nothing { .. }), "{other:?}");
    }
    assert_eq!(forge.linear(), 21);
    assert!(forge.file("shop/values.yaml").contains("count: 20   # so far\n"));
}

#[tokio::test]
async fn a_reply_that_is_lost_leads_to_no_second_commit_also_under_somebody_elses() {
    let forge = Forge::new();
    forge.hook("post-receive", "kill -9 $PPID");
    let landed = forge.writer().write(&forge.remote(), wish(counted("one".into()))).await.expect("written");
    assert!(matches!(landed, Landing::Pushed { attempts: 1, .. }), "{landed:?}");
    assert_eq!(forge.linear(), 2);
    // Somebody takes the line back before we look again: it was there, and is not written a second time.
    let takes_back = "tree=$(git rev-parse 'main^{tree}')\nnew=$(GIT_AUTHOR_NAME=o GIT_AUTHOR_EMAIL=o@h GIT_COMMITTER_NAME=o GIT_COMMITTER_EMAIL=o@h git commit-tree -p main -m theirs main~1^{tree})\ngit update-ref refs/heads/main $new\nkill -9 $PPID";
    forge.hook("post-receive", takes_back);
    let landed = forge.writer().write(&forge.remote(), wish(counted("two".into()))).await.expect("written");
    assert!(matches!(landed, Landing::Pushed { .. }), "{landed:?}");
    assert_eq!(forge.linear(), 4);
    assert!(!forge.file("shop/values.yaml").contains("two"), "theirs is the last word");
}

#[tokio::test]
async fn a_branch_that_takes_nothing_is_told_in_the_servers_words_and_at_once() {
    let forge = Forge::new();
    forge.hook("pre-receive", "echo 'only by pull request' >&2; echo x >> calls; exit 1");
    let landed = forge.writer().write(&forge.remote(), wish(tag("v1"))).await.expect("asked");
    let Landing::Protected { said } = landed else { panic!("{landed:?}") };
    assert!(said.contains("pre-receive hook declined") && said.contains("only by pull request"), "{said}");
    assert_eq!(std::fs::read_to_string(forge.bare().join("calls")).expect("called"), "x\n", "asked once");
    assert_eq!(forge.linear(), 1);
    let mut elsewhere = wish(tag("v1"));
    elsewhere.branch = "mian".to_owned();
    let error = forge.writer().write(&forge.remote(), elsewhere).await.expect_err("no such branch");
    assert!(matches!(&error, WriteError::NoBranch { nearest: Some(near), .. } if near == "main"), "{error:?}");
}

#[tokio::test]
async fn nothing_is_written_outside_the_paths_that_were_given() {
    let forge = Forge::new();
    let work = forge.work();
    std::os::unix::fs::symlink("../other", work.join("shop/out")).expect("linked");
    std::os::unix::fs::symlink("../other/values.yaml", work.join("shop/link.yaml")).expect("linked");
    git(&work, &["add", "-A"]);
    git(&work, &["commit", "-qm", "links"]);
    git(&work, &["push", "-q", &forge.bare().display().to_string(), "HEAD:main"]);
    for path in [
        "other/values.yaml",
        "shop/../other/values.yaml",
        "shop/out/values.yaml",
        "shop/link.yaml",
        "shop/.git/config",
        "shop",
        "shop//values.yaml",
        "/shop/values.yaml",
    ] {
        let change: Change = Arc::new(move |_| Ok(edits("out", path, "a: 2\n".to_owned())));
        let error = forge.writer().write(&forge.remote(), wish(change)).await.expect_err(path);
        assert!(matches!(error, WriteError::Outside { .. } | WriteError::Source(_)), "{path}: {error:?}");
    }
    assert_eq!(forge.linear(), 2);
    let change: Change = Arc::new(|_| Ok(edits("new", "shop/deep/er/new.yaml", "a: 2\n".to_owned())));
    forge.writer().write(&forge.remote(), wish(change)).await.expect("a new file");
    assert_eq!(forge.file("shop/deep/er/new.yaml"), "a: 2\n");
    assert_eq!(forge.file("other/values.yaml"), "a: 1\n");
    forge.linear();
}

#[tokio::test]
async fn a_commit_of_ours_is_no_reason_for_another_one() {
    let forge = Forge::new();
    let by_hand = forge.said(&["rev-parse", "main"]).trim().to_owned();
    let mut wanted = wish(tag("v1"));
    wanted.cause = Some(by_hand);
    let landed = forge.writer().write(&forge.remote(), wanted.clone()).await.expect("written");
    let Landing::Pushed { commit, .. } = landed else { panic!("{landed:?}") };
    let work = forge.work();
    git(&work, &["pull", "-q", &forge.bare().display().to_string(), "main"]);
    write(&work, "a", "a");
    git(&work, &["add", "-A"]);
    git(&work, &["commit", "-qm", "by hand"]);
    git(&work, &["push", "-q", &forge.bare().display().to_string(), "HEAD:main"]);
    wanted.change = tag("v2");
    wanted.cause = Some(commit.clone());
    let landed = forge.writer().write(&forge.remote(), wanted.clone()).await.expect("looked");
    assert_eq!(landed, Landing::Echo { commit });
    wanted.cause = Some("0123456789abcdef0123456789abcdef01234567".to_owned());
    let landed = forge.writer().write(&forge.remote(), wanted).await.expect("of another repository");
    assert!(matches!(landed, Landing::Pushed { .. }), "{landed:?}");
}

#[tokio::test]
async fn a_signed_commit_is_one_that_git_verifies() {
    let forge = Forge::new();
    let keys = tempfile::tempdir().expect("a directory");
    let key = keys.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "bot", "-f"])
        .arg(&key)
        .status()
        .expect("ssh-keygen runs");
    assert!(made.success());
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("made");
    let signers = keys.path().join("signers");
    std::fs::write(&signers, format!("landfall-bot@localhost namespaces=\"git\" {public}")).expect("written");
    let mut wanted = wish(tag("v1"));
    wanted.signing = Signing::Ssh(key);
    forge.writer().write(&forge.remote(), wanted.clone()).await.expect("written");
    let setting = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    forge.said(&["-c", &setting, "verify-commit", "main"]);
    wanted.signing = Signing::Ssh(keys.path().join("none"));
    wanted.change = tag("v2");
    let error = forge.writer().write(&forge.remote(), wanted).await.expect_err("no key");
    assert!(matches!(error, WriteError::Unsigned(_)), "{error:?}");
    assert_eq!(forge.linear(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_starts_at_another_one_has_one_commit_on_its_tip_and_nothing_of_others() {
    let forge = Forge::new();
    let of = |value: &'static str, branch: &str, starts_at: Option<&str>| Write {
        branch: branch.to_owned(),
        starts_at: starts_at.map(str::to_owned),
        ..wish(tag(value))
    };
    let none = forge.writer().write(&forge.remote(), of("v2", "landfall/next", None)).await.expect_err("there is none");
    assert!(matches!(none, WriteError::NoBranch { .. }), "{none}");
    let first = forge.writer().write(&forge.remote(), of("v2", "landfall/next", Some("main"))).await.expect("made");
    let Landing::Pushed { parent, commit, .. } = first else { panic!("{first:?}") };
    assert_eq!(forge.linear(), 1, "main is where it was");
    let again = forge.writer().write(&forge.remote(), of("v2", "landfall/next", Some("main"))).await.expect("looked");
    assert!(matches!(&again, Landing::Nothing { head, .. } if *head == commit), "{again:?}");
    let further = forge.writer().write(&forge.remote(), of("v3", "landfall/next", Some("main"))).await.expect("made");
    assert!(matches!(&further, Landing::Pushed { parent: on, .. } if *on == parent), "{further:?}");
    // The branch has moved on: ours is made anew on its tip.
    let Landing::Pushed { commit: newer, .. } =
        forge.writer().write(&forge.remote(), wish(tag("v4"))).await.expect("written")
    else {
        panic!("main takes it")
    };
    let moved = forge.writer().write(&forge.remote(), of("v3", "landfall/next", Some("main"))).await.expect("made");
    assert!(matches!(&moved, Landing::Pushed { parent: on, .. } if *on == newer), "{moved:?}");
    // What others have put there stays there, and nothing is written.
    let work = forge.work();
    git(&work, &["fetch", "-q", "../shop.git", "landfall/next"]);
    git(&work, &["checkout", "-q", "--detach", "FETCH_HEAD"]);
    write(&work, "other/values.yaml", "a: 2\n");
    git(&work, &["commit", "-qam", "somebody's own"]);
    git(&work, &["push", "-q", "../shop.git", "HEAD:landfall/next"]);
    let foreign = forge.writer().write(&forge.remote(), of("v3", "landfall/next", Some("main"))).await.expect("told");
    let Landing::Foreign { commits, .. } = &foreign else { panic!("{foreign:?}") };
    assert!(commits.len() == 1 && commits[0].ends_with("somebody's own"), "{commits:?}");
    let nowhere = forge.writer().write(&forge.remote(), of("v2", "landfall/other", Some("mian"))).await;
    assert!(matches!(nowhere, Err(WriteError::NoBranch { .. })), "{nowhere:?}");
}

//! Somebody who pushes between our reading and our push, in every way that git knows: our commits are never put on
//! anything but what they have read, none is doubled, and nobody's is lost by us.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_source::{Change, Landing, WriteError};
use landfall_yaml::{Scalar, Step, edit};
use proptest::prelude::*;

use super::written::{Forge, edits, said, text, wish};

/// What the other one does while our commit is made.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Rests,
    /// A commit in another file.
    Elsewhere,
    /// A commit in our own file, beside our line.
    Beside,
    /// A commit that says what ours would.
    TheSame,
    /// The last commit with another message, by force.
    Amends,
    /// The last commit taken away, by force.
    TakesBack,
    /// The branch deleted and made again at once.
    MadeAnew,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Rests),
        Just(Deed::Elsewhere),
        Just(Deed::Beside),
        Just(Deed::TheSame),
        Just(Deed::Amends),
        Just(Deed::TakesBack),
        Just(Deed::MadeAnew),
    ]
}

fn commit(bare: &Path, files: &[(&str, String)], parent: &str, message: &str) -> String {
    let index = bare.join(format!("index-{}", std::thread::current().name().unwrap_or("x").len()));
    let run = |words: &[&str], input: Option<&str>| {
        let mut command = std::process::Command::new("git");
        command.args(words).current_dir(bare).env("GIT_INDEX_FILE", &index);
        for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
            command.env(name, "other");
        }
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("git runs");
        if let Some(input) = input {
            std::io::Write::write_all(child.stdin.as_mut().expect("piped"), input.as_bytes()).expect("written");
        }
        let output = child.wait_with_output().expect("ended");
        assert!(output.status.success(), "{words:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    run(&["read-tree", parent], None);
    for (path, content) in files {
        let blob = run(&["hash-object", "-w", "--stdin"], Some(content));
        run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], None);
    }
    let tree = run(&["write-tree"], None);
    run(&["commit-tree", "-p", parent, "-m", message, &tree], None)
}

impl Deed {
    fn done(self, bare: &Path, number: usize) {
        let update = |new: &str| said(bare, &["update-ref", "-m", "other", "refs/heads/main", new]);
        let file = || said(bare, &["show", "main:shop/values.yaml"]);
        match self {
            Deed::Rests => {}
            Deed::Elsewhere => {
                let new = commit(bare, &[("other/values.yaml", format!("a: {number}\n"))], "main", "elsewhere");
                update(&new);
            }
            Deed::Beside => {
                let text = edit::set_or_insert(&file(), &[Step::Key("theirs")], &Scalar::Int(number as i64));
                let new = commit(bare, &[("shop/values.yaml", text.expect("edited"))], "main", "beside");
                update(&new);
            }
            Deed::TheSame => {
                let path = [Step::Key("image"), Step::Key("tag")];
                let text = edit::set(&file(), &path, &Scalar::Str("wanted".into())).expect("edited");
                let new = commit(bare, &[("shop/values.yaml", text)], "main", "the same");
                update(&new);
            }
            Deed::Amends => {
                if said(bare, &["rev-list", "--count", "main"]).trim() != "1" {
                    let new = commit(bare, &[("other/values.yaml", format!("b: {number}\n"))], "main~1", "amended");
                    update(&new);
                }
            }
            Deed::TakesBack => {
                if said(bare, &["rev-list", "--count", "main"]).trim() != "1" {
                    update("main~1");
                }
            }
            Deed::MadeAnew => {
                let tip = said(bare, &["rev-parse", "main"]).trim().to_owned();
                said(bare, &["update-ref", "-d", "refs/heads/main"]);
                update(&tip);
            }
        }
    }
}

/// Moves of the branch, as `(from, to, words)`.
fn moves(bare: &Path) -> Vec<(String, String, String)> {
    let log = std::fs::read_to_string(bare.join("logs/refs/heads/main")).unwrap_or_default();
    let line = |line: &str| {
        let (front, words) = line.split_once('\t').unwrap_or((line, ""));
        let mut parts = front.split(' ');
        Some((parts.next()?.to_owned(), parts.next()?.to_owned(), words.to_owned()))
    };
    log.lines().filter_map(line).collect()
}

fn try_it(deeds: &[Deed]) {
    let forge = Forge::new();
    let bare = forge.bare();
    let tried = Arc::new(AtomicUsize::new(0));
    let change: Change = {
        let (bare, tried, deeds) = (bare.clone(), Arc::clone(&tried), deeds.to_vec());
        Arc::new(move |tree| {
            let old = text(tree, "shop/values.yaml");
            let path = [Step::Key("image"), Step::Key("tag")];
            let new = edit::set(&old, &path, &Scalar::Str("wanted".into())).expect("edited");
            // After we have read, and before we push.
            let number = tried.fetch_add(1, Ordering::Relaxed);
            deeds.get(number).copied().unwrap_or(Deed::Rests).done(&bare, number);
            Ok(edits("ours", "shop/values.yaml", new))
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let landed = runtime.block_on(forge.writer().write(&forge.remote(), wish(change)));
    let subject = |commit: &str| said(&bare, &["log", "-1", "--format=%s", commit]).trim().to_owned();
    let ours: Vec<_> = moves(&bare).into_iter().filter(|(_, _, words)| words == "push").collect();
    for (from, to, _) in &ours {
        assert_eq!(subject(to), "ours");
        let parents = said(&bare, &["log", "-1", "--format=%P", to]);
        assert_eq!(parents.trim(), from, "it stands on what was there, alone: {deeds:?}");
    }
    let is_wanted = || forge.file("shop/values.yaml").contains("tag: 'wanted'");
    match landed {
        Ok(Landing::Pushed { commit, .. }) => {
            assert!(is_wanted(), "{deeds:?}");
            assert_eq!(ours.iter().map(|(_, to, _)| to.clone()).collect::<Vec<_>>(), [commit], "{deeds:?}");
        }
        // Others had done it when we last looked; what they did after that is theirs.
        Ok(Landing::Nothing { .. }) => {
            let last = deeds.get(tried.load(Ordering::Relaxed) - 1);
            let is_undone = matches!(last, Some(Deed::TakesBack | Deed::Amends));
            assert!(ours.is_empty() && (is_undone || is_wanted()), "{deeds:?}");
        }
        Err(WriteError::Contended { .. }) => assert!(deeds.len() > 5, "{deeds:?}"),
        other => panic!("{deeds:?}: {other:?}"),
    }
    said(&bare, &["fsck", "--strict"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_pusher_neither_loses_nor_doubles_a_commit_of_ours_nor_we_of_theirs(
        deeds in prop::collection::vec(deed(), 0..6),
    ) {
        try_it(&deeds);
    }
}

//! Whether what stands at a path came with the repository.

use landfall_source::{Tracked, tracked};

use crate::{git, repository, write};

#[test]
fn what_git_wrote_is_told_from_what_was_written_over_it_and_from_what_it_does_not_know() {
    let dir = repository();
    let at = |path: &str| tracked(&dir.path().join(path)).expect("asked");
    assert_eq!(at("chart"), Tracked::CheckedOut);
    assert_eq!(at("chart/Chart.yaml"), Tracked::CheckedOut);
    assert_eq!((at("char"), at("chart/none"), at("new")), (Tracked::Nothing, Tracked::Nothing, Tracked::Nothing));
    write(dir.path(), "new/a.yaml", "a: 1\n");
    assert_eq!(at("new"), Tracked::Nothing);
    for path in ["chart/Chart.yaml", "chart/templates/a.yaml"] {
        std::fs::remove_file(dir.path().join(path)).expect("removed");
    }
    assert_eq!(at("chart"), Tracked::Listed);
    // Another file with the same bytes is not the one that git wrote.
    std::fs::rename(dir.path().join("new/a.yaml"), dir.path().join("chart/templates/a.yaml")).expect("moved");
    assert_eq!(at("chart"), Tracked::Listed);
    git(dir.path(), &["checkout", "-q", "."]);
    assert_eq!(at("chart"), Tracked::CheckedOut);
}

#[cfg(unix)]
#[test]
fn links_and_repositories_within_are_known_too() {
    let dir = repository();
    std::os::unix::fs::symlink("chart", dir.path().join("link")).expect("linked");
    let inner = dir.path().join("inner");
    write(&inner, "a", "a\n");
    git(&inner, &["init", "-q"]);
    git(&inner, &["add", "-A"]);
    git(&inner, &["commit", "-qm", "inner"]);
    git(dir.path(), &["add", "-A"]);
    assert_eq!(tracked(&dir.path().join("link")).expect("asked"), Tracked::CheckedOut);
    assert_eq!(tracked(&inner).expect("asked"), Tracked::CheckedOut);
    assert_eq!(tracked(&inner.join("a")).expect("asked"), Tracked::CheckedOut);
}

#[test]
fn every_form_of_an_index_is_read() {
    for settings in [
        &["update-index", "--index-version", "4"][..],
        &["update-index", "--split-index"],
        &["update-index", "--index-version", "3"],
        &["update-index", "--untracked-cache"],
    ] {
        let dir = repository();
        // One that begins like the name that is asked for, and comes before it.
        write(dir.path(), ".landfalk", "a\n");
        write(dir.path(), ".landfall/token", "a\n");
        git(dir.path(), &["add", "-A"]);
        git(dir.path(), settings);
        let at = |path: &str| tracked(&dir.path().join(path)).expect("asked");
        assert_eq!((at(".landfall"), at(".landfal")), (Tracked::CheckedOut, Tracked::Nothing), "{settings:?}");
    }
}

#[test]
fn a_linked_working_tree_has_an_index_of_its_own() {
    let dir = repository();
    let beside = tempfile::tempdir().expect("a directory");
    let linked = beside.path().join("tree");
    git(dir.path(), &["worktree", "add", "-q", &linked.display().to_string(), "-b", "other"]);
    assert_eq!(tracked(&linked.join("chart")).expect("asked"), Tracked::CheckedOut);
    assert_eq!(tracked(&linked.join("new")).expect("asked"), Tracked::Nothing);
}

#[test]
fn an_index_that_cannot_be_read_is_told() {
    let dir = repository();
    std::fs::write(dir.path().join(".git/index"), "no index").expect("written");
    tracked(&dir.path().join("chart")).expect_err("unreadable");
    std::fs::remove_file(dir.path().join(".git/index")).expect("removed");
    assert_eq!(tracked(&dir.path().join("chart")).expect("asked"), Tracked::Nothing);
}

#[test]
fn outside_a_repository_nothing_is_tracked() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a", "a\n");
    assert_eq!(tracked(&dir.path().join("a")).expect("asked"), Tracked::Nothing);
    assert_eq!(tracked(&dir.path().join("none/at/all")).expect("asked"), Tracked::Nothing);
}

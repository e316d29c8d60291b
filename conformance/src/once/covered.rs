//! Which deed drives which writer of `docs/writers.md`.

use std::collections::BTreeSet;

/// Who drives a writer at a guarded key.
enum By {
    /// Deeds of the sequences.
    Deeds(&'static [&'static str]),
    /// A test alone; why no sequence can.
    Test(&'static str),
}

/// Every writer that could change a Secret, by its file.
const WRITERS: &[(&str, By)] = &[
    ("delivery/src/escrow.rs", By::Deeds(&["restored"])),
    ("delivery/src/life/writer.rs", By::Deeds(&["lived"])),
    (
        "drydock/src/controllers/give_way.rs",
        By::Test("a cluster's twins stand back once, and their placeholders are no values"),
    ),
    (
        "drydock/src/controllers/tokens.rs",
        By::Test(
            "it writes into and lets go Secrets of an account's token alone, which the cluster draws itself, once",
        ),
    ),
    ("drydock/src/operators/cert_manager.rs", By::Deeds(&["certified"])),
    ("drydock/src/operators/mariadb/server.rs", By::Deeds(&["database"])),
    ("drydock/src/operators/sealed_secrets.rs", By::Deeds(&["sealed"])),
    ("engine/src/act.rs", By::Deeds(&["planned", "overtaken", "synced", "removed"])),
    ("engine/src/conductor.rs", By::Deeds(&["installed", "rolled back", "gone on with"])),
    ("engine/src/hooks.rs", By::Deeds(&["planned", "synced"])),
    ("engine/src/trial/namespaces.rs", By::Deeds(&["tried"])),
    (
        "landfall/src/commands/repo/remove.rs",
        By::Test("it takes away logins of its own, which no cluster generates, and refuses everybody else's"),
    ),
    ("release/src/releases.rs", By::Deeds(&["installed", "rolled back", "uninstalled"])),
    (
        "server/src/ground.rs",
        By::Test(
            "it puts a target's Secrets of repositories and clusters over none that is no such Secret or holds a key that is generated once",
        ),
    ),
    (
        "server/src/logins.rs",
        By::Test("its Secrets have names of its own, and hold the forge's token, which no cluster generates"),
    ),
    ("server/src/sealing/writing.rs", By::Deeds(&["opened by the server"])),
    (
        "server/src/shards/key.rs",
        By::Test(
            "it only creates its own Secret, which every replica of `standby` reads that goes on from another's journal",
        ),
    ),
];

/// Deeds that were never done at a guarded key.
pub(super) fn idle(driven: &BTreeSet<&str>) -> Vec<&'static str> {
    let all = WRITERS.iter().flat_map(|(_, by)| match by {
        By::Deeds(deeds) => *deeds,
        By::Test(_) => &[],
    });
    all.copied().filter(|deed| !driven.contains(deed)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Writers that a test alone drives, and why.
pub(super) fn by_tests() -> impl Iterator<Item = (&'static str, &'static str)> {
    WRITERS.iter().filter_map(|(file, by)| match by {
        By::Test(why) => Some((*file, *why)),
        By::Deeds(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a row's third column begins with where a Secret cannot be reached.
    const ELSEWHERE: [&str; 3] = ["never a Secret", "tried only", "a fork"];

    #[test]
    fn every_writer_that_could_change_a_secret_is_driven_by_sequences_or_says_why_not() {
        let page = std::fs::read_to_string(crate::root().join("docs/writers.md")).expect("the page is there");
        let rows = page.lines().filter(|line| line.starts_with("| `") && line.contains(".rs`"));
        let mut wanted: Vec<&str> = rows
            .filter_map(|row| {
                let mut cells = row.split('|').map(str::trim).skip(1);
                let (file, keeps) = (cells.next()?.trim_matches('`'), cells.nth(1)?);
                (!ELSEWHERE.iter().any(|it| keeps.starts_with(it))).then_some(file)
            })
            .collect();
        wanted.sort_unstable();
        let known: Vec<&str> = WRITERS.iter().map(|(file, _)| *file).collect();
        assert_eq!(wanted, known);
        assert!(by_tests().all(|(_, why)| !why.is_empty()));
    }
}

//! Every kept input, read again: what was once found stays found.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// The stack of the threads on which the product reads what strangers wrote.
const STACK: usize = 2 << 20;
/// Far more than any kept input takes, also where the processor is shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kept inputs of a target, by name.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut inputs: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("listed").path())
        .map(|path| (path.clone(), std::fs::read(path).expect("read")))
        .collect();
    inputs.sort();
    inputs
}

fn replay(target: &str) {
    let target = hostile::target(target).expect("a target of that name");
    let inputs = inputs(target.name);
    assert!(inputs.len() > 1, "{} has no corpus", target.name);
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        for (path, bytes) in inputs {
            sender.send(path).expect("somebody waits");
            (target.run)(&bytes);
        }
    });
    let mut last = PathBuf::new();
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(path) => last = path,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{} takes longer than {PATIENCE:?}", last.display()),
        }
    }
    let ended = reader.expect("a thread starts").join();
    assert!(ended.is_ok(), "{} is not read to its end", last.display());
}

macro_rules! replays {
    ($($name:ident: $target:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay($target);
        })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$($target),*];
            assert_eq!(hostile::TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), replayed);
        }
    };
}

replays! {
    yaml_is_read_within_its_text: "yaml_read",
    yaml_that_is_written_again_is_the_same_value: "yaml_round_trip",
    yaml_edits_change_what_they_were_asked_to: "yaml_edit",
    project_files_are_read_or_refused: "project",
    what_is_shown_obeys_nobody: "terminal",
    templates_end_in_output_or_an_error: "template",
    charts_end_in_manifests_or_an_error: "chart",
    values_files_are_merged_or_refused: "values",
    set_lines_are_merged_or_refused: "set",
    archives_are_read_or_refused: "archive",
    entries_of_archives_stay_in_their_tree: "archive_entries",
    archives_in_charts_stay_within_their_budget: "archive_nested",
    archives_for_an_edge_stay_in_their_slot: "edge_archive",
    deltas_for_an_edge_stay_within_their_budget: "edge_delta",
    signed_metadata_is_believed_or_refused: "edge_metadata",
    journals_of_an_edge_are_read_or_are_none: "edge_journal",
    patches_are_applied_or_refused: "patch",
    json_patches_grow_no_further_than_their_copies: "json_patch",
    git_trees_and_links_stay_inside: "git_tree",
    git_packs_are_read_or_refused: "git_pack",
    indexes_of_git_packs_are_read_or_refused: "git_index",
    indexes_of_repositories_are_the_same_when_written: "index",
    protobuf_bodies_are_decoded_or_refused: "protobuf",
    quantities_are_written_as_they_were_read: "quantity",
    sealed_values_open_as_they_were_or_not_at_all: "sealed",
    what_the_controller_is_asked_is_answered_with_yes_or_no: "sealed_secret",
    files_of_age_open_as_they_were_or_not_at_all: "age",
    files_of_sops_open_with_a_key_or_not_at_all: "sops",
    release_records_are_decoded_or_refused: "release",
    selectors_are_parsed_or_refused: "selector",
    requests_are_answered: "api",
}

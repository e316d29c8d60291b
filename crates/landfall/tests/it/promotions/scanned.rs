//! `landfall images scan`: what is chosen, and what is not chosen again.

use super::super::sandbox::Ran;
use super::{COMMIT, COMMITTED, Place, place};

const OLD: &str = "0.5.0-alpha.1.1";
const NEW: &str = "0.5.0-alpha.2.1";

/// One whose test environment follows its images, and runs the new one.
fn following() -> Place {
    let place = place(COMMITTED);
    let follow = format!("channel: alpha, follow: [{{image: '{}/acme/web', semver: '>=0.5.0-0'}}]", place.town.host());
    place.shop.edit("landfall.yaml", "channel: alpha", &follow);
    place.town.publish("acme/web", NEW, COMMIT);
    place.push("follow");
    place.scan(&["--push", "-y"]).exits(0).says("is on main of");
    place.pull();
    assert!(place.shop.read("test.yaml").contains(NEW));
    place
}

impl Place {
    fn pull(&self) {
        let bare = self.bare.display().to_string();
        self.shop.git(&["pull", "-q", "--ff-only", &bare, "main"]);
    }

    fn scan(&self, more: &[&str]) -> Ran {
        self.run_as("ada", &[&["images", "scan", "--env", "test"], more].concat())
    }
}

#[test]
fn a_tag_that_was_lowered_in_any_way_is_not_chosen_again_until_it_is_let_go_or_something_newer_is_there() {
    let place = following();
    let lower: [&dyn Fn(); 4] = [
        &|| {
            place.shop.edit("test.yaml", NEW, OLD);
            place.push("by hand");
        },
        &|| {
            place.shop.git(&["revert", "--no-edit", "HEAD"]);
            place.push("nothing besides");
        },
        &|| {
            let words = ["images", "set", OLD, "--env", "test", "--allow-older", "--push", "-y"];
            place.run_as("ada", &words).exits(0);
        },
        &|| {
            place.run_as("ada", &["rollback", "--env", "test", "--to", OLD, "-y"]).exits(0);
        },
    ];
    for (at, lower) in lower.into_iter().enumerate() {
        lower();
        place.pull();
        let before = place.commits("main");
        let held = place.scan(&["--push", "-y", "-o", "json"]).exits(0).json();
        let note = held["data"]["images"][0]["held"].as_str().unwrap_or_default().to_owned();
        assert!(note.contains(&format!("went back from {NEW} to {OLD}")), "{at}: {held:#}");
        assert!(note.contains(&format!("landfall hold --release {NEW}")), "{at}: {note}");
        assert_eq!(place.commits("main"), before, "{at}");
        // Setting it by hand lets it go as well.
        let words = ["images", "set", NEW, "--env", "test", "--push", "-y"];
        place.run_as("ada", &words).exits(0);
        place.pull();
    }
    place.shop.edit("test.yaml", NEW, OLD);
    place.push("by hand again");
    place.scan(&[]).exits(0).says("went back from");
    place.run_as("ada", &["hold", "--release", NEW]).exits(0);
    place.scan(&["--push", "-y"]).exits(0).says("is on main of");
    place.pull();
    place.shop.edit("test.yaml", NEW, OLD);
    place.push("and once more");
    place.town.publish("acme/web", "0.5.0-alpha.3.1", COMMIT);
    place.scan(&["--push", "-y"]).exits(0).says("is on main of");
    assert!(place.main("test.yaml").contains("0.5.0-alpha.3.1"));
}

#[test]
fn what_the_branch_was_taken_back_from_counts_also_where_the_clone_knows_nothing_of_it() {
    let place = following();
    place.shop.edit("test.yaml", NEW, OLD);
    place.push("by hand");
    // A clone as pipelines make them.
    let elsewhere = place.shop.root().parent().expect("a parent").join("shallow");
    let url = format!("file://{}", place.bare.display());
    place.shop.git(&["clone", "-q", "--depth", "1", &url, &elsewhere.display().to_string()]);
    let before = place.commits("main");
    let there = elsewhere.display().to_string();
    let address = place.town.url("acme/shop.git");
    let words =
        ["images", "scan", "--env", "test", "--push", "-y", "-C", &there, "--remote", &address, "--branch", "main"];
    place.run_as("ada", &words).exits(0).says("nothing to do on main").says("went back from");
    assert_eq!(place.commits("main"), before);
}

#[test]
fn a_registry_that_is_asked_too_often_is_asked_again_and_one_that_stays_so_is_told_by_its_address() {
    let place = following();
    place.town.is_busy(2);
    place.scan(&[]).exits(0).says(NEW);
    place.town.is_busy(100);
    let told = place.scan(&[]).exits(1).says("429");
    assert!(told.all().contains("http://127.0.0.1") && !told.all().contains("https://127.0.0.1"), "{}", told.all());
}

#[test]
fn a_pull_request_that_is_made_by_the_second_run_is_told_by_it() {
    let place = place(COMMITTED);
    place.town.protect(0);
    std::fs::write(place.bare.join("hooks/update"), "#!/bin/sh\n[ \"$1\" = refs/heads/main ] && exit 1\nexit 0\n")
        .expect("written");
    std::fs::set_permissions(place.bare.join("hooks/update"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("made a program");
    let words = ["images", "set", NEW, "--env", "test", "--push", "--unchecked", "-y", "--forge", "gitea"];
    place.run_as("ada", &words).exits(0).says("pull request 1");
    place.run_as("ada", &words).exits(0).says("already").says("pull request 1").lacks("nothing to do");
}

#[test]
fn a_values_file_that_was_renamed_keeps_what_it_was_taken_back_from() {
    let place = following();
    place.shop.edit("test.yaml", NEW, OLD);
    place.push("by hand");
    place.shop.git(&["mv", "test.yaml", "tested.yaml"]);
    place.shop.edit("landfall.yaml", "values: [test.yaml]", "values: [tested.yaml]");
    place.push("renamed");
    let before = place.commits("main");
    place.scan(&["--push", "-y"]).exits(0).says(&format!("went back from {NEW} to {OLD}"));
    assert_eq!(place.commits("main"), before);
}

#[test]
fn a_tag_is_set_as_it_is_published_whatever_its_v() {
    let place = following();
    place.town.publish("acme/web", "v0.5.0-alpha.3.1", COMMIT);
    place.scan(&["--push", "-y"]).exits(0).says("is on main of");
    assert!(place.main("test.yaml").contains("acme/web:v0.5.0-alpha.3.1'"), "{}", place.main("test.yaml"));
    // The other way round it is told, and the rest goes on.
    place.pull();
    place.town.publish("acme/web", "0.5.0-alpha.4.1", COMMIT);
    let before = place.commits("main");
    place.scan(&["--push", "-y"]).exits(0).says("the line here would say v0.5.0-alpha.4.1");
    assert_eq!(place.commits("main"), before);
}

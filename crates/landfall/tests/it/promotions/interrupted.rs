//! Promotions that are killed, and two at once: what was begun is gone on with, and nothing is done twice.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::sandbox::ran;
use super::town::TOKEN;
use super::{COMMITTED, PROPOSED, Place, place};

const WORDS: [&str; 8] = ["promote", "--from", "test", "--to", "production", "--forge", "gitea", "--yes"];

impl Place {
    /// Lets the repository's hook of this name say that it was reached, and then wait for its end.
    fn hook(&self, name: &str) -> std::path::PathBuf {
        let (hook, reached) = (self.bare.join("hooks").join(name), self.bare.join("reached"));
        std::fs::create_dir_all(hook.parent().expect("a parent")).expect("made");
        std::fs::write(&hook, format!("#!/bin/sh\n: > '{}'\nexec sleep 20\n", reached.display())).expect("written");
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("set");
        reached
    }

    /// Promotes, and is killed while the repository runs the hook of this name.
    fn killed_in(&self, name: &str) {
        let reached = self.hook(name);
        let mut command = self.shop.command(&WORDS);
        command.env("USER", "ada").env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", self.town.host());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !reached.exists() {
            assert!(Instant::now() < deadline && child.try_wait().expect("asked").is_none(), "{name} was not reached");
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().expect("killed");
        child.wait().expect("it is over");
        std::fs::remove_file(self.bare.join("hooks").join(name)).expect("removed");
    }

    fn history(&self) -> Value {
        self.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json()["data"].clone()
    }
}

#[test]
fn a_promotion_that_was_killed_before_and_behind_its_commit_is_gone_on_with_and_is_in_the_book() {
    for (promotion, state) in [(COMMITTED, "written"), (PROPOSED, "proposed")] {
        for hook in ["pre-receive", "post-receive"] {
            let place = place(promotion).delivered();
            place.killed_in(hook);
            assert_eq!(place.history()[0]["state"], "tagged", "{promotion}, {hook}");
            place.promote(&[]).exits(0);
            let history = place.history();
            assert_eq!(history.as_array().map(Vec::len), Some(1), "{history:#}");
            assert_eq!((&history[0]["state"], &history[0]["intact"]), (&Value::from(state), &Value::from(true)));
            let branch = if promotion == COMMITTED { "main" } else { "landfall/promote-production-0.5.0" };
            assert_eq!(place.commits(branch), 2, "{promotion}, {hook}");
            let head = super::super::scales::git(&place.bare, &["rev-parse", branch]).trim().to_owned();
            assert_eq!(history[0]["detail"]["commit"], Value::from(head), "{history:#}");
            assert_eq!(place.town.pulls().len(), usize::from(promotion == PROPOSED));
            // Nothing more comes of it.
            place.promote(&[]).exits(0);
            assert_eq!((place.commits(branch), place.history()[0]["state"].as_str()), (2, Some(state)));
        }
    }
}

#[test]
fn of_two_promoters_at_once_both_end_well_and_it_is_done_once() {
    for (promotion, state) in [(COMMITTED, "written"), (PROPOSED, "proposed")] {
        let place = place(promotion).delivered();
        let both: Vec<_> = (0..2)
            .map(|_| {
                let mut command = place.shop.command(&WORDS);
                command.env("USER", "ada").env("LANDFALL_FORGE_TOKEN", TOKEN);
                command.env("LANDFALL_FORGE_HOST", place.town.host());
                std::thread::spawn(move || command.output().expect("the binary runs"))
            })
            .collect();
        for one in both {
            ran(one.join().expect("ended")).exits(0);
        }
        let branch = if promotion == COMMITTED { "main" } else { "landfall/promote-production-0.5.0" };
        assert_eq!((place.commits(branch), place.town.pulls().len()), (2, usize::from(promotion == PROPOSED)));
        let history = place.history();
        assert_eq!(history.as_array().map(Vec::len), Some(1), "{history:#}");
        assert_eq!((&history[0]["state"], &history[0]["intact"]), (&Value::from(state), &Value::from(true)));
    }
}

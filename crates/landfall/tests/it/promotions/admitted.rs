//! What is asked where something is delivered, and by whichever system a file is of; and what stays when a cluster goes.

use super::super::sandbox::small_chart;
use super::super::scales::git;
use super::{COMMIT, COMMITTED, PROPOSED, Place, place};

impl Place {
    fn head(&self) -> String {
        git(&self.shop.root().to_owned(), &["rev-parse", "HEAD"]).trim().to_owned()
    }
}

#[test]
fn the_system_above_a_file_is_asked_whichever_one_the_command_is_started_in() {
    let place = place(PROPOSED);
    let root = place.shop.root().to_owned();
    std::fs::create_dir_all(root.join("apps/shop")).expect("made");
    for name in ["landfall.yaml", "chart", "test.yaml", "production.yaml"] {
        std::fs::rename(root.join(name), root.join("apps/shop").join(name)).expect("moved");
    }
    small_chart(&place.shop, "portal", "portal");
    place.shop.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: portal\nenvironments:\n  live:\n    cluster: embedded\n    releases: [{name: portal, chart: portal, namespace: portal}]\n",
    );
    place.push("two systems");
    place.town.publish("acme/web", "1.0.0", "never-tested");
    place.town.publish("acme/web", "1.0.0-alpha.1.1", "never-tested");
    let set = |who: &str, tag: &str, more: &[&str]| {
        let words =
            ["images", "set", tag, "--file", "apps/shop/production.yaml", "--push", "--yes", "--forge", "gitea"];
        place.run_as(who, &[&words[..], more].concat())
    };
    for more in [&[][..], &["--env", "live"]] {
        set("ada", "1.0.0", more).exits(5).says("LF0994").says("1.0.0 never ran in production");
    }
    set("ada", "1.0.0-alpha.1.1", &[]).exits(5).says("LF0962");
    assert_eq!(place.commits("main"), 2);
}

#[test]
fn the_book_stays_when_the_embedded_cluster_of_one_environment_goes() {
    let place = place(COMMITTED).delivered();
    place.promote(&[]).exits(0);
    place.run_as("ada", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0);
    let state = place.shop.root().join(".landfall");
    for words in [&["down", "--env", "test", "--yes"][..], &["down", "--env", "test", "--yes"]] {
        place.shop.run(words).exits(0).says("the book of the system stays");
        assert!(!state.join("cluster.db").exists() && state.join("store.db").exists());
        place.run_as("ada", &["hold"]).exits(0).says("loses orders");
        place.shop.run(&["history", "--promotions"]).exits(0).says("0.5.0");
    }
    // And the next one begins with it.
    place.shop.run(&["up", "--env", "test"]).exits(0);
    place.promote(&[]).exits(5).says("LF0973");
    place.shop.run(&["cluster", "reset", "--yes"]).exits(0).says("the book of the system stays");
    place.run_as("ada", &["hold"]).exits(0).says("loses orders");
}

#[test]
fn se_33_a_released_tag_that_was_moved_is_not_delivered() {
    let place = place(COMMITTED).delivered();
    place.promote(&[]).exits(0);
    place.shop.edit("production.yaml", "web:0.4.0", "web:0.5.0");
    place.shop.commit("as promoted");
    place.shop.run(&["up", "--env", "production"]).exits(0).lacks("not seen");
    place.town.publish("acme/web", "0.5.0", "another");
    for words in [&["up", "--env", "production"][..], &["up", "--env", "production", "--dry-run"]] {
        place.shop.run(words).exits(5).says("LF0968").says("was moved").says("nothing was delivered");
    }
    // What a registry does not say is told, and stops nothing.
    place.town.remove("acme/web", "0.5.0");
    place.shop.run(&["up", "--env", "production"]).exits(0).says("is not seen");
}

#[test]
fn se_09_se_10_a_tag_outside_the_policy_is_not_delivered() {
    let place = place(COMMITTED);
    for tag in ["0.5.0-alpha.1.1", "latest"] {
        place.shop.edit(
            "production.yaml",
            &format!("web:{}", if tag == "latest" { "0.5.0-alpha.1.1" } else { "0.4.0" }),
            &format!("web:{tag}"),
        );
        place.shop.commit("by hand");
        for verb in ["up", "plan", "rehearse"] {
            place.shop.run(&[verb, "--env", "production"]).exits(5).says("LF0962").says("may not run in production");
        }
    }
    place.shop.run(&["up", "--env", "test"]).exits(0);
}

#[test]
fn se_91_a_record_never_names_the_commit_of_the_image_before() {
    const NEXT: &str = "2222222222222222222222222222222222222222";
    let place = place(COMMITTED);
    place.shop.write("release.yaml", &format!("image_tag: 0.5.0-alpha.1.1\nproduct_commit: {COMMIT}\n"));
    place.push("with a record");
    place.town.publish("acme/web", "0.5.0-alpha.2.1", NEXT);
    let set = |tag: &str, more: &[&str]| {
        let words = ["images", "set", tag, "--env", "test", "--push", "--yes"];
        place.run_as("ada", &[&words[..], more].concat())
    };
    // What the labels of all images say needs nobody to say it.
    set("0.5.0-alpha.2.1", &[]).exits(0);
    let record = place.main("release.yaml");
    assert!(record.contains("image_tag: 0.5.0-alpha.2.1\n") && record.contains(NEXT), "{record}");
    set("0.5.0-alpha.3.1", &["--unchecked"]).exits(0).says("says no product_commit any more");
    let record = place.main("release.yaml");
    assert!(
        record.contains("image_tag: 0.5.0-alpha.3.1") && !record.contains(NEXT) && !record.contains(COMMIT),
        "{record}"
    );
}

#[test]
fn an_older_build_that_arrives_late_is_skipped_also_from_a_shallow_clone() {
    let place = place(COMMITTED);
    place.shop.edit("landfall.yaml", "policy: semver, channel: alpha", "policy: commit-sha");
    place.push("by commit");
    let older = place.head();
    place.shop.write("notes.txt", "more\n");
    place.push("more");
    let newer = place.head();
    let tag = |commit: &str| format!("sha-{}", &commit[..7]);
    for commit in [&older, &newer] {
        place.town.publish("acme/web", &tag(commit), commit);
    }
    place.shop.edit("test.yaml", "0.5.0-alpha.1.1", &tag(&newer));
    place.push("the newer one runs");
    let before = place.commits("main");
    let url = format!("file://{}", place.bare.display());
    let elsewhere = place.shop.root().parent().expect("a parent").join("shallow").display().to_string();
    place.shop.git(&["clone", "-q", "--depth", "1", &url, &elsewhere]);
    let address = place.town.url("acme/shop.git");
    let old = tag(&older);
    let words = ["images", "set", &old, "--env", "test", "--commit", &older, "--push", "--yes", "-C", &elsewhere];
    place
        .run_as("ada", &[&words[..], &["--remote", &address, "--branch", "main"]].concat())
        .exits(0)
        .says("is older than");
    assert_eq!(place.commits("main"), before);
    // Of what no history has it is said.
    place.town.publish("acme/web", "sha-abcdef0", "abcdef0123456789abcdef0123456789abcdef01");
    let words = ["images", "set", "sha-abcdef0", "--env", "test", "--push", "--yes"];
    place.run_as("ada", &words).exits(0).says("no history here has both commits");
}

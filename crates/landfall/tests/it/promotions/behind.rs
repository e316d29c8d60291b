//! A clone that lies behind its branch, a branch that is moved meanwhile, and what a line has said: the branch itself counts.

use super::super::scales::git;
use super::{COMMIT, COMMITTED, PROPOSED, Place, place};

const FIRST: &str = "1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e";

impl Place {
    fn commit(&self, message: &str) -> String {
        self.push(message);
        git(&self.bare, &["rev-parse", "main"]).trim().to_owned()
    }

    fn pulled(&self) {
        self.shop.git(&["fetch", "-q", "../git/acme/shop.git", "main"]);
        self.shop.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    }

    /// A branch of this name with one more commit on what lies here; gives that.
    fn aside(&self, name: &str) -> String {
        self.shop.commit(name);
        self.shop.git(&["push", "-q", "../git/acme/shop.git", &format!("HEAD:refs/heads/{name}")]);
        self.shop.git(&["reset", "-q", "--hard", "HEAD~1"]);
        git(&self.bare, &["rev-parse", name]).trim().to_owned()
    }

    /// Lets the branch be moved there while a promotion is under way.
    fn moved_meanwhile(&self, commit: String) {
        let bare = self.bare.clone();
        self.town.meanwhile(move || {
            git(&bare, &["update-ref", "refs/heads/main", &commit]);
        });
    }
}

/// One whose production is delivered by an Application, and runs 0.5.0 behind 0.4.0.
fn released() -> (Place, String) {
    let place = place(COMMITTED);
    place.town.publish("acme/web", "0.5.0", COMMIT);
    place.by_application("path: chart, helm: {valueFiles: [../production.yaml]}");
    place.commit("by Applications");
    place.shop.edit("production.yaml", "web:0.4.0", "web:0.5.0");
    let commit = place.commit("release");
    (place, commit)
}

const BACK: [&str; 4] = ["rollback", "--env", "production", "--yes"];

#[test]
fn a_rollback_in_a_clone_that_lies_behind_does_not_say_that_there_is_nothing_to_do() {
    let (place, _) = released();
    place.shop.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let back = |more: &[&str]| place.run_as("ada", &[&BACK[..], &["--to", "0.4.0"], more].concat());
    back(&["--dry-run"]).exits(0).says("asked without --dry-run").lacks("nothing to do");
    back(&[]).exits(1).says("says 0.5.0 there by now").says("git pull").lacks("nothing to do");
    place.pulled();
    back(&[]).exits(0).says("is on main of");
    assert!(place.main("production.yaml").contains("web:0.4.0'"));
    place.pulled();
    back(&[]).exits(0).says("nothing to do on main: it is so already");
}

#[test]
fn a_rollback_takes_back_the_last_change_of_the_tag_and_not_of_its_line_or_its_file() {
    let (place, release) = released();
    place.shop.edit("production.yaml", "# promoted", "# promoted on a Friday");
    place.commit("say when");
    std::fs::create_dir_all(place.shop.root().join("env")).expect("made");
    place.shop.git(&["mv", "production.yaml", "env/production.yaml"]);
    place.shop.edit("gitops/web.yaml", "../production.yaml", "../env/production.yaml");
    place.commit("tidy up");
    let back = |more: &[&str]| place.run_as("ada", &[&BACK[..], more].concat());
    back(&["--dry-run"]).exits(0).says("0.5.0 -> 0.4.0");
    back(&[]).exits(0).says("is on main of");
    assert!(place.main("env/production.yaml").contains("web:0.4.0'   # promoted on a Friday"));
    let told = git(&place.bare, &["log", "-1", "--format=%B", "main"]);
    assert!(told.contains(&format!("This reverts commit {release}.")), "{told}");
    place.pulled();
    back(&[]).exits(1).says("gone back to already").says("Roll back production to 0.4.0");
    // It ran there under the file's former name.
    back(&["--to", "0.5.0"]).exits(0).says("is on main of");
    place.pulled();
    // Whoever went back by hand does not go forward by a rollback.
    let words = ["images", "set", "0.4.0", "--env", "production", "--allow-older", "--push", "--yes"];
    place.run_as("ada", &words).exits(0);
    place.pulled();
    back(&[]).exits(1).says("gone back to already").says("--to TAG");
    assert!(place.main("env/production.yaml").contains("web:0.4.0'"));
    // Forward again it can be gone back from.
    place.run_as("ada", &["images", "set", "0.5.0", "--env", "production", "--push", "--yes"]).exits(0);
    place.pulled();
    back(&[]).exits(0);
    assert!(place.main("env/production.yaml").contains("web:0.4.0'"));
}

#[test]
fn what_is_pushed_while_a_promotion_is_under_way_is_judged_before_it_goes_there() {
    for promotion in [COMMITTED, PROPOSED] {
        let place = place(promotion).delivered();
        place.shop.write(
            "chart/templates/reports.yaml",
            "{{- if .Values.reports }}\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: reports}\nspec:\n  selector: {matchLabels: {app: reports}}\n  template: {metadata: {labels: {app: reports}}, spec: {containers: [{name: reports, image: '{{ .Values.image | replace \"web:\" \"reports:\" }}'}]}}\n{{- end }}\n",
        );
        let production = place.shop.read("production.yaml");
        place.shop.write("production.yaml", &format!("{production}reports: true\n"));
        for tag in ["0.4.0", "0.5.0"] {
            place.town.publish("acme/reports", tag, FIRST);
        }
        let evil = place.aside("reports");
        place.moved_meanwhile(evil.clone());
        place.promote(&[]).exits(5).says("LF0974").says("acme/reports:0.5.0 would run in production");
        assert_eq!(git(&place.bare, &["rev-parse", "main"]).trim(), evil, "{promotion}");
        assert!(place.main("production.yaml").contains("web:0.4.0'") && place.town.pulls().is_empty());
    }
}

#[test]
fn a_push_that_changes_nothing_of_it_keeps_no_promotion_from_going() {
    for promotion in [COMMITTED, PROPOSED] {
        let place = place(promotion).delivered();
        place.shop.write("README.md", "A shop.\n");
        let harmless = place.aside("words");
        place.moved_meanwhile(harmless);
        place.promote(&[]).exits(0);
        let branch = if promotion == COMMITTED { "main" } else { "landfall/promote-production-0.5.0" };
        assert_eq!(place.commits(branch), 3, "{promotion}");
        let text = git(&place.bare, &["show", &format!("{branch}:production.yaml")]);
        assert!(text.contains("web:0.5.0'"), "{text}");
        assert_eq!(git(&place.bare, &["show", &format!("{branch}:README.md")]), "A shop.\n");
    }
}

#[test]
fn what_is_advised_can_be_typed_and_a_taken_tag_is_in_the_history() {
    let place = place(COMMITTED).delivered();
    place.run_as("ada", &["promote", "--to", "prodution"]).exits(2).says("did you mean `production`?").lacks("--env");
    place
        .promote(&["--service", "wbe"])
        .exits(1)
        .says("no image belongs to wbe")
        .says("did you mean `web`?")
        .lacks("--file");
    place.town.publish("acme/web", "0.5.0", FIRST);
    place.promote(&[]).exits(5).says("LF0984");
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert_eq!(history["data"][0]["state"], "refused", "{history:#}");
    assert!(
        history["data"][0]["events"][0]["said"].as_str().is_some_and(|it| it.contains("is another image")),
        "{history:#}"
    );
}

#[test]
fn a_chart_in_a_submodule_is_told_as_that() {
    let place = place(COMMITTED).delivered();
    place
        .shop
        .write(".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = https://git.example.com/acme/lib.git\n");
    place.shop.edit(
        "landfall.yaml",
        "chart: chart, namespace: shop, values",
        "chart: lib/chart, namespace: shop, values",
    );
    place.commit("a library");
    place.promote(&[]).exits(2).says("LF0826").says("`lib` is a git submodule").says("into this repository");
}

#[test]
fn a_commit_of_the_pipeline_is_named_as_git_names_it() {
    let place = place(COMMITTED);
    let head = git(&place.bare, &["rev-parse", "main"]).trim().to_owned();
    place.shop.run(&["pipeline", "HEAD"]).exits(1).says(&format!("built from HEAD ({})", &head[..10]));
    place.shop.run(&["pipeline", "nowhere"]).exits(1).says("built from nowhere\n");
    place.town.publish("acme/web", "0.5.0-alpha.2.1", &head);
    place.run_as("ada", &["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"]).exits(0);
    for name in ["HEAD", "main", &head[..8]] {
        place.shop.run(&["pipeline", name]).exits(0).says("0.5.0-alpha.2.1");
    }
}

//! What goes past a promotion does not reach what it leads to: tags set by hand, branches that others write to, policies of one's
//! own, holds under other names, evidence that came later.

use serde_json::{Value, json};

use super::super::scales::git;
use super::super::serving::{Server, serve};
use super::town::TOKEN;
use super::{COMMIT, COMMITTED, PROPOSED, Place, place};

const BRANCH: &str = "landfall/promote-production-0.5.0";

impl Place {
    /// Changes a file, and puts it on a branch of the repository as somebody does who pushes.
    fn pushed(&self, from: &str, branch: &str, file: &str, change: (&str, &str)) -> String {
        self.shop.git(&["fetch", "-q", "../git/acme/shop.git", from]);
        self.shop.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
        self.shop.edit(file, change.0, change.1);
        self.shop.commit("by somebody");
        self.shop.git(&["push", "-q", "../git/acme/shop.git", &format!("HEAD:refs/heads/{branch}")]);
        self.shop.git(&["checkout", "-q", "main"]);
        git(&self.bare, &["rev-parse", branch]).trim().to_owned()
    }

    fn ends_red(&self, head: &str) {
        let statuses = self.town.statuses();
        let last = statuses.last().expect("something was said");
        assert_eq!((last["commit"].as_str(), last["state"].as_str()), (Some(head), Some("failure")), "{statuses:?}");
    }
}

#[test]
fn where_a_promotion_leads_a_hand_sets_what_was_there_and_its_owners_alone() {
    let place = place(PROPOSED);
    place.town.publish("acme/web", "1.0.0", "never-tested");
    let set = |who: &str, tag: &str, more: &[&str]| {
        let words = ["images", "set", tag, "--env", "production", "--allow-older", "--yes"];
        place.run_as(who, &[&words[..], more].concat())
    };
    let never = "1.0.0 never ran in production";
    set("ada", "1.0.0", &["--push"]).exits(5).says("LF0994").says(never).says("landfall promote --to production");
    set("ada", "1.0.0", &["--push", "--commit", COMMIT]).exits(5);
    set("ada", "1.0.0", &[]).exits(5).says("LF0994");
    set("ada", "1.0.0", &["--push", "--dry-run"]).exits(5).says("LF0994");
    set("ada", "1.0.0", &["--push", "--file", "production.yaml"]).exits(5).says("LF0994");
    // Nor by a landfall.yaml that declares less, or is gone: the branch says what leads where.
    let own = place.shop.read("landfall.yaml");
    place.shop.write("landfall.yaml", own.split("promotion:").next().expect("the rest"));
    set("ada", "1.0.0", &["--push"]).exits(5).says("LF0994");
    std::fs::remove_file(place.shop.root().join("landfall.yaml")).expect("it was there");
    let words = ["images", "set", "1.0.0", "--file", "production.yaml", "--push", "--yes"];
    place.run_as("ada", &words).exits(5).says("LF0994");
    place.shop.write("landfall.yaml", &own);
    assert_eq!(place.commits("main"), 1);
    // What it is promoted from is set as ever.
    place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    place.run_as("eve", &["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"]).exits(0);
    // Back to what it had: by its owners, and past no hold, whatever that is called.
    place.town.publish("acme/web", "0.4.5", "another");
    place.pushed("main", "main", "production.yaml", ("web:0.4.0", "web:0.4.5"));
    set("eve", "0.4.0", &["--push"]).exits(5).says("LF0981").says("that is for ada");
    place.run_as("ada", &["hold", "v0.4.0", "--reason", "loses orders"]).exits(0);
    set("ada", "0.4.0", &["--push"]).exits(5).says("LF0973").says("loses orders");
    place.run_as("ada", &["hold", "--release", "0.4.0"]).exits(0);
    set("ada", "0.4.0", &["--push"]).exits(0);
    assert!(place.main("production.yaml").contains("web:0.4.0'"));
    // In an emergency all of it, and everybody hears of it.
    let broken = set("eve", "1.0.0", &["--push", "--break-glass", "the shop is down"]).exits(0);
    assert!(broken.all().contains("this is audited and announced"), "{}", broken.all());
    let told = git(&place.bare, &["log", "-1", "--format=%B", "main"]);
    assert!(told.contains("Landfall-Break-Glass: the shop is down"), "{told}");
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    let first = &history["data"][0];
    assert_eq!((first["state"].as_str(), first["tag"].as_str()), (Some("glass-broken"), Some("1.0.0")), "{history:#}");
    assert_eq!(first["detail"]["asked_by"], "eve");
}

#[test]
fn a_line_that_the_receiver_reads_as_well_is_the_receivers_whichever_environment_is_named() {
    let place = place(PROPOSED);
    place.town.publish("acme/web", "0.6.0-alpha.1.1", COMMIT);
    let (host, declared) = (place.town.host(), place.shop.read("landfall.yaml"));
    let common = format!("image: '{host}/acme/web:0.5.0-alpha.1.1'\n");
    let shared = declared.replace("[test.yaml]", "[common.yaml, test.yaml]");
    place.shop.write("common.yaml", &common);
    place.shop.write("test.yaml", "# test\n");
    // Behind it production has a file of its own that says the tag: the common line is the test's alone.
    place.shop.write("landfall.yaml", &shared.replace("[production.yaml]", "[common.yaml, production.yaml]"));
    let publish = || {
        place.shop.commit("shared");
        place.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:main"]);
    };
    publish();
    let set = |more: &[&str]| {
        let words = ["images", "set", "0.6.0-alpha.1.1", "--env", "test", "--yes"];
        place.run_as("ada", &[&words[..], more].concat())
    };
    set(&["--push", "--dry-run"]).exits(0);
    place.shop.write("production.yaml", "# production\n");
    publish();
    let refused = set(&["--push"]).exits(5).says("LF0994").says("never ran in production");
    refused.says("production reads image of common.yaml as test does").says("a values file of test's own");
    set(&["--push", "--dry-run"]).exits(5).says("LF0994");
    set(&[]).exits(5).says("LF0994");
    assert!(place.main("common.yaml").contains("0.5.0-alpha.1.1"));
    // Nor does a promotion set what was tested back in the environment where it was.
    let place = place.delivered();
    for more in [&["--dry-run"][..], &[]] {
        place.promote(more).exits(5).says("LF0997").says("production reads image of common.yaml as test does");
    }
}

#[test]
fn se_29_a_rollback_goes_back_to_what_was_there_and_is_published() {
    let place = place(PROPOSED);
    place.town.publish("acme/web", "0.4.5", COMMIT);
    place.town.publish("acme/web", "0.6.0", "another");
    place.shop.write(
        "release.yaml",
        "image_tag: 0.4.5\nproduct_commit: 0000000000000000000000000000000000000000\ndigest:\n  web: sha256:old\npublished_at: 2026-01-01T00:00:00Z\n",
    );
    place.shop.edit("production.yaml", "web:0.4.0", "web:0.4.5");
    place.push("0.4.5");
    let back = |who: &str, tag: &str, more: &[&str]| {
        let words = ["rollback", "--env", "production", "--to", tag, "--yes"];
        place.run_as(who, &[&words[..], more].concat())
    };
    back("ada", "0.6.0", &[]).exits(5).says("LF0994").says("0.6.0 never ran in production");
    back("ada", "0.3.7", &[]).exits(5).says("LF0966").says("is not in its registry");
    back("eve", "0.4.0", &[]).exits(5).says("LF0981");
    assert_eq!(place.commits("main"), 2);
    back("ada", "0.4.0", &[]).exits(0);
    let record = place.main("release.yaml");
    let digest = place.town.digest("acme/web", "0.4.0").expect("published");
    for line in ["image_tag: 0.4.0", "1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e", &digest] {
        assert!(record.contains(line), "{line}: {record}");
    }
}

#[test]
fn a_branch_of_a_promotion_has_one_commit_of_ours_on_the_tip_and_nothing_else() {
    let place = place(PROPOSED).delivered();
    // It is there before anybody has promoted.
    let foreign = place.pushed("main", BRANCH, "production.yaml", ("# production", "# production\nhosts: evil"));
    place.promote(&[]).exits(5).says("LF0995").says("by somebody");
    place.ends_red(&foreign);
    assert!(place.town.pulls().is_empty());
    git(&place.bare, &["branch", "-D", BRANCH]);
    place.promote(&[]).exits(0);
    let head = git(&place.bare, &["rev-parse", BRANCH]);
    // Again it is the same commit, and what was said of it stands.
    place.promote(&[]).exits(0).says("brought up to date");
    assert_eq!(git(&place.bare, &["rev-parse", BRANCH]), head);
    // The branch that it goes to has moved on: it is made anew of what is there now.
    place.pushed("main", "main", "test.yaml", ("# test", "# of the tests"));
    place.promote(&[]).exits(0);
    assert_eq!(
        git(&place.bare, &["rev-parse", &format!("{BRANCH}^")]),
        git(&place.bare, &["rev-parse", "main"]),
        "on the tip"
    );
    assert_eq!(place.commits(BRANCH), 3);
    // Somebody adds to the open request.
    let foreign = place.pushed(BRANCH, BRANCH, "production.yaml", ("# production", "# production\nhosts: evil"));
    place.promote(&[]).exits(5).says("LF0995");
    place.ends_red(&foreign);
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert!(history.to_string().contains("has commits of others"), "{history:#}");
}

#[test]
fn c2_no_branch_but_the_declared_one_says_who_may_ask() {
    let place = place(PROPOSED).delivered();
    place.pushed("main", "loose", "landfall.yaml", ("owners: [ada]", "owners: [eve]"));
    let words = ["promote", "--to", "production", "--forge", "gitea", "--yes"];
    let aside = place.run_as("eve", &[&words[..], &["--branch", "loose"]].concat()).exits(2);
    assert!(aside.all().contains("goes to `main`, and not to `loose`"), "{}", aside.all());
    // Nor does what is checked out name another one.
    place.shop.edit("landfall.yaml", "owners: [ada]", "owners: [eve], branch: loose");
    place.run_as("eve", &words).exits(5).says("LF0981");
    assert!(place.town.pulls().is_empty() && place.town.digest("acme/web", "0.5.0").is_none());
    place.run_as("ada", &[&words[..], &["--branch", "main"]].concat()).exits(0);
}

#[test]
fn se_94_a_hold_holds_a_version_under_each_of_its_names() {
    let place = place(COMMITTED).delivered();
    for (name, other) in [("0.5.0", "v0.5.0"), ("v0.5.0-alpha.1.1", "0.5.0-alpha.1.1"), ("v0.5.0", "0.5.0")] {
        place.run_as("ada", &["hold", name, "--reason", "loses orders"]).exits(0);
        place.promote(&[]).exits(5).says("LF0973").says("held back by ada: loses orders");
        place.run_as("ada", &["hold", "--release", other]).exits(0);
    }
    let unknown = place.run_as("ada", &["hold", "9.9.9", "--reason", "no such thing"]).exits(0);
    assert!(unknown.all().contains("that is known here is called 9.9.9"), "{}", unknown.all());
    place.promote(&[]).exits(0);
}

#[test]
fn what_is_seen_by_any_command_and_a_hold_turn_the_open_pull_request_red() {
    let open = || {
        let place = place(PROPOSED).delivered();
        place.promote(&[]).exits(0);
        let head = git(&place.bare, &["rev-parse", BRANCH]).trim().to_owned();
        (place, head)
    };
    // By the promotion that is asked for again.
    let (place, head) = open();
    place.broken();
    let refused = place.promote(&[]).exits(5).says("LF0975");
    assert!(refused.all().contains("is withdrawn"), "{}", refused.all());
    place.ends_red(&head);
    // By a delivery.
    let (place, head) = open();
    place.shop.edit("landfall.yaml", "Deployment/web, timeout: 3s", "Deployment/gone, timeout: 1s");
    place.run_as("ada", &["up", "--env", "test", "--dirty", "--yes"]).exits(4);
    place.ends_red(&head);
    // By a hold.
    let (place, head) = open();
    let held = place.run_as("ada", &["hold", "0.5.0-alpha.1.1", "--reason", "loses orders"]).exits(0);
    assert!(held.all().contains("the promotion of 0.5.0 to production is withdrawn"), "{}", held.all());
    place.ends_red(&head);
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert_eq!(history["data"][0]["state"], "withdrawn");
}

#[test]
fn who_a_token_belongs_to_is_asked_of_the_forge_before_the_environment() {
    let place = place(PROPOSED).delivered();
    place.town.belongs_to("eve");
    place.promote(&[]).exits(5).says("LF0981").says("eve may not promote");
    place.town.belongs_to("ada");
    let done = place.run_as("eve", &["promote", "--to", "production", "--forge", "gitea", "--yes", "-o", "json"]);
    assert_eq!(done.exits(0).json()["data"]["state"], Value::from("proposed"));
}

#[test]
fn a_host_that_is_named_without_its_port_is_told() {
    let place = place(PROPOSED).delivered();
    let mut command = place.shop.command(&["promote", "--to", "production", "--yes", "--forge", "gitea"]);
    command.env("USER", "ada").env("LANDFALL_FORGE_TOKEN", "token").env("LANDFALL_FORGE_HOST", "127.0.0.1");
    let told = super::ran(command.output().expect("runs")).exits(4).says("LF0526");
    assert!(told.all().contains("LANDFALL_FORGE_HOST names 127.0.0.1, and this is"), "{}", told.all());
}

/// What a server says of its promotion after it was told something.
fn posted(place: &Place, variables: &[(&str, &str)], (path, body): (&str, &Value)) -> Value {
    let server = serve(&place.shop, &["--env", "test"], variables);
    let (name, token) = server.own_token();
    let headers = [(name, token.as_str()), ("Content-Type", "application/json")];
    let (status, said) = server.ask("POST", path, &headers, &body.to_string());
    assert_eq!(status, 202, "{said}");
    let (_, told) = server.ask("GET", "/api/v1/promotions", &headers, "");
    serde_json::from_str::<Value>(&told).expect("JSON")[0].clone()
}

#[test]
fn a_failure_that_a_server_is_told_withdraws_and_is_red_at_the_forge_whose_token_it_has() {
    let place = place(PROPOSED).delivered();
    place.promote(&[]).exits(0);
    let head = git(&place.bare, &["rev-parse", BRANCH]).trim().to_owned();
    let digest = place.town.digest("acme/web", "0.5.0").expect("published");
    let evidence = |environment: &str| {
        let line = |what: &str, passed: bool| {
            json!({
                "digest": digest, "environment": environment, "at": "", "what": what, "passed": passed, "detail": "503",
            })
        };
        ("/api/v1/evidence", json!([line("check api", true), line("check home", false)]))
    };
    let tell = |variables: &[(&str, &str)], (path, body): (&str, Value)| posted(&place, variables, (path, &body));
    assert_eq!(tell(&[], evidence("staging"))["state"], "proposed", "it was not tested there");
    // It has none for this forge.
    let untold = tell(&[("LANDFALL_FORGE_TOKEN", TOKEN)], evidence("test"));
    assert_eq!(untold["state"], "withdrawn", "{untold:#}");
    let events = untold["events"].as_array().expect("events");
    let said = events[events.len() - 1]["said"].as_str().expect("words");
    assert_eq!(
        said,
        "check home has failed in test: 503; its pull request is not told: there is no token for the forge"
    );
    assert_eq!(place.town.statuses().len(), 1);
    // Proposed anew, and told to a server that has it.
    place.run_as("ada", &["smoke", "--env", "test"]).exits(0);
    place.promote(&[]).exits(0);
    let host = place.town.url("");
    let variables =
        [("LANDFALL_FORGE_TOKEN", TOKEN), ("LANDFALL_FORGE_HOST", host.as_str()), ("LANDFALL_FORGE_KIND", "gitea")];
    let told = tell(&variables, evidence("test"));
    assert_eq!(told["state"], "withdrawn", "{told:#}");
    place.ends_red(&head);
    // So does a hold, by whatever name.
    place.run_as("ada", &["smoke", "--env", "test"]).exits(0);
    place.promote(&[]).exits(0);
    let statuses = place.town.statuses();
    assert_eq!(statuses[statuses.len() - 1]["state"], "success", "{statuses:?}");
    let told = tell(&variables, ("/api/v1/holds", json!({"tag": "v0.5.0", "reason": "loses orders"})));
    assert_eq!(told["state"], "withdrawn", "{told:#}");
    place.ends_red(&head);
}

#[test]
fn a_tag_in_a_kustomization_is_the_receivers_also_where_the_system_is_known_from_the_branch_alone() {
    let place = place(PROPOSED);
    place.town.publish("acme/web", "1.0.0", "never-tested");
    let host = place.town.host();
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: web, image: \"{host}/acme/web:0.4.0\"}}]}}}}\n"
    );
    place.shop.write("prod/web.yaml", &deployment);
    let kustomization =
        format!("resources: [web.yaml]\nimages:\n  - name: {host}/acme/web\n    newTag: 0.4.0 # promoted\n");
    place.shop.write("prod/kustomization.yaml", &kustomization);
    place.by_application("path: prod");
    place.push("a kustomization");
    let programs = place.shop.root().join("../programs");
    std::fs::create_dir(&programs).expect("made");
    let program = programs.join("kustomize");
    let script = format!("#!/bin/sh\nwhile IFS= read -r line; do echo \"$line\"; done <<'END'\n{deployment}END\n");
    std::fs::write(&program, script).expect("written");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    std::fs::remove_file(place.shop.root().join("landfall.yaml")).expect("it was there");
    let set = |tag: &str, repository: &[&str]| {
        let words = ["images", "set", tag, "--file", "prod/kustomization.yaml", "--push", "--yes"];
        let mut command = place.shop.command(&[&words[..], repository].concat());
        command.env("PATH", &path).env("USER", "ada");
        command.env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", place.town.host());
        super::ran(command.output().expect("runs"))
    };
    let stand_in = format!("{}=.", place.town.url("acme/shop.git"));
    for repository in [&[][..], &["--repo", &stand_in]] {
        set("1.0.0", repository).exits(5).says("LF0994").says("1.0.0 never ran in production");
    }
    assert_eq!(place.main("prod/kustomization.yaml"), kustomization);
}

#[test]
fn the_book_says_who_it_was_by_the_name_that_the_forge_knows() {
    let place = place(PROPOSED).delivered();
    place.town.belongs_to("ada");
    let words = ["promote", "--from", "test", "--to", "production", "--forge", "gitea", "--yes"];
    place.run_as("mallory", &words).exits(0);
    let by = || {
        let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
        let events = history["data"][0]["events"].as_array().expect("events").clone();
        events.iter().map(|it| it["actor"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let told = by();
    assert!(!told.is_empty() && told.iter().all(|name| name == "ada"), "{told:?}");
    // And who went past it.
    place.town.publish("acme/web", "1.0.0", "never-tested");
    let words = ["images", "set", "1.0.0", "--env", "production", "--push", "--yes", "--forge", "gitea"];
    place.run_as("mallory", &[&words[..], &["--break-glass", "the shop is down"]].concat()).exits(0);
    assert_eq!(by(), ["ada"]);
}

#[test]
fn where_a_promotion_leads_no_tag_is_set_that_nobody_has_looked_at() {
    let place = place(PROPOSED);
    place.town.publish("acme/web", "0.4.5", COMMIT);
    let set = |tag: &str, more: &[&str]| {
        let words = ["images", "set", tag, "--env", "production", "--allow-older", "--push", "--yes"];
        place.run_as("ada", &[&words[..], more].concat())
    };
    place.pushed("main", "main", "production.yaml", ("web:0.4.0", "web:0.4.5"));
    set("0.4.0", &["--dry-run"]).exits(0);
    // What ran there is another image by now.
    place.town.publish("acme/web", "0.4.0", "another");
    set("0.4.0", &[]).exits(5).says("LF0968");
    let refused = set("0.4.0", &["--unchecked"]).exits(5);
    refused.says("LF0998").says("leave --unchecked out").says("--break-glass REASON");
    let back = ["rollback", "--env", "production", "--to", "0.4.0", "--yes", "--unchecked"];
    place.run_as("ada", &back).exits(5).says("LF0998");
    assert!(place.main("production.yaml").contains("web:0.4.5'"));
    // In an emergency it is.
    set("0.4.0", &["--unchecked", "--break-glass", "the registry is down"]).exits(0).says("audited");
    assert!(place.main("production.yaml").contains("web:0.4.0'"));
    // And where none leads as ever.
    let words = ["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes", "--unchecked"];
    place.run_as("ada", &words).exits(0);
}

#[test]
fn what_is_advised_where_a_registry_does_not_answer_is_what_the_command_takes() {
    let place = place(PROPOSED);
    for file in ["test.yaml", "production.yaml"] {
        let text = place.shop.read(file);
        place.shop.write(file, &text.replace(&place.town.host(), "127.0.0.1:9"));
    }
    let follow = "channel: alpha, follow: [{image: '127.0.0.1:9/acme/web', semver: '>=0.5.0-0'}]";
    place.shop.edit("landfall.yaml", "channel: alpha", follow);
    place.push("a registry that is down");
    let said = |words: &[&str]| place.run_as("ada", words).exits(6).says("LF0508").stderr;
    let set = ["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"];
    assert!(said(&set).contains("--unchecked sets it without looking"));
    let set = ["images", "set", "0.4.0", "--env", "production", "--push", "--yes"];
    assert!(said(&set).contains("--unchecked --break-glass REASON"));
    for words in [
        &["promote", "--from", "test", "--to", "production", "--yes"][..],
        &["images", "scan", "--env", "test", "--push", "--yes"],
    ] {
        assert!(!said(words).contains("--unchecked"), "{words:?}");
    }
    // Nor is another flag named that a command does not take.
    place.run_as("ada", &["images", "scan", "--env", "test", "--unchecked"]).exits(2);
}

#[test]
fn where_a_promotion_leads_a_rollback_asks_whether_what_comes_back_is_there_and_the_same_with_or_without_its_name() {
    let place = place(PROPOSED);
    let first = place.town.digest("acme/web", "0.4.0").expect("published");
    place.town.publish("acme/web", "0.4.5", COMMIT);
    place.by_application("path: chart, helm: {valueFiles: [../production.yaml]}");
    place.shop.edit("production.yaml", "web:0.4.0", "web:0.4.5");
    place.push("by Applications");
    // It goes back and forth again: from now on the digests are known.
    for tag in ["0.4.0", "0.4.5"] {
        let words = ["images", "set", tag, "--env", "production", "--allow-older", "--push", "--yes"];
        place.run_as("ada", &words).exits(0);
        place.shop.git(&["fetch", "-q", "../git/acme/shop.git", "main"]);
        place.shop.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    }
    let back = |more: &[&str]| place.run_as("ada", &[&["rollback", "--env", "production", "--yes"], more].concat());
    let both = |more: &[&str]| [back(more), back(&[more, &["--to", "0.4.0"]].concat())];
    for dry in [&["--dry-run"][..], &[]] {
        for looked in both(&["--dry-run"]) {
            looked.exits(0);
        }
        // It was taken out of its registry.
        place.town.remove("acme/web", "0.4.0");
        let refused = both(dry).map(|ran| ran.exits(5).says("LF0966").says("is not in its registry").stderr.clone());
        assert_eq!(refused[0], refused[1]);
        // Or another image has its tag.
        place.town.publish("acme/web", "0.4.0", "another");
        let refused = both(dry).map(|ran| ran.exits(5).says("LF0968").says("was moved").stderr.clone());
        assert_eq!(refused[0], refused[1]);
        place.town.publish("acme/web", "0.4.0", "1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e");
        assert_eq!(place.town.digest("acme/web", "0.4.0").as_ref(), Some(&first));
    }
    back(&["--unchecked"]).exits(5).says("LF0998").says("leave --unchecked out");
    assert!(place.main("production.yaml").contains("web:0.4.5'"));
    back(&[]).exits(0);
    assert!(place.main("production.yaml").contains("web:0.4.0'"));
}

#[test]
fn a_forge_that_is_down_is_told_again_until_it_knows_and_of_no_repository_that_nothing_is_delivered_from() {
    let place = place(PROPOSED).delivered();
    place.promote(&[]).exits(0);
    let head = git(&place.bare, &["rev-parse", BRANCH]).trim().to_owned();
    let digest = place.town.digest("acme/web", "0.5.0").expect("published");
    let host = place.town.url("");
    let variables =
        [("LANDFALL_FORGE_TOKEN", TOKEN), ("LANDFALL_FORGE_HOST", host.as_str()), ("LANDFALL_FORGE_KIND", "gitea")];
    let said = |server: &Server, id: &str| {
        let (name, token) = server.own_token();
        let (_, told) = server.ask("GET", "/api/v1/promotions", &[(name, token.as_str())], "");
        let lines: Value = serde_json::from_str(&told).expect("JSON");
        let line = lines.as_array().expect("lines").iter().find(|it| (it["id"] == "foreign") == (id == "foreign"));
        let line = line.expect("it is known");
        assert_eq!(line["state"], "withdrawn", "{line:#}");
        let events = line["events"].as_array().expect("events").iter();
        events.map(|it| it["said"].as_str().expect("words").to_owned()).collect::<Vec<_>>().join("\n")
    };
    let server = serve(&place.shop, &["--env", "test"], &variables);
    let post = |server: &Server, path: &str, body: &Value| {
        let (name, token) = server.own_token();
        let headers = [(name, token.as_str()), ("Content-Type", "application/json")];
        let (status, said) = server.ask("POST", path, &headers, &body.to_string());
        assert_eq!(status, 202, "{said}");
    };
    // Somebody writes one down that waits in a repository of others, which an Application of theirs names; its project does not.
    server.puts(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}));
    server.puts(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": "team", "namespace": "argocd"},
        "spec": {"sourceRepos": [place.town.url("acme/shop.git")], "destinations": [{"server": "*", "namespace": "*"}]},
    }));
    server.puts(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "other", "namespace": "argocd"},
        "spec": {
            "project": "team", "source": {"repoURL": place.town.url("acme/other.git"), "path": "."},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        },
    }));
    let api = place.town.url("api/v1");
    let written = json!({
        "id": "foreign", "from": "test", "to": "production", "tag": "0.5.0", "state": "proposed", "said": "so",
        "detail": {
            "forge": {"kind": "gitea", "api": api, "repository": "acme/other"},
            "commit": head, "images": [{"digest": digest}],
        },
    });
    post(&server, "/api/v1/promotions", &written);
    place.town.is_deaf(usize::MAX);
    let failed = json!([{"digest": digest, "environment": "test", "at": "", "what": "check home", "passed": false, "detail": "503"}]);
    post(&server, "/api/v1/evidence", &failed);
    let foreign = said(&server, "foreign");
    assert!(foreign.contains("is not told: nothing is delivered from its repository"), "{foreign}");
    assert!(said(&server, "own").contains("it is tried again"), "{}", said(&server, "own"));
    // It is killed, and another one has not forgotten.
    drop(server);
    place.town.is_deaf(0);
    let server = serve(&place.shop, &["--env", "test"], &variables);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !said(&server, "own").contains("its pull request is told by now") {
        assert!(std::time::Instant::now() < deadline, "{}", said(&server, "own"));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    place.ends_red(&head);
    let statuses = place.town.statuses();
    assert_eq!(statuses[statuses.len() - 1]["context"], "landfall/promotion", "{statuses:?}");
    // Nor by the token of whoever holds it back with the server's book.
    post(&server, "/api/v1/promotions", &written);
    let held = place.run_as("ada", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0);
    assert!(held.all().contains("is not told: it waits in another repository"), "{}", held.all());
    assert!(!place.town.asked().iter().any(|it| it.contains("acme/other")), "{:?}", place.town.asked());
}

#[test]
fn se_43_an_account_that_is_called_as_an_owner_is_here_is_not_that_owner() {
    let place = place(PROPOSED);
    let text = place.shop.read("landfall.yaml");
    place.shop.write("landfall.yaml", &format!("{text}people: {{ada: {{forge: AdaAtForge}}}}\n"));
    place.shop.commit("bound");
    place.shop.git(&["push", "-q", "-f", "../git/acme/shop.git", "HEAD:main"]);
    let place = place.delivered();
    let refused = "ada of the forge may not promote to production: that is for ada";
    let words = ["promote", "--to", "production", "--forge", "gitea", "--yes"];
    // A pipeline says whose account has started it.
    let mut command = place.shop.command(&words);
    command.env("GITHUB_ACTOR", "ada").env("LANDFALL_FORGE_TOKEN", TOKEN);
    command.env("LANDFALL_FORGE_HOST", place.town.host());
    super::ran(command.output().expect("runs")).exits(5).says("LF0981").says(refused);
    place.town.belongs_to("ada");
    place.promote(&[]).exits(5).says("LF0981").says(refused);
    let back = ["images", "set", "0.4.0", "--env", "production", "--push", "--yes", "--forge", "gitea"];
    place.run_as("ada", &back).exits(5).says("LF0981").says(refused);
    assert!(place.town.pulls().is_empty() && place.town.digest("acme/web", "0.5.0").is_none());
    place.town.belongs_to("adaatforge");
    place.run_as("eve", &words).exits(0);
}

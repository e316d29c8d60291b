//! What is asked where something is delivered, and by whichever system a file is of; and what stays when a cluster goes.

use landfall_cluster::Cluster;
use landfall_object::Object;

use super::super::sandbox::small_chart;
use super::super::scales::git;
use super::super::serving::{Server, application, serve};
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

/// A production that a server keeps in sync by itself.
struct Served {
    place: Place,
    server: Server,
    cluster: Cluster,
}

impl Served {
    /// Once production has this line.
    fn begin(place: Place, change: (&str, &str)) -> Self {
        Served::begin_so(place, change, "automated: {selfHeal: true}, ")
    }

    /// The same of one that syncs as this says.
    fn begin_so(place: Place, change: (&str, &str), automated: &str) -> Self {
        place.by_application("path: chart, helm: {valueFiles: [../production.yaml]}");
        let policy = format!(
            "targetRevision: HEAD}}\n  syncPolicy: {{{automated}retry: {{limit: 0}}, syncOptions: [CreateNamespace=true]}}"
        );
        place.shop.edit("gitops/web.yaml", "targetRevision: HEAD}", &policy);
        place.shop.edit("production.yaml", change.0, change.1);
        place.push("delivered by a server");
        let repository = format!("{}={}", place.town.url("acme/shop.git"), place.bare.display());
        let server = serve(&place.shop, &[".", "--env", "production", "--repo", &repository], &[]);
        let cluster = server.cluster();
        Served { place, server, cluster }
    }

    /// Waits until its Application is as it is wanted.
    #[track_caller]
    fn until(&self, so: impl Fn(&Object) -> bool) -> Object {
        self.server.until(&self.cluster, &application("web"), so)
    }

    /// Waits until a sync has ended so, in words.
    #[track_caller]
    fn ends(&self, phase: &str, said: &str) {
        self.until(|it| {
            it.str_at("/status/operationState/phase") == Some(phase)
                && it.str_at("/status/operationState/message").is_some_and(|message| message.contains(said))
        });
    }

    /// What the workload runs; nothing where there is none.
    fn runs(&self) -> Option<String> {
        let key =
            landfall_object::ObjectKey::new(landfall_object::Gvk::new("apps", "v1", "Deployment"), Some("shop"), "web");
        let image = "/spec/template/spec/containers/0/image";
        self.server.get(&self.cluster, &key).and_then(|it| it.str_at(image).map(str::to_owned))
    }
}

#[test]
fn se_09_se_10_se_33_a_server_delivers_neither_what_the_policy_refuses_nor_a_tag_that_was_moved() {
    let place = place(COMMITTED).delivered();
    place.promote(&[]).exits(0);
    place.shop.git(&["pull", "-q", "../git/acme/shop.git", "main"]);
    let served = Served::begin(place, ("web:0.5.0'", "web:0.5.0-alpha.1.1'"));
    let place = &served.place;
    served.ends("Failed", "0.5.0-alpha.1.1 may not run in production");
    assert_eq!(served.runs(), None);
    let told = served.until(|it| it.list_at("/status/conditions").iter().any(|it| it["type"] == "SyncError"));
    let told = told.at("/status/conditions").map(ToString::to_string).unwrap_or_default();
    for text in
        ["production.yaml:3", "`images:` of the environment", "landfall app sync argocd/web --break-glass REASON"]
    {
        assert!(told.contains(text), "{text}: {told}");
    }
    for verb in ["get", "explain"] {
        let told = place.shop.run(&["app", verb, "web", "--env", "production"]).all();
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("may not run in production"), "{verb}: {told}");
    }
    // Asked for by hand it is no other; in an emergency it is, and everybody hears of it.
    let sync = ["app", "sync", "web", "--yes", "--env", "production"];
    place.shop.run(&sync).exits(1).says("may not run in production");
    assert_eq!(served.runs(), None);
    place.shop.run(&[&sync[..], &["--break-glass", "the shop is down"]].concat()).exits(0);
    assert!(served.runs().is_some_and(|image| image.ends_with(":0.5.0-alpha.1.1")), "{:?}", served.runs());
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    let first = &history["data"][0];
    assert_eq!((first["state"].as_str(), first["to"].as_str()), (Some("glass-broken"), Some("production")));
    assert_eq!((&first["tag"], &first["detail"]["reason"]), (&"0.5.0-alpha.1.1".into(), &"the shop is down".into()));
    // What was published under the released tag is another image by now.
    place.town.publish("acme/web", "0.5.0", "another");
    place.shop.edit("production.yaml", "web:0.5.0-alpha.1.1'", "web:0.5.0'");
    place.push("as released");
    served.ends("Failed", "was moved");
    assert!(served.runs().is_some_and(|image| image.ends_with(":0.5.0-alpha.1.1")), "{:?}", served.runs());
    let (name, token) = served.server.own_token();
    let (_, audit) = served.server.ask("GET", "/api/v1/audit", &[(name, &token)], "");
    assert!(audit.contains("application.images") && audit.contains("promotion.break-glass"), "{audit}");
}

/// Any branch that somebody had pushed was synced to production, with a tag that no registry had.
#[test]
fn a_revision_of_somebodys_own_brings_nothing_new_where_a_promotion_leads() {
    let place = place(COMMITTED);
    let served = Served::begin_so(place, ("# production", "# production, served"), "");
    let (place, first) = (&served.place, served.place.head());
    place.shop.run(&["app", "sync", "web", "--yes", "--env", "production"]).exits(0);
    place.shop.git(&["checkout", "-q", "-b", "wild"]);
    place.shop.edit("production.yaml", "web:0.4.0'", "web:9.9.9'");
    place.shop.commit("wild");
    place.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:wild"]);
    let sync = ["app", "sync", "web", "--yes", "--env", "production", "--revision"];
    let told = place.shop.run(&[&sync[..], &["wild"]].concat()).exits(1);
    let all = told.all().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(all.contains("web:9.9.9 is neither what is promoted to production nor runs there"), "{all}");
    assert!(all.contains("--break-glass REASON"), "{all}");
    assert!(served.runs().is_some_and(|image| image.ends_with(":0.4.0")), "{:?}", served.runs());
    // What was there, and a revision that runs what is there, may come.
    place.shop.run(&[&sync[..], &[first.as_str()]].concat()).exits(0);
    place.shop.edit("production.yaml", "web:9.9.9'", "web:0.4.0'");
    place.shop.commit("tame");
    place.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:tame"]);
    place.shop.run(&[&sync[..], &["tame"]].concat()).exits(0);
    assert!(served.runs().is_some_and(|image| image.ends_with(":0.4.0")), "{:?}", served.runs());
}

/// It was held back without a word of the branch that had it, and the next sync delivered it.
#[test]
fn what_is_held_back_after_its_promotion_is_written_is_delivered_by_nobody() {
    let place = place(COMMITTED).delivered();
    place.promote(&[]).exits(0);
    place.shop.git(&["pull", "-q", "../git/acme/shop.git", "main"]);
    let hold = ["hold", "0.5.0-alpha.1.1", "--reason", "loses orders"];
    place.run_as("ada", &hold).exits(0).says("the branch says 0.5.0 for production").says("rollback --env production");
    for more in [&[][..], &["--dry-run"]] {
        let up = place.shop.run(&[&["up", "--env", "production"], more].concat());
        up.exits(5).says("LF0973").says("loses orders").says("nothing was changed");
    }
    // Where it came from it is built and tested on.
    place.shop.run(&["up", "--env", "test"]).exits(0);
    let served = Served::begin(place, ("# production", "# production, served"));
    let place = &served.place;
    served.ends("Failed", "web:0.5.0 is held back, as 0.5.0-alpha.1.1, by ada: loses orders");
    let sync = ["app", "sync", "web", "--yes", "--env", "production"];
    place.shop.run(&sync).exits(1).says("is held back").says("--break-glass REASON");
    assert_eq!(served.runs(), None);
    place.shop.run(&[&sync[..], &["--break-glass", "the shop is down"]].concat()).exits(0);
    assert!(served.runs().is_some_and(|image| image.ends_with(":0.5.0")), "{:?}", served.runs());
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert_eq!(history["data"][0]["state"], "glass-broken", "{history:#}");
    // What runs there is changed as ever until it is gone back from.
    place.shop.edit("production.yaml", "# production, served", "replicas: 2");
    place.push("two of them");
    served.ends("Succeeded", "");
    let key =
        landfall_object::ObjectKey::new(landfall_object::Gvk::new("apps", "v1", "Deployment"), Some("shop"), "web");
    served.server.until(&served.cluster, &key, |it| it.i64_at("/spec/replicas") == Some(2));
}

#[test]
fn what_a_registry_does_not_say_is_told_at_the_application_and_stops_no_sync() {
    let place = place(COMMITTED).delivered();
    place.promote(&[]).exits(0);
    place.shop.git(&["pull", "-q", "../git/acme/shop.git", "main"]);
    place.town.remove("acme/web", "0.5.0");
    let served = Served::begin(place, ("# production", "# production, served"));
    served.ends("Succeeded", "");
    let is_told = |it: &Object| {
        it.list_at("/status/conditions").iter().any(|it| {
            it["type"] == "ImagesUnseenWarning" && it["message"].as_str().is_some_and(|it| it.contains("is not seen"))
        })
    };
    served.until(is_told);
    assert!(served.runs().is_some_and(|image| image.ends_with(":0.5.0")), "{:?}", served.runs());
}

#[test]
fn in_an_emergency_what_may_not_run_there_is_delivered_and_everybody_hears_of_it() {
    let place = place(COMMITTED);
    place.shop.edit("production.yaml", "web:0.4.0", "web:0.5.0-alpha.1.1");
    place.shop.commit("by hand");
    let up = |more: &[&str]| place.run_as("eve", &[&["up", "--env", "production"][..], more].concat());
    up(&[]).exits(5).says("LF0962").says("--break-glass REASON");
    up(&["--break-glass", " "]).exits(5).says("LF0962");
    up(&["--dry-run", "--break-glass", "the shop is down"]).exits(0).says("it would go past what may run there");
    let history = || place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert_eq!(history()["data"].as_array().map(Vec::len), Some(0), "nothing was done");
    up(&["--break-glass", "the shop is down"]).exits(0).says("this is audited and announced");
    let told = history();
    let first = &told["data"][0];
    assert_eq!((first["state"].as_str(), first["to"].as_str()), (Some("glass-broken"), Some("production")), "{told:#}");
    assert_eq!((&first["tag"], &first["detail"]["asked_by"]), (&"0.5.0-alpha.1.1".into(), &"eve".into()));
}

#[test]
fn what_was_to_come_past_the_rules_and_never_came_is_told_as_failed() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = place(PROPOSED);
    place.town.publish("acme/web", "1.0.0", "never-tested");
    let hook = place.bare.join("hooks/update");
    std::fs::create_dir_all(place.bare.join("hooks")).expect("made");
    std::fs::write(&hook, "#!/bin/sh\necho not from you\nexit 1\n").expect("written");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("may run");
    let words = ["images", "set", "1.0.0", "--env", "production", "--push", "--yes", "--break-glass", "fire"];
    place.run_as("eve", &words).exits(5).says("LF0527");
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    let first = &history["data"][0];
    assert_eq!((first["state"].as_str(), first["tag"].as_str()), (Some("failed"), Some("1.0.0")), "{history:#}");
    assert_eq!(first["events"].as_array().map(Vec::len), Some(2), "{history:#}");
}

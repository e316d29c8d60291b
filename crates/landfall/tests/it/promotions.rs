//! `landfall promote`, `hold`, `pipeline`: what was tested goes on, nothing else does, and each refusal has its own sentence.

mod admitted;
mod behind;
mod carried;
mod elsewhere;
mod going;
mod guarded;
mod interrupted;
mod kustomized;
mod neighbours;
mod permitted;
mod scanned;
mod town;
mod untold;
mod witnessed;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use self::town::{TOKEN, Town};
use super::sandbox::{Ran, Sandbox, ran, small_chart};
use super::scales::git;

const COMMIT: &str = "7d1f0c5e9b8a4c6d2e3f1a0b9c8d7e6f5a4b3c2d";

/// A system with a test and a production environment, its registry, its repository, and its forge.
struct Place {
    shop: Sandbox,
    town: Arc<Town>,
    bare: PathBuf,
}

fn place(promotion: &str) -> Place {
    let shop = Sandbox::empty();
    let above = shop.root().parent().expect("a parent").to_owned();
    let town = Town::open(above.join("git"));
    small_chart(&shop, "chart", "web");
    let host = town.host();
    shop.write("test.yaml", &format!("# test\nimage: '{host}/acme/web:0.5.0-alpha.1.1' # by the pipeline\n"));
    shop.write("production.yaml", &format!("# production\n\nimage: '{host}/acme/web:0.4.0'   # promoted\n"));
    shop.write(
        "landfall.yaml",
        &format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  test:\n    cluster: embedded\n    releases: [{{name: web, chart: chart, namespace: shop-test, values: [test.yaml]}}]\n    images: {{policy: semver, channel: alpha}}\n    checks: [{{name: web rolls out, rollout: shop-test/Deployment/web, timeout: 3s}}]\n  production:\n    cluster: embedded\n    releases: [{{name: web, chart: chart, namespace: shop, values: [production.yaml]}}]\n    images: {{policy: semver, channel: stable}}\npromotion:\n  - {{from: test, to: production, {promotion}}}\n"
        ),
    );
    shop.commit("first");
    let bare = above.join("git/acme/shop.git");
    std::fs::create_dir_all(bare.parent().expect("a parent")).expect("made");
    shop.git(&["clone", "-q", "--bare", ".", "../git/acme/shop.git"]);
    git(&bare, &["config", "http.receivepack", "true"]);
    shop.git(&["remote", "add", "origin", &town.url("acme/shop.git")]);
    town.publish("acme/web", "0.4.0", "1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e");
    town.publish("acme/web", "0.5.0-alpha.1.1", COMMIT);
    Place { shop, town, bare }
}

impl Place {
    /// Commits all that lies here, and has it on the branch.
    fn push(&self, why: &str) {
        self.shop.commit(why);
        self.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:main"]);
    }

    /// Has production delivered by an Application with this source, of this repository.
    fn by_application(&self, source: &str) {
        let url = self.town.url("acme/shop.git");
        self.shop.write(
            "gitops/web.yaml",
            &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web, namespace: argocd}}\nspec:\n  project: default\n  destination: {{server: https://kubernetes.default.svc, namespace: shop}}\n  source: {{repoURL: '{url}', {source}, targetRevision: HEAD}}\n"),
        );
        let releases = "releases: [{name: web, chart: chart, namespace: shop, values: [production.yaml]}]";
        self.shop.edit("landfall.yaml", releases, "applications: gitops/*.yaml");
    }

    fn run_as(&self, who: &str, words: &[&str]) -> Ran {
        let mut command = self.shop.command(words);
        command.env("USER", who).env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", self.town.host());
        ran(command.output().expect("the binary runs"))
    }

    fn promote(&self, more: &[&str]) -> Ran {
        let mut words = vec!["promote", "--from", "test", "--to", "production", "--forge", "gitea", "--yes"];
        words.extend(more);
        self.run_as("ada", &words)
    }

    fn delivered(self) -> Self {
        self.shop.run(&["up", "--env", "test"]).exits(0);
        self
    }

    /// The same image is delivered again, and cannot be rolled out any more.
    fn broken(&self) {
        let from = "    spec:\n      containers:";
        self.shop.edit(
            "chart/templates/all.yaml",
            from,
            "    spec:\n      nodeSelector: {nowhere: here}\n      containers:",
        );
        self.shop.run(&["up", "--env", "test", "--no-wait"]);
    }

    fn main(&self, file: &str) -> String {
        git(&self.bare, &["show", &format!("main:{file}")])
    }

    fn commits(&self, branch: &str) -> usize {
        git(&self.bare, &["rev-list", "--count", branch]).trim().parse().expect("a number")
    }
}

const COMMITTED: &str = "by: commit, version: strip-prerelease";
const PROPOSED: &str = "by: pull-request, owners: [ada], version: strip-prerelease";

#[test]
fn se_30_se_36_se_37_se_41_se_91_what_was_tested_is_retagged_and_written_and_never_built_again() {
    let place = place(&format!("{COMMITTED}, inject: [settings.version]")).delivered();
    let before = place.main("production.yaml");
    let looked = place.promote(&["--dry-run"]).exits(0).says("0.5.0").says("nothing was changed");
    assert!(looked.stdout.contains("the rehearsal would deliver"), "{}", looked.all());
    assert_eq!((place.commits("main"), place.town.digest("acme/web", "0.5.0")), (1, None));
    let done = place.promote(&["-o", "json"]).exits(0).json();
    assert_eq!(done["data"]["state"], "written", "{done:#}");
    assert_eq!(place.town.digest("acme/web", "0.5.0"), place.town.digest("acme/web", "0.5.0-alpha.1.1"));
    let wanted = before.replace("web:0.4.0'", "web:0.5.0'");
    assert_eq!(place.main("production.yaml"), format!("{wanted}settings:\n  version: 0.5.0\n"));
    let told = git(&place.bare, &["log", "-1", "--format=%s%n%b", "main"]);
    assert!(told.starts_with("Promote 0.5.0 from test to production\n"), "{told}");
    for line in
        ["Landfall-Cause: promotion", "Landfall-Promotion: production-0.5.0-", &format!("Product-Commit: {COMMIT}")]
    {
        assert!(told.contains(line), "{line}: {told}");
    }
    // A second time there is nothing to do, and nothing is done.
    place.promote(&[]).exits(0).says("it is so already");
    assert_eq!(place.commits("main"), 2);
    // What became of the commit, with times.
    let pipeline = place.shop.run(&["pipeline", &COMMIT[..7], "-o", "json"]).exits(0).json();
    let whats: Vec<&str> =
        pipeline["data"][0]["steps"].as_array().expect("steps").iter().filter_map(|it| it["what"].as_str()).collect();
    for what in ["published", "seen in test", "tagged production", "written production"] {
        assert!(whats.contains(&what), "{what}: {pipeline:#}");
    }
    place.shop.run(&["pipeline", "abcdef0"]).exits(1).says("LF0989");
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    let line = &history["data"][0];
    assert_eq!(
        (line["tag"].as_str(), line["to"].as_str(), line["intact"].as_bool()),
        (Some("0.5.0"), Some("production"), Some(true))
    );
    assert_eq!(line["detail"]["product_commit"], COMMIT);
    assert_eq!(line["detail"]["asked_by"], "ada");
}

#[test]
fn se_39_se_95_a_pull_request_has_the_difference_and_the_rehearsal_and_a_status_says_that_the_images_are_there() {
    let place = place(PROPOSED).delivered();
    place.town.protect(1);
    let done = place.promote(&["-o", "json"]).exits(0).json();
    assert_eq!(done["data"]["state"], "proposed", "{done:#}");
    assert_eq!(place.commits("main"), 1, "nothing on the branch itself");
    let pulls = place.town.pulls();
    assert_eq!(pulls.len(), 1);
    let body = pulls[0]["body"].as_str().expect("a body");
    let digest = place.town.digest("acme/web", "0.5.0").expect("tagged");
    for text in [digest.as_str(), "0.5.0-alpha.1.1", COMMIT, "web rolls out", "would deliver", "0.4.0", "`ada`"] {
        assert!(body.contains(text), "{text}: {body}");
    }
    let branch = "landfall/promote-production-0.5.0";
    assert_eq!(pulls[0]["head"]["ref"], branch);
    let head = git(&place.bare, &["rev-parse", branch]).trim().to_owned();
    let statuses = place.town.statuses();
    assert_eq!((statuses[0]["commit"].as_str(), statuses[0]["state"].as_str()), (Some(head.as_str()), Some("success")));
    assert_eq!(statuses[0]["context"], "landfall/promotion");
    // Again: the same branch, the same request, no second tag.
    place.promote(&[]).exits(0).says("brought up to date");
    assert_eq!((place.town.pulls().len(), place.commits(branch)), (1, 2));
    assert!(git(&place.bare, &["show", &format!("{branch}:production.yaml")]).contains("web:0.5.0'   # promoted"));
}

#[test]
fn without_a_token_or_a_known_forge_nothing_is_tagged_or_written() {
    let place = place(PROPOSED).delivered();
    let words = ["promote", "--to", "production", "--yes"];
    let mut command = place.shop.command(&words);
    ran(command.env("USER", "ada").output().expect("runs")).exits(2).says("LF0985");
    let mut command = place.shop.command(&["promote", "--to", "production", "--yes", "--forge", "gitea"]);
    ran(command.env("USER", "ada").output().expect("runs")).exits(4).says("LF0526");
    assert_eq!((place.commits("main"), place.town.digest("acme/web", "0.5.0")), (1, None));
}

#[test]
fn se_38_se_86_each_refusal_has_its_own_sentence_and_nothing_is_written() {
    let place = place(COMMITTED);
    // Never delivered there.
    place.promote(&[]).exits(5).says("LF0974").says("was never seen running in test");
    let place = place.delivered();
    // Held back, and let go.
    place.run_as("ada", &["hold", "0.5.0-alpha.1.1", "--reason", "loses orders"]).exits(0);
    place.promote(&[]).exits(5).says("LF0973").says("held back by ada: loses orders");
    place.run_as("ada", &["hold"]).exits(0).says("loses orders");
    place.run_as("ada", &["hold", "--release", "0.5.0-alpha.1.1"]).exits(0);
    place.run_as("ada", &["hold", "--release", "0.5.0-alpha.1.1"]).exits(0);
    place.run_as("ada", &["hold", "--release", "0.4.0"]).exits(1).says("LF0990");
    // The released tag is another image already.
    place.town.publish("acme/web", "0.5.0", "another");
    place.promote(&[]).exits(5).says("LF0984").says("is another image");
    assert_eq!(place.commits("main"), 1);
    let refused = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert_eq!(refused["data"][0]["state"], "refused", "what was refused is written down, too");
}

#[test]
fn se_33_b4_a_tag_that_was_moved_is_not_promoted() {
    let place = place(COMMITTED).delivered();
    place.promote(&["--dry-run"]).exits(0);
    place.town.publish("acme/web", "0.5.0-alpha.1.1", "another-commit");
    place.promote(&[]).exits(5).says("LF0968").says("was moved");
    assert_eq!((place.commits("main"), place.town.digest("acme/web", "0.5.0")), (1, None));
}

#[test]
fn a_later_failure_withdraws_what_was_seen_before() {
    let place = place(COMMITTED).delivered();
    place.promote(&["--dry-run"]).exits(0);
    place.broken();
    place.promote(&["--dry-run"]).exits(5).says("LF0975");
    place.promote(&["--recorded"]).exits(5).says("LF0975");
    assert_eq!(place.commits("main"), 1);
}

#[test]
fn a_check_that_fails_later_turns_the_open_pull_request_red() {
    let place = place(PROPOSED).delivered();
    place.promote(&[]).exits(0);
    place.run_as("ada", &["smoke", "--env", "test"]).exits(0);
    assert_eq!(place.town.statuses().len(), 1, "all is well");
    place.broken();
    let told = place.run_as("ada", &["smoke", "--env", "test"]).exits(4);
    assert!(told.all().contains("the promotion of 0.5.0 to production is withdrawn"), "{}", told.all());
    let statuses = place.town.statuses();
    assert_eq!(statuses.last().map(|it| it["state"].clone()), Some(Value::from("failure")), "{statuses:?}");
    assert_eq!(statuses[0]["commit"], statuses[statuses.len() - 1]["commit"]);
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    assert_eq!(history["data"][0]["state"], "withdrawn");
}

#[test]
fn se_43_c1_c2_neither_a_non_owner_nor_a_policy_of_ones_own_gets_anything_promoted() {
    let place = place(PROPOSED).delivered();
    let words = ["promote", "--to", "production", "--forge", "gitea", "--yes"];
    place.run_as("eve", &words).exits(5).says("LF0981").says("eve may not promote to production: that is for ada");
    // What is checked out is loosened: it is the branch that counts.
    place.shop.edit("landfall.yaml", "owners: [ada]", "owners: [eve]");
    place.run_as("eve", &words).exits(5).says("LF0981");
    place.shop.commit("loosened");
    place.run_as("eve", &words).exits(5).says("LF0981");
    assert!(place.town.pulls().is_empty() && place.town.digest("acme/web", "0.5.0").is_none());
    // A name at the forge is bound to somebody here.
    let text = git(&place.bare, &["show", "main:landfall.yaml"]);
    place.shop.write("landfall.yaml", &format!("{text}people: {{ada: {{forge: AdaAtForge}}}}\n"));
    place.shop.commit("bound");
    place.shop.git(&["push", "-q", "-f", "../git/acme/shop.git", "HEAD:main"]);
    let done = place.run_as("AdaAtForge", &words).exits(0);
    assert!(done.all().contains("pull request 1"), "{}", done.all());
    let history = place.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json();
    let detail = &history["data"][0]["detail"];
    assert_eq!((detail["asked_by"].as_str(), detail["at_forge"].as_str()), (Some("ada"), Some("AdaAtForge")));
}

#[test]
fn se_29_what_comes_before_that_which_runs_is_no_promotion_and_a_rollback_is_none_either() {
    let place = place(COMMITTED).delivered();
    place.shop.edit("production.yaml", "web:0.4.0", "web:0.6.0");
    place.push("newer");
    place.promote(&[]).exits(5).says("LF0983").says("going back is no promotion");
    // Going back to a published tag is a write of its own, which the steps of builds do not bind.
    let back = ["images", "set", "0.4.0", "--env", "production", "--allow-older", "--push", "--yes"];
    place.run_as("ada", &back).exits(0);
    assert!(place.main("production.yaml").contains("web:0.4.0'"));
}

#[test]
fn gates_that_are_declared_refuse_until_they_are_met() {
    let place = place(&format!("{COMMITTED}, gates: {{soak: 20h, reports: error}}")).delivered();
    let refused = place.promote(&[]).exits(5);
    for text in ["LF0976", "and 20h are wanted", "LF0977", "no report (SARIF) was handed in"] {
        assert!(refused.all().contains(text), "{text}: {}", refused.all());
    }
    let report = |results: &str| {
        format!(r#"{{"runs": [{{"tool": {{"driver": {{"name": "scanner"}}}}, "results": [{results}]}}]}}"#)
    };
    place.shop.write("bad.sarif", &report(r#"{"level": "error"}"#));
    place.shop.write("good.sarif", &report(r#"{"level": "note"}"#));
    place.promote(&["--sarif", "bad.sarif"]).exits(5).says("scanner has findings").says("1 of level error");
    let still = place.promote(&["--sarif", "good.sarif"]).exits(5).says("LF0976");
    assert!(!still.all().contains("LF0977"), "{}", still.all());
    place.promote(&["--sarif", "landfall.yaml"]).exits(2).says("LF0987");
    assert_eq!(place.commits("main"), 1);
}

#[test]
fn lp_124_an_image_goes_with_a_signature_by_the_declared_key_and_without_one_it_does_not() {
    let place = place(&format!("{COMMITTED}, gates: {{signature: keys/cosign.pub}}")).delivered();
    let key = rcgen::KeyPair::generate().expect("a key");
    let other = rcgen::KeyPair::generate().expect("a key");
    place.shop.write("keys/cosign.pub", &key.public_key_pem());
    place.push("key");
    let digest = place.town.digest("acme/web", "0.5.0-alpha.1.1").expect("there");
    place.promote(&[]).exits(5).says("LF0978").says("is not signed");
    let sign = |by: &rcgen::KeyPair, digest: &str, of: &str| {
        let payload = serde_json::json!({"critical": {
            "identity": {"docker-reference": "acme/web"}, "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        }, "optional": null})
        .to_string()
        .into_bytes();
        let signature = rcgen::SigningKey::sign(by, &payload).expect("signed");
        let size = payload.len();
        let payload = place.town.blob(payload);
        let config = place.town.blob(b"{}".to_vec());
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [{
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": payload, "size": size,
                "annotations": {"dev.cosignproject.cosign/signature": text},
            }],
        });
        place.town.put("acme/web", &format!("{}.sig", of.replace(':', "-")), manifest.to_string().into_bytes());
    };
    // By another key; by the right one, for another image; and right.
    sign(&other, &digest, &digest);
    place.promote(&[]).exits(5).says("not with the key");
    sign(&key, &format!("sha256:{}", "0".repeat(64)), &digest);
    place.promote(&[]).exits(5).says("for another digest");
    sign(&key, &digest, &digest);
    place.promote(&[]).exits(0);
    assert!(place.main("production.yaml").contains("web:0.5.0'"));
}

#[test]
fn se_42_a_branch_that_takes_no_commits_gets_a_pull_request() {
    let place = place(COMMITTED).delivered();
    place.town.protect(1);
    let done = place.promote(&["-o", "json"]).exits(0).json();
    assert_eq!(done["data"]["state"], "proposed");
    let numbers: Vec<Value> = place.town.pulls().iter().map(|pull| pull["number"].clone()).collect();
    assert_eq!((numbers, place.commits("main")), (vec![Value::from(1)], 1));
    assert!(place.town.asked().iter().any(|line| line == "GET /branch_protections/main"));
}

#[test]
fn a_tag_for_a_branch_that_takes_no_commits_is_proposed() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = place(COMMITTED);
    let hook = place.bare.join("hooks/update");
    std::fs::create_dir_all(hook.parent().expect("a parent")).expect("made");
    std::fs::write(&hook, "#!/bin/sh\n[ \"$1\" != refs/heads/main ] || { echo 'protected branch' >&2; exit 1; }\n")
        .expect("written");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("set");
    place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    let words = ["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"];
    // Whose API it speaks is not known: what the server says is told.
    place.run_as("ada", &words).exits(5).says("LF0527");
    let done = place.run_as("ada", &[&words[..], &["--forge", "gitea", "-o", "json"]].concat()).exits(0).json();
    let branch = "landfall/set-test-0.5.0-alpha.2.1";
    assert_eq!((done["data"]["written"]["branch"].as_str(), place.commits("main")), (Some(branch), 1), "{done:#}");
    assert_eq!(place.town.pulls()[0]["head"]["ref"], branch);
    assert!(git(&place.bare, &["show", &format!("{branch}:test.yaml")]).contains("0.5.0-alpha.2.1' # by the pipeline"));
}

#[test]
fn lp_30_se_19_se_96_an_image_that_is_absent_or_of_another_commit_is_refused_before_anything_is_written() {
    let place = place(COMMITTED);
    let set = |tag: &str, commit: &str| {
        place.run_as("ada", &["images", "set", tag, "--env", "test", "--commit", commit, "--push", "--yes"])
    };
    set("0.5.0-alpha.9.9", COMMIT).exits(5).says("LF0966").says("is not in its registry");
    place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    set("0.5.0-alpha.2.1", "1111111111111111111111111111111111111111").exits(5).says("LF0967").says(COMMIT);
    assert_eq!(place.commits("main"), 1);
    set("0.5.0-alpha.2.1", &COMMIT[..12]).exits(0);
    assert!(place.main("test.yaml").contains("0.5.0-alpha.2.1' # by the pipeline"));
    let told = git(&place.bare, &["log", "-1", "--format=%B", "main"]);
    assert!(told.contains(&format!("Product-Commit: {}", &COMMIT[..12])), "{told}");
    // What was published is known by its commit from now on.
    place.shop.run(&["pipeline", &COMMIT[..7]]).exits(0).says("published");
}

#[test]
fn se_32_se_40_a_finished_version_is_not_delivered_to_test_and_a_pre_release_not_to_production() {
    let place = place(COMMITTED);
    let set = |tag: &str, to: &str| place.run_as("ada", &["images", "set", tag, "--env", to, "--push", "--yes"]);
    set("0.5.0", "test").exits(5).says("LF0962").says("the channel alpha takes its own pre-releases alone");
    set("0.5.0-alpha.1.1", "production").exits(5).says("LF0962").says("takes finished versions alone");
    assert_eq!(place.commits("main"), 1);
}

#[test]
fn a_digest_beside_a_tag_moves_with_it() {
    let place = place(COMMITTED);
    let digest = place.town.digest("acme/web", "0.5.0-alpha.1.1").expect("there");
    place.shop.edit("test.yaml", "web:0.5.0-alpha.1.1", &format!("web:0.5.0-alpha.1.1@{digest}"));
    place.push("pinned");
    let next = place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    place.shop.run(&["images", "set", "0.5.0-alpha.2.1", "--env", "test"]).exits(5).says("LF0961");
    place.run_as("ada", &["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"]).exits(0);
    assert!(place.main("test.yaml").contains(&format!("web:0.5.0-alpha.2.1@{next}' # by the pipeline")));
}

//! What a promotion writes is what was tested: each image that a line sets, in its role, under the tag that it is run by; and it
//! is the receiver's alone, and goes forward.

use super::super::scales::git;
use super::{COMMIT, COMMITTED, PROPOSED, Place, place};

const BEFORE: &str = "1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e";

fn deployment(name: &str, image: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: {name}, image: \"{image}\"}}]}}}}\n"
    )
}

impl Place {
    /// The same with a chart of its own, and what its environments say to it.
    fn with_chart(self, template: &str, values: &str, (test, production): (&str, &str)) -> Self {
        let said = |text: &str| text.replace("HOST", &self.town.host());
        self.shop.write("chart/templates/all.yaml", &said(template));
        self.shop.write("chart/values.yaml", &said(values));
        self.shop.write("test.yaml", &said(test));
        self.shop.write("production.yaml", &said(production));
        self.push("changed");
        self
    }
}

/// Three services of one line, of which an environment may leave one out.
fn shared(promotion: &str) -> Place {
    let place = place(promotion);
    let one = |name: &str| deployment(name, &format!("{{{{ .Values.registry }}}}/{name}:{{{{ .Values.version }}}}"));
    let template =
        format!("{}{}{{{{- if .Values.reports }}}}\n{}{{{{- end }}}}\n", one("web"), one("jobs"), one("reports"));
    for name in ["acme/jobs", "acme/reports"] {
        place.town.publish(name, "0.4.0", BEFORE);
    }
    place.town.publish("acme/jobs", "0.5.0-alpha.1.1", COMMIT);
    let files = ("version: 0.5.0-alpha.1.1\n", "version: 0.4.0\nreports: true\n");
    place.with_chart(&template, "registry: HOST/acme\nversion: \"\"\nreports: false\n", files)
}

#[test]
fn an_image_that_shares_a_line_and_was_not_tested_keeps_all_of_it_from_going() {
    for promotion in [COMMITTED, PROPOSED] {
        let place = shared(promotion).delivered();
        // There is one of that name, which nobody has seen.
        place.town.publish("acme/reports", "0.5.0", COMMIT);
        for more in [&[][..], &["--dry-run"], &["--recorded"], &["--service", "web"]] {
            let refused = place.promote(more).exits(5).says("LF0974");
            let refused = refused.says("acme/reports:0.5.0 would run in production (Deployment/reports)");
            refused.says("version of production.yaml").lacks("acme/web:0.5.0 would");
        }
        assert_eq!((place.commits("main"), place.town.digest("acme/web", "0.5.0")), (2, None));
        assert!(place.town.pulls().is_empty());
    }
}

#[test]
fn what_shares_a_line_and_was_tested_goes_along_whichever_was_named() {
    let place = shared(COMMITTED);
    place.shop.write("production.yaml", "version: 0.4.0\n");
    place.push("changed");
    let place = place.delivered();
    let done = place.promote(&["--service", "web", "-o", "json"]).exits(0).json();
    assert_eq!(done["data"]["released"].as_array().map(Vec::len), Some(2), "{done:#}");
    for name in ["acme/web", "acme/jobs"] {
        let tested = place.town.digest(name, "0.5.0-alpha.1.1");
        assert_eq!(place.town.digest(name, "0.5.0"), tested, "{name}");
    }
    assert_eq!(place.main("production.yaml"), "version: 0.5.0\n");
}

#[test]
fn a_hand_asks_for_every_image_that_its_line_sets() {
    let place = shared(COMMITTED);
    place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    let words = ["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--service", "web", "--push", "--yes"];
    place.run_as("ada", &words).exits(5).says("LF0966").says("acme/jobs:0.5.0-alpha.2.1");
    assert!(place.main("test.yaml").contains("0.5.0-alpha.1.1"));
    place.town.publish("acme/jobs", "0.5.0-alpha.2.1", COMMIT);
    place.run_as("ada", &words).exits(0);
}

#[test]
fn ez_16_a_role_that_was_not_tested_does_not_go_along_with_its_line() {
    let place = place(COMMITTED);
    let one = |name: &str| {
        deployment(name, &format!("{{{{ .Values.image.repository }}}}:{name}-{{{{ .Values.image.tag }}}}"))
    };
    let template = format!("{}{{{{- if .Values.scheduler }}}}\n{}{{{{- end }}}}\n", one("web"), one("scheduler"));
    let files = ("image: {tag: v0.5.0-alpha.1.1}\nscheduler: false\n", "image: {tag: v0.4.0}\n");
    let values = "image: {repository: HOST/acme/site, tag: \"\"}\nscheduler: true\n";
    let place = place.with_chart(&template, values, files);
    for tag in ["web-v0.4.0", "scheduler-v0.4.0", "web-v0.5.0-alpha.1.1"] {
        place.town.publish("acme/site", tag, COMMIT);
    }
    let place = place.delivered();
    let refused = place.promote(&[]).exits(5).says("LF0974");
    refused.says("acme/site:scheduler-v0.5.0 would run in production").lacks("site:web-v0.5.0 would");
    assert_eq!((place.commits("main"), place.town.digest("acme/site", "web-v0.5.0")), (2, None));
    // Once it was tested, each role has its own image's tag.
    let scheduler = place.town.publish("acme/site", "scheduler-v0.5.0-alpha.1.1", COMMIT);
    place.shop.edit("test.yaml", "scheduler: false", "scheduler: true");
    place.push("changed");
    let place = place.delivered();
    place.promote(&[]).exits(0);
    assert_eq!(place.town.digest("acme/site", "scheduler-v0.5.0"), Some(scheduler));
    assert_eq!(place.town.digest("acme/site", "web-v0.5.0"), place.town.digest("acme/site", "web-v0.5.0-alpha.1.1"));
    assert_eq!(place.main("production.yaml"), "image: {tag: v0.5.0}\n");
}

#[test]
fn the_tag_that_is_given_is_the_one_that_is_written_whatever_its_v() {
    for (test, production, released, other) in
        [("v0.5.0-alpha.1.1", "0.4.0", "0.5.0", "v0.5.0"), ("0.5.0-alpha.1.1", "v0.4.0", "v0.5.0", "0.5.0")]
    {
        let of_lines = || {
            let place = place(COMMITTED);
            place.town.publish("acme/web", test, COMMIT);
            place.town.publish("acme/web", production, BEFORE);
            place.shop.edit("test.yaml", "web:0.5.0-alpha.1.1", &format!("web:{test}"));
            place.shop.edit("production.yaml", "web:0.4.0", &format!("web:{production}"));
            place.push("changed");
            place.delivered()
        };
        let place = of_lines();
        let told = place.promote(&["-o", "json"]).exits(0).json();
        assert_eq!(told["data"]["released"][0]["tag"], released, "{told:#}");
        assert!(place.main("production.yaml").contains(&format!("web:{released}'")), "{released}");
        let tested = place.town.digest("acme/web", test);
        assert_eq!(place.town.digest("acme/web", released), tested);
        assert_eq!(place.town.digest("acme/web", other), None);
        // Where another image has that name nothing goes, and a look says so, too.
        let place = of_lines();
        place.town.publish("acme/web", released, "another");
        for more in [&["--dry-run"][..], &[]] {
            place.promote(more).exits(5).says("LF0984").says(&format!("web:{released} is another image"));
        }
        assert_eq!(place.commits("main"), 2);
    }
}

#[test]
fn what_says_it_already_is_the_tested_image_or_is_told() {
    let place = place(COMMITTED).delivered();
    place.promote(&[]).exits(0);
    let tested = place.town.digest("acme/web", "0.5.0-alpha.1.1");
    // What has a release's tag is known from then on, so that another one which has it later was moved.
    place.town.publish("acme/web", "0.5.0", "moved");
    let back = ["rollback", "--env", "production", "--to", "0.5.0", "--yes"];
    place.run_as("ada", &back).exits(5).says("LF0968");
    place.town.remove("acme/web", "0.5.0");
    place.promote(&["--dry-run"]).exits(0).says("acme/web:0.5.0 is not in its registry");
    place.promote(&[]).exits(0).says("it is so already").says("acme/web:0.5.0 is");
    assert_eq!(place.town.digest("acme/web", "0.5.0"), tested);
    // Another build of the same version is not what has that name.
    place.town.publish("acme/web", "0.5.0-alpha.2.1", "another");
    place.shop.edit("test.yaml", "alpha.1.1", "alpha.2.1");
    place.shop.git(&["fetch", "-q", "../git/acme/shop.git", "main"]);
    place.shop.git(&["stash", "-q"]);
    place.shop.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    place.shop.git(&["stash", "pop", "-q"]);
    place.push("changed");
    let place = place.delivered();
    place.promote(&[]).exits(5).says("LF0984");
}

#[test]
fn a_line_that_another_receiver_reads_is_not_written_past_its_rules() {
    let place = place(COMMITTED);
    let declared = |us: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  test:\n    cluster: embedded\n    releases: [{{name: web, chart: chart, namespace: shop-test, values: [test.yaml]}}]\n  eu:\n    cluster: embedded\n    releases: [{{name: web, chart: chart, namespace: shop-eu, values: [production.yaml]}}]\n  us:\n    cluster: embedded\n    releases: [{{name: web, chart: chart, namespace: shop-us, values: [production.yaml{us}]}}]\npromotion:\n  - {{from: test, to: eu, by: commit, version: strip-prerelease}}\n  - {{from: eu, to: us, by: pull-request, owners: [bob]}}\n"
        )
    };
    place.shop.write("landfall.yaml", &declared(""));
    place.push("changed");
    let place = place.delivered();
    let words = ["promote", "--from", "test", "--to", "eu", "--yes"];
    for more in [&["--dry-run"][..], &[]] {
        let refused = place.run_as("ada", &[&words[..], more].concat()).exits(5).says("LF0997");
        refused.says("us reads image of production.yaml as eu does");
    }
    assert_eq!((place.commits("main"), place.town.digest("acme/web", "0.5.0")), (2, None));
    // One that says its own behind it is its own.
    place.shop.write("us.yaml", &format!("image: '{}/acme/web:0.4.0'\n", place.town.host()));
    place.shop.write("landfall.yaml", &declared(", us.yaml"));
    place.push("changed");
    place.run_as("ada", &words).exits(0);
    assert!(place.main("production.yaml").contains("web:0.5.0'") && place.main("us.yaml").contains("web:0.4.0'"));
}

#[test]
fn a_commit_that_leads_to_the_one_that_runs_is_no_promotion() {
    let place = place("by: commit");
    let declared = place.shop.read("landfall.yaml");
    let declared = declared.replace("policy: semver, channel: alpha", "policy: commit-sha");
    place.shop.write("landfall.yaml", &declared.replace("policy: semver, channel: stable", "policy: commit-sha"));
    let head = |place: &Place| git(&place.shop.root().to_owned(), &["rev-parse", "HEAD"]).trim().to_owned();
    place.push("changed");
    let older = head(&place);
    place.shop.write("notes.txt", "more\n");
    place.push("changed");
    let newer = head(&place);
    let tag = |commit: &str| format!("sha-{}", &commit[..7]);
    let says = |test: &str, production: &str| {
        for (file, commit) in [("test.yaml", test), ("production.yaml", production)] {
            place.shop.write(file, &format!("image: '{}/acme/web:{}'\n", place.town.host(), tag(commit)));
            place.town.publish("acme/web", &tag(commit), commit);
        }
        place.push("changed");
        place.shop.run(&["up", "--env", "test"]).exits(0);
    };
    says(&older, &newer);
    place.promote(&[]).exits(5).says("LF0983").says("going back is no promotion");
    says(&newer, &older);
    place.promote(&[]).exits(0);
    assert!(place.main("production.yaml").contains(&tag(&newer)));
}

/// A chart as `helm create` makes it.
fn created() -> Place {
    let place = place(COMMITTED);
    let image = "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}";
    place.shop.write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: v0.4.0\n");
    let template = deployment("web", image);
    place.town.publish("acme/web", "v0.4.0", BEFORE);
    place.town.publish("acme/web", "v0.5.0-alpha.1.1", COMMIT);
    let values = "image: {repository: HOST/acme/web, tag: \"\"}\n";
    place.with_chart(&template, values, ("image:\n  tag: v0.5.0-alpha.1.1\n", "# production\n"))
}

#[test]
fn where_the_charts_own_version_is_the_tag_the_environments_file_gets_the_line() {
    let place = created();
    let listed = place.shop.run(&["images", "list", "--env", "production", "-o", "json"]).exits(0).json();
    assert!(listed["data"]["images"][0]["image"].as_str().is_some_and(|it| it.ends_with("web:v0.4.0")), "{listed:#}");
    let place = place.delivered();
    place.promote(&[]).exits(0);
    assert_eq!(place.main("production.yaml"), "# production\nimage:\n  tag: v0.5.0\n");
    assert_eq!(place.town.digest("acme/web", "v0.5.0"), place.town.digest("acme/web", "v0.5.0-alpha.1.1"));
    // One that says nothing, and an empty one; by the environment, by the service and by the file.
    let (new, empty) = ("# test\nimage:\n  tag: v0.5.0-alpha.1.1\n", "image: {tag: \"v0.5.0-alpha.1.1\"}\n");
    let (service, file) = (["--service", "web"], ["--file", "test.yaml"]);
    let of_both = [service, file].concat();
    for (said, wanted, more) in [
        ("# test\n", new, &[][..]),
        ("# test\n", new, &service),
        ("# test\n", new, &file),
        ("# test\n", new, &of_both),
        ("image: {tag: \"\"}\n", empty, &[]),
        ("image: {tag: \"\"}\n", empty, &of_both),
    ] {
        place.shop.write("test.yaml", said);
        place.run_as("ada", &[&["images", "set", "0.5.0-alpha.1.1", "--env", "test"][..], more].concat()).exits(0);
        assert_eq!(place.shop.read("test.yaml"), wanted, "{more:?}");
    }
}

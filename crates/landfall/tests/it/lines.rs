//! `landfall images set`: which lines it sets, whose they are, and what stands in them afterwards.

use super::sandbox::{Ran, Sandbox, ran, small_chart};
use super::scales::{git, shop};

const DIGEST: &str = "sha256:08216f5b4f5b6f5d0821aabbccddeeff08216f5b4f5b6f5d0821aabbccddeeff";

fn set(there: &Sandbox, words: &[&str]) -> Ran {
    there.run(&[&["images", "set"], words].concat())
}

/// The web server in front of the product's own container is nobody's of this repository.
#[test]
fn ez_53_an_image_that_only_the_chart_names_is_nobodys_for_standing_in_a_services_object() {
    let ez = Sandbox::example("ezscale-website");
    ez.commit("first");
    let file = "helm/ezscale-website/values-us-prod.yaml";
    let before = ez.read(file);
    // Past the promotion that leads there.
    set(&ez, &["v1.2.3", "--env", "us-prod", "--break-glass", "tried"]).exits(0).lacks("nginx");
    assert_eq!(ez.read(file), before.replace("tag: v1.0.0", "tag: v1.2.3"));
}

#[test]
fn a_whole_image_that_only_the_charts_default_says_stays_whole_in_the_environments_file() {
    let (shop, _bare) = shop();
    shop.edit("chart/values.yaml", "example/app:1.0.0", "ghcr.io/acme/web:1.0.0");
    let words = ["--env", "test", "--service", "web"];
    set(&shop, &[&["0.9.0"], &words[..]].concat()).exits(0).says("0.9.0 is older than 1.0.0, which stays");
    set(&shop, &[&["1.1.0"], &words[..]].concat()).exits(0).says("image: 1.0.0 -> 1.1.0");
    assert_eq!(shop.read("test.yaml"), "settings: {color: red}\nimage: ghcr.io/acme/web:1.1.0\n");
    // Of one that is pinned the digest says what runs.
    shop.write("test.yaml", "settings: {color: red}\n");
    shop.edit("chart/values.yaml", "ghcr.io/acme/web:1.0.0", &format!("'ghcr.io/acme/web:1.0.0@{DIGEST}'"));
    set(&shop, &[&["1.1.0"], &words[..]].concat()).exits(5).says("LF0961");
    assert_eq!(shop.read("test.yaml"), "settings: {color: red}\n");
}

#[test]
fn a_digest_that_the_charts_default_says_is_no_tags_and_a_new_tag_beside_it_is_refused() {
    let (shop, _bare) = shop();
    shop.write(
        "chart/values.yaml",
        &format!("replicas: 1\nimage: {{repository: ghcr.io/acme/web, tag: 1.0.0, digest: '{DIGEST}'}}\nsettings: {{color: blue}}\n"),
    );
    shop.edit(
        "chart/templates/all.yaml",
        "{{ .Values.image }}",
        "\"{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ with .Values.image.digest }}@{{ . }}{{ end }}\"",
    );
    shop.write("prod.yaml", "replicas: 2\n");
    for text in ["replicas: 2\n", "replicas: 2\nimage: {tag: 1.0.0}\n"] {
        shop.write("prod.yaml", text);
        let refused = set(&shop, &["1.1.0", "--env", "prod", "--service", "web"]).exits(5);
        refused.says("LF0961").says("image.digest").says("nothing was written");
        assert_eq!(shop.read("prod.yaml"), text);
    }
    // An environment of its own mind.
    shop.write("prod.yaml", "image: {tag: 1.0.0, digest: \"\"}\n");
    set(&shop, &["1.1.0", "--env", "prod", "--service", "web"]).exits(0);
    assert_eq!(shop.read("prod.yaml"), "image: {tag: 1.1.0, digest: \"\"}\n");
}

#[test]
fn a_named_file_keeps_foreign_images_whose_repository_comes_by_an_alias_or_a_merge() {
    let (shop, _bare) = shop();
    std::fs::remove_file(shop.root().join("landfall.yaml")).expect("removed");
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    let values = "r: &redis docker.io/library/redis\nbase: &base {repository: docker.io/library/valkey}\nweb: {image: {repository: ghcr.io/acme/web, tag: 1.0.0}}\ncache: {image: {repository: *redis, tag: 7.2.0}}\nstore: {image: {<<: *base, tag: 8.1.0}}\n";
    shop.write("values.yaml", values);
    set(&shop, &["1.1.0", "--file", "values.yaml"]).exits(0);
    assert_eq!(shop.read("values.yaml"), values.replace("web, tag: 1.0.0", "web, tag: 1.1.0"));
    let kustomization = "resources: [web.yaml]\nimages:\n  - {name: ghcr.io/acme/web, newTag: \"1.0.0\"} # ours\n  - {name: redis, newTag: 7.2.0}\n";
    shop.write("kustomization.yaml", kustomization);
    set(&shop, &["1.1.0", "--file", "kustomization.yaml"]).exits(0).says("images[0].newTag: 1.0.0 -> 1.1.0");
    assert_eq!(shop.read("kustomization.yaml"), kustomization.replace("1.0.0", "1.1.0"));
    set(&shop, &["1.1.0", "--file", "."]).exits(2).says("`.` is a directory");
}

#[test]
fn a_kustomizations_tag_is_listed_with_its_line_and_set_there() {
    let (shop, _bare) = shop();
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    let deployment = |tag: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: site}}\nspec:\n  selector: {{matchLabels: {{app: site}}}}\n  template: {{metadata: {{labels: {{app: site}}}}, spec: {{containers: [{{name: site, image: \"ghcr.io/acme/site:{tag}\"}}, {{name: cache, image: \"redis:7.2.0\"}}]}}}}\n"
        )
    };
    let base = "resources: [site.yaml]\nimages: [{name: site, newName: ghcr.io/acme/site, newTag: 1.0.0}]\n";
    shop.write("base/kustomization.yaml", base);
    shop.write("base/site.yaml", &deployment("none"));
    let overlay = "resources: [../base]\nimages:\n  - name: redis\n    newTag: 7.2.0\n  - name: ghcr.io/acme/site\n    newTag: 1.0.0 # ours\n";
    shop.write("prod/kustomization.yaml", overlay);
    let programs = shop.root().join("../programs");
    std::fs::create_dir(&programs).expect("made");
    let program = programs.join("kustomize");
    std::fs::write(
        &program,
        format!("#!/bin/sh\nwhile IFS= read -r line; do echo \"$line\"; done <<'END'\n{}END\n", deployment("1.0.0")),
    )
    .expect("written");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    shop.write(
        "gitops/site.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: site, namespace: argocd}\nspec:\n  project: default\n  destination: {server: https://kubernetes.default.svc, namespace: site}\n  source: {repoURL: 'https://git.example.com/acme/shop.git', path: prod, targetRevision: HEAD}\n",
    );
    shop.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: embedded\n    applications: gitops/*.yaml\n",
    );
    shop.commit("a kustomization");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    let run = |words: &[&str]| ran(shop.command(words).env("PATH", &path).output().expect("the binary runs"));
    let listed = run(&["images", "list", "--env", "prod", "-o", "json"]).exits(0).json();
    let lines: Vec<_> = listed["data"]["images"]
        .as_array()
        .expect("images")
        .iter()
        .map(|it| (it["image"].as_str().expect("one"), it["set_at"][0].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        lines,
        [("ghcr.io/acme/site:1.0.0", "prod/kustomization.yaml:6"), ("redis:7.2.0", "prod/kustomization.yaml:4")]
    );
    run(&["images", "set", "1.1.0", "--env", "prod"]).exits(0).says("images[1].newTag: 1.0.0 -> 1.1.0");
    assert_eq!(shop.read("prod/kustomization.yaml"), overlay.replace("1.0.0", "1.1.0"));
    assert_eq!(shop.read("base/kustomization.yaml"), base);
    // Where the overlay says none, that of the base counts.
    shop.write("prod/kustomization.yaml", "resources: [../base]\n");
    run(&["images", "set", "1.1.0", "--env", "prod"]).exits(0).says("base/kustomization.yaml:2");
    assert_eq!(shop.read("base/kustomization.yaml"), base.replace("1.0.0", "1.1.0"));
}

#[test]
fn a_tag_that_comes_by_an_alias_is_set_where_it_is_written_or_refused_by_name() {
    let (shop, _bare) = shop();
    std::fs::remove_file(shop.root().join("landfall.yaml")).expect("removed");
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    let values = "version: &v 1.0.0 # all\nweb: {image: {repository: ghcr.io/acme/web, tag: *v}}\napi: {image: {repository: ghcr.io/acme/api, tag: *v}}\n";
    shop.write("values.yaml", values);
    set(&shop, &["1.1.0", "--file", "values.yaml"]).exits(0).says("values.yaml:1  version: 1.0.0 -> 1.1.0");
    assert_eq!(shop.read("values.yaml"), values.replace("1.0.0", "1.1.0"));
    let mixed = values.replace("acme/api", "others/api");
    shop.write("values.yaml", &mixed);
    let refused = set(&shop, &["1.1.0", "--file", "values.yaml"]).exits(1);
    refused.says("`web.image.tag`").says("api.image.tag (values.yaml:3)").says("`version` on line 1");
    assert_eq!(shop.read("values.yaml"), mixed);
    // The same where the line is found from what is rendered.
    let (shop, _bare) = super::scales::shop();
    shop.write("prod.yaml", "x: &i 'ghcr.io/acme/web:1.0.0'\nimage: *i\n");
    set(&shop, &["1.1.0", "--env", "prod"]).exits(0).says("prod.yaml:1  x: 1.0.0 -> 1.1.0");
    assert_eq!(shop.read("prod.yaml"), "x: &i 'ghcr.io/acme/web:1.1.0'\nimage: *i\n");
    shop.write("prod.yaml", "image: &i 'ghcr.io/acme/web:1.0.0'\nother: *i\n");
    set(&shop, &["1.1.0", "--env", "prod"]).exits(1).says("other (prod.yaml:2)");
}

#[test]
fn with_a_landfall_yaml_what_is_built_says_whose_an_image_of_a_named_file_is() {
    let (shop, _bare) = shop();
    shop.edit(
        "landfall.yaml",
        "    images: {policy",
        "    build: {web: {dockerfile: Dockerfile}}\n    images: {policy",
    );
    shop.write(
        "chart/templates/side.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: proxy}\nspec:\n  selector: {matchLabels: {app: p}}\n  template:\n    metadata: {labels: {app: p}}\n    spec: {containers: [{name: p, image: \"{{ .Values.proxy.image }}\"}]}\n",
    );
    shop.edit("chart/values.yaml", "replicas: 1", "replicas: 1\nproxy: {image: 'ghcr.io/acme/proxy:1.0.0'}");
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    let values = "image: ghcr.io/acme/web:1.0.0\nproxy: {image: ghcr.io/acme/proxy:1.0.0}\n";
    shop.write("prod.yaml", values);
    set(&shop, &["1.1.0", "--file", "prod.yaml"]).exits(0);
    assert_eq!(shop.read("prod.yaml"), values.replace("web:1.0.0", "web:1.1.0"));
}

#[test]
fn a_values_file_is_written_by_one_name_however_it_is_reached_and_begun_where_it_is_empty() {
    let (shop, bare) = shop();
    shop.edit("landfall.yaml", "[prod.yaml]", "[../prod.yaml]");
    std::fs::rename(shop.root().join("prod.yaml"), shop.root().join("chart/prod.yaml")).expect("moved");
    std::fs::rename(shop.root().join("chart/prod.yaml"), shop.root().join("prod.yaml")).expect("moved");
    shop.commit("by another way");
    shop.git(&["push", "-q", "origin", "HEAD:main"]);
    shop.run(&["images", "list", "--env", "prod"]).exits(0).says("prod.yaml:4").lacks("..");
    set(&shop, &["1.1.0", "--env", "prod", "--push", "--unchecked"]).exits(0).says("prod.yaml:4").lacks("..");
    assert!(git(&bare, &["show", "main:prod.yaml"]).contains("web:1.1.0"));
    for text in ["", "# by the pipeline\n"] {
        shop.write("test.yaml", text);
        set(&shop, &["1.1.0", "--env", "test", "--service", "web"]).exits(0);
        assert_eq!(shop.read("test.yaml"), format!("{text}image: example/app:1.1.0\n"));
    }
}

#[test]
fn what_is_injected_reaches_every_file_whose_tags_are_set() {
    let (shop, _bare) = shop();
    small_chart(&shop, "api", "api");
    shop.edit(
        "landfall.yaml",
        "values: [prod.yaml]}]",
        "values: [prod.yaml]}, {name: api, chart: api, namespace: shop, values: [api.yaml]}]",
    );
    let declared = shop.read("landfall.yaml");
    shop.write(
        "landfall.yaml",
        &format!("{declared}promotion:\n  - {{from: test, to: prod, by: commit, inject: [version]}}\n"),
    );
    shop.write("prod.yaml", "image: 'ghcr.io/acme/web:1.0.0'\nversion: 1.0.0\n");
    shop.write("api.yaml", "image: 'ghcr.io/acme/api:1.0.0'\n");
    let done = set(&shop, &["1.1.0", "--env", "prod", "--break-glass", "tried"]).exits(0);
    done.says("version: 1.0.0 -> 1.1.0").says("version: (nothing) -> 1.1.0");
    assert_eq!(shop.read("prod.yaml"), "image: 'ghcr.io/acme/web:1.1.0'\nversion: 1.1.0\n");
    assert_eq!(shop.read("api.yaml"), "image: 'ghcr.io/acme/api:1.1.0'\nversion: 1.1.0\n");
}

#[test]
fn what_is_told_of_a_push_is_what_the_branch_has_and_not_what_lies_here() {
    let (shop, bare) = shop();
    set(&shop, &["1.0.5", "--env", "prod", "--push", "--unchecked"]).exits(0).says("1.0.0 -> 1.0.5");
    set(&shop, &["1.0.6", "--env", "prod", "--push", "--unchecked"]).exits(0).says("1.0.5 -> 1.0.6").lacks("1.0.0 ->");
    assert!(git(&bare, &["log", "-1", "--format=%b", "main"]).contains("1.0.5 -> 1.0.6"));
}

#[test]
fn the_echo_of_a_commit_that_is_not_pulled_yet_is_known_by_its_short_hash() {
    let (shop, bare) = shop();
    shop.edit("landfall.yaml", "{policy: semver, channel: stable}", "{policy: commit-sha}");
    shop.commit("tags are commits");
    shop.git(&["push", "-q", "origin", "HEAD:main"]);
    set(&shop, &["sha-1234567", "--env", "prod", "--push", "--unchecked"]).exits(0);
    let ours = git(&bare, &["rev-parse", "main"]).trim().to_owned();
    let tag = format!("sha-{}", &ours[..7]);
    set(&shop, &[&tag, "--env", "prod", "--push", "--unchecked"]).says("LF0528");
    assert_eq!(git(&bare, &["rev-parse", "main"]).trim(), ours);
}

#[test]
fn a_short_hash_moves_the_charts_commit_as_the_whole_one_does_and_heals_what_a_short_one_left() {
    let (shop, _bare) = shop();
    let head = || git(&shop.root().to_owned(), &["rev-parse", "HEAD"]).trim().to_owned();
    let first = head();
    shop.write("gitops/values.yaml", "image: 'ghcr.io/acme/web:1.0.0'\n");
    shop.write("gitops/release.yaml", &format!("image_tag: 1.0.0\nproduct_commit: {first}\n"));
    shop.write(
        "gitops/app.yaml",
        &format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web, namespace: argocd}}\nspec:\n  project: default\n  destination: {{server: https://kubernetes.default.svc, namespace: shop}}\n  sources:\n    - {{repoURL: https://git.example.com/acme/shop.git, targetRevision: {first}, path: chart, helm: {{valueFiles: [$ops/gitops/values.yaml]}}}}\n    - {{repoURL: https://git.example.com/acme/shop.git, targetRevision: main, ref: ops}}\n"
        ),
    );
    let declared = shop.read("landfall.yaml");
    shop.write(
        "landfall.yaml",
        &declared.replace(
            "releases: [{name: web, chart: chart, namespace: shop, values: [prod.yaml]}]",
            "applications: gitops/app.yaml",
        ),
    );
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    shop.commit("applications");
    let second = head();
    let done = set(&shop, &["1.1.0", "--env", "prod", "--commit", &second[..7], "--unchecked"]).exits(0);
    done.says("targetRevision");
    assert!(shop.read("gitops/app.yaml").contains(&second) && shop.read("gitops/release.yaml").contains(&second));
    shop.commit("moved");
    // One that an earlier version of ours has left: no source ever followed it.
    let third = head();
    shop.edit("gitops/release.yaml", &second, &third[..7]);
    shop.commit("left behind");
    set(&shop, &["1.2.0", "--env", "prod", "--commit", &third, "--unchecked"]).exits(0);
    assert!(shop.read("gitops/app.yaml").contains(&third) && shop.read("gitops/release.yaml").contains(&third));
    // Of nothing that is known here.
    let refused = set(&shop, &["1.3.0", "--env", "prod", "--commit", "abcdef0", "--unchecked"]).exits(2);
    refused.says("nothing says the whole one").says("nothing was written");
    assert!(shop.read("gitops/release.yaml").contains("image_tag: 1.2.0"));
}

#[test]
fn what_stands_in_the_environment_gives_way_to_what_is_typed_and_help_says_what_a_verb_does() {
    let (shop, _bare) = shop();
    let mut command = shop.command(&["version", "check", "1.0.0", "--channel", "stable"]);
    let output = command.env("LANDFALL_ENV", "prod").output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut command = shop.command(&["version", "check", "1.0.0-alpha.1.1"]);
    let output = command.env("LANDFALL_ENV", "prod").output().expect("runs");
    assert_eq!(output.status.code(), Some(5), "the environment's policy is asked where no channel is named");
    shop.run(&["version", "check", "1.0.0", "--channel", "stable", "--env", "prod"]).exits(2);
    shop.write("package.json", "\u{feff}{\"version\": \"0.5.0\"}");
    shop.run(&["version", "check", "--from", "0.5.0"]).exits(0);
    for group in ["images", "version", "serve"] {
        shop.run(&[group, "--help"]).exits(0).lacks("Arguments of");
    }
}

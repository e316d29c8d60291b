//! Tags that stand in kustomizations: set, promoted, scanned and gone back from as those of values files are.

use std::os::unix::fs::PermissionsExt as _;

use super::super::sandbox::{Ran, ran};
use super::town::TOKEN;
use super::{COMMIT, COMMITTED, Place, place};

/// What kustomize does with `images` and `resources`, as they are written anew before it reads them: in blocks.
const KUSTOMIZE: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
for last in "$@"; do :; done
cd "$last" || exit 1
awk '
  /^[a-zA-Z]/ { section = $0; sub(":.*", "", section) }
  section == "resources" && /^- / { print "resource " substr($0, 3) }
  section == "images" && /^- / { if (entry != "") print "image {" entry "}"; entry = substr($0, 3) }
  section == "images" && /^  / { entry = entry ", " substr($0, 3) }
  END { if (entry != "") print "image {" entry "}" }' kustomization.yaml > flat
# shellcheck disable=SC2013
for name in $(sed -n 's/^resource //p' flat); do
  if [ -d "$name" ]; then "$0" build "$name"; else cat "$name"; fi
done | awk '
  function said(key) { return match(entry, "[{ ]" key ": [^,}]*") ? substr(entry, RSTART + length(key) + 3, RLENGTH - length(key) - 3) : "" }
  BEGIN {
    while ((getline entry < "flat") > 0) if (entry ~ /^image /) {
      names[++count] = said("name"); to[count] = said("newName"); tags[count] = said("newTag"); digests[count] = said("digest")
      gsub("[\"\047]", "", names[count]); gsub("[\"\047]", "", to[count])
      gsub("[\"\047]", "", tags[count]); gsub("[\"\047]", "", digests[count])
    }
  }
  match($0, "image: \"[^\"]*\"") {
    image = substr($0, RSTART + 8, RLENGTH - 9); before = substr($0, 1, RSTART - 1); after = substr($0, RSTART + RLENGTH)
    for (at = 1; at <= count; at++) {
      bare = image; sub("@.*", "", bare); sub(":[^/]*$", "", bare)
      if (bare != names[at]) continue
      rest = substr(image, length(bare) + 1)
      if (tags[at] != "") rest = ":" tags[at]
      if (digests[at] != "") rest = (tags[at] != "" ? ":" tags[at] : "") "@" digests[at]
      image = (to[at] != "" ? to[at] : bare) rest
      break
    }
    print before "image: \"" image "\"" after; next
  }
  { print }'
"#;

/// A system whose environments are kustomizations over one base, which knows images by names of its own.
struct Kustomized {
    place: Place,
    path: String,
}

fn kustomized(services: &[&str], test: &str, production: &str) -> Kustomized {
    let place = place(COMMITTED);
    let (host, url) = (place.town.host(), place.town.url("acme/shop.git"));
    let deployment = |name: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: {name}, image: \"{name}\"}}]}}}}\n"
        )
    };
    place.shop.write("base/all.yaml", &services.iter().map(|name| deployment(name)).collect::<String>());
    let entry = |name: &&str| format!("  - {{name: {name}, newName: {host}/acme/{name}}}\n");
    let images: String = services.iter().map(entry).collect();
    place.shop.write("base/kustomization.yaml", &format!("resources: [all.yaml]\nimages:\n{images}"));
    for (environment, entries) in [("test", test), ("production", production)] {
        let entries = entries.replace("HOST", &host);
        let text = format!("# {environment}\nresources: [../base]\nimages:\n{entries}");
        place.shop.write(&format!("{environment}/kustomization.yaml"), &text);
        place.shop.write(
            &format!("gitops/{environment}.yaml"),
            &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {environment}, namespace: argocd}}\nspec:\n  project: default\n  destination: {{server: https://kubernetes.default.svc, namespace: shop-{environment}}}\n  source: {{repoURL: '{url}', path: {environment}, targetRevision: HEAD}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n"),
        );
    }
    let releases = |namespace: &str, file: &str| {
        format!("releases: [{{name: web, chart: chart, namespace: {namespace}, values: [{file}]}}]")
    };
    place.shop.edit("landfall.yaml", &releases("shop-test", "test.yaml"), "applications: gitops/test.yaml");
    place.shop.edit("landfall.yaml", &releases("shop", "production.yaml"), "applications: gitops/production.yaml");
    place.push("kustomizations");
    let programs = place.shop.root().join("../programs");
    std::fs::create_dir(&programs).expect("made");
    let program = programs.join("kustomize");
    std::fs::write(&program, KUSTOMIZE).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    Kustomized { place, path }
}

impl Kustomized {
    fn run(&self, words: &[&str]) -> Ran {
        let mut command = self.place.shop.command(words);
        command.env("PATH", &self.path).env("USER", "ada");
        command.env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", self.place.town.host());
        ran(command.output().expect("runs"))
    }

    /// Takes over what is on the branch.
    fn pull(&self) {
        self.place.shop.git(&["fetch", "-q", "../git/acme/shop.git", "main"]);
        self.place.shop.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    }

    fn delivered(self) -> Self {
        self.run(&["up", "--env", "test"]).exits(0);
        self
    }
}

#[test]
fn what_a_kustomization_renames_is_set_promoted_and_gone_back_from_where_its_tag_stands() {
    let one = kustomized(
        &["web"],
        "  - {name: HOST/acme/web, newTag: 0.5.0-alpha.1.1} # by the pipeline\n",
        "  - {name: web, newTag: 9.9.9}\n  - {name: HOST/acme/web, newTag: 0.4.0}   # promoted\n",
    );
    let place = &one.place;
    let before = place.main("production/kustomization.yaml");
    place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    one.run(&["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"]).exits(0);
    assert!(place.main("test/kustomization.yaml").contains("newTag: 0.5.0-alpha.2.1} # by the pipeline"));
    one.pull();
    let one = one.delivered();
    let promote = ["promote", "--from", "test", "--to", "production", "--yes"];
    one.run(&[&promote[..], &["--dry-run"]].concat()).exits(0).says("0.5.0");
    one.run(&promote).exits(0);
    let place = &one.place;
    assert_eq!(place.main("production/kustomization.yaml"), before.replace("newTag: 0.4.0", "newTag: 0.5.0"));
    one.pull();
    one.run(&["rollback", "--env", "production", "--yes"]).exits(0);
    assert_eq!(place.main("production/kustomization.yaml"), before);
}

#[test]
fn a_digest_beside_a_tag_in_a_kustomization_moves_with_it() {
    let one = kustomized(
        &["web"],
        "  - {name: HOST/acme/web, newTag: 0.5.0-alpha.1.1, digest: TESTED} # by the pipeline\n",
        "  - {name: HOST/acme/web, newTag: 0.4.0, digest: PROMOTED}   # promoted\n",
    );
    let digest = |tag: &str| one.place.town.digest("acme/web", tag).expect("published");
    let (tested, promoted) = (digest("0.5.0-alpha.1.1"), digest("0.4.0"));
    one.place.shop.edit("test/kustomization.yaml", "TESTED", &tested);
    one.place.shop.edit("production/kustomization.yaml", "PROMOTED", &promoted);
    one.place.shop.commit("pinned");
    one.place.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:main"]);
    let before = one.place.main("production/kustomization.yaml");
    let listed = one.run(&["images", "list", "--env", "test", "-o", "json"]).exits(0).json();
    let image = &listed["data"]["images"][0];
    assert_eq!(image["set_at"][0], "test/kustomization.yaml:4", "{listed:#}");
    assert!(image["image"].as_str().is_some_and(|it| it.ends_with(&format!("web:0.5.0-alpha.1.1@{tested}"))));
    let next = one.place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    one.run(&["images", "set", "0.5.0-alpha.2.1", "--env", "test"]).exits(5).says("LF0961");
    one.run(&["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"]).exits(0);
    let says = |environment: &str, line: &str| {
        let text = one.place.main(&format!("{environment}/kustomization.yaml"));
        assert!(text.replace(['"', '\''], "").contains(line), "{line} in {text}");
    };
    says("test", &format!("newTag: 0.5.0-alpha.2.1, digest: {next}}} # by the pipeline"));
    one.pull();
    one.run(&["up", "--env", "test"]).exits(0);
    one.run(&["promote", "--from", "test", "--to", "production", "--yes"]).exits(0);
    says("production", &format!("newTag: 0.5.0, digest: {next}}}   # promoted"));
    one.pull();
    one.run(&["rollback", "--env", "production", "--yes"]).exits(0);
    assert_eq!(one.place.main("production/kustomization.yaml").replace(['"', '\''], ""), before);
    // Where no promotion leads, too: nothing else says the digest.
    one.pull();
    one.run(&["rollback", "--env", "test", "--yes"]).exits(0);
    says("test", &format!("newTag: 0.5.0-alpha.1.1, digest: {tested}}} # by the pipeline"));
}

#[test]
fn of_two_services_in_a_kustomization_each_goes_alone_or_both_together() {
    let one = kustomized(
        &["web", "api"],
        "  - {name: HOST/acme/web, newTag: 0.5.0-alpha.1.1}\n  - {name: HOST/acme/api, newTag: 0.5.0-alpha.1.1}\n",
        "  - {name: HOST/acme/web, newTag: 0.4.0}\n  - {name: HOST/acme/api, newTag: 0.4.0}\n",
    );
    one.place.town.publish("acme/api", "0.4.0", "1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e");
    one.place.town.publish("acme/api", "0.5.0-alpha.1.1", COMMIT);
    let before = one.place.main("production/kustomization.yaml");
    let one = one.delivered();
    let promote =
        |more: &[&str]| one.run(&[&["promote", "--from", "test", "--to", "production", "--yes"], more].concat());
    promote(&["--service", "api"]).exits(0);
    let only = before.replace("api, newTag: 0.4.0", "api, newTag: 0.5.0");
    assert_eq!(one.place.main("production/kustomization.yaml"), only);
    assert_eq!(one.place.town.digest("acme/web", "0.5.0"), None);
    promote(&[]).exits(0);
    assert_eq!(one.place.main("production/kustomization.yaml"), before.replace("0.4.0", "0.5.0"));
    // What was promoted last goes back.
    one.pull();
    one.run(&["rollback", "--env", "production", "--yes"]).exits(0);
    assert_eq!(one.place.main("production/kustomization.yaml"), only);
}

#[test]
fn a_scan_sets_the_tag_of_a_kustomization() {
    let one = kustomized(
        &["web"],
        "  - {name: HOST/acme/web, newTag: 0.5.0-alpha.1.1} # by the pipeline\n",
        "  - {name: HOST/acme/web, newTag: 0.4.0}\n",
    );
    let follow =
        format!("channel: alpha, follow: [{{image: {}/acme/web, semver: '>=0.5.0-0'}}]", one.place.town.host());
    one.place.shop.edit("landfall.yaml", "channel: alpha", &follow);
    one.place.shop.commit("followed");
    one.place.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:main"]);
    one.place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    one.run(&["images", "scan", "--env", "test", "--push", "--yes"]).exits(0);
    assert!(one.place.main("test/kustomization.yaml").contains("newTag: 0.5.0-alpha.2.1} # by the pipeline"));
}

#[test]
fn a_digest_alone_in_a_kustomization_becomes_that_of_the_tag_which_is_set() {
    let one = kustomized(
        &["web", "api"],
        "  - {name: HOST/acme/web, digest: 'TESTED'} # by the pipeline\n  - {name: HOST/acme/api, newTag: 0.4.0}\n",
        "  - {name: HOST/acme/web, digest: PROMOTED}\n  - {name: HOST/acme/api, newTag: 0.4.0}\n",
    );
    let digest = |tag: &str| one.place.town.digest("acme/web", tag).expect("published");
    let tested = digest("0.5.0-alpha.1.1");
    one.place.shop.edit("test/kustomization.yaml", "TESTED", &tested);
    one.place.shop.edit("production/kustomization.yaml", "PROMOTED", &digest("0.4.0"));
    let follow =
        format!("channel: alpha, follow: [{{image: {}/acme/web, semver: '>=0.5.0-0'}}]", one.place.town.host());
    one.place.shop.edit("landfall.yaml", "channel: alpha", &follow);
    one.place.shop.commit("pinned");
    one.place.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:main"]);
    one.place.town.publish("acme/api", "0.4.0", COMMIT);
    let next = one.place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    let before = one.place.main("test/kustomization.yaml");
    let listed = one.run(&["images", "list", "--env", "test", "-o", "json"]).exits(0).json();
    let images = listed["data"]["images"].as_array().expect("images");
    let web = images.iter().find(|it| it["image"].as_str().is_some_and(|it| it.ends_with(&format!("web@{tested}"))));
    assert_eq!(web.expect("it runs")["set_at"][0], "test/kustomization.yaml:4", "{listed:#}");
    // Nobody was asked which digest that tag has.
    let set = |more: &[&str]| one.run(&[&["images", "set", "0.5.0-alpha.2.1", "--env", "test"], more].concat());
    set(&["--service", "web"]).exits(5).says("LF0961").says("images[0].digest").says("newTag");
    set(&["--service", "web", "--push", "--unchecked", "--yes"]).exits(5).says("LF0961");
    set(&["--file", "test/kustomization.yaml", "--service", "web"]).exits(5).says("LF0961");
    assert_eq!(one.place.main("test/kustomization.yaml"), before);
    // Which version that is only a tag says.
    one.run(&["images", "scan", "--env", "test", "--push", "--yes"]).exits(0).says("by a digest alone");
    assert_eq!(one.place.main("test/kustomization.yaml"), before);
    set(&["--service", "web", "--push", "--yes"]).exits(0);
    assert_eq!(one.place.main("test/kustomization.yaml"), before.replace(&tested, &next));
    one.pull();
    one.run(&["rollback", "--env", "test", "--yes"]).exits(1).says("by a digest alone").says("--to TAG");
    one.run(&["rollback", "--env", "test", "--service", "web", "--to", "0.5.0-alpha.1.1", "--yes"]).exits(0);
    assert_eq!(one.place.main("test/kustomization.yaml"), before);
    one.pull();
    // What is delivered there is of its channel, the service beside it as well.
    one.place.shop.edit("test/kustomization.yaml", "newTag: 0.4.0", "newTag: 0.5.0-alpha.1.1");
    one.run(&["up", "--env", "test"]).exits(0);
    one.run(&["promote", "--from", "test", "--to", "production", "--yes"]).exits(5).says("by a digest alone");
    assert!(one.place.main("production/kustomization.yaml").contains("newTag: 0.4.0"));
}

#[test]
fn one_service_of_two_goes_back_alone() {
    let one = kustomized(
        &["web", "api"],
        "  - {name: HOST/acme/web, newTag: 0.5.0-alpha.1.1, digest: TESTED}\n  - {name: HOST/acme/api, newTag: 0.5.0-alpha.1.1}\n",
        "  - {name: HOST/acme/web, newTag: 0.4.0}\n  - {name: HOST/acme/api, newTag: 0.4.0}\n",
    );
    let tested = one.place.town.digest("acme/web", "0.5.0-alpha.1.1").expect("published");
    one.place.shop.edit("test/kustomization.yaml", "TESTED", &tested);
    one.place.shop.commit("pinned");
    one.place.shop.git(&["push", "-q", "../git/acme/shop.git", "HEAD:main"]);
    let next = one.place.town.publish("acme/web", "0.5.0-alpha.2.1", COMMIT);
    one.place.town.publish("acme/api", "0.5.0-alpha.2.1", COMMIT);
    one.run(&["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--push", "--yes"]).exits(0);
    one.pull();
    let both = one.place.main("test/kustomization.yaml").replace(['"', '\''], "");
    one.run(&["rollback", "--env", "test", "--service", "nobody", "--yes"]).exits(1).says("no image belongs to nobody");
    one.run(&["rollback", "--env", "test", "--service", "web", "--yes"]).exits(0);
    let back = format!("newTag: 0.5.0-alpha.1.1, digest: {tested}");
    let wanted = both.replace(&format!("newTag: 0.5.0-alpha.2.1, digest: {next}"), &back);
    assert_eq!(one.place.main("test/kustomization.yaml").replace(['"', '\''], ""), wanted);
    // What was set along with it is gone back from by its own name, and by no other.
    one.pull();
    one.run(&["rollback", "--env", "test", "--service", "web", "--yes"]).exits(1).says("gone back to already");
    one.run(&["rollback", "--env", "test", "--service", "api", "--yes"]).exits(0);
    assert_eq!(
        one.place.main("test/kustomization.yaml").replace(['"', '\''], ""),
        wanted.replace("alpha.2.1", "alpha.1.1")
    );
}

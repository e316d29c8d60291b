//! `landfall migrate images`.

use super::sandbox::Sandbox;

#[test]
fn policies_of_flux_and_of_the_image_updater_become_ours_and_what_has_no_like_is_told() {
    let there = Sandbox::empty();
    there.run(&["migrate", "images"]).exits(0).says("no image policy");
    there.write("flux/web.yaml", "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: web, namespace: apps}\nspec: {image: ghcr.io/acme/web, exclusionList: ['-debug$']}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: web, namespace: apps}\nspec:\n  imageRepositoryRef: {name: web}\n  digestReflectionPolicy: Always\n  filterTags: {pattern: '^main-(?P<ts>[0-9]+)$', extract: $ts}\n  policy: {numerical: {order: asc}}\n---\nkind: ImagePolicy\nmetadata: {name: lost, namespace: apps}\nspec: {imageRepositoryRef: {name: none}, policy: {semver: {range: 1.x}}}\n");
    there.write("web/values.yaml", "image:\n  tag: main-1 # {\"$imagepolicy\": \"apps:web:tag\"}\n  old: 1 # {\"$imagepolicy\": \"apps:gone:tag\"}\n");
    there.write("chart/templates/a.yaml", "{{ if .Values.x }}\n");
    there.write("argo/app.yaml", "kind: Application\nmetadata:\n  name: api\n  annotations:\n    argocd-image-updater.argoproj.io/image-list: api=ghcr.io/acme/api:1.x, r=redis:7\n    argocd-image-updater.argoproj.io/r.update-strategy: digest\n");
    there.commit("first");
    let read = there.run(&["migrate", "images", "-o", "json"]).exits(0).json();
    let follow = read["data"]["follow"].as_array().expect("a list");
    assert_eq!(follow.len(), 2, "{read:#}");
    assert_eq!((&follow[0]["image"], &follow[0]["semver"]), (&"ghcr.io/acme/api".into(), &"1.x".into()));
    assert_eq!((&follow[1]["numerical"], &follow[1]["extract"]), (&"asc".into(), &"$ts".into()));
    assert_eq!(read["data"]["markers"][0]["file"], "web/values.yaml");
    let notes = read["data"]["notes"].to_string();
    assert!(notes.contains("apps:none is not here") && notes.contains("a published tag never moves"), "{notes}");
    assert_eq!(follow[1]["exclude"], "(?:-debug$)");
    assert!(notes.contains("web/values.yaml:3: the policy apps:gone"), "{notes}");
    assert!(notes.contains("digestReflectionPolicy: Always"), "{notes}");
    // What is printed is what landfall.yaml takes.
    let printed = there.run(&["migrate", "images"]).exits(0).stdout;
    assert_eq!(there.run(&["migrate", "images", "--dry-run"]).exits(0).stdout, printed);
    let follow: String =
        printed.lines().filter(|line| line.starts_with("  ")).map(|line| format!("    {line}\n")).collect();
    there.write("landfall.yaml", &format!("apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    images:\n      policy: semver\n{follow}"));
    there.run(&["env", "list"]).exits(0);
}

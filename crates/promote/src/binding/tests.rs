//! What is found and changed in values texts.

use proptest::prelude::*;

use super::*;

const VALUES: &str = "# top\nweb:\n  replicas: 2\n\n  image:   # ours\n    repository: ghcr.io/acme/web\n    tag: 'sha-1234567' # set by the pipeline\napiGateway: {image: {name: api-gateway, tag: \"v1\"}}\nworker:\n  image: ghcr.io/acme/worker:app-v1.2.2\nredis:\n  image: {registry: docker.io, repository: bitnami/redis, tag: 7}\njobs:\n  - image: busybox\n";

fn tag(text: &str) -> Tag {
    Tag::parse(text).expect("a tag")
}

#[test]
fn tags_are_found_where_a_repository_stands_beside_them() {
    let found = bindings(VALUES).expect("read");
    let shown: Vec<(String, Option<&str>, &str, usize)> =
        found.iter().map(|it| (it.path.to_string(), it.repository.as_deref(), it.tag.as_str(), it.line)).collect();
    assert_eq!(
        shown,
        [
            ("web.image.tag".to_owned(), Some("ghcr.io/acme/web"), "sha-1234567", 7),
            ("apiGateway.image.tag".to_owned(), Some("api-gateway"), "v1", 8),
            ("worker.image".to_owned(), Some("ghcr.io/acme/worker"), "app-v1.2.2", 10),
            ("redis.image.tag".to_owned(), Some("docker.io/bitnami/redis"), "7", 12),
        ]
    );
    assert!(found[1].path.is_of("api-gateway") && !found[1].path.is_of("api"));
    assert_eq!(path_on(VALUES, 7, &["web", "image", "tag"]).as_ref(), Some(&found[0].path));
    assert_eq!(path_on(VALUES, 7, &["shop", "web", "image", "tag"]).as_ref(), Some(&found[0].path));
    assert_eq!(path_on(VALUES, 6, &["web", "image", "tag"]), None);
}

#[test]
fn lp_30_only_the_tag_changes_and_quotes_stay() {
    let found = bindings(VALUES).expect("read");
    let set = |at: usize, to: &str| retagged(VALUES, &found[at].path, &tag(to), None).expect("set");
    assert_eq!(set(0, "sha-7654321"), VALUES.replace("'sha-1234567'", "'sha-7654321'"));
    assert_eq!(set(1, "v2"), VALUES.replace("\"v1\"", "\"v2\""));
    assert_eq!(set(2, "1.2.3"), VALUES.replace("app-v1.2.2", "app-v1.2.3"));
    // What would be a number, a truth or a date is quoted.
    assert_eq!(set(3, "1.10"), VALUES.replace("tag: 7}", "tag: '1.10'}").replace("'1.10'}", &quoted(&set(3, "1.10"))));
    for text in ["1234567", "12e4567", "1.10", "on", "0x1F", "null", "2026_11_20"] {
        let new = set(3, text);
        assert_eq!(tag_at(&new, &found[3].path).as_deref(), Some(text), "{new}");
        let value = landfall_yaml::to_json(&new).expect("yaml");
        assert_eq!(value["redis"]["image"]["tag"], serde_json::json!(text), "it is a string");
    }
}

/// How the text quotes the tag of redis.
fn quoted(text: &str) -> String {
    let line = text.lines().find(|line| line.contains("bitnami")).expect("there");
    line.rsplit_once("tag: ").expect("there").1.to_owned()
}

#[test]
fn a_digest_says_what_runs_and_no_tag_is_set_beside_it() {
    let digest = format!("sha256:{}", "a".repeat(64));
    for text in
        [format!("image:\n  repository: a/b\n  tag: v1\n  digest: {digest}\n"), format!("image: a/b:v1@{digest}\n")]
    {
        let found = bindings(&text).expect("read");
        let refused = retagged(&text, &found[0].path, &tag("v2"), None).expect_err("refused");
        assert_eq!(refused.code, code::DIGEST_BESIDE);
        let other = format!("sha256:{}", "b".repeat(64));
        let moved = retagged(&text, &found[0].path, &tag("v2"), Some(&other)).expect("both move");
        assert_eq!(moved, text.replace(&digest, &other).replace("v1", "v2"));
        assert!(retagged(&text, &found[0].path, &tag("v2"), Some("sha256:x\nevil: 1")).is_err());
    }
    let open = "image: {repository: a/b, tag: v1, digest: \"\"}\n";
    let found = bindings(open).expect("read");
    assert!(retagged(open, &found[0].path, &tag("v2"), None).is_ok());
    assert!(bindings("a: 1\n---\nb: 2\n").is_err());
}

proptest! {
    #[test]
    fn a_tag_set_and_set_back_leaves_the_text_as_it_was(at in 0usize..4, new in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}") {
        let found = bindings(VALUES).expect("read");
        let path = &found[at].path;
        let there = retagged(VALUES, path, &tag(&new), None).expect("set");
        let changed = VALUES.lines().zip(there.lines()).filter(|(a, b)| a != b).count();
        prop_assert!(changed <= 1);
        prop_assert_eq!(VALUES.lines().count(), there.lines().count());
        let wanted = with_role(&found[at].tag, &new);
        prop_assert_eq!(tag_at(&there, path), Some(wanted));
    }
}

#[test]
fn a_repository_that_comes_by_an_alias_or_a_merge_is_whose_it_is() {
    let text = "r: &redis docker.io/library/redis\nbase: &base {repository: docker.io/library/valkey}\ncache: {image: {repository: *redis, tag: 7.2.0}}\nstore: {image: {<<: *base, tag: 8.1.0}}\nweb: {image: {<<: [*base], repository: ghcr.io/acme/web, tag: 1.0.0}}\n";
    let found = bindings(text).expect("read");
    let shown: Vec<(String, Option<&str>)> =
        found.iter().map(|it| (it.path.to_string(), it.repository.as_deref())).collect();
    let wanted = [
        ("cache.image.tag", "docker.io/library/redis"),
        ("store.image.tag", "docker.io/library/valkey"),
        ("web.image.tag", "ghcr.io/acme/web"),
    ];
    assert_eq!(shown, wanted.map(|(path, repository)| (path.to_owned(), Some(repository))));
    // Billions of images are none.
    let laughs = "a: &a {image: {repository: x/y, tag: 1}}\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d]\n";
    assert!(bindings(laughs).expect("read").len() <= MOST_BINDINGS);
}

#[test]
fn a_tag_that_comes_by_an_alias_is_set_where_its_anchor_is_and_who_else_means_it_is_told() {
    let text = "version: &v 1.0.0 # all\nweb: {image: {repository: ghcr.io/acme/web, tag: *v}}\napi:\n  image: {repository: ghcr.io/acme/api, tag: *v}\ndb: {tag: *v}\n";
    let found = bindings(text).expect("read");
    assert_eq!(found.iter().map(|it| (it.line, it.tag.as_str())).collect::<Vec<_>>(), [(2, "1.0.0"), (4, "1.0.0")]);
    let shared = shared_at(text, &found[0].path).expect("shared");
    assert_eq!((shared.path.to_string().as_str(), shared.line), ("version", 1));
    let uses: Vec<(String, usize)> = shared.uses.iter().map(|(path, line)| (path.to_string(), *line)).collect();
    let wanted = [("web.image.tag", 2), ("api.image.tag", 4), ("db.tag", 5)];
    assert_eq!(uses, wanted.map(|(path, line)| (path.to_owned(), line)));
    let new = retagged(text, &found[0].path, &tag("1.1.0"), None).expect("set");
    assert_eq!(new, text.replace("1.0.0", "1.1.0"));
    assert_eq!(tag_at(&new, &found[1].path).as_deref(), Some("1.1.0"));
    // The whole mapping, by an alias and by a merge that is not overridden.
    let text = "x: &img {repository: ghcr.io/acme/web, tag: 1.0.0}\nweb: {image: *img}\njob: {image: {<<: *img}}\nold: {image: {<<: *img, tag: 0.9.0}}\n";
    let path = BindingPath::of_keys(&["web", "image", "tag"]);
    let uses = shared_at(text, &path).expect("shared").uses;
    let uses: Vec<String> = uses.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(uses, ["web.image.tag", "job.image.tag"]);
    assert_eq!(retagged(text, &path, &tag("1.1.0"), None).expect("set"), text.replace("1.0.0", "1.1.0"));
    assert_eq!(shared_at(text, &BindingPath::of_keys(&["old", "image", "tag"])), None);
}

#[test]
fn a_whole_image_keeps_its_repository_and_its_digest_is_not_forgotten() {
    let digest = format!("sha256:{}", "b".repeat(64));
    assert_eq!(with_tag("nginx:1.27-alpine", &tag("1.2.3"), None).as_deref(), Ok("nginx:1.2.3"));
    assert_eq!(with_tag("a.b:5000/web:app-v1.0.0", &tag("1.2.3"), None).as_deref(), Ok("a.b:5000/web:app-v1.2.3"));
    assert_eq!(with_tag("v1.0.0", &tag("1.2.3"), None).as_deref(), Ok("v1.2.3"));
    assert!(with_tag("web:1@sha256:x", &tag("2"), None).is_err());
    assert_eq!(with_tag("web:1@sha256:x", &tag("2"), Some(&digest)), Ok(format!("web:2@{digest}")));
    assert_eq!(with_digest("sha256:x", Some(&digest)).as_ref(), Ok(&digest));
    assert_eq!(with_digest("aabb", Some(&digest)), Ok("b".repeat(64)));
    assert!(with_digest("sha256:x", None).is_err());
}

#[test]
fn a_kustomization_gives_images_other_tags() {
    let text = "images:\n  - name: web\n    newName: ghcr.io/acme/web\n    newTag: \"1.0.0\"\n  - {name: docker.io/library/redis, newTag: 7.2.0}\n  - {name: api, digest: 'sha256:0'}\nother: [{name: x, newTag: 1}]\n";
    let found = bindings(text).expect("read");
    let shown: Vec<(String, Option<&str>, usize)> =
        found.iter().map(|it| (it.path.to_string(), it.repository.as_deref(), it.line)).collect();
    let wanted = [("images[0].newTag", "ghcr.io/acme/web", 4), ("images[1].newTag", "docker.io/library/redis", 5)];
    assert_eq!(shown, wanted.map(|(path, repository, line)| (path.to_owned(), Some(repository), line)));
    assert_eq!(retagged(text, &found[0].path, &tag("1.1.0"), None).expect("set"), text.replace("1.0.0", "1.1.0"));
}

#[test]
fn a_digest_alone_in_a_kustomization_becomes_that_of_the_tag_and_no_other_byte_changes() {
    let (old, new) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    let text = format!(
        "images:\n- name: web   # ours\n  newName: ghcr.io/acme/web\n  digest: \"{old}\" # tested\n- {{name: api, digest: {old}}}\n- {{name: db, newTag: 1, digest: {old}}}\n"
    );
    let found = bindings(&text).expect("read");
    let shown: Vec<(String, Option<&str>, &str)> =
        found.iter().map(|it| (it.path.to_string(), it.repository.as_deref(), it.tag.as_str())).collect();
    let wanted = [
        ("images[0].digest", "ghcr.io/acme/web", old.as_str()),
        ("images[1].digest", "api", old.as_str()),
        ("images[2].newTag", "db", "1"),
    ];
    assert_eq!(shown, wanted.map(|(path, repository, tag)| (path.to_owned(), Some(repository), tag)));
    for (at, of_it) in [(0, format!("\"{old}\"")), (1, format!("api, digest: {old}"))] {
        let set = retagged(&text, &found[at].path, &tag("1.1.0"), Some(&new)).expect("set");
        assert_eq!(set, text.replacen(&of_it, &of_it.replace(&old, &new), 1));
        assert_eq!(tag_at(&set, &found[at].path).as_ref(), Some(&new));
        let refused = retagged(&text, &found[at].path, &tag("1.1.0"), None).expect_err("nobody was asked");
        assert_eq!(refused.code, code::DIGEST_BESIDE);
        assert!(refused.helps.iter().any(|help| help.contains("newTag")), "{refused:?}");
    }
    assert_eq!(with_tag(&old, &tag("1.1.0"), Some(&new)).as_ref(), Ok(&new));
}

#[test]
fn entries_of_a_kustomization_are_found_by_what_they_rename_to() {
    let text = "images:\n  - {name: site, newName: ghcr.io/acme/site}\n  - name: ghcr.io/acme/web\n    newTag: \"1\" # ours\n    digest: sha256:a\n  - {name: other, newName: \"\", newTag: 2}\n";
    let found = |name: &str| renamings(text, name).expect("read");
    let said = |binding: &Option<Binding>| binding.as_ref().map(|it| (it.path.to_string(), it.line, it.tag.clone()));
    let site = found("ghcr.io/acme/site");
    assert_eq!((site.len(), site[0].name.as_str(), said(&site[0].tag), said(&site[0].digest)), (1, "site", None, None));
    let web = found("ghcr.io/acme/web");
    assert_eq!(said(&web[0].tag), Some(("images[1].newTag".to_owned(), 4, "1".to_owned())));
    assert_eq!(said(&web[0].digest), Some(("images[1].digest".to_owned(), 5, "sha256:a".to_owned())));
    assert_eq!((found("other").len(), found("site").len()), (1, 0), "it is called otherwise by then");
    assert_eq!(renamings("images: many\n", "a").expect("read"), []);
    assert!(renamings("a: b\n---\nc: d\n", "a").is_err());
    for path in ["images[0].newTag", "a.b[1][2].c", "image"] {
        assert_eq!(BindingPath::parse(path).map(|it| it.to_string()).as_deref(), Some(path));
    }
    for wrong in ["", "a..b", "[0]", "a[x]", "a[0"] {
        assert_eq!(BindingPath::parse(wrong), None, "{wrong}");
    }
}

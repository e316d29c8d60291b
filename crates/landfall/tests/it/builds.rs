//! Image builds by recording stand-ins for the builder, the cluster's tool, and the registry.

use std::path::PathBuf;

use super::workshop::Workshop;

/// The label that a build argument `API` of `/graphql` leaves on an image.
const BAKED: &str =
    "--label landfall.dev/baked-API=sha256:e6862b57c5407b8605e57256a264e59d7ca08b3df21be7d7bbe5a647348eb0ab";

#[test]
fn images_are_built_with_arguments_from_the_values_and_imported_before_anything_is_delivered() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install("docker", "");
    shop.install("k3d", "");
    shop.up(&[]).exits(0).says("k3d-shop-local").says("build web: docker example/app:1.0.0").says("delivered");
    assert_eq!(
        shop.calls(),
        [
            "docker version --format {{.Server.Version}} []",
            "docker buildx version []",
            &format!(
                "docker build --tag example/app:1.0.0 --file ROOT/app/Dockerfile --build-arg API=/graphql {BAKED} ROOT/app []"
            ),
            "k3d cluster list --output json []",
            "docker image inspect --format {{.Id}} example/app:1.0.0 []",
            "k3d image import example/app:1.0.0 --cluster shop-local []",
        ]
    );
}

#[test]
fn without_a_local_clusters_name_images_are_pushed_and_podman_stands_in_for_docker() {
    let shop = Workshop::new("staging");
    shop.install("docker", "version");
    shop.install("podman", "");
    shop.up(&[]).exits(0);
    let calls = shop.calls();
    assert!(calls[1].starts_with("podman info"), "{calls:?}");
    assert_eq!(calls.last().map(String::as_str), Some("podman push example/app:1.0.0 []"));
}

#[test]
fn a_build_or_an_import_that_fails_leaves_the_cluster_as_it_was() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install("docker", "build");
    shop.install("k3d", "");
    shop.up(&[])
        .exits(1)
        .says("the image of web could not be built by docker")
        .says("no space left")
        .says("--no-build");
    shop.install("docker", "");
    shop.install("k3d", "image");
    shop.up(&[]).exits(1).says("`k3d image import example/app:1.0.0 --cluster shop-local` failed");
    let status = shop.sandbox.run(&["status", "--kubeconfig", "kubeconfig", "--state", "own"]);
    status.says("nothing is delivered here");
}

#[test]
fn lp_014_without_a_builder_a_real_cluster_is_refused_with_the_way_around_it() {
    let shop = Workshop::new("k3d-shop-local");
    let refused = shop.up(&[]);
    // A machine with a builder of its own in /usr/bin builds for real, which is not what is asked here.
    if !["docker", "podman", "buildctl"].iter().any(|program| PathBuf::from("/usr/bin").join(program).exists()) {
        refused.exits(6).says("nobody here builds images (web)").says("--no-build");
    }
    shop.up(&["--no-build"]).exits(0);
    assert!(shop.calls().is_empty());
}

#[test]
fn the_embedded_cluster_builds_only_when_asked() {
    let shop = Workshop::new("k3d-shop-local");
    shop.sandbox.edit("landfall.yaml", "{context: k3d-shop-local}", "embedded");
    shop.install("docker", "");
    let up = |more: &[&str]| shop.run(&[&["up", "--once", "--state", "own"], more].concat());
    up(&[]).exits(0).says("build web: simulated");
    assert!(shop.calls().is_empty());
    up(&["--build"]).exits(0);
    let calls = shop.calls();
    assert!(calls.iter().any(|call| call.starts_with("docker build ")), "{calls:?}");
}

/// What the nodes of a cluster have, told by stand-ins: k3d names two nodes, each of which has what is given.
fn nodes_have(shop: &Workshop, images: &str, id: &str) {
    shop.install_with(
        "k3d",
        "if [ \"$1 $2\" = 'cluster list' ]; then echo '[{\"name\":\"shop-local\",\"serversCount\":1,\"serversRunning\":1,\"nodes\":[{\"name\":\"s0\",\"role\":\"server\"},{\"name\":\"a0\",\"role\":\"agent\"},{\"name\":\"lb\",\"role\":\"loadbalancer\"}]}]'; fi\n",
    );
    shop.install_with(
        "docker",
        &format!(
            "case \"$1\" in exec) echo '{{\"images\":[{{\"id\":\"sha256:1\",\"repoTags\":[{images}]}}]}}';; image) if [ \"$5\" = example/app:1.0.0 ]; then echo {id}; else exit 1; fi;; pull) case \"$3\" in *gone*) exit 1;; esac;; esac\n"
        ),
    );
}

/// Three images that are not built here, in a chart of their own.
fn with_others(shop: &Workshop) {
    shop.sandbox.write("infra/Chart.yaml", "apiVersion: v2\nname: infra\nversion: 0.1.0\n");
    shop.sandbox.write(
        "infra/templates/pods.yaml",
        "{{- range list \"redis:7-alpine\" \"postgres:17-alpine\" \"registry.example.com/gone:1\" }}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: {{ regexReplaceAll \"[^a-z]+\" . \"-\" | trunc 8 | trimSuffix \"-\" }}}\nspec: {containers: [{name: c, image: {{ . | quote }}}]}\n{{- end }}\n",
    );
    shop.sandbox.edit(
        "landfall.yaml",
        "namespace: shop}",
        "namespace: shop}, {name: infra, chart: infra, namespace: shop}",
    );
}

#[test]
fn lp_028_all_images_of_the_render_are_imported_in_one_batch_but_for_those_that_every_node_has() {
    let shop = Workshop::new("k3d-shop-local");
    with_others(&shop);
    nodes_have(&shop, "\"docker.io/library/redis:7-alpine\",\"docker.io/example/app:1.0.0\"", "sha256:2");
    let listed = shop.run(&["images", "list", "-o", "name", "--state", "own"]).exits(0).stdout;
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(listed, ["example/app:1.0.0", "postgres:17-alpine", "redis:7-alpine", "registry.example.com/gone:1"]);
    let up = shop
        .up(&["--no-wait"])
        .exits(0)
        .says("redis:7-alpine there already")
        .says("registry.example.com/gone:1 cannot be had here");
    let calls = shop.calls();
    // The same name with another content is brought again; redis is there, and nobody has the last one.
    let imports: Vec<&String> = calls.iter().filter(|call| call.starts_with("k3d image")).collect();
    assert_eq!(
        imports,
        ["k3d image import example/app:1.0.0 postgres:17-alpine --cluster shop-local []"],
        "{}",
        up.all()
    );
    assert!(!calls.iter().any(|call| call.contains("pull --quiet redis")), "{calls:?}");
    // What every node has to the last byte is not brought at all.
    nodes_have(
        &shop,
        "\"docker.io/library/redis:7-alpine\",\"docker.io/example/app:1.0.0\",\"docker.io/library/postgres:17-alpine\"",
        "sha256:1",
    );
    shop.up(&["--no-wait"]).exits(0);
    let calls = shop.calls();
    assert!(!calls.iter().any(|call| call.starts_with("k3d image")), "{calls:?}");
}

#[test]
fn a_service_by_name_is_built_imported_and_restarted_alone() {
    let shop = Workshop::new("k3d-shop-local");
    with_others(&shop);
    shop.install("docker", "");
    shop.install("k3d", "");
    shop.up(&["--no-wait"]).exits(0);
    shop.calls();
    shop.up(&["web"]).exits(0).says("Deployment/web");
    let calls = shop.calls();
    assert!(!calls.iter().any(|call| call.contains("postgres")), "{calls:?}");
    assert_eq!(calls.last().map(String::as_str), Some("k3d image import example/app:1.0.0 --cluster shop-local []"));
}

#[test]
fn lp_027_a_build_argument_follows_the_values_of_the_environment() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install("docker", "");
    let build = |more: &[&str]| shop.run(&[&["build", "--state", "own"], more].concat());
    build(&[]).exits(0).says("web → example/app:1.0.0");
    let first = shop.calls();
    assert_eq!(
        first,
        [
            "docker version --format {{.Server.Version}} []",
            "docker buildx version []",
            &format!(
                "docker build --tag example/app:1.0.0 --file ROOT/app/Dockerfile --build-arg API=/graphql {BAKED} ROOT/app []"
            ),
        ]
    );
    shop.sandbox.edit("chart/values.yaml", "address: /graphql", "address: https://api.example.com/graphql");
    build(&[]).exits(0);
    let second = shop.calls();
    assert!(second[2].contains(" --build-arg API=https://api.example.com/graphql "), "{second:?}");
    assert_ne!(first[2].split("baked-API=").nth(1), second[2].split("baked-API=").nth(1), "the label says it, too");
    // A flag says it as a values file does, and nothing is built for the asking.
    let shown = build(&["--set", "address=/other", "--dry-run", "-o", "json"]).exits(0).json();
    assert_ne!(shown["data"]["images"][0]["arguments"]["API"], serde_json::Value::Null);
    assert!(shop.calls().is_empty());
}

#[test]
fn with_buildx_no_value_stands_in_a_command_line_or_an_environment() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install_with(
        "docker",
        "if [ \"$2\" = bake ]; then echo \"read $(cat)\" >> \"$(dirname \"$0\")/../calls\"; fi\n",
    );
    shop.bakes("docker");
    shop.run(&["build", "--state", "own"]).exits(0).says("web → example/app:1.0.0");
    let calls = shop.calls();
    assert_eq!(calls[1..3], ["docker buildx version []", "docker buildx bake --file - image []"]);
    let build: serde_json::Value =
        serde_json::from_str(calls[3].strip_prefix("read ").expect("what it read")).expect("JSON");
    let image = &build["target"]["image"];
    assert_eq!((&image["args"]["API"], &image["tags"][0]), (&"/graphql".into(), &"example/app:1.0.0".into()));
    assert_eq!(image["context"], "ROOT/app");
}

#[test]
fn a_repository_steers_neither_the_builder_nor_the_loader_and_sends_nothing_from_outside() {
    let shop = Workshop::new("k3d-shop-local");
    let evil = shop.sandbox.root().join("evil");
    std::fs::create_dir(&evil).expect("made");
    shop.sandbox.write("evil/docker", "#!/bin/sh\ntouch ran\n");
    shop.sandbox.edit("app/Dockerfile", "ARG API", "ARG API PATH LD_PRELOAD");
    let build = || shop.run(&["build", "--state", "own"]);
    shop.install("docker", "");
    for name in ["PATH", "LD_PRELOAD"] {
        shop.sandbox.edit("landfall.yaml", "API: address", &format!("{name}: address"));
        build().exits(2).says(&format!("`{name}` cannot be a build argument"));
        shop.sandbox.edit("landfall.yaml", &format!("{name}: address"), "API: address");
    }
    shop.sandbox.edit("landfall.yaml", "API: address", "APO: address");
    build().exits(2).says("declares no `ARG APO`").says("did you mean `API`?");
    shop.sandbox.edit("landfall.yaml", "APO: address", "API: address");
    for outside in ["../..", "/etc", "app/../.."] {
        shop.sandbox.edit("landfall.yaml", "context: app", &format!("context: {outside}"));
        build().exits(2);
        shop.sandbox.edit("landfall.yaml", &format!("context: {outside}"), "context: app");
    }
    let calls = shop.calls();
    assert!(calls.is_empty(), "{calls:?}");
    build().exits(0);
    assert!(shop.calls().iter().any(|call| call.contains("--build-arg API=/graphql")), "what is declared arrives");
}

#[test]
fn ez_015_the_stages_of_one_dockerfile_become_images_of_their_own() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install("docker", "");
    shop.sandbox.edit(
        "landfall.yaml",
        "web: {context: app, args: {API: address}}",
        "web: {context: app, target: app, image: shop/app}\n      horizon: {context: app, target: horizon, image: shop/horizon}\n      scheduler: {context: app, target: scheduler, image: shop/scheduler}",
    );
    for service in ["horizon", "scheduler"] {
        shop.sandbox.edit(
            "chart/templates/all.yaml",
            "apiVersion: v1\nkind: Service",
            &format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {service}}}\nspec:\n  template: {{spec: {{containers: [{{name: {service}, image: \"shop/{service}:1.0.0\"}}]}}}}\n---\napiVersion: v1\nkind: Service"),
        );
    }
    shop.run(&["build", "--target", "app,horizon,scheduler", "--state", "own"]).exits(0);
    let builds: Vec<String> = shop.calls().into_iter().filter(|call| call.starts_with("docker build ")).collect();
    for (stage, image) in
        [("app", "shop/app:1.0.0"), ("horizon", "shop/horizon:1.0.0"), ("scheduler", "shop/scheduler:1.0.0")]
    {
        assert!(
            builds
                .iter()
                .any(|call| call.contains(&format!("--tag {image} ")) && call.contains(&format!("--target {stage} "))),
            "{stage}: {builds:?}"
        );
    }
    assert_eq!(builds.len(), 3, "{builds:?}");
    shop.run(&["build", "--target", "horizon", "--state", "own"]).exits(0);
    assert_eq!(shop.calls().iter().filter(|call| call.starts_with("docker build ")).count(), 1);
    shop.run(&["build", "--target", "horizont", "--state", "own"]).exits(2).says("did you mean `horizon`?");
}

#[test]
fn x_002_an_image_that_ends_at_once_is_named_with_its_last_words() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install_with("docker", "case \"$1\" in wait) echo 127;; logs) echo 'sh: server: not found';; esac\n");
    shop.run(&["build", "--smoke", "--state", "own"])
        .exits(4)
        .says("the image of web ends at once (exit 127): example/app:1.0.0")
        .says("sh: server: not found");
    let calls = shop.calls();
    assert!(calls.iter().any(|call| call.starts_with("docker run --detach --name landfall-smoke-")), "{calls:?}");
    assert!(calls.last().is_some_and(|call| call.starts_with("docker rm --force landfall-smoke-")), "{calls:?}");
    // One that runs on is no finding.
    shop.install_with("docker", "case \"$1\" in wait) exec sleep 30;; esac\n");
    shop.run(&["build", "--smoke", "--state", "own"]).exits(0);
}

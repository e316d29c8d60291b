//! Image builds by recording stand-ins for the builder, the cluster's tool, and the registry.

use std::path::PathBuf;

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// A system for a context whose API is that of a served embedded cluster, and stand-ins that write down what they do.
struct Workshop {
    sandbox: Sandbox,
    bin: PathBuf,
    context: &'static str,
}

impl Workshop {
    fn new(context: &'static str) -> Self {
        let mut sandbox = Sandbox::empty();
        small_chart(&sandbox, "chart", "web");
        sandbox.edit("chart/values.yaml", "settings:", "address: /graphql\nsettings:");
        sandbox.write("app/Dockerfile", "FROM scratch\n");
        sandbox.write(
            "landfall.yaml",
            &format!(
                "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    cluster: {{context: {context}}}\n    releases: [{{name: web, chart: chart, namespace: shop}}]\n    build:\n      web: {{context: app, args: {{API: address}}}}\n"
            ),
        );
        let bin = sandbox.root().join("../bin");
        std::fs::create_dir(&bin).expect("made");
        sandbox.stays("state");
        sandbox.run(&["cluster", "start", "--state", "state"]).exits(0);
        let kubeconfig = sandbox.run(&["cluster", "kubeconfig", "--state", "state"]).exits(0).stdout;
        let renamed = kubeconfig.replace("name: landfall", &format!("name: {context}"));
        let renamed = renamed.replace("current-context: landfall", &format!("current-context: {context}"));
        let renamed = renamed.replace("cluster: landfall", &format!("cluster: {context}"));
        sandbox.write("kubeconfig", &renamed.replace("user: landfall", &format!("user: {context}")));
        Workshop { sandbox, bin, context }
    }

    /// A program that notes its arguments and the build argument's value, and fails when its first word is `broken`.
    fn install(&self, program: &str, broken: &str) {
        use std::os::unix::fs::PermissionsExt;
        let log = self.sandbox.root().join("../calls");
        let script = format!(
            "#!/bin/sh\necho \"{program} $* [$API]\" >> '{}'\nif [ \"$1\" = '{broken}' ]; then echo 'no space left' >&2; exit 3; fi\n",
            log.display()
        );
        let path = self.bin.join(program);
        std::fs::write(&path, script).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    fn up(&self, more: &[&str]) -> Ran {
        let mut command =
            self.sandbox.command(&[&["up", "--kubeconfig", "kubeconfig", "--yes", "--state", "own"], more].concat());
        // Whatever builder the machine has is not asked.
        command.env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()));
        ran(command.output().expect("runs"))
    }

    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.sandbox.root().join("../calls")).unwrap_or_default();
        let root = self.sandbox.root().canonicalize().expect("there").display().to_string();
        text.lines().map(|line| line.replace(&root, "ROOT")).collect()
    }
}

#[test]
fn images_are_built_with_arguments_from_the_values_and_imported_before_anything_is_delivered() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install("docker", "");
    shop.install("k3d", "");
    shop.up(&[]).exits(0).says(shop.context).says("build web: docker example/app:1.0.0").says("delivered");
    assert_eq!(
        shop.calls(),
        [
            "docker version --format {{.Server.Version}} []",
            "docker build --tag example/app:1.0.0 --file ROOT/app/Dockerfile --build-arg API ROOT/app [/graphql]",
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
    let up = |more: &[&str]| {
        let mut command = shop.sandbox.command(&[&["up", "--state", "own"], more].concat());
        command.env("PATH", format!("{}:/usr/bin:/bin", shop.bin.display())).env("CI", "true");
        ran(command.output().expect("runs"))
    };
    up(&[]).exits(0).says("build web: simulated");
    assert!(shop.calls().is_empty());
    up(&["--build"]).exits(0);
    assert!(shop.calls().iter().any(|call| call.starts_with("docker build")), "{:?}", shop.calls());
}

//! A stranger's program is run, or a program of the user's is steered.

use super::Pair;
use super::scene::Scene;
use super::shop::{PLAN_APPS, PROOF, RECORDING, application, applied, chart, shop, shop_with, workshop};

const DOCKERFILE: &str = "FROM scratch\nARG API\nARG PATH\nARG LD_PRELOAD\nARG DOCKER_HOST\n";
const BUILT: &str = "build --tag example/app:1";

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = builders();
    all.extend(paths());
    all.extend(configurations());
    all.extend(lures());
    all.extend(addresses());
    all.extend(downloads());
    all.extend(kustomizations());
    all
}

/// Kustomizations that have something fetched, or read from outside: by names in another case, and by Kustomize's own plug-ins.
fn kustomizations() -> Vec<Pair> {
    let built = "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: built-proof}\\n'";
    let of = |text: &str| {
        application(PLAN_APPS, "path: kustomized")
            .file("kustomized/kustomization.yaml", text)
            .file("kustomized/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
            .program("@BIN@/kustomize", built)
    };
    let refused = |text: &str| of(text).commit("first").refused(&[1, 2], &["LF0854", "which is not in the repository"]);
    let well = |text: &str| of(text).commit("first").well(&["built-proof"]);
    let generator = |named: &str| {
        format!("apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {{name: stolen}}\nfiles: [\"x={named}\"]\n")
    };
    let generated =
        |named: &str| of("generators: [gen.yaml]\n").file("kustomized/gen.yaml", generator(named)).commit("first");
    let patched = |named: &str| {
        format!(
            "resources: [x.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {{name: p}}\n  path: {named}\n"
        )
    };
    let from = |named: &str| format!("configMapGenerator: [{{name: stolen, Files: [\"x={named}\"]}}]\n");
    vec![
        (
            "what a kustomization names",
            "an address in another case",
            refused("Resources: [\"http://@OTHER@/x.yaml\"]\n"),
            well("Resources: [x.yaml]\n"),
        ),
        (
            "what a kustomization names",
            "a generator's file in another case",
            refused(&from("http://@OTHER@/x.yaml")),
            well(&from("x.yaml")),
        ),
        (
            "what a kustomization names",
            "a plug-in in a file",
            generated("http://@OTHER@/x.yaml").refused(&[1, 2], &["LF0854", "which is not in the repository"]),
            generated("x.yaml").well(&["built-proof"]),
        ),
        (
            "what a kustomization names",
            "a plug-in between the lines",
            refused(&patched("http://@OTHER@/x.yaml")),
            well(&patched("x.yaml")),
        ),
        (
            "what a kustomization names",
            "a directory outside",
            refused("Resources: [../../../../../../@OUT@]\n"),
            well("Resources: [../kustomized/x.yaml]\n"),
        ),
    ]
}

/// Rows of issue 16 on builds: arguments, places and names that become more than they are.
fn builders() -> Vec<Pair> {
    let twin = || {
        workshop("context: app, args: {API: greeting}", DOCKERFILE, "example/app:1")
            .well(&["built in"])
            .calls(&[BUILT, "API=hello-proof"])
    };
    let args = |name: &str, dockerfile: &str| {
        workshop(&format!("context: app, args: {{{name}: greeting}}"), dockerfile, "example/app:1")
    };
    let steering = |name: &str| args(name, DOCKERFILE).refused(&[1, 2], &["LF0871", name]);
    let undeclared = |name: &str, dockerfile: &str| args(name, dockerfile).refused(&[1, 2], &["LF0887", name]);
    let placed = |declared: &str| workshop(declared, DOCKERFILE, "example/app:1");
    let outside = |scene: Scene, code: &str| scene.refused(&[1, 2], &[code]);
    let named = |image: &str| workshop("context: app", DOCKERFILE, image).refused(&[1, 2], &["LF0873"]);
    vec![
        ("build arguments that steer the builder", "the search path", steering("PATH"), twin()),
        ("build arguments that steer the builder", "the loader", steering("LD_PRELOAD"), twin()),
        ("build arguments that steer the builder", "the daemon", steering("DOCKER_HOST"), twin()),
        ("undeclared build arguments", "not there", undeclared("APO", DOCKERFILE), twin()),
        ("undeclared build arguments", "in a comment", undeclared("KEY", "FROM scratch\n# ARG KEY\n"), twin()),
        ("undeclared build arguments", "in a command", undeclared("KEY", "FROM scratch\nRUN echo ARG KEY\n"), twin()),
        (
            "build contexts outside",
            "climbing",
            outside(placed("context: ../outside, dockerfile: app/Dockerfile"), "LF0837"),
            twin(),
        ),
        (
            "build contexts outside",
            "from the root",
            outside(placed("context: @OUT@, dockerfile: app/Dockerfile"), "context"),
            twin(),
        ),
        (
            "build contexts outside",
            "by a link",
            outside(placed("context: out").link("out", "@OUT@").file("@OUT@/Dockerfile", "FROM scratch\n"), "LF0502"),
            twin(),
        ),
        (
            "dockerfiles outside",
            "climbing",
            outside(placed("context: app, dockerfile: ../outside/secret.txt"), "LF0837"),
            twin(),
        ),
        (
            "dockerfiles outside",
            "by a link",
            outside(placed("context: app, dockerfile: app/D").link("app/D", "@OUT@/secret.txt"), "LF0502"),
            twin(),
        ),
        (
            "dockerfiles outside",
            "in .git",
            outside(placed("context: app, dockerfile: .git/config").commit("first"), "LF0837"),
            twin(),
        ),
        ("images that are options", "of the workload", named("--privileged:1"), twin()),
        ("images that are options", "short", named("-v"), twin()),
        (
            "images that are options",
            "of the declaration",
            workshop("context: app, image: --output=type=local", DOCKERFILE, "example/app:1")
                .refused(&[1, 2], &["image"]),
            twin(),
        ),
        ("what builders see", "of docker", placed("context: app").calls(&["docker build"]).well(&["built in"]), twin()),
        (
            "what builders see",
            "of podman",
            placed("context: app")
                .program("@BIN@/docker", "exit 1")
                .program("@BIN@/podman", RECORDING)
                .calls(&["podman build"])
                .well(&["built in"]),
            twin(),
        ),
        (
            "what builders see",
            "of buildctl",
            placed("context: app")
                .program("@BIN@/docker", "exit 1")
                .program("@BIN@/podman", "exit 1")
                .program("@BIN@/buildctl", RECORDING)
                .calls(&["buildctl build"])
                .well(&["built in"]),
            twin(),
        ),
    ]
}

/// A program lies where the user stands, and the search path leads there.
fn paths() -> Vec<Pair> {
    let marking = "echo docker of the tree >> '@MARK@'";
    let stands = |path: &str, place: &str| {
        workshop("context: app, args: {API: greeting}", DOCKERFILE, "example/app:1")
            .program(place, marking)
            .variable("PATH", path)
            .well(&["built in"])
            .calls(&[BUILT])
    };
    let twin = || {
        workshop("context: app, args: {API: greeting}", DOCKERFILE, "example/app:1")
            .variable("PATH", "@ROOT@/nowhere:@BIN@:/usr/bin:/bin")
            .well(&["built in"])
            .calls(&[BUILT])
    };
    vec![
        ("programs of the tree", "a dot in the path", stands(".:@BIN@:/usr/bin:/bin", "docker"), twin()),
        ("programs of the tree", "an empty place in the path", stands(":@BIN@:/usr/bin:/bin", "docker"), twin()),
        (
            "programs of the tree",
            "a relative place in the path",
            stands("node_modules/.bin:@BIN@:/usr/bin:/bin", "node_modules/.bin/docker"),
            twin(),
        ),
    ]
}

/// A configuration that runs a program wherever git would ask one.
const HOSTILE: &str = "[filter \"evil\"]\n\tclean = @BIN@/evil && cat\n\tsmudge = @BIN@/evil && cat\n\tprocess = @BIN@/evil\n\trequired = true\n[core]\n\tfsmonitor = @BIN@/evil\n\tsshCommand = @BIN@/evil\n\tpager = @BIN@/evil\n\taskPass = @BIN@/evil\n\teditor = @BIN@/evil\n[diff \"evil\"]\n\ttextconv = @BIN@/evil\n\tcommand = @BIN@/evil\n[diff]\n\texternal = @BIN@/evil\n[gpg]\n\tprogram = @BIN@/evil\n[credential]\n\thelper = !@BIN@/evil\n";

/// A clone whose own configuration names programs.
fn configurations() -> Vec<Pair> {
    let clean =
        |act: &[&str]| shop(act).commit("first").file("web/values.yaml", format!("greeting: {PROOF}\n# and more\n"));
    let clone = |act: &[&str], configuration: &str| {
        shop(act)
            .file(".gitattributes", "* filter=evil diff=evil merge=evil\n")
            .commit("first")
            .file("second", "x")
            .commit("second")
            .file(".git/config", format!("[core]\n\trepositoryformatversion = 0\n\tbare = false\n{configuration}"))
            .file("web/values.yaml", format!("greeting: {PROOF}\n# and more\n"))
            // Of the committed size: only a look into it tells that it changed, and that look is the filter's.
            .file("second", "y")
            .file("web/untracked.txt", "new")
    };
    let plan = ["plan"];
    let planned = ["ConfigMap/web"];
    let rehearse = ["rehearse", "HEAD~..HEAD"];
    let preview = ["preview", "HEAD~..HEAD"];
    let worktree = "\tworktree = @OUT@\n";
    vec![
        (
            "programs of a clone's configuration",
            "plan",
            clone(&plan, HOSTILE).well(&planned),
            clean(&plan).well(&planned),
        ),
        (
            "programs of a clone's configuration",
            "rehearse",
            clone(&rehearse, HOSTILE).well(&["no findings"]),
            clean(&["rehearse"]).well(&["no findings"]),
        ),
        (
            "programs of a clone's configuration",
            "preview",
            clone(&preview, HOSTILE).well(&["landfall preview"]),
            clean(&["preview", "HEAD..HEAD"]).well(&["landfall preview"]),
        ),
        (
            "programs of a clone's configuration",
            "explain",
            clone(&["explain", "ConfigMap/web", "data.greeting"], HOSTILE).well(&[PROOF]),
            clean(&["explain", "ConfigMap/web", "data.greeting"]).well(&[PROOF]),
        ),
        (
            "programs of a clone's configuration",
            "included",
            clone(&plan, "[include]\n\tpath = ../evil.conf\n").file("evil.conf", HOSTILE).well(&planned),
            clean(&plan).well(&planned),
        ),
        (
            "programs of a clone's configuration",
            "of one working tree",
            clone(&plan, "[extensions]\n\tworktreeConfig = true\n")
                .file(".git/config.worktree", HOSTILE)
                .well(&planned),
            clean(&plan).well(&planned),
        ),
        (
            "hooks of a clone",
            "checkout",
            clone(&rehearse, "").program(".git/hooks/post-checkout", "@BIN@/evil").well(&["no findings"]),
            clean(&["rehearse"]).well(&["no findings"]),
        ),
        (
            "hooks of a clone",
            "index changes",
            clone(&plan, "").program(".git/hooks/post-index-change", "@BIN@/evil").well(&planned),
            clean(&plan).well(&planned),
        ),
        (
            "hooks of a clone",
            "a place of its own",
            clone(&preview, "\thooksPath = hooks\n")
                .program("hooks/reference-transaction", "@BIN@/evil")
                .program("hooks/post-checkout", "@BIN@/evil")
                .well(&["landfall preview"]),
            clean(&["preview", "HEAD..HEAD"]).well(&["landfall preview"]),
        ),
        ("working trees elsewhere", "configured", clone(&plan, worktree).well(&planned), clean(&plan).well(&planned)),
        (
            "working trees elsewhere",
            "a file in place of .git",
            shop(&plan).file(".git", "gitdir: @OUT@/.git\n").refused(&[1, 2], &["error"]),
            clean(&plan).well(&planned),
        ),
        (
            "working trees elsewhere",
            "borrowed objects",
            clone(&plan, "").file(".git/objects/info/alternates", "@OUT@\n").says(&["web"]),
            clean(&plan).well(&planned),
        ),
    ]
}

/// A directory that looks like a bare repository, with a configuration of its author's.
fn lures() -> Vec<Pair> {
    let lure = |scene: Scene, at: &str| {
        scene
            .file(&format!("{at}/HEAD"), "ref: refs/heads/main\n")
            .file(&format!("{at}/config"), format!("{HOSTILE}\tworktree = ..\n\tbare = false\n"))
            .file(&format!("{at}/objects/keep"), "")
            .file(&format!("{at}/refs/keep"), "")
            .file(&format!("{at}/.gitattributes"), "* filter=evil\n")
    };
    let twin = || shop(&["plan"]).commit("first").well(&["ConfigMap/web"]);
    vec![
        (
            "directories that look like repositories",
            "the chart",
            lure(shop(&["plan"]), "web")
                .commit("first")
                .file("web/values.yaml", "greeting: changed\n")
                .well(&["ConfigMap/web"]),
            twin(),
        ),
        (
            "directories that look like repositories",
            "the system",
            lure(shop(&["plan"]), ".")
                .commit("first")
                .file("web/values.yaml", "greeting: changed\n")
                .well(&["ConfigMap/web"]),
            twin(),
        ),
        (
            "directories that look like repositories",
            "where the user stands",
            lure(shop(&["plan", "../web"]), "deploy")
                .commit("first")
                .file("web/values.yaml", "greeting: changed\n")
                .below("deploy")
                .well(&["ConfigMap/web"]),
            twin(),
        ),
        (
            "directories that look like repositories",
            "a chart by Helm's verb",
            lure(shop(&["template", "web", "web"]), "web").commit("first").well(&[PROOF]),
            twin(),
        ),
    ]
}

/// Addresses that are options or commands to the programs they are given to.
fn addresses() -> Vec<Pair> {
    let plan = |address: &str| Scene::new(&["plan", address]).refused(&[1, 2, 6], &["error"]);
    let twin = || shop(&["plan", "file://@ROOT@"]).commit("first").well(&["ConfigMap/web"]);
    let submodule = |url: &str| {
        shop(&["plan"])
            .file(
                ".gitmodules",
                format!("[submodule \"x\"]\n\tpath = web/sub\n\turl = {url}\n\tupdate = !@BIN@/evil\n"),
            )
            .commit("first")
            .well(&["ConfigMap/web"])
    };
    vec![
        (
            "addresses that are options",
            "a host",
            plan("ssh://-oProxyCommand=@BIN@/evil/a.git").hides(&["fetched within"]),
            twin(),
        ),
        ("addresses that are options", "a short form", plan("git@-oProxyCommand=@BIN@/evil:a"), twin()),
        ("addresses that are options", "a user", plan("-oProxyCommand=@BIN@/evil@host:a"), twin()),
        ("transports that are commands", "ext", plan("ext::@BIN@/evil%% x"), twin()),
        ("transports that are commands", "fd", plan("fd::17"), twin()),
        ("transports that are commands", "a helper of its own", plan("evil::address"), twin()),
        ("submodules", "a local address", submodule("file://@OUT@"), twin()),
        ("submodules", "an option", submodule("-u@BIN@/evil"), twin()),
        ("submodules", "a command", submodule("ext::@BIN@/evil"), twin()),
    ]
}

/// Charts that name programs to be fetched or rendered with.
fn downloads() -> Vec<Pair> {
    let depends = |repository: &str| {
        chart(Scene::new(&["dependency", "build", "web"]))
            .file("web/Chart.yaml", format!("apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {{name: lib, version: 1.0.0, repository: \"{repository}\"}}\n"))
    };
    let twin = || {
        depends("file://../lib")
            .file("lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.0.0\n")
            .well(&["Saving 1 charts"])
            .leaves("web/Chart.lock", "lib")
    };
    let refused = |scene: Scene| scene.refused(&[1], &["lib"]);
    vec![
        (
            "downloaders of a chart's",
            "a protocol of a plugin",
            refused(depends("evil://x").program("web/plugins/evil/evil", "@BIN@/evil").file(
                "web/plugins/evil/plugin.yaml",
                "name: evil\ncommand: $HELM_PLUGIN_DIR/evil\ndownloaders: [{command: evil, protocols: [evil]}]\n",
            )),
            twin(),
        ),
        (
            "downloaders of a chart's",
            "git over a command",
            depends("git+ext::@BIN@/evil").refused(&[1], &["LF0518"]),
            twin(),
        ),
        (
            "downloaders of a chart's",
            "an address with a command",
            refused(depends("https://x/$(@BIN@/evil)`@BIN@/evil`;@BIN@/evil")),
            twin(),
        ),
        (
            "renderers of a system's",
            "a post-renderer",
            shop_with("chart: web, postRenderer: ./evil", &["plan"])
                .program("evil", "@BIN@/evil; cat")
                .refused(&[1, 2], &["postRenderer"]),
            shop(&["template", "web", "web", "--post-renderer", "./own"])
                .program("own", "sed s/hello/hallo/")
                .well(&["hallo-proof"]),
        ),
        (
            "renderers of a system's",
            "a plugin of an Application",
            application(PLAN_APPS, "path: plain, plugin: {name: evil, env: [{name: PATH, value: x}]}")
                .file("plain/plugin.yaml", "kind: ConfigManagementPlugin\nspec: {generate: {command: [evil]}}\n")
                .commit("first")
                .hides(&["evil ran"])
                .says(&["plugin"]),
            applied(),
        ),
        (
            "renderers of a system's",
            "jsonnet that reads",
            application(PLAN_APPS, "path: plain, directory: {jsonnet: {libs: [\"../../outside\"]}}")
                .file("plain/a.jsonnet", "importstr '@OUT@/secret.txt'")
                .commit("first")
                .refused(&[1, 2], &["Jsonnet"]),
            applied(),
        ),
    ]
}

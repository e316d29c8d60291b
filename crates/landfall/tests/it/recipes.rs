//! The recipes of `deploy/ci`, their scripts carried out as a runner does: with the step's variables, this binary, and a `docker`
//! that writes down what it was asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::sandbox::{Ran, Sandbox, ran};

const TOKEN: &str = "canary-of-a-registry";
const IMAGES: [&str; 4] = ["platform-api", "docs", "mqtt-ingestion-worker", "telemetry-worker"];

fn recipe(path: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/ci").join(path);
    landfall_yaml::to_json_strict(&std::fs::read_to_string(file).expect("a recipe")).expect("YAML")
}

/// What starts it: to YAML as Go reads it, the key `on` is a truth.
fn on(recipe: &Value) -> &Value {
    recipe.get("on").unwrap_or(&recipe["true"])
}

/// The step of a job that has this name.
fn step<'r>(recipe: &'r Value, job: &str, name: &str) -> &'r Value {
    let steps = recipe["jobs"][job]["steps"].as_array().unwrap_or_else(|| panic!("job {job}"));
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("step {name} of {job}"))
}

/// A runner's machine: a checkout, and programs that say what they were asked.
struct Runner {
    here: Sandbox,
}

impl Runner {
    fn new() -> Self {
        let here = Sandbox::empty();
        here.write("package.json", "{\"name\": \"sens\", \"version\": \"0.5.0\"}\n");
        here.commit("first");
        let programs = here.root().join("../programs");
        std::fs::create_dir(&programs).expect("made");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_landfall"), programs.join("landfall")).expect("linked");
        // Of what was published it knows what stands in `published`; a login takes what comes on its standard input.
        let docker = "#!/bin/sh\nat=$(dirname \"$0\")/..\necho \"$*\" >> \"$at/asked\"\ncase \"$1\" in\nlogin) cat >> \"$at/stdin\" ;;\nmanifest) grep -qxF \"$3\" \"$at/published\" ;;\nbuild) ! grep -qF \"$3\" \"$at/broken\" 2>/dev/null ;;\nesac\n";
        for (name, text) in [("docker", docker), ("helm", "#!/bin/sh\nexit 9\n")] {
            std::fs::write(programs.join(name), text).expect("written");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(programs.join(name), mode).expect("executable");
        }
        for name in ["asked", "stdin", "published", "output"] {
            std::fs::write(here.root().join("..").join(name), "").expect("written");
        }
        Runner { here }
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.here.root().join("..").join(name)).expect("read")
    }

    /// Carries out a step, as `bash -e` with its own variables; expressions are looked up in `known`.
    fn run(&self, step: &Value, known: &[(&str, &str)]) -> Ran {
        let above = self.here.root().join("..");
        let mut command = Command::new("bash");
        command.args(["-e", "-c", step["run"].as_str().expect("a script")]).current_dir(self.here.root()).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", above.join("programs").display()));
        command.env("HOME", &above).env("CI", "true").env("GITHUB_OUTPUT", above.join("output"));
        let known: BTreeMap<&str, &str> = known.iter().copied().collect();
        for (name, text) in step["env"].as_object().into_iter().flatten() {
            let text = text.as_str().expect("text");
            let inner = text.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}"));
            let value = inner.map_or(text, |inner| known.get(inner).copied().unwrap_or_default());
            command.env(name, value);
        }
        ran(command.output().expect("bash runs"))
    }

    fn output(&self, name: &str) -> Option<String> {
        self.file("output").lines().rev().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    }
}

/// What the forges call their token, where one is stored and where it is the job's own.
fn tokens() -> [(&'static str, &'static str); 2] {
    [("github.token", TOKEN), ("secrets.REGISTRY_TOKEN || github.token", TOKEN)]
}

#[test]
fn se_11_se_31_ez_53_all_images_get_one_tag_and_the_registrys_token_is_nobodys_argument() {
    for forge in ["github", "gitea"] {
        let recipe = recipe(&format!("{forge}/release-channels.yaml"));
        // What has passed on main, automatically.
        let is_main = match forge {
            "github" => {
                on(&recipe)["workflow_run"]["workflows"][0] == "ci"
                    && on(&recipe)["workflow_run"]["branches"][0] == "main"
            }
            _ => on(&recipe)["push"]["branches"][0] == "main",
        };
        assert!(is_main, "{forge}: {}", on(&recipe));
        let runner = Runner::new();
        let own = if forge == "github" { "workflow_run" } else { "push" };
        let known = [("github.event_name", own), ("github.run_number", "123"), ("github.run_attempt", "1")];
        runner.run(step(&recipe, "publish", "Version"), &known).exits(0);
        assert_eq!(runner.output("version").as_deref(), Some("0.5.0-alpha.123.1"), "{forge}");
        // By hand: a version of one's own, with or without its `v`.
        let by_hand = [("github.event_name", "workflow_dispatch"), ("inputs.release_version", "v0.5.0-alpha.1")];
        runner.run(step(&recipe, "publish", "Version"), &by_hand).exits(0);
        assert_eq!(runner.output("version").as_deref(), Some("0.5.0-alpha.1"), "{forge}");
        let inputs = on(&recipe)["workflow_dispatch"]["inputs"].as_object().expect("inputs");
        for (input, is_required) in [("ref", true), ("release_version", true), ("update_test_environment", false)] {
            assert_eq!(inputs[input]["required"] == true, is_required, "{forge}: {input}");
        }
        assert_eq!(inputs["update_test_environment"]["default"], false, "test takes it only when that is said");
        let condition = recipe["jobs"]["write-back"]["if"].as_str().expect("a condition");
        assert!(condition.ends_with(" || inputs.update_test_environment"), "{condition}");

        let commit = runner.output("commit").expect("told");
        let known = [
            ("vars.REGISTRY", "ghcr.io/acme"),
            ("steps.version.outputs.version", "0.5.0-alpha.1"),
            ("steps.version.outputs.commit", commit.as_str()),
            ("github.actor", "octocat"),
        ];
        let known = [&known[..], &tokens()].concat();
        let publish = step(&recipe, "publish", "Build and publish");
        runner.run(publish, &known).exits(0);
        let asked = runner.file("asked");
        let pushed: Vec<&str> = asked.lines().filter_map(|line| line.strip_prefix("push ")).collect();
        assert_eq!(pushed, IMAGES.map(|image| format!("ghcr.io/acme/{image}:0.5.0-alpha.1")), "{forge}: {asked}");
        let labelled = format!("--label org.opencontainers.image.revision={commit} ");
        assert_eq!(asked.lines().filter(|line| line.contains(&labelled)).count(), IMAGES.len(), "{forge}: {asked}");
        assert!(asked.contains("login ghcr.io --username octocat --password-stdin\n"), "{asked}");
        assert_eq!((runner.file("stdin").as_str(), asked.contains(TOKEN)), (TOKEN, false), "{forge}");

        // One that is published already, or that does not build: nothing is published of the others either.
        for (file, line) in [
            ("published", "ghcr.io/acme/telemetry-worker:0.5.0-alpha.1\n"),
            ("broken", "services/telemetry-worker/Dockerfile\n"),
        ] {
            std::fs::write(runner.here.root().join("../asked"), "").expect("written");
            std::fs::write(runner.here.root().join("..").join(file), line).expect("written");
            runner.run(publish, &known).exits(1);
            assert!(!runner.file("asked").contains("push "), "{forge}: {file}: {}", runner.file("asked"));
            std::fs::write(runner.here.root().join("..").join(file), "").expect("written");
        }
    }
}

#[test]
fn se_20_by_hand_nothing_is_published_without_a_version_or_by_one_that_no_image_can_have() {
    for forge in ["github", "gitea"] {
        let recipe = recipe(&format!("{forge}/release-channels.yaml"));
        let version = step(&recipe, "publish", "Version");
        let runner = Runner::new();
        for (wanted, code) in
            [("", 2), ("0.5.0+x", 5), ("latest", 5), ("0.5", 5), ("1.0.0$(touch ../gone)", 5), ("1.0.0\nevil=1", 5)]
        {
            let known = [
                ("github.event_name", "workflow_dispatch"),
                ("inputs.release_version", wanted),
                ("github.run_number", "1"),
            ];
            runner.run(version, &known).exits(code);
            assert_eq!(runner.output("version"), None, "{forge}: {wanted}");
        }
        assert!(!runner.here.root().join("../gone").exists());
    }
}

#[test]
fn ez_52_a_tag_v_builds_three_roles_and_upgrades_the_release_to_it() {
    for forge in ["github", "gitea"] {
        let recipe = recipe(&format!("{forge}/release-roles.yaml"));
        assert_eq!(*on(&recipe), serde_json::json!({"push": {"tags": ["v*"]}}), "{forge}");
        assert_eq!(
            recipe["jobs"]["publish"]["strategy"]["matrix"]["role"],
            serde_json::json!(["app", "horizon", "scheduler"])
        );
        let runner = Runner::new();
        for role in ["app", "horizon", "scheduler"] {
            let known = [
                ("github.ref_name", "v1.2.3"),
                ("matrix.role", role),
                ("vars.REGISTRY", "git.example.com/acme/website"),
                ("github.actor", "anna"),
            ];
            runner.run(step(&recipe, "publish", "Build and publish"), &[&known[..], &tokens()].concat()).exits(0);
        }
        let asked = runner.file("asked");
        for role in ["app", "horizon", "scheduler"] {
            assert!(asked.contains(&format!("push git.example.com/acme/website:{role}-v1.2.3\n")), "{forge}: {asked}");
        }
        assert!(
            !asked.contains(TOKEN) && asked.contains("login git.example.com --username anna --password-stdin"),
            "{asked}"
        );
        let upgrade = recipe["jobs"]["upgrade"].to_string();
        assert!(
            upgrade.contains("landfall upgrade --install ezscale-website") && upgrade.contains("image.tag=$TAG"),
            "{upgrade}"
        );
        assert_eq!(recipe["jobs"]["upgrade"]["needs"], "publish", "{forge}");
    }
}

#[test]
fn se_045_what_waits_for_the_server_is_known_by_its_identity_and_by_nothing_stored() {
    for file in ["release-services", "release-channels"] {
        let recipe = recipe(&format!("github/{file}.yaml"));
        let job = &recipe["jobs"]["deployed"];
        assert_eq!(job["permissions"], serde_json::json!({"contents": "read", "id-token": "write"}), "{file}");
        let told = job.to_string();
        assert!(!told.contains("secrets.") && !told.contains("LANDFALL_TOKEN"), "{file}: {told}");
        let condition = job["if"].as_str().expect("a condition");
        assert!(
            condition.contains("needs.write-back.result == 'success' && vars.LANDFALL_SERVER != ''"),
            "{condition}"
        );
        // Without its runner's word nobody is asked: no token is looked for elsewhere.
        let runner = Runner::new();
        let known = [("vars.LANDFALL_SERVER", "https://landfall.example.com")];
        runner.run(step(&recipe, "deployed", "Wait until it runs"), &known).exits(2).says("wants a token");
    }
}

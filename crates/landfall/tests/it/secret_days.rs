//! The secret steps of a day in the life of LuckyPlans (requirements §5.1: 6, 11, 12), unattended and on the embedded cluster.

use super::sandbox::{Ran, Sandbox};

const VALUES: &str = "infrastructure/helm/luckyplans/values.prod.yaml";

/// LuckyPlans, whose production is the embedded cluster.
fn luckyplans() -> Sandbox {
    let sandbox = Sandbox::luckyplans();
    sandbox.edit("landfall.yaml", "cluster: {context: k3d-luckyplans-prod, protected: true}", "cluster: embedded");
    let addons = "    addons:\n      - {name: cert-manager, version: v1.17.1}\n      - {name: sealed-secrets}\n";
    sandbox.edit("landfall.yaml", addons, "");
    sandbox.write("../.gitconfig", "[user]\n\tname = test\n\temail = test@example.com\n");
    sandbox.git(&["remote", "add", "origin", "https://git.example.com/luckyplans/luckyplans.git"]);
    sandbox.commit("production here");
    sandbox
}

fn secrets(sandbox: &Sandbox, words: &str) -> Ran {
    let words: Vec<&str> = words.split_whitespace().collect();
    sandbox.run(&[&["secrets"], &words[..], &["--env", "prod"]].concat())
}

fn up(sandbox: &Sandbox) -> Ran {
    sandbox.run(&["up", "--env", "prod", "--yes", "--allow-unsimulated", "--skip", "observability-prod"])
}

/// The live Secret, as the store has it.
fn live(sandbox: &Sandbox) -> String {
    let state = super::inspection::end_state(&sandbox.root().join(".landfall"), "luckyplans");
    let line = state.into_iter().find(|line| line.starts_with("Secret luckyplans-secrets "));
    line.expect("the controller has made it")
}

fn value(secret: &str, key: &str) -> String {
    let from = secret.find(&format!("\"{key}\":\"")).map(|at| &secret[at + key.len() + 4..]).expect("the key");
    from.split('"').next().expect("a value").to_owned()
}

/// LP-38 to LP-45: nine keys are born, delivered, one of them changed, another one given up by mistake twice.
#[test]
fn the_secret_steps_of_a_day_of_luckyplans_run_unattended() {
    let sandbox = luckyplans();
    secrets(&sandbox, "init --yes --plain ../plain.env").exits(0).says("9/9 keys sealed in");
    sandbox.commit("sealed");
    // The chart says on the cluster what `landfall.yaml` declares: nothing is told of that.
    let checked = secrets(&sandbox, "check").exits(0).says("9/9 keys");
    assert!(!checked.all().contains("does not say on the cluster"), "{}", checked.all());
    up(&sandbox).exits(0);
    let born = live(&sandbox);
    assert!(born.contains("\"landfall.dev/once\":\"WORKER_CREDENTIAL_PEPPER\""), "{}", born.len());
    assert!(born.contains("\"landfall.dev/once-born\":\"WORKER_CREDENTIAL_PEPPER="), "{}", born.len());
    assert!(!born.contains("ownerReferences"), "it would go with its SealedSecret");

    // Step 11: one key, and what is sealed of the others stays byte for byte.
    let before = sandbox.read(VALUES);
    secrets(&sandbox, "set SESSION_SECRET --yes --commit").exits(0).says("committed as");
    let after = sandbox.read(VALUES);
    let differing = before.lines().zip(after.lines()).filter(|(one, other)| one != other).count();
    assert_eq!((differing, before.lines().count()), (1, after.lines().count()));
    up(&sandbox).exits(0);
    let changed = live(&sandbox);
    assert_ne!(value(&changed, "SESSION_SECRET"), value(&born, "SESSION_SECRET"));
    assert_eq!(value(&changed, "WORKER_CREDENTIAL_PEPPER"), value(&born, "WORKER_CREDENTIAL_PEPPER"));

    // Another pepper in git, sealed as it should be: the cluster keeps the one that was born, and says why.
    let raw = ["secrets", "seal", "--raw", "--name", "luckyplans-secrets", "--namespace", "luckyplans", "--from-file"];
    sandbox.write("../other", "another pepper");
    let other = sandbox.run(&[&raw[..], &["../other"]].concat()).exits(0).stdout;
    // One that ends with a plus sign stands in quotes.
    let sealed = ["WORKER_CREDENTIAL_PEPPER: Ag", "WORKER_CREDENTIAL_PEPPER: 'Ag"];
    let line = after.lines().find(|line| sealed.iter().any(|form| line.contains(form))).expect("sealed").to_owned();
    sandbox.edit(VALUES, &line, &format!("    WORKER_CREDENTIAL_PEPPER: {other}"));
    sandbox.commit("another pepper");
    let refused = up(&sandbox).says("generated once");
    assert_ne!(refused.code, 0, "{}", refused.all());
    assert_eq!(value(&live(&sandbox), "WORKER_CREDENTIAL_PEPPER"), value(&born, "WORKER_CREDENTIAL_PEPPER"));
    secrets(&sandbox, "check").exits(1).says("is not the value that was generated");

    // Step 12: taken out of git altogether.
    sandbox.edit(VALUES, &format!("    WORKER_CREDENTIAL_PEPPER: {other}\n"), "");
    sandbox.commit("gone");
    up(&sandbox).exits(5).says("needs luckyplans-secrets[WORKER_CREDENTIAL_PEPPER]");
    assert_eq!(value(&live(&sandbox), "WORKER_CREDENTIAL_PEPPER"), value(&born, "WORKER_CREDENTIAL_PEPPER"));
}

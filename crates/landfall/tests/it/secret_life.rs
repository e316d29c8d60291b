//! A secret's life through the binary: declared, born once, sealed into its file, changed with what follows from it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use landfall_delivery::life::SecretWriter;
use landfall_diag::{Diagnostic, code};
use landfall_object::Object;
use landfall_secrets::age::Identity;
use landfall_secrets::{Declared, Masked};

use super::doctor::served;
use super::inspection::{create, objects};
use super::sandbox::{Ran, Sandbox, ran, small_chart};
use super::terminal::Terminal;

const VALUES: &str = "infrastructure/helm/luckyplans/values.prod.yaml";

/// An identity in a file beside the system, and its recipient.
fn identity(sandbox: &Sandbox) -> String {
    let identity = Identity::generate().expect("random");
    let text = identity.reveal().expect("a key");
    sandbox.write("../key.txt", &format!("{}\n", String::from_utf8_lossy(text.reveal())));
    identity.recipient().expect("a key").expect("no passphrase").to_string()
}

/// The keys of a file of plain values.
pub(super) fn plain(sandbox: &Sandbox, file: &str) -> BTreeMap<String, String> {
    let mode = std::fs::metadata(sandbox.root().join(file)).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{file}");
    let lines = sandbox.read(file);
    lines
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The lines in which two texts of as many lines differ.
fn differing<'t>(before: &'t str, after: &'t str) -> Vec<&'t str> {
    assert_eq!(before.split('\n').count(), after.split('\n').count());
    let lines = before.split('\n').zip(after.split('\n'));
    lines.filter(|(before, after)| before != after).map(|(_, after)| after.trim()).collect()
}

/// A served cluster with a sealing controller, as one is installed before anything is delivered.
pub(crate) fn sealing(context: &str) -> (Sandbox, String) {
    let (served, kubeconfig) = served(context);
    small_chart(&served, "web", "web");
    served.write("web/templates/sealed.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a, namespace: a}\nspec:\n  encryptedData: {TOKEN: AgB}\n");
    served.run(&["up", "./web", "-n", "a", "--yes"]).exits(0);
    (served, kubeconfig)
}

/// LuckyPlans, whose protected production is a served cluster.
struct LuckyPlans {
    sandbox: Sandbox,
    _served: Sandbox,
}

impl LuckyPlans {
    fn new() -> Self {
        let (served, kubeconfig) = sealing("k3d-luckyplans-prod");
        let sandbox = Sandbox::luckyplans();
        sandbox.write("../kubeconfig", &kubeconfig);
        sandbox.write("../.gitconfig", "[user]\n\tname = test\n\temail = test@example.com\n");
        sandbox.git(&["remote", "add", "origin", "https://git.example.com/luckyplans/luckyplans.git"]);
        LuckyPlans { sandbox, _served: served }
    }

    /// The same system on another cluster, on which there is nothing.
    fn moved(self) -> Self {
        let (served, kubeconfig) = sealing("k3d-luckyplans-prod");
        self.sandbox.write("../kubeconfig", &kubeconfig);
        LuckyPlans { sandbox: self.sandbox, _served: served }
    }

    fn secrets(&self, words: &str) -> Ran {
        let words: Vec<&str> = words.split_whitespace().collect();
        let place = ["--env", "prod", "--kubeconfig", "../kubeconfig"];
        self.sandbox.run(&[&["secrets"], &words[..], &place].concat())
    }

    fn values(&self) -> String {
        self.sandbox.read(VALUES)
    }
}

/// LP-36, LP-38, LP-41, LP-42, LP-46, LP-57: what `seal-secrets.sh` did, and what it could not.
#[test]
fn lp_36_lp_38_lp_41_lp_42_lp_46_lp_57_the_nine_keys_are_born_sealed_saved_and_changed_one_by_one() {
    let prod = LuckyPlans::new();
    let sandbox = &prod.sandbox;
    let recipient = identity(sandbox);
    prod.secrets("check").exits(1).says("0/9 keys of luckyplans/luckyplans-secrets are there").says("no sealed value");
    let before = prod.values();

    // What is made once is made by nobody but `init` and `bootstrap` here.
    let pepper = prod.secrets("set WORKER_CREDENTIAL_PEPPER --yes").exits(5).says("not by `set`");
    pepper.says("landfall secrets init WORKER_CREDENTIAL_PEPPER");
    assert!(!sandbox.read("landfall.yaml").contains("scrypt14."));

    // LP-36: nothing is sealed before somebody could open it again without the cluster.
    prod.secrets("init --yes").exits(5).says("its sealing key is in no backup");
    assert_eq!(prod.values(), before);

    let init = format!("init --write --backup ../keys.age --recipient {recipient} --plain ../plain.env");
    let dry = prod.secrets(&format!("{init} --dry-run")).exits(0);
    assert_eq!(prod.values(), before, "{}", dry.all());
    let done = prod.secrets(&init).exits(0).says("9/9 keys sealed in").says("keys saved to ../keys.age (0600)");
    let values = plain(sandbox, "../plain.env");
    assert_eq!(values.len(), 9, "{}", done.all());
    for (key, value) in &values {
        assert!(!done.all().contains(value.as_str()), "{key} is shown");
        assert!(
            !prod.values().contains(value.as_str()) && !sandbox.read("landfall.yaml").contains(value.as_str()),
            "{key}"
        );
    }
    assert_eq!(values["JWT_SECRET"].len(), 64);
    assert_eq!(values["MINIO_ROOT_USER"].len(), 24);
    let url = format!("postgresql://luckyplans:{}@postgresql:5432/luckyplans", values["POSTGRES_PASSWORD"]);
    assert_eq!(values["DATABASE_URL"], url);
    let mode = std::fs::metadata(sandbox.root().join("../keys.age")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let sealed = prod.values();
    assert_eq!(differing(&before, &sealed).len(), 9, "nothing but the nine values changed");
    let project = sandbox.read("landfall.yaml");
    assert_eq!(project.matches("fingerprint: scrypt14.").count(), 1, "{project}");
    sandbox.commit("Seal");
    prod.secrets("check").exits(0).says("9/9 keys of luckyplans/luckyplans-secrets are there");
    prod.secrets("check --offline").exits(0).says("9/9 keys");
    prod.secrets("init --yes").exits(0).says("nothing was changed");
    prod.secrets("bootstrap --yes").exits(5).says("is bootstrapped already").says("scrypt14.");

    // LP-41: one key, and no other.
    prod.secrets("set SESSION_SECRET --yes --commit").exits(5).says("nobody keeps the values before").says("--escrow");
    assert_eq!(prod.values(), sealed);
    let escrow = |file: &str| format!("--escrow ../{file}.age --recipient {recipient}");
    prod.secrets(&format!("set SESSION_SECRET --yes --commit {}", escrow("session"))).exits(0).says("committed as");
    let set = prod.values();
    let changed = differing(&sealed, &set);
    assert!(matches!(changed.as_slice(), [one] if one.starts_with("SESSION_SECRET: ")), "{changed:?}");
    let last = std::process::Command::new("git")
        .args(["show", "--stat", "--format=%s", "HEAD"])
        .current_dir(sandbox.root())
        .output();
    let last = String::from_utf8_lossy(&last.expect("git runs").stdout).into_owned();
    assert!(last.contains("Set 1 key of luckyplans-secrets (prod)") && last.contains("1 file changed"), "{last}");
    prod.secrets("set").exits(2).says("no key is named");
    prod.secrets("set SESION_SECRET").exits(2).says("did you mean `SESSION_SECRET`?");
    prod.secrets("set JWT_SECRET=canary --yes").exits(5).says("--stdin");
    prod.secrets("set DATABASE_URL --yes").exits(2).says("follows from POSTGRES_PASSWORD");

    // EZ-33, EZ-34: what is generated once never changes, and what would be lost is said.
    for verb in ["set WORKER_CREDENTIAL_PEPPER", "rotate WORKER_CREDENTIAL_PEPPER --accept WORKER_CREDENTIAL_PEPPER"] {
        prod.secrets(&format!("{verb} --yes")).exits(5).says("generated once").says("worker credentials");
    }
    // T10: a password that takes effect only once, and what was made from it.
    prod.secrets("set POSTGRES_PASSWORD --yes").exits(5).says("ALTER USER").says("--accept POSTGRES_PASSWORD");
    let accepted = "set POSTGRES_PASSWORD --yes --accept POSTGRES_PASSWORD";
    prod.secrets(accepted).exits(5).says("DATABASE_URL, POSTGRES_PASSWORD");
    prod.secrets(&format!("{accepted} {}", escrow("postgres"))).exits(0).says("made from POSTGRES_PASSWORD");
    let changed = differing(&set, &prod.values()).len();
    assert_eq!(changed, 2, "the password, and the address that it stands in");
    prod.secrets("pending").exits(0).says("ALTER USER");
    prod.secrets("pending --done POSTGRES_PASSWORD").exits(0);
    assert!(!prod.secrets("pending").exits(0).all().contains("ALTER USER"));

    // LP-43: the value before is kept where nobody reads it.
    prod.secrets("rotate JWT_SECRET --yes").exits(5).says("nobody keeps the values before");
    prod.secrets(&format!("rotate JWT_SECRET --yes --escrow ../before.age --recipient {recipient}")).exits(0);
    assert!(sandbox.read("../before.age").starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    // LP-46: what is entered elsewhere by hand is told of until it is.
    prod.secrets(&format!("rotate OIDC_CLIENT_SECRET --yes --escrow ../oidc.age --recipient {recipient}")).exits(0);
    prod.secrets("pending").exits(0).says("OIDC_CLIENT_SECRET").says("the identity provider's console");
    prod.secrets("pending --done OIDC_CLIENT_SECRET").exits(0);
    assert!(!prod.secrets("pending").exits(0).all().contains("OIDC_CLIENT_SECRET"));
    prod.secrets("audit").exits(0).says("Deployment/keycloak").says(": saved ");

    // Item 4: the cluster is lost, and its store: nothing of it is born again.
    let elsewhere = prod.moved();
    let values = elsewhere.values();
    elsewhere.secrets("init --yes").exits(5).says("no key of this cluster opens it").says("restore");
    let line = values.lines().find(|line| line.contains("WORKER_CREDENTIAL_PEPPER: ")).expect("there").to_owned();
    elsewhere.sandbox.edit(VALUES, &line, "    WORKER_CREDENTIAL_PEPPER: AgAexample");
    elsewhere.secrets("init WORKER_CREDENTIAL_PEPPER --yes").exits(5).says("generated once, and its value is neither");
    elsewhere.sandbox.write(VALUES, &values);
    let restore = [
        "secrets",
        "restore",
        "../keys.age",
        "--identity",
        "../key.txt",
        "--yes",
        "--env",
        "prod",
        "--kubeconfig",
        "../kubeconfig",
    ];
    elsewhere.sandbox.run(&restore).exits(0);
    elsewhere.secrets("check").exits(0).says("9/9 keys");
}

/// A controller that no Service leads to, as `serve` beside a cluster is one: its newest key has the certificate.
#[test]
fn what_no_service_answers_for_is_sealed_by_the_newest_key() {
    let (served, kubeconfig) = sealing("shop");
    served.write("../kubeconfig", &kubeconfig);
    let hollow = "apiVersion: v1\nkind: Service\nmetadata: {name: hollow, namespace: NS}\nspec:\n  ports: [{name: http, port: 8080}]\n";
    served.write("web/templates/hollow.yaml", &hollow.replace("NS", "kube-system"));
    served.write("web/templates/elsewhere.yaml", &hollow.replace("NS", "a"));
    served.run(&["up", "./web", "-n", "a", "--yes"]).exits(0);
    let cert = |more: &[&str]| {
        served.run(&[&["secrets", "cert", "--kubeconfig", "../kubeconfig", "-o", "json"], more].concat())
    };
    let answered = cert(&[]).exits(0).json();
    let read = cert(&["--controller-name", "hollow"]).exits(0).json();
    assert_eq!(read["data"]["pem"], answered["data"]["pem"]);
    let none = cert(&["--controller-name", "hollow", "--controller-namespace", "a"]);
    none.says("gives no certificate").says("there is no key in a either").says("the embedded cluster has it built in");
}

/// EZ-32, EZ-33, EZ-35: a site whose Secret is made beside the release, once.
#[test]
fn ez_32_ez_35_what_is_bootstrapped_once_is_never_bootstrapped_again() {
    let (_served, kubeconfig) = served("k3s-us-prod");
    let sandbox = Sandbox::example("ezscale-website");
    sandbox.write("../kubeconfig", &kubeconfig);
    let recipient = identity(&sandbox);
    sandbox.write(
        "../given.env",
        "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=canary-aws-value\nSTRIPE_SECRET=canary-stripe-value\n",
    );
    let run = |words: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        sandbox.run(&[&["secrets"], &words[..], &["--env", "us-prod", "--kubeconfig", "../kubeconfig"]].concat())
    };
    let bootstrap = format!("bootstrap --yes --from-file ../given.env --backup ../keys.age --recipient {recipient}");
    run("bootstrap --yes").exits(2).says("nobody has given AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, STRIPE_SECRET");
    let done = run(&bootstrap).exits(0).says("8/8 keys on").says("oauth-public.key: scrypt14.");
    assert!(!done.all().contains("canary"), "{}", done.all());
    run(&bootstrap).exits(5).says("is bootstrapped already").says("APP_KEY: scrypt14.");
    run("init --yes").exits(0).says("nothing was changed");
    run("set APP_KEY --yes").exits(5).says("two-factor secrets");
    run("check").exits(0).says("8/8 keys");
    // EZ-35: those of database, files, payments and cache beside the three that never change.
    let rows = run("check -o json").exits(0).json()["data"]["keys"].clone();
    let there = |row: &serde_json::Value| row["state"] == "live";
    let found: Vec<&str> =
        rows.as_array().into_iter().flatten().filter(|row| there(row)).filter_map(|row| row["key"].as_str()).collect();
    for key in
        ["DB_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "STRIPE_SECRET", "REDIS_PASSWORD", "APP_KEY"]
    {
        assert!(found.contains(&key), "{key} in {rows}");
    }
    // The plain values are where they were asked for, and nowhere else.
    run(&format!("rotate DB_PASSWORD --yes --plain ../plain.env --escrow ../before.age --recipient {recipient}"))
        .exits(0);
    assert_eq!(plain(&sandbox, "../plain.env")["DB_PASSWORD"].len(), 32);
    // LP-57: the same on a cluster that has nothing: the backup, and nothing new.
    let (_another, kubeconfig) = super::doctor::served("k3s-us-prod");
    sandbox.write("../kubeconfig", &kubeconfig);
    run("bootstrap --yes --from-file ../given.env").exits(5).says("`APP_KEY` is not made anew").says("restore");
    let restore = [
        "secrets",
        "restore",
        "../keys.age",
        "--identity",
        "../key.txt",
        "--yes",
        "--env",
        "us-prod",
        "--kubeconfig",
        "../kubeconfig",
    ];
    // Git says which value it was: another one is not taken, also where there is none.
    let declared = sandbox.read("landfall.yaml");
    let mut prints = declared.split("fingerprint: ").skip(1).filter_map(|rest| rest.split([',', '}', '\n']).next());
    let (first, second) = (prints.next().expect("one").trim(), prints.next().expect("two").trim());
    sandbox.write("landfall.yaml", &declared.replace(first, second));
    sandbox.run(&restore).exits(5).says("LF0957").says("what was saved is not the value that was generated");
    sandbox.write("landfall.yaml", &declared);
    sandbox.run(&restore).exits(0);
    run("check").exits(0).says("8/8 keys");
}

/// What does not open any more is not counted as sealed, whatever verb counts.
#[test]
fn a_key_that_does_not_open_is_not_counted_as_sealed() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let template = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n";
    sandbox.write("web/templates/sealed.yaml", template);
    sandbox.edit("web/values.yaml", "replicas: 1", "sealed:\n  ONE: x\nreplicas: 1");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: keys\n      file: web/values.yaml\n      path: sealed\n      keys:\n        ONE: {generate: {random: 24}}\n        TWO: {generate: {random: 24}}\n",
    );
    sandbox.commit("Begin");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0).says("2/2 keys sealed in");
    let wider =
        "metadata: {name: keys, namespace: shop, annotations: {sealedsecrets.bitnami.com/namespace-wide: \"true\"}}";
    sandbox.write("web/templates/sealed.yaml", &template.replace("metadata: {name: keys, namespace: shop}", wider));
    sandbox.run(&["secrets", "check"]).exits(1).says("0/2 keys of");
    for verb in ["rotate", "set"] {
        let told = sandbox.run(&["secrets", verb, "ONE", "--yes"]).exits(0);
        told.says("1/2 keys sealed in").says("does not open").lacks("kept");
    }
    sandbox.run(&["secrets", "check"]).exits(1).says("1/2 keys of");
    // What goes with the cluster is named before it goes.
    let unsaved = sandbox.run(&["secrets", "pending"]).exits(0).says("save SHA256:").all();
    let key = unsaved.split("save ").nth(1).and_then(|rest| rest.split(':').nth(1)).expect("a fingerprint").to_owned();
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0).says("is in no backup and goes with the cluster").says(&key);
}

/// The embedded cluster's own controller is there also for who comes by a kubeconfig, and before anything is delivered.
#[test]
fn what_is_sealed_first_for_an_embedded_cluster_that_a_context_leads_to_finds_its_controller() {
    let (_served, kubeconfig) = served("k3d-luckyplans-prod");
    let sandbox = Sandbox::luckyplans();
    sandbox.write("../kubeconfig", &kubeconfig);
    let recipient = identity(&sandbox);
    let init = format!(
        "secrets init --yes --backup ../keys.age --recipient {recipient} --env prod --kubeconfig ../kubeconfig"
    );
    sandbox.run(&init.split(' ').collect::<Vec<_>>()).exits(0).says("9/9 keys sealed in");
}

/// LP-116: what somebody has made with `kubectl create secret` is taken over as it is, on the cluster and into a file.
#[test]
fn lp_116_a_secret_that_was_made_by_hand_is_adopted_and_not_overwritten() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let project = |secrets: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: web, chart: web, namespace: shop}}]\n    secrets:\n      target: keys\n{secrets}      keys:\n        JWT_SECRET: {{generate: {{random: 48}}}}\n        POSTGRES_PASSWORD: {{generate: {{random: 24, alphabet: url}}, lifecycle: init-only}}\n        PEPPER: {{generate: once}}\n"
        )
    };
    sandbox.write("landfall.yaml", &project(""));
    sandbox.commit("Begin");
    sandbox.run(&["up", "--yes"]).exits(0);
    let state = sandbox.root().join(".landfall");
    let by_hand = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "shop"},
        "data": {"JWT_SECRET": "Y2FuYXJ5LWp3dA==", "POSTGRES_PASSWORD": "Y2FuYXJ5LXBhc3N3b3Jk"}});
    create(&state, Object::from_value(by_hand).expect("an object"));
    let live = || {
        let all = objects(&state, "v1", "Secret", "shop");
        all.into_iter().find(|it| it.name() == "keys").expect("there")
    };
    let first = live();
    let is_kept = |now: &Object| {
        assert_eq!(now.uid(), first.uid(), "it is the same object");
        for (pointer, value) in
            [("/data/JWT_SECRET", "Y2FuYXJ5LWp3dA=="), ("/data/POSTGRES_PASSWORD", "Y2FuYXJ5LXBhc3N3b3Jk")]
        {
            assert_eq!(now.str_at(pointer), Some(value), "{pointer}");
        }
    };
    sandbox.run(&["secrets", "check"]).exits(1).says("2/3 keys").says("`PEPPER` is missing");
    let done = sandbox.run(&["secrets", "init", "--yes"]).exits(0).says("3/3 keys on");
    assert!(!done.all().contains("canary"), "{}", done.all());
    is_kept(&live());
    let pepper = live().str_at("/data/PEPPER").map(str::to_owned).expect("it was missing");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0).says("nothing was changed");
    sandbox.run(&["up", "--yes"]).exits(0);
    is_kept(&live());

    // Into git: the file gets the values that live, and delivering it changes none of them.
    sandbox.write("web/templates/sealed.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n");
    sandbox.edit("web/values.yaml", "replicas: 1", "sealed: {}\nreplicas: 1");
    let born = sandbox.read("landfall.yaml");
    let fingerprint =
        born.split("fingerprint: ").nth(1).and_then(|it| it.split('}').next()).expect("written").to_owned();
    let held = project("      file: web/values.yaml\n      path: sealed\n");
    sandbox.write(
        "landfall.yaml",
        &held.replace("generate: once", &format!("generate: once, fingerprint: {fingerprint}")),
    );
    sandbox.commit("Into git");
    sandbox.write("web/.values.yaml.4194305", "killed");
    sandbox.write("web/.values.yaml.orig", "somebody's");
    let told = sandbox
        .run(&["secrets", "init", "--yes"])
        .exits(0)
        .says("taken over from the cluster")
        .says("3/3 keys sealed in");
    assert!(!told.all().contains("canary") && !sandbox.read("web/values.yaml").contains("canary"), "{}", told.all());
    let beside = |name: &str| sandbox.root().join("web").join(name).exists();
    assert!(
        !beside(".values.yaml.4194305") && beside(".values.yaml.orig"),
        "what a killed command left goes, and no more"
    );
    sandbox.commit("Sealed");
    sandbox.run(&["secrets", "check"]).exits(0).says("3/3 keys");
    sandbox.run(&["up", "--yes"]).exits(0);
    is_kept(&live());
    assert_eq!(live().str_at("/data/PEPPER"), Some(pepper.as_str()));
    // What is delivered is opened, too: the controller leaves alone what nobody says it may take. It looks when it comes to it.
    let synced = || {
        let sealed = objects(&state, "bitnami.com/v1alpha1", "SealedSecret", "shop");
        sealed.first().and_then(|sealed| sealed.condition("Synced")).map(|it| it["status"].clone())
    };
    for _ in 0..200 {
        if synced() == Some("True".into()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(synced(), Some("True".into()));
    sandbox.run(&["status"]).exits(0).lacks("not managed by SealedSecret");
    is_kept(&live());
}

/// Sets the client secret, as a person who has read it in a console.
fn client_secret(sandbox: &Sandbox, value: &str) -> Ran {
    sandbox.write("../given", value);
    let mut command = sandbox.command(&["secrets", "set", "OIDC_CLIENT_SECRET", "--stdin", "--yes"]);
    command.stdin(std::fs::File::open(sandbox.root().join("../given")).expect("there"));
    ran(command.output().expect("the binary runs")).exits(0)
}

/// LP-40: whoever keeps a copy of a value is asked for it, after a delivery, by `smoke` and by `secrets check`.
#[test]
fn lp_40_an_identity_provider_that_has_another_client_secret_is_a_failed_check_with_two_fingerprints() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets: {target: keys, keys: {OIDC_CLIENT_SECRET: {copied-to: the console}}}\n    simulate:\n      web:\n        exec: [{argv: [client-secret], stdout: \"canary-entered\\n\"}]\n    checks:\n      - {name: oidc client, exec: {workload: deployment/web, argv: [client-secret]}, prints: {secret: keys, key: OIDC_CLIENT_SECRET}, timeout: 1ms}\n",
    );
    sandbox.commit("Begin");
    let given = |value: &str| client_secret(&sandbox, value);
    given("canary-entered");
    sandbox.run(&["up"]).exits(0).says("check oidc client").says("passed");
    sandbox.run(&["secrets", "check"]).exits(0).says("1/1 keys");
    given("canary-another");
    let fingerprints = |ran: &Ran| -> Vec<String> {
        assert!(!ran.all().contains("canary"), "{}", ran.all());
        let text = ran.all();
        let words = text.split(|it: char| !it.is_ascii_alphanumeric());
        let is_print = |it: &&str| it.len() == 8 && it.bytes().all(|byte| byte.is_ascii_hexdigit());
        words.filter(is_print).map(str::to_owned).collect()
    };
    for (words, code) in [(&["smoke"][..], 4), (&["secrets", "check"], 1), (&["secrets", "audit"], 1), (&["up"], 4)] {
        let told = sandbox.run(words).exits(code).says("it has another value of `OIDC_CLIENT_SECRET`: fingerprint ");
        let told = told.says("in Secret shop/keys; it has one from before the last change");
        assert!(matches!(fingerprints(&told).as_slice(), [one, two, ..] if one != two), "{}", told.all());
    }
    let document = sandbox.run(&["secrets", "check", "-o", "json"]).exits(1).json();
    assert_eq!(document["data"]["faults"][0]["key"], "OIDC_CLIENT_SECRET", "{document}");
    // Another command that nobody declares an answer of: that it was not looked at is said.
    sandbox.edit("landfall.yaml", "argv: [client-secret]}, prints", "argv: [other]}, prints");
    sandbox.run(&["secrets", "check"]).exits(0).says("check `oidc client` could not be made");
    sandbox.edit("landfall.yaml", "argv: [other]}, prints", "argv: [client-secret]}, prints");
    given("canary-entered");
    sandbox.run(&["smoke"]).exits(0);
}

/// LP-40: the identity provider usually lives in a namespace of its own, and the Secret where the program is.
#[test]
fn lp_40_a_copy_is_compared_with_a_secret_of_another_namespace() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "web", "web");
    small_chart(&sandbox, "idp", "idp");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}, {name: idp, chart: idp, namespace: identity}]\n    secrets: {target: keys, namespace: shop, keys: {OIDC_CLIENT_SECRET: {copied-to: the console}}}\n    simulate:\n      idp:\n        exec: [{argv: [client-secret], stdout: \"canary-entered\\n\"}]\n    checks:\n      - {name: oidc client, exec: {workload: identity/deployment/idp, argv: [client-secret]}, prints: {secret: keys, key: OIDC_CLIENT_SECRET}, timeout: 1ms}\n",
    );
    sandbox.commit("Begin");
    let given = |value: &str| client_secret(&sandbox, value);
    given("canary-entered");
    let nowhere = sandbox.run(&["up"]).exits(4).says("there is no Secret identity/keys");
    nowhere.says("`namespace` under `prints` says so");
    sandbox.edit("landfall.yaml", "prints: {secret: keys,", "prints: {secret: keys, namespace: shop,");
    sandbox.run(&["smoke"]).exits(0).says("passed");
    sandbox.run(&["secrets", "check"]).exits(0).says("1/1 keys");
    given("canary-another");
    sandbox.run(&["smoke"]).exits(4).says("in Secret shop/keys; it has one from before the last change");
    sandbox.run(&["secrets", "check"]).exits(1).says("it has another value of `OIDC_CLIENT_SECRET`: fingerprint ");
    // One of the same name elsewhere is not this one.
    sandbox.edit(
        "landfall.yaml",
        "prints: {secret: keys, namespace: shop,",
        "prints: {secret: keys, namespace: other,",
    );
    sandbox.run(&["smoke"]).exits(4).says("there is no Secret other/keys");
    sandbox.run(&["secrets", "check"]).exits(0).says("1/1 keys");
}

#[cfg(unix)]
#[test]
fn what_has_no_end_is_read_for_no_value_and_no_key() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets: {target: keys, keys: {A: {}}}\n",
    );
    for given in ["/dev/zero", "A=/dev/zero"] {
        sandbox.run(&["secrets", "set", "A", "--from-file", given, "--yes"]).exits(2).says("more than 16 MiB");
    }
    let mut endless = sandbox.command(&["secrets", "set", "A", "--stdin", "--yes"]);
    endless.stdin(std::fs::File::open("/dev/zero").expect("opened"));
    ran(endless.output().expect("the binary runs")).exits(2).says("more than 16 MiB");
    for file in ["--passphrase-file", "--identity"] {
        sandbox.run(&["secrets", "drill", "none.age", file, "/dev/zero"]).exits(1).says("more than 64 MiB");
    }
}

/// LP-38: to a person, once; never into a pipe, and never in CI.
#[test]
fn lp_38_plain_values_are_shown_at_a_terminal_and_nowhere_else() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets: {target: keys, keys: {A: {generate: {random: 24}}}}\n",
    );
    sandbox.commit("Begin");
    let init = sandbox.command(&["secrets", "init", "--yes"]);
    let (code, sent) = Terminal::of(120).run(&init);
    let value = sent.lines().find_map(|line| line.trim().strip_prefix("A=")).map(str::to_owned);
    assert_eq!((code, value.as_deref().map(str::len)), (0, Some(32)), "{sent}");
    let piped = sandbox.run(&["secrets", "rotate", "A", "--yes"]).exits(0).says("--plain FILE");
    assert!(!piped.all().contains("A="), "{}", piped.all());
    let mut in_ci = sandbox.command(&["secrets", "rotate", "A", "--yes"]);
    in_ci.env("CI", "true");
    let (code, sent) = Terminal::of(120).run(&in_ci);
    assert!(code == 0 && !sent.contains("A="), "{sent}");
}

/// SE-55, SE-56: an environment's Secrets, each of its own type, on the cluster and in no file.
#[test]
fn se_55_se_56_each_secret_of_an_environment_has_a_life_of_its_own() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: database-auth\n      keys: {postgres-password: {generate: once, random: 24, alphabet: url}}\n      also:\n        - target: ghcr-pull\n          type: kubernetes.io/dockerconfigjson\n          namespace: pulls\n          keys: {.dockerconfigjson: {}}\n        - {target: third, keys: {A: {generate: once}}}\n",
    );
    sandbox.commit("Begin");
    sandbox.write("../pull.json", "{\"auths\":{\"ghcr.io\":{\"auth\":\"Y2FuYXJ5OmNhbmFyeQ==\"}}}");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0).says("1/1 keys on embedded, for shop/database-auth");
    let pull = ["secrets", "init", "--yes", "--secret", "ghcr-pull", "--from-file", ".dockerconfigjson=../pull.json"];
    let changed = || {
        let mut git = std::process::Command::new("git");
        let output = git.args(["status", "--porcelain"]).current_dir(sandbox.root()).output().expect("git runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    sandbox.commit("What was generated once is known again");
    sandbox.run(&pull).exits(0).says("for pulls/ghcr-pull");
    // SE-56: it lives on the cluster, and git has nothing of it, nor would take anything.
    assert_eq!(changed(), "");
    let is_live = |object: &Object| {
        object.name() == "ghcr-pull" && object.str_at("/type") == Some("kubernetes.io/dockerconfigjson")
    };
    assert!(objects(&sandbox.root().join(".landfall"), "v1", "Secret", "pulls").iter().any(is_live));
    sandbox.run(&["secrets", "init", "--yes", "--secret", "third"]).exits(0);
    let project = sandbox.read("landfall.yaml");
    assert_eq!(project.matches("fingerprint: scrypt14.").count(), 2, "{project}");
    assert!(project.contains("{A: {generate: once, fingerprint: scrypt14."), "{project}");
    sandbox.run(&["secrets", "check", "--secret", "ghcr-pull"]).exits(0).says("1/1 keys of pulls/ghcr-pull");
    sandbox.run(&["secrets", "check", "--secret", "gcr-pull"]).exits(2).says("did you mean `ghcr-pull`?");
    sandbox.run(&["secrets", "set", "postgres-password", "--yes"]).exits(5).says("generated once");
}

/// SOPS opens no file into which somebody else has written: a value that was sealed into it would be its end.
#[test]
fn nothing_is_sealed_into_a_file_that_sops_has_encrypted() {
    let prod = LuckyPlans::new();
    let sops = include_str!("cases/sops/values.yaml");
    prod.sandbox.write(VALUES, sops);
    for words in
        ["set SESSION_SECRET --yes -n luckyplans", "set SESSION_SECRET --dry-run -n luckyplans", "init --yes", "check"]
    {
        let told = prod.secrets(words).exits(1).says("cannot hold sealed values").says("it is encrypted with SOPS");
        told.says("name a values file for them that SOPS leaves alone");
        assert_eq!(prod.values(), sops, "{words}");
    }
}

/// Whatever keeps the file from being written, nothing is left that says it was: here somebody else holds it.
#[test]
fn where_the_file_cannot_be_written_nothing_else_is() {
    let prod = LuckyPlans::new();
    let recipient = identity(&prod.sandbox);
    prod.secrets(&format!("init --write --backup ../keys.age --recipient {recipient}")).exits(0);
    let (before, pending) = (prod.values(), prod.secrets("pending --done OIDC_CLIENT_SECRET").exits(0).stdout);
    let path = prod.sandbox.root().join(VALUES).canonicalize().expect("there");
    let held = landfall_host::hold_file(&path).expect("opened").expect("nobody holds it");
    let set = format!("set OIDC_CLIENT_SECRET --yes --recipient {recipient} --escrow");
    let refused = prod.secrets(&format!("{set} ../one.age --plain ../plain.env")).exits(1);
    refused.says("values.prod.yaml was not written").says("another command writes it at this moment");
    assert_eq!(prod.values(), before);
    assert!(!prod.sandbox.root().join("../plain.env").exists(), "nobody has that value");
    assert_eq!(prod.secrets("pending").stdout, pending, "nothing is to be done for it");
    drop(held);
    prod.secrets(&format!("{set} ../two.age")).exits(0);
    prod.secrets("pending").says("OIDC_CLIENT_SECRET");
}

#[test]
fn a_declaration_that_contradicts_itself_is_told_at_its_place() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let with = |keys: &str| {
        sandbox.write("landfall.yaml", &format!("apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: web, chart: web, namespace: shop}}]\n{keys}"));
        sandbox.run(&["secrets", "check", "--offline"])
    };
    with("").exits(2).says("declares no secrets");
    with("    secrets: {target: keys, keys: {URL: {template: \"{{ .NOPE }}\"}}}\n")
        .exits(2)
        .says("`NOPE` is no key")
        .says("landfall.yaml:7");
    with("    secrets: {target: keys, keys: {A: {generate: {rsa: 1024}}}}\n").exits(2).says("landfall.yaml:7");
    // What never changes follows nothing that may, and keeps nothing of another key.
    with("    secrets: {target: keys, keys: {A: {generate: {rsa: 2048}}, B: {public-of: A, generate: once}}}\n")
        .exits(2)
        .says("it follows from `A`, which may change")
        .says("landfall.yaml:7");
    with("    secrets: {target: keys, keys: {A: {generate: {random: 48}, previous: B}, B: {generate: once}}}\n")
        .exits(2)
        .says("`B` is generated once, and never changes")
        .says("landfall.yaml:7");
}

/// The writer of a secret's life at a key that is generated once (`docs/writers.md`).
#[test]
fn the_writer_of_a_secrets_life_is_refused_at_a_key_generated_once() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let drydock = landfall_host::in_memory().await.expect("opens");
        let cluster = landfall_cluster::Cluster::new(drydock.client());
        let text = r#"{"target": "keys", "keys": {"PEPPER": {"generate": "once"}, "TOKEN": {}}}"#;
        let declared = Declared::of(&serde_json::from_str(text).expect("of the schema")).expect("fine");
        let writer = SecretWriter { cluster: &cluster, namespace: "shop", declared: &declared };
        let values = |pepper: &str, token: &str| {
            [("PEPPER", pepper), ("TOKEN", token)]
                .map(|(key, value)| (key.to_owned(), Masked::from(value.as_bytes())))
                .into()
        };
        let born = writer.write(None, &values("a", "b")).await.expect("created");
        assert_eq!(born.annotation("landfall.dev/once"), Some("PEPPER"));
        let refused = |told: Result<_, Diagnostic>| told.map(drop).expect_err("refused").code;
        assert_eq!(refused(writer.write(Some(&born), &values("x", "b")).await.map(drop)), code::ONCE);
        assert_eq!(refused(writer.drop_keys(Some(&born), &["PEPPER"]).await), code::ONCE);
        // Who has not seen it creates, and never replaces; who has seen it before another wrote is told.
        writer.write(None, &values("x", "b")).await.map(drop).expect_err("is there");
        let next = writer.write(Some(&born), &values("a", "c")).await.expect("the other key changes");
        writer.write(Some(&born), &values("a", "d")).await.map(drop).expect_err("another wrote in between");
        let live = cluster.get(&born.key()).await.expect("answers").expect("there");
        assert_eq!((live.str_at("/data/PEPPER"), live.at("/data")), (Some("YQ=="), next.at("/data")));
    });
}

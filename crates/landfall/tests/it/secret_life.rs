//! A secret's life through the binary: declared, born once, sealed into its file, changed with what follows from it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use landfall_delivery::life::SecretWriter;
use landfall_diag::{Diagnostic, code};
use landfall_secrets::age::Identity;
use landfall_secrets::{Declared, Masked};

use super::doctor::served;
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
fn plain(sandbox: &Sandbox, file: &str) -> BTreeMap<String, String> {
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
fn sealing(context: &str) -> (Sandbox, String) {
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

/// LP-36, LP-38, LP-39, LP-41, LP-42: what `seal-secrets.sh` did, and what it could not.
#[test]
fn the_nine_keys_are_born_sealed_saved_and_changed_one_by_one() {
    let prod = LuckyPlans::new();
    let sandbox = &prod.sandbox;
    let recipient = identity(sandbox);
    prod.secrets("check").exits(1).says("0/9 keys of luckyplans/luckyplans-secrets are there").says("no sealed value");
    let before = prod.values();

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
    prod.secrets("set SESSION_SECRET --yes --commit").exits(0).says("committed as");
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
    prod.secrets("set POSTGRES_PASSWORD --yes --accept POSTGRES_PASSWORD").exits(0).says("made from POSTGRES_PASSWORD");
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

/// EZ-32, EZ-33: a site whose Secret is made beside the release, once.
#[test]
fn what_is_bootstrapped_once_is_never_bootstrapped_again() {
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
    sandbox.run(&restore).exits(0);
    run("check").exits(0).says("8/8 keys");
}

/// LP-43, T9: a changed key restarts who reads it, and nobody else.
#[test]
fn who_reads_a_changed_key_is_restarted_and_nobody_else() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/api.yaml",
        r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: app
          image: example/api:1.0.0
          env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}}]
"#,
    );
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: keys\n      type: example.com/keys\n      keys:\n        TOKEN: {}\n        OTHER: {generate: {random: 24}} # kept\n        ADDRESS: {template: \"https://x:{{ .TOKEN }}@example.com\"}\n        PEPPER: {generate: once}\n",
    );
    sandbox.commit("Begin");
    // SE-56: no file holds it.
    let given = |words: &[&str], text: &str| {
        let mut command = sandbox.command(&[&["secrets"], words].concat());
        sandbox.write("../given", text);
        command.stdin(std::fs::File::open(sandbox.root().join("../given")).expect("there"));
        ran(command.output().expect("the binary runs"))
    };
    given(&["init", "--yes", "--stdin"], "TOKEN=canary/one\n").exits(1).says("`TOKEN` has characters").says("urlquery");
    given(&["init", "--yes", "--stdin"], "TOKEN=canary-one\n").exits(0).says("4/4 keys on");
    assert!(sandbox.read("landfall.yaml").contains("OTHER: {generate: {random: 24}} # kept\n"));
    assert_eq!(sandbox.read("landfall.yaml").matches("PEPPER: {generate: once, fingerprint: ").count(), 1);
    sandbox.commit("Born");
    sandbox.run(&["up", "--yes"]).exits(0);
    let set = given(&["set", "TOKEN", "--stdin", "--yes"], "canary-two\n")
        .exits(0)
        .says("restarted Deployment.apps shop/api");
    assert!(!set.all().contains("canary") && !set.all().contains("shop/web"), "{}", set.all());
    let other = sandbox.run(&["secrets", "rotate", "OTHER", "--yes"]).exits(0);
    assert!(!other.all().contains("restarted"), "{}", other.all());
    given(&["set", "TOKEN", "--stdin", "--yes"], "\n").exits(2).says("is empty");
    let seen = sandbox.run(&["secrets", "set", "TOKEN=canary-three", "--yes"]).exits(0).says("seen by others");
    assert!(!seen.all().contains("canary"), "{}", seen.all());
    let document = sandbox.run(&["secrets", "check", "-o", "json"]).exits(0).json();
    assert_eq!((&document["schema"], &document["data"]["there"]), (&"landfall.dev/v1/SecretCheck".into(), &4.into()));
    // SE-55: the type is another.
    sandbox.edit("landfall.yaml", "type: example.com/keys", "type: example.com/other");
    sandbox.run(&["secrets", "check"]).exits(1).says("of the type `example.com/keys`");
    sandbox.run(&["secrets", "init", "--yes"]).exits(1).says("of the type `example.com/keys`");
}

/// LP-44: two peppers verify while one takes the other's place; what has no second one costs a yes.
#[test]
fn the_value_before_is_accepted_until_somebody_drops_it() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/templates/sealed.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n");
    sandbox.edit("web/values.yaml", "replicas: 1", "sealed: # größer\n  OLD: AgAexample\nreplicas: 1");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: keys\n      file: web/values.yaml\n      path: sealed\n      keys:\n        PEPPER: {generate: {random: 48}, previous: BEFORE, invalidates: worker credentials}\n        BEFORE: {}\n        OLD: {generate: {random: 24}, invalidates: sessions}\n",
    );
    sandbox.commit("Begin");
    let before = sandbox.read("web/values.yaml");
    sandbox.run(&["secrets", "init", "--dry-run"]).exits(0).says("2/3 keys would be sealed in web/values.yaml");
    assert_eq!(sandbox.read("web/values.yaml"), before);
    sandbox.run(&["secrets", "init", "--yes", "--plain", "../first.env"]).exits(0).says("in no backup");
    sandbox.run(&["secrets", "check"]).exits(0);
    sandbox
        .run(&["secrets", "rotate", "OLD", "--yes"])
        .exits(5)
        .says("it makes invalid: sessions")
        .says("previous: KEY");
    sandbox
        .run(&["secrets", "rotate", "PEPPER", "--yes", "--plain", "../second.env"])
        .exits(0)
        .says("the value before");
    sandbox.run(&["up", "--yes"]).exits(0);
    let first = plain(&sandbox, "../first.env");
    let live = sandbox.run(&["secrets", "check", "-o", "json"]).exits(0).json();
    assert_eq!(live["data"]["there"], 3);
    assert_ne!(first["PEPPER"], plain(&sandbox, "../second.env")["PEPPER"]);
    sandbox.run(&["secrets", "pending"]).exits(0).says("drop `BEFORE`");
    sandbox.run(&["secrets", "pending", "--done", "PEPPER", "--yes"]).exits(0);
    assert!(!sandbox.read("web/values.yaml").contains("BEFORE"));
    assert!(sandbox.read("web/values.yaml").contains("sealed: # größer\n"));
}

/// LP-38: to a person, once; never into a pipe, and never in CI.
#[test]
fn plain_values_are_shown_at_a_terminal_and_nowhere_else() {
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
fn each_secret_of_an_environment_has_a_life_of_its_own() {
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
    sandbox.run(&pull).exits(0).says("for pulls/ghcr-pull");
    sandbox.run(&["secrets", "init", "--yes", "--secret", "third"]).exits(0);
    let project = sandbox.read("landfall.yaml");
    assert_eq!(project.matches("fingerprint: scrypt14.").count(), 2, "{project}");
    assert!(project.contains("{A: {generate: once, fingerprint: scrypt14."), "{project}");
    sandbox.run(&["secrets", "check", "--secret", "ghcr-pull"]).exits(0).says("1/1 keys of pulls/ghcr-pull");
    sandbox.run(&["secrets", "check", "--secret", "gcr-pull"]).exits(2).says("did you mean `ghcr-pull`?");
    sandbox.run(&["secrets", "set", "postgres-password", "--yes"]).exits(5).says("generated once");
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

//! What a value, or a key that opens values, must not be lost by: each once happened.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_secrets::age::Identity;

use super::inspection::{delete, objects};
use super::sandbox::{Sandbox, small_chart};
use super::terminal::Terminal;

/// A system of one chart, whose Secret is sealed in the chart's values.
pub(super) fn sealed(keys: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/sealed.yaml",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n",
    );
    sandbox.edit("web/values.yaml", "replicas: 1", "sealed: {}\nreplicas: 1");
    declare(&sandbox, keys);
    sandbox.write("../.gitconfig", "[user]\n\tname = test\n\temail = test@example.com\n");
    sandbox.commit("Begin");
    sandbox
}

fn declare(sandbox: &Sandbox, keys: &str) {
    let before = "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n    secrets:\n      target: keys\n      file: web/values.yaml\n      path: sealed\n      keys:\n";
    sandbox.write("landfall.yaml", &format!("{before}{keys}"));
}

/// The Secret that lives, by its keys' values.
pub(super) fn live(sandbox: &Sandbox, name: &str) -> Object {
    let secrets = objects(&sandbox.root().join(".landfall"), "v1", "Secret", "shop");
    secrets.into_iter().find(|secret| secret.name() == name).expect("the Secret lives")
}

pub(super) fn value(secret: &Object, key: &str) -> String {
    let text = secret.at("/data").and_then(|data| data.get(key)?.as_str()).expect("the key");
    String::from_utf8(STANDARD.decode(text).expect("base64")).expect("text")
}

/// A run that was killed behind its file of plain values has sealed none of them: the file that is typed has what is sealed.
#[test]
fn a_file_of_plain_values_has_the_name_that_was_typed_once_they_are_sealed() {
    let sandbox = sealed("        TOKEN: {generate: {random: 24}}\n");
    sandbox.write("../plain.env.unsealed", "TOKEN=of-a-run-that-was-killed\n");
    let init = ["secrets", "init", "--yes", "--plain", "../plain.env"];
    let told = sandbox.run(&init).exits(0).says("../plain.env.void").says("they are void");
    told.says("plain values are in ../plain.env (0600)");
    sandbox.run(&["up", "--yes"]).exits(0);
    let token = value(&live(&sandbox, "keys"), "TOKEN");
    assert!(sandbox.read("../plain.env").contains(&token), "what is typed is what is sealed");
    assert!(sandbox.read("../plain.env.void").contains("of-a-run-that-was-killed"));
    assert!(!sandbox.root().join("../plain.env.unsealed").exists());
    // What is there stays as it is.
    let again = ["secrets", "rotate", "TOKEN", "--yes", "--plain", "../plain.env"];
    sandbox.run(&again).exits(2).says("LF0951").says("it is there already");
    assert!(sandbox.read("../plain.env").contains(&token));
}

/// What opens what git has goes with the embedded cluster: where no backup has it, somebody must say so.
#[test]
fn down_asks_where_keys_go_that_no_backup_has() {
    let sandbox = sealed("        TOKEN: {generate: {random: 24}}\n        APP_KEY: {generate: once}\n").interactive();
    let identity = Identity::generate().expect("random");
    let text = identity.reveal().expect("a key");
    sandbox.write("../key.txt", &format!("{}\n", String::from_utf8_lossy(text.reveal())));
    let recipient = identity.recipient().expect("a key").expect("no passphrase").to_string();
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let refused = sandbox.run(&["down"]).exits(2).says("what no backup has, SHA256:").says("landfall secrets backup");
    refused.says("say it with --yes");
    sandbox.run(&["secrets", "check"]).exits(0);
    sandbox.run(&["status"]).exits(0).says("web");
    // At a terminal it is a question, and no answer is none.
    let (code, said) = Terminal::of(200).typing("n\n").run(&sandbox.command(&["down"]));
    assert!(code != 0 && said.contains("Remove the cluster, and with it what no backup has"), "{said}");
    // What stays is no loss.
    sandbox.run(&["down", "--keep-data"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    // Nor is what a backup has.
    sandbox.run(&["secrets", "backup", "keys.age", "--recipient", &recipient]).exits(0);
    // age's own binary form is read as well as the armored one.
    let armored = sandbox.read("keys.age");
    let body: String = armored.lines().filter(|line| !line.starts_with("-----")).collect();
    std::fs::write(sandbox.root().join("binary.age"), STANDARD.decode(body).expect("base64")).expect("written");
    sandbox.run(&["secrets", "drill", "binary.age", "--identity", "../key.txt"]).exits(0);
    sandbox.run(&["down"]).exits(0).says("are gone");
}

/// T10: a password that acts at a first start only, whose owner has its data still, is given by who has it, and by nobody made.
#[test]
fn what_an_owner_was_initialised_with_is_given_and_not_made() {
    let sandbox =
        sealed("        PASSWORD: {generate: {random: 24, alphabet: url}, lifecycle: init-only, step: ALTER USER}\n");
    sandbox.write(
        "web/templates/database.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: database}\nspec:\n  selector: {matchLabels: {app: database}}\n  template:\n    metadata: {labels: {app: database}}\n    spec:\n      containers:\n        - name: database\n          image: example/database:1.0.0\n          env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: PASSWORD}}}]\n          volumeMounts: [{name: data, mountPath: /data}]\n      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n",
    );
    sandbox.run(&["secrets", "init", "--yes", "--plain", "../plain.env"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let state = sandbox.root().join(".landfall");
    for (group, version, kind) in [("bitnami.com", "v1alpha1", "SealedSecret"), ("", "v1", "Secret")] {
        let key = ObjectKey::new(Gvk::new(group, version, kind), Some("shop"), "keys");
        if objects(&state, if group.is_empty() { "v1" } else { "bitnami.com/v1alpha1" }, kind, "shop")
            .iter()
            .any(|it| it.name() == "keys")
        {
            delete(&state, &key);
        }
    }
    let values = sandbox.read("web/values.yaml");
    let line = values.lines().find(|line| line.contains("PASSWORD")).expect("sealed").to_owned();
    let lost = line.split_once("PASSWORD").map(|(before, _)| format!("{before}PASSWORD: x")).expect("the key");
    let lost = if line.contains('{') { format!("{lost}}}") } else { lost };
    sandbox.edit("web/values.yaml", &line, &lost);
    let lost = sandbox.read("web/values.yaml");
    for words in [&["secrets", "init", "--yes"][..], &["secrets", "set", "PASSWORD", "--yes"]] {
        sandbox.run(words).exits(5).says("nobody knows here").says("--from-file");
        assert_eq!(sandbox.read("web/values.yaml"), lost);
    }
    sandbox.run(&["secrets", "init", "--yes", "--from-file", "../plain.env"]).exits(0).says("given");
    sandbox.run(&["up", "--yes"]).exits(0);
    assert_eq!(format!("PASSWORD={}\n", value(&live(&sandbox, "keys"), "PASSWORD")), sandbox.read("../plain.env"));
}

/// The way back: the SealedSecret lets go of its Secret before the chart's own values are written to it.
#[test]
fn a_secret_that_was_sealed_is_a_plain_one_again_with_what_the_chart_says() {
    let sandbox = sealed("        TOKEN: {generate: {random: 24}}\n");
    let template = sandbox.read("web/templates/sealed.yaml");
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {TOKEN: plain}\n";
    sandbox.write("web/templates/sealed.yaml", plain);
    sandbox.run(&["up", "--yes"]).exits(0);
    let first = live(&sandbox, "keys");
    sandbox.write("web/templates/sealed.yaml", &template);
    sandbox.run(&["secrets", "set", "TOKEN", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let sealed = live(&sandbox, "keys");
    assert_ne!(value(&sealed, "TOKEN"), "plain", "its controller has it");
    assert_eq!(sealed.uid(), first.uid());
    let is_plain = |secret: &Object| {
        assert_eq!((value(secret, "TOKEN").as_str(), secret.uid()), ("plain", first.uid()));
        assert_eq!(secret.label("app.kubernetes.io/managed-by"), Some("Helm"));
        assert_eq!(secret.annotation("meta.helm.sh/release-name"), Some("web"));
        assert!(secret.list_at("/metadata/ownerReferences").is_empty());
    };
    sandbox.run(&["rollback", "web", "1", "-n", "shop"]).exits(0);
    is_plain(&live(&sandbox, "keys"));
    sandbox.run(&["up", "--yes"]).exits(0);
    assert_eq!(value(&live(&sandbox, "keys"), "TOKEN"), value(&sealed, "TOKEN"), "and sealed once more");
    sandbox.write("web/templates/sealed.yaml", plain);
    sandbox.run(&["up", "--yes"]).exits(0);
    is_plain(&live(&sandbox, "keys"));
    let left = objects(&sandbox.root().join(".landfall"), "bitnami.com/v1alpha1", "SealedSecret", "shop");
    assert!(left.is_empty(), "{}", left.len());
}

/// What a chart draws anew with each rendering is drawn once, by our own door as by an Application's.
#[test]
fn what_a_chart_draws_stays_as_it_lives() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let drawn = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData:\n  A: {{ randAlphaNum 20 | quote }} # drawn\n  B: {{ .Values.image }}\ndata: {C: {{ randAlphaNum 20 | b64enc | quote }}}\n";
    sandbox.write("web/templates/keys.yaml", drawn);
    let up = ["up", "./web", "-n", "shop", "--yes"];
    sandbox.run(&up).exits(0);
    let born = live(&sandbox, "keys");
    let again = sandbox.run(&up).exits(0).says("Secret/keys: A, C, as it lives, stays").says("LF101");
    assert!(!again.all().contains(&value(&born, "A")), "{}", again.all());
    assert_eq!(live(&sandbox, "keys").resource_version(), born.resource_version(), "{}", again.all());
    let history = sandbox.run(&["history", "web", "-n", "shop"]).exits(0);
    assert_eq!(history.stdout.lines().count(), 2, "a head and one revision: {}", history.stdout);
    // Something else changes: what was drawn goes on living.
    sandbox.edit("web/values.yaml", "example/app:1.0.0", "example/app:1.0.1");
    sandbox.run(&["plan", "./web", "-n", "shop"]).exits(0);
    sandbox.run(&up).exits(0);
    let changed = live(&sandbox, "keys");
    for key in ["A", "C"] {
        assert_eq!(value(&changed, key), value(&born, key), "{key}");
    }
    assert_eq!(value(&changed, "B"), "example/app:1.0.1");
    // With the annotation nothing is refused either: nobody asks for another value.
    sandbox.edit("web/templates/keys.yaml", "{name: keys}", "{name: keys, annotations: {landfall.dev/once: \"A,C\"}}");
    for _ in 0..2 {
        sandbox.run(&up).exits(0);
        assert_eq!(value(&live(&sandbox, "keys"), "A"), value(&born, "A"));
    }
    sandbox.run(&["plan", "./web", "-n", "shop"]).exits(0);
}

/// Helm's verbs draw anew what Helm's draw, but for what is generated once: that stays as it lives, with all that was drawn beside it.
#[test]
fn what_a_chart_draws_once_stays_as_it_lives_by_helms_verbs() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let once = "{name: keys, annotations: {landfall.dev/once: APP_KEY}}";
    let drawn = format!(
        "{{{{ $drawn := randAlphaNum 20 }}}}\napiVersion: v1\nkind: Secret\nmetadata: {once}\nstringData:\n  APP_KEY: {{{{ $drawn | quote }}}}\n  URL: \"redis://:{{{{ $drawn }}}}@cache\"\n  IMAGE: {{{{ .Values.image }}}}\n"
    );
    sandbox.write("web/templates/keys.yaml", &drawn);
    for verb in ["start", "stop"] {
        sandbox.run(&["cluster", verb]).exits(0);
    }
    let install = ["install", "web", "./web", "-n", "shop", "--create-namespace"];
    sandbox.run(&install).exits(0).lacks("LF0478");
    let born = live(&sandbox, "keys");
    let key = value(&born, "APP_KEY");
    let stays = |sandbox: &Sandbox| {
        let secret = live(sandbox, "keys");
        assert_eq!((value(&secret, "APP_KEY"), secret.uid()), (key.clone(), born.uid()));
        assert_eq!(value(&secret, "URL"), format!("redis://:{key}@cache"));
        secret
    };
    let upgrade = ["upgrade", "web", "./web", "-n", "shop"];
    let told = "Secret/keys: APP_KEY, URL, as it lives, stays";
    for image in ["example/app:1.0.1", "example/app:1.0.2"] {
        let set = format!("image={image}");
        let said = sandbox.run(&[&upgrade[..], &["--set", &set]].concat()).exits(0).says("LF0478").says(told);
        assert_eq!(said.stderr.matches(told).count(), 1, "{}", said.stderr);
        assert!(!said.all().contains(&key), "{}", said.all());
        assert_eq!(value(&stays(&sandbox), "IMAGE"), image);
    }
    sandbox.run(&[&["helm"], &upgrade[..], &["--dry-run=server"]].concat()).exits(0);
    let said = sandbox.run(&[&["helm"], &upgrade[..]].concat()).exits(0).says(&format!("WARNING: {told}"));
    assert!(!said.stdout.contains("WARNING") && !said.all().contains(&key), "{}", said.all());
    stays(&sandbox);
    // What another seed draws is drawn, too.
    for seed in ["--deterministic=one", "--deterministic=two"] {
        sandbox.run(&[&upgrade[..], &[seed]].concat()).exits(0);
        stays(&sandbox);
    }
    sandbox.run(&["rollback", "web", "2", "-n", "shop"]).exits(0);
    assert_eq!(value(&stays(&sandbox), "IMAGE"), "example/app:1.0.1");
    sandbox.run(&["uninstall", "web", "-n", "shop", "--keep-history"]).exits(0);
    sandbox.run(&[&install[..], &["--replace"]].concat()).exits(0).says(told);
    stays(&sandbox);
    sandbox.run(&["uninstall", "web", "-n", "shop"]).exits(0);
    sandbox.run(&[&upgrade[..], &["--install"]].concat()).exits(0).says(told);
    stays(&sandbox);
    sandbox.run(&["up", "./web", "-n", "shop", "--yes"]).exits(0);
    stays(&sandbox);
    // What is written and not drawn is another value, and is refused; so is what goes elsewhere, too. Both can be helped.
    sandbox.write(
        "web/templates/keys.yaml",
        &drawn.replace("{{ $drawn | quote }}", "{{ .Values.key | default \"other\" }}"),
    );
    let refused = sandbox.run(&upgrade).exits(1).says("APP_KEY generated once, which would be changed").lacks("LF0478");
    refused.says("kubectl get secret keys -n shop -o go-template='{{index .data \"APP_KEY\" | base64decode}}'");
    sandbox.run(&[&upgrade[..], &["--set", &format!("key={key}")]].concat()).exits(0);
    let given = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: given}\ndata: {given: {{ $drawn | quote }}}\n";
    sandbox.write("web/templates/keys.yaml", &format!("{drawn}{given}"));
    let refused = sandbox.run(&upgrade).exits(1).says("goes into ConfigMap/given, too");
    refused.says("which would be changed").says("`lookup`");
    let lookup = "{{ $drawn := randAlphaNum 20 }}{{ with lookup \"v1\" \"Secret\" .Release.Namespace \"keys\" }}{{ $drawn = .data.APP_KEY | b64dec }}{{ end }}";
    let looks = drawn.replace("{{ $drawn := randAlphaNum 20 }}", lookup);
    sandbox.write("web/templates/keys.yaml", &format!("{looks}{given}"));
    sandbox.run(&upgrade).exits(0).lacks("LF0478");
    stays(&sandbox);
    // Without such a key Helm's verbs draw another value each time, as Helm's do, and say nothing of it.
    small_chart(&sandbox, "plain", "plain");
    sandbox.write("plain/templates/keys.yaml", &drawn.replace(once, "{name: plain}"));
    sandbox.run(&["install", "plain", "./plain", "-n", "shop"]).exits(0).lacks("LF0478");
    let first = value(&live(&sandbox, "plain"), "APP_KEY");
    sandbox.run(&["upgrade", "plain", "./plain", "-n", "shop"]).exits(0).lacks("LF0478");
    let second = value(&live(&sandbox, "plain"), "APP_KEY");
    assert_ne!(second, first);
    // Whoever says so later keeps what lives.
    sandbox.edit(
        "plain/templates/keys.yaml",
        "{name: plain}",
        "{name: plain, annotations: {landfall.dev/once: APP_KEY}}",
    );
    sandbox
        .run(&["upgrade", "plain", "./plain", "-n", "shop"])
        .exits(0)
        .says("Secret/plain: APP_KEY, URL, as it lives, stays");
    assert_eq!(value(&live(&sandbox, "plain"), "APP_KEY"), second);
}

/// A private key that is generated once stays like any other value, whoever delivers it.
#[test]
fn a_private_key_that_is_drawn_once_stays_and_goes_nowhere_else() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let drawn = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {landfall.dev/once: oauth.key}}\ndata:\n  oauth.key: {{ genPrivateKey \"ecdsa\" | b64enc }}\n  password: {{ randAlphaNum 20 | b64enc }}\n";
    sandbox.write("web/templates/keys.yaml", drawn);
    let up = ["up", "./web", "-n", "shop", "--yes"];
    sandbox.run(&up).exits(0);
    let born = value(&live(&sandbox, "keys"), "oauth.key");
    assert!(born.contains("PRIVATE KEY"));
    sandbox.run(&up).exits(0).says("Secret/keys: oauth.key, password, as it lives, stays");
    sandbox.run(&["upgrade", "web", "./web", "-n", "shop"]).exits(0).says("oauth.key, password, as it lives, stays");
    assert_eq!(value(&live(&sandbox, "keys"), "oauth.key"), born);
    // What was made with it and goes elsewhere would fit another one.
    let given = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: given}\ndata: {ca: {{ (genCA \"a\" 9).Cert | quote }}}\n";
    sandbox.write("web/templates/keys.yaml", &format!("{drawn}{given}"));
    sandbox
        .run(&up)
        .exits(5)
        .says("goes into ConfigMap/given, too")
        .says("oauth.key generated once, which would be changed");
    assert_eq!(value(&live(&sandbox, "keys"), "oauth.key"), born);
}

/// A key comes from the system and not from where passwords do; it is drawn all the same, and by every verb. What is printed as a block
/// is printed so again: it is no change.
#[test]
fn a_key_that_is_all_that_is_drawn_stays_and_costs_no_revision() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {landfall.dev/once: \"block,plain\"}}\n";
    let drawn = "stringData:\n  block: |\n    {{- genPrivateKey \"ecdsa\" | nindent 4 }}\ndata:\n  plain: {{ genPrivateKey \"ed25519\" | b64enc }}\n";
    sandbox.write("web/templates/keys.yaml", &format!("{secret}{drawn}"));
    let up = ["up", "./web", "-n", "shop", "--yes"];
    sandbox.run(&up).exits(0);
    let born = live(&sandbox, "keys");
    for _ in 0..2 {
        sandbox.run(&up).exits(0).says("Secret/keys: block, plain, as it lives, stays");
        assert_eq!(live(&sandbox, "keys").resource_version(), born.resource_version());
    }
    let history = sandbox.run(&["history", "web", "-n", "shop"]).exits(0);
    assert_eq!(history.stdout.lines().count(), 2, "a head and one revision: {}", history.stdout);
    let said = sandbox.run(&["upgrade", "web", "./web", "-n", "shop"]).exits(0);
    said.says("Secret/keys: block, plain, as it lives, stays");
    for key in ["block", "plain"] {
        assert_eq!(value(&live(&sandbox, "keys"), key), value(&born, key), "{key}");
    }
}

/// A revision stays as it was recorded: the way back is told that does not ask it to say something else, and leads back.
#[test]
fn a_rollback_to_another_once_value_is_refused_and_its_way_leads_back() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {a: b}}\nstringData: {APP_KEY: {{ .Values.key | quote }}, IMAGE: {{ .Values.image }}}\n";
    sandbox.write("web/templates/keys.yaml", secret);
    for verb in ["start", "stop"] {
        sandbox.run(&["cluster", verb]).exits(0);
    }
    sandbox.run(&["install", "web", "./web", "-n", "shop", "--create-namespace", "--set", "key=one"]).exits(0);
    let once = secret.replace("{a: b}", "{landfall.dev/once: APP_KEY}");
    sandbox.write("web/templates/keys.yaml", &once);
    let upgrade = ["upgrade", "web", "./web", "-n", "shop"];
    sandbox.run(&[&upgrade[..], &["--set", "key=two,image=example/app:2"]].concat()).exits(0);
    for dry in [&["--dry-run"][..], &[]] {
        let refused = sandbox.run(&[&["rollback", "web", "1", "-n", "shop"], dry].concat());
        refused.exits(5).says("APP_KEY generated once, which would be changed").says(
            "`landfall upgrade web -n shop CHART -f values.yaml` with the chart of revision 1 (`landfall history web -n shop`",
        )
        .says("`landfall get values web -n shop --revision 1 -o yaml`").says("kubectl get secret keys -n shop");
    }
    let values = sandbox.run(&["get", "values", "web", "-n", "shop", "--revision", "1", "-o", "yaml"]).exits(0).stdout;
    sandbox.write("values.yaml", &values.replace("one", "two"));
    sandbox.run(&[&upgrade[..], &["-f", "values.yaml"]].concat()).exits(0);
    let lives = live(&sandbox, "keys");
    assert_eq!((value(&lives, "APP_KEY").as_str(), value(&lives, "IMAGE").as_str()), ("two", "example/app:1.0.0"));
}

/// A Secret that its controller refuses to make never comes: that is said at once, and why.
#[test]
fn a_pod_that_waits_for_what_the_controller_refuses_is_told_at_once() {
    let sandbox = sealed("        TOKEN: {generate: {random: 24}}\n");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    let own = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {PEPPER: other}\n";
    small_chart(&sandbox, "own", "own");
    sandbox.write("own/templates/keys.yaml", own);
    sandbox.run(&["up", "./own", "-n", "shop", "--yes"]).exits(0);
    sandbox.write(
        "web/templates/app.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: reads}\nspec: {containers: [{name: a, image: \"example/a:1\", env: [{name: T, valueFrom: {secretKeyRef: {name: keys, key: TOKEN}}}]}]}\n",
    );
    sandbox
        .run(&["up", "--yes"])
        .exits(4)
        .says("couldn't find key TOKEN in Secret shop/keys: SealedSecret/keys: failed update: ");
}

/// As a hook it would be deleted for its next run: the way out is told, and leads out.
#[test]
fn a_hook_that_generates_once_is_refused_and_its_way_out_leads_out() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["cluster", "start"]).exits(0);
    sandbox.run(&["cluster", "stop"]).exits(0);
    sandbox.write(
        "hook/templates/keys.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: hooked, annotations: {landfall.dev/once: A, helm.sh/hook: \"pre-install,pre-upgrade\"}}\nstringData: {A: {{ randAlphaNum 20 }}}\n",
    );
    small_chart(&sandbox, "hook", "hook");
    sandbox.run(&["install", "hook", "./hook", "-n", "shop", "--create-namespace"]).exits(0);
    let born = value(&live(&sandbox, "hooked"), "A");
    let upgrade = ["upgrade", "hook", "./hook", "-n", "shop"];
    let refused =
        sandbox.run(&upgrade).exits(1).says("A generated once, which would be deleted to be made anew as a hook");
    refused.says("take `helm.sh/hook` off its template").says("--take-ownership");
    sandbox.edit("hook/templates/keys.yaml", ", helm.sh/hook: \"pre-install,pre-upgrade\"", "");
    sandbox.run(&[&upgrade[..], &["--take-ownership"]].concat()).exits(0);
    sandbox.run(&upgrade).exits(0);
    assert_eq!(value(&live(&sandbox, "hooked"), "A"), born);
}

/// Who interrupts a hidden question sees again what is typed next, and is told that nothing was begun.
#[test]
fn an_interrupted_question_gives_the_terminal_its_echo_back() {
    let sandbox = sealed("        GIVEN: {}\n");
    let landfall = env!("CARGO_BIN_EXE_landfall");
    // The echo is gone once the question is asked.
    let asked = format!(
        "trap : INT; {landfall} secrets init --yes </dev/tty & asked=$!\nuntil stty -a </dev/tty | grep -q -- ' -echo '; do kill -0 $asked || exit 9; done\nkill -INT $asked; wait $asked; echo \"code $?\"; stty -a </dev/tty | grep -o -- '[ -]echo '\n"
    );
    sandbox.write("../asked.sh", &asked);
    // A keyboard at which nobody types, and which is not taken away.
    let keyboard = "mkfifo ../keyboard && exec 3<>../keyboard && script --quiet --return --command 'bash ../asked.sh' /dev/null <&3";
    let mut terminal = Command::new("bash");
    terminal.args(["-c", keyboard]).current_dir(sandbox.root()).env_clear();
    terminal.env("HOME", sandbox.root().join("..")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    terminal.env("TERM", "xterm-256color").stdin(Stdio::null());
    let said = String::from_utf8_lossy(&terminal.output().expect("runs").stdout).into_owned();
    sandbox.command(&["cluster", "stop"]).output().expect("the binary runs");
    assert!(said.contains("interrupted; nothing was changed") && said.contains("code 130"), "{said}");
    assert!(said.contains(" echo ") && !said.contains("-echo ") && !said.contains("journal"), "{said}");
}

/// The fingerprint in git says which value was generated: on an empty cluster, too, no other one is born in its place.
#[test]
fn a_value_that_does_not_fit_its_fingerprint_is_not_born_where_none_lives() {
    let sandbox = sealed("        APP_KEY: {generate: once}\n        TOKEN: {generate: {random: 24}}\n");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes", "--once"]).exits(0);
    let (right, born) = (sandbox.read("web/values.yaml"), value(&live(&sandbox, "keys"), "APP_KEY"));
    sandbox.write("another", "another value altogether");
    sandbox.run(&["cluster", "start"]).exits(0);
    let raw = ["secrets", "seal", "--raw", "--name", "keys", "--namespace", "shop", "--from-file", "another"];
    let other = sandbox.run(&raw).exits(0).stdout.trim().to_owned();
    sandbox.run(&["cluster", "stop"]).exits(0);
    let state = sandbox.root().join(".landfall");
    for (group, version, kind) in [("bitnami.com", "v1alpha1", "SealedSecret"), ("", "v1", "Secret")] {
        delete(&state, &ObjectKey::new(Gvk::new(group, version, kind), Some("shop"), "keys"));
    }
    let (before, rest) = right.split_once("APP_KEY: ").expect("sealed");
    let end = rest.find([',', '}', '\n']).expect("an end");
    sandbox.write("web/values.yaml", &format!("{before}APP_KEY: \"{other}\"{}", &rest[end..]));
    let refused =
        sandbox.run(&["up", "--yes", "--once"]).exits(5).says("LF0957").says("`APP_KEY` of shop/keys never changes");
    refused.says("git has it").says("nothing was changed");
    assert!(objects(&state, "v1", "Secret", "shop").iter().all(|secret| secret.name() != "keys"));
    sandbox.write("web/values.yaml", &right);
    sandbox.run(&["up", "--yes", "--once"]).exits(0);
    assert_eq!(value(&live(&sandbox, "keys"), "APP_KEY"), born);
}

/// What was delivered and does not live is missing, whatever git has of it; what somebody has put in its place is no delivery to come.
#[test]
fn a_key_that_was_delivered_and_does_not_live_is_missing() {
    let sandbox = sealed(
        "        TOKEN: {generate: {random: 24}}\n        PASS: {generate: {random: 24, alphabet: url}}\n        URL: {template: \"db://app:{{ .PASS }}@db\"}\n",
    );
    let check = || sandbox.run(&["secrets", "check"]);
    let state = sandbox.root().join(".landfall");
    let secret = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("shop"), "keys");
    let sealed = ObjectKey::new(Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), Some("shop"), "keys");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    // Before the first delivery that is how it should be, and said.
    check().exits(0).says("3/3 keys of shop/keys are there, 3 of them sealed in git alone").says("not delivered yet");
    sandbox.run(&["up", "--yes"]).exits(0);
    check().exits(0).says("3/3 keys of shop/keys are there\n");
    sandbox.run(&["doctor", "secrets"]).exits(0).says("3 of 3 declared keys are there");
    // A key is taken out of what lives; then a value is put there by hand, beside what follows from it.
    delete(&state, &sealed);
    delete(&state, &secret);
    let by_hand = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "shop"},
        "data": {"PASS": "Y2FuYXJ5LWJ5LWhhbmQ=", "URL": "ZGI6Ly9hcHA6Y2FuYXJ5LWJlZm9yZUBkYg=="}});
    super::inspection::create(&state, Object::from_value(by_hand).expect("an object"));
    let told = check()
        .exits(1)
        .says("0/3 keys")
        .says("`TOKEN` is missing: it is sealed in git and was delivered, and does not live");
    told.says("`PASS` was delivered sealed, and lives with another value")
        .says("`URL` as it lives does not follow from PASS");
    sandbox.run(&["secrets", "audit"]).exits(1).says("0/3 keys");
    sandbox.run(&["secrets", "pending"]).exits(0).says("TOKEN").says("replaced").says("stale");
    sandbox.run(&["doctor", "secrets"]).exits(1).says("`TOKEN` is missing");
    delete(&state, &secret);
    let told = check().exits(1).says("0/3 keys").says("the Secret and its SealedSecret are gone");
    assert_eq!(told.stdout.matches("missing").count(), 3, "{}", told.all());
    // With the namespace its releases' records go as well: what came once is remembered beside the sealing keys.
    delete(&state, &ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, "shop"));
    check().exits(1).says("0/3 keys").says("`TOKEN` is missing");
    sandbox.run(&["up", "--yes"]).exits(0);
    check().exits(0).says("3/3 keys");
}

/// `doctor secrets` is no weaker than `doctor`: the cluster is asked what opens, or it is said that it was not.
#[test]
fn doctor_secrets_asks_the_cluster() {
    let sandbox = sealed("        TOKEN: {generate: {random: 24}}\n");
    sandbox.run(&["secrets", "init", "--yes"]).exits(0);
    sandbox.run(&["up", "--yes"]).exits(0);
    let state = sandbox.root().join(".landfall");
    for key in objects(&state, "v1", "Secret", "kube-system") {
        if key.label("sealedsecrets.bitnami.com/sealed-secrets-key").is_some() {
            delete(&state, &key.key());
        }
    }
    sandbox.run(&["secrets", "check"]).exits(1).says("no key of this cluster opens it");
    sandbox.run(&["doctor", "secrets"]).exits(1).says("no key of this cluster opens it");
    sandbox.edit("landfall.yaml", "  local:\n", "  local:\n    cluster: {context: nowhere}\n");
    sandbox.write("../kubeconfig", "apiVersion: v1\nkind: Config\nclusters: [{name: nowhere, cluster: {server: \"http://127.0.0.1:1\"}}]\ncontexts: [{name: nowhere, context: {cluster: nowhere, user: me}}]\nusers: [{name: me, user: {}}]\n");
    let blind = sandbox.run(&["doctor", "secrets", "--kubeconfig", "../kubeconfig"]).exits(1);
    blind.says("the cluster: not checked").lacks("declared keys are there");
}

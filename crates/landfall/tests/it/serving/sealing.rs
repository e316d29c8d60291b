//! SealedSecrets opened by `landfall serve`, on a cluster whose own twin does not act: as on a real one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_secrets::{Certificate, KEY_LABEL, PlainSecret, Scope, Sealing, seal};

use super::*;

/// A cluster that others see by its kubeconfig, without a controller of SealedSecrets.
struct Ground {
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    cluster: Cluster,
}

impl Ground {
    fn new() -> Self {
        Self::started(&["cluster", "start", "--no-simulate", "sealed-secrets"])
    }

    fn started(words: &[&str]) -> Self {
        let _ring = rustls_provider();
        let sandbox = Sandbox::empty().interactive();
        sandbox.run(words).exits(0);
        let runtime = runtime();
        let path = sandbox.root().join(".landfall/kubeconfig");
        let cluster = runtime.block_on(async {
            let config = kube::config::Kubeconfig::read_from(path).expect("a kubeconfig");
            let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("read");
            Cluster::new(kube::Client::try_from(config).expect("a client"))
        });
        let ground = Ground { sandbox, runtime, cluster };
        for definition in landfall_object::operators::definitions("bitnami.com") {
            ground.create(definition);
        }
        ground.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
        ground
    }

    fn create(&self, object: Value) -> Object {
        let object = Object::from_value(object).expect("a map");
        let options = WriteOptions { field_manager: Some("kubectl-create".to_owned()), ..WriteOptions::default() };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            // A kind is served a moment after its definition.
            match self.runtime.block_on(self.cluster.create(&object, &options)) {
                Err(landfall_cluster::Error::NoMatch { .. }) if Instant::now() < deadline => {}
                made => return made.expect("created"),
            }
        }
    }

    /// The server, and where kubeseal asks it.
    fn serve(&self, words: &[&str]) -> (Server, String) {
        let kubeconfig = self.sandbox.root().join(".landfall/kubeconfig");
        let away = self.sandbox.root().join("away");
        std::fs::create_dir_all(&away).expect("made");
        let place =
            ["--context", "landfall", "--kubeconfig", kubeconfig.to_str().expect("text"), "--state", "away", "--yes"];
        let listen = ["--sealing-listen", "127.0.0.1:0"];
        let mut server = super::serve(&self.sandbox, &[&place[..], &listen, words].concat(), &[]);
        let mut second = String::new();
        server.said.read_line(&mut second).expect("says something");
        let sealing = second.trim().strip_prefix("sealing http://").expect("an address").to_owned();
        (server, sealing)
    }

    fn seal(&self, certificate: &Certificate, name: &str, value: &str) -> Value {
        let secret = json!({"kind": "Secret", "type": "Opaque", "stringData": {"TOKEN": value},
            "metadata": {"name": name, "namespace": "shop"}});
        let secret = PlainSecret::read(&secret).expect("fine").expect("a Secret");
        let how = Sealing { scope: Scope::Strict, ..Sealing::default() };
        seal(secret, &certificate.key, &how).expect("sealed")
    }

    #[track_caller]
    fn until(&self, server: &Server, key: &ObjectKey, so: impl Fn(&Object) -> bool) -> Object {
        server.until(&self.cluster, key, so)
    }
}

fn secret(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("shop"), name)
}

fn sealed(name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), Some("shop"), name)
}

fn holds(secret: &Object, value: &str) -> bool {
    secret.str_at("/data/TOKEN") == Some(&STANDARD.encode(value))
}

fn message(sealed: &Object) -> &str {
    sealed.str_at("/status/conditions/0/message").unwrap_or_default()
}

fn asked(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn certificate(address: &str) -> Certificate {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let (status, pem) = asked(address, "GET", "/v1/cert.pem", "");
        if status == 200 {
            return Certificate::parse(pem.as_bytes()).expect("a certificate");
        }
        assert!(Instant::now() < deadline, "{status} {pem}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// LP-127, LP-131 and attacks A10 and A13: on a cluster with keys that it finds and one that is broken.
#[test]
fn lp_127_serve_opens_what_is_sealed_takes_over_what_it_may_and_guards_what_is_made_once() {
    let ground = Ground::new();
    ground.create(json!({"apiVersion": "v1", "kind": "Secret", "data": {"tls.key": "bm8="}, "metadata": {
        "name": "sealed-secrets-keybad", "namespace": "kube-system", "labels": {KEY_LABEL: "active"}}}));
    let (server, address) = ground.serve(&[]);
    assert_eq!(asked(&address, "GET", "/healthz", "").0, 200);
    let newest = certificate(&address);
    ground.create(ground.seal(&newest, "keys", "canary-one"));
    let made = ground.until(&server, &secret("keys"), |it| holds(it, "canary-one"));
    let told = ground.until(&server, &sealed("keys"), |it| it.str_at("/status/conditions/0/status") == Some("True"));
    assert_eq!(made.str_at("/metadata/ownerReferences/0/uid"), told.uid());

    // Another value, and a Secret that somebody deletes.
    let next = ground.seal(&newest, "keys", "canary-two");
    server.patch(&ground.cluster, &sealed("keys"), json!({"spec": next["spec"]}));
    let changed = ground.until(&server, &secret("keys"), |it| holds(it, "canary-two"));
    assert_eq!(changed.uid(), made.uid());
    let (key, options) = (secret("keys"), landfall_cluster::DeleteOptions::default());
    ground.runtime.block_on(ground.cluster.delete(&key, &options)).expect("deleted");
    ground.until(&server, &secret("keys"), |it| holds(it, "canary-two") && it.uid() != made.uid());

    // A plain Secret of the same name: refused, and once it says that it may be taken over it keeps its uid.
    let plain = |name: &str, annotations: Value| {
        json!({"apiVersion": "v1", "kind": "Secret", "data": {"TOKEN": STANDARD.encode("plain")},
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations}})
    };
    let before = ground.create(plain("plain", json!({})));
    ground.create(ground.seal(&newest, "plain", "canary-three"));
    let refused = ground.until(&server, &sealed("plain"), |it| !message(it).is_empty());
    assert_eq!(
        message(&refused),
        "failed update: Resource \"plain\" already exists and is not managed by SealedSecret"
    );
    let managed = json!({"metadata": {"annotations": {landfall_secrets::MANAGED: "true"}}});
    server.patch(&ground.cluster, &secret("plain"), managed);
    let taken = ground.until(&server, &secret("plain"), |it| holds(it, "canary-three"));
    assert_eq!(taken.uid(), before.uid());
    // Protected by hand from now on, it has no owner any more with which the cluster would delete it.
    let protected = json!({"metadata": {"annotations": {"landfall.dev/once": "TOKEN"}}});
    server.patch(&ground.cluster, &secret("plain"), protected);
    let freed = ground.until(&server, &secret("plain"), |it| it.list_at("/metadata/ownerReferences").is_empty());
    assert!(holds(&freed, "canary-three"));
    // What the API server has against a Secret is told in its words.
    server.patch(&ground.cluster, &sealed("keys"), json!({"spec": {"template": {"type": "foo/bar"}}}));
    let refused = ground.until(&server, &sealed("keys"), |it| !message(it).is_empty());
    assert!(message(&refused).starts_with("Secret \"keys\" is invalid: type: "), "{}", message(&refused));
    server.patch(&ground.cluster, &sealed("keys"), json!({"spec": {"template": {"type": null}}}));
    ground.until(&server, &sealed("keys"), |it| message(it).is_empty());

    // What is made once stays, also where it may be taken over.
    let once = json!({landfall_secrets::MANAGED: "true", "landfall.dev/once": "TOKEN"});
    ground.create(plain("once", once));
    ground.create(ground.seal(&newest, "once", "canary-four"));
    let refused = ground.until(&server, &sealed("once"), |it| !message(it).is_empty());
    assert!(message(&refused).contains("holds TOKEN generated once, which would be changed"), "{}", message(&refused));
    assert!(holds(&server.get(&ground.cluster, &secret("once")).expect("there"), "plain"));

    // Verified and sealed anew, without a value in sight.
    let whole = ground.seal(&newest, "keys", "canary-five").to_string();
    assert_eq!(asked(&address, "POST", "/v1/verify", &whole).0, 200);
    let (status, again) = asked(&address, "POST", "/v1/rotate", &whole);
    assert!(status == 200 && again.contains("encryptedData") && !again.contains("canary"), "{status} {again}");
    assert_eq!(asked(&address, "GET", "/v1/rotate", "").0, 405);
    let many: Vec<u16> = (0..6).map(|_| asked(&address, "POST", "/v1/verify", &whole).0).collect();
    assert!(many.contains(&429), "{many:?}");
    let (_, metrics) = asked(&address, "GET", "/metrics", "");
    assert!(metrics.contains("condition_info{namespace=\"shop\",name=\"once\",condition=\"Synced\"} -1"), "{metrics}");
    let (code, _, _) = server.terminate();
    assert_eq!(code, Some(0));
    let log = std::fs::read_to_string(ground.sandbox.root().join("../serve.log")).expect("read");
    assert!(log.contains("sealed-secrets-keybad is passed over") && !log.contains("canary"), "{log}");
    ground.sandbox.run(&["cluster", "stop"]).exits(0);
}

/// D16: while the original is there nothing is written; when it is gone nothing has to be, and what is new is opened.
#[test]
fn the_original_controller_is_left_alone_and_taken_over_from_without_a_change() {
    let ground = Ground::new();
    let key = landfall_secrets::SealingKey::generate(landfall_secrets::KeySize::Rsa2048, jiff::Timestamp::now());
    let key = key.expect("a key");
    ground.create(key.to_secret("kube-system"));
    let newest = key.certificate.clone().expect("a certificate");
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "sealed-secrets-controller", "namespace": "kube-system"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"name": "s"}}, "template": {
            "metadata": {"labels": {"name": "s"}},
            "spec": {"containers": [{"name": "c", "image": "docker.io/bitnami/sealed-secrets-controller:0.36.6"}]}}}});
    let deployment = ground.create(deployment).key();
    ground.create(ground.seal(&newest, "keys", "canary-one"));
    let (server, address) = ground.serve(&[]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !asked(&address, "GET", "/metrics", "").1.contains("stands_back 1") {
        assert!(Instant::now() < deadline, "it never stands back");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The keys are the same, and so is the answer.
    assert_eq!(certificate(&address).key.fingerprint(), newest.key.fingerprint());
    assert!(server.get(&ground.cluster, &secret("keys")).is_none());
    assert!(server.get(&ground.cluster, &sealed("keys")).expect("there").status().is_none());
    server.patch(&ground.cluster, &deployment, json!({"spec": {"replicas": 0}}));
    let made = ground.until(&server, &secret("keys"), |it| holds(it, "canary-one"));
    ground.until(&server, &sealed("keys"), |it| it.str_at("/status/conditions/0/status") == Some("True"));
    drop(server);
    // The next one finds all as it should be.
    let (server, address) = ground.serve(&[]);
    while !asked(&address, "GET", "/metrics", "").1.contains("unseal_requests_total 1") {
        assert!(Instant::now() < deadline, "it never looks");
        std::thread::sleep(Duration::from_millis(20));
    }
    let after = server.get(&ground.cluster, &secret("keys")).expect("there");
    assert_eq!(after.resource_version(), made.resource_version());
    let options = landfall_cluster::ListOptions { namespace: Some("kube-system".to_owned()), ..Default::default() };
    let secrets = server.runtime.block_on(ground.cluster.list(&secret("").gvk, &options)).expect("listed");
    assert_eq!(
        secrets.iter().filter(|it| it.label(KEY_LABEL).is_some()).count(),
        1,
        "no key is made beside a fresh one"
    );
    drop(server);
    ground.sandbox.run(&["cluster", "stop"]).exits(0);
}

/// Of two controllers one undoes what the other does, and a key that is generated once is guarded by neither.
#[test]
fn an_embedded_cluster_that_a_kubeconfig_leads_to_goes_on_opening_its_own() {
    let ground = Ground::started(&["cluster", "start"]);
    let (server, address) = ground.serve(&[]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !asked(&address, "GET", "/metrics", "").1.contains("stands_back 1") {
        assert!(Instant::now() < deadline, "it never stands back");
        std::thread::sleep(Duration::from_millis(20));
    }
    let asks = ground.cluster.ask_service("kube-system", "sealed-secrets-controller", "/v1/cert.pem");
    let newest = Certificate::parse(ground.runtime.block_on(asks).expect("answers").as_bytes()).expect("a certificate");
    ground.create(ground.seal(&newest, "keys", "canary-one"));
    ground.until(&server, &secret("keys"), |it| holds(it, "canary-one"));
    // Somebody changes the Secret: the cluster's own puts it back, and nobody else has written anything.
    server.patch(&ground.cluster, &secret("keys"), json!({"data": {"TOKEN": STANDARD.encode("edited")}}));
    let back = ground.until(&server, &secret("keys"), |it| holds(it, "canary-one"));
    let told = ground.until(&server, &sealed("keys"), |it| it.str_at("/status/conditions/0/status") == Some("True"));
    for object in [&back, &told] {
        let managers = object.list_at("/metadata/managedFields").iter().filter_map(|entry| entry["manager"].as_str());
        assert!(!managers.into_iter().any(|manager| manager == "landfall-sealed-secrets"), "{object:?}");
    }
    drop(server);
    ground.sandbox.run(&["cluster", "stop"]).exits(0);
}

#[test]
fn the_embedded_cluster_opens_its_own_and_nothing_else_is_asked_for_it() {
    let sandbox = Sandbox::empty();
    let refused = sandbox.run(&["serve", "--listen", "127.0.0.1:0", "--sealing-listen", "127.0.0.1:0"]).exits(2);
    refused.says("has nobody who answers").says("the embedded cluster opens its own");
    sandbox.run(&["serve", "--sealing", "maybe"]).exits(2).says("one of keep, observe and off is wanted");
}

/// LP-39: put into the file, committed and pushed by one command, and under way at the server within a second of its webhook.
#[test]
fn lp_39_what_is_sealed_and_pushed_by_one_command_is_delivered_within_a_second_of_the_webhook() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "chart", "web");
    sandbox.write("chart/templates/sealed.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: keys, namespace: shop}\nspec:\n  encryptedData: {{ toJson .Values.sealed }}\n");
    sandbox.edit("chart/values.yaml", "replicas: 1", "sealed: {}\nreplicas: 1");
    sandbox.write("landfall.yaml", "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: chart, namespace: shop}]\n    secrets: {target: keys, file: chart/values.yaml, path: sealed, keys: {TOKEN: {generate: {random: 24}}}}\n");
    sandbox.write("apps/shop.yaml", &format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: chart}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  syncPolicy: {AUTOMATED}\n"));
    sandbox.write("../.gitconfig", "[user]\n\tname = test\n\temail = test@example.com\n");
    let forge = Forge::of(sandbox);
    forge.sandbox.git(&["push", "-q", "-u", "origin", "main"]);
    let server = forge.serve(&["apps"], SHOP, &[("LANDFALL_WEBHOOK_SECRET", "it")]);
    let cluster = server.cluster();
    let first = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &first));
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("shop"), "keys");
    let mut values = std::collections::BTreeSet::new();
    let mut delays = Vec::new();
    for words in [&["init"][..], &["set", "TOKEN"], &["rotate", "TOKEN"]] {
        let words = [&["secrets"], words, &["--commit", "--push", "--yes"]].concat();
        forge.sandbox.run(&words).exits(0).says("and pushed");
        let mut git = std::process::Command::new("git");
        let head = git.args(["rev-parse", "HEAD"]).current_dir(forge.sandbox.root()).output().expect("git runs");
        let head = String::from_utf8(head.stdout).expect("text").trim().to_owned();
        let asked = jiff::Timestamp::now();
        let push = format!("{{\"ref\": \"refs/heads/main\", \"repository\": {{\"clone_url\": \"{SHOP}\"}}}}");
        let headers = [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", "it")];
        assert_eq!(server.ask("POST", "/api/webhook", &headers, &push).0, 200);
        let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &head));
        let started = synced.str_at("/status/operationState/startedAt").expect("it was delivered");
        let started: jiff::Timestamp = started.parse().expect("a time");
        delays.push(started.duration_since(asked).as_secs_f64());
        let is_new = |it: &Object| it.str_at("/data/TOKEN").is_some_and(|value| !values.contains(value));
        let secret = server.until(&cluster, &key, is_new);
        values.insert(secret.str_at("/data/TOKEN").expect("it has it").to_owned());
    }
    assert_eq!(values.len(), 3);
    // One of three, on a machine on which much else runs at once.
    assert!(delays.iter().any(|delay| *delay <= 1.0), "begun after {delays:?} s");
}

#[test]
fn a_commit_that_takes_away_a_sealed_key_which_its_pods_need_is_not_delivered_and_what_runs_stays() {
    let forge = Forge::shop("{automated: {}, syncOptions: [CreateNamespace=true]}");
    let sealed = |annotations: &str, keys: &[&str]| {
        let data: serde_json::Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!("AgBz"))).collect();
        format!(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: keys, annotations: {{{annotations}}}}}\nspec: {{encryptedData: {}}}\n",
            json!(data)
        )
    };
    let commit = |text: &str| {
        forge.sandbox.write("chart/templates/sealed.yaml", text);
        forge.sandbox.commit("keys");
        forge.push()
    };
    let reader =
        |key: &str| format!("          env: [{{name: K, valueFrom: {{secretKeyRef: {{name: keys, key: {key}}}}}}}]\n");
    let all = forge.sandbox.read("chart/templates/all.yaml");
    forge.sandbox.write("chart/templates/all.yaml", &format!("{all}{}", reader("B")));
    let whole = commit(&sealed("", &["A", "B"]));
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &whole));
    let web = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "shop");
    let before = server.get(&cluster, &web).expect("there").uid().map(str::to_owned);

    // Its pods still read B, and the Secret is what is sealed: they would never start again.
    let without = commit(&sealed("", &["A"]));
    let failed = |it: &Object| {
        let operation = |field: &str| it.str_at(&format!("/status/operationState/{field}"));
        operation("syncResult/revision") == Some(&without)
            && operation("message").is_some_and(|why| why.contains("Deployment/shop needs keys[B]"))
    };
    server.until(&cluster, &application("shop"), failed);
    let secret = ObjectKey::new(Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), Some("shop"), "keys");
    let live = server.get(&cluster, &secret).expect("there");
    assert!(
        live.str_at("/spec/encryptedData/B").is_some(),
        "nothing of the commit was delivered: {:#}",
        live.into_value()
    );
    assert_eq!(server.get(&cluster, &web).expect("there").uid().map(str::to_owned), before);

    // What is merged into a Secret that somebody else keeps may have its key from there.
    let merged = commit(&sealed("sealedsecrets.bitnami.com/patch: 'true'", &["A"]));
    server.until(&cluster, &application("shop"), |it| is_synced(it, &merged));
}

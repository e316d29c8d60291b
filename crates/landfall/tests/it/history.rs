//! Faults in the shape of those that broke real deliveries, each as a commit onto a system that works, and its mending as
//! the next: the rehearsal of the first finds it, that of the mended change is silent.

use super::sandbox::Sandbox;

/// One fault: what is edited, what is found, how it is mended.
struct Fault {
    name: &'static str,
    edits: &'static [Edit],
    mending: &'static [Edit],
    rule: &'static str,
    says: &'static str,
}

/// In a file, one text in the place of another.
type Edit = (&'static str, &'static str, &'static str);

const VALUES: &str = "shop/values.prod.yaml";
const ALL: &str = "shop/templates/all.yaml";
const SECRET: &str = "shop/templates/secret.yaml";

const FAULTS: &[Fault] = &[
    Fault {
        name: "a key that is needed and not sealed",
        edits: &[("shop/values.yaml", "needs: [TOKEN]", "needs: [TOKEN, PEPPER]")],
        mending: &[(VALUES, "TOKEN: AgBtoken", "TOKEN: AgBtoken\n  PEPPER: AgBpepper")],
        rule: "LF103",
        says: "key `PEPPER` of Secret `shop-keys`",
    },
    Fault {
        name: "a Secret drawn anew with each rendering",
        edits: &[(
            SECRET,
            "# further",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: session}\nstringData: {KEY: {{ randAlphaNum 32 }}}",
        )],
        mending: &[(SECRET, "{{ randAlphaNum 32 }}", "{{ .Values.session | quote }}")],
        rule: "LF101",
        says: "`randAlphaNum`",
    },
    Fault {
        name: "a Secret handed over to the sealing controller",
        edits: &[
            (
                SECRET,
                "kind: Secret\nmetadata: {name: legacy}\nstringData: {KEY: not-a-real-one}",
                "kind: SealedSecret\nmetadata: {name: legacy}\nspec: {encryptedData: {KEY: AgBkey}}",
            ),
            (SECRET, "apiVersion: v1 # legacy", "apiVersion: bitnami.com/v1alpha1 # legacy"),
        ],
        mending: &[
            (
                SECRET,
                "kind: SealedSecret\nmetadata: {name: legacy}\nspec: {encryptedData: {KEY: AgBkey}}",
                "kind: Secret\nmetadata: {name: legacy}\nstringData: {KEY: not-a-real-one}",
            ),
            (SECRET, "apiVersion: bitnami.com/v1alpha1 # legacy", "apiVersion: v1 # legacy"),
        ],
        rule: "LF148",
        says: "Secret `legacy`",
    },
    Fault {
        name: "an annotation that nobody reads",
        edits: &[(
            ALL,
            "annotations: {argocd.argoproj.io/sync-wave: \"0\"}",
            "annotations: {argocd.argoproj.io/sync-wave: \"0\", argocd.argoproj.io/health-check: \"false\"}",
        )],
        mending: &[(ALL, ", argocd.argoproj.io/health-check: \"false\"", "")],
        rule: "LF111",
        says: "argocd.argoproj.io/health-check",
    },
    Fault {
        name: "a claim made smaller to save space",
        edits: &[(VALUES, "size: 5Gi", "size: 3Gi")],
        mending: &[(VALUES, "size: 3Gi", "size: 5Gi")],
        rule: "LF112",
        says: "from `5Gi` to `3Gi`",
    },
    Fault {
        name: "a database that keeps nothing",
        edits: &[(ALL, "persistentVolumeClaim: {claimName: database}", "emptyDir: {}")],
        mending: &[(ALL, "emptyDir: {}", "persistentVolumeClaim: {claimName: database}")],
        rule: "LF123",
        says: "PostgreSQL",
    },
    Fault {
        name: "a read-only root under a server that writes",
        edits: &[(ALL, "{name: cache, mountPath: /var/cache/nginx}, ", "")],
        mending: &[(
            ALL,
            "volumeMounts: [{name: run",
            "volumeMounts: [{name: cache, mountPath: /var/cache/nginx}, {name: run",
        )],
        rule: "LF124",
        says: "/var/cache/nginx",
    },
    Fault {
        name: "a route to a port that the Service lacks",
        edits: &[(ALL, "port: {number: 80}", "port: {number: 8080}")],
        mending: &[(ALL, "port: {number: 8080}", "port: {number: 80}")],
        rule: "LF105",
        says: "has no port `8080`",
    },
    Fault {
        name: "a name that only a developer's machine knows",
        edits: &[(VALUES, "upstream: legacy.example.com", "upstream: host.k3d.internal")],
        mending: &[(VALUES, "upstream: host.k3d.internal", "upstream: legacy.example.com")],
        rule: "LF155",
        says: "host.k3d.internal",
    },
    Fault {
        name: "a proxy that cuts web sockets off",
        edits: &[(ALL, "proxy_set_header Upgrade $http_upgrade;", "")],
        mending: &[(ALL, "proxy_http_version 1.1;", "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;")],
        rule: "LF156",
        says: "passes no web socket on",
    },
    Fault {
        name: "a certificate with two owners",
        edits: &[(ALL, "annotations: {}", "annotations: {cert-manager.io/cluster-issuer: letsencrypt}")],
        mending: &[(ALL, "annotations: {cert-manager.io/cluster-issuer: letsencrypt}", "annotations: {}")],
        rule: "LF126",
        says: "has several owners",
    },
    Fault {
        name: "an image that moves",
        edits: &[(VALUES, "tag: sha-0000001", "tag: latest")],
        mending: &[(VALUES, "tag: latest", "tag: sha-0000002")],
        rule: "LF117",
        says: "has the tag `latest`",
    },
    Fault {
        name: "a development default in production",
        edits: &[(
            SECRET,
            "# further",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: client}\nstringData: {CLIENT_SECRET: dev-client-secret}",
        )],
        mending: &[(
            SECRET,
            "apiVersion: v1\nkind: Secret\nmetadata: {name: client}\nstringData: {CLIENT_SECRET: dev-client-secret}",
            "# further",
        )],
        rule: "LF116",
        says: "is a development default",
    },
    Fault {
        name: "a console without a password behind a public route",
        edits: &[(
            ALL,
            "- {name: LEVEL, value: info}",
            "- {name: LEVEL, value: info}\n            - {name: ADMIN_PASSWORD, value: \"\"}",
        )],
        mending: &[(
            ALL,
            "- {name: ADMIN_PASSWORD, value: \"\"}",
            "- {name: ADMIN_PASSWORD, valueFrom: {secretKeyRef: {name: shop-keys, key: TOKEN}}}",
        )],
        rule: "LF125",
        says: "is empty",
    },
    Fault {
        name: "an exporter that the policy does not let in",
        edits: &[(
            ALL,
            "from: [{podSelector: {matchLabels: {app: api}}}, {podSelector: {matchLabels: {app: exporter}}}]",
            "from: [{podSelector: {matchLabels: {app: api}}}]",
        )],
        mending: &[(
            ALL,
            "from: [{podSelector: {matchLabels: {app: api}}}]",
            "from: [{podSelector: {matchLabels: {app: api}}}, {podSelector: {matchLabels: {app: exporter}}}]",
        )],
        rule: "LF107",
        says: "Deployment `exporter` calls Service `database`",
    },
    Fault {
        name: "a port that is called and that the Service does not have",
        edits: &[(VALUES, "databasePort: 5432", "databasePort: 5433")],
        mending: &[(VALUES, "databasePort: 5433", "databasePort: 5432")],
        rule: "LF106",
        says: "port 5433 of Service `database`",
    },
    Fault {
        name: "a rotated value that no pod sees",
        edits: &[(VALUES, "TOKEN: AgBtoken", "TOKEN: AgBrotated")],
        mending: &[(
            ALL,
            "labels: {app: api}, annotations: {}",
            "labels: {app: api}, annotations: {checksum/keys: {{ .Values.sealed | toJson | sha256sum }}}",
        )],
        rule: "LF149",
        says: "Secret `shop-keys` changes",
    },
];

const TEMPLATES: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: api, annotations: {argocd.argoproj.io/sync-wave: "0"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}, annotations: {}}
    spec:
      containers:
        - name: api
          image: "registry.example.com/api:{{ .Values.tag }}"
          env:
            - {name: LEVEL, value: info}
            - {name: DATABASE, value: "postgresql://database:{{ .Values.databasePort }}/shop"}
            {{- range .Values.needs }}
            - {name: {{ . }}, valueFrom: {secretKeyRef: {name: shop-keys, key: {{ . }}}}}
            {{- end }}
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 4000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: exporter}
spec:
  selector: {matchLabels: {app: exporter}}
  template:
    metadata: {labels: {app: exporter}}
    spec:
      containers:
        - name: exporter
          image: registry.example.com/exporter:1.2.3
          env: [{name: SOURCE, value: "postgresql://database:5432/shop"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: database}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: database}}
  template:
    metadata: {labels: {app: database}}
    spec:
      volumes: [{name: data, persistentVolumeClaim: {claimName: database}}]
      containers:
        - name: database
          image: docker.io/library/postgres:16.4
          volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
---
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {selector: {app: database}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: database, annotations: {helm.sh/resource-policy: keep}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: {{ .Values.size }}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: database}
spec:
  podSelector: {matchLabels: {app: database}}
  ingress:
    - from: [{podSelector: {matchLabels: {app: api}}}, {podSelector: {matchLabels: {app: exporter}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: proxy}
data:
  default.conf: |
    server {
      listen 8080;
      location / { proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_pass http://{{ .Values.upstream }}:9000; }
    }
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: proxy}
spec:
  selector: {matchLabels: {app: proxy}}
  template:
    metadata: {labels: {app: proxy}, annotations: {checksum/upstream: {{ .Values.upstream }}}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 101}
      volumes: [{name: cache, emptyDir: {}}, {name: run, emptyDir: {}}, {name: proxy, configMap: {name: proxy}}]
      containers:
        - name: proxy
          image: docker.io/library/nginx:1.27.1
          securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false}
          volumeMounts: [{name: cache, mountPath: /var/cache/nginx}, {name: run, mountPath: /var/run}, {name: proxy, mountPath: /etc/nginx/conf.d/default.conf, subPath: default.conf, readOnly: true}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, annotations: {}}
spec:
  tls: [{hosts: [shop.example.com], secretName: shop-tls}]
  rules:
    - host: shop.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}]}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: shop}
spec:
  secretName: shop-tls
  dnsNames: [shop.example.com]
  issuerRef: {kind: ClusterIssuer, name: letsencrypt}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: letsencrypt}
spec: {acme: {server: "https://acme.example.com/directory", privateKeySecretRef: {name: account}}}
"#;

const SECRETS: &str = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: shop-keys}\nspec: {encryptedData: {{ toJson .Values.sealed }}}\n---\napiVersion: v1 # legacy\nkind: Secret\nmetadata: {name: legacy}\nstringData: {KEY: not-a-real-one}\n---\n# further\n";

const SYSTEM: &str = "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  prod:\n    cluster: {context: production, protected: true}\n    releases: [{name: shop, chart: shop, namespace: shop, values: [values.prod.yaml]}]\n";

/// How a fault is written down: the same, and in other words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As it stands above.
    Plain,
    /// Everything has another name.
    Renamed,
    /// The chart is a dependency of another one, and its values lie below its name.
    Nested,
}

const SHAPES: [Shape; 3] = [Shape::Plain, Shape::Renamed, Shape::Nested];

/// Names, and what they are called in the other shape.
const NAMES: &[(&str, &str)] = &[
    ("shop", "bazaar"),
    ("api", "gateway-two"),
    ("database", "ledger"),
    ("exporter", "meter"),
    ("proxy", "front-door"),
    ("legacy", "heritage"),
    ("session", "visit"),
    ("client", "partner"),
];

impl Shape {
    /// Where a file of the chart lies.
    fn path(self, path: &str) -> String {
        match (self, path) {
            (Shape::Nested, VALUES) => "umbrella/values.prod.yaml".to_owned(),
            (Shape::Nested, path) => path.replace("shop/", "umbrella/charts/shop/"),
            (_, path) => path.to_owned(),
        }
    }

    /// What a text of a file reads like.
    fn text(self, path: &str, text: &str) -> String {
        match self {
            Shape::Nested if path == VALUES => text.replace('\n', "\n  "),
            Shape::Renamed if [ALL, SECRET].contains(&path) => renamed(text),
            _ => text.to_owned(),
        }
    }

    /// What a finding says.
    fn says(self, text: &str) -> String {
        if self == Shape::Renamed { renamed(text) } else { text.to_owned() }
    }
}

/// A text with all names replaced where they stand as whole words.
fn renamed(text: &str) -> String {
    let is_part = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric() || it == '_');
    let mut out = String::new();
    let mut rest = text;
    'text: while !rest.is_empty() {
        for (from, to) in NAMES {
            // Images, functions and fields keep their names; what an address calls is a Service.
            let after = rest.strip_prefix(from);
            let before = out.chars().next_back().filter(|_| !out.ends_with("://"));
            if let Some(after) = after.filter(|after| !is_part(after.chars().next()) && !after.starts_with(".example"))
                && !is_part(before)
                && !matches!(before, Some('.' | '/' | '$'))
            {
                out.push_str(to);
                rest = after;
                continue 'text;
            }
        }
        let letter = rest.chars().next().expect("not empty");
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    out
}

fn working(shape: Shape) -> Sandbox {
    let sandbox = Sandbox::empty();
    let write = |path: &str, text: &str| sandbox.write(&shape.path(path), &shape.text(path, text));
    write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    write("shop/values.yaml", "needs: [TOKEN]\nsession: not-a-real-session\n");
    write(ALL, TEMPLATES);
    write(SECRET, SECRETS);
    let values =
        "tag: sha-0000001\nsize: 5Gi\nupstream: legacy.example.com\ndatabasePort: 5432\nsealed:\n  TOKEN: AgBtoken\n";
    if shape == Shape::Nested {
        sandbox.write("landfall.yaml", &SYSTEM.replace("chart: shop", "chart: umbrella"));
        sandbox.write(
            "umbrella/Chart.yaml",
            "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies: [{name: shop, version: 0.1.0}]\n",
        );
        sandbox.write("umbrella/values.prod.yaml", &format!("shop:\n  {}\n", values.trim_end().replace('\n', "\n  ")));
    } else {
        sandbox.write("landfall.yaml", SYSTEM);
        sandbox.write(VALUES, values);
    }
    sandbox.commit("Begin");
    sandbox
}

/// The findings of a range by rule and message, and whether the rehearsal ends well.
fn found(sandbox: &Sandbox, range: &str) -> (Vec<(String, String)>, String) {
    let ran = sandbox.run(&["rehearse", range, "--env", "prod", "-o", "json"]);
    let document = ran.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = document["data"]["findings"].as_array().cloned().unwrap_or_default();
    (findings.iter().map(|it| (text(&it["rule"]), text(&it["message"]))).collect(), ran.all())
}

fn check(fault: &Fault, shape: Shape) -> Vec<String> {
    let sandbox = working(shape);
    let edit = |edits: &[Edit]| {
        for (path, from, to) in edits {
            sandbox.edit(&shape.path(path), &shape.text(path, from), &shape.text(path, to));
        }
    };
    let says = shape.says(fault.says);
    let is_it = |(rule, message): &(String, String)| rule == fault.rule && message.contains(&says);
    let mut wrong = Vec::new();
    edit(fault.edits);
    sandbox.commit("Break");
    let (findings, all) = found(&sandbox, "HEAD~1..HEAD");
    if !findings.iter().any(is_it) {
        wrong.push(format!(
            "{} ({shape:?}): {} is not found: {findings:#?}\n{}",
            fault.name,
            fault.rule,
            &all[..all.len().min(600)]
        ));
    }
    edit(fault.mending);
    sandbox.commit("Mend");
    let (findings, _) = found(&sandbox, "HEAD~2..HEAD");
    wrong.extend(
        findings
            .iter()
            .filter(|it| is_it(it))
            .map(|it| format!("{} ({shape:?}): mended, and still {it:?}", fault.name)),
    );
    wrong
}

#[test]
fn each_fault_of_the_history_is_found_and_its_mending_passes() {
    // Each in one shape, in turn; with LANDFALL_ALL_SHAPES in all of them.
    let all = std::env::var_os("LANDFALL_ALL_SHAPES").is_some();
    let wanted: Vec<(&Fault, Shape)> = FAULTS
        .iter()
        .enumerate()
        .flat_map(|(at, fault)| SHAPES.iter().map(move |shape| (at, fault, *shape)))
        .filter(|(at, _, shape)| all || SHAPES[at % SHAPES.len()] == *shape)
        .map(|(_, fault, shape)| (fault, shape))
        .collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let halves: Vec<_> = wanted
            .chunks(wanted.len().div_ceil(2))
            .map(|half| scope.spawn(|| half.iter().flat_map(|(fault, shape)| check(fault, *shape)).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_works_has_no_finding_of_error_level() {
    let sandbox = working(Shape::Plain);
    sandbox.edit(VALUES, "tag: sha-0000001", "tag: sha-0000002");
    sandbox.commit("Raise");
    sandbox.run(&["rehearse", "HEAD~1..HEAD", "--env", "prod"]).exits(0).says("would deliver cleanly");
}

#[test]
fn a_values_file_of_the_repository_is_each_revisions_own() {
    let sandbox = working(Shape::Plain);
    sandbox.edit(VALUES, "size: 5Gi", "size: 3Gi");
    sandbox.commit("Save space");
    let chart = ["rehearse", "HEAD~1..HEAD", "./shop", "-f", VALUES, "-o", "json"];
    sandbox.run(&chart).exits(1).says("from `5Gi` to `3Gi`");
}

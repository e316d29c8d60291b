//! The example under other names: `up` must come to the same verdicts, because nothing in it knows the example (proof 1).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sandbox::Sandbox;

/// Names, keys, paths and ports of the example. Compared as whole words, in file names, too.
const NAMES: &[&str] = &[
    "luckyplans",
    "LuckyPlans",
    "web",
    "gateway",
    "apiGateway",
    "core",
    "serviceCore",
    "prisma",
    "prismaMigrate",
    "redis",
    "postgresql",
    "postgres",
    "keycloak",
    "minio",
    "legacyV0",
    "smokeTest",
    "observability",
    "monitoring",
    "grafana",
    "prometheus",
    "loki",
    "tempo",
    "promtail",
    "otel",
    "collector",
    "exporter",
    "uploads",
    "graphql",
    "login",
    "docs",
    "realms",
    "health",
    "auth",
    "dashboards",
    "JWT_SECRET",
    "SESSION_SECRET",
    "POSTGRES_PASSWORD",
    "DATABASE_URL",
    "KEYCLOAK_ADMIN_PASSWORD",
    "OIDC_CLIENT_SECRET",
    "MINIO_ROOT_USER",
    "MINIO_ROOT_PASSWORD",
    "WORKER_CREDENTIAL_PEPPER",
    "REDIS_HOST",
    "DATABASE_HOST",
    "graphqlUrl",
    "redisHost",
    "databaseHost",
    "databaseName",
    "infrastructure",
];
/// Names, keys and hosts of the EZSCALE example.
const EZSCALE_NAMES: &[&str] = &[
    "ezscale",
    "website",
    "ezscale_billing",
    "billing",
    "nginx",
    "horizon",
    "scheduler",
    "valkey",
    "account",
    "admin",
    "oauth",
    "fastcgi",
    "DB_HOST",
    "DB_PASSWORD",
    "REDIS_HOST",
    "REDIS_PASSWORD",
    "APP_KEY",
    "APP_URL",
    "STRIPE_SECRET",
    "EZSCALE",
];
/// Names, keys and hosts of the SENS example.
const SENS_NAMES: &[&str] = &[
    "sens",
    "sens_platform",
    "SENS",
    "api",
    "docs",
    "telemetry",
    "ingestion",
    "timescaledb",
    "nats",
    "mock",
    "mosquitto",
    "broker",
    "platformApi",
    "mqttIngestionWorker",
    "telemetryWorker",
    "mockMqttBroker",
    "product",
    "infra",
    "bootstrap",
    "healthz",
    "readyz",
    "APP_VERSION",
    "DATABASE_HOST",
    "DATABASE_PASSWORD",
    "NATS_URL",
];
const PORTS: &[&str] = &[
    "3000", "3001", "3100", "3200", "4317", "4318", "5432", "6379", "8080", "8889", "9000", "9001", "9080", "9090",
    "9121",
];

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// New words for old ones, of the same kind: names stay names, ports stay ports.
fn words(names: &[&str], seed: u64) -> BTreeMap<String, String> {
    let mut dice = Dice(seed);
    let mut words = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let letters: String =
            (0..5).map(|_| char::from(b'a' + u8::try_from(dice.roll() % 26).expect("a letter"))).collect();
        let new = if name.contains('_') {
            format!("{}_K{index}", letters.to_uppercase())
        } else if name.chars().next().is_some_and(char::is_uppercase) {
            format!("Z{letters}{index}")
        } else {
            format!("{letters}{index}q")
        };
        words.insert((*name).to_owned(), new);
    }
    for (index, port) in PORTS.iter().enumerate() {
        words.insert(
            (*port).to_owned(),
            (20_000 + index * 700 + usize::try_from(dice.roll() % 600).expect("small")).to_string(),
        );
    }
    words
}

/// Replaces whole words; a word is a run of letters, digits and underscores.
fn renamed(text: &str, words: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        out.push_str(words.get(&word).unwrap_or(&word));
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

fn copy_renamed(from: &Path, to: &Path, words: &BTreeMap<String, String>) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("read") {
        let entry = entry.expect("read");
        let name = entry.file_name().into_string().expect("a name");
        if name == ".landfall" || name == "README.md" {
            continue;
        }
        let new = to.join(renamed(&name, words));
        if entry.path().is_dir() {
            copy_renamed(&entry.path(), &new, words);
        } else {
            let text = std::fs::read_to_string(entry.path()).expect("text");
            std::fs::write(new, renamed(&text, words)).expect("written");
        }
    }
}

/// What `up` says of a system, without its names.
fn verdicts(up: &Value) -> Value {
    let data = &up["data"];
    let units: Vec<Value> = data["units"]
        .as_array()
        .expect("units")
        .iter()
        .map(|unit| {
            let changes = unit["changes"].as_array().map_or(0, Vec::len);
            serde_json::json!([
                unit["outcome"],
                unit["revision"],
                changes,
                unit["diagnostics"].as_array().map(Vec::len)
            ])
        })
        .collect();
    let checks: Vec<Value> = data["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| serde_json::json!([check["verdict"], check["simulated"]]))
        .collect();
    let addresses = data["addresses"].as_array().map(Vec::len);
    let simulated = data["simulated"].as_array().map(Vec::len);
    serde_json::json!({"exit": up["exit"], "units": units, "checks": checks, "addresses": addresses, "simulated": simulated})
}

fn seed() -> u64 {
    std::env::var("LANDFALL_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        u64::from(now.subsec_nanos()) ^ now.as_secs()
    })
}

#[test]
fn the_other_examples_under_random_names_end_in_the_same_verdicts() {
    let seed = seed();
    for (example, names) in [("ezscale-website", EZSCALE_NAMES), ("sens-platform", SENS_NAMES)] {
        let words = words(names, seed);
        let other = Sandbox::empty();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
        copy_renamed(&from, other.root(), &words);
        other.commit("first");
        let wanted = Sandbox::example(example).run(&["up", "-o", "json"]).exits(0);
        let found = other.run(&["up", "-o", "json"]);
        let told = format!("LANDFALL_TEST_SEED={seed}: {}", found.all());
        assert_eq!(verdicts(&found.json()), verdicts(&wanted.json()), "{told}");
        let said: BTreeSet<&str> = found.stdout.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        for name in ["ezscale", "website", "horizon", "valkey", "sens", "timescaledb", "telemetry", "broker"] {
            assert!(!said.contains(name), "{name} is known: {told}");
        }
    }
}

#[test]
fn the_example_under_random_names_ends_in_the_same_verdicts() {
    let seed = seed();
    let words = words(NAMES, seed);
    let other = Sandbox::empty();
    copy_renamed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/luckyplans"), other.root(), &words);
    other.commit("first");
    let own = Sandbox::luckyplans();
    let told = format!("LANDFALL_TEST_SEED={seed}");
    let migrate = format!("job/{}-migrate=fail", words["prisma"]);
    let tag = format!("{}.image.tag=v2", words["apiGateway"]);
    let pairs: [(Vec<&str>, Vec<&str>); 2] = [
        (vec!["up", "-o", "json"], vec!["up", "-o", "json"]),
        (
            vec!["up", "-o", "json", "--fault", "job/prisma-migrate=fail", "--set", "apiGateway.image.tag=v2"],
            vec!["up", "-o", "json", "--fault", &migrate, "--set", &tag],
        ),
    ];
    for (as_it_is, as_renamed) in pairs {
        let wanted = own.run(&as_it_is);
        let found = other.run(&as_renamed);
        assert_eq!(found.code, wanted.code, "{told}: {}", found.all());
        assert_eq!(verdicts(&found.json()), verdicts(&wanted.json()), "{told}: {}", found.all());
    }
    let status = other.run(&["status"]).all();
    for name in ["luckyplans", "gateway", "prisma", "keycloak", "WORKER_CREDENTIAL_PEPPER", "observability"] {
        assert!(!status.contains(name), "{told}: {name} is known: {status}");
    }
}

/// Words that only the example may know; software that anybody runs (a database's image and its usual password) is a
/// fact that rules may know.
const SIGNS: &[&str] = &[
    "luckyplans",
    "api-gateway",
    "apigateway",
    "service-core",
    "servicecore",
    "prisma",
    "jwt_secret",
    "worker_credential_pepper",
    "promtail",
    "postgresql-data",
    "ezscale",
    "cloudflarewarp",
    "sens-platform",
    "sens_platform",
    "mqtt",
];

#[test]
fn no_code_knows_the_examples_names() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for room in std::fs::read_dir(crates).expect("read") {
        collect(&room.expect("read").path().join("src"), &mut files);
    }
    assert!(files.len() > 200, "{} files", files.len());
    // The agent that is out there, its routes and places, are a peer's facts.
    let peer = ["agent/src/legacy", "fleet/src/legacy.rs"];
    files.retain(|file| !peer.iter().any(|facts| file.to_string_lossy().contains(facts)));
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("read");
        // Tests stand at a file's end; help texts and comments speak of the example, but do nothing.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let lower = line.trim().to_lowercase();
            let speaks = lower.starts_with("//") || lower.contains("before_help = ");
            if !speaks && SIGNS.iter().any(|sign| lower.contains(sign)) {
                found.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("read").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "tests" {
                collect(&path, files);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
}

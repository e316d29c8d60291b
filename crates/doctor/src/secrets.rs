//! Secrets in files of a repository: known by their shape, told without their value.

mod manifest;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::{Finding, Place, Severity, Spot};
use landfall_rules::place::SECRET;
use landfall_source::SourceTree;

use self::value::{is_value, opens_an_address_within};
use crate::{Area, Observation};

/// The largest file that is read.
const MOST: usize = 2 * 1024 * 1024;
/// The fewest bits that a letter of a made-up value holds.
const BITS: f64 = 3.5;

/// Fewer letters of base64 hold no token.
const SHORTEST_ENCODED: usize = 40;

/// Ends of the names of files that hold settings.
const SETTINGS: [&str; 11] = ["yaml", "yml", "json", "toml", "ini", "conf", "cfg", "properties", "xml", "tf", "tfvars"];

/// A private key of age, as its own tools write it.
const AGE: &str = "a private key of age";

/// Beginnings of tokens, how many letters follow at least, and whose they are.
const TOKENS: &[(&str, usize, &str)] = &[
    ("ghp_", 36, "a token of GitHub"),
    ("gho_", 36, "a token of GitHub"),
    ("ghs_", 36, "a token of GitHub"),
    ("ghu_", 36, "a token of GitHub"),
    ("github_pat_", 40, "a token of GitHub"),
    ("glpat-", 20, "a token of GitLab"),
    ("xoxb-", 20, "a token of Slack"),
    ("xoxp-", 20, "a token of Slack"),
    ("AKIA", 16, "an access key of AWS"),
    ("ASIA", 16, "an access key of AWS"),
    ("AIza", 35, "an API key of Google"),
    ("sk_live_", 10, "a live key of Stripe"),
    ("rk_live_", 10, "a live key of Stripe"),
    ("whsec_", 24, "a webhook's secret of Stripe"),
    ("sk-ant-", 32, "an API key of Anthropic"),
    ("sk-proj-", 32, "an API key of OpenAI"),
    ("SG.", 20, "an API key of SendGrid"),
    ("shpat_", 32, "a token of Shopify"),
    ("dop_v1_", 40, "a token of DigitalOcean"),
    ("hf_", 34, "a token of Hugging Face"),
    ("pypi-AgEI", 40, "a token of PyPI"),
    ("xapp-", 20, "a token of Slack"),
    ("dckr_pat_", 20, "a token of Docker Hub"),
    ("npm_", 36, "a token of npm"),
    ("hvs.", 24, "a token of Vault"),
    // Its letters are of one case, whichever.
    ("AGE-SECRET-KEY-1", 40, AGE),
    ("age-secret-key-1", 40, AGE),
    ("AGE-SECRET-KEY-PQ-1", 40, AGE),
];

/// The secrets in a repository's files: those that git tracks, and those it would take.
pub fn secrets_in(files: &SourceTree) -> Vec<Observation> {
    let paths = match files.glob("**/*") {
        Ok(paths) => paths,
        Err(error) => return vec![Observation::not_checked(Area::Secrets, "the files", error.to_string())],
    };
    let mut seen = Vec::new();
    let (mut read, mut no_text) = (0_usize, 0_usize);
    // Git's own files, and our state: neither is ever pushed.
    let pushed = |path: &&String| !path.split('/').any(|part| matches!(part, ".git" | ".landfall"));
    for path in paths.iter().filter(pushed) {
        let bytes = match files.read(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(error) => {
                seen.push(Observation::not_checked(Area::Secrets, path.as_str(), error.to_string()));
                continue;
            }
        };
        if bytes.len() > MOST {
            seen.push(Observation::not_checked(Area::Secrets, path.as_str(), "it is too large to be read"));
            continue;
        }
        // Keys are kept in text, of whatever encoding; what is none is not looked into, and not counted as if it were.
        if bytes.contains(&0) {
            no_text += 1;
            continue;
        }
        read += 1;
        for (line, what) in in_text(path, &String::from_utf8_lossy(&bytes)) {
            let place = Place::line(path, line);
            let observation = Observation::wrong(
                Area::Secrets,
                &SECRET,
                Severity::Error,
                format!("{path}:{line}"),
                format!("holds {what}"),
                "whoever has ever cloned the repository has it",
            );
            seen.push(with_place(observation, place));
        }
    }
    if read == 0 && seen.is_empty() {
        // Nobody has looked for anything in nothing.
        seen.push(Observation::not_checked(Area::Secrets, "the files", "there are none here that could be read"));
    }
    if seen.is_empty() {
        let left_out = match no_text {
            0 => String::new(),
            count => format!("; {count} that are no text were not looked into"),
        };
        seen.push(Observation::fine(Area::Secrets, "the files", format!("{read} read, no secret in them{left_out}")));
    }
    seen
}

fn with_place(mut observation: Observation, place: Place) -> Observation {
    if let Some(finding) = observation.finding.take() {
        let finding: Finding = *finding;
        observation.finding = Some(Box::new(finding.at(Spot::file(place))));
    }
    observation.help("revoke it, make a new one, and keep the file out of git")
}

/// Whether a file holds settings: an address in a text for people is an example.
fn is_settings(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| SETTINGS.contains(&end.to_ascii_lowercase().as_str()))
}

/// The lines of a text that hold a secret, and what it is.
fn in_text(path: &str, text: &str) -> Vec<(u32, String)> {
    let mut found: BTreeMap<u32, String> = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    let lines: Vec<&str> = text.lines().collect();
    let is_environment = is_environment(path, &lines);
    for (index, line) in lines.iter().enumerate() {
        let number = line_number(index);
        if is_key_frame(line) && has_body(line, &lines[index + 1..]) {
            found.insert(number, "a private key".to_owned());
        } else if let Some(what) = token(line).map(str::to_owned).or_else(|| encoded(line)) {
            found.insert(number, what);
        } else if is_environment && let Some(variable) = assigned(line) {
            found.insert(number, format!("the value of `{variable}`"));
        } else if is_settings(path) && opens_an_address_within(line) {
            addresses.insert(number);
        }
    }
    for (line, key) in manifest::values(text) {
        found.entry(line).or_insert_with(|| format!("the value of `{key}` of a Secret"));
    }
    for line in addresses {
        found.entry(line).or_insert_with(|| "an address with a password".to_owned());
    }
    found.into_iter().collect()
}

fn line_number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// Whether a file gives values to variables: by its name, or because it does nothing else.
fn is_environment(path: &str, lines: &[&str]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    if ["example", "sample", "template", "dist"].iter().any(|word| name.contains(word)) {
        return false;
    }
    if name == ".env" || name == ".envrc" || name.starts_with(".env.") || name.ends_with(".env") {
        return true;
    }
    let is_variable = |name: &str| {
        let is_part = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || "_-.".contains(letter);
        name.starts_with(|letter: char| letter.is_ascii_uppercase()) && name.chars().all(is_part)
    };
    let mut said = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    said.all(|line| {
        count += 1;
        line.split_once('=').is_some_and(|(name, _)| is_variable(name))
    }) && count > 0
}

/// What a line has in base64, as the API keeps Secrets.
fn encoded(line: &str) -> Option<String> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    let runs = line.split(|letter| !is_letter(letter)).filter(|run| run.len() >= SHORTEST_ENCODED);
    runs.filter_map(decoded).find_map(|text| {
        let what = if holds_private_key(&text) { Some("a private key") } else { text.lines().find_map(token) };
        what.map(|what| format!("{what}, in base64"))
    })
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// Whether a text holds a private key that is not encrypted.
pub(crate) fn holds_private_key(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let mut framed = lines.iter().enumerate().filter(|(_, line)| is_key_frame(line));
    framed.any(|(index, line)| has_body(line, &lines[index + 1..]))
}

fn is_key_frame(line: &str) -> bool {
    line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") && !line.contains("ENCRYPTED")
}

/// Whether something that can be a key follows its frame: in the next lines, or behind it in the same one.
fn has_body(line: &str, after: &[&str]) -> bool {
    let is_body = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    let behind = line.split_once("PRIVATE KEY-----").map_or("", |(_, behind)| behind);
    let mut letters = behind.split("-----END").next().unwrap_or_default().chars().filter(|it| is_body(*it)).count();
    for line in after.iter().take(80) {
        let line = line.trim().trim_matches(['"', '\'', ',']);
        if line.contains("-----END") {
            break;
        }
        if line.chars().all(is_body) {
            letters += line.len();
        }
    }
    letters >= 64
}

/// Whose token stands in a line.
fn token(line: &str) -> Option<&'static str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    TOKENS.iter().find_map(|(beginning, least, whose)| {
        line.match_indices(beginning).find_map(|(at, _)| {
            let before = line[..at].chars().next_back();
            let rest = &line[at + beginning.len()..];
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let stands_alone = before.is_none_or(|letter| !is_part(letter));
            let is_one = stands_alone && length >= *least && is_made_up(&rest[..length]);
            (is_one && !value::stands_for_one(&rest[..length])).then_some(*whose)
        })
    })
}

/// The variable to which a line of a file of variables gives a secret.
fn assigned(line: &str) -> Option<&str> {
    let (name, said) = line.trim().trim_start_matches("export ").split_once('=')?;
    let said = said.trim();
    let said = match said.chars().next() {
        Some(quote @ ('"' | '\'')) => said[1..].split(quote).next().unwrap_or_default(),
        // What stands behind a blank is a remark.
        _ => said.split(" #").next().unwrap_or_default().trim_end(),
    };
    is_value(name.trim(), said).then_some(name.trim())
}

/// Whether a text was drawn by chance rather than written: it repeats itself little.
fn is_made_up(text: &str) -> bool {
    let mut counts = BTreeMap::new();
    for letter in text.chars() {
        *counts.entry(letter).or_insert(0_u32) += 1;
    }
    let total = f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
    let bits: f64 = counts.values().map(|count| f64::from(*count) / total).map(|part| -part * part.log2()).sum();
    // Short texts cannot hold more than the logarithm of their length.
    bits >= BITS.min(total.log2() * 0.8)
}

#[cfg(test)]
mod tests {
    use landfall_chart::Tree;

    use super::*;
    use crate::State;

    fn look(files: &[(&str, &str)]) -> Vec<String> {
        let tree: Tree = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let seen = secrets_in(&SourceTree::from_tree("memory", tree));
        seen.into_iter().filter(|it| it.state == State::Wrong).map(|it| format!("{} {}", it.what, it.seen)).collect()
    }

    fn key() -> String {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
        format!("-----BEGIN {} KEY-----\n{body}-----END {} KEY-----\n", "PRIVATE", "PRIVATE")
    }

    /// Nobody has looked for anything where there is nothing.
    #[test]
    fn what_has_no_files_is_not_checked() {
        let seen = secrets_in(&SourceTree::from_tree("memory", Tree::new()));
        assert_eq!(seen.iter().map(|it| it.state).collect::<Vec<_>>(), [State::NotChecked]);
    }

    #[test]
    fn se_003_a_planted_key_is_found_in_whatever_file() {
        for path in ["id.pem", "deploy/ssh-private", "notes.txt"] {
            assert_eq!(look(&[(path, &key())]), [format!("{path}:1 holds a private key")]);
        }
        let inline = format!("key: \"{}\"\n", key().replace('\n', "\\n"));
        assert_eq!(look(&[("values.yaml", &inline)]).len(), 1);
        assert!(look(&[(".landfall/token", &key()), ("apps/.landfall/token", &key())]).is_empty());
        assert!(look(&[("ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")]).is_empty());
        assert!(look(&[("README.md", "It begins with -----BEGIN PRIVATE KEY----- and goes on.\n")]).is_empty());
    }

    #[test]
    fn tokens_are_known_by_their_shape_and_never_printed() {
        let token = format!("ghp_{}", "aZ3kQ9xT7vB1nM5cR8wY2pL6sD4fG0hJ2kE1");
        let found = look(&[("ci.yaml", &format!("env:\n  TOKEN: {token}\n"))]);
        assert_eq!(found, ["ci.yaml:2 holds a token of GitHub"]);
        assert!(!found[0].contains(&token));
        assert!(look(&[("docs.md", "use ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")]).is_empty());
        assert!(look(&[("a.txt", "highp_aZ3kQ9xT7vB1nM5cR8wY2pL6sD4fG0hJ2kE1\n")]).is_empty());
    }

    #[test]
    fn values_of_environment_files_are_secrets_unless_they_stand_for_one() {
        let found = look(&[(".env", "API_KEY=f83kdl20Aq9dkeLs01\nLEVEL=info\nPASSWORD=changeme\n")]);
        assert_eq!(found, [".env:1 holds the value of `API_KEY`"]);
        assert!(look(&[(".env.example", "API_KEY=f83kdl20Aq9dkeLs01\n")]).is_empty());
        // As `--plain` writes them, whatever the file is called.
        let given = "JWT=9rXk2QwZb7LmN4vT8yHs1cGd\nAPP_KEY=base64:Zk3Qb8Yx1Lw9Rt5Vn2Mc7Hd4=\n";
        for path in ["plain.env", "values.txt"] {
            let wanted =
                [1, 2].map(|line| format!("{path}:{line} holds the value of `{}`", ["JWT", "APP_KEY"][line - 1]));
            assert_eq!(look(&[(path, given)]), wanted);
        }
        assert!(look(&[("versions", "NODE=22.11.0-alpine-3.20\nURL=https://example.com/a/b/C3d4\n")]).is_empty());
    }

    /// In settings of whatever form, and in no text for people.
    #[test]
    fn an_address_with_a_password_is_found_in_settings() {
        let address = "https://deploy:hunter2Real9z@git.acme.io/a.git";
        for (path, text) in [
            ("cfg.yaml", format!("a: 1\nurl: {address}\n")),
            ("cfg.json", format!("{{\n\"url\": \"{address}\"}}\n")),
            ("db.properties", format!("a=1\nurl=jdbc:{address}\n")),
            ("main.tf", format!("\nmodule = \"git::{address}?ref=v1\"\n")),
        ] {
            assert_eq!(look(&[(path, &text)]), [format!("{path}:2 holds an address with a password")], "{text}");
        }
        assert!(look(&[("README.md", address)]).is_empty());
        for harmless in [
            "url: https://user:password@git.acme.io",
            "url: https://deploy:${TOKEN}@git.acme.io",
            "url: \"https://deploy:{{ .Values.password }}@git.acme.io\"",
            "url: https://deploy:hunter2Real9z@git.example.com",
            "url: http://localhost:8080/a@b",
        ] {
            assert!(look(&[("cfg.yaml", harmless)]).is_empty(), "{harmless}");
        }
    }

    /// A live key of any length, a password in an address, a name that says what it is.
    #[test]
    fn what_opens_a_door_is_found_in_a_file_of_variables() {
        let given = "JWT=abcdefgh-secret-value-Two\nSTRIPE=sk_live_canary_stripe_1234\n\
            DATABASE_URL=postgresql://app:WSBQ_cZzqZ-jmIsQMZs8Qxka3WMB8Sya@pg:5432/app\n\
            REDIS_URL='rediss://:hunter22@cache.shop.example-net.io:6379/0' # the cache\n\
            ADO=\"Server=tcp:shop.database.windows.net;User ID=app;Password=Kx9vT2mQ7c;Encrypt=True\"\n\
            PGPASS=WSBQ_cZzqZ-jmIs\nSTRIPE_KEY=a8Kd02mQx71Lp9Zt\n";
        let names = ["JWT", "", "DATABASE_URL", "REDIS_URL", "ADO", "PGPASS", "STRIPE_KEY"];
        for path in ["plain.env", "deploy/.env", ".envrc"] {
            let wanted: Vec<String> = names
                .iter()
                .zip(1..)
                .map(|(name, line)| match *name {
                    "" => format!("{path}:{line} holds a live key of Stripe"),
                    name => format!("{path}:{line} holds the value of `{name}`"),
                })
                .collect();
            assert_eq!(look(&[(path, given)]), wanted);
        }
        let secret = "kind: Secret\nstringData: {DATABASE_URL: \"postgres://app:Kx9vT2mQ7cLp@pg/app\"}\n";
        assert_eq!(look(&[("a.yaml", secret)]), ["a.yaml:2 holds the value of `DATABASE_URL` of a Secret"]);
    }

    /// What stands in every repository to be replaced, and what everybody starts on their own machine.
    #[test]
    fn examples_defaults_and_templates_are_no_secrets() {
        let harmless = [
            "DATABASE_URL=postgres://user:pass@host:5432/db",
            "DATABASE_URL=postgres://user:password@db.example.com:5432/db",
            "DATABASE_URL=postgres://shop:shop@db:5432/shop",
            "DATABASE_URL=postgres://shop:shop_dev_pw@postgres:5432/shop",
            "DATABASE_URL=postgres://shop:aB3dE6fG9hJ2@localhost:5432/shop",
            "DATABASE_URL=postgres://shop:aB3dE6fG9hJ2@127.0.0.1/shop",
            "DATABASE_URL=postgres://shop:${PGPASSWORD}@db.shop.io/shop",
            "DATABASE_URL=postgres://shop:$PGPASSWORD@db.shop.io/shop",
            "DATABASE_URL=postgres://shop:{{ password }}@db.shop.io/shop",
            "DATABASE_URL=postgres://<user>:<password>@db.shop.io/shop",
            "DATABASE_URL=postgres://shop:your-password-here@db.shop.io/shop",
            "DATABASE_URL=postgres://shop:********@db.shop.io/shop",
            "DATABASE_URL=postgres://shop@db.shop.io/shop",
            "HOMEPAGE=https://shop.io/a:b@c",
            "STRIPE=sk_live_your_key_goes_here",
            "STRIPE=sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
            "JWT_SECRET=replace-me-with-a-random-value",
            "JWT_SECRET=<a long random value>",
            "NEXT_PUBLIC_STRIPE_KEY=pk_live_a8Kd02mQx71Lp9Zt",
            "SORT_KEY=created-at-and-name",
            "TOKEN_URL=https://auth.shop.io/oauth/token",
            "PASSWORD_FILE=/run/secrets/db-password-1",
            "PRIVATE_KEY=matrix-signing_1.pem",
            "CONNECTION=Server=db;Password=password;Encrypt=True",
        ];
        for line in harmless {
            assert_eq!(look(&[(".env", line)]), Vec::<String>::new(), "{line}");
        }
    }

    /// The age identities that age itself writes are in capitals.
    #[test]
    fn an_identity_of_age_is_found_as_age_writes_it() {
        let body = "QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQ8L4F9XW3D";
        let key = format!("AGE-SECRET-KEY-{}{body}", 1);
        let key = key.replace("QYQSZQGPQYQSZQGP", "M7T4R2WXKZC9J5HD");
        for key in [key.clone(), key.to_ascii_lowercase()] {
            let found = look(&[("keys.txt", &format!("# created: today\n{key}\n"))]);
            assert_eq!(found, ["keys.txt:2 holds a private key of age"]);
        }
    }

    /// What the API shows of a Secret, and what is restored from a backup.
    #[test]
    fn what_is_in_base64_is_read() {
        let data = STANDARD.encode(key());
        let secret = format!("apiVersion: v1\nkind: Secret\ndata:\n  tls.key: {data}\n");
        assert_eq!(look(&[("key.yaml", &secret)]), ["key.yaml:4 holds a private key, in base64"]);
        let list =
            format!("{{\"kind\":\"List\",\"items\":[{{\"kind\":\"Secret\",\"data\":{{\"tls.key\":\"{data}\"}}}}]}}");
        assert_eq!(look(&[("backup.json", &list)]), ["backup.json:1 holds a private key, in base64"]);
    }

    #[test]
    fn the_values_of_a_plain_secret_are_secrets_in_templates_too() {
        let password = "f83kdl20Aq9dkeLs01";
        let template = format!(
            "{{{{- if .Values.on }}}}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {{{{ .Release.Name }}}}\nstringData:\n  PASSWORD: \"{password}\"\n  OTHER: {{{{ .Values.other }}}}\n  LEVEL: info\n{{{{- end }}}}\n"
        );
        let found = look(&[("chart/templates/secret.yaml", &template)]);
        assert_eq!(found, ["chart/templates/secret.yaml:7 holds the value of `PASSWORD` of a Secret"]);
        let data = format!("kind: Secret\ndata: {{PASSWORD: {}}}\n", STANDARD.encode(password));
        assert_eq!(look(&[("a.yaml", &data)]), ["a.yaml:2 holds the value of `PASSWORD` of a Secret"]);
        let harmless = "kind: Secret\nstringData: {PASSWORD: changeme, URL: \"https://example.com/a\"}\n---\nkind: SealedSecret\nspec: {encryptedData: {PASSWORD: AgBy3i4OJSWK}}\n";
        assert!(look(&[("b.yaml", harmless)]).is_empty());
    }

    /// What was not read is not told as read.
    #[test]
    fn what_is_no_text_is_not_counted_and_other_encodings_are_read() {
        let latin = [b"gr\xfc\xdfe\n", key().as_bytes()].concat();
        let tree: Tree = [("a.png", &b"\0\x01"[..]), ("b.txt", b"x")].into_iter().collect();
        let seen = secrets_in(&SourceTree::from_tree("memory", tree));
        assert!(seen[0].seen.contains("1 read") && seen[0].seen.contains("1 that are no text"), "{}", seen[0].seen);
        let tree: Tree = [("c.txt", &latin[..])].into_iter().collect();
        assert_eq!(secrets_in(&SourceTree::from_tree("memory", tree))[0].what, "c.txt:2");
    }
}

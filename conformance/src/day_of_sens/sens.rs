//! SENS: test follows builds, production moves by pull request (`requirements` §5.3 without its server, whose steps are
//! `landfall`'s own tests).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;

use super::Step;
use super::town::{TOKEN, Town};
use crate::suite::root;

/// Steps of the day.
pub(super) const STEPS: usize = 12;
const IMAGES: [&str; 4] = ["platform-api", "docs", "mqtt-ingestion-worker", "telemetry-worker"];
const PRODUCT: &str = "https://git.example.com/sens/sens-platform.git";
const BRANCH: &str = "landfall/promote-production-0.5.0";

/// How the day goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    AsItIs,
    /// Production is told another image than the one that was tested.
    Planted,
}

/// What a step comes to: what was said, or what was wrong.
type Found = Result<String, String>;

struct Day {
    landfall: PathBuf,
    place: TempDir,
    town: Arc<Town>,
    /// The product's commit.
    commit: String,
    ending: Ending,
}

/// What a command did.
struct Ran {
    code: i32,
    said: String,
    stdout: String,
}

impl Ran {
    fn ends(self, code: i32) -> Result<Self, String> {
        if self.code == code { Ok(self) } else { Err(format!("exit {} and not {code}: {}", self.code, self.said)) }
    }

    fn says(self, text: &str) -> Result<Self, String> {
        if self.said.contains(text) { Ok(self) } else { Err(format!("`{text}` is not said: {}", self.said)) }
    }

    fn data(&self) -> Result<Value, String> {
        let document: Value = serde_json::from_str(&self.stdout).map_err(|error| format!("{error}: {}", self.said))?;
        Ok(document["data"].clone())
    }
}

fn wanted(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(format!("not so: {what}")) }
}

/// A step and how it is played.
type Play = (&'static str, fn(&Day) -> Found);

/// Plays the day; what comes after a step that fails is played all the same.
pub(super) fn play(landfall: &Path, ending: Ending) -> anyhow::Result<Vec<Step>> {
    let day = Day::begin(landfall, ending)?;
    let steps: [Play; STEPS] = [
        ("1 the table of versions", Day::versions),
        ("2 what the next build is called", Day::next),
        ("3 a build is written into test's files alone", Day::set),
        ("4 six tags are refused for six reasons", Day::refusals),
        ("5 test is delivered, and its checks pass", Day::delivered),
        ("7 a promotion is proposed, with the tested digest", Day::promoted),
        ("8 it is merged, and nothing is delivered by that", Day::merged),
        ("9 production is delivered by hand", Day::synced),
        ("10 a late build is left alone", Day::late),
        ("11 a moved tag is refused", Day::moved),
        ("12 production goes back", Day::back),
        ("13, 17 a version is held, and all of it is written down", Day::held),
    ];
    let mut told = Vec::new();
    for (name, step) in steps {
        let began = Instant::now();
        let found = step(&day);
        let milliseconds = began.elapsed().as_millis();
        let (said, wrong) = match found {
            Ok(said) => (said, None),
            Err(why) => (String::new(), Some(why)),
        };
        told.push(Step { name, wrong, said, milliseconds });
    }
    Ok(told)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_name() == ".landfall" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &there)?;
        } else {
            std::fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}

impl Day {
    fn begin(landfall: &Path, ending: Ending) -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        copy(&root().join("examples/sens-platform"), place.path())?;
        let town = Town::open(place.path().join("git"));
        let mut day = Day { landfall: landfall.to_owned(), place, town, commit: String::new(), ending };
        for environment in ["test", "production"] {
            let values = day.infra().join(format!("environments/{environment}/values.yaml"));
            let text = std::fs::read_to_string(&values)?;
            let registry = format!("image:\n  registry: {}/sens\n", day.town.host());
            std::fs::write(&values, text.replacen("image:\n", &registry, 1))?;
            // The repository, and the project that permits it.
            let own = day.town.url("sens/infra.git");
            for file in ["application.yaml", "project.yaml"] {
                let file = day.infra().join(format!("argocd/sens-{environment}/{file}"));
                let text = std::fs::read_to_string(&file)?;
                std::fs::write(&file, text.replace("https://git.example.com/sens/sens-platform-infra.git", &own))?;
            }
        }
        let product = day.place.path().join("product");
        for directory in [product.clone(), day.infra()] {
            day.git(&directory, &["init", "-q", "-b", "main"])?;
            day.git(&directory, &["add", "-A"])?;
            day.git(&directory, &["commit", "-q", "-m", "first"])?;
        }
        day.commit = day.git(&product, &["rev-parse", "HEAD"])?.trim().to_owned();
        std::fs::create_dir_all(day.place.path().join("git/sens"))?;
        let infra = day.infra();
        day.git(&infra, &["clone", "-q", "--bare", ".", "../git/sens/infra.git"])?;
        day.git(&day.bare(), &["config", "http.receivepack", "true"])?;
        day.git(&infra, &["remote", "add", "origin", &day.town.url("sens/infra.git")])?;
        day.town.protect(1);
        for tag in ["0.4.0", "0.5.0-alpha.123.1"] {
            day.publish(tag);
        }
        Ok(day)
    }

    fn publish(&self, tag: &str) {
        for image in IMAGES {
            self.town.publish(&format!("sens/{image}"), tag, &self.commit);
        }
    }

    fn infra(&self) -> PathBuf {
        self.place.path().join("infra")
    }

    fn bare(&self) -> PathBuf {
        self.place.path().join("git/sens/infra.git")
    }

    fn git(&self, directory: &Path, words: &[&str]) -> anyhow::Result<String> {
        let own = ["-c", "user.name=sens", "-c", "user.email=sens@example.com"];
        let output = Command::new("git").args(own).args(words).current_dir(directory).output().context("git runs")?;
        anyhow::ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn main(&self, words: &[&str]) -> Result<String, String> {
        self.git(&self.bare(), words).map_err(|error| error.to_string())
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut command = Command::new(&self.landfall);
        command.args(words).current_dir(self.infra()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.place.path());
        command.env("CI", "true").env("USER", "sebastian");
        command.env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", self.town.host());
        match command.output() {
            Ok(output) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
                Ran { code: output.status.code().unwrap_or(-1), said: format!("{stdout}{stderr}"), stdout }
            }
            Err(error) => Ran { code: -1, said: error.to_string(), stdout: String::new() },
        }
    }

    /// With the product's checkout standing in for its repository.
    fn with_product(&self, words: &[&str]) -> Ran {
        let stand_in = format!("{PRODUCT}=../product");
        self.run(&[words, &["--repo", &stand_in]].concat())
    }

    fn versions(&self) -> Found {
        let table = [
            ("1.5.2", "1.5.2", 0),
            ("1.5.2", "1.5.3", 0),
            ("1.5.2", "1.5.9", 0),
            ("1.5.2", "1.6.0", 0),
            ("1.5.2", "2.0.0", 0),
            ("0.4.0", "0.3.1", 1),
            ("1.5.2", "1.5.1", 1),
            ("1.5.2", "1.7.0", 1),
            ("1.5.2", "1.6.1", 1),
            ("1.5.2", "3.0.0", 1),
            ("1.5.2", "2.1.0", 1),
            ("1.5.2", "2.0.1", 1),
            ("1.5.2", "1.6.0-alpha.1", 2),
            ("1.5.2", "1.6.0+build", 2),
            ("0.9.9", "1.0.0", 0),
            ("1.5.2", "v1.5.3", 2),
        ];
        for (from, to, code) in table {
            self.run(&["version", "check", "--from", from, "--to", to]).ends(code)?;
        }
        self.run(&["version", "check", "--to", "0.1.0"]).ends(0)?;
        self.run(&["version", "check", "--from", "1.5.2", "--to", "1.6.1"])
            .ends(1)?
            .says("minor step needs patch 0")?;
        Ok(format!("{} rows", table.len() + 1))
    }

    fn next(&self) -> Found {
        let words = ["-C", "../product", "version", "next", "--channel", "alpha", "--run", "123", "--attempt", "1"];
        let said = self.run(&words).ends(0)?.stdout;
        wanted(said.trim() == "0.5.0-alpha.123.1", &said)?;
        Ok(said)
    }

    fn set(&self) -> Found {
        let words =
            ["images", "set", "0.5.0-alpha.123.1", "--env", "test", "--commit", &self.commit, "--push", "--yes"];
        // What stands there is of another commit of the example's own.
        self.with_product(&words).ends(0)?;
        let changed = self.main(&["diff", "--name-only", "main~1", "main"])?;
        let is_test = |path: &str| path.starts_with("environments/test/") || path.starts_with("argocd/sens-test/");
        wanted(!changed.is_empty() && changed.lines().all(is_test), &changed)?;
        let application = self.main(&["show", "main:argocd/sens-test/application.yaml"])?;
        wanted(application.contains(&self.commit), "the chart is taken at the product's commit")?;
        self.pull()?;
        Ok(changed)
    }

    fn pull(&self) -> Result<(), String> {
        let pulled = self.git(&self.infra(), &["pull", "-q", "--ff-only", "origin", "main"]);
        pulled.map(drop).map_err(|error| error.to_string())
    }

    fn refusals(&self) -> Found {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let mut reasons = BTreeSet::new();
        for tag in ["latest", "main", "git-abc1234", hash, "0.5.0", "0.5.0+x"] {
            let refused = self.with_product(&["images", "set", tag, "--env", "test", "-o", "json"]).ends(5)?;
            let message = refused.data()?["diagnostics"][0]["message"].as_str().unwrap_or_default().replace(tag, "IT");
            reasons.insert(message);
        }
        wanted(reasons.len() == 6, &format!("{reasons:?}"))?;
        Ok(reasons.into_iter().collect::<Vec<_>>().join("\n"))
    }

    fn delivered(&self) -> Found {
        self.with_product(&["up", "--env", "test", "--yes"]).ends(0)?;
        let smoke = self.with_product(&["smoke", "--env", "test", "-o", "json"]).ends(0)?.data()?;
        let checks = smoke["checks"].as_array().map_or(0, Vec::len);
        wanted(checks == 12, &smoke.to_string())?;
        Ok(format!("{checks} checks"))
    }

    fn promoted(&self) -> Found {
        let words = ["promote", "--from", "test", "--to", "production", "--forge", "gitea", "--yes", "-o", "json"];
        let done = self.with_product(&words).ends(0)?.data()?;
        wanted(done["state"] == "proposed", &done.to_string())?;
        if self.ending == Ending::Planted {
            self.town.publish("sens/docs", "0.5.0", "another");
        }
        for image in IMAGES {
            let of = |tag: &str| self.town.digest(&format!("sens/{image}"), tag);
            let (tested, released) = (of("0.5.0-alpha.123.1"), of("0.5.0"));
            wanted(
                tested.is_some() && tested == released,
                &format!("{image}: {released:?} is what was tested, {tested:?}"),
            )?;
        }
        let pull = self.town.pulls().pop().ok_or("there is no pull request")?;
        let body = pull["body"].as_str().unwrap_or_default().to_owned();
        for text in ["0.5.0-alpha.123.1", "sha256:", "would deliver", "sebastian", "api health", &self.commit] {
            wanted(body.contains(text), &format!("`{text}` is in the pull request: {body}"))?;
        }
        let status = self.town.statuses().pop().ok_or("nothing is said of the commit")?;
        wanted(status["state"] == "success", &status.to_string())?;
        Ok(done["tag"].to_string())
    }

    fn merged(&self) -> Found {
        self.main(&["update-ref", "refs/heads/main", BRANCH])?;
        self.pull()?;
        let values = self.main(&["show", "main:environments/production/values.yaml"])?;
        wanted(values.contains("tag: 0.5.0\n"), &values)?;
        let status = self.run(&["status", "--env", "production", "-o", "json"]).data()?;
        wanted(!status.to_string().contains("sens-platform-production"), "nothing of production runs")?;
        let record = self.main(&["show", "main:environments/production/release.yaml"])?;
        wanted(record.contains("image_tag: 0.5.0\n") && record.contains(&self.commit), &record)?;
        Ok(record.lines().take(2).collect())
    }

    fn synced(&self) -> Found {
        self.with_product(&["up", "--env", "production", "--yes"]).ends(0)?;
        let smoke = self.with_product(&["smoke", "--env", "production", "-o", "json"]).ends(0)?.data()?;
        let status = self.run(&["status", "--env", "production", "-o", "json"]).data()?.to_string();
        let image = format!("{}/sens/platform-api:0.5.0\"", self.town.host());
        wanted(status.contains(&image), &status)?;
        let found = smoke["checks"].as_array().map_or(0, Vec::len);
        Ok(format!("{found} checks"))
    }

    fn late(&self) -> Found {
        for tag in ["0.5.0-alpha.124.1", "0.5.0-alpha.123.2"] {
            self.publish(tag);
        }
        self.with_product(&["images", "set", "0.5.0-alpha.124.1", "--env", "test", "--push", "--yes"]).ends(0)?;
        let late = self.with_product(&["images", "set", "0.5.0-alpha.123.2", "--env", "test", "--push", "--yes"]);
        late.ends(0)?.says("older")?;
        self.pull()?;
        let values = self.main(&["show", "main:environments/test/values.yaml"])?;
        wanted(values.contains("tag: 0.5.0-alpha.124.1"), &values)?;
        Ok("124.1 stays".to_owned())
    }

    fn moved(&self) -> Found {
        let before = self.main(&["rev-parse", "main"])?;
        self.town.publish("sens/docs", "0.5.0-alpha.124.1", "somebody else's commit");
        let words = ["images", "set", "0.5.0-alpha.124.1", "--env", "test", "--push", "--yes"];
        self.with_product(&words).ends(5)?.says("LF0968")?.says("was moved")?;
        wanted(self.main(&["rev-parse", "main"])? == before, "nothing was written")?;
        Ok("refused".to_owned())
    }

    fn back(&self) -> Found {
        let words = ["images", "set", "0.4.0", "--env", "production", "--allow-older", "--push", "--yes"];
        self.with_product(&words).ends(0)?;
        let values = self.main(&["show", "main:environments/production/values.yaml"])?;
        wanted(values.contains("tag: 0.4.0"), &values)?;
        self.main(&["log", "-1", "--format=%B", "main"])
    }

    fn held(&self) -> Found {
        self.run(&["hold", "0.5.0-alpha.124.1", "--reason", "bad"]).ends(0)?;
        let words = ["promote", "--to", "production", "--forge", "gitea", "--yes", "--recorded"];
        let refused = self.with_product(&words).ends(5)?;
        // Its tag was moved besides, which is told first.
        wanted(refused.said.contains("LF0968") || refused.said.contains("LF0973"), &refused.said)?;
        let promotions = self.run(&["history", "--promotions", "--env", "production", "-o", "json"]).ends(0)?.data()?;
        let first = promotions
            .as_array()
            .and_then(|all| all.iter().find(|it| it["tag"] == "0.5.0"))
            .ok_or("the promotion is not written down")?;
        let has = first["detail"]["product_commit"] == *self.commit
            && first["detail"]["images"][0]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:"))
            && first["detail"]["asked_by"] == "sebastian"
            && first["at"].is_string()
            && first["intact"] == true;
        wanted(has, &first.to_string())?;
        let pipeline = self.run(&["pipeline", &self.commit[..7], "-o", "json"]).ends(0)?.data()?;
        wanted(pipeline[0]["steps"].as_array().is_some_and(|steps| steps.len() > 8), &pipeline.to_string())?;
        Ok(promotions.as_array().map_or(0, Vec::len).to_string())
    }
}

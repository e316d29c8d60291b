//! Fifty writers through two replicas onto one branch of the forge, as pipelines of many services at once: each leaves a line and
//! counts one more, so that what is lost or doubled is seen in both.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use landfall_diag::{Diagnostic, code};
use landfall_source::{
    Account, Accounts, AllowedPaths, Builds, Change, Edited, Edits, GitRemote, GitWriter, Landing, Login, Network,
    Person, Reach, Signing, Trust, Write,
};
use landfall_yaml::{Scalar, Step, edit};

use super::Forge;
use super::server::ACCOUNT;

const WRITERS: usize = 50;
/// What the mission allows all of them together.
const LIMIT: Duration = Duration::from_secs(5);
const FILE: &str = "shop/values.yaml";

pub(super) fn fifty(forge: &mut Forge) -> anyhow::Result<String> {
    let address = forge.gitea.repository("shops", "shop", true)?;
    let at = forge.works.path().join("shop");
    std::fs::create_dir_all(at.join("shop"))?;
    std::fs::write(at.join(FILE), "# kept\ncount: 0   # so far\n")?;
    forge.git("shop", &["init", "-q", "-b", "main"])?;
    forge.git("shop", &["remote", "add", "origin", &address])?;
    let first = forge.push("shop")?;
    let remote = remote(forge, &address);
    // Two processes know nothing of each other but what the branch says: each has its own bare repositories and queues.
    let replicas = ["one", "two"].map(|name| replica(&forge.works.path().join("replicas").join(name)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let began = Instant::now();
    let landed = runtime.block_on(all(&replicas, &remote));
    let took = began.elapsed();
    let mut commits = BTreeSet::new();
    let mut attempts = 0;
    for one in landed {
        match one? {
            Landing::Pushed { commit, attempts: tried, .. } => {
                ensure!(commits.insert(commit.clone()), "{commit} is told to two writers");
                attempts = attempts.max(tried);
            }
            other => bail!("{other:?}"),
        }
    }
    ensure!(commits.len() == WRITERS, "{} commits", commits.len());
    forge.git("shop", &["fetch", "-q", "origin", "main"])?;
    let line = forge.git("shop", &["rev-list", "--parents", "FETCH_HEAD"])?;
    let on_branch: BTreeSet<String> =
        line.lines().filter_map(|it| it.split(' ').next()).map(str::to_owned).filter(|it| *it != first).collect();
    ensure!(on_branch == commits, "the branch has {} commits beside its first", on_branch.len());
    ensure!(line.lines().rev().skip(1).all(|it| it.split(' ').count() == 2), "it is no line: {line}");
    forge.git("shop", &["fsck", "--strict"])?;
    let values = forge.git("shop", &["show", &format!("FETCH_HEAD:{FILE}")])?;
    ensure!(values.starts_with(&format!("# kept\ncount: {WRITERS}   # so far\n")), "{values}");
    let left = (0..WRITERS).filter(|number| values.matches(&format!("\nw{number}: ")).count() == 1).count();
    ensure!(left == WRITERS, "{left} lines were left: {values}");
    ensure!(
        took <= LIMIT,
        "nothing was lost, but it took {:.1} s, at most {attempts} attempts each",
        took.as_secs_f64()
    );
    Ok(format!("{WRITERS} commits in {:.1} s, at most {attempts} attempts each", took.as_secs_f64()))
}

fn replica(below: &Path) -> GitWriter {
    GitWriter::new(&Network::default(), below.to_owned(), None)
}

fn remote(forge: &Forge, address: &str) -> GitRemote {
    let (username, password) = (ACCOUNT.0.to_owned(), ACCOUNT.1.to_owned());
    let account = Account {
        name: "shops".to_owned(),
        address: forge.gitea.url.clone(),
        reach: Reach::Beginning,
        login: Login::Password { username, password },
        ..Account::default()
    };
    let authorities = [("127.0.0.1".to_owned(), forge.gitea.authority.clone())].into();
    Accounts::new(vec![account], Trust { authorities, ..Trust::default() }).remote(address)
}

async fn all(replicas: &[GitWriter; 2], remote: &GitRemote) -> Vec<anyhow::Result<Landing>> {
    let begun: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (writer, remote) = (replicas[number % 2].clone(), remote.clone());
            tokio::spawn(
                async move { writer.write(&remote, wish(counted(format!("w{number}")))?).await.context("write") },
            )
        })
        .collect();
    let mut landed = Vec::new();
    for one in begun {
        landed.push(one.await.map_err(anyhow::Error::from).and_then(|it| it));
    }
    landed
}

fn wish(change: Change) -> anyhow::Result<Write> {
    Ok(Write {
        starts_at: None,
        reads: landfall_source::Reads::Tip,
        branch: "main".to_owned(),
        allowed: AllowedPaths::parse(["shop/**"]).map_err(|why| anyhow::anyhow!("{why:?}"))?,
        change,
        cause: None,
        builds: Builds::Asked,
        author: Person::default(),
        signing: Signing::No,
        at: jiff::Timestamp::now(),
    })
}

/// Counts one more of what stands there, and leaves a line of its own.
fn counted(name: String) -> Change {
    Arc::new(move |tree| {
        let edited = (|| {
            let old = String::from_utf8(tree.read(FILE).ok()??).ok()?;
            let documents = landfall_yaml::parse(&old).ok()?;
            let count: i64 = documents[0].root().get("count")?.text()?.parse().ok()?;
            if documents[0].root().get(&name).is_some() {
                return Some(Edited::Nothing("counted already".to_owned()));
            }
            let new = edit::set(&old, &[Step::Key("count")], &Scalar::Int(count + 1)).ok()?;
            let new = edit::set_or_insert(&new, &[Step::Key(&name)], &Scalar::Int(count + 1)).ok()?;
            Some(Edited::Files(Edits {
                subject: name.clone(),
                body: String::new(),
                trailers: vec![("Landfall-Cause".to_owned(), "suite".to_owned())],
                files: [(FILE.to_owned(), new.into_bytes())].into(),
            }))
        })();
        edited.ok_or_else(|| Diagnostic::error(code::BAD_ARGUMENTS, format!("{FILE} is not as it was pushed")))
    })
}

//! Where the commits of one branch are made, one batch at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::commit::{self, Draft, Signing};
use super::write::{Builds, Edited, Edits, Landing, Reads, Write, WriteError};
use super::{CHANGE_TRAILER, Waiting};
use crate::SourceTree;
use crate::account::GitRemote;
use crate::aside::aside;
use crate::error::SourceError;
use crate::is_mutant;
use crate::remote::{Fetched, Mirror, Sent};
use crate::repository::hex;

/// How often a branch is read anew for the same commits.
const MOST_ATTEMPTS: u32 = 25;
/// In how many of the first attempts whoever comes meanwhile is taken along: nobody comes so late that few are left.
const MOST_JOINED: u32 = 10;
/// How often a commit goes at once onto where somebody else has left the branch: two that alternate lose no time, and of
/// many each waits for a while of its own after that.
const AT_ONCE: u32 = 2;
/// How often a server may refuse a push though the branch has not moved: another one may have held its lock.
const MOST_REFUSALS: u32 = 3;
/// How often it may stay unknown what became of a push.
const MOST_SILENCES: u32 = 3;
/// The first pause between two attempts; each one is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Why there is nothing to do where everything is said already.
const SO_ALREADY: &str = "it is so already";
/// Words of a refusal that no second attempt changes; where a server says others, it is asked again in vain.
const FINAL: [&str; 3] = ["hook declined", "protected branch", "denying"];

/// Where the commits of one branch are made.
#[derive(Debug)]
pub(super) struct Desk {
    mirror: Mirror,
}

/// Whoever waits for the branch, those whom a batch takes along among them.
struct Batch<T> {
    /// Takes out of the queue whoever has come since.
    come: T,
    taken: Vec<Waiting>,
}

/// Where a branch is.
#[derive(PartialEq, Eq)]
struct Head {
    /// The commit that ours goes onto: the branch's own, or that of the one that it starts at.
    on: String,
    /// The branch's own, which a push expects there; nothing at all of one that is to be made.
    there: String,
}

/// What lies on a branch that is to have one commit of ours.
enum Lies {
    /// That very one.
    Same,
    /// Others, all of them ours.
    Ours,
    /// What others have made.
    Foreign(Vec<String>),
}

/// What was made of a branch's tip.
struct Made {
    /// The last commit; the tip itself where nothing is to be done.
    tip: String,
    answers: Vec<Result<Landing, WriteError>>,
}

impl Desk {
    pub(super) fn new(mirror: Mirror) -> Self {
        Desk { mirror }
    }

    /// Writes what those want who wait, and answers each. `come` takes out of the queue whoever has come.
    pub(super) async fn serve(&mut self, remote: &GitRemote, come: impl FnMut() -> Vec<Waiting>) {
        let mut batch = Batch { come, taken: Vec::new() };
        self.join(remote, &mut batch).await;
        let Some(first) = batch.taken.first() else { return };
        let (branch, starts_at) = (first.write.branch.clone(), first.write.starts_at.clone());
        let answers = match self.land(remote, (&branch, starts_at.as_deref()), &mut batch).await {
            Ok(answers) => answers,
            Err(WriteError::Source(error)) if matches!(*error, SourceError::NoLogin { .. }) => {
                batch.taken.iter().map(|_| Ok(Landing::NoToken)).collect()
            }
            Err(error) => batch.taken.iter().map(|_| Err(error.clone())).collect(),
        };
        for (waiting, answered) in batch.taken.into_iter().zip(answers) {
            answer(waiting, answered);
        }
    }

    /// Takes along whoever has come.
    async fn join<T: FnMut() -> Vec<Waiting>>(&mut self, remote: &GitRemote, batch: &mut Batch<T>) {
        for waiting in (batch.come)() {
            match self.echo(remote, &waiting.write).await {
                Some(landing) => answer(waiting, Ok(landing)),
                None => batch.taken.push(waiting),
            }
        }
    }

    /// What is said to a write that one of our own commits led to.
    async fn echo(&mut self, remote: &GitRemote, write: &Write) -> Option<Landing> {
        let cause = self.whole(remote, write.cause.clone()?).await;
        // A commit of another repository is not found here, and none of ours.
        let place = self.mirror.alone(remote, &cause).await.ok().flatten()?;
        let named = cause.clone();
        let message = aside(move || commit::message(place.path(), &named)).await.ok().flatten()?;
        is_ours(&message).then_some(Landing::Echo { commit: cause })
    }

    /// The whole hash of a commit that a branch or a tag of the repository stands at, where only the beginning is named: a
    /// clone that lies behind does not know it.
    async fn whole(&mut self, remote: &GitRemote, cause: String) -> String {
        if cause.len() >= 40 {
            return cause;
        }
        let Ok(references) = self.mirror.references(remote, &[]).await else { return cause };
        let beginning = cause.to_lowercase();
        references.commits().find(|commit| commit.starts_with(&beginning)).map_or(cause, str::to_owned)
    }

    async fn land<T: FnMut() -> Vec<Waiting>>(
        &mut self,
        remote: &GitRemote,
        (branch, starts_at): (&str, Option<&str>),
        batch: &mut Batch<T>,
    ) -> Result<Vec<Result<Landing, WriteError>>, WriteError> {
        // Where the branch was seen when a push came too late: it is not asked for again.
        let mut seen: Option<Head> = None;
        let (mut refusals, mut silences, mut said) = (0, 0, String::new());
        // What was sent last, where the server's answer to it is not known.
        let mut unknown: Option<Made> = None;
        for attempt in 1..=MOST_ATTEMPTS {
            let at = match seen.take() {
                Some(seen) => seen,
                None => self.head(remote, branch, starts_at).await?,
            };
            let Head { on: head, there: expected } = &at;
            if let Some(sent) = unknown.take()
                && self.has_landed(remote, &sent, expected).await?
            {
                return Ok(sent.answers);
            }
            let place = match batch.taken.iter().any(|waiting| waiting.write.reads == Reads::History) {
                true => self.mirror.history(remote, head).await?,
                false => self.mirror.commit(remote, head).await?,
            };
            // The branch was read over the network meanwhile: who has come goes with this push and needs none of their own.
            if attempt <= MOST_JOINED {
                self.join(remote, batch).await;
            }
            let made = make(&place, head, &batch.taken, attempt).await?;
            if made.tip == *head {
                return Ok(made.answers);
            }
            if starts_at.is_some() && !expected.is_empty() {
                match self.lies(remote, &place, (head, expected), &made.tip).await? {
                    Lies::Same => {
                        let nothing = Landing::Nothing { head: expected.clone(), why: SO_ALREADY.to_owned() };
                        return Ok(instead(made.answers, &nothing));
                    }
                    Lies::Foreign(commits) => {
                        let foreign = Landing::Foreign { head: expected.clone(), commits };
                        return Ok(instead(made.answers, &foreign));
                    }
                    Lies::Ours => {}
                }
            }
            match self.mirror.push(remote, &place, branch, (expected, &made.tip)).await? {
                Sent::Taken => return Ok(made.answers),
                Sent::NoLogin => return Ok(instead(made.answers, &Landing::NoToken)),
                Sent::Denied(said) => return Ok(instead(made.answers, &Landing::Protected { said })),
                Sent::Refused(words) => {
                    said = words;
                    let now = self.head(remote, branch, starts_at).await?;
                    if now.there == made.tip {
                        return Ok(made.answers);
                    }
                    let is_there = now == at;
                    refusals = if is_there { refusals + 1 } else { 0 };
                    let is_final = FINAL.iter().any(|word| said.contains(word));
                    if is_there && (is_final || refusals >= MOST_REFUSALS) {
                        return Ok(instead(made.answers, &Landing::Protected { said }));
                    }
                    if !is_there && attempt <= AT_ONCE {
                        seen = Some(now);
                        continue;
                    }
                }
                Sent::Unknown(words) => {
                    said = words;
                    silences += 1;
                    if silences >= MOST_SILENCES {
                        let now = self.head(remote, branch, starts_at).await?.there;
                        return match self.has_landed(remote, &made, &now).await? {
                            true => Ok(made.answers),
                            false => Err(SourceError::Fetch { url: remote.address.clone(), why: said }.into()),
                        };
                    }
                    unknown = Some(made);
                }
            }
            tokio::time::sleep(pause(attempt, &said, place.path())).await;
        }
        if let Some(sent) = unknown {
            let there = self.head(remote, branch, starts_at).await?.there;
            if self.has_landed(remote, &sent, &there).await? {
                return Ok(sent.answers);
            }
        }
        Err(WriteError::Contended { branch: branch.to_owned(), attempts: MOST_ATTEMPTS, said })
    }

    /// Whether what was sent is on the branch after all.
    async fn has_landed(&mut self, remote: &GitRemote, sent: &Made, head: &str) -> Result<bool, WriteError> {
        Ok(head == sent.tip || (!head.is_empty() && self.mirror.leads_to(remote, &sent.tip, head).await?))
    }

    /// What lies on a branch that starts at another one, beside the commit that was made for it.
    async fn lies(
        &mut self,
        remote: &GitRemote,
        place: &Arc<Fetched>,
        (on, there): (&str, &str),
        made: &str,
    ) -> Result<Lies, WriteError> {
        // Where it cannot be had alone, its history has it.
        let tip = self.mirror.commit(remote, there).await?;
        let (here, wanted, lying) = (Arc::clone(place), made.to_owned(), there.to_owned());
        let is_same = aside(move || {
            let wanted = commit::content(here.path(), &wanted);
            wanted.is_some() && wanted == commit::content(tip.path(), &lying)
        });
        if is_same.await.map_err(SourceError::from)? {
            return Ok(Lies::Same);
        }
        let whole = self.mirror.history(remote, there).await?;
        let (on, there) = (on.to_owned(), there.to_owned());
        let beside = aside(move || commit::beside(whole.path(), &there, &on)).await.map_err(SourceError::from)??;
        let foreign: Vec<String> = beside
            .into_iter()
            .filter(|it| !is_ours(&it.message) && !is_mutant("foreign-commits"))
            .map(|it| it.shown())
            .collect();
        Ok(if foreign.is_empty() { Lies::Ours } else { Lies::Foreign(foreign) })
    }

    /// The commit that the branch is at, and the one that ours goes onto.
    async fn head(&mut self, remote: &GitRemote, branch: &str, starts_at: Option<&str>) -> Result<Head, WriteError> {
        let references = self.mirror.references(remote, &[]).await?;
        let at = |branch: &str| references.commit(&format!("refs/heads/{branch}"));
        let from = starts_at.unwrap_or(branch);
        let none = || WriteError::NoBranch { branch: from.to_owned(), nearest: references.nearest(from) };
        Ok(Head { on: at(from).ok_or_else(none)?, there: at(branch).unwrap_or_default() })
    }
}

/// Whether a commit's message ends as those of Landfall do.
fn is_ours(message: &str) -> bool {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let trailer = format!("{CHANGE_TRAILER}: ");
    last.lines().any(|line| line.starts_with(&trailer))
}

fn answer(waiting: Waiting, answered: Result<Landing, WriteError>) {
    // Whoever does not wait any more looks at the branch when they come again.
    let _gone = waiting.answer.send(answered);
}

/// The answers of those whose commits did not land.
fn instead(answers: Vec<Result<Landing, WriteError>>, landing: &Landing) -> Vec<Result<Landing, WriteError>> {
    let answers = answers.into_iter().map(|answer| match answer {
        Ok(Landing::Pushed { .. }) => Ok(landing.clone()),
        answer => answer,
    });
    answers.collect()
}

/// Makes a commit for each write, one upon the other. Those that no program signs are made without a word to anybody in
/// between: on a busy machine each change of threads waits for its turn, and many writes wait for many.
async fn make(place: &Arc<Fetched>, head: &str, batch: &[Waiting], attempt: u32) -> Result<Made, WriteError> {
    let mut made = Made { tip: head.to_owned(), answers: Vec::new() };
    let mut left = batch;
    while let Some((first, others)) = left.split_first() {
        let plain = left.iter().take_while(|waiting| waiting.write.signing == Signing::No).count();
        let writes: Vec<Write> = left[..plain].iter().map(|waiting| waiting.write.clone()).collect();
        let (shared, tip) = (Arc::clone(place), made.tip.clone());
        let together = match plain {
            0 | 1 => None,
            // One whose change panics takes none of the others along: they are made one by one then.
            _ => aside(move || all(&shared, tip, &writes)).await.ok(),
        };
        match together {
            Some(steps) => {
                steps.into_iter().for_each(|step| made.takes(step, attempt));
                left = &left[plain..];
            }
            None => {
                let step = one(place, &made.tip, &first.write).await;
                made.takes(step, attempt);
                left = others;
            }
        }
    }
    Ok(made)
}

impl Made {
    fn takes(&mut self, step: Result<Step, WriteError>, attempt: u32) {
        self.answers.push(match step {
            Ok(Step::Nothing(why)) => Ok(Landing::Nothing { head: self.tip.clone(), why }),
            Ok(Step::Commit(commit, files)) => {
                let parent = std::mem::replace(&mut self.tip, commit.clone());
                Ok(Landing::Pushed { commit, parent, files, attempts: attempt })
            }
            Err(error) => Err(error),
        });
    }
}

/// Makes the commits of writes that are not signed.
fn all(place: &Arc<Fetched>, mut tip: String, writes: &[Write]) -> Vec<Result<Step, WriteError>> {
    let made = writes.iter().map(|write| {
        let step = match draft(place, &tip, write)? {
            Drafted::Nothing(why) => Step::Nothing(why),
            Drafted::Commit(commit, files) => Step::Commit(commit::write(place.path(), &commit)?, files),
        };
        if let Step::Commit(commit, _) = &step {
            tip.clone_from(commit);
        }
        Ok(step)
    });
    made.collect()
}

enum Step {
    Nothing(String),
    Commit(String, Vec<String>),
}

async fn one(place: &Arc<Fetched>, tip: &str, write: &Write) -> Result<Step, WriteError> {
    let (shared, on, wanted) = (Arc::clone(place), tip.to_owned(), write.clone());
    let drafted = aside(move || draft(&shared, &on, &wanted)).await.map_err(SourceError::from)??;
    let (commit, files) = match drafted {
        Drafted::Nothing(why) => return Ok(Step::Nothing(why)),
        Drafted::Commit(commit, files) => (commit, files),
    };
    let commit = commit::signed(*commit, &write.signing).await?;
    let shared = Arc::clone(place);
    let written = aside(move || commit::write(shared.path(), &commit)).await.map_err(SourceError::from)??;
    Ok(Step::Commit(written, files))
}

enum Drafted {
    Nothing(String),
    Commit(Box<gix::objs::Commit>, Vec<String>),
}

/// Asks the change what it makes of a tip, and drafts the commit of what differs.
fn draft(place: &Arc<Fetched>, tip: &str, write: &Write) -> Result<Drafted, WriteError> {
    let tree = SourceTree::open_shared(place, tip)?;
    let mut edits = match (write.change)(&tree).map_err(|error| WriteError::Change(Box::new(error)))? {
        Edited::Nothing(why) => return Ok(Drafted::Nothing(why)),
        Edited::Files(edits) => edits,
    };
    if let Some(path) = edits.files.keys().find(|path| !write.allowed.allow(path)) {
        let why = format!("is none of those that it may change: {}", write.allowed);
        return Err(WriteError::Outside { path: path.clone(), why });
    }
    let mut kept = std::collections::BTreeMap::new();
    for (path, bytes) in std::mem::take(&mut edits.files) {
        if tree.read(&path)?.as_ref() != Some(&bytes) {
            kept.insert(path, bytes);
        }
    }
    edits.files = kept;
    if edits.files.is_empty() {
        return Ok(Drafted::Nothing(SO_ALREADY.to_owned()));
    }
    let message = message(&edits, write, tip);
    let draft = Draft { parent: tip, files: &edits.files, message, author: &write.author, at: write.at };
    let commit = draft.build(place.path())?;
    Ok(Drafted::Commit(Box::new(commit), edits.files.into_keys().collect()))
}

/// What a commit says, with the line by which we know it again.
fn message(edits: &Edits, write: &Write, tip: &str) -> String {
    let skip = if write.builds == Builds::Skipped { " [skip ci]" } else { "" };
    let mut text = format!("{}{skip}\n", one_line(&edits.subject));
    if !edits.body.trim().is_empty() {
        text.push_str(&format!("\n{}\n", edits.body.trim()));
    }
    let mut digest = Sha256::new();
    digest.update(tip);
    for (path, bytes) in &edits.files {
        digest.update(path);
        digest.update(bytes);
    }
    let id = &hex(&digest.finalize())[..16];
    text.push_str(&format!("\n{CHANGE_TRAILER}: {id}\n"));
    for (name, value) in &edits.trailers {
        text.push_str(&format!("{}: {}\n", one_line(name), one_line(value)));
    }
    text
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// How long is waited before the next attempt: longer each time, and for no two writers alike.
fn pause(attempt: u32, said: &str, place: &Path) -> Duration {
    let longest = PAUSE.saturating_mul(1 << attempt.min(8)).min(LONGEST_PAUSE);
    let mut digest = Sha256::new();
    digest.update(attempt.to_be_bytes());
    digest.update(said);
    digest.update(place.as_os_str().as_encoded_bytes());
    let part = u32::from(digest.finalize()[0]);
    longest / 4 + longest.saturating_mul(part) / 340
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_of_ours_is_known_by_its_last_lines_alone() {
        assert!(is_ours("web: 1 to 2\n\nwhy\n\nLandfall-Change: 0123\nLandfall-Cause: image\n"));
        assert!(!is_ours("Revert\n\nLandfall-Change: 0123\n\nand so on\n"));
        assert!(!is_ours("about Landfall-Change: 1\n"));
    }

    #[test]
    fn two_writers_do_not_wait_alike_and_none_waits_long() {
        let pauses: Vec<Duration> = (1..=MOST_ATTEMPTS).map(|attempt| pause(attempt, "", Path::new("a"))).collect();
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE), "{pauses:?}");
        assert_ne!(pause(4, "", Path::new("a")), pause(4, "", Path::new("b")));
    }
}

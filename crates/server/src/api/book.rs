//! The book of what was published, seen, held back and promoted: the same for a server and for a command beside its store.

use landfall_diag::{Diagnostic, code};
use landfall_project::{Channel, ImagePolicy};
use landfall_promote::{MAX_TAG, Tag, TagPolicy, Version, bare, next, progression};
use landfall_store::{HoldRow, PromotionEvent, PromotionRow, Promotions, PublishedRow};
use serde_json::Value;

use super::asked::Asked;
use super::desk::{Answer, json_of, one, told};
use super::promoted::{
    EvidenceLine, HoldLine, HoldWish, LedgerLine, Lines, NextQuery, PromotionLine, PromotionNote, PromotionStep,
    VersionLine, VersionQuery,
};

/// Lines of an answer where nobody says how many, and at most.
const LINES: usize = 100;
const MOST_LINES: usize = 1000;
/// The longest name, reason or sentence that is written down, in bytes.
const LONGEST: usize = 2000;
/// Lines that are written at once, at most.
const MOST_WRITTEN: usize = 500;

/// The book.
#[derive(Debug, Clone)]
pub struct Book(Promotions);

impl Book {
    /// That of a store.
    pub fn new(promotions: Promotions) -> Self {
        Book(promotions)
    }

    /// Answers what is asked of it, for somebody, at a moment (RFC 3339); nothing where that is asked of somebody else.
    /// Whether that one may is asked by whoever lets in.
    pub async fn answer(&self, actor: &str, now: &str, asked: &Asked) -> Option<Result<Value, Vec<Diagnostic>>> {
        Some(match asked {
            Asked::Ledger(image, limit) => self.ledger(image.as_deref(), *limit).await.and_then(json_of),
            Asked::Evidence(digest, lines) => self.evidence(digest, lines).await.and_then(json_of),
            Asked::Holds(lines) => self.holds(lines).await.and_then(json_of),
            Asked::Promotions(environment, lines) => {
                self.promotions(environment.as_deref(), lines).await.and_then(json_of)
            }
            Asked::VersionCheck(query) => checked(query).and_then(json_of),
            Asked::VersionNext(query) => named(query).and_then(json_of),
            Asked::Publish(lines) => self.publish(now, lines).await.and_then(json_of),
            Asked::Witness(lines) => self.witness(now, lines).await.and_then(json_of),
            Asked::Hold(wish) => self.hold(actor, now, wish).await.and_then(json_of),
            Asked::Promote(note) => self.promote(actor, now, note).await.and_then(json_of),
            _ => return None,
        })
    }

    async fn ledger(&self, image: Option<&str>, limit: Option<usize>) -> Answer<Vec<LedgerLine>> {
        let rows = self.0.published(image.unwrap_or_default(), most(limit)).await.map_err(|error| told(&error))?;
        Ok(rows.into_iter().map(LedgerLine::from).collect())
    }

    async fn evidence(&self, digest: &str, lines: &Lines) -> Answer<Vec<EvidenceLine>> {
        let rows =
            self.0.evidence(digest, lines.system.as_deref(), most(lines.limit)).await.map_err(|error| told(&error))?;
        Ok(rows.into_iter().map(EvidenceLine::from).collect())
    }

    async fn holds(&self, lines: &Lines) -> Answer<Vec<HoldLine>> {
        let rows = self.0.holds(lines.system.as_deref(), most(lines.limit)).await.map_err(|error| told(&error))?;
        Ok(rows.into_iter().map(HoldLine::from).collect())
    }

    async fn promotions(&self, environment: Option<&str>, lines: &Lines) -> Answer<Vec<PromotionLine>> {
        let rows = self.0.promotions(environment, lines.system.as_deref(), most(lines.limit)).await;
        let rows = rows.map_err(|error| told(&error))?;
        let mut found = Vec::new();
        for row in rows {
            let events = self.0.events(&row.id).await.map_err(|error| told(&error))?;
            let mut before = String::new();
            let mut intact = true;
            let mut steps = Vec::new();
            for (event, previous, digest) in events {
                intact &= previous == before && digest == event.link(&before);
                before = digest;
                let PromotionEvent { at, actor, state, said } = event;
                steps.push(PromotionStep { at, actor, state, said });
            }
            let PromotionRow { id, system, at, origin: from, receiver: to, tag, state, body: detail } = row;
            found.push(PromotionLine { id, at, from, to, tag, state, detail, events: steps, intact, system });
        }
        Ok(found)
    }

    /// Notes tags with their digests: what was known stays, and is told.
    async fn publish(&self, now: &str, lines: &[LedgerLine]) -> Answer<Vec<LedgerLine>> {
        let mut known = Vec::new();
        few(lines.len())?;
        for line in lines {
            let digest = is_digest(&line.digest)?;
            let tag = Tag::parse(&line.tag).map_err(|refusal| bad(refusal.to_string()))?.to_string();
            short(&[&line.image, line.revision.as_deref().unwrap_or_default()])?;
            let row = PublishedRow {
                image: line.image.clone(),
                tag,
                digest,
                at: moment(&line.at, now)?,
                revision: line.revision.clone(),
            };
            known.push(self.0.publish(&row).await.map_err(|error| told(&error))?.into());
        }
        Ok(known)
    }

    async fn witness(&self, now: &str, lines: &[EvidenceLine]) -> Answer<usize> {
        few(lines.len())?;
        let mut rows = Vec::new();
        for line in lines {
            short(&[&line.environment, &line.what, &line.detail, &line.made_as, &line.system])?;
            is_digest(&line.digest)?;
            rows.push(line.row(now));
        }
        self.0.witness(&rows).await.map_err(|error| told(&error))?;
        Ok(rows.len())
    }

    async fn hold(&self, actor: &str, now: &str, wish: &HoldWish) -> Answer<HoldLine> {
        let tag = Tag::parse(&wish.tag).map_err(|refusal| bad(refusal.to_string()))?.to_string();
        short(&[&wish.reason, &wish.system])?;
        let system = Some(wish.system.as_str()).filter(|system| !system.is_empty());
        if wish.release {
            let all = self.0.holds(system, most(Some(MOST_LINES))).await.map_err(|error| told(&error))?;
            // It may be held under several of its names, and is let go under each.
            let mut same: Vec<String> =
                all.into_iter().map(|hold| hold.tag).filter(|it| bare(it) == bare(&tag)).collect();
            // The newest hold is the one that is told.
            same.dedup();
            let mut found = None;
            for name in same {
                // What was let go before stays so.
                self.0.release((&name, system), now, actor).await.map_err(|error| told(&error))?;
                let hold = self.0.hold_of(&name, system).await.map_err(|error| told(&error))?.map(HoldLine::from);
                found = found.or(hold);
            }
            return found.ok_or_else(|| one(Diagnostic::error(code::NO_HOLD, format!("{tag} was never held back"))));
        }
        if wish.reason.trim().is_empty() {
            return Err(bad("why is it held back? a reason is wanted"));
        }
        let row = HoldRow {
            tag,
            system: wish.system.clone(),
            at: now.to_owned(),
            by: actor.to_owned(),
            reason: wish.reason.clone(),
            released_at: None,
            released_by: None,
        };
        self.0.hold(&row).await.map_err(|error| told(&error))?;
        Ok(row.into())
    }

    /// Sees that a promotion may be said to stand so: what was not begun is neither proposed nor written, and what is live the server
    /// says itself, by what it has delivered and checked.
    ///
    /// # Errors
    /// It was never where that follows from.
    pub(crate) async fn may_become(&self, note: &PromotionNote) -> Answer<()> {
        let known = self.0.promotion(&note.id).await.map_err(|error| told(&error))?;
        let state = known.as_ref().map(|known| known.state.as_str());
        if follows(state, &note.state) {
            return Ok(());
        }
        let stands = state.map_or("is not known here".to_owned(), |state| format!("is {state}"));
        let text = format!("{} {stands}, and does not become `{}` from there", note.id, note.state);
        Err(one(Diagnostic::refused(code::OTHER_PROMOTION, text)
            .note("nothing was written down")
            .help("promote it: landfall promote --to ENVIRONMENT --server URL")))
    }

    async fn promote(&self, actor: &str, now: &str, note: &PromotionNote) -> Answer<PromotionLine> {
        short(&[&note.id, &note.from, &note.to, &note.state, &note.said, &note.system])?;
        let tag = Tag::parse(&note.tag).map_err(|refusal| bad(refusal.to_string()))?.to_string();
        if note.id.is_empty() || note.to.is_empty() {
            return Err(bad("a promotion has an id and an environment that it goes to"));
        }
        let mut body = note.detail.clone();
        if let Some(known) = self.0.promotion(&note.id).await.map_err(|error| told(&error))? {
            // What is begun anew waits where it waited before, until it is said where it waits now.
            if note.state == "tagged" && OPEN.contains(&known.state.as_str()) && body.is_object() {
                for key in WHERE.into_iter().filter(|key| !known.body[*key].is_null()) {
                    if body[key].is_null() {
                        body[key] = known.body[key].clone();
                    }
                }
            }
            let is_same = (&*known.origin, &*known.receiver, &*known.tag) == (&*note.from, &*note.to, tag.as_str());
            if !is_same || !is_of(&known.system, &note.system) {
                let PromotionRow { id, origin, receiver, tag, .. } = known;
                let text = format!("{id} is the promotion of {tag} from {origin} to {receiver}");
                let told = Diagnostic::refused(code::OTHER_PROMOTION, text).note("nothing was written down");
                return Err(one(told.help("another promotion has another id")));
            }
        }
        let row = PromotionRow {
            id: note.id.clone(),
            system: note.system.clone(),
            at: now.to_owned(),
            origin: note.from.clone(),
            receiver: note.to.clone(),
            tag,
            state: note.state.clone(),
            body,
        };
        let event = PromotionEvent {
            at: now.to_owned(),
            actor: actor.to_owned(),
            state: note.state.clone(),
            said: note.said.clone(),
        };
        self.0.note(&row, &event).await.map_err(|error| told(&error))?;
        let found = self.promotions(Some(&note.to), &Lines::most(MOST_LINES)).await?;
        Ok(found.into_iter().find(|line| line.id == note.id).unwrap_or_default())
    }
}

/// How a promotion stands whose pull request may be open.
const OPEN: [&str; 3] = ["tagged", "proposed", "withdrawn"];
/// Where a promotion waits, in its body.
const WHERE: [&str; 6] = ["branch", "base", "commit", "remote", "request", "forge"];

/// Whether a promotion may be said to stand so, by how it stands: not at all where it is not known.
fn follows(known: Option<&str>, state: &str) -> bool {
    let before: &[Option<&str>] = match state {
        "refused" => &[None, Some("refused")],
        "set-back" => &[None, Some("set-back")],
        "glass-broken" => &[None, Some("glass-broken")],
        // Whatever became of it, it may be asked for again.
        "tagged" => return !matches!(known, Some("refused" | "set-back" | "glass-broken")),
        "proposed" | "written" => &[Some("tagged"), Some("proposed"), Some("written")],
        "merged" => &[Some("proposed"), Some("withdrawn"), Some("merged")],
        "withdrawn" => &[Some("tagged"), Some("proposed"), Some("withdrawn")],
        "failed" => &[Some("set-back"), Some("glass-broken")],
        _ => &[],
    };
    before.contains(&known)
}

/// Whether what is said of one system may be about the other one: it is the same, or of one of them that is not said.
pub(crate) fn is_of(known: &str, system: &str) -> bool {
    known.is_empty() || system.is_empty() || known == system
}

fn most(limit: Option<usize>) -> u32 {
    u32::try_from(limit.unwrap_or(LINES).clamp(1, MOST_LINES)).unwrap_or(u32::MAX)
}

fn bad(why: impl Into<String>) -> Vec<Diagnostic> {
    one(Diagnostic::error(code::BAD_REQUEST, why))
}

pub(super) fn few(count: usize) -> Answer<()> {
    match count {
        0 => Err(bad("nothing is said")),
        count if count > MOST_WRITTEN => Err(bad(format!("{count} lines at once; at most {MOST_WRITTEN} are taken"))),
        _ => Ok(()),
    }
}

fn short(texts: &[&str]) -> Answer<()> {
    match texts.iter().find(|text| text.len() > LONGEST || text.chars().any(|c| c.is_control() && c != '\n')) {
        Some(_) => Err(bad(format!("a text is longer than {LONGEST} bytes, or has signs that nobody sees"))),
        None => Ok(()),
    }
}

fn is_digest(text: &str) -> Answer<String> {
    let is = text
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    if is { Ok(text.to_owned()) } else { Err(bad("a digest is sha256: and 64 digits of 0-9 and a-f")) }
}

fn moment(said: &str, now: &str) -> Answer<String> {
    match said {
        "" => Ok(now.to_owned()),
        said if said.parse::<jiff::Timestamp>().is_ok() => Ok(said.to_owned()),
        _ => Err(bad("a time is written as 2026-01-31T12:00:00Z")),
    }
}

fn channel(word: Option<&str>) -> Answer<Option<Channel>> {
    match word {
        None => Ok(None),
        Some("alpha") => Ok(Some(Channel::Alpha)),
        Some("rc") => Ok(Some(Channel::Rc)),
        Some("stable") => Ok(Some(Channel::Stable)),
        Some(_) => Err(bad("channels are alpha, rc and stable")),
    }
}

fn root(text: &str) -> Answer<Version> {
    if text.len() > MAX_TAG {
        return Err(bad("that is no version"));
    }
    Version::root(text).map_err(|refusal| one(Diagnostic::error(code::BAD_VERSION, refusal.to_string())))
}

/// Whether versions may follow each other, and a tag may run: the rules of `landfall version check`.
fn checked(query: &VersionQuery) -> Answer<VersionLine> {
    let mut line = VersionLine::default();
    if query.to.is_none() && query.tag.is_none() {
        return Err(bad("say `to` (with `from`), or `tag`"));
    }
    let wanted = channel(query.channel.as_deref())?;
    if let Some(to) = &query.to {
        let new = root(to)?;
        let before = query.from.as_deref().map(root).transpose()?;
        let step = progression(before.as_ref(), &new);
        if !step.is_accepted() {
            let from = query.from.as_deref().unwrap_or_default();
            return Err(one(Diagnostic::error(code::BAD_STEP, format!("{to} may not follow {from}: {step}"))));
        }
        line.step = serde_json::to_value(step).ok().and_then(|word| word.as_str().map(str::to_owned));
    }
    if let Some(tag) = &query.tag {
        let policy = TagPolicy { policy: ImagePolicy::Semver, channel: wanted, places: Vec::new() };
        let tag = Tag::under(tag, &policy);
        let tag = tag.map_err(|refusal| one(Diagnostic::refused(code::BAD_TAG, refusal.to_string())))?;
        line.tag = Some(tag.to_string());
    }
    Ok(line)
}

/// What the next build is called: the rules of `landfall version next`.
fn named(query: &NextQuery) -> Answer<VersionLine> {
    let (Some(from), Some(channel)) = (&query.from, channel(query.channel.as_deref())?) else {
        return Err(bad("say `from`, the product's own version, and `channel`"));
    };
    if channel != Channel::Stable && query.run.is_none() {
        return Err(bad("say `run`, the number of the run"));
    }
    let attempt = query.attempt.unwrap_or(1);
    if attempt == 0 {
        return Err(bad("attempts are counted from 1"));
    }
    let called = next(&root(from)?, channel, query.run.unwrap_or_default(), attempt)
        .map_err(|refusal| one(Diagnostic::error(code::BAD_VERSION, refusal.to_string())))?;
    Ok(VersionLine { step: None, tag: Some(called) })
}

#[cfg(test)]
mod tests {
    use landfall_store::{Location, Store};

    use super::*;

    async fn book() -> (Book, Store) {
        let store = Store::open(Location::Memory).await.expect("opened");
        (Book::new(store.promotions.clone()), store)
    }

    const NOW: &str = "2026-01-01T00:00:00Z";

    async fn ask(book: &Book, asked: Asked) -> Result<Value, Vec<Diagnostic>> {
        book.answer("ada", NOW, &asked).await.expect("it is the book's")
    }

    #[tokio::test]
    async fn se_21_se_22_se_23_se_24_se_25_se_26_se_27_se_28_the_servers_table_is_the_command_lines() {
        let (book, _store) = book().await;
        for (from, to, step) in [
            (Some("1.5.2"), "1.5.2", Ok("unchanged")),
            (Some("1.5.2"), "1.5.3", Ok("patch")),
            (Some("1.5.2"), "1.5.9", Ok("patch")),
            (Some("1.5.2"), "1.6.0", Ok("minor")),
            (Some("1.5.2"), "2.0.0", Ok("major")),
            (Some("0.4.0"), "0.3.1", Err(code::BAD_STEP)),
            (Some("1.5.2"), "1.5.1", Err(code::BAD_STEP)),
            (Some("1.5.2"), "1.7.0", Err(code::BAD_STEP)),
            (Some("1.5.2"), "1.6.1", Err(code::BAD_STEP)),
            (Some("1.5.2"), "3.0.0", Err(code::BAD_STEP)),
            (Some("1.5.2"), "2.1.0", Err(code::BAD_STEP)),
            (Some("1.5.2"), "2.0.1", Err(code::BAD_STEP)),
            (Some("1.5.2"), "1.6.0-alpha.1", Err(code::BAD_VERSION)),
            (Some("1.5.2"), "1.6.0+build", Err(code::BAD_VERSION)),
            (Some("0.9.9"), "1.0.0", Ok("major")),
            (None, "0.1.0", Ok("first")),
            (Some("1.5.2"), "v1.5.3", Err(code::BAD_VERSION)),
        ] {
            let query =
                VersionQuery { from: from.map(str::to_owned), to: Some(to.to_owned()), ..VersionQuery::default() };
            let found = ask(&book, Asked::VersionCheck(query)).await;
            let found = found.map(|it| it["step"].as_str().unwrap_or_default().to_owned()).map_err(|it| it[0].code);
            assert_eq!(found, step.map(str::to_owned), "{from:?} {to}");
        }
        // The last row's other half: an input of a release may have a `v` in front.
        let query = VersionQuery { tag: Some("v1.5.3".to_owned()), ..VersionQuery::default() };
        assert_eq!(ask(&book, Asked::VersionCheck(query)).await.expect("it runs")["tag"], "1.5.3");
        let query = NextQuery {
            from: Some("0.5.0".to_owned()),
            channel: Some("alpha".to_owned()),
            run: Some(123),
            attempt: Some(1),
        };
        assert_eq!(ask(&book, Asked::VersionNext(query)).await.expect("called")["tag"], "0.5.0-alpha.123.1");
    }

    #[tokio::test]
    async fn what_is_written_into_the_book_is_held_against_its_shape() {
        let (book, _store) = book().await;
        let line = |digest: &str, tag: &str| LedgerLine {
            image: "a/b".to_owned(),
            tag: tag.to_owned(),
            digest: digest.to_owned(),
            ..LedgerLine::default()
        };
        let good = format!("sha256:{}", "a".repeat(64));
        for wrong in [line("sha256:abc", "1.0.0"), line(&good, "1.0.0\nx"), line(&good.to_uppercase(), "1.0.0")] {
            assert!(ask(&book, Asked::Publish(vec![wrong])).await.is_err());
        }
        let moved = format!("sha256:{}", "b".repeat(64));
        ask(&book, Asked::Publish(vec![line(&good, "1.0.0")])).await.expect("noted");
        let known = ask(&book, Asked::Publish(vec![line(&moved, "1.0.0")])).await.expect("told");
        assert_eq!(known[0]["digest"], good, "what was first");
        assert!(ask(&book, Asked::Hold(HoldWish { tag: "1.0.0".into(), ..HoldWish::default() })).await.is_err());
        assert!(ask(&book, Asked::Witness(Vec::new())).await.is_err());
    }

    #[tokio::test]
    async fn attempts_count_from_one_as_on_the_command_line() {
        let (book, _store) = book().await;
        let next = |attempt| {
            Asked::VersionNext(NextQuery {
                from: Some("0.5.0".to_owned()),
                channel: Some("alpha".to_owned()),
                run: Some(1),
                attempt,
            })
        };
        assert_eq!(ask(&book, next(None)).await.expect("the first")["tag"], "0.5.0-alpha.1.1");
        assert!(ask(&book, next(Some(0))).await.is_err());
    }

    /// Of a promotion of 0.5.0 from test to production.
    fn note(state: &str) -> PromotionNote {
        PromotionNote {
            id: "p".to_owned(),
            from: "test".to_owned(),
            to: "production".to_owned(),
            tag: "0.5.0".to_owned(),
            state: state.to_owned(),
            said: "so".to_owned(),
            ..PromotionNote::default()
        }
    }

    #[tokio::test]
    async fn a_known_promotion_is_gone_on_with_and_never_becomes_another_one() {
        let (book, _store) = book().await;
        let note = |to: &str, tag: &str, from: &str| {
            Asked::Promote(PromotionNote {
                id: "p".to_owned(),
                from: from.to_owned(),
                to: to.to_owned(),
                tag: tag.to_owned(),
                state: "tagged".to_owned(),
                said: "so".to_owned(),
                ..PromotionNote::default()
            })
        };
        ask(&book, note("production", "0.5.0", "test")).await.expect("noted");
        for other in [
            note("staging", "0.5.0", "test"),
            note("production", "0.6.0", "test"),
            note("production", "0.5.0", "staging"),
        ] {
            let told = ask(&book, other).await.expect_err("another one");
            assert_eq!(told[0].code, code::OTHER_PROMOTION, "{told:?}");
            assert!(told[0].message.contains("0.5.0 from test to production"), "{told:?}");
        }
        assert_eq!(ask(&book, note("production", "0.5.0", "test")).await.expect("again")["tag"], "0.5.0");
    }

    #[tokio::test]
    async fn a_promotion_becomes_nothing_that_does_not_follow_from_how_it_stands() {
        let (book, _store) = book().await;
        for state in ["live", "failed", "merged", "written", "proposed", "withdrawn", "", "anything"] {
            let told = book.may_become(&note(state)).await.expect_err(state);
            assert!(told[0].message.contains("p is not known here"), "{told:?}");
        }
        for state in ["tagged", "tagged", "proposed", "tagged", "written", "tagged", "proposed", "withdrawn", "merged"]
        {
            book.may_become(&note(state)).await.expect(state);
            ask(&book, Asked::Promote(note(state))).await.expect("noted");
            for never in ["live", "refused", "set-back", "glass-broken", "failed"] {
                assert!(book.may_become(&note(never)).await.is_err(), "{state} {never}");
            }
        }
    }

    #[tokio::test]
    async fn a_promotion_that_is_taken_up_again_keeps_the_pull_request_that_it_had() {
        let (book, _store) = book().await;
        let note = |state: &str, detail: Value| Asked::Promote(PromotionNote { detail, ..note(state) });
        let waits = serde_json::json!({"request": {"number": 1}, "commit": "a", "forge": {"kind": "gitea"}});
        ask(&book, note("tagged", serde_json::json!({"gates": []}))).await.expect("noted");
        ask(&book, note("proposed", waits)).await.expect("noted");
        for state in ["tagged", "withdrawn", "tagged"] {
            let again = serde_json::json!({"gates": ["new"], "commit": "b"});
            let again = if state == "tagged" { again } else { serde_json::json!({"request": {"number": 1}}) };
            let line = ask(&book, note(state, again)).await.expect("noted");
            assert_eq!(line["detail"]["request"]["number"], 1, "{state} {line}");
        }
        // What was merged waits nowhere any more.
        ask(&book, note("merged", serde_json::json!({"request": {"number": 1}}))).await.expect("noted");
        let line = ask(&book, note("tagged", serde_json::json!({"gates": []}))).await.expect("noted");
        assert!(line["detail"]["request"].is_null(), "{line}");
    }

    #[tokio::test]
    async fn what_is_written_of_one_system_is_told_of_no_other() {
        let (book, _store) = book().await;
        let digest = format!("sha256:{}", "a".repeat(64));
        let of = |system: &str| Lines { system: Some(system.to_owned()), limit: None };
        let line = |system: &str| EvidenceLine {
            digest: digest.clone(),
            system: system.to_owned(),
            environment: "test".to_owned(),
            what: "health".to_owned(),
            passed: true,
            ..EvidenceLine::default()
        };
        ask(&book, Asked::Witness(vec![line("a/one shop"), line("")])).await.expect("written");
        let hold = HoldWish { tag: "0.5.0".into(), reason: "bad".into(), system: "a/one shop".into(), release: false };
        ask(&book, Asked::Hold(hold)).await.expect("held");
        let note = |system: &str| {
            Asked::Promote(PromotionNote {
                id: "p".to_owned(),
                to: "production".to_owned(),
                tag: "0.5.0".to_owned(),
                system: system.to_owned(),
                ..PromotionNote::default()
            })
        };
        ask(&book, note("a/one shop")).await.expect("noted");
        assert_eq!(ask(&book, note("b/two shop")).await.expect_err("another's")[0].code, code::OTHER_PROMOTION);
        for (system, count) in [("a/one shop", 1), ("b/two shop", 0)] {
            for asked in [
                Asked::Evidence(digest.clone(), of(system)),
                Asked::Holds(of(system)),
                Asked::Promotions(None, of(system)),
            ] {
                let told = ask(&book, asked.clone()).await.expect("told");
                assert_eq!(told.as_array().map(Vec::len), Some(count), "{system} {asked:?}");
            }
        }
        let release =
            HoldWish { tag: "0.5.0".into(), system: "b/two shop".into(), release: true, ..HoldWish::default() };
        assert!(ask(&book, Asked::Hold(release)).await.is_err(), "it was never held there");
    }

    #[tokio::test]
    async fn a_hold_is_released_under_any_of_its_names() {
        let (book, _store) = book().await;
        let wish = |tag: &str, release| {
            Asked::Hold(HoldWish {
                tag: tag.to_owned(),
                reason: "loses orders".to_owned(),
                release,
                ..HoldWish::default()
            })
        };
        ask(&book, wish("0.5.0", false)).await.expect("held");
        ask(&book, wish("v0.5.0", false)).await.expect("held");
        assert!(!ask(&book, wish("v0.5.0", true)).await.expect("let go")["released_at"].is_null());
        let all = ask(&book, Asked::Holds(Lines::default())).await.expect("listed");
        assert!(all.as_array().expect("a list").iter().all(|hold| !hold["released_at"].is_null()), "{all}");
    }

    #[tokio::test]
    async fn c8_a_chain_that_somebody_has_changed_is_told() {
        let (book, store) = book().await;
        ask(&book, Asked::Promote(note("tagged"))).await.expect("noted");
        let line = ask(&book, Asked::Promote(note("proposed"))).await.expect("noted");
        assert_eq!((line["intact"].as_bool(), line["events"].as_array().map(Vec::len)), (Some(true), Some(2)));
        let forged = PromotionEvent {
            at: NOW.to_owned(),
            actor: "eve".to_owned(),
            state: "tagged".to_owned(),
            said: "so".to_owned(),
        };
        store.promotions.overwrite("p", 1, &forged).await.expect("forged");
        let told = ask(&book, Asked::Promotions(None, Lines::default())).await.expect("read");
        assert_eq!(told[0]["intact"], false);
    }
}

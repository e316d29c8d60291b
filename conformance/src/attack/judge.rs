//! What is asked of every scene, whatever it is: facts, not words.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::ground::{CANARIES, Ground, Look, SECRET, TOKEN, short};
use super::run::{Ended, LONGEST, MOST};
use super::scene::{Ends, Scene};

/// Longest refusal that is still a sentence with its notes, in bytes.
const LONGEST_WORDS: usize = 24_000;

/// How one side ended.
pub(super) struct Played {
    /// The call, its code, what it took of the machine and what it said, for people.
    pub(super) told: String,
    /// What was wrong, in sentences.
    pub(super) wrong: Vec<String>,
}

/// Plays one side, with a guard of the binary open where one is named.
pub(super) fn side(scene: &Scene, landfall: &Path, mutant: Option<&str>) -> anyhow::Result<Played> {
    let ground = Ground::of(scene, landfall, mutant)?;
    let words: Vec<String> = scene.act.iter().map(|word| ground.told(word)).collect();
    let ended = match scene.talk {
        Some(talk) => ground.talked(talk),
        None => ground.run(&words, scene.directory)?,
    };
    let after = ground.looks();
    let mut wrong = limits(&ended);
    wrong.extend(facts(&ground, &ended, &after));
    wrong.extend(expectations(scene, &ground, &ended, &after));
    let (took, held) = (ended.took.as_millis(), ended.held >> 20);
    let call = words.join(" ");
    let told = format!("landfall {} → {:?} in {took} ms, {held} MiB\n{}", short(&call), ended.code, short(&ended.said));
    if !wrong.is_empty() {
        wrong.push(told.clone());
    }
    Ok(Played { told, wrong })
}

fn limits(ended: &Ended) -> Vec<String> {
    let mut wrong = Vec::new();
    if ended.took > LONGEST {
        wrong.push(format!("it took more than {} s", LONGEST.as_secs()));
    }
    if ended.held > MOST {
        wrong.push(format!("it held {} MiB", ended.held >> 20));
    }
    if ended.code.is_none() && wrong.is_empty() {
        wrong.push("a signal ended it".to_owned());
    }
    if ended.code == Some(101) || ended.said.contains("panicked at") || ended.said.contains("LF0700") {
        wrong.push("it panicked".to_owned());
    }
    wrong
}

/// Nothing ran, nothing of outside was said, written or sent, and what is outside is as it was.
fn facts(ground: &Ground, ended: &Ended, after: &BTreeMap<PathBuf, Look>) -> Vec<String> {
    let mut wrong = Vec::new();
    let marks = ground.marks();
    if !marks.is_empty() {
        wrong.push(format!("a program ran: {}", marks.trim_end()));
    }
    for canary in CANARIES {
        if holds(ended.said.as_bytes(), canary) {
            wrong.push(format!("it said {canary}"));
        }
        for (path, look) in after.iter().filter(|(path, look)| ground.before(path) != Some(look)) {
            // What is delivered lies where the embedded cluster keeps it: for its owner's eyes.
            let is_kept = canary == SECRET && look.mode & 0o077 == 0;
            // A directory that is not ours is moved aside with what is in it.
            let is_moved = path.to_string_lossy().contains("/.landfall/aside/") && ground.had(look);
            if look.is_file && !is_kept && !is_moved && holds(&fs::read(path).unwrap_or_default(), canary) {
                wrong.push(format!("it wrote {canary} to {}", path.display()));
            }
        }
    }
    let calls = ground.calls();
    wrong.extend(
        CANARIES.iter().filter(|canary| calls.contains(**canary)).map(|it| format!("a program was given {it}")),
    );
    let asked = ground.asked();
    if holds(asked.as_bytes(), TOKEN) {
        wrong.push(format!("a server received a token: {}", short(&asked)));
    }
    for (path, look) in ground.foreign() {
        match after.get(path) {
            None => wrong.push(format!("{} is gone", path.display())),
            Some(now) if now != look => wrong.push(format!("{} was {look:?}, is {now:?}", path.display())),
            Some(_) => {}
        }
    }
    let new = after.keys().filter(|path| path.components().any(|part| part.as_os_str() == "outside"));
    wrong.extend(
        new.filter(|path| ground.before(path).is_none()).map(|path| format!("{} was not there", path.display())),
    );
    wrong
}

/// Whether bytes hold a canary, as it is or in base64.
fn holds(bytes: &[u8], canary: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let coded = (0..3).map(|skipped| {
        let whole = STANDARD_NO_PAD.encode(format!("{}{canary}", &"xxx"[..skipped]));
        // The first and the last characters depend on the neighbours.
        whole[skipped + 2..whole.len() - 3].to_owned()
    });
    text.contains(canary) || coded.into_iter().any(|coded| text.contains(&coded))
}

fn expectations(scene: &Scene, ground: &Ground, ended: &Ended, after: &BTreeMap<PathBuf, Look>) -> Vec<String> {
    let mut wrong = Vec::new();
    let fits = match scene.ends {
        Ends::Well => ended.code == Some(0),
        Ends::With(codes) => ended.code.is_some_and(|code| codes.contains(&code)),
        Ends::Anyhow => true,
    };
    if !fits {
        wrong.push(format!("it ended with {:?}, not as {:?}", ended.code, scene.ends));
    }
    if matches!(scene.ends, Ends::With(_)) && ended.said.len() > LONGEST_WORDS {
        wrong.push(format!("its refusal has {} bytes", ended.said.len()));
    }
    let told = |words: &String| ground.told(words);
    let missing = |wrong: &mut Vec<String>, what: &str, wanted: &[String], text: &str| {
        let absent = wanted.iter().map(told).filter(|words| !text.contains(words.as_str()));
        wrong.extend(absent.map(|words| format!("{words:?} is not {what}")));
    };
    missing(&mut wrong, "said", &scene.says, &ended.said);
    missing(&mut wrong, "among the calls", &scene.calls, &ground.calls());
    missing(&mut wrong, "asked for", &scene.asks, &ground.asked());
    let sent = scene.withholds.iter().map(told).filter(|words| ground.taken().contains(words.as_str()));
    wrong.extend(sent.map(|words| format!("another server was sent {words:?}")));
    let bare = super::comments::outside_of_code(&ended.said);
    let loose = scene.fences.iter().map(told).filter(|words| bare.contains(words.as_str()));
    wrong.extend(loose.map(|words| format!("{words:?} stands outside of code")));
    let shown = scene.hides.iter().map(told).filter(|words| ended.said.contains(words.as_str()));
    wrong.extend(shown.map(|words| format!("{words:?} is said")));
    if let Some(file) = scene.lives {
        let pid = fs::read_to_string(ground.path(file)).unwrap_or_default();
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if !state.contains("(sleep)") || state.contains(") Z") {
            wrong.push(format!("a process that is not ours was ended: {pid}"));
        }
    }
    for path in &scene.keeps {
        let path = ground.path(path);
        if after.get(&path).is_none() || after.get(&path) != ground.before(&path) {
            wrong.push(format!("{} is not as it was: {:?}", path.display(), after.get(&path)));
        }
    }
    for (path, text) in &scene.leaves {
        let content = fs::read(ground.path(path)).unwrap_or_default();
        if !String::from_utf8_lossy(&content).contains(&ground.told(text)) {
            wrong.push(format!("{path} does not hold {text:?}"));
        }
    }
    let there = scene.spares.iter().filter(|path| ground.path(path).symlink_metadata().is_ok());
    wrong.extend(there.map(|path| format!("{path} is there")));
    wrong
}

//! Values files as people have written them, edited in place: no byte changes but those of the value that is set.
//!
//! ```text
//! public charts (LANDFALL_CORPUS), our own ──► each values*.yaml ─┬─► each scalar: set, and the rest compared byte by byte; set back
//! texts as editors of YAML get them wrong ────────────────────────┘   a sealed value added where there was none, changed, taken away
//! ```
//!
//! What the editor refuses is counted, and its reasons are told: a refusal changes nothing and is no fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use landfall_secrets::Holder;
use landfall_yaml::{Kind, Node, Scalar, Step, edit};

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::suite::{Material, Suite, Whole, corpus, root};
use crate::workers;

/// Scalars of one file that are set, spread over all of it: each is read and proven anew.
const SCALARS: usize = 60;
/// Files above are the hostile texts' matter.
const LARGEST: u64 = 2 << 20;
/// How long one edit of ten megabytes may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Sets values of public values files, and compares every other byte.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write docs/evidence/edits.json.
    #[arg(long)]
    evidence: bool,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("edits", Material::Corpus, &[&["edits", "--evidence"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

/// What became of the edits of one text.
#[derive(Default)]
struct Course {
    made: usize,
    /// Reasons of refusals, with how many of each.
    refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut folders = corpus();
    let has_corpus = !folders.is_empty();
    folders.push(root().join("examples"));
    let mut files = Vec::new();
    folders.iter().for_each(|folder| values_files(folder, &mut files));
    files.sort();
    let mut texts: Vec<(String, String)> = files
        .iter()
        .filter_map(|file| Some((file.display().to_string(), std::fs::read_to_string(file).ok()?)))
        .collect();
    // The same file is vendored again and again.
    texts.sort_by(|one, other| one.1.cmp(&other.1));
    texts.dedup_by(|one, other| one.1 == other.1);
    let (found, hostile) = (texts.len(), hostile());
    texts.extend(hostile);
    let courses = workers::each(&texts, |_, (_, text)| edited(text));
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    let mut cases = Vec::new();
    for ((name, text), course) in texts.iter().zip(&courses) {
        course.refused.iter().for_each(|(why, count)| *refused.entry(why).or_default() += count);
        course.wrong.iter().for_each(|wrong| println!("{name}: {wrong}"));
        // A machine's paths say nothing elsewhere.
        let number = cases.len() + 1;
        cases.push(CaseEvidence::judged(format!("edits/{number}"), text, course.wrong.is_empty()));
    }
    for (why, count) in &refused {
        println!("refused {count}: {why}");
    }
    let made: usize = courses.iter().map(|course| course.made).sum();
    let failed = courses.iter().filter(|course| !course.wrong.is_empty()).count();
    let refused: usize = refused.values().sum();
    let skipped = if has_corpus { "" } else { "; public charts skipped: no corpus (LANDFALL_CORPUS is not set)" };
    println!(
        "edits: {} files ({found} of charts), {made} edits and {refused} refusals, {failed} failed{skipped}",
        texts.len()
    );
    if arguments.evidence {
        let mut evidence =
            Evidence::of("edits", Cluster::Nothing, "every byte beside the value that was set".to_owned(), cases);
        evidence.skipped = usize::from(!has_corpus);
        evidence.write(root())?;
    }
    Ok(if failed == 0 && made > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn values_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() {
            values_files(&entry.path(), found);
        } else if kind.is_file()
            && name.starts_with("values")
            && [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending))
            && entry.metadata().is_ok_and(|it| it.len() <= LARGEST)
        {
            found.push(entry.path());
        }
    }
}

/// What editors of YAML get wrong, by what it is.
fn hostile() -> Vec<(String, String)> {
    let entry = "  key-NUMBER: 'vñlue' # größer\r\n";
    let long: String = (0..330_000).map(|number| entry.replace("NUMBER", &number.to_string())).collect();
    let named = [
        ("carriage returns, a byte order mark", "\u{feff}a: 1\r\n# größer\r\nb:\r\n  c: 'x' # y\r\n".to_owned()),
        ("anchors and aliases", "a: &a\n  b: 1\nc: *a\nd: &d text\ne: *d\nf:\n  <<: *a\n  g: 2\n".to_owned()),
        ("block scalars", "a: |+\n  x\n\n\nb: >-\n  folded\n  text\nc: |2\n    indented\nd: end\n".to_owned()),
        ("not ASCII", "größe: ä\n\"中文\": '値' # コメント\nemoji: 😀 # 🚀\na: \"\\u00e4\"\n".to_owned()),
        ("keys that occur twice", "a: 1\nb:\n  c: 1\n  c: 2\na: 3\nd: 4\n".to_owned()),
        ("tabs", "a:\t1\nb: 'x'\t# tab\nc:\n  - 1\t\n  - two\t # x\n".to_owned()),
        ("flow collections over lines", "a: {b: 1,\n  c: [x, # y\n    z], d: {}}\ne: []\n".to_owned()),
        ("keys that are no words", "? complex\n: a\n'quoted: key': 1\n\"x\\ty\": 2\n12: 3\ntrue: 4\n~: 5\n".to_owned()),
        ("without a last line end", "a: 1\nb: # nothing\nc: last".to_owned()),
        ("documents", "a: 1\n---\nb: 2\n".to_owned()),
        ("tags and directives", "%YAML 1.1\n---\na: !!str 1\nb: !local x\nc: !!binary AAA=\n...\n".to_owned()),
        ("texts over lines", "a: \"one\n  two\"\nb: 'three\n\n  four' # x\nc: plain\n  text\nd: 1\n".to_owned()),
        ("ten megabytes", format!("all:\r\n{long}end: true\r\n")),
    ];
    named.map(|(name, text)| (format!("hostile: {name}"), text)).into()
}

/// Paths to the scalars below a node.
fn scalars<'d>(node: Node<'d>, at: &mut Vec<Step<'d>>, found: &mut Vec<Vec<Step<'d>>>) {
    match node.kind() {
        Kind::Scalar(_) => found.push(at.clone()),
        Kind::Sequence(_) => {
            for (index, item) in node.items().enumerate() {
                at.push(Step::Index(index));
                scalars(item, at, found);
                at.pop();
            }
        }
        Kind::Mapping(_) => {
            for (key, value) in node.entries() {
                if let Some(text) = key.text() {
                    at.push(Step::Key(text));
                    scalars(value, at, found);
                    at.pop();
                }
            }
        }
        Kind::Alias => {}
    }
}

fn edited(text: &str) -> Course {
    let mut course = Course::default();
    let documents = match landfall_yaml::parse(text) {
        Ok(documents) => documents,
        Err(_) => {
            course.refused.insert("it cannot be read".to_owned(), 1);
            return course;
        }
    };
    let Some(document) = documents.first() else { return course };
    let mut paths = Vec::new();
    scalars(document.root(), &mut Vec::new(), &mut paths);
    let is_long = text.len() > 1 << 20;
    let wanted = if is_long { 2 } else { SCALARS };
    let every = paths.len().div_ceil(wanted).max(1);
    for path in paths.iter().step_by(every) {
        let Some(node) = document.at(path) else { continue };
        let began = Instant::now();
        set(&mut course, text, path, node);
        if began.elapsed() > LIMIT {
            course.wrong.push(format!("an edit took {} s", began.elapsed().as_secs()));
        }
    }
    sealed(&mut course, text);
    course
}

/// Sets one scalar, compares every other byte, and sets it back.
fn set(course: &mut Course, text: &str, path: &[Step<'_>], node: Node<'_>) {
    let changed = match edit::set(text, path, &Scalar::Str("changed-by-landfall".into())) {
        Ok(changed) => changed,
        Err(error) => return refuse(course, &error),
    };
    course.made += 1;
    let range = node.span().range();
    let (before, after) = (&text[..range.start], &text[range.end..]);
    // A value where there was none, or a block, may need a space or take a line end with it: both lie at the value.
    let head = common(before.as_bytes(), changed.as_bytes());
    let tail = common_end(after.as_bytes(), changed.as_bytes());
    let at_edge = |rest: &str| rest.chars().all(|letter| matches!(letter, ' ' | '\t' | '\n' | '\r'));
    if !at_edge(&before[floor(before, head)..]) || !at_edge(&after[..ceiling(after, after.len() - tail)]) {
        course.wrong.push(format!("bytes beside the value of {path:?} changed"));
        return;
    }
    let read = landfall_yaml::parse(&changed);
    let said = read.as_ref().ok().and_then(|documents| documents.first()?.at(path)?.text());
    if said != Some("changed-by-landfall") {
        course.wrong.push(format!("{path:?} is not what it was set to"));
        return;
    }
    // What was plain, and needs no care, comes back as it was.
    let old = &text[range];
    let is_plain = old.len() > 5 && old.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_plain && edit::set(&changed, path, &Scalar::Str(old.into())).is_ok_and(|back| back != text) {
        course.wrong.push(format!("{path:?} set back is not the text before"));
    }
}

/// A sealed value is added where there was none, changed, and taken away again.
fn sealed(course: &mut Course, text: &str) {
    const PATH: Option<&str> = Some("landfallSealed.encryptedData");
    let holder = match Holder::of(text.to_owned(), PATH, "keys") {
        Ok(holder) => holder,
        Err(error) => return refuse(course, &error),
    };
    let first = holder.with("API_KEY", &[1; 600]).and_then(|it| it.with("OTHER", &[2; 600]));
    let first = match first {
        Ok(first) => first,
        Err(error) => return refuse(course, &error),
    };
    course.made += 2;
    let is_kept = |new: &str| {
        let lines =
            |text: &str| text.split('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect::<Vec<_>>();
        let mut new = lines(new).into_iter();
        lines(text).into_iter().all(|line| new.any(|other| other == line))
    };
    // Behind a last line without an end, or in an empty flow map, the line itself grows.
    if text.ends_with('\n') && !text.trim_end().ends_with('}') && !is_kept(first.text()) {
        course.wrong.push("a line was lost when a sealed value was added".to_owned());
    }
    match first.with("API_KEY", &[3; 600]) {
        Err(error) => course.wrong.push(format!("what was added cannot be changed: {error}")),
        Ok(second) => {
            course.made += 1;
            let differing = first.text().split('\n').zip(second.text().split('\n')).filter(|(one, other)| one != other);
            if differing.count() != 1 || first.text().split('\n').count() != second.text().split('\n').count() {
                course.wrong.push("another line than the value's changed".to_owned());
            }
            if !second.with("API_KEY", &[1; 600]).is_ok_and(|back| back.text() == first.text()) {
                course.wrong.push("a sealed value set back is not the text before".to_owned());
            }
        }
    }
    match first.without("OTHER") {
        // A last line that had no end gets one when the line behind it goes.
        Ok(without)
            if holder
                .with("API_KEY", &[1; 600])
                .is_ok_and(|one| one.text().trim_end() != without.text().trim_end()) =>
        {
            course.wrong.push("what was added and taken away leaves something".to_owned());
        }
        Ok(_) => course.made += 1,
        Err(error) => refuse(course, &error),
    }
}

fn refuse(course: &mut Course, error: &dyn std::fmt::Display) {
    // Of the words, those that do not name the place.
    let words = error.to_string();
    let is_place = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let why = words.rsplit(": ").find(|part| !is_place(part)).unwrap_or(&words).to_owned();
    *course.refused.entry(why).or_default() += 1;
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

fn common_end(one: &[u8], other: &[u8]) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count()
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceiling(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

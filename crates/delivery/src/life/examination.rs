//! What is declared of a Secret held against the file, the cluster and who reads it: nothing is changed, and no value told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_diag::Severity;
use landfall_object::{ONCE_ANNOTATION, Object};
use landfall_secrets::{Declared, Key, Making, Masked, Permanence, Recognised, Sealed, is_same, make, sealed_form};

use super::former::carrying;
use super::site::Site;
use super::survey::{Began, Stale, Survey};

/// The fewest bytes of a value that cannot be guessed.
const LEAST: usize = 12;
/// Seconds of a day.
const DAY: i64 = 86_400;
/// A key that is older than this part of its time is due soon.
const SOON: (i64, i64) = (4, 5);

/// What is examined.
#[derive(Clone, Copy)]
pub struct Examined<'a> {
    /// What is declared.
    pub declared: &'a Declared,
    /// The texts that stand for keys in the file; nothing where no file holds them.
    pub entries: Option<&'a BTreeMap<String, String>>,
    /// What values are bound to.
    pub label: &'a [u8],
    /// Where it is to be.
    pub site: &'a Site,
    /// Its namespace.
    pub namespace: &'a str,
    /// What the cluster knows; nothing where none was asked.
    pub survey: Option<&'a Survey>,
    /// Workloads that run with values from before.
    pub stale: &'a [Stale],
    /// The time.
    pub now: Timestamp,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is sealed, and opens, or nobody could look.
    Sealed,
    /// It lives on the cluster.
    Live,
    /// It is nowhere.
    Missing,
    /// There is nothing to hold: it is the value before of a key that has had one value alone.
    Vacant,
    /// What stands in the file is no sealed value.
    Placeholder,
    /// It is sealed, and does not open here.
    Closed,
    /// It does not follow from its parts any more.
    Stale,
    /// It is not the value that was born.
    Another,
    /// Cluster and file hold different values of it.
    Ahead,
    /// It is sealed, and nothing of it was delivered yet.
    Undelivered,
    /// It is sealed and was delivered, and does not live.
    Lost,
    /// It is sealed and was delivered, and another value lives.
    Replaced,
    /// What lives of it does not follow from what lives of its parts.
    Adrift,
}

impl State {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            State::Sealed => "sealed",
            State::Live => "live",
            State::Missing => "missing",
            State::Vacant => "none before",
            State::Placeholder => "placeholder",
            State::Closed => "does not open",
            State::Stale | State::Adrift => "stale",
            State::Another => "another value",
            State::Ahead | State::Undelivered => "not delivered yet",
            State::Lost => "missing",
            State::Replaced => "replaced",
        }
    }

    /// Whether pods get a value from it, or will with the first delivery.
    pub fn is_there(self) -> bool {
        matches!(self, State::Sealed | State::Live | State::Ahead | State::Undelivered)
    }
}

/// A key as it stands.
#[derive(Debug, Clone)]
pub struct Row {
    /// The key.
    pub key: String,
    /// How it stands.
    pub state: State,
    /// How it comes to be.
    pub making: String,
    /// How old its value is, in days.
    pub age: Option<i64>,
    /// How old it may become, in days.
    pub lasts: Option<i64>,
    /// Who reads it.
    pub readers: Vec<String>,
}

/// Something that is not as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// The key, where it is one's.
    pub key: Option<String>,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub advice: String,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// The keys.
    pub rows: Vec<Row>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Examination {
    /// Takes over what others have found of the same Secret; the worst stays first.
    pub fn told(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
        self.faults.sort_by_key(|fault| std::cmp::Reverse(fault.severity));
    }

    /// Whether pods could not run as declared.
    pub fn failed(&self) -> bool {
        self.faults.iter().any(|fault| fault.severity >= Severity::Error)
    }
}

impl Examined<'_> {
    /// Examines it.
    pub fn examine(&self) -> Examination {
        let mut found = Examination::default();
        let known = self.known();
        for (name, key) in &self.declared.keys {
            let state = self.state(name, key, &known);
            self.of_state(name, key, state, &mut found.faults);
            self.of_key(name, key, &known, &mut found.faults);
            // What somebody has dropped from the file cannot have come back by it: what lives goes with the next delivery.
            let is_left = state == State::Live && self.entries.is_some() && self.was_dropped(name);
            if let Some(value) = known.get(name).filter(|_| state.is_there() && !is_left) {
                self.of_value(name, value, &mut found.faults);
            }
            let changed = self.survey.and_then(|it| it.changed(self.namespace, &self.declared.target, name));
            let age = changed.map(|changed| self.now.duration_since(changed).as_secs() / DAY);
            let lasts = key.every.and_then(|every| i64::try_from(every.as_secs()).ok()).map(|seconds| seconds / DAY);
            self.of_age(name, age.filter(|_| state.is_there()), lasts, &mut found.faults);
            let readers = self.site.consumers.iter().filter(|consumer| consumer.reads(name));
            let readers: BTreeSet<String> = readers.map(super::site::Consumer::shown).collect();
            found.rows.push(Row {
                key: name.clone(),
                state,
                making: key.making.words(),
                age,
                lasts,
                readers: readers.into_iter().collect(),
            });
        }
        self.of_secret(&known, &mut found.faults);
        // The worst first; what is alike stays in the order of the keys.
        found.faults.sort_by_key(|fault| std::cmp::Reverse(fault.severity));
        found
    }

    /// How each key stands.
    pub fn states(&self) -> BTreeMap<String, State> {
        let known = self.known();
        let state = |(name, key): (&String, &Key)| (name.clone(), self.state(name, key, &known));
        self.declared.keys.iter().map(state).collect()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.entries?.get(key).map(String::as_str)
    }

    fn known(&self) -> BTreeMap<String, Masked> {
        let Some(survey) = self.survey else { return BTreeMap::new() };
        let value = |key: &String| {
            let traces = survey.traces(key, self.text(key), self.label, self.site);
            match traces.sealed {
                Sealed::Open(value) => Some(value),
                _ => traces.live,
            }
        };
        self.declared.keys.keys().filter_map(|key| Some((key.clone(), value(key)?))).collect()
    }

    fn state(&self, name: &str, key: &Key, known: &BTreeMap<String, Masked>) -> State {
        let Some(survey) = self.survey else {
            return match self.text(name) {
                Some(text) if sealed_form(text).is_ok() => State::Sealed,
                Some(text) if !text.is_empty() => State::Placeholder,
                _ if self.declared.is_former(name) => State::Vacant,
                _ => State::Missing,
            };
        };
        let traces = survey.traces(name, self.text(name), self.label, self.site);
        let state = match (&traces.sealed, &traces.live) {
            (Sealed::Closed, _) => State::Closed,
            (Sealed::Placeholder, _) => State::Placeholder,
            // What a template makes is another value than what is sealed, and lives all the same.
            (Sealed::Open(_), Some(_)) if survey.sent.makes(name) => State::Sealed,
            // What never changes has words of its own for it, and a fingerprint that says which is right.
            (Sealed::Open(sealed), Some(live)) if !is_same(sealed, live) => match key.permanence {
                Permanence::Once => State::Ahead,
                _ if self.was_sent(survey, name, sealed) => State::Replaced,
                _ => State::Ahead,
            },
            (Sealed::Open(_) | Sealed::Unseen, Some(_)) => State::Sealed,
            (Sealed::Open(_) | Sealed::Unseen, None) => match survey.sent.has(name) || self.has_arrived(survey, name) {
                true => State::Lost,
                false => State::Undelivered,
            },
            (Sealed::Absent, Some(_)) => State::Live,
            (Sealed::Absent, None) if self.declared.is_former(name) => State::Vacant,
            (Sealed::Absent, None) => State::Missing,
        };
        // What follows from others is put right by them.
        if state == State::Replaced && key.making.follows() && self.is_adrift(survey, name, key) {
            return State::Adrift;
        }
        let Some(value) = known.get(name).filter(|_| state.is_there()) else { return state };
        if let Some(print) = &key.fingerprint
            && print.is_of(value).is_ok_and(|is_born| !is_born)
        {
            return State::Another;
        }
        let follows = || make(name, key, known);
        match key.making.follows() {
            true if follows().is_ok_and(|made| !is_same(&made, value)) => State::Stale,
            true if self.is_adrift(survey, name, key) => State::Adrift,
            _ => state,
        }
    }

    /// Whether the value that is sealed was delivered: it, or another, would live if somebody had not changed that.
    fn was_sent(&self, survey: &Survey, name: &str, sealed: &Masked) -> bool {
        // What was given last has come; somebody may have sealed another one since, which has not.
        let recorded = survey.ledger.of(self.namespace, &self.declared.target);
        let is_given = || recorded.is_some_and(|recorded| recorded.is_latest(name, sealed) == Ok(true));
        self.text(name).is_some_and(|text| survey.sent.has_text(name, text))
            || (self.has_arrived(survey, name) && is_given())
    }

    fn has_arrived(&self, survey: &Survey, name: &str) -> bool {
        survey.has_arrived(self.namespace, &self.declared.target, name)
    }

    /// Whether pods read a value that does not fit the parts that they read beside it.
    fn is_adrift(&self, survey: &Survey, name: &str, key: &Key) -> bool {
        let Some(live) = survey.live.get(name).filter(|_| !survey.sent.makes(name)) else { return false };
        let parts = key.making.parts();
        parts.iter().all(|part| survey.live.contains_key(*part))
            && make(name, key, &survey.live).is_ok_and(|made| !is_same(&made, live))
    }

    fn of_state(&self, name: &str, key: &Key, state: State, faults: &mut Vec<Fault>) {
        let held = self.entries.is_some();
        let (severity, text, advice) = match state {
            State::Sealed => return,
            // LP-44: the file does not have it any more, and the cluster until that is delivered.
            State::Live if held && self.was_dropped(name) => (
                Severity::Info,
                format!("`{name}` was dropped from the file, and the cluster has it still"),
                "deliver it, `landfall up` or a push".to_owned(),
            ),
            // LP-116: it works, and goes with the cluster.
            State::Live if held => (
                Severity::Warning,
                format!("`{name}` lives on the cluster alone: the file has nothing of it"),
                "landfall secrets init".to_owned(),
            ),
            State::Live => return,
            State::Ahead if key.permanence == Permanence::Once => (
                Severity::Error,
                format!("`{name}` never changes, and cluster and file hold different values of it"),
                "put the value back that the data was made with".to_owned(),
            ),
            State::Ahead => (
                Severity::Info,
                format!("the cluster does not have the sealed value of `{name}` yet"),
                "deliver it, `landfall up` or a push".to_owned(),
            ),
            State::Undelivered => (
                Severity::Info,
                format!("`{name}` is sealed, and nothing of it was delivered here yet"),
                "deliver it, `landfall up` or a push".to_owned(),
            ),
            State::Lost => (Severity::Error, self.lost(name), self.delivered_again()),
            State::Replaced => (
                Severity::Error,
                format!("`{name}` was delivered sealed, and lives with another value: somebody put it there"),
                format!("{}; where the other is meant: landfall secrets set {name} --stdin", self.delivered_again()),
            ),
            State::Adrift => (
                Severity::Error,
                format!("`{name}` as it lives does not follow from {} any more", key.making.parts().join(", ")),
                format!("{}; else landfall secrets init {name}", self.delivered_again()),
            ),
            State::Vacant => return,
            State::Missing => (
                Severity::Error,
                format!("`{name}` is missing{}", self.elsewhere(name)),
                self.carried(name).unwrap_or_else(|| "landfall secrets init".to_owned()),
            ),
            State::Placeholder => (
                Severity::Error,
                format!("what stands for `{name}` is no sealed value"),
                "landfall secrets init".to_owned(),
            ),
            // T27: sealed for another name, namespace or cluster.
            State::Closed => (
                Severity::Error,
                format!(
                    "`{name}` is sealed, and no key of this cluster opens it for {}{}",
                    self.bound(),
                    self.elsewhere(name)
                ),
                self.carried(name).unwrap_or_else(|| "put its keys back, `landfall secrets restore FILE`; or seal its value for this place, `landfall secrets init --from-file FILE`".to_owned()),
            ),
            State::Stale => (
                Severity::Error,
                format!("`{name}` does not follow from {} any more", key.making.parts().join(", ")),
                format!("landfall secrets init {name}"),
            ),
            State::Another => (
                Severity::Error,
                format!("`{name}` never changes, and is not the value that was generated"),
                match self.lives_as_born(name, key) {
                    true => format!("the one that lives is: `landfall secrets init {name}` puts it into the file"),
                    false => "put the sealed value back that git has".to_owned(),
                },
            ),
        };
        faults.push(Fault { severity, key: Some(name.to_owned()), text, advice });
    }

    /// Where a key lives that is not where it is declared, as the end of a sentence.
    fn elsewhere(&self, name: &str) -> String {
        let former = self.survey.and_then(|survey| survey.former.get(name));
        former.map(|former| format!("; it lives in {}", former.shown(name))).unwrap_or_default()
    }

    /// What takes a key over from where it lived before; what lived beside it goes the same way.
    fn carried(&self, name: &str) -> Option<String> {
        let former = &self.survey?.former;
        let from = former.get(name).or_else(|| former.values().next())?;
        Some(carrying(None, None, &from.place()))
    }

    /// Whether the value that lives is the one that was generated.
    fn lives_as_born(&self, name: &str, key: &Key) -> bool {
        let live = self.survey.and_then(|survey| survey.live.get(name));
        let print = key.fingerprint.as_ref();
        live.zip(print).is_some_and(|(live, print)| print.is_of(live) == Ok(true))
    }

    /// Where a value is that does not live any more.
    fn lost(&self, name: &str) -> String {
        let survey = self.survey;
        let why = match survey.map(|survey| survey.sent.stands()) {
            Some(true) => "its SealedSecret stands, and the Secret does not have it",
            _ if survey.is_some_and(|survey| survey.secret.is_none()) => "the Secret and its SealedSecret are gone",
            _ => "its SealedSecret is gone, and the Secret does not have it",
        };
        format!("`{name}` is missing: it is sealed in git and was delivered, and does not live ({why})")
    }

    fn delivered_again(&self) -> String {
        "deliver it again, `landfall up` or a sync".to_owned()
    }

    fn was_dropped(&self, name: &str) -> bool {
        let survey = self.survey.filter(|_| self.declared.is_former(name));
        survey.is_some_and(|survey| survey.has_written(self.namespace, &self.declared.target, name))
    }

    fn bound(&self) -> String {
        format!("{}/{} ({})", self.namespace, self.declared.target, self.site.scope().name())
    }

    fn of_key(&self, name: &str, key: &Key, known: &BTreeMap<String, Masked>, faults: &mut Vec<Fault>) {
        let mut fault = |severity, text: String, advice: String| {
            faults.push(Fault { severity, key: Some(name.to_owned()), text, advice });
        };
        if let Making::Random { bytes, .. } = &key.making
            && usize::from(*bytes) < LEAST
        {
            let text = format!("`{name}` has {bytes} random bytes, which can be guessed");
            fault(Severity::Warning, text, format!("declare `random: {LEAST}` or more"));
        }
        let length = known.get(name).map(|value| value.reveal().len());
        if key.making == Making::Given && length.is_some_and(|length| length < 8) && is_credential(name) {
            fault(
                Severity::Warning,
                format!("the value of `{name}` is short enough to be guessed"),
                "make another".to_owned(),
            );
        }
        if key.permanence == Permanence::Once && key.fingerprint.is_none() && known.contains_key(name) {
            let text = format!("`{name}` is generated once, and its fingerprint is not in landfall.yaml");
            let advice = "landfall secrets init writes it: an empty cluster then refuses to make another".to_owned();
            fault(Severity::Warning, text, advice);
        }
        if !self.site.consumers.is_empty() && !self.site.consumers.iter().any(|consumer| consumer.reads(name)) {
            let is_part = self.declared.keys.values().any(|other| other.making.parts().contains(&name));
            if !is_part {
                let text = format!("nothing that is delivered reads `{name}`");
                fault(Severity::Info, text, "take it out, if no program asks the cluster for it".to_owned());
            }
        }
        if let Making::Composed { template, parts } = &key.making
            && template.contains("://")
        {
            for part in parts {
                let is_loose = matches!(
                    self.declared.keys.get(part).map(|key| &key.making),
                    Some(Making::Random { alphabet: landfall_project::Alphabet::Base64, .. } | Making::Given)
                );
                if is_loose && !template.contains("urlquery") {
                    let text = format!("`{name}` is an address, and `{part}` may have letters that end a part of one");
                    fault(Severity::Warning, text, format!("`{{{{ .{part} | urlquery }}}}`, or `alphabet: url`"));
                }
            }
        }
    }

    /// What a value was before, or is elsewhere: all of it opens as it should.
    fn of_value(&self, name: &str, value: &Masked, faults: &mut Vec<Fault>) {
        let recorded = self.survey.and_then(|survey| survey.ledger.of(self.namespace, &self.declared.target));
        let (text, advice) = match recorded.map(|recorded| recorded.recognise(name, value)) {
            Some(Ok(Recognised::Retired)) => (
                format!("`{name}` has a value again that was replaced: its sealed form stands in git's history"),
                format!(
                    "landfall secrets rotate {name}; where it is meant, `landfall secrets set {name} --stdin` gives it anew"
                ),
            ),
            Some(Ok(Recognised::Of(other))) if !self.declared.is_former(name) => (
                format!("`{name}` has the value of `{other}`: sealed values were put under another name"),
                "take the file from git again, or seal each anew".to_owned(),
            ),
            _ => return,
        };
        faults.push(Fault { severity: Severity::Error, key: Some(name.to_owned()), text, advice });
    }

    fn of_age(&self, name: &str, age: Option<i64>, lasts: Option<i64>, faults: &mut Vec<Fault>) {
        let (Some(age), Some(lasts)) = (age, lasts) else { return };
        let (severity, state) = if age >= lasts {
            (Severity::Warning, "is overdue")
        } else if age * SOON.1 >= lasts * SOON.0 {
            (Severity::Info, "is due soon")
        } else {
            return;
        };
        faults.push(Fault {
            severity,
            key: Some(name.to_owned()),
            text: format!("the rotation of `{name}` {state}: it is {age} days old, and lasts {lasts}"),
            advice: format!("landfall secrets rotate {name}"),
        });
    }

    /// What is wrong with the whole.
    fn of_secret(&self, known: &BTreeMap<String, Masked>, faults: &mut Vec<Fault>) {
        let mut fault = |severity, text: String, advice: &str| {
            faults.push(Fault { severity, key: None, text, advice: advice.to_owned() });
        };
        for key in
            self.entries.into_iter().flat_map(BTreeMap::keys).filter(|key| !self.declared.keys.contains_key(*key))
        {
            fault(
                Severity::Warning,
                format!("`{key}` is in the file, and nobody declares it"),
                "declare it, or take it out",
            );
        }
        // A value that serves two purposes cannot be taken back from one.
        let values: Vec<(&String, &Masked)> = known.iter().filter(|(_, value)| value.reveal().len() >= 8).collect();
        for (at, (key, value)) in values.iter().enumerate() {
            if let Some((first, _)) = values[..at].iter().find(|(_, other)| is_same(other, value)) {
                let is_meant = [first, key].iter().any(|name| {
                    self.declared.keys.get(name.as_str()).is_some_and(|key| key.making.follows())
                        || self.declared.is_former(name)
                });
                // What is generated once is never alike by chance: it was carried over to a second name.
                let is_once = |name: &str| self.declared.once().any(|once| once == name);
                if !(is_meant || is_once(first) && is_once(key)) {
                    fault(Severity::Warning, format!("`{first}` and `{key}` have the same value"), "give each its own");
                }
            }
        }
        let once: Vec<&str> = self.declared.once().collect();
        let marked = |object: &Object, pointer: &str| {
            let annotations = object.at(pointer).and_then(serde_json::Value::as_object);
            let text = annotations.and_then(|all| all.get(ONCE_ANNOTATION)?.as_str()).unwrap_or_default().to_owned();
            text.split(',').map(|key| key.trim().to_owned()).collect::<BTreeSet<_>>()
        };
        if let Some(sealed) = self.site.sealed() {
            let marked = marked(sealed, "/spec/template/metadata/annotations");
            let left: Vec<&str> = once.iter().filter(|key| !marked.contains(**key)).copied().collect();
            if !left.is_empty() {
                fault(
                    Severity::Warning,
                    format!("the SealedSecret does not say on the cluster that {} must never change", left.join(", ")),
                    &format!("annotate its template: `{ONCE_ANNOTATION}: {}`", once.join(",")),
                );
            }
        }
        let Some(survey) = self.survey else { return };
        if let Some(secret) = &survey.secret {
            let found = secret.str_at("/type").unwrap_or("Opaque");
            let wanted = if self.declared.kind.is_empty() { "Opaque" } else { &self.declared.kind };
            if found != wanted {
                fault(
                    Severity::Error,
                    format!("the Secret is of the type `{found}`, and `{wanted}` is declared"),
                    "a type never changes: declare it as it is, or delete the Secret",
                );
            }
        }
        for name in survey.unsaved() {
            let text = if name.starts_with("once ") {
                format!("{name} is in no backup")
            } else {
                format!("the sealing key {name} is in no backup")
            };
            fault(Severity::Warning, text, "landfall secrets backup FILE --recipient age1…");
        }
        for one in self.stale {
            let severity = match one.began {
                Began::Before => Severity::Error,
                Began::Within => Severity::Warning,
            };
            fault(severity, one.words(), "landfall secrets pending --restart");
        }
        if let Some(why) = &survey.unread {
            fault(Severity::Info, "whether sealed values open could not be tried".to_owned(), why);
        }
    }
}

/// Whether a name says that its value lets somebody in.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token", "passwd", "pepper"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use landfall_project::Secrets;

    use super::*;

    fn declared(keys: &str) -> Declared {
        let text = format!("{{\"target\": \"app\", \"keys\": {keys}}}");
        let secrets: Secrets = serde_json::from_str(&text).expect("of the schema");
        Declared::of(&secrets).expect("fine")
    }

    fn told(declared: &Declared, entries: &[(&str, &str)], survey: Option<&Survey>) -> Vec<String> {
        let entries: BTreeMap<String, String> =
            entries.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let examined = Examined {
            declared,
            entries: Some(&entries),
            label: b"shop/app",
            site: &Site::default(),
            namespace: "shop",
            survey,
            stale: &[],
            now: "2027-01-01T00:00:00Z".parse().expect("a time"),
        };
        examined.examine().faults.into_iter().map(|fault| fault.text).collect()
    }

    fn live(values: &[(&str, &str)]) -> Survey {
        let live = values.iter().map(|(key, value)| ((*key).to_owned(), Masked::from(value.as_bytes()))).collect();
        Survey { live, ..Survey::default() }
    }

    /// LP-42: changing the password makes what was made from it stale.
    #[test]
    fn lp_42_what_does_not_follow_from_its_parts_is_stale() {
        let declared = declared(
            r#"{"PASSWORD": {"generate": {"random": 24, "alphabet": "url"}}, "URL": {"template": "db://app:{{ .PASSWORD }}@db/app"}}"#,
        );
        let (old, new) = (("PASSWORD", "olderold"), ("PASSWORD", "newernew"));
        let url = ("URL", "db://app:olderold@db/app");
        let only_live = [
            "`PASSWORD` lives on the cluster alone: the file has nothing of it",
            "`URL` lives on the cluster alone: the file has nothing of it",
        ];
        assert_eq!(told(&declared, &[], Some(&live(&[old, url]))), only_live);
        let stale = told(&declared, &[], Some(&live(&[new, url])));
        assert_eq!(stale[0], "`URL` does not follow from PASSWORD any more");
    }

    #[test]
    fn what_is_missing_or_no_sealed_value_is_told_without_a_cluster() {
        let declared = declared(r#"{"A": {"generate": {"random": 24}}, "B": {"generate": {"random": 4}}}"#);
        let told = told(&declared, &[("A", "AgAexample"), ("C", "x")], None);
        assert_eq!(
            told,
            [
                "what stands for `A` is no sealed value",
                "`B` is missing",
                "`B` has 4 random bytes, which can be guessed",
                "`C` is in the file, and nobody declares it"
            ]
        );
    }

    #[test]
    fn what_is_shared_short_or_another_than_was_born_is_told_and_never_shown() {
        let mut declared = declared(r#"{"A_TOKEN": {}, "B": {"generate": "once"}, "C": {}, "D": {}}"#);
        let print = landfall_secrets::Fingerprint::of(&Masked::from(&b"born"[..])).expect("made");
        declared.keys.get_mut("B").expect("declared").fingerprint = Some(print);
        let survey = live(&[("A_TOKEN", "abc"), ("B", "another"), ("C", "canary-same"), ("D", "canary-same")]);
        let told = told(&declared, &[], Some(&survey)).join("\n");
        for wanted in [
            "`B` never changes, and is not the value",
            "the value of `A_TOKEN` is short",
            "`C` and `D` have the same value",
        ] {
            assert!(told.contains(wanted), "{told}");
        }
        assert!(!told.contains("canary") && !told.contains("abc"), "{told}");
    }

    /// Attacks A6 and A7: values that open as they should, and are not those that were given.
    #[test]
    fn a_value_that_came_back_or_changed_places_is_told_and_never_shown() {
        let declared = declared(r#"{"USER_TOKEN": {}, "OTHER_TOKEN": {}}"#);
        let mut survey = live(&[("USER_TOKEN", "canary-former"), ("OTHER_TOKEN", "canary-present")]);
        let recorded = survey.ledger.of_mut("shop", "app");
        for (key, value) in
            [("USER_TOKEN", "canary-former"), ("USER_TOKEN", "canary-present"), ("OTHER_TOKEN", "canary-other")]
        {
            let print = landfall_secrets::Fingerprint::of(&Masked::from(value.as_bytes()));
            recorded.know(key, &print.expect("made"));
        }
        let told = told(&declared, &[], Some(&survey)).join("\n");
        for wanted in
            ["`USER_TOKEN` has a value again that was replaced", "`OTHER_TOKEN` has the value of `USER_TOKEN`"]
        {
            assert!(told.contains(wanted), "{told}");
        }
        assert!(!told.contains("canary"), "{told}");
    }
}

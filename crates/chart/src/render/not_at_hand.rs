//! What templates fail at only because a chart is not at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use landfall_gotemplate::{Cause, ExecError, FuncError};

use crate::chart::Chart;
use crate::error::ChartError;
use crate::rendered_file::{RenderedFile, TemplateSource};

/// The library that more charts call than any other, as far as they need it to be looked at.
const COMMON: &str = include_str!("stand_ins.tpl");

/// The charts that are done without.
#[derive(Debug, Default)]
pub(crate) struct NotAtHand {
    /// Their names and aliases.
    names: BTreeSet<String>,
    /// The names of the charts that are there.
    charts: BTreeSet<String>,
    /// The first parts of the names of the templates that are there, with the second parts behind each.
    own: BTreeMap<String, BTreeSet<String>>,
    /// The files that let a library set up their values, with what they call for that.
    set_up: BTreeMap<String, &'static str>,
    /// Definitions in place of theirs; what is really there comes after them and wins.
    pub(super) stand_ins: Option<TemplateSource>,
}

impl NotAtHand {
    /// Those of a chart; its texts are read once for all of its renderings.
    pub(super) fn of(chart: &Chart) -> Arc<Self> {
        match chart.does_without() {
            true => Arc::clone(chart.without.read.get_or_init(|| Arc::new(NotAtHand::read(chart)))),
            false => Arc::default(),
        }
    }

    fn read(chart: &Chart) -> Self {
        let parts = chart.with_parts();
        let names: BTreeSet<String> = parts.iter().flat_map(|part| part.without.names()).map(str::to_owned).collect();
        if names.is_empty() {
            return NotAtHand::default();
        }
        let charts = parts.iter().map(|part| part.name().to_owned()).collect();
        let (mut own, mut set_up) = (BTreeMap::<String, BTreeSet<String>>::new(), BTreeMap::new());
        for file in parts.iter().flat_map(|part| part.templates.iter()) {
            let text = file.text();
            for (first, second) in defined(&text).map(two_parts) {
                own.entry(first.to_owned()).or_default().insert(second.to_owned());
            }
            if let Some(call) = called(&text).find_map(|name| SETS_UP.iter().find(|it| **it == name)) {
                set_up.insert(file.name.clone(), *call);
            }
        }
        let source = |text: String| TemplateSource::new(STAND_INS.to_owned(), text.into_bytes().into());
        let stand_ins = Some(stand_ins(&parts, &names)).filter(|text| !text.is_empty()).map(source);
        NotAtHand { names, charts, own, set_up, stand_ins }
    }

    /// A file that failed for want of one of them is left out; any other failure is one.
    pub(super) fn forgives(&self, result: Result<RenderedFile, ChartError>) -> Result<RenderedFile, ChartError> {
        if self.names.is_empty() {
            return result;
        }
        result.or_else(|failure| {
            let ChartError::Exec { error, .. } = &failure else { return Err(failure) };
            let left_out = self.wants(error).or_else(|| self.lacks_defaults(error)).ok_or(failure)?;
            Ok(RenderedFile {
                text: Vec::new(),
                trace: None,
                removed: Vec::new(),
                documents: Some(Ok(Vec::new())),
                left_out: Some(left_out),
            })
        })
    }

    /// What of theirs an execution stopped at.
    fn wants(&self, error: &ExecError) -> Option<String> {
        let (mut inner, mut caller) = (error, error);
        while let Cause::Call { error, .. } = &inner.cause
            && let FuncError::Exec { error, .. } = &**error
        {
            if !is_stand_in(inner) {
                caller = inner;
            }
            inner = error;
        }
        // What stands for theirs is no fault of who calls it: it is handed what only they would have.
        if is_stand_in(inner) {
            return Some(format!("calls `{}`", caller.frame.as_ref()?.expression));
        }
        if let Cause::NoTemplate { name, .. } = &inner.cause {
            let name = name.trim_matches('"');
            return self.may_define(name).then(|| format!("calls `{name}`"));
        }
        let expression = inner.frame.as_ref().map(|frame| frame.expression.as_str())?;
        let words: Vec<&str> = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').collect();
        let at = words.iter().position(|word| matches!(*word, "Values" | "Subcharts"));
        // Where not even the values are there, the template asks something else than the root for them. What is named twice may as
        // well be the later one.
        let next = at.filter(|at| words[*at] == "Values").and_then(|at| words.get(at + 1));
        let next = next.filter(|name| words.iter().filter(|it| it == name).count() == 1);
        let is_root = match &inner.cause {
            Cause::Field(said) => {
                !said.starts_with("can't evaluate field Values in")
                    && !next.is_some_and(|name| said.ends_with(&format!("interface {{}}.{name}")))
            }
            _ => true,
        };
        let asks = is_root && at.is_some() && words.iter().any(|word| self.names.contains(*word));
        asks.then(|| format!("reads `{expression}`"))
    }

    /// What a file that failed has called before: a library that is not at hand would have set up its values there.
    fn lacks_defaults(&self, error: &ExecError) -> Option<String> {
        let file = &error.frame.as_ref()?.file;
        let is_it = |name: &str| file.strip_suffix(name).is_some_and(|before| before.ends_with('/'));
        self.set_up.iter().find(|(name, _)| is_it(name)).map(|(_, call)| format!("calls `{call}`"))
    }

    /// Whether a template that nobody defines may be one of theirs: its name begins as theirs do, or as no own one does; or a part
    /// of it is a word of theirs, as of a library that several charts of one house share.
    fn may_define(&self, name: &str) -> bool {
        // A file is called by its path: one of their charts is theirs, one of another is not there or cannot be parsed.
        if let Some((chart, _)) = name.split_once("/templates/") {
            return self.names.contains(chart.rsplit('/').next().unwrap_or(chart));
        }
        let (first, second) = two_parts(name);
        if self.names.contains(first) {
            return true;
        }
        let Some(seconds) = self.own.get(first) else { return is_unlike(first, self.own.keys()) };
        // What is called after a chart that is there is that chart's.
        if self.charts.contains(first) {
            return false;
        }
        let is_their_word = |part: &str| self.names.iter().any(|it| it.split(['-', '_']).any(|word| word == part));
        let is_deep = name.matches('.').count() > 1;
        name.split('.').skip(1).any(is_their_word)
            || (is_deep && !seconds.contains(second) && is_unlike(second, seconds.iter()))
    }
}

/// Whether an execution stopped within a definition in place of one of theirs.
fn is_stand_in(error: &ExecError) -> bool {
    error.frame.as_ref().is_some_and(|frame| frame.file == STAND_INS)
}

/// Whether none of some names is nearly another one.
fn is_unlike<'n>(name: &str, known: impl Iterator<Item = &'n String>) -> bool {
    landfall_diag::nearest(name, known.map(String::as_str)).is_none()
}

/// The templates with which libraries that print all objects of a chart bring their defaults into its values.
const SETS_UP: &[&str] = &["common.values.setup", "bjw-s.common.loader.init", "bjw-s.common.values.init"];

/// Definitions in place of those of charts that are not at hand, as far as what they print is known.
fn stand_ins(parts: &[&Chart], names: &BTreeSet<String>) -> String {
    let mut text = String::new();
    let mut missing = parts.iter().flat_map(|part| &part.without.dependencies);
    let is_at_hand = parts.iter().any(|part| part.name() == "common");
    let is_brought = !is_at_hand && missing.any(|it| is_bitnamis(&it.repository));
    let has_common = is_brought || names.contains("common");
    if has_common {
        text.push_str(COMMON);
    }
    let is_theirs = |name: &str| names.contains(name) || (has_common && name == "common");
    let mut told = BTreeMap::new();
    for file in parts.iter().flat_map(|part| part.templates.iter()) {
        let file = file.text();
        for name in called(&file).filter(|name| is_theirs(first_part(name))) {
            if let Some(body) = customary(name) {
                told.insert(name.to_owned(), body);
            }
        }
        // Which template is called where its name is handed in is not known before it is: nearly always it is theirs for a name.
        if ["include $", "include ("].iter().any(|call| file.contains(call)) {
            let all = names.iter().flat_map(|chart| [format!("{chart}.fullname"), format!("{chart}.name")]);
            told.extend(all.filter_map(|name| Some((name.clone(), customary(&name)?))));
        }
    }
    told.retain(|name, _| !text.contains(&format!("\"{name}\"")));
    for (name, body) in told {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{{{{- define \"{name}\" -}}}}{body}{{{{- end -}}}}");
    }
    text
}

/// Whether a chart comes from Bitnami's repositories, whose charts all bring the library `common` along.
fn is_bitnamis(repository: &str) -> bool {
    let theirs = ["charts.bitnami.com/", "/bitnamicharts", "raw.githubusercontent.com/bitnami/charts/"];
    theirs.iter().any(|it| repository.contains(it))
}

/// What stand-ins are parsed as.
pub(super) const STAND_INS: &str = "_not-at-hand.tpl";

/// What a template of a chart prints that is called as `helm create` calls it: a name that begins with the chart's, or its labels.
fn customary(name: &str) -> Option<String> {
    let chart = first_part(name);
    match name.rsplit('.').next()? {
        "chart" | "database" => Some(chart.to_owned()),
        // `labels`, `selectorLabels`, `componentLabels`, `typelabels`: whose they are is said in front. Where they are called behind
        // their key, it is they that begin a line; where they are called on a line of their own, a blank one does no harm.
        last if last.to_ascii_lowercase().ends_with("labels") => {
            Some(format!("{{{{ \"\\n\" }}}}app.kubernetes.io/name: {chart}"))
        }
        // `secretName`, `primary.svcname`: a name of theirs begins with the chart's.
        last if last.to_ascii_lowercase().ends_with("name") => Some(chart.to_owned()),
        // `redis.secretPasswordKey`: the key of a Secret that nobody sees.
        last if last.ends_with("Key") => Some("password".to_owned()),
        "port" => port(chart).map(str::to_owned),
        _ => None,
    }
}

/// The port of what a chart runs, by its name.
fn port(chart: &str) -> Option<&'static str> {
    const PORTS: &[(&str, &str)] = &[
        ("postgresql", "5432"),
        ("redis", "6379"),
        ("mysql", "3306"),
        ("mariadb", "3306"),
        ("mongodb", "27017"),
        ("rabbitmq", "5672"),
    ];
    let name = |known: &str| chart.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    PORTS.iter().find(|(known, _)| name(known)).map(|(_, port)| *port)
}

/// The names of the templates that a text calls.
fn called(text: &str) -> impl Iterator<Item = &str> {
    ["include \"", "template \""].into_iter().flat_map(move |call| {
        text.match_indices(call).filter_map(move |(at, _)| text[at + call.len()..].split('"').next())
    })
}

fn first_part(name: &str) -> &str {
    two_parts(name).0
}

/// What stands in front of a name's first dot, and what stands between that and the next one.
fn two_parts(name: &str) -> (&str, &str) {
    let mut parts = name.split('.');
    (parts.next().unwrap_or(name), parts.next().unwrap_or_default())
}

/// The names of the templates that a text defines.
fn defined(text: &str) -> impl Iterator<Item = &str> {
    text.split("define").skip(1).filter_map(|rest| {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|it| matches!(it, '"' | '`'))?;
        rest[1..].split(quote).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_of_a_house_may_define_is_told_from_what_is_there() {
        let set = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<String>>();
        let own =
            [("acme", set(&["fargate"])), ("acme-logging", set(&["fullname", "labels"])), ("house", set(&["web"]))];
        let looked = NotAtHand {
            names: set(&["common-library"]),
            charts: set(&["acme-logging"]),
            own: own.into_iter().map(|(first, seconds)| (first.to_owned(), seconds)).collect(),
            ..NotAtHand::default()
        };
        for theirs in ["acme.common.serviceAccount.create", "acme.common", "common.names", "house.agent.name"] {
            assert!(looked.may_define(theirs), "{theirs}");
        }
        let missing =
            ["acme.fargat", "acme.fargate.x", "acme.fargte.x", "acme-logging.fulname", "acme-logging.common.name"];
        for own in missing {
            assert!(!looked.may_define(own), "{own}");
        }
    }

    #[test]
    fn what_bitnamis_charts_print_is_known_by_the_name() {
        for (name, printed) in [
            ("postgresql.v1.service.port", Some("5432")),
            ("postgresql-ha.port", Some("5432")),
            ("redis.secretPasswordKey", Some("password")),
            ("postgresql.v1.database", Some("postgresql")),
            ("postgresql.v1.username", Some("postgresql")),
            ("kafka.port", None),
            ("redisinsight.port", None),
            ("redis.passwords", None),
            // Behind its key, `labels: {{ include "web.labels" . | indent 4 }}`, it is read as a table, too.
            ("web.labels", Some("{{ \"\\n\" }}app.kubernetes.io/name: web")),
        ] {
            assert_eq!(customary(name).as_deref(), printed, "{name}");
        }
        for theirs in ["https://charts.bitnami.com/bitnami", "oci://registry-1.docker.io/bitnamicharts"] {
            assert!(is_bitnamis(theirs), "{theirs}");
        }
        assert!(!is_bitnamis("https://charts.example.com"));
    }
}

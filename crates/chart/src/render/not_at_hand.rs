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
    /// What the names of the templates that are there begin with.
    own: BTreeSet<String>,
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
        let mut own = BTreeSet::new();
        let mut stand_ins = String::new();
        if !names.is_empty() {
            if names.contains("common") {
                stand_ins.push_str(COMMON);
            }
            let mut told = BTreeMap::new();
            for file in parts.iter().flat_map(|part| part.templates.iter()) {
                let text = file.text();
                own.extend(defined(&text).map(|name| first_part(name).to_owned()));
                for name in called(&text).filter(|name| names.contains(first_part(name))) {
                    if let Some(body) = customary(name) {
                        told.insert(name.to_owned(), body);
                    }
                }
                // Which template is called where its name is handed in is not known before it is: nearly always it is theirs for a name.
                if ["include $", "include ("].iter().any(|call| text.contains(call)) {
                    let all = names.iter().flat_map(|chart| [format!("{chart}.fullname"), format!("{chart}.name")]);
                    told.extend(all.filter_map(|name| Some((name.clone(), customary(&name)?))));
                }
            }
            told.retain(|name, _| !stand_ins.contains(&format!("\"{name}\"")));
            for (name, body) in told {
                // Writing into a text cannot fail.
                let _ = writeln!(stand_ins, "{{{{- define \"{name}\" -}}}}{body}{{{{- end -}}}}");
            }
        }
        let source = |text: String| TemplateSource { path: STAND_INS.to_owned(), text: text.into_bytes().into() };
        let stand_ins = Some(stand_ins).filter(|text| !text.is_empty()).map(source);
        NotAtHand { names, own, stand_ins }
    }

    /// A file that failed for want of one of them is left out; any other failure is one.
    pub(super) fn forgives(&self, result: Result<RenderedFile, ChartError>) -> Result<RenderedFile, ChartError> {
        if self.names.is_empty() {
            return result;
        }
        result.or_else(|failure| {
            let ChartError::Exec { error, .. } = &failure else { return Err(failure) };
            let left_out = self.wants(error).ok_or(failure)?;
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
        let mut inner = error;
        while let Cause::Call { error, .. } = &inner.cause
            && let FuncError::Exec { error, .. } = &**error
        {
            inner = error;
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

    /// Whether a template that nobody defines may be one of theirs: its name begins as theirs do, or as no own one does.
    fn may_define(&self, name: &str) -> bool {
        // A file is called by its path: one of their charts is theirs, one of another is not there or cannot be parsed.
        if let Some((chart, _)) = name.split_once("/templates/") {
            return self.names.contains(chart.rsplit('/').next().unwrap_or(chart));
        }
        let first = first_part(name);
        let own = || self.own.iter().map(String::as_str);
        self.names.contains(first) || (own().all(|it| it != first) && landfall_diag::nearest(first, own()).is_none())
    }
}

/// What stand-ins are parsed as.
pub(super) const STAND_INS: &str = "_not-at-hand.tpl";

/// What a template of a chart prints that is called as `helm create` calls it: a name that begins with the chart's, or its labels.
fn customary(name: &str) -> Option<String> {
    let chart = first_part(name);
    match name.rsplit('.').next()? {
        "chart" => Some(chart.to_owned()),
        // `labels`, `selectorLabels`, `componentLabels`, `typelabels`: whose they are is said in front.
        last if last.to_ascii_lowercase().ends_with("labels") => Some(format!("app.kubernetes.io/name: {chart}")),
        // `secretName`, `primary.svcname`: a name of theirs begins with the chart's.
        last if last.to_ascii_lowercase().ends_with("name") => Some(chart.to_owned()),
        _ => None,
    }
}

/// The names of the templates that a text calls.
fn called(text: &str) -> impl Iterator<Item = &str> {
    ["include \"", "template \""].into_iter().flat_map(move |call| {
        text.match_indices(call).filter_map(move |(at, _)| text[at + call.len()..].split('"').next())
    })
}

fn first_part(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The names of the templates that a text defines.
fn defined(text: &str) -> impl Iterator<Item = &str> {
    text.split("define").skip(1).filter_map(|rest| {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|it| matches!(it, '"' | '`'))?;
        rest[1..].split(quote).next()
    })
}

//! What can be found out about a failure: the line in the chart, the value it stumbled over, where that was set.

use landfall_diag::Place;
use landfall_gotemplate::{ExecError, Frame, Map};

use crate::chart::Chart;
use crate::dialect::Dialect;
use crate::error::{ChartError, Evidence};
use crate::origin::{Origins, Setting};
use crate::provenance::Provenance;
use crate::values::{ValueLayers, read_values_traced};

/// Adds what is known to a template's failure.
pub(crate) fn add(error: ChartError, chart: &Chart, layers: &ValueLayers, values: &Map) -> ChartError {
    match error {
        ChartError::Exec { error, .. } => {
            let evidence = Box::new(look_into(&error, chart, layers, values));
            ChartError::Exec { error, evidence }
        }
        error => error,
    }
}

fn look_into(error: &ExecError, chart: &Chart, layers: &ValueLayers, values: &Map) -> Evidence {
    let mut evidence = Evidence::default();
    let frames = error.frames();
    // Texts made at run time (tpl) have no file; the innermost frame that has one is shown.
    let inner = frames.iter().rev().find_map(|frame| Some((*frame, find(chart, &frame.file)?)));
    let outer = frames.iter().find_map(|frame| Some((*frame, find(chart, &frame.file)?)));
    if let Some((frame, found)) = outer {
        evidence.outer = Some(found.place(frame));
    }
    let Some((frame, found)) = inner else { return evidence };
    let place = found.place(frame);
    if evidence.outer.as_ref() == Some(&place) {
        evidence.outer = None;
    }
    let source = place.source.clone().unwrap_or_default();
    evidence.place = Some(place);
    let path = values_path(&source, frame.column as usize);
    if path.is_empty() {
        return evidence;
    }
    evidence.path = found.scope.iter().cloned().chain(path).collect();
    find_culprit(&mut evidence, values);
    let culprit: Vec<&str> = evidence.culprit.iter().map(String::as_str).collect();
    evidence.settings = default_settings(chart, layers.dialect(), &culprit);
    evidence.settings.extend(layers.history(&culprit));
    evidence
}

/// Walks down the values until something is nil or no table.
fn find_culprit(evidence: &mut Evidence, values: &Map) {
    let mut here = values.clone();
    for (index, key) in evidence.path.iter().enumerate() {
        let next = here.get(key).and_then(|value| value.as_map().cloned());
        match next {
            Some(table) if index + 1 < evidence.path.len() => here = table,
            _ => {
                evidence.culprit = evidence.path[..=index].to_vec();
                evidence.siblings =
                    here.keys().iter().map(|key| key.to_string_lossy().into_owned()).filter(|it| it != key).collect();
                return;
            }
        }
    }
}

/// What the charts' own values files say about a path: each chart sees its part.
fn default_settings(chart: &Chart, dialect: Dialect, path: &[&str]) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some((first, rest)) = path.split_first()
        && let Some(child) = chart.dependencies.iter().find(|child| child.name() == *first)
        && !rest.is_empty()
    {
        settings.extend(default_settings(child, dialect, rest));
    }
    let mut origins = Origins::on();
    let values = read_values_traced(chart, dialect, &mut origins);
    settings.extend(origins.setting_in(&values, path));
    settings
}

/// All that the charts' values files and the layers say about a path, lowest first.
pub(crate) fn settings(chart: &Chart, layers: &ValueLayers, path: &[&str]) -> Vec<Setting> {
    let mut settings = default_settings(chart, layers.dialect(), path);
    settings.extend(layers.history(path));
    settings
}

/// A template file found by the name it is parsed under.
struct Found {
    path: String,
    text: String,
    /// Keys from the root's values down to the chart's.
    scope: Vec<String>,
}

impl Found {
    fn place(&self, frame: &Frame) -> Place {
        let place = Place::line(&self.path, frame.line).source_from(&self.text);
        let (start, end) = match &place.source {
            Some(source) => word_around(source, frame.column as usize),
            None => return place,
        };
        place.columns(start as u32 + 1, end as u32 + 1)
    }
}

fn find(chart: &Chart, name: &str) -> Option<Found> {
    let rest = name.strip_prefix(chart.name())?.strip_prefix('/')?;
    find_below(chart, rest, Vec::new())
}

fn find_below(chart: &Chart, rest: &str, scope: Vec<String>) -> Option<Found> {
    if let Some(file) = chart.templates.iter().find(|file| file.name == rest) {
        return Some(Found { path: chart.path_of(&file.name), text: file.text().into_owned(), scope });
    }
    let below = rest.strip_prefix("charts/")?;
    chart.dependencies.iter().find_map(|child| {
        let rest = below.strip_prefix(child.name())?.strip_prefix('/')?;
        let mut scope = scope.clone();
        scope.push(child.name().to_owned());
        find_below(child, rest, scope)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '$')
}

/// The word at a byte of a line, in characters from 0.
fn word_around(line: &str, byte: usize) -> (usize, usize) {
    let byte = floor_boundary(line, byte);
    let start =
        line[..byte].rfind(|c| !is_word(c)).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let end = line[byte..].find(|c| !is_word(c)).map_or(line.len(), |at| byte + at);
    (line[..start].chars().count(), line[..end.max(start)].chars().count())
}

fn floor_boundary(line: &str, byte: usize) -> usize {
    let mut byte = byte.min(line.len());
    while !line.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// The `.Values` path at a byte of a line, or the first one behind it in the same action.
fn values_path(line: &str, byte: usize) -> Vec<String> {
    let byte = floor_boundary(line, byte);
    let start =
        line[..byte].rfind(|c| !is_word(c)).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let action = &line[start..];
    let action = &action[..action.find("}}").unwrap_or(action.len())];
    let Some(at) = action.find(".Values.") else { return Vec::new() };
    let path = &action[at + ".Values.".len()..];
    let path = &path[..path.find(|c| !is_word(c)).unwrap_or(path.len())];
    path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

/// Adds the template's line and the origins of values to a manifest that is no YAML.
pub(crate) fn add_lines(error: ChartError, provenance: &Provenance, _chart: &Chart) -> ChartError {
    let ChartError::Manifest { path, broken, problem, rendered, line, secret, .. } = error else { return error };
    let shown = if line > 0 { line } else { rendered.first().map_or(1, |(number, _)| *number) };
    let origin = provenance.line_bytes(&path, shown).and_then(|bytes| provenance.origin_of_bytes(&path, bytes));
    let (place, sources) = origin.map_or((None, Vec::new()), |origin| (origin.template, origin.sources));
    let settings =
        sources.into_iter().map(|source| Setting { source, value: landfall_gotemplate::Value::nil() }).collect();
    ChartError::Manifest { path, broken, problem, rendered, line, place: place.map(Box::new), settings, secret }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_read_off_the_template() {
        let line = "{{- if .Values.serviceAccount.create -}}";
        assert_eq!(values_path(line, 14), ["serviceAccount", "create"]);
        assert_eq!(values_path("x: {{ required \"msg\" $.Values.a.b | quote }}", 6), ["a", "b"]);
        assert!(values_path("x: {{ $y.a }}", 6).is_empty());
        assert_eq!(word_around(line, 14), (7, 36));
    }
}

//! What templates have printed, and the templates.

use std::collections::BTreeMap;
use std::ops::Range;

use landfall_diag::Place;
use landfall_gotemplate::{Recording, Trace};

use crate::chart::LeftOut;
use crate::error::ChartError;
use crate::lines::Lines;
use crate::manifest::Manifest;
use crate::tree::Bytes;

/// Rendered files by path.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) files: BTreeMap<String, RenderedFile>,
    /// All templates, partials too.
    pub(crate) sources: BTreeMap<String, TemplateSource>,
    /// What their traces mean.
    pub(crate) recording: Recording,
    /// Those that could not do without charts that are not at hand.
    pub(crate) left_out: Vec<LeftOut>,
}

impl Files {
    /// Takes files out.
    pub(crate) fn take(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let paths: Vec<String> = self.files.keys().filter(|path| wanted(path)).cloned().collect();
        paths
            .into_iter()
            .filter_map(|path| {
                let file = self.files.remove(&path)?;
                Some((path, String::from_utf8_lossy(&file.text).into_owned()))
            })
            .collect()
    }

    /// A template by the name it is parsed under.
    pub(crate) fn template(&self, path: &str) -> Option<&TemplateSource> {
        self.sources.get(path)
    }

    /// The traces of all files.
    pub(crate) fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.files.values().filter_map(|file| file.trace.as_ref())
    }

    /// One file.
    pub(crate) fn get(&self, path: &str) -> Option<&RenderedFile> {
        self.files.get(path)
    }
}

/// One template's output.
#[derive(Debug)]
pub(crate) struct RenderedFile {
    pub(crate) text: Vec<u8>,
    pub(crate) trace: Option<Trace>,
    /// What was taken out of the output, as ranges of the output before.
    pub(crate) removed: Vec<Range<usize>>,
    /// The output cut into documents, where nobody wants it whole; the text is gone then.
    pub(crate) documents: Option<Result<Vec<Manifest>, ChartError>>,
    /// Why it was left out, where it was.
    pub(crate) left_out: Option<String>,
}

impl RenderedFile {
    /// In no more room than it needs: all of them wait for the last one.
    pub(crate) fn kept(mut self) -> Self {
        self.text.shrink_to_fit();
        self
    }
}

/// A template file.
#[derive(Debug, Clone)]
pub(crate) struct TemplateSource {
    /// Path as its owner would type it.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: Bytes,
    lines: Lines,
}

impl TemplateSource {
    pub(crate) fn new(path: String, text: Bytes) -> Self {
        TemplateSource { path, text, lines: Lines::default() }
    }

    /// A line of the file, from 1.
    pub(crate) fn line(&self, line: u32) -> Place {
        let source = self.lines.get(&self.text, line).map(|line| String::from_utf8_lossy(line).into_owned());
        Place { source, ..Place::line(&self.path, line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_the_whole_text_has_there() {
        for text in ["", "one", "one\n", "one\r\ntwo\r\n\r\nfour", "\n\n", "a\nß ö\nc\n"] {
            let source = TemplateSource::new("web/templates/a.yaml".to_owned(), text.as_bytes().to_vec().into());
            for line in 0..7 {
                let whole = Place::line(&source.path, line).source_from(text);
                assert_eq!(source.line(line), whole, "line {line} of {text:?}");
            }
        }
    }
}

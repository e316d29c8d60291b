//! One template executed, its output counted and cut.

use std::ops::Range;

use landfall_gotemplate::{Recording, Set, Trace, Value};

use super::{RenderOptions, is_notes};
use crate::error::ChartError;
use crate::limits::MAX_RENDERED;
use crate::rendered_file::RenderedFile;

/// What Go prints for nothing at all; Helm takes it out of every rendered file.
const NO_VALUE: &[u8] = b"<no value>";

/// Bytes of output that a document counts as, beside its text: what is known of it stays until the last is rendered.
const DOCUMENT: u64 = 512;

impl RenderedFile {
    /// Cuts the output into documents, unless it is to be shown as it is.
    fn cut(mut self, path: &str, options: &RenderOptions) -> Self {
        if !is_notes(path)
            && let Ok(text) = std::str::from_utf8(&self.text)
        {
            self.documents = Some(options.documents(path, text));
            self.text = Vec::new();
        }
        self
    }
}

/// Executes one template and cuts its output into documents.
pub(super) fn one(
    set: &Set,
    path: &str,
    dot: &Value,
    context: &mut landfall_sprig::Context,
    options: &RenderOptions,
) -> Result<RenderedFile, ChartError> {
    let file = whole(set, path, dot, context, options)?.cut(path, options);
    let documents = file.documents.as_ref().map_or(0, |documents| documents.as_ref().map_or(0, Vec::len));
    if !set.charge(documents as u64 * DOCUMENT, options.limits) {
        return Err(ChartError::RenderedSize { size: MAX_RENDERED });
    }
    Ok(file)
}

/// Executes one template.
pub(super) fn whole(
    set: &Set,
    path: &str,
    dot: &Value,
    context: &mut landfall_sprig::Context,
    options: &RenderOptions,
) -> Result<RenderedFile, ChartError> {
    let text = set.execute(path, dot, context, options.limits).map_err(failed)?;
    check_printed(set, &text)?;
    Ok(rendered_file(text, None))
}

/// Counts what a template has printed; that all together is too much is noticed before it is read.
fn check_printed(set: &Set, text: &[u8]) -> Result<(), ChartError> {
    let printed = set.printed(text.len() as u64);
    if printed > MAX_RENDERED as u64 {
        return Err(ChartError::RenderedSize { size: usize::try_from(printed).unwrap_or(usize::MAX) });
    }
    Ok(())
}

/// Executes one template and records where everything comes from.
pub(super) fn traced(
    set: &Set,
    path: &str,
    dot: &Value,
    context: &mut landfall_sprig::Context,
    (recording, options): (&mut Recording, &RenderOptions),
) -> Result<RenderedFile, ChartError> {
    let (text, trace) = set.execute_traced(path, dot, context, options.limits, recording).map_err(failed)?;
    check_printed(set, &text)?;
    Ok(rendered_file(text, Some(trace)))
}

fn failed(error: landfall_gotemplate::ExecError) -> ChartError {
    ChartError::Exec { error: Box::new(error), evidence: Default::default() }
}

fn rendered_file(text: Vec<u8>, trace: Option<Trace>) -> RenderedFile {
    let (text, removed) = without_no_value(text);
    RenderedFile { text, trace, removed, documents: None, left_out: None }
}

fn without_no_value(text: Vec<u8>) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut removed = Vec::new();
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&text[from..], NO_VALUE) {
        removed.push(from + at..from + at + NO_VALUE.len());
        from += at + NO_VALUE.len();
    }
    if removed.is_empty() {
        return (text, removed);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for range in &removed {
        out.extend_from_slice(&text[from..range.start]);
        from = range.end;
    }
    out.extend_from_slice(&text[from..]);
    (out, removed)
}

//! What `helm template` prints.

use std::io;

use super::Rendered;
use crate::dialect::Dialect;
use crate::error::ChartError;
use crate::manifest::{Manifest, split_at};
use crate::pattern::path_match;

/// Which hooks are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HookChoice {
    /// All.
    #[default]
    All,
    /// All but tests (`--skip-tests`).
    NoTests,
    /// None (`--no-hooks`).
    None,
}

/// What `helm template` is asked to print.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateOptions {
    /// Files of `crds/` come first (`--include-crds`).
    pub include_crds: bool,
    /// Which hooks follow the manifests.
    pub hooks: HookChoice,
    /// Only these templates, as patterns relative to the chart (`--show-only`); all when empty.
    pub show_only: Vec<String>,
}

/// A piece of a file that `--output-dir` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Path relative to the output directory.
    pub path: String,
    /// Text to be appended to the file.
    pub text: String,
}

impl Rendered {
    /// The manifest as a release records it: definitions when asked for, then manifests, each under its source.
    pub fn manifest_text(&self, include_crds: bool) -> String {
        // The separator, the source line and the line ends around each.
        let size = |path: &str, text: usize| path.len() + text + "---\n# Source: \n\n".len();
        let manifests: usize = self.manifests.iter().map(|it| size(&it.path, it.text.len())).sum();
        let hooks: usize = self.hooks.iter().map(|it| size(&it.manifest.path, it.manifest.text.len())).sum();
        let mut out = String::with_capacity(manifests + hooks + 1);
        if include_crds {
            for crd in &self.crds {
                piece(&mut out, &crd.path, &String::from_utf8_lossy(&crd.data));
            }
        }
        for manifest in &self.manifests {
            piece(&mut out, &manifest.path, &manifest.text);
        }
        out
    }

    /// What `helm template` prints, byte for byte.
    ///
    /// # Errors
    /// A template asked for with `show_only` that renders nothing.
    pub fn template_output(&self, options: &TemplateOptions) -> Result<String, ChartError> {
        let mut out = self.manifest_text(options.include_crds);
        out.truncate(out.trim_end().len());
        let leading = out.len() - out.trim_start().len();
        out.drain(..leading);
        self.finish_output(out, options)
    }

    /// Writes what [`Rendered::template_output`] gives, without putting it together first.
    ///
    /// # Errors
    /// As [`Rendered::template_output`]; inside, what the writer says.
    pub fn write_output(
        &self,
        options: &TemplateOptions,
        out: &mut dyn io::Write,
    ) -> Result<io::Result<()>, ChartError> {
        let last = match self.manifests.split_last() {
            Some((last, before)) if options.show_only.is_empty() => (last, before, last.text.trim_end()),
            _ => return Ok(out.write_all(self.template_output(options)?.as_bytes())),
        };
        let (last, before, end) = last;
        if end.is_empty() {
            // What stands in front of it is trimmed, too.
            return Ok(out.write_all(self.template_output(options)?.as_bytes()));
        }
        Ok(self.write_pieces(options, before, (&last.path, end), out))
    }

    fn write_pieces(
        &self,
        options: &TemplateOptions,
        before: &[Manifest],
        last: (&str, &str),
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let mut write = |path: &str, text: &[u8]| {
            for part in [&b"---\n# Source: "[..], path.as_bytes(), b"\n", text, b"\n"] {
                out.write_all(part)?;
            }
            Ok(())
        };
        if options.include_crds {
            self.crds.iter().try_for_each(|crd| write(&crd.path, String::from_utf8_lossy(&crd.data).as_bytes()))?;
        }
        before.iter().try_for_each(|manifest| write(&manifest.path, manifest.text.as_bytes()))?;
        write(last.0, last.1.as_bytes())?;
        self.hooks_for(options.hooks).try_for_each(|hook| write(&hook.manifest.path, hook.manifest.text.as_bytes()))
    }

    /// As [`Rendered::template_output`], with the manifest's text replaced by what a post-renderer made of it.
    ///
    /// # Errors
    /// As [`Rendered::template_output`].
    pub fn output_around(&self, manifest: &str, options: &TemplateOptions) -> Result<String, ChartError> {
        self.finish_output(manifest.trim().to_owned(), options)
    }

    /// Puts the hooks behind the manifests and keeps what is to be shown.
    fn finish_output(&self, mut out: String, options: &TemplateOptions) -> Result<String, ChartError> {
        out.push('\n');
        for hook in self.hooks_for(options.hooks) {
            piece(&mut out, &hook.manifest.path, &hook.manifest.text);
        }
        if options.show_only.is_empty() { Ok(out) } else { show_only(&out, &options.show_only, self.dialect) }
    }

    fn hooks_for(&self, choice: HookChoice) -> impl Iterator<Item = &crate::manifest::Hook> {
        self.hooks.iter().filter(move |hook| match choice {
            HookChoice::All => true,
            HookChoice::NoTests => !hook.is_test(),
            HookChoice::None => false,
        })
    }

    /// What `--output-dir` writes, in order; several pieces may go into one file.
    pub fn output_files(&self, options: &TemplateOptions) -> Vec<OutputFile> {
        let mut files = Vec::new();
        let mut add = |path: &str, text: &str| {
            let mut content = String::new();
            piece(&mut content, path, text);
            files.push(OutputFile { path: path.to_owned(), text: content });
        };
        if options.include_crds {
            for crd in &self.crds {
                add(&crd.path, &String::from_utf8_lossy(&crd.data));
            }
        }
        for manifest in &self.manifests {
            add(&manifest.path, &manifest.text);
        }
        for hook in self.hooks_for(options.hooks) {
            add(&hook.manifest.path, &hook.manifest.text);
        }
        files
    }
}

fn piece(out: &mut String, path: &str, text: &str) {
    out.push_str("---\n# Source: ");
    out.push_str(path);
    out.push('\n');
    out.push_str(text);
    out.push('\n');
}

/// Picks documents by the template they come from (helm: `cmd/helm/template.go`).
fn show_only(output: &str, wanted: &[String], dialect: Dialect) -> Result<String, ChartError> {
    let pieces: Vec<(&str, &str)> =
        split_at(output, dialect).into_iter().filter_map(|piece| Some((source_of(piece.text)?, piece.text))).collect();
    let mut out = String::new();
    for pattern in wanted {
        let mut found = false;
        for (path, text) in &pieces {
            if path_match(pattern, path).unwrap_or(false) {
                out.push_str(&format!("---\n{text}\n"));
                found = true;
            }
        }
        if !found {
            let mut known: Vec<String> = pieces.iter().map(|(path, _)| (*path).to_owned()).collect();
            known.dedup();
            return Err(ChartError::NoTemplate { name: pattern.clone(), known });
        }
    }
    Ok(out)
}

/// What the regular expression `# Source: [^/]+/(.+)` finds.
fn source_of(text: &str) -> Option<&str> {
    const MARK: &str = "# Source: ";
    let mut from = 0;
    while let Some(at) = text[from..].find(MARK) {
        let rest = &text[from + at + MARK.len()..];
        if let Some((chart, path)) = rest.split_once('/')
            && !chart.is_empty()
        {
            let path = path.lines().next().unwrap_or("");
            if !path.is_empty() {
                return Some(path);
            }
        }
        from += at + MARK.len();
    }
    None
}

//! How what a command found is printed.

use clap::{Args, ValueEnum};

use crate::ui::Output;

/// How data is printed.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OutputArgs {
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Output::Table, value_name = "FORMAT")]
    pub(crate) output: Output,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// SARIF 2.1.0, as code hosts take it.
    Sarif,
    /// For a comment.
    Markdown,
}

impl ReportFormat {
    /// How what is no report is printed: as a document where one is wanted.
    pub(crate) fn output(self) -> Output {
        match self {
            ReportFormat::Json => Output::Json,
            ReportFormat::Yaml => Output::Yaml,
            ReportFormat::Text | ReportFormat::Sarif | ReportFormat::Markdown => Output::Table,
        }
    }
}

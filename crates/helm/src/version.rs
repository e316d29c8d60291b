//! `helm version`.

use std::io::Write as _;

use landfall_chart::Dialect;

use super::flags::{GLOBAL, Kind, Spec, Support, flag, short};
use super::verb::{Names, Verb};
use super::{Stop, World, dialect, gotemplate, parse};

const FLAGS: &[Spec] = &[
    flag("short", Kind::Bool, Support::Works, "print the version number"),
    flag("template", Kind::Text, Support::Works, "template for version string format"),
    short("client", 'c', Kind::Bool, Support::NoEffect, ""),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["version"],
    about: "print the version",
    parts: &[],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Unknown,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "version [flags]", &[FLAGS, GLOBAL], words)? else {
        return Ok(0);
    };
    if !flags.arguments.is_empty() {
        return Err(Stop::Usage("\"helm version\" accepts no arguments\n\nUsage:  helm version [flags]".to_owned()));
    }
    let dialect = dialect(world, &flags)?;
    if dialect == Dialect::V4 && flags.text("client").is_some() {
        return Err(Stop::Usage("unknown flag: --client".to_owned()));
    }
    let (helm, client) = match dialect {
        Dialect::V3 => (landfall_chart::HelmVersion::default(), None),
        Dialect::V4 => (landfall_chart::HelmVersion::four(), Some(landfall_chart::KUBE_CLIENT)),
    };
    let mut out = landfall_terminal::out();
    if let Some(template) = flags.text("template").filter(|template| !template.is_empty()) {
        out.write_all(&gotemplate::printed(template, &gotemplate::build_info(&helm, client))?)?;
    } else if flags.is("short") {
        match helm.git_commit.get(..7) {
            Some(commit) => writeln!(out, "{}+g{commit}", helm.version)?,
            None => writeln!(out, "{}", helm.version)?,
        }
    } else {
        writeln!(
            out,
            "version.BuildInfo{{Version:\"{}\", GitCommit:\"{}\", GitTreeState:\"{}\", GoVersion:\"{}\"{}}}",
            helm.version,
            helm.git_commit,
            helm.git_tree_state,
            helm.go_version,
            client.map(|version| format!(", KubeClientVersion:{version:?}")).unwrap_or_default()
        )?;
    }
    Ok(0)
}

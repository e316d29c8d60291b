//! Every chart of every case, linted: `cases/NAME/linted` holds what `helm lint` printed for each.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_chart::{LintOptions, Values, lint, lint_line};

use super::arguments::read_tree;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut dirs: Vec<PathBuf> = fs::read_dir(root)
        .expect("the cases lie beside the test")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    dirs.sort();
    dirs
}

fn charts(case: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(case)
        .expect("readable")
        .map(|entry| entry.expect("readable"))
        .filter(|entry| entry.path().join("Chart.yaml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The messages of `helm lint`, without the lines around them.
fn messages(printed: &str) -> String {
    let start = printed.find('\n').map_or(0, |at| at + 1);
    let end = printed.rfind("\n\n").map_or(printed.len(), |at| at + 1);
    printed[start..end.max(start)].to_owned()
}

#[test]
fn lint_finds_what_helm_finds_in_its_words() {
    let mut wrong = String::new();
    let mut count = 0;
    for case in cases() {
        let mut got = String::new();
        for chart in charts(&case) {
            count += 1;
            let directory = case.join(&chart);
            let options = LintOptions {
                directory: chart.clone(),
                namespace: "default".to_owned(),
                ..LintOptions::new(landfall_sprig::Context::repeatable(1))
            };
            let found = lint(&read_tree(&directory), &chart, &Values::new(), &options);
            let _infallible = writeln!(got, "$ helm lint {chart}");
            for finding in &found.findings {
                let _infallible = writeln!(got, "{}", lint_line(finding));
            }
        }
        let wanted = fs::read_to_string(case.join("linted")).expect("every case has what helm lint printed");
        if got != wanted {
            let pairs = wanted.lines().zip(got.lines()).filter(|(wanted, got)| wanted != got);
            for (wanted, got) in pairs.take(5) {
                let _infallible = writeln!(wrong, "{}: wanted {wanted}\n got {got}", case.display());
            }
        }
    }
    assert!(count > 60, "only {count} charts were linted");
    assert!(wrong.is_empty(), "{wrong}");
}

/// `LANDFALL_HELM=… cargo test -p landfall-chart --test it -- --ignored write_linted_output`
#[test]
#[ignore = "writes the expected output with the helm binary named by LANDFALL_HELM"]
fn write_linted_output() {
    let helm = std::env::var_os("LANDFALL_HELM").expect("LANDFALL_HELM names the helm 3 binary");
    for case in cases() {
        let mut expected = String::new();
        for chart in charts(&case) {
            let output = Command::new(&helm).args(["lint", &chart]).current_dir(&case).output().expect("helm starts");
            let printed = String::from_utf8_lossy(&output.stdout).replace(&format!("{}/", case.display()), "");
            let _infallible = write!(expected, "$ helm lint {chart}\n{}", messages(&printed));
        }
        fs::write(case.join("linted"), expected).expect("the case's directory can be written");
    }
}

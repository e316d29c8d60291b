//! Files of a chart that cannot be read, or are not accepted.

use landfall_diag::{Diagnose, Diagnostic, Place, code};

use crate::error::{Broken, ChartError, Problem};
use crate::metadata::InvalidMetadata;

/// A directory without a `Chart.yaml`.
pub(super) fn no_chart(location: &str) -> Diagnostic {
    let at = if location.is_empty() { "." } else { location };
    Diagnostic::error(code::NO_CHART, format!("{at} is not a chart: there is no Chart.yaml in it"))
        .help("name a directory or .tgz that holds a Chart.yaml, or make one with `landfall create NAME`")
}

/// A file that is not YAML, or holds something else than is wanted.
pub(super) fn unreadable(broken: Broken, problem: &Problem, place: &Place) -> Diagnostic {
    let (code, what) = if place.file.ends_with("Chart.yaml") {
        (code::BAD_CHART_FILE, "Chart.yaml cannot be read")
    } else if broken == Broken::Yaml {
        (code::BAD_VALUES_FILE, "the file is not valid YAML")
    } else {
        (code::BAD_VALUES_FILE, "the file does not hold what is expected")
    };
    Diagnostic::error(code, format!("{what}: {}", problem.reason())).primary(place.clone(), "here")
}

/// A `Chart.yaml` that says something that is not accepted.
pub(super) fn bad_metadata(error: &InvalidMetadata, place: &Place) -> Diagnostic {
    let message = format!("Chart.yaml is not accepted: {}", error.reason);
    Diagnostic::error(code::BAD_CHART_FILE, message).primary(place.clone(), "")
}

/// A chart in `charts/`.
pub(super) fn in_subchart(name: &str, error: &ChartError) -> Diagnostic {
    let inner = error.diagnose();
    let mut outer = Diagnostic::error(inner.code, format!("in charts/{name}: {}", inner.message));
    outer.labels = inner.labels;
    outer.helps = inner.helps;
    outer
}

/// A chart for another Kubernetes.
pub(super) fn not_accepted_here(wanted: &str, found: &str, place: &Place) -> Diagnostic {
    Diagnostic::error(code::OTHER_KUBERNETES, format!("the chart wants Kubernetes {wanted}; this is {found}"))
        .primary(place.clone(), "asked for here")
        .help("render for another version with `--kube-version`, or use another version of the chart")
}

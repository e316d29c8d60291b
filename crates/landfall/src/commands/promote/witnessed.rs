//! What is seen now of images where they run: whether their workloads are well, and what the declared checks find.

use std::time::Instant;

use landfall_delivery::{
    Bounds, CheckResult, NetworkReach, Prober, Smoke, Standpoint, SystemStatus, Tags, Unit, Verdict,
};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Hosting, Place};
use landfall_object::HealthStatus;
use landfall_project::ReportLevel;
use landfall_promote::{CHECK, HEALTH, REPORT, TestedImage, report_findings};
use landfall_server::api::EvidenceLine;

use crate::context::Context;
use crate::live;

/// What becomes of checks that ask what nobody simulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmade {
    /// They have not passed.
    NotPassed,
    /// They are left out.
    LeftOut,
}

/// Looks at a place and says what was seen of images there; nothing where nothing is delivered.
pub(crate) async fn look(
    context: &Context,
    place: &Place,
    units: &[Unit],
    images: &[TestedImage],
    unmade: Unmade,
    started: Instant,
) -> Result<Vec<EvidenceLine>, Failure> {
    if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
        return Ok(Vec::new());
    }
    let checks = place.declared().map(|environment| environment.checks.clone()).unwrap_or_default();
    let wanted: Vec<(String, String)> = units.iter().map(|unit| (unit.namespace.clone(), unit.name.clone())).collect();
    let tags = Tags::Of(images.iter().map(|image| format!("{}:{}", image.repository, image.tag)).collect());
    let mut connection = context.host.connect(place, Hosting::InProcess, &[]).await?;
    let seen = live::with_progress(context, &mut connection, started, |session| async move {
        let status = session.status(&wanted).await?;
        let from = Standpoint::Routes(session.routes.clone());
        let prober = Prober {
            cluster: Some(&session.cluster),
            bounds: Bounds::default(),
            reach: NetworkReach::default(),
            progress: &session.progress,
            stop: &session.stop,
        };
        let results = prober.smoke(&Smoke { checks: &checks, tags, from }).await?;
        Ok::<_, Vec<Diagnostic>>((status, results))
    })
    .await;
    connection.close().await;
    let (status, results) = seen.map_err(Failure::from)?;
    let environment = place.environment.clone().unwrap_or_default();
    Ok(evidence(&environment, images, &status, &results, unmade))
}

/// What all that was seen says of each image; of one that nothing runs nothing is said.
pub(crate) fn evidence(
    environment: &str,
    images: &[TestedImage],
    status: &SystemStatus,
    results: &[CheckResult],
    unmade: Unmade,
) -> Vec<EvidenceLine> {
    let mut lines = Vec::new();
    for image in images {
        let named = format!("{}:{}", image.repository, image.tag);
        let pinned = format!("{}@{}", image.repository, image.digest);
        let runs = |text: &String| {
            *text == named
                || *text == pinned
                || text.strip_prefix(&named).is_some_and(|rest| rest == format!("@{}", image.digest))
        };
        let of_it = |unit: &&landfall_delivery::UnitStatus| unit.workloads.iter().any(|it| it.images.iter().any(runs));
        let units: Vec<_> = status.units.iter().filter(of_it).collect();
        if units.is_empty() {
            continue;
        }
        let line = |what: String, passed: bool, detail: String| EvidenceLine {
            digest: image.digest.clone(),
            environment: environment.to_owned(),
            at: String::new(),
            what,
            passed,
            detail,
        };
        let faults: Vec<String> = units
            .iter()
            .flat_map(|unit| {
                let ill = unit.workloads.iter().filter(|it| it.images.iter().any(runs));
                let ill = ill.filter(|it| it.health != HealthStatus::Healthy);
                let ill = ill.map(|it| format!("{}/{} is {:?}: {}", it.kind, it.name, it.health, it.message));
                let is_settled = matches!(unit.status.as_str(), "deployed" | "synced");
                let own = (!is_settled).then(|| format!("{} is {}", unit.name, unit.status));
                ill.chain(own)
            })
            .collect();
        lines.push(line(HEALTH.to_owned(), faults.is_empty(), short(&faults.join("; "))));
        lines.extend(of_checks(environment, &image.digest, results, unmade));
    }
    lines
}

/// What checks say of a digest that ran while they were made.
pub(super) fn of_checks<'r>(
    environment: &'r str,
    digest: &'r str,
    results: &'r [CheckResult],
    unmade: Unmade,
) -> impl Iterator<Item = EvidenceLine> + 'r {
    results.iter().map(move |result| {
        let (passed, detail) = match &result.verdict {
            Verdict::Passed => (true, String::new()),
            Verdict::Failed { reason } => (false, short(reason)),
            Verdict::NotSimulated { .. } if unmade == Unmade::LeftOut => {
                (true, "taken as seen: what it asks is not simulated".to_owned())
            }
            Verdict::NotSimulated { reason } => (false, short(&format!("it could not be made: {reason}"))),
        };
        EvidenceLine {
            digest: digest.to_owned(),
            environment: environment.to_owned(),
            at: String::new(),
            what: format!("{CHECK}{}", result.name),
            passed,
            detail,
        }
    })
}

/// What reports in SARIF say of images.
pub(super) fn reports(
    context: &Context,
    files: &[String],
    level: ReportLevel,
    environment: &str,
    images: &[TestedImage],
) -> Result<Vec<EvidenceLine>, Failure> {
    let mut lines = Vec::new();
    for file in files {
        let bad = |why: String| Failure::usage(Diagnostic::error(code::BAD_REPORT, format!("`{file}`: {why}")));
        let bytes = landfall_source::read_bounded(&context.host.directory.join(file), LARGEST_REPORT);
        let text = bytes.map_err(|error| bad(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|_| bad("it is no text".to_owned()))?;
        for (tool, count) in report_findings(&text, level).map_err(bad)? {
            let word = format!("{level:?}").to_lowercase();
            lines.extend(images.iter().map(|image| EvidenceLine {
                digest: image.digest.clone(),
                environment: environment.to_owned(),
                at: String::new(),
                what: format!("{REPORT}{tool}"),
                passed: count == 0,
                detail: format!("{count} of level {word} and above"),
            }));
        }
    }
    Ok(lines)
}

/// Largest report that is read, in bytes.
const LARGEST_REPORT: u64 = 32 << 20;

/// A sentence in one line that a book takes.
fn short(text: &str) -> String {
    landfall_diag::without_known(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

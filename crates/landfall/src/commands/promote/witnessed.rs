//! What is seen now of images where they run: whether their workloads are well, and what the declared checks find.

use std::time::Instant;

use landfall_delivery::{
    Bounds, CheckResult, NetworkReach, Prober, Session, Sighting, Smoke, Standpoint, Tags, Unit, Verdict,
};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure, Hosting, Place};
use landfall_project::{Check, ReportLevel};
use landfall_promote::{CHECK, REPORT, TestedImage, level_word, report_findings};
use landfall_server::api::EvidenceLine;
use landfall_server::{Looked, Sighted, UNMADE, of_check};

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

/// What is said of a check that was left out.
const TAKEN_AS_SEEN: &str = "taken as seen: what it asks is not simulated";

/// Whether a line tells of a check that was not made: it says nothing of what runs, and is written down nowhere.
pub(super) fn is_unmade(line: &EvidenceLine) -> bool {
    line.what.starts_with(CHECK) && (line.detail == TAKEN_AS_SEEN || line.detail.starts_with(UNMADE))
}

/// What is seen of what is declared in a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    sightings: Vec<Sighting>,
    /// Why units are not well as wholes: by their names, with the namespace where it tells releases apart.
    troubles: Vec<(Option<String>, String, String)>,
}

impl View {
    /// Looks at units where they are delivered.
    pub(crate) async fn of(session: &Session, units: &[Unit]) -> Result<Self, Vec<Diagnostic>> {
        let wanted: Vec<_> = units.iter().map(|unit| (unit.namespace.clone(), unit.name.clone())).collect();
        let status = session.status(&wanted).await?;
        let ill = status.units.into_iter().filter(|unit| !matches!(unit.status.as_str(), "deployed" | "synced"));
        let troubles = ill.map(|unit| {
            let why = format!("{} is {}", unit.name, unit.status);
            // An Application is called so wherever it delivers.
            ((unit.revision > 0).then_some(unit.namespace), unit.name, why)
        });
        Ok(View { troubles: troubles.collect(), sightings: session.sightings(units).await? })
    }

    /// The same over a connection.
    pub(crate) async fn over(
        context: &Context,
        connection: &mut Connection,
        units: &[Unit],
        started: Instant,
    ) -> Result<Self, Failure> {
        let seen =
            live::with_progress(context, connection, started, |session| async move { View::of(&session, units).await });
        seen.await.map_err(Failure::from)
    }

    /// Where nothing is delivered.
    fn nowhere(units: &[Unit], environment: &str) -> Result<Self, Failure> {
        let why = format!("nothing is delivered in {environment}");
        let sightings = Sighting::nowhere(units, &why).map_err(Failure::from)?;
        Ok(View { sightings, troubles: Vec::new() })
    }

    /// What held from before something was done until behind it, with what came of that.
    pub(crate) async fn during<T>(
        session: &Session,
        units: &[Unit],
        work: impl Future<Output = Result<T, Vec<Diagnostic>>>,
    ) -> Result<(T, Self), Vec<Diagnostic>> {
        let before = session.sightings(units).await?;
        let done = work.await?;
        let after = View::of(session, units).await?;
        Ok((done, View { sightings: Sighting::held(&before, after.sightings), ..after }))
    }

    /// What it says of images, with what checks found meanwhile.
    pub(crate) fn of_images(&self, environment: &str, images: &[TestedImage], checks: &[EvidenceLine]) -> Sighted {
        let troubles = |(namespace, name): &(String, String)| {
            let is_it = |it: &&(Option<String>, String, String)| {
                it.1 == *name && it.0.as_ref().is_none_or(|one| one == namespace)
            };
            self.troubles.iter().find(is_it).map(|(_, _, why)| why.clone())
        };
        Looked { environment, images, sightings: &self.sightings, troubles: &troubles, checks }.sighted()
    }
}

/// Looks at a place and says what was seen of images there; what is not delivered runs nowhere.
pub(crate) async fn look(
    context: &Context,
    place: &Place,
    units: &[Unit],
    images: &[TestedImage],
    unmade: Unmade,
    started: Instant,
) -> Result<Sighted, Failure> {
    let environment = place.environment.clone().unwrap_or_default();
    if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
        return Ok(View::nowhere(units, &environment)?.of_images(&environment, images, &[]));
    }
    let checks = place.declared().map(|environment| environment.checks.clone()).unwrap_or_default();
    let tags = Tags::Of(images.iter().map(|image| format!("{}:{}", image.repository, image.tag)).collect());
    let mut connection = context.host.connect(place, Hosting::InProcess, &[]).await?;
    let seen = live::with_progress(context, &mut connection, started, |session| async move {
        let from = Standpoint::Routes(session.routes.clone());
        let prober = Prober {
            cluster: Some(&session.cluster),
            bounds: Bounds::default(),
            reach: NetworkReach::default(),
            progress: &session.progress,
            stop: &session.stop,
        };
        let asked = Smoke { checks: &checks, tags, from };
        let (results, view) = View::during(&session, units, prober.smoke(&asked)).await?;
        Ok::<_, Vec<Diagnostic>>((view, results, checks))
    })
    .await;
    connection.close().await;
    let (view, results, checks) = seen.map_err(Failure::from)?;
    Ok(view.of_images(&environment, images, &of_checks(&environment, &results, &checks, unmade)))
}

/// What checks have found, of whatever ran while they were made: each with what stands for how it is declared.
pub(super) fn of_checks(
    environment: &str,
    results: &[CheckResult],
    declared: &[Check],
    unmade: Unmade,
) -> Vec<EvidenceLine> {
    let one = |result: &CheckResult| {
        let line = of_check(environment, result, declared);
        match &result.verdict {
            Verdict::NotSimulated { .. } if unmade == Unmade::LeftOut => {
                EvidenceLine { passed: true, detail: TAKEN_AS_SEEN.to_owned(), ..line }
            }
            _ => line,
        }
    };
    results.iter().map(one).collect()
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
            let word = level_word(level);
            lines.extend(images.iter().map(|image| EvidenceLine {
                digest: image.digest.clone(),
                environment: environment.to_owned(),
                what: format!("{REPORT}{tool}"),
                passed: count == 0,
                detail: format!("{count} of level {word} and above"),
                made_as: word.to_owned(),
                ..EvidenceLine::default()
            }));
        }
    }
    Ok(lines)
}

/// Largest report that is read, in bytes.
const LARGEST_REPORT: u64 = 32 << 20;

//! `template --validate` and `template --dry-run=server`: the same rendering, held against a cluster.
//!
//! As `helm`, and where a kubeconfig is named by a flag, against that cluster, as an installation would be. In our own
//! voice otherwise against an empty embedded cluster in memory, which knows the kinds of Kubernetes, those of the
//! chart's `crds/`, and those of the operators that it can stand in for; every field has to be one that the kind has.

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_chart::{
    Capabilities, Chart, Dialect, ReleaseInfo, RenderOptions, Rendered, ValueLayers, Warnings, render, render_warning,
};
use landfall_cluster::{Cluster, DryRun, FieldValidation, WriteOptions};
use landfall_delivery::Offers;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Operators, in_memory};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_release::{Content, DeployOptions, InstallOptions, OwnershipCheck, manifest_objects};

use super::deploy::unreachable_first;
use super::flags::Flags;
use super::session::{Session, on_cluster, told};
use super::{Stop, Voice, World, log};

/// What a rendering needs.
pub(super) struct Work<'a> {
    /// The chart.
    pub(super) chart: &'a Chart,
    /// What the user gave.
    pub(super) layers: &'a ValueLayers,
    /// What `.Release` shows.
    pub(super) release: &'a ReleaseInfo,
    /// What `.Capabilities` shows without a cluster.
    pub(super) capabilities: &'a Capabilities,
    /// How to render.
    pub(super) options: &'a RenderOptions,
}

impl Work<'_> {
    fn render(&self, capabilities: &Capabilities, options: &RenderOptions) -> Result<Rendered, Stop> {
        let mut before = Warnings::default();
        render_warning(self.chart, self.layers, self.release, capabilities, options, &mut before).map_err(|error| {
            log(&before.0);
            error.into()
        })
    }

    /// The same on a thread of its own, where `lookup` may wait for the cluster.
    async fn render_looking(&self, session: &Session<'_>, capabilities: Capabilities) -> Result<Rendered, Stop> {
        let options = RenderOptions { lookup: Some(session.lookup()), ..self.options.clone() };
        let (chart, layers, release) = (self.chart.clone(), self.layers.clone(), self.release.clone());
        let work = move || render(&chart, &layers, &release, &capabilities, &options);
        let ended = tokio::task::spawn_blocking(work).await;
        ended.map_err(|error| Stop::words(code::BUG, format!("rendering ended unexpectedly: {error}")))?.map_err(
            |error| {
                log(&self.chart.warnings);
                error.into()
            },
        )
    }

    fn looks_up(&self) -> bool {
        fn any(chart: &Chart) -> bool {
            chart.templates.iter().any(|file| file.text().contains("lookup")) || chart.dependencies.iter().any(any)
        }
        any(self.chart)
    }
}

/// Renders as flags ask for it; `None` when no cluster is asked for.
pub(super) fn live(world: &World<'_>, flags: &Flags, work: &Work<'_>) -> Result<Option<Rendered>, Stop> {
    let server = flags.text("dry-run") == Some("server");
    // Helm 4 makes one of both: a chart that is tried on the server is held against it too.
    let one = world.voice == Voice::Helm && super::dialect(world, flags)? == Dialect::V4;
    let looking = (server || one) && work.looks_up();
    if flags.is("validate") || (one && server) {
        let named = ["kubeconfig", "kube-context", "kube-apiserver"].iter().any(|flag| flags.text(flag).is_some());
        if world.voice == Voice::Landfall && !named {
            let rendered = work.render(work.capabilities, work.options)?;
            world.wait_for(validate_here(&rendered, &work.release.namespace))?;
            return Ok(Some(rendered));
        }
        let validated = on_cluster(world, flags, async |session| validate(session, work, looking).await);
        return validated.map(Some).map_err(|stop| if one { unreachable_first(world, flags, stop) } else { stop });
    }
    if looking {
        let rendered =
            on_cluster(world, flags, async |session| work.render_looking(session, work.capabilities.clone()).await)?;
        return Ok(Some(rendered));
    }
    Ok(None)
}

/// As an installation would be checked (pkg/action/install.go).
async fn validate(session: &Session<'_>, work: &Work<'_>, looking: bool) -> Result<Rendered, Stop> {
    let capabilities = session.reached.capabilities().await?;
    let rendered = if looking {
        work.render_looking(session, capabilities).await?
    } else {
        work.render(&capabilities, work.options)?
    };
    let content = Content::of(&rendered).map_err(|error| told(&error))?;
    let upgrade = session.flags.is("is-upgrade") || session.flags.is("take-ownership");
    let ownership = if upgrade { OwnershipCheck::Take } else { OwnershipCheck::Strict };
    let options = InstallOptions {
        deploy: DeployOptions { ownership, ..DeployOptions::default() },
        skip_crds: true,
        rehearsal: true,
        ..InstallOptions::default()
    };
    session.releases.prepare_install(&work.release.name, content, &options).await.map_err(|error| told(&error))?;
    Ok(rendered)
}

/// Holds every object against an empty cluster of our own.
async fn validate_here(rendered: &Rendered, namespace: &str) -> Result<(), Stop> {
    let embedded = in_memory()
        .await
        .map_err(|failure| Stop::of_host(failure, code::EMBEDDED_UNOPENED, "the embedded cluster cannot be opened"))?;
    let cluster = Cluster::new(embedded.client());
    let content = Content::of(rendered).map_err(|error| told(&error))?;
    let mut objects = Vec::new();
    for entry in manifest_objects(&content.manifest).map_err(|error| told(&error))? {
        objects.push((entry.path, entry.object));
    }
    for hook in &content.hooks {
        for entry in manifest_objects(&hook.manifest).map_err(|error| told(&error))? {
            objects.push((hook.path.clone(), entry.object));
        }
    }
    let definitions = content.crds.iter().flat_map(|file| file.objects.clone());
    let definitions: Vec<Object> = definitions
        .chain(
            objects
                .iter()
                .map(|(_, object)| object)
                .filter(|object| object.kind() == "CustomResourceDefinition")
                .cloned(),
        )
        .collect();
    for definition in &definitions {
        define(&cluster, definition).await;
    }
    let mut wrong: Vec<String> = Vec::new();
    let mut namespaces = BTreeSet::new();
    let options =
        WriteOptions { dry_run: DryRun::Server, field_validation: FieldValidation::Strict, ..WriteOptions::default() };
    for (path, object) in objects {
        if cluster.resource(&object.gvk()).await.is_err()
            && let Some((_, offered)) = Operators.definitions(&object.gvk())
        {
            for definition in &offered {
                define(&cluster, definition).await;
            }
        }
        let what = format!("{path}: {} {}", object.kind(), object.name());
        let placed = match cluster.place(object, namespace).await {
            Ok(placed) => placed,
            Err(error) => {
                wrong.push(format!("{what}: {}", error.diagnose().message));
                continue;
            }
        };
        if let Some(home) = placed.namespace()
            && namespaces.insert(home.to_owned())
        {
            let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, home);
            // One that is there already is as good.
            let _there = cluster.create(&Object::new(&key), &WriteOptions::default()).await;
        }
        match cluster.create(&placed, &options).await {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {}
            Err(error) => wrong.push(format!("{what}: {error}")),
        }
    }
    embedded.stop();
    let Some(first) = wrong.first() else { return Ok(()) };
    let mut diagnostic = Diagnostic::error(
        code::NOT_VALID_HERE,
        match wrong.len() {
            1 => first.clone(),
            count => format!("{count} objects are not valid"),
        },
    );
    if wrong.len() > 1 {
        for one in &wrong {
            diagnostic = diagnostic.note(one.clone());
        }
    }
    Err(Stop::said(wrong.join("\n"), diagnostic))
}

/// Makes a kind known and waits until it is served.
async fn define(cluster: &Cluster, definition: &Object) {
    let _there = cluster.create(definition, &WriteOptions::default()).await;
    let text = |pointer: &str| definition.str_at(pointer).unwrap_or_default().to_owned();
    let version = definition.list_at("/spec/versions").first().and_then(|version| version["name"].as_str());
    let gvk = Gvk::new(text("/spec/group"), version.unwrap_or_default(), text("/spec/names/kind"));
    for _ in 0..200 {
        cluster.forget_discovery();
        if cluster.resource(&gvk).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

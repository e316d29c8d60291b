//! The fields of kustomizations and of Kustomize's built-in plug-ins, and what they name
//! (kustomize: api/types/kustomization.go, api/internal/builtins).

/// What a field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// No file.
    Nothing,
    /// Files and directories, in a list.
    Resources,
    /// Directories, in a list.
    Components,
    /// Files, in a list.
    Files,
    /// A file.
    File,
    /// Files or patches themselves, in a list.
    Texts,
    /// Patches with their files.
    Patches,
    /// Replacements with their files.
    Replacements,
    /// A schema's file.
    Schema,
    /// What is generated, with its files.
    Generated,
    /// `[KEY=]FILE`, in a list.
    Sources,
    /// Configurations of plug-ins.
    Plugins,
    /// Charts, for another program.
    Charts,
}

type Fields = (&'static str, Names);

pub(super) const OF_KUSTOMIZATIONS: [Fields; 35] = [
    ("apiVersion", Names::Nothing),
    ("kind", Names::Nothing),
    ("metadata", Names::Nothing),
    ("openapi", Names::Schema),
    ("namePrefix", Names::Nothing),
    ("nameSuffix", Names::Nothing),
    ("namespace", Names::Nothing),
    ("commonLabels", Names::Nothing),
    ("labels", Names::Nothing),
    ("commonAnnotations", Names::Nothing),
    ("patchesStrategicMerge", Names::Texts),
    ("patchesJson6902", Names::Patches),
    ("patches", Names::Patches),
    ("images", Names::Nothing),
    ("imageTags", Names::Nothing),
    ("replacements", Names::Replacements),
    ("replicas", Names::Nothing),
    ("vars", Names::Nothing),
    ("sortOptions", Names::Nothing),
    ("resources", Names::Resources),
    ("components", Names::Components),
    ("crds", Names::Files),
    ("bases", Names::Resources),
    ("configMapGenerator", Names::Generated),
    ("secretGenerator", Names::Generated),
    ("helmGlobals", Names::Charts),
    ("helmCharts", Names::Charts),
    ("helmChartInflationGenerator", Names::Charts),
    ("generatorOptions", Names::Nothing),
    ("configurations", Names::Files),
    ("generators", Names::Plugins),
    ("transformers", Names::Plugins),
    ("validators", Names::Plugins),
    ("buildMetadata", Names::Nothing),
    // Of older ones.
    ("inventory", Names::Nothing),
];

pub(super) const OF_PATCHES: [Fields; 4] =
    [("path", Names::File), ("patch", Names::Nothing), ("target", Names::Nothing), ("options", Names::Nothing)];

pub(super) const OF_REPLACEMENTS: [Fields; 4] =
    [("path", Names::File), ("source", Names::Nothing), ("sourceValue", Names::Nothing), ("targets", Names::Nothing)];

pub(super) const OF_SCHEMAS: [Fields; 2] = [("path", Names::File), ("version", Names::Nothing)];

pub(super) const OF_GENERATED: [Fields; 9] = [
    ("name", Names::Nothing),
    ("namespace", Names::Nothing),
    ("behavior", Names::Nothing),
    ("literals", Names::Nothing),
    ("files", Names::Sources),
    ("envs", Names::Files),
    ("env", Names::File),
    ("options", Names::Nothing),
    ("type", Names::Nothing),
];

const GENERATING: &[Fields] = &[("files", Names::Sources), ("envs", Names::Files), ("env", Names::File)];
const WITH_PATH: &[Fields] = &[("path", Names::File)];

/// The built-in plug-ins by their kinds, with those of their fields that name files; the one that runs Helm is not among them.
pub(super) const OF_PLUGINS: [(&str, &[Fields]); 18] = [
    ("AnnotationsTransformer", &[]),
    ("ConfigMapGenerator", GENERATING),
    ("HashTransformer", &[]),
    ("IAMPolicyGenerator", &[]),
    ("ImageTagTransformer", &[]),
    ("LabelTransformer", &[]),
    ("NamespaceTransformer", &[]),
    ("PatchJson6902Transformer", WITH_PATH),
    ("PatchStrategicMergeTransformer", &[("paths", Names::Texts)]),
    ("PatchTransformer", WITH_PATH),
    ("PrefixSuffixTransformer", &[]),
    ("PrefixTransformer", &[]),
    ("ReplacementTransformer", &[("replacements", Names::Replacements)]),
    ("ReplicaCountTransformer", &[]),
    ("SecretGenerator", GENERATING),
    ("SortOrderTransformer", &[]),
    ("SuffixTransformer", &[]),
    ("ValueAddTransformer", &[("targetFilePath", Names::File)]),
];

/// A field's name as Go's encoding/json compares it: without case, also of the two letters beyond ASCII that fold into it.
pub(super) fn fold(name: &str) -> String {
    let folded = name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    folded.collect()
}

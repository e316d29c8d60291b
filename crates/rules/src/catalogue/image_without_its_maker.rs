use landfall_diag::{Finding, Severity};

use crate::pods::image_parts;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF365",
    title: "an image is named with its maker where its registry has no others",
    severity: Severity::Error,
    why: "Some registries keep every image below the name of who made it. One that stands there alone is a maker without an \
          image, or an image without its maker: there is none of that name, and no pod starts.",
    advice: "Write maker and image: `ghcr.io/acme/web`.",
    check,
};

/// Registries that have no image without its maker's name in front.
// ORIGIN: docs.github.com, working with the container registry (`ghcr.io/NAMESPACE/IMAGE_NAME`); docs.projectquay.io (`quay.io/namespace/repo`);
// cloud.google.com/container-registry (`gcr.io/PROJECT-ID/IMAGE`); docs.aws.amazon.com/AmazonECR (`public.ecr.aws/registry_alias/repository`);
// docs.gitlab.com, container registry (`registry.gitlab.com/group/project`).
const OF_MAKERS: &[&str] =
    &["ghcr.io", "quay.io", "gcr.io", "eu.gcr.io", "us.gcr.io", "asia.gcr.io", "public.ecr.aws", "registry.gitlab.com"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let (Some(registry), path) = image_parts(container.image()) else { continue };
            if path.is_empty() || path.contains('/') || !OF_MAKERS.contains(&registry) {
                continue;
            }
            findings.push(
                RULE.finding(format!("image `{registry}/{path}` names a maker or an image, and not both"))
                    .because(format!("`{registry}` has no such image, so it cannot be pulled and the pod never starts"))
                    .at(desired.spot_at(&format!("{}.image", container.path))),
            );
        }
    }
    findings
}

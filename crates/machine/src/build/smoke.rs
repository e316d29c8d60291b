//! Built images run for a moment.

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_diag::{Diagnostic, code};
use landfall_source::Order;

use super::{Builder, ImageBuild};

/// How long an image must run.
const MOMENT: Duration = Duration::from_secs(3);
/// Lines of its log that are shown.
const LINES: &str = "20";

impl Builder {
    /// Runs an image for a moment, as its own entry point says.
    ///
    /// # Errors
    /// When it cannot be started, or ends before the moment is over; with what it wrote last.
    #[boxed]
    pub async fn smoke(self, image: &ImageBuild) -> Result<(), Diagnostic> {
        if self == Builder::BuildKit {
            return Err(Diagnostic::error(code::NO_SMOKE, "buildctl builds images and runs none")
                .help("leave --smoke out, or install docker or podman"));
        }
        let name = format!("landfall-smoke-{}-{}", std::process::id(), image.service);
        let order = |words: &[&str]| Order::new(self.name(), words.iter().copied());
        let run = order(&["run", "--detach", "--name", &name, &image.image]);
        let started = run.said().await;
        let outcome = match started {
            Err(refusal) => {
                Err(refusal.told(code::SMOKE_UNSTARTED, format!("the image of {} cannot be started", image.service)))
            }
            Ok(_) => {
                let wait = order(&["wait", &name]);
                let ended = tokio::time::timeout(MOMENT, wait.said()).await;
                match ended {
                    Err(_) => Ok(()),
                    Ok(Err(refusal)) => Err(refusal
                        .told(code::SMOKE_UNSTARTED, format!("the image of {} cannot be watched", image.service))),
                    Ok(Ok(code)) => {
                        let log = order(&["logs", "--tail", LINES, &name]).said().await.unwrap_or_default();
                        let message = format!(
                            "the image of {} ends at once (exit {}): {}",
                            image.service,
                            code.trim(),
                            image.image
                        );
                        let diagnostic = Diagnostic::error(code::SMOKE_FAILED, message);
                        Err(if log.trim().is_empty() { diagnostic } else { diagnostic.note(log.trim().to_owned()) })
                    }
                }
            }
        };
        let _gone_already = order(&["rm", "--force", &name]).said().await;
        outcome
    }
}

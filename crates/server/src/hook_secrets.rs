//! What forges sign with: what the environment says, and what was rotated since, in a file of the server's owner alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_diag::{Diagnostic, code};
use landfall_engine::Clock;
use landfall_host::StateDir;
use landfall_source::HookSecret;
use serde::{Deserialize, Serialize};

/// The file, in the state directory.
const FILE: &str = "webhook.json";
/// Random bytes of a secret.
const BYTES: usize = 32;

/// The file's content.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// Newest last.
    secrets: Vec<KeptSecret>,
    /// Until when those of the environment are good: since the first rotation they are old.
    environment_until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct KeptSecret {
    value: String,
    since: Timestamp,
    /// Until when it is good; without an end while it is the newest.
    until: Option<Timestamp>,
}

/// A new secret, and until when the old ones are good beside it.
pub struct RotatedSecret {
    /// It, for the forge.
    pub secret: String,
    /// Until then.
    pub former_until: Timestamp,
    /// Whether one was made here before; that a server's environment holds another one is not known here.
    pub has_former: bool,
}

/// Makes a new secret; those before it are good for a while longer.
///
/// # Errors
/// The file cannot be read or written.
pub fn rotate_hook_secret(state: &StateDir, now: Timestamp, overlap: Duration) -> Result<RotatedSecret, Diagnostic> {
    let path = state.file(FILE);
    let mut kept = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(&path, error.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
        Err(error) => return Err(unreadable(&path, error.to_string())),
    };
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Diagnostic::error(code::BUG, "the system gives no random numbers"))?;
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let former_until = now
        .checked_add(overlap)
        .map_err(|_| Diagnostic::error(code::BAD_ARGUMENTS, "no calendar goes as far as that overlap would"))?;
    kept.secrets.retain(|one| one.until.is_none_or(|until| until > now));
    let has_former = !kept.secrets.is_empty();
    // Nothing of before is good any more, whatever the server's clock says: it may be a simulated one, which is behind.
    let good_until = if overlap.is_zero() { Timestamp::UNIX_EPOCH } else { former_until };
    let earlier = |until: Option<Timestamp>| until.map_or(good_until, |until| until.min(good_until));
    for one in &mut kept.secrets {
        one.until = Some(earlier(one.until));
    }
    kept.environment_until = Some(earlier(kept.environment_until));
    kept.secrets.push(KeptSecret { value: secret.clone(), since: now, until: None });
    let text = serde_json::to_vec_pretty(&kept).map_err(|error| unreadable(&path, error.to_string()))?;
    state.write_private(FILE, &text)?;
    Ok(RotatedSecret { secret, former_until, has_former })
}

fn unreadable(path: &std::path::Path, why: String) -> Diagnostic {
    Diagnostic::error(code::BAD_HOOK_SECRETS, format!("the secrets of webhooks in `{}` cannot be read", path.display()))
        .note(why)
        .help("remove the file, and give the forge a new one: landfall webhook secret rotate")
}

/// The secrets that are good.
pub(crate) struct HookSecrets {
    environment: Vec<HookSecret>,
    path: PathBuf,
    clock: Arc<dyn Clock>,
}

impl HookSecrets {
    pub(crate) fn new(environment: Vec<HookSecret>, state: &StateDir, clock: Arc<dyn Clock>) -> Self {
        HookSecrets { environment, path: state.file(FILE), clock }
    }

    /// Those that are good now: a rotation counts from the next request on, a file that cannot be read lets nobody in by it.
    pub(crate) fn known(&self) -> Vec<HookSecret> {
        let now = self.clock.now();
        let kept: Kept = match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::error!("{}: {error}", self.path.display());
                Kept::default()
            }),
            Err(_) => Kept::default(),
        };
        let is_good = |until: Option<Timestamp>| until.is_none_or(|until| now < until);
        let of_environment = self.environment.iter().filter(|_| is_good(kept.environment_until)).cloned();
        let rotated =
            kept.secrets.iter().filter(|one| is_good(one.until)).filter_map(|one| HookSecret::new(&one.value));
        of_environment.chain(rotated).collect()
    }
}

#[cfg(test)]
mod tests {
    use landfall_source::Hook;

    use super::*;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }

        fn sleep(&self, _: Duration) -> futures::future::BoxFuture<'static, ()> {
            Box::pin(async {})
        }
    }

    #[test]
    fn se_049_an_old_secret_is_refused_after_the_overlap() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = StateDir::at(directory.path().join("state"));
        state.create().expect("made");
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let first = rotate_hook_secret(&state, at(100), Duration::from_secs(50)).expect("rotated");
        let second = rotate_hook_secret(&state, at(200), Duration::from_secs(50)).expect("rotated");
        assert_eq!((first.secret.len(), second.former_until), (64, at(250)));
        assert!(!first.has_former && second.has_former);
        let opens = |secret: &str, second: i64| {
            let environment = HookSecret::new("of the environment").into_iter().collect();
            let known = HookSecrets::new(environment, &state, Arc::new(At(at(second)))).known();
            let header = |name: &str| (name == "x-gitlab-token").then_some(secret);
            Hook::read(&known, header, b"{}").is_ok()
        };
        assert!(opens("of the environment", 149) && !opens("of the environment", 150), "it is old since the first one");
        assert!(opens(&first.secret, 249) && !opens(&first.secret, 250));
        assert!(opens(&second.secret, 100_000));
        assert!(!opens("another", 0));
        let mode = std::os::unix::fs::PermissionsExt::mode(&state.file(FILE).metadata().expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

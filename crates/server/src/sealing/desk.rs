//! What may be read of the controller while it works: the keys, for who answers kubeseal, and counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use landfall_secrets::Keyring;
use landfall_secrets::control::Refusal;
use parking_lot::{Mutex, RwLock};

use super::Name;

/// It.
#[derive(Default)]
pub(crate) struct Desk {
    keyring: RwLock<Arc<Keyring>>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: u64,
    /// By reason and namespace.
    errors: BTreeMap<(&'static str, String), u64>,
    /// 1 for what opens, -1 for what does not.
    conditions: BTreeMap<Name, i8>,
    stands_back: bool,
}

impl Desk {
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read())
    }

    pub(super) fn keys(&self, keyring: Keyring) {
        *self.keyring.write() = Arc::new(keyring);
    }

    pub(super) fn stands_back(&self, is_back: bool) {
        self.counts.lock().stands_back = is_back;
    }

    pub(super) fn dealt(&self, name: &Name, refusal: Option<&Refusal>) {
        let mut counts = self.counts.lock();
        counts.requests += 1;
        counts.conditions.insert(name.clone(), if refusal.is_some() { -1 } else { 1 });
        if let Some(refusal) = refusal {
            let reason = match refusal.reason {
                "ErrUnsealFailed" => "unseal",
                _ if refusal.said.ends_with("is not managed by SealedSecret") => "unmanaged",
                _ => "update",
            };
            *counts.errors.entry((reason, name.0.clone())).or_default() += 1;
        }
    }

    pub(super) fn failed(&self, name: &Name) {
        let mut counts = self.counts.lock();
        counts.requests += 1;
        *counts.errors.entry(("update", name.0.clone())).or_default() += 1;
    }

    /// What Prometheus asks for, under the original's names.
    pub(super) fn metrics(&self) -> String {
        let counts = self.counts.lock();
        let mut text = String::new();
        let mut line = |words: std::fmt::Arguments<'_>| {
            // A text takes all that is written.
            let _written = writeln!(text, "sealed_secrets_controller_{words}");
        };
        line(format_args!("unseal_requests_total {}", counts.requests));
        for ((reason, namespace), count) in &counts.errors {
            line(format_args!("unseal_errors_total{{reason=\"{reason}\",namespace=\"{namespace}\"}} {count}"));
        }
        for ((namespace, name), value) in &counts.conditions {
            line(format_args!(
                "condition_info{{namespace=\"{namespace}\",name=\"{name}\",condition=\"Synced\"}} {value}"
            ));
        }
        line(format_args!("stands_back {}", u8::from(counts.stands_back)));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_has_the_originals_names() {
        let desk = Desk::default();
        let name = ("shop".to_owned(), "keys".to_owned());
        desk.dealt(&name, None);
        let words = "Resource \"keys\" already exists and is not managed by SealedSecret".to_owned();
        desk.dealt(&name, Some(&Refusal::unwritten(words)));
        let text = desk.metrics();
        for wanted in [
            "sealed_secrets_controller_unseal_requests_total 2\n",
            "sealed_secrets_controller_unseal_errors_total{reason=\"unmanaged\",namespace=\"shop\"} 1\n",
            "sealed_secrets_controller_condition_info{namespace=\"shop\",name=\"keys\",condition=\"Synced\"} -1\n",
        ] {
            assert!(text.contains(wanted), "{text}");
        }
    }
}

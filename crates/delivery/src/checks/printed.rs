//! A copy of a Secret's value that somebody else keeps: an identity provider prints the client secret that it knows.
//!
//! Neither the value nor what was printed leaves this file. What differs is told by two fingerprints that nobody can try a
//! value against, and by what is remembered of the key: which of the two is from before.

use landfall_cluster::Executed;
use landfall_object::{Gvk, ObjectKey, SIMULATED};
use landfall_project::{ExecCheck, PrintsCheck};
use landfall_secrets::{Fingerprint, Masked, PlainSecret, Recognised, Recorded, is_same};

use super::verdict::Verdict;
use crate::inside::{self, Ended, Inside, excerpt, out_of_bounds, words};
use crate::life::{SealingController, remembered};

/// Runs the command, whose output must be the value, and nothing else but the end of its line or quotes around it.
pub(super) async fn exec(inside: &Inside<'_>, check: &ExecCheck, wanted: &PrintsCheck) -> (Verdict, bool) {
    let Ended { namespace: beside, of: ended, simulated } = match inside::run(inside, check).await {
        Ok(ended) => ended,
        Err(verdict) => return verdict,
    };
    let namespace = wanted.namespace.as_ref().map_or(beside, ToString::to_string);
    let shown = format!("Secret {namespace}/{}", wanted.secret);
    let failed = |reason: String| (Verdict::Failed { reason }, simulated);
    if !inside.may_see(Some(&namespace)) {
        return failed(out_of_bounds(&namespace));
    }
    let cluster = inside.cluster;
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(&namespace), wanted.secret.as_str());
    let secret = match cluster.get(&key).await {
        Ok(Some(secret)) => secret,
        Ok(None) if wanted.namespace.is_none() => {
            return failed(format!("there is no {shown}; where it is elsewhere, `namespace` under `prints` says so"));
        }
        Ok(None) => return failed(format!("there is no {shown}")),
        Err(error) => return failed(words(&error)),
    };
    if secret.annotation(SIMULATED).is_some() {
        return (Verdict::NotSimulated { reason: format!("{shown} is a stand-in: its values are placeholders") }, true);
    }
    let plain = PlainSecret::read(secret.value()).ok().flatten();
    let Some(value) = plain.and_then(|mut plain| plain.data.remove(wanted.key.as_str())) else {
        return failed(format!("{shown} has no key `{}`", wanted.key));
    };
    let ledger = remembered(cluster, &SealingController::default().namespace).await;
    let recorded = ledger.as_ref().ok().and_then(|ledger| ledger.of(&namespace, wanted.secret.as_str()));
    (judged(ended, &value, wanted.key.as_str(), &shown, recorded), simulated)
}

/// What a command that ended says of a value.
fn judged(ended: Executed, value: &Masked, key: &str, shown: &str, recorded: Option<&Recorded>) -> Verdict {
    let failed = |reason: String| Verdict::Failed { reason };
    let printed = Masked::new(ended.stdout.into_bytes());
    if ended.exit != 0 {
        // What it complains of is no value, unless it repeats one.
        let repeats = !value.reveal().is_empty() && ended.stderr.contains(&*String::from_utf8_lossy(value.reveal()));
        let said = if repeats { String::new() } else { excerpt(&ended.stderr) };
        return failed(format!("it ended with {}{said}", ended.exit));
    }
    let line = printed.reveal().trim_ascii_end();
    let bare = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    if bare.is_empty() {
        return failed(format!("it prints nothing, where the value of `{key}` was to be"));
    }
    let ours = value.reveal().trim_ascii_end();
    if [line, bare].into_iter().any(|form| is_same(&Masked::from(form), &Masked::from(ours))) {
        return Verdict::Passed;
    }
    let theirs = Masked::from(bare);
    let prints = match Fingerprint::apart(&theirs, &Masked::from(ours)) {
        Ok([theirs, ours]) => format!("fingerprint {theirs} there, {ours} in {shown}"),
        Err(error) => error.to_string(),
    };
    let known = match recorded.map(|recorded| recorded.recognise(key, &theirs)) {
        Some(Ok(Recognised::Retired)) => "; it has one from before the last change",
        Some(Ok(Recognised::Present)) => "; it has the one that was made last, and the Secret does not have it yet",
        Some(Ok(Recognised::Of(_))) => "; it has that of another key",
        _ => "",
    };
    failed(format!("it has another value of `{key}`: {prints}{known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str, stderr: &str, exit: i32, recorded: Option<&Recorded>) -> String {
        let ended = Executed { stdout: stdout.to_owned(), stderr: stderr.to_owned(), exit, undeclared: false };
        match judged(ended, &Masked::from(&b"canary-now"[..]), "TOKEN", "Secret shop/keys", recorded) {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Failed { reason } => {
                assert!(!reason.contains("canary"), "{reason}");
                reason
            }
            Verdict::NotSimulated { reason } => format!("not simulated: {reason}"),
        }
    }

    #[test]
    fn lp_40_a_copy_is_the_same_in_whatever_form_it_is_printed_and_another_is_told_without_either() {
        for same in ["canary-now", "canary-now\n", "canary-now\r\n", "\"canary-now\"\n"] {
            assert_eq!(said(same, "", 0, None), "passed", "{same:?}");
        }
        for other in
            ["canary-before\n", "canary-now canary\n", "a\ncanary-now\n", "canary-no\n", "canary-nowx\n", "'\n"]
        {
            let told = said(other, "", 0, None);
            assert!(told.contains("it has another value of `TOKEN`: fingerprint "), "{told}");
            let prints: Vec<&str> = told.split(|it: char| !it.is_ascii_hexdigit()).filter(|it| it.len() == 8).collect();
            assert!(matches!(prints.as_slice(), [theirs, ours] if theirs != ours), "{told}");
        }
        assert!(said(" \n", "", 0, None).contains("prints nothing"));
        assert_eq!(said("canary-now", "no such client", 3, None), "it ended with 3; it says: no such client");
        assert_eq!(said("", "bad canary-now", 1, None), "it ended with 1");
    }

    #[test]
    fn which_side_is_from_before_is_told_where_it_is_remembered() {
        let mut recorded = Recorded::default();
        for (key, value) in [("TOKEN", "canary-before"), ("TOKEN", "canary-now"), ("OTHER", "canary-other")] {
            let print = Fingerprint::of(&Masked::from(value.as_bytes())).expect("made");
            recorded.know(key, &print);
        }
        let told = |printed: &str| said(printed, "", 0, Some(&recorded));
        assert!(told("canary-before").contains("one from before the last change"), "{}", told("canary-before"));
        assert!(told("canary-other").contains("that of another key"));
        assert!(told("something").ends_with("in Secret shop/keys"));
    }
}

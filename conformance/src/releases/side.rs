//! One side of a comparison: programs, a namespace, and what stands in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use crate::limited;

use super::compare::{decoded, normalised, scrubbed};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// How long what a command has left behind may take to come to rest.
const SETTLING: Duration = Duration::from_secs(5);

/// A program that speaks as Helm.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) words: Vec<String>,
    pub(crate) dialect: Option<&'static str>,
}

/// Where commands run.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) kubectl: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) charts: PathBuf,
}

/// How one command ended, with times and the namespace's name taken out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What stands in the namespace afterwards; null where the command only looked.
    pub(crate) left: Value,
}

impl Place {
    /// Runs a program to its end.
    pub(crate) fn run(
        &self,
        words: &[String],
        variables: &[(String, String)],
    ) -> anyhow::Result<(Option<i32>, String, String)> {
        let (program, arguments) = words.split_first().context("a command without a program")?;
        let out = tempfile::NamedTempFile::new()?;
        let err = tempfile::NamedTempFile::new()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.charts)
            .env_clear()
            .env("HOME", &self.home)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("TZ", "UTC")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out.reopen()?)
            .stderr(err.reopen()?);
        let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        let code = limited::wait(&mut child, LIMIT)?;
        let text = |file: &Path| anyhow::Ok(String::from_utf8_lossy(&std::fs::read(file)?).into_owned());
        Ok((code, text(out.path())?, text(err.path())?))
    }

    fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String, String)> {
        let mut words = vec![self.kubectl.display().to_string()];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        self.run(&words, &[])
    }

    /// An empty namespace, ready for pods.
    pub(crate) fn namespace(&self, name: &str) -> anyhow::Result<()> {
        self.kubectl(&["create", "namespace", name])?;
        let started = Instant::now();
        while self.kubectl(&["-n", name, "get", "serviceaccount", "default"])?.0 != Some(0) {
            anyhow::ensure!(started.elapsed() < LIMIT, "namespace {name} got no service account");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Removes a namespace without waiting for its end.
    pub(crate) fn forget(&self, name: &str) -> anyhow::Result<()> {
        self.kubectl(&["delete", "namespace", name, "--wait=false"]).map(drop)
    }

    /// Removes the definitions that charts have brought.
    pub(crate) fn undefine(&self) -> anyhow::Result<()> {
        self.kubectl(&["delete", "crd", "widgets.x.example.com", "--ignore-not-found", "--timeout=20s"]).map(drop)
    }

    /// The objects of a namespace, once its controllers have seen them and what goes has gone; as they are where that takes long. Of two
    /// programs the slower one would else leave more behind, since the controllers have had more time.
    fn settled(&self, namespace: &str) -> anyhow::Result<Vec<Value>> {
        const KINDS: &str = "configmaps,secrets,deployments,services,statefulsets,persistentvolumeclaims,jobs,pods,roles,serviceaccounts";
        let started = Instant::now();
        loop {
            let (_, out, err) =
                self.kubectl(&["-n", namespace, "get", KINDS, "-o", "json", "--show-managed-fields"])?;
            let list: Value = serde_json::from_str(&out).with_context(|| format!("kubectl get: {err}"))?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            if items.iter().all(is_seen) || started.elapsed() > SETTLING {
                return Ok(items);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The objects of a namespace and the records among them.
    fn left(&self, namespace: &str) -> anyhow::Result<Value> {
        let mut left = serde_json::Map::new();
        for mut object in self.settled(namespace)? {
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let made_by_the_cluster = matches!(name.as_str(), "kube-root-ca.crt" | "default")
                || (kind == "Pod" && object["metadata"]["ownerReferences"].is_array());
            if made_by_the_cluster {
                continue;
            }
            if name.starts_with("sh.helm.release.") {
                left.insert(format!("record {kind} {name}"), decoded(&object)?);
            } else {
                scrubbed(&mut object);
                left.insert(format!("{kind} {name}"), object);
            }
        }
        let text = normalised(&Value::Object(left).to_string(), namespace);
        Ok(serde_json::from_str(&text)?)
    }

    /// Runs one line of a script: `kubectl …`, or arguments of Helm's with variables in front.
    pub(crate) fn step(&self, tool: &Tool, namespace: &str, line: &str) -> anyhow::Result<Ended> {
        let mut words = split(line);
        let mut variables = Vec::new();
        while let Some((name, value)) = words.first().and_then(|word| word.split_once('=')) {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
                break;
            }
            variables.push((name.to_owned(), value.to_owned()));
            words.remove(0);
        }
        let direct = words.first().is_some_and(|word| word == "kubectl");
        let mut all = if direct {
            words.remove(0);
            vec![self.kubectl.display().to_string()]
        } else {
            if let Some(dialect) = tool.dialect {
                variables.push(("LANDFALL_HELM_DIALECT".to_owned(), dialect.to_owned()));
            }
            tool.words.clone()
        };
        all.extend(["-n".to_owned(), namespace.to_owned()]);
        let verb = words.first().cloned().unwrap_or_default();
        let looks = matches!(
            verb.as_str(),
            "list" | "get" | "status" | "history" | "template" | "env" | "show" | "inspect" | "lint" | "version"
        ) || words.iter().any(|word| word.starts_with("--dry-run"));
        all.extend(words);
        let (code, stdout, stderr) = self.run(&all, &variables)?;
        let left = if looks && !direct { Value::Null } else { self.left(namespace)? };
        let clean = |text: &str| normalised(text, namespace);
        // What kubectl prints is not what is compared.
        let (stdout, stderr) = if direct { (String::new(), String::new()) } else { (clean(&stdout), clean(&stderr)) };
        Ok(Ended { code, stdout, stderr, left })
    }
}

/// Whether nothing is under way with an object: it is not going, and a workload's controller has seen it as it is.
fn is_seen(object: &Value) -> bool {
    let is_seen_by_its_controller = match object["kind"].as_str() {
        Some("Deployment" | "StatefulSet") => {
            object["status"]["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64()
        }
        _ => true,
    };
    object["metadata"]["deletionTimestamp"].is_null() && is_seen_by_its_controller
}

/// Words between spaces; single and double quotes keep them together.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(split("a 'b c' --x=\"d e\" ''"), ["a", "b c", "--x=d e", ""]);
    }
}

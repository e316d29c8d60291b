//! The machine that automation logs in to: what its account may do there.

use std::path::{Path, PathBuf};

use landfall_diag::Severity;
use landfall_rules::place::IDENTITY;

use crate::{Area, Kubeconfigs, Observation};

/// A machine's files, and the account that is looked at.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Where its files begin: `/`, or a directory that stands for it.
    pub root: PathBuf,
    /// The account's name.
    pub user: String,
}

/// Where administrators' kubeconfigs lie.
const ADMINISTRATORS: &[&str] = &[
    "etc/rancher/k3s/k3s.yaml",
    "etc/rancher/rke2/rke2.yaml",
    "etc/kubernetes/admin.conf",
    "etc/kubernetes/super-admin.conf",
];
/// Groups whose members may become root.
const GROUPS: &[&str] = &["sudo", "wheel", "admin", "root", "docker", "lxd"];

/// Looks at an account of a machine, without asking any API; `production` are contexts, servers and namespaces that it must not reach.
pub fn machine(machine: &Machine, production: &[String]) -> Vec<Observation> {
    let user = &machine.user;
    let mut seen = vec![Observation::told(
        Area::Host,
        "residual risk",
        "whoever has root, sudo or cluster-admin here can do everything; no rule of a repository holds against that",
    )];
    let Some(account) = account(machine) else {
        seen.push(Observation::not_checked(Area::Host, user.as_str(), "there is no such account on this machine"));
        return seen;
    };
    seen.push(groups(machine, &account));
    seen.extend(sudoers(machine, &account));
    seen.extend(administrators(machine, &account));
    seen.extend(Kubeconfigs::below(machine, &account).observations(production));
    seen
}

/// An account as `/etc/passwd` has it.
pub(crate) struct Account {
    name: String,
    uid: u32,
    gid: u32,
    pub(crate) home: String,
}

pub(crate) fn account(machine: &Machine) -> Option<Account> {
    let text = std::fs::read_to_string(machine.root.join("etc/passwd")).ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
        (*name == machine.user).then(|| {
            Some(Account {
                name: (*name).to_owned(),
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home: home.trim_start_matches('/').to_owned(),
            })
        })?
    })
}

/// The groups of an account: names and numbers.
fn groups_of(machine: &Machine, account: &Account) -> Option<Vec<(String, u32)>> {
    let text = std::fs::read_to_string(machine.root.join("etc/group")).ok()?;
    let groups = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields.as_slice() else { return None };
        let gid: u32 = gid.parse().ok()?;
        let is_in = gid == account.gid || members.split(',').any(|member| member.trim() == account.name);
        is_in.then(|| ((*name).to_owned(), gid))
    });
    Some(groups.collect())
}

fn groups(machine: &Machine, account: &Account) -> Observation {
    let what = format!("groups of {}", account.name);
    let Some(groups) = groups_of(machine, account) else {
        return Observation::not_checked(Area::Host, what, "/etc/group cannot be read");
    };
    let mighty: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).filter(|name| GROUPS.contains(name)).collect();
    match (account.uid, mighty.is_empty()) {
        (0, _) => wrong(what, "it is root".to_owned()),
        (_, true) => Observation::fine(Area::Host, what, "none of them leads to root"),
        (_, false) => wrong(what, format!("it is in {}", mighty.join(", "))),
    }
}

/// The lines of sudo's own files that name the account or a group of it.
fn sudoers(machine: &Machine, account: &Account) -> Vec<Observation> {
    let groups = groups_of(machine, account).unwrap_or_default();
    let mut files = vec![machine.root.join("etc/sudoers")];
    if let Ok(entries) = std::fs::read_dir(machine.root.join("etc/sudoers.d")) {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let mut seen = Vec::new();
    let mut read = 0;
    for file in files.iter().filter(|file| file.is_file() || file.ends_with("etc/sudoers")) {
        let shown = shown(machine, file);
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(_) => {
                seen.push(Observation::not_checked(
                    Area::Host,
                    format!("sudo ({shown})"),
                    "this account may not read it; ask as root",
                ));
                continue;
            }
        };
        read += 1;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let who = line.split_whitespace().next().unwrap_or_default();
            let of_group = who.strip_prefix('%').is_some_and(|group| groups.iter().any(|(name, _)| name == group));
            if who == account.name || of_group || who == "ALL" {
                seen.push(wrong(
                    format!("sudo ({shown})"),
                    format!("{} may become somebody else: `{line}`", account.name),
                ));
            }
        }
    }
    if seen.is_empty() && read > 0 {
        seen.push(Observation::fine(Area::Host, "sudo", format!("{} may not use it", account.name)));
    } else if seen.is_empty() {
        seen.push(Observation::told(Area::Host, "sudo", "has no files on this machine"));
    }
    seen
}

/// The kubeconfigs of the cluster's administrators: readable by nobody but root.
fn administrators(machine: &Machine, account: &Account) -> Vec<Observation> {
    let mut seen = Vec::new();
    for path in ADMINISTRATORS {
        let file = machine.root.join(path);
        let Ok(metadata) = std::fs::symlink_metadata(&file) else { continue };
        let what = format!("/{path}");
        seen.push(match rights(&metadata) {
            Some((mode, _, _)) if mode & 0o077 != 0 => {
                let seen = format!("has mode {:04o}, wanted 0600", mode & 0o7777);
                wrong(what, seen).help(format!("sudo chmod 600 /{path}"))
            }
            Some((_, owner, _)) if owner == account.uid && machine.root == Path::new("/") => {
                wrong(what, format!("belongs to {}", account.name)).help(format!("sudo chown root /{path}"))
            }
            Some((mode, _, _)) => Observation::fine(Area::Host, what, format!("has mode {:04o}", mode & 0o7777)),
            None => Observation::not_checked(Area::Host, what, "this system has no modes"),
        });
    }
    if seen.is_empty() {
        seen.push(Observation::told(Area::Host, "kubeconfigs of administrators", "none at the usual places"));
    }
    seen
}

#[cfg(unix)]
fn rights(metadata: &std::fs::Metadata) -> Option<(u32, u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.mode(), metadata.uid(), metadata.gid()))
}

#[cfg(not(unix))]
fn rights(_: &std::fs::Metadata) -> Option<(u32, u32, u32)> {
    None
}

pub(crate) fn wrong(what: impl Into<String>, seen: String) -> Observation {
    Observation::wrong(
        Area::Host,
        &IDENTITY,
        Severity::Error,
        what,
        seen,
        "automation that logs in here can change production",
    )
}

pub(crate) fn shown(machine: &Machine, path: &Path) -> String {
    path.strip_prefix(&machine.root).map_or_else(|_| path.display().to_string(), |path| format!("/{}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::State;

    /// A directory that stands for a machine with the account `deploy-test`.
    fn at(files: &[(&str, &str, u32)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().expect("a directory");
        let basic = [
            (
                "etc/passwd",
                "root:x:0:0::/root:/bin/sh\ndeploy-test:x:1001:1001::/accounts/deploy-test:/bin/sh\n",
                0o644,
            ),
            ("etc/group", "root:x:0:\nsudo:x:27:ops\ndeploy-test:x:1001:\n", 0o644),
            ("etc/sudoers", "root ALL=(ALL) ALL\n%sudo ALL=(ALL) ALL\n", 0o600),
            ("etc/rancher/k3s/k3s.yaml", "kind: Config\n", 0o600),
        ];
        for (path, text, mode) in basic.iter().chain(files) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).expect("set");
        }
        let machine = Machine { root: root.path().to_owned(), user: "deploy-test".to_owned() };
        (root, machine)
    }

    fn wrongs(files: &[(&str, &str, u32)]) -> Vec<String> {
        let (_root, machine) = at(files);
        let seen = super::machine(&machine, &["sens-production".to_owned()]);
        seen.into_iter().filter(|it| it.state == State::Wrong).map(|it| format!("{} {}", it.what, it.seen)).collect()
    }

    #[test]
    fn se_059_an_account_of_automation_may_not_use_sudo() {
        assert!(wrongs(&[]).is_empty(), "{:?}", wrongs(&[]));
        let group = wrongs(&[("etc/group", "sudo:x:27:ops,deploy-test\n", 0o644)]);
        assert!(group.iter().any(|it| it.contains("it is in sudo")), "{group:?}");
        assert!(group.iter().any(|it| it.contains("%sudo")), "{group:?}");
        let own = wrongs(&[("etc/sudoers.d/deploy", "deploy-test ALL=(root) NOPASSWD: /usr/bin/k3s\n", 0o440)]);
        assert_eq!(own.len(), 1, "{own:?}");
    }

    #[test]
    fn se_060_the_administrators_kubeconfig_is_roots_alone() {
        let open = wrongs(&[("etc/rancher/k3s/k3s.yaml", "kind: Config\n", 0o644)]);
        assert_eq!(open, ["/etc/rancher/k3s/k3s.yaml has mode 0644, wanted 0600"]);
    }

    #[test]
    fn se_061_a_kubeconfig_that_reaches_production_is_found_wherever_it_lies() {
        let config = |namespace: &str| {
            format!(
                "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://192.0.2.1:6443'}}}}]\nusers: [{{name: u, user: {{token: x}}}}]\ncontexts: [{{name: a, context: {{cluster: c, user: u, namespace: {namespace}}}}}]\n"
            )
        };
        for path in ["accounts/deploy-test/.kube/config", "accounts/deploy-test/work/deep/er/kubeconfig.yaml"] {
            assert_eq!(wrongs(&[(path, &config("sens-production"), 0o600)]).len(), 1, "{path}");
            assert!(wrongs(&[(path, &config("sens-test"), 0o600)]).is_empty(), "{path}");
        }
    }

    #[test]
    fn lf135_a_right_that_automation_must_not_have_is_found_however_it_was_given() {
        let given: &[(&str, &str, u32)] = &[
            ("etc/group", "sudo:x:27:deploy-test\n", 0o644),
            ("etc/group", "sudo:x:27:ops,deploy-test,other\n", 0o644),
            ("etc/sudoers", "deploy-test ALL=(ALL) ALL\n", 0o600),
            ("etc/sudoers.d/90-deploy", "deploy-test ALL=(ALL) NOPASSWD: ALL\n", 0o440),
            ("etc/sudoers.d/k3s", "deploy-test ALL=(root) NOPASSWD: /usr/bin/kubectl\n", 0o440),
            ("etc/rancher/k3s/k3s.yaml", "kind: Config\n", 0o644),
            ("etc/rancher/k3s/k3s.yaml", "kind: Config\n", 0o640),
        ];
        for one in given {
            let (_root, machine) = at(std::slice::from_ref(one));
            let seen = super::machine(&machine, &["sens-production".to_owned()]);
            let found = seen.iter().filter_map(|it| it.finding.as_deref()).any(|it| it.rule == "LF135");
            assert!(found, "{one:?}: {seen:?}");
        }
        let innocent: &[(&str, &str, u32)] = &[
            ("etc/group", "sudo:x:27:ops\ndeploy-test:x:1001:\n", 0o644),
            ("etc/sudoers.d/other", "deploy-test-two ALL=(ALL) ALL\n", 0o440),
            ("etc/sudoers.d/off", "# deploy-test ALL=(ALL) ALL\n", 0o440),
        ];
        for one in innocent {
            assert!(wrongs(std::slice::from_ref(one)).is_empty(), "{one:?}: {:?}", wrongs(std::slice::from_ref(one)));
        }
    }

    #[test]
    fn se_066_what_remains_possible_is_said_plainly() {
        let (_root, machine) = at(&[]);
        let seen = super::machine(&machine, &[]);
        let risk = seen.iter().find(|it| it.what == "residual risk").expect("said");
        assert!(risk.seen.contains("root, sudo or cluster-admin"), "{risk:?}");
        let nobody = super::machine(&Machine { user: "nobody-here".into(), ..machine }, &[]);
        assert!(nobody.iter().any(|it| it.state == State::NotChecked), "{nobody:?}");
    }
}

//! The agent as a service of the machine: a systemd unit that may do little, or a service of Windows.

use std::path::{Path, PathBuf};

use crate::disk::{At, Disk, DiskError, Mode, RealDisk, replace};
use crate::program::Program;
use crate::settings::{Home, NoHome};

/// The service's name.
pub const SERVICE: &str = "landfall-agent";

/// Why it is not installed.
#[derive(Debug, thiserror::Error)]
pub enum NotInstalled {
    /// Nobody enrolled here, or others may write there.
    #[error(transparent)]
    Home(#[from] NoHome),
    /// A file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no service manager that we know.
    #[error(
        "there is no systemd here (no {0}): let your own service manager run `landfall-agent run`, and start it again when it ends"
    )]
    NoManager(String),
    /// It did not do as it was asked.
    #[error("`{command}` failed: {said}")]
    Manager {
        /// What was run.
        command: String,
        /// What it wrote.
        said: String,
    },
}

/// The unit's text. Whatever runs below it may write the agent's home and nothing else, gets no new rights, and is started again.
#[must_use]
pub fn unit(program: &Path, root: &Path) -> String {
    let (program, root) = (quoted(program), quoted(root));
    format!(
        "[Unit]
Description=Landfall edge agent
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} run --root {root}
Restart=always
RestartSec=5
WatchdogSec=120
KillMode=control-group
TimeoutStopSec=20
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={root}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
CapabilityBoundingSet=

[Install]
WantedBy=multi-user.target
"
    )
}

/// A path as systemd reads it: quoted, `%` doubled.
fn quoted(path: &Path) -> String {
    let text =
        path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    if text.contains([' ', '\t', '"', '\'']) { format!("\"{text}\"") } else { text }
}

/// Puts this program beside the home's files and makes a service of it that is started now and at each start of the machine. Gives
/// what was done, a line each.
///
/// # Errors
/// When a step fails.
#[cfg(not(windows))]
pub fn install(home: &Home, program: &Path) -> Result<Vec<String>, NotInstalled> {
    Systemd::of_this_machine().install(home, program)
}

/// Takes the service away. The home, its credential and the data stay.
///
/// # Errors
/// When a step fails.
#[cfg(not(windows))]
pub fn uninstall(home: &Home) -> Result<Vec<String>, NotInstalled> {
    Systemd::of_this_machine().uninstall(home)
}

/// The machine's service manager, and how it is asked.
#[cfg(not(windows))]
struct Systemd<'a> {
    /// There where it runs.
    running: PathBuf,
    /// Where units of the machine's own lie.
    units: PathBuf,
    ask: &'a dyn Fn(&[&str]) -> Result<String, NotInstalled>,
}

#[cfg(not(windows))]
impl Systemd<'_> {
    fn of_this_machine() -> Self {
        Self {
            running: PathBuf::from("/run/systemd/system"),
            units: PathBuf::from("/etc/systemd/system"),
            ask: &|arguments| manager("systemctl", arguments),
        }
    }

    fn unit(&self) -> PathBuf {
        self.units.join(format!("{SERVICE}.service"))
    }

    fn install(&self, home: &Home, program: &Path) -> Result<Vec<String>, NotInstalled> {
        home.settings()?;
        if !self.running.exists() {
            return Err(NotInstalled::NoManager(self.running.display().to_string()));
        }
        home.prepare()?;
        let kept = keep_program(home, program)?;
        let unit_path = self.unit();
        // Others read units.
        std::fs::write(&unit_path, unit(&kept, home.root())).at("write", &unit_path)?;
        (self.ask)(&["daemon-reload"])?;
        (self.ask)(&["enable", SERVICE])?;
        (self.ask)(&["restart", SERVICE])?;
        Ok(vec![
            format!("the program is {}", kept.display()),
            format!("wrote {}", unit_path.display()),
            format!("{SERVICE} runs, and starts with the machine; `journalctl -u {SERVICE}` shows what it says"),
        ])
    }

    fn uninstall(&self, home: &Home) -> Result<Vec<String>, NotInstalled> {
        let unit_path = self.unit();
        if !unit_path.exists() {
            return Ok(vec![format!("there is no {}: nothing to take away", unit_path.display())]);
        }
        (self.ask)(&["disable", "--now", SERVICE])?;
        RealDisk.remove_file(&unit_path).at("remove", &unit_path)?;
        (self.ask)(&["daemon-reload"])?;
        Ok(vec![
            format!("took {} away", unit_path.display()),
            format!("{} stays: the credential, and what was installed", home.root().display()),
        ])
    }
}

#[cfg(windows)]
pub use crate::windows::{install, uninstall};

/// A copy of this program that upgrades do not touch: the watchdog.
pub(crate) fn keep_program(home: &Home, program: &Path) -> Result<PathBuf, NotInstalled> {
    let directory = home.root().join("bin");
    RealDisk.make_directory(&directory).at("make", &directory)?;
    let kept = directory.join(if cfg!(windows) { "landfall-agent.exe" } else { "landfall-agent" });
    let same = |one: &Path, other: &Path| matches!((std::fs::canonicalize(one), std::fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other);
    if !same(program, &kept) {
        let bytes = std::fs::read(program).at("read", program)?;
        replace(&RealDisk, &kept, &bytes, Mode::Program)?;
    }
    Ok(kept)
}

/// Runs a service manager's command.
pub(crate) fn manager(program: &str, arguments: &[&str]) -> Result<String, NotInstalled> {
    let command = format!("{program} {}", arguments.join(" "));
    let (status, said) = Program::new(program)
        .args(arguments)
        .output()
        .map_err(|cause| NotInstalled::Manager { command: command.clone(), said: cause.to_string() })?;
    if status.success() {
        Ok(said)
    } else {
        Err(NotInstalled::Manager { command, said: landfall_fleet::legacy::one_line(&said) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lp_089_the_unit_may_write_its_home_and_nothing_else() {
        let text = unit(Path::new("/var/lib/landfall agent/bin/landfall-agent"), Path::new("/var/lib/landfall agent"));
        assert!(
            text.contains(
                "ExecStart=\"/var/lib/landfall agent/bin/landfall-agent\" run --root \"/var/lib/landfall agent\"\n"
            ),
            "{text}"
        );
        for line in [
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "Restart=always",
            "StartLimitIntervalSec=0",
            "CapabilityBoundingSet=",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert_eq!(text.matches("ReadWritePaths=").count(), 1);
        assert!(!text.contains("wk_live") && !text.contains("Environment="));
    }

    #[cfg(not(windows))]
    #[test]
    fn lp_089_a_service_is_installed_anew_and_taken_away_and_what_was_enrolled_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let home = Home::new(at("edge"));
        let program = at("landfall-agent");
        std::fs::write(&program, "the first").expect("written");
        for made in ["units", "edge"] {
            std::fs::create_dir(at(made)).expect("made");
        }
        std::fs::set_permissions(at("edge"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("private");
        let asked = std::cell::RefCell::new(Vec::new());
        let ask = |arguments: &[&str]| {
            asked.borrow_mut().push(arguments.join(" "));
            Ok(String::new())
        };
        let systemd = Systemd { running: at("running"), units: at("units"), ask: &ask };
        // Nobody has enrolled here: there is nothing to run.
        assert!(matches!(systemd.install(&home, &program), Err(NotInstalled::Home(_))));
        let settings = r#"{"server":"https://edges.example.com","edgeId":"e1","deviceNumber":"edge-1","name":"One",
            "platform":{"platform":"linux","arch":"x64","installType":"service"},"protocol":"landfall","pollSeconds":15}"#;
        std::fs::write(at("edge/agent.json"), settings).expect("written");
        std::fs::write(at("edge/credential.json"), "kept").expect("written");
        // There is no service manager: said, and nothing is made.
        let refused = systemd.install(&home, &program).expect_err("refused").to_string();
        assert!(refused.contains("there is no systemd here"), "{refused}");
        assert!(!at("edge/bin").exists() && !systemd.unit().exists() && asked.borrow().is_empty());
        std::fs::create_dir(at("running")).expect("made");
        for bytes in ["the first", "a newer one"] {
            std::fs::write(&program, bytes).expect("written");
            systemd.install(&home, &program).expect("installed");
            assert_eq!(std::fs::read_to_string(at("edge/bin/landfall-agent")).expect("kept"), bytes);
            assert_eq!(asked.take(), ["daemon-reload", "enable landfall-agent", "restart landfall-agent"]);
        }
        let text = std::fs::read_to_string(systemd.unit()).expect("a unit");
        assert!(text.contains(&format!("ExecStart={} run", at("edge/bin/landfall-agent").display())), "{text}");
        systemd.uninstall(&home).expect("taken away");
        assert_eq!(asked.take(), ["disable --now landfall-agent", "daemon-reload"]);
        assert!(!systemd.unit().exists());
        for kept in ["edge/agent.json", "edge/credential.json"] {
            assert!(at(kept).exists(), "{kept} has gone with the service");
        }
        // Again there is nothing to take away, and nobody is asked.
        systemd.uninstall(&home).expect("said");
        assert!(asked.borrow().is_empty());
    }

    #[test]
    fn a_path_cannot_say_more_than_a_path_to_systemd() {
        assert_eq!(quoted(Path::new("/a b/%n\"$HOME")), "\"/a b/%%n\\\"$$HOME\"");
    }
}

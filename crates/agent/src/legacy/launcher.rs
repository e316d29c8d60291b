//! `legacy-launcher`: stands where the existing agent's service stands, and does what its upgrades lack. The agent itself is run as it
//! is: it fetches, verifies and says which version is to run; the launcher unpacks that, tells the agent its version, restarts it, and
//! takes the version before back when the new one does not come up. It is the old agent then that reports ROLLED_BACK.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use landfall_terminal::out;

use super::places::{Places, is_version};
use super::watched::{Ended, Watched, end_orphan};
use crate::disk::DiskError;
use crate::log::event;
use crate::program::Program;

/// How often a new version may end before it has been confirmed.
const STARTS: u32 = 3;
/// The pauses between starts.
const TRIAL_PAUSE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(10);

/// Arguments of `legacy-launcher`.
#[derive(Debug, Clone, Args)]
pub struct LauncherArgs {
    /// The existing agent's package, as it was installed: `dist/main.js` is below it
    #[arg(long, value_name = "DIR", default_value = "/opt/luckyplans/edge-agent")]
    package: PathBuf,
    /// Node.js
    #[arg(long, value_name = "PROGRAM", default_value = "node")]
    node: PathBuf,
    /// Where the agent copies releases
    #[arg(
        long,
        env = "EDGE_AGENT_UPGRADE_INSTALL_ROOT",
        value_name = "DIR",
        default_value = "/opt/luckyplans/edge-agent/releases"
    )]
    releases: PathBuf,
    /// The file in which the agent says what is to run
    #[arg(
        long,
        env = "EDGE_AGENT_UPGRADE_ACTIVE_VERSION_PATH",
        value_name = "FILE",
        default_value = "/opt/luckyplans/edge-agent/active-version"
    )]
    active_version: PathBuf,
    /// The agent's settings; `~/.luckyplans/edge-agent/config.json` if not said
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the launcher keeps what it knows
    #[arg(long, value_name = "DIR", default_value = "/var/lib/landfall-legacy-launcher")]
    launcher_state: PathBuf,
    /// A node_modules directory for releases that were packed without theirs
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// In which time a new version must have reported itself
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    confirm_seconds: u64,
    /// Print the unit that runs the launcher in the agent's place, and change nothing
    #[arg(long)]
    print_unit: bool,
}

/// Why the launcher cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum CannotLaunch {
    /// A file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Nothing can be started, not even what was installed by hand.
    #[error("{0}. Name the agent's package with --package DIR")]
    NoPackage(String),
    /// Where its settings are is not known.
    #[error("where the agent's settings are is not known: name the file with --config FILE, or set HOME")]
    NoHome,
    /// Output.
    #[error("could not print: {0}")]
    Print(#[from] std::io::Error),
}

/// Runs the existing agent until the launcher is ended.
///
/// # Errors
/// When there is nothing that can be run.
pub fn run(args: &LauncherArgs) -> Result<(), CannotLaunch> {
    if args.print_unit {
        return Ok(out().write_all(unit(args).as_bytes())?);
    }
    let places = Places {
        package: std::path::absolute(&args.package)?,
        releases: args.releases.clone(),
        marker: args.active_version.clone(),
        config: config(args)?,
        state: args.launcher_state.clone(),
        modules: args.modules.clone(),
    };
    std::fs::create_dir_all(&places.state).map_err(|cause| DiskError {
        doing: "make",
        path: places.state.clone(),
        cause,
    })?;
    end_orphan(&places);
    let launcher = Launcher { args, places };
    let mut starts = 0;
    loop {
        let ended = launcher.once(&mut starts)?;
        match ended {
            Ended::Asked => {
                starts = 0;
            }
            Ended::Itself { trial: true } => std::thread::sleep(TRIAL_PAUSE),
            Ended::Itself { trial: false } => {
                starts = 0;
                std::thread::sleep(PAUSE);
            }
            Ended::Late => starts = STARTS,
        }
    }
}

struct Launcher<'a> {
    args: &'a LauncherArgs,
    places: Places,
}

impl Launcher<'_> {
    /// Starts what is to run, and stays with it to its end.
    fn once(&self, starts: &mut u32) -> Result<Ended, CannotLaunch> {
        self.places.prepare()?;
        let mut known = self.places.known()?;
        let mut version = self.places.marked().unwrap_or_else(|| known.confirmed.clone());
        let trial = self.places.recovery().is_some_and(|recovery| recovery.target_version == version);
        if trial && *starts >= STARTS {
            version = self.take_back(&version, "it did not come up")?;
        }
        let script = match self.places.script(&version, &known.base) {
            Ok(script) => script,
            Err(why) => {
                event("edge.upgrade.unstartable", &[("version", &version), ("error", &why.to_string())]);
                if version == known.base {
                    return Err(CannotLaunch::NoPackage(why.to_string()));
                }
                version = self.take_back(&version, &why.to_string())?;
                match self.places.script(&version, &known.base) {
                    Ok(script) => script,
                    Err(_) => {
                        version.clone_from(&known.base);
                        self.places.mark(&version)?;
                        self.places
                            .script(&version, &known.base)
                            .map_err(|why| CannotLaunch::NoPackage(why.to_string()))?
                    }
                }
            }
        };
        self.places.say_version(&version)?;
        let trial = self.places.recovery().is_some_and(|recovery| recovery.target_version == version);
        *starts += 1;
        event("edge.program.started", &[("version", &version), ("trial", if trial { "yes" } else { "no" })]);
        let confirm = trial.then(|| Duration::from_secs(self.args.confirm_seconds.max(1)));
        let program = self.program(&script);
        let watched = Watched::start(&self.places, program, &version, confirm);
        let ended = match watched {
            Ok(mut watched) => watched.stay(),
            Err(error) => {
                event("edge.program.unstartable", &[("error", &error.to_string())]);
                Ended::Itself { trial }
            }
        };
        // Confirmed is what ran as the new version and is not waited for any more.
        if self.places.recovery().is_none() && known.confirmed != version {
            event("edge.upgrade.confirmed", &[("version", &version)]);
            known.confirmed = version;
            self.places.keep(&known)?;
        }
        Ok(ended)
    }

    /// Lets the version before run again. The attempt's file stays: by it the old agent knows, reports ROLLED_BACK and remembers.
    fn take_back(&self, version: &str, reason: &str) -> Result<String, CannotLaunch> {
        let known = self.places.known()?;
        let previous = self
            .places
            .recovery()
            .filter(|recovery| recovery.target_version == version)
            .map_or(known.confirmed, |recovery| recovery.previous_version);
        let previous = if is_version(&previous) && previous != version { previous } else { known.base };
        event("edge.upgrade.reverted", &[("version", version), ("to", &previous), ("reason", reason)]);
        self.places.mark(&previous)?;
        Ok(previous)
    }

    fn program(&self, script: &std::path::Path) -> Program {
        let mut path = OsString::from(self.places.programs());
        if let Some(before) = std::env::var_os("PATH") {
            path.push(":");
            path.push(before);
        }
        Program::new(&self.args.node)
            .args([script])
            .variable("PATH", path)
            .variable("EDGE_AGENT_UPGRADE_INSTALL_ROOT", &self.places.releases)
            .variable("EDGE_AGENT_UPGRADE_ACTIVE_VERSION_PATH", &self.places.marker)
            .variable("EDGE_AGENT_UPGRADE_STAGING_DIR", self.places.staging())
            .variable("EDGE_AGENT_UPGRADE_RECOVERY_STATE_PATH", self.places.recovery_file())
            .variable("EDGE_AGENT_UPGRADE_FAILED_TARGET_PATH", self.places.failed_file())
    }
}

fn config(args: &LauncherArgs) -> Result<PathBuf, CannotLaunch> {
    match &args.config {
        Some(config) => Ok(config.clone()),
        None => std::env::var_os("HOME")
            .map(|home| PathBuf::from(home).join(".luckyplans/edge-agent/config.json"))
            .ok_or(CannotLaunch::NoHome),
    }
}

/// The unit under the existing service's name, so that what else is said to that service goes on to work.
fn unit(args: &LauncherArgs) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/local/bin/landfall-agent"));
    let verbs = if program.file_stem().is_some_and(|name| name == "landfall") {
        "agent legacy-launcher"
    } else {
        "legacy-launcher"
    };
    format!(
        "[Unit]
Description=LuckyPlans Edge Agent, upgraded by Landfall's launcher
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={} {verbs} --package {}
Restart=always
RestartSec=5
KillMode=control-group
StateDirectory=landfall-legacy-launcher
NoNewPrivileges=yes
Environment=NODE_ENV=production

[Install]
WantedBy=multi-user.target
",
        program.display(),
        args.package.display(),
    )
}

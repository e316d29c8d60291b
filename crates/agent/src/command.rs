//! The agent's verbs, the same in `landfall-agent` and in `landfall agent`: their arguments, and what they do.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use landfall_diag::{Diagnostic, code};
use landfall_terminal::out;
use serde_json::{Value, json};

use crate::enroll::Enrollment;
use crate::legacy::launcher;
use crate::settings::{Home, Payload, Protocol};
use crate::status::Status;
use crate::{enroll, install, status, watchdog, worker};

/// The verbs.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Enroll this machine with a server: once, with a token that is never an argument
    #[command(
        before_help = "Examples:\n  landfall-agent enroll                                     asks for all it needs\n  landfall-agent enroll --server https://fleet.example --name gate-7 --token-stdin < token\n  landfall-agent enroll --server https://fleet.example --payload kiosk --program bin/kiosk --health-url http://127.0.0.1:9000/health"
    )]
    Enroll(Box<EnrollArgs>),
    /// Look after this machine until it is ended: check in, upgrade, keep what runs running
    #[command(before_help = "Examples:\n  landfall-agent run")]
    Run(HomeArgs),
    /// Show what this machine is and runs, as its own files have it
    #[command(before_help = "Examples:\n  landfall-agent status\n  landfall-agent status -o json")]
    Status(StatusArgs),
    /// Make a service of it that starts with the machine
    #[command(before_help = "Examples:\n  landfall-agent install")]
    Install(InstallArgs),
    /// Take the service away; the credential and what was installed stay
    #[command(before_help = "Examples:\n  landfall-agent uninstall")]
    Uninstall(HomeArgs),
    /// Make the existing TypeScript agent's upgrades work: runs in its place, unpacks, restarts, takes back
    #[command(
        name = "legacy-launcher",
        before_help = "Examples:\n  landfall-agent legacy-launcher --package /opt/luckyplans/edge-agent\n  landfall-agent legacy-launcher --print-unit > /etc/systemd/system/luckyplans-edge-agent.service"
    )]
    LegacyLauncher(Box<launcher::LauncherArgs>),
    /// As a service of Windows, which its service manager starts
    #[cfg(windows)]
    #[command(hide = true)]
    Service(HomeArgs),
    /// The process that speaks to the server; `run` starts it
    #[command(hide = true)]
    Work(WorkArgs),
}

/// Where the edge lives.
#[derive(Debug, Clone, Args)]
pub struct HomeArgs {
    /// The directory of its credential, journals and slots
    #[arg(long, env = "LANDFALL_AGENT_ROOT", value_name = "DIR", default_value = default_root())]
    pub root: PathBuf,
}

/// Arguments of `work`.
#[derive(Debug, Clone, Args)]
pub struct WorkArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// It is a new version that has to say that it is well
    #[arg(long)]
    trial: bool,
}

fn default_root() -> &'static str {
    if cfg!(windows) { "C:\\ProgramData\\landfall-agent" } else { "/var/lib/landfall-agent" }
}

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// Print as
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,
}

/// How what is known is printed, as all verbs of `landfall` say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// The name alone.
    Name,
}

/// Arguments of `install`.
#[derive(Debug, Clone, Args)]
pub struct InstallArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// Print the service's unit, and change nothing
    #[arg(long)]
    print: bool,
}

/// Arguments of `enroll`.
#[derive(Debug, Clone, Args)]
pub struct EnrollArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// Where the server is
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// How it is spoken to: Landfall's own protocol, or the existing gateway's
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// What people call this machine
    #[arg(long)]
    name: Option<String>,
    /// This machine's number, if it has one; made up otherwise
    #[arg(long, value_name = "NUMBER")]
    device_number: Option<String>,
    /// Read the enrollment token from standard input
    #[arg(long, conflicts_with = "token_file")]
    token_stdin: bool,
    /// Read the enrollment token from a file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates to trust beside the system's, as PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Speak to the server without TLS, where the network is yours alone
    #[arg(long)]
    plain_http: bool,
    /// The root of keys to believe, instead of the one that the server hands over
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The public key of a gateway's releases, as PEM
    #[arg(long, value_name = "FILE")]
    gateway_key: Option<PathBuf>,
    /// A label by which it is selected
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// The product that this machine runs beside the agent
    #[arg(long, value_name = "PRODUCT", requires = "program")]
    payload: Option<String>,
    /// The payload's program, as a path within its releases
    #[arg(long, value_name = "PATH", requires = "payload")]
    program: Option<String>,
    /// How the payload is installed, as its releases say it
    #[arg(long, value_name = "WORD", default_value = "service", requires = "payload")]
    install_type: String,
    /// An argument that the payload is started with
    #[arg(long = "argument", value_name = "TEXT", allow_hyphen_values = true, requires = "payload")]
    arguments: Vec<String>,
    /// An address of this machine that answers with 2xx when the payload is well
    #[arg(long, value_name = "URL", requires = "payload")]
    health_url: Option<String>,
    /// A program that ends with code 0 when the payload is well; with flags of its own in quotes: 'bin/health --port 80'
    #[arg(long, value_name = "PROGRAM", num_args = 1.., requires = "payload")]
    health_command: Vec<String>,
    /// How long the payload must have been up to be well
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "payload")]
    settle_seconds: u64,
    /// In which time a new version must have said that it is well
    #[arg(long, value_name = "SECONDS")]
    confirm_seconds: Option<u64>,
    /// Enroll anew where somebody enrolled before; what is installed stays
    #[arg(long)]
    again: bool,
}

impl HomeArgs {
    fn home(&self) -> Home {
        Home::new(std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone()))
    }
}

impl StatusArgs {
    /// What is asked for.
    ///
    /// # Errors
    /// In words for a person.
    pub fn status(&self) -> Result<Status, Failure> {
        status::status(&self.home.home()).map_err(failed)
    }
}

impl EnrollArgs {
    fn enrollment(self) -> Result<Enrollment, Failure> {
        let program = self.program.unwrap_or_default();
        let health_command = match self.health_command.as_slice() {
            // One word for the shell and more for us: the command as a person writes it down.
            [whole] => crate::words::words(whole).map_err(|why| Failure {
                message: format!("--health-command {whole:?} is no command: {why}"),
                code: 2,
            })?,
            _ => self.health_command,
        };
        let payload = self.payload.map(|product| Payload {
            product,
            install_type: self.install_type,
            program,
            arguments: self.arguments,
            health_command,
            health_url: self.health_url,
            settle_seconds: self.settle_seconds,
        });
        Ok(Enrollment {
            server: self.server,
            protocol: self.protocol,
            name: self.name,
            device_number: self.device_number,
            token_stdin: self.token_stdin,
            token_file: self.token_file,
            ca: self.ca,
            plain_http: self.plain_http,
            trusted_root: self.trusted_root,
            gateway_key: self.gateway_key,
            labels: self.labels,
            payload,
            confirm_seconds: self.confirm_seconds,
            again: self.again,
        })
    }
}

/// Why a verb came to nothing: in words, with how the process ends (1, or 2 for what was typed).
#[derive(Debug)]
pub struct Failure {
    /// For a person.
    pub message: String,
    /// The process's code.
    pub code: u8,
}

impl Failure {
    /// The same as `landfall` tells it.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let code = if self.code == 2 { code::AGENT_ASKED_WRONGLY } else { code::AGENT_FAILED };
        Diagnostic::error(code, self.message.clone())
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure { message: error.to_string(), code: 1 }
}

impl Verb {
    /// How its answer is printed; the verbs that only do something tell it to people.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Status(args) => args.output,
            _ => Format::Table,
        }
    }

    /// Does it. `own` is how this program is started so that it takes these verbs: its path, and `agent` where it is `landfall`.
    ///
    /// # Errors
    /// In words for a person.
    pub fn run(self, own: &[OsString]) -> Result<(), Failure> {
        match self {
            Self::Enroll(args) => {
                let home = args.home.home();
                if args.payload.is_some() && !crate::archive::is_inside(args.program.as_deref().unwrap_or_default()) {
                    return Err(Failure {
                        message: format!(
                            "--program {:?} is no path within a release",
                            args.program.unwrap_or_default()
                        ),
                        code: 2,
                    });
                }
                let settings = enroll::enroll(&home, &args.enrollment()?).map_err(|error| {
                    let code = if matches!(error, enroll::NotEnrolled::Missing { .. } | enroll::NotEnrolled::Bad(_)) {
                        2
                    } else {
                        1
                    };
                    Failure { message: error.to_string(), code }
                })?;
                let place = home.root().display();
                let elsewhere = home.root() != std::path::Path::new(default_root());
                let root = match elsewhere {
                    true if place.to_string().contains(char::is_whitespace) => format!(" --root \"{place}\""),
                    true => format!(" --root {place}"),
                    false => String::new(),
                };
                say(&[
                    format!("enrolled as {} ({})", settings.device_number, settings.edge_id),
                    format!(
                        "what it is lies in {place}; type `landfall-agent install{root}`, or `landfall-agent run{root}`"
                    ),
                ])
            }
            Self::Run(args) => watchdog::run(&args.home(), own).map_err(failed),
            #[cfg(windows)]
            Self::Service(args) => crate::windows::run(args.home(), own).map_err(failed),
            Self::Work(args) => worker::work(&args.home.home(), args.trial).map_err(failed),
            Self::Status(args) => {
                let status = args.status()?;
                match args.output {
                    Format::Table => say(&status.lines()),
                    Format::Name => say(&[status.device_number]),
                    format => {
                        let data = serde_json::to_value(&status).map_err(failed)?;
                        document(format, &enveloped(Status::KIND, 0, data))
                    }
                }
            }
            Self::Install(args) => {
                let home = args.home.home();
                let program = own.first().map(PathBuf::from).unwrap_or_default();
                if args.print {
                    let kept = home.root().join("bin/landfall-agent");
                    return say(&[install::unit(&kept, home.root())]);
                }
                if own.len() > 1 {
                    return Err(Failure {
                        message: "a service runs the small binary: type `landfall-agent install` (`landfall agent install --print` shows its unit)".to_owned(),
                        code: 2,
                    });
                }
                say(&install::install(&home, &program).map_err(failed)?)
            }
            Self::Uninstall(args) => say(&install::uninstall(&args.home()).map_err(failed)?),
            Self::LegacyLauncher(args) => launcher::run(&args).map_err(failed),
        }
    }
}

/// Prints what is told of a failure where a program reads, besides the words on standard error.
///
/// # Errors
/// Standard output takes nothing.
pub fn tell_program(format: Format, failure: &Failure) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Name => Ok(()),
        _ => document(format, &enveloped("Failure", failure.code, json!({"diagnostics": [failure.diagnostic()]}))),
    }
}

/// The envelope of docs/output.md.
fn enveloped(kind: &str, exit: u8, data: Value) -> Value {
    json!({"schema": format!("landfall.dev/v1/{kind}"), "ok": exit == 0, "exit": exit, "data": data})
}

fn document(format: Format, value: &Value) -> Result<(), Failure> {
    let text = match format {
        Format::Yaml => landfall_yaml::emit(value).map_err(failed)?,
        _ => landfall_terminal::in_json(&serde_json::to_string_pretty(value).map_err(failed)?).into_owned(),
    };
    say(&[text.trim_end().to_owned()])
}

fn say(lines: &[String]) -> Result<(), Failure> {
    let mut out = out();
    for line in lines {
        writeln!(out, "{line}").map_err(failed)?;
    }
    out.flush().map_err(failed)
}

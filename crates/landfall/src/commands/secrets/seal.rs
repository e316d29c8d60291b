//! `landfall secrets seal`: kubeseal under our own name.

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_kubeseal::{Input, StopKind, World};

use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `secrets seal`.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    before_help = "Examples:\n  landfall secrets seal --fetch-cert > cert.pem\n  landfall secrets seal --cert cert.pem -f secret.yaml -w sealed.yaml\n  printf %s \"$VALUE\" | landfall secrets seal --cert cert.pem --raw --name app -n shop\n  landfall secrets seal --help               kubeseal's flags, all of which are known here"
)]
pub(crate) struct SealArgs {
    /// kubeseal's flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAG")]
    words: Vec<String>,
}

impl Verb for SealArgs {
    async fn run(self, context: &Context) -> Outcome {
        let mut standard = std::io::stdin();
        let is_terminal = std::io::IsTerminal::is_terminal(&standard);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut world = World {
            host: &context.host,
            program: "landfall secrets seal".to_owned(),
            input: Input::of(&mut standard, is_terminal),
            out: &mut out,
            err: &mut err,
        };
        let outcome = landfall_kubeseal::run(&mut world, &self.words).await;
        String::from_utf8_lossy(&err).lines().for_each(|line| context.ui.status(line));
        context.ui.bytes(&out);
        let stop = match outcome {
            Ok(()) => return Ok(Exit::Done),
            Err(stop) => stop,
        };
        let diagnostic = match stop.kind {
            StopKind::Usage => Diagnostic::error(code::BAD_SEAL_ARGUMENT, stop.words)
                .help("`landfall secrets seal --help` prints the flags"),
            StopKind::Unreachable => Diagnostic::error(code::UNREACHABLE, stop.words)
                .help("with `--cert FILE` no cluster is needed; `--fetch-cert` prints such a file"),
            StopKind::NoCluster => super::no_cluster()
                .note(stop.words)
                .help("with `--cert FILE` no cluster is needed; `--fetch-cert` prints such a file"),
            StopKind::NoNamespace => {
                Diagnostic::error(code::UNSEALED, "nothing says for which namespace this is sealed")
                    .note(stop.words)
                    .help("name it: `-n NAMESPACE`")
            }
            StopKind::Failed => Diagnostic::error(code::UNSEALED, stop.words),
        };
        Err(Failure::from(diagnostic))
    }
}

//! What a verb is: arguments that say how they are carried out.

use std::pin::Pin;

use crate::context::Context;
use crate::exit::Outcome;
use crate::ui::Output;

/// Whether a verb waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// It does, for a cluster or a server: on a runtime with threads, and with an ear for Ctrl-C.
    ForOthers,
    /// It does not; what it may have to fetch all the same, [`landfall_host::Waiting`] waits for.
    ForNothing,
}

/// The arguments of a verb.
pub(crate) trait Verb {
    /// How data is printed.
    fn output(&self) -> Output {
        Output::Table
    }

    /// Whether it waits for others.
    fn waits(&self) -> Waits {
        Waits::ForOthers
    }

    /// Does what it asks for.
    async fn run(self, context: &Context) -> Outcome;
}

impl<V: Verb> Verb for Box<V> {
    fn output(&self) -> Output {
        V::output(self)
    }

    fn waits(&self) -> Waits {
        V::waits(self)
    }

    async fn run(self, context: &Context) -> Outcome {
        V::run(*self, context).await
    }
}

/// Verbs of one level.
pub(crate) trait Level {
    /// The verb of a name with its arguments, built without those beside it; nothing where there is none of that name, or
    /// none that bears the name of its variant.
    fn alone(name: &str) -> Option<clap::Command>;
}

/// A verb's work in a place of its own: what could hold the work of each verb of a level would be as large as the largest,
/// and every call would pay for it.
#[inline(never)]
pub(crate) fn apart<'w, V: Verb + 'w>(verb: V, context: &'w Context) -> Pin<Box<dyn Future<Output = Outcome> + 'w>> {
    Box::pin(verb.run(context))
}

/// Whether a verb is called by the name of its variant.
pub(crate) fn is_called(variant: &str, name: &str) -> bool {
    variant.len() == name.len() && variant.bytes().map(|byte| byte.to_ascii_lowercase()).eq(name.bytes())
}

/// Declares verbs of one level: as clap builds them, each when it is asked for, and as one verb.
macro_rules! verbs {
    ($(#[$about:meta])* pub(crate) enum $group:ident { $($(#[$of_verb:meta])* $verb:ident($arguments:ty),)* }) => {
        $(#[$about])*
        #[derive(Debug, clap::Subcommand)]
        #[command(defer = true)]
        pub(crate) enum $group {
            $($(#[$of_verb])* $verb($arguments),)*
        }

        impl $crate::verb::Verb for $group {
            fn output(&self) -> $crate::ui::Output {
                match self {
                    $($group::$verb(verb) => $crate::verb::Verb::output(verb),)*
                }
            }

            fn waits(&self) -> $crate::verb::Waits {
                match self {
                    $($group::$verb(verb) => $crate::verb::Verb::waits(verb),)*
                }
            }

            async fn run(self, context: &$crate::context::Context) -> $crate::exit::Outcome {
                match self {
                    $($group::$verb(verb) => $crate::verb::apart(verb, context).await,)*
                }
            }
        }

        impl $crate::verb::Level for $group {
            fn alone(name: &str) -> Option<clap::Command> {
                const KNOWN: &[(&str, fn(clap::Command) -> clap::Command)] =
                    &[$((stringify!($verb), <$arguments as clap::Args>::augment_args),)*];
                let (_, augment) = KNOWN.iter().find(|(variant, _)| $crate::verb::is_called(variant, name))?;
                Some(augment(clap::Command::new(name.to_owned())))
            }
        }

        /// A level stands as the arguments of the verb above it.
        impl clap::Args for $group {
            fn augment_args(command: clap::Command) -> clap::Command {
                let command = <Self as clap::Subcommand>::augment_subcommands(command);
                command.subcommand_required(true).arg_required_else_help(true)
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                <Self as clap::Subcommand>::augment_subcommands_for_update(command)
            }
        }
    };
}

pub(crate) use verbs;

//! What a verb is: arguments that say how they are carried out.

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
                    $($group::$verb(verb) => $crate::verb::Verb::run(verb, context).await,)*
                }
            }
        }
    };
}

pub(crate) use verbs;

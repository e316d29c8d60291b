//! `landfall app …`: Applications, asked of the server that runs here, of one elsewhere, or of a cluster itself.

pub(crate) mod counter;
mod delete;
mod diff;
mod events;
mod explain;
mod get;
mod history;
mod list;
mod logs;
mod pause;
mod pin;
mod policy;
mod refresh;
mod rollback;
mod sync;
mod terminate;
mod wait;

pub(crate) use self::counter::CounterArgs;
use crate::verb::verbs;

verbs! {
    /// `landfall app …`
    pub(crate) enum AppCommand {
        /// List the Applications: how they stand against git, and how they fare
        #[command(
            before_help = "Examples:\n  landfall app list\n  landfall app list --health degraded --sort since\n  landfall app list --server https://landfall.example.com --token-file token"
        )]
        List(Box<list::AppListArgs>),
        /// Show one Application with its objects
        #[command(before_help = "Examples:\n  landfall app get shop\n  landfall app get shop --refresh -o json")]
        Get(Box<get::AppGetArgs>),
        /// Show in what it differs from what is live: who wrote each field, which values line wants it
        #[command(
            before_help = "Examples:\n  landfall app diff shop\n  landfall app diff shop --revision v1.2.0 --exit-code"
        )]
        Diff(Box<diff::AppDiffArgs>),
        /// Say why it stands as it does, from the Application to the event, and what to type
        #[command(before_help = "Examples:\n  landfall app explain shop")]
        Explain(Box<explain::AppExplainArgs>),
        /// List what happened to its objects, and what was delivered
        #[command(before_help = "Examples:\n  landfall app events shop")]
        Events(Box<events::AppEventsArgs>),
        /// List what was delivered, newest last
        #[command(before_help = "Examples:\n  landfall app history shop")]
        History(Box<history::AppHistoryArgs>),
        /// Sync Applications now, and wait until that has ended
        #[command(
            before_help = "Examples:\n  landfall app sync shop\n  landfall app sync shop --prune --resource apps:Deployment:web\n  landfall app sync shop --dry-run"
        )]
        Sync(Box<sync::AppSyncArgs>),
        /// Go back to an earlier delivery; one that syncs by itself is pinned there until it is released
        #[command(
            before_help = "Examples:\n  landfall app rollback shop        the delivery before the present one\n  landfall app rollback shop 3\n  landfall app pin shop --release   it follows git again"
        )]
        Rollback(Box<rollback::AppRollbackArgs>),
        /// Keep an Application at a revision, or release it
        #[command(
            before_help = "Examples:\n  landfall app pin shop                       what is delivered now\n  landfall app pin shop --revision v1.2.0\n  landfall app pin shop --release"
        )]
        Pin(Box<pin::AppPinArgs>),
        /// Say how an Application syncs by itself, or accept how it is declared
        #[command(
            before_help = "Examples:\n  landfall app policy shop --automated --prune --self-heal\n  landfall app policy shop --manual\n  landfall app policy shop --accept    of a protected project: as it is declared now, it counts"
        )]
        Policy(Box<policy::AppPolicyArgs>),
        /// Let an Application sync by itself no more, or go on
        #[command(
            before_help = "Examples:\n  landfall app pause shop --reason freeze\n  landfall app pause shop --release"
        )]
        Pause(Box<pause::AppPauseArgs>),
        /// Delete an Application, with what it delivered or without
        #[command(
            before_help = "Examples:\n  landfall app delete shop --dry-run                 what would go, data first\n  landfall app delete shop\n  landfall app delete shop --objects stay --yes      the Application alone"
        )]
        Delete(Box<delete::AppDeleteArgs>),
        /// Look at Applications now
        #[command(before_help = "Examples:\n  landfall app refresh shop")]
        Refresh(Box<refresh::AppRefreshArgs>),
        /// Wait until Applications are synced, healthy and at rest
        #[command(
            before_help = "Examples:\n  landfall app wait shop\n  landfall app wait shop --health --timeout 10m"
        )]
        Wait(Box<wait::AppWaitArgs>),
        /// End the operation that is under way
        #[command(before_help = "Examples:\n  landfall app terminate shop")]
        Terminate(Box<terminate::AppTerminateArgs>),
        /// Print the logs of its containers
        Logs(Box<logs::AppLogsArgs>),
    }
}

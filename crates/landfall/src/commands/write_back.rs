//! Writing back: what a command wants said in git, as one commit on the branch of the repository that it was started in.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_host::{Act, Failure, Place, patience};
use landfall_source::{
    Account, Accounts, AllowedPaths, Builds, Change, ForgeApi, ForgeClient, ForgeRepository, ForgeRequest, GitRemote,
    GitWriter, Landing, Login, Person, Proposal, Reach, Reads, RemoteRef, Signing, SourceTree, Trust, Write,
};
use serde_json::{Value, json};

use crate::commands::doctor::forge_token;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::Exit;
use crate::report::Report;
use crate::ui::Ui;

/// Where and how it is written back.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WriteBackArgs {
    /// The branch that gets the commit (default: the one that is checked out)
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<String>,
    /// The address of the repository (default: that of `origin`)
    #[arg(long, value_name = "URL")]
    pub(crate) remote: Option<String>,
    /// Whose API the forge speaks: github, gitlab or gitea (default: told from its host); a branch that takes no commits gets
    /// a pull request there
    #[arg(long, value_name = "NAME")]
    pub(crate) forge: Option<String>,
    /// The address of the forge's API
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// Ask forges to build nothing for the commit
    #[arg(long)]
    pub(crate) skip_ci: bool,
    /// Sign the commit with this key of SSH
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<String>,
}

/// What is to be written.
pub(crate) struct Deed {
    /// What it makes of a tip.
    pub(crate) change: Change,
    /// The branch on whose tip its own one stands, with this commit and no other one.
    pub(crate) starts_at: Option<String>,
    /// The only files that it may change.
    pub(crate) files: Vec<String>,
    /// The commit that led to it.
    pub(crate) cause: Option<String>,
    /// How it is called where it has to be proposed.
    pub(crate) called: Called,
}

/// How a change is called where it has to be proposed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Called {
    /// The end of its branch's name.
    pub(crate) branch: String,
    /// The pull request's first line.
    pub(crate) title: String,
}

/// What became of it.
pub(crate) struct Written {
    pub(crate) landing: Landing,
    branch: String,
    remote: String,
    /// The pull request that it waits in, where the branch took no commit.
    pub(crate) request: Option<ForgeRequest>,
}

/// A commit as people are told it.
pub(crate) fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}

/// Gets a yes for a commit that an environment is delivered from.
///
/// # Errors
/// Nobody has said it.
pub(crate) async fn agreed(context: &Context, place: &Place, yes: bool) -> Result<(), Failure> {
    consent::given(context, &place.permit(Act::Deliver), || Question {
        yes,
        ask: "Commit it for this environment".to_owned(),
        deed: "a commit for this environment".to_owned(),
        undone: "nothing was committed",
        instead: Some("look first with --dry-run"),
    })
    .await
}

impl WriteBackArgs {
    /// The forge of a repository, where it is known and there is a token for it.
    ///
    /// # Errors
    /// `--forge` names none.
    pub(crate) fn client(&self, context: &Context, address: &str) -> Result<Option<ForgeClient>, Failure> {
        let named = match self.forge.as_deref() {
            Some(word) => Some(ForgeApi::parse(word).ok_or_else(|| {
                Failure::usage(
                    Diagnostic::error(code::NO_FORGE, format!("--forge {word}: there is no such forge"))
                        .help("github, gitlab or gitea"),
                )
            })?),
            None => None,
        };
        let Some(place) = ForgeRepository::of(address, named, self.api.as_deref()) else { return Ok(None) };
        let typed = self.api.as_deref().or(self.remote.as_deref());
        let token = forge_token::token_for(&place.api, typed, |name| context.host.env.get(name));
        Ok(token.map(|token| ForgeClient::new(&context.host.network, place.clone(), token)))
    }

    /// Puts the commit on the branch.
    ///
    /// # Errors
    /// There is no repository to write to, it cannot be reached, it does not take the commit, or what led to it was made by
    /// Landfall itself. Where there is no login for it, [`code::NOT_DEPLOYED`].
    pub(crate) async fn write(
        &self,
        context: &Context,
        place: &Place,
        source: &SourceTree,
        deed: Deed,
    ) -> Result<Written, Failure> {
        self.write_reading(context, place, source, deed, Reads::Tip).await
    }

    /// The same for a change that reads more of the branch than its tip.
    ///
    /// # Errors
    /// As [`WriteBackArgs::write`].
    pub(crate) async fn write_reading(
        &self,
        context: &Context,
        place: &Place,
        source: &SourceTree,
        deed: Deed,
        reads: Reads,
    ) -> Result<Written, Failure> {
        let remote = self.remote(context, source)?;
        let branch = self.branch.clone().or_else(|| source.branch()).ok_or_else(|| {
            Failure::usage(
                Diagnostic::error(code::NO_REMOTE, "no branch is checked out here, and none is named")
                    .help("name it with --branch"),
            )
        })?;
        let bare = place.state.create_writer_cache().map_err(Failure::from)?;
        let writer = GitWriter::new(&context.host.network, bare, patience(&context.host.env));
        let write = Write {
            branch: branch.clone(),
            starts_at: deed.starts_at,
            allowed: AllowedPaths::exactly(deed.files),
            change: deed.change,
            reads,
            cause: deed.cause,
            builds: if self.skip_ci { Builds::Skipped } else { Builds::Asked },
            author: author(context),
            signing: match &self.sign_key {
                Some(file) => Signing::Ssh(context.host.directory.join(file)),
                None => Signing::No,
            },
            at: jiff::Timestamp::now(),
        };
        let failed = |error: landfall_source::WriteError| Failure::from(error.diagnose());
        let landing = writer.write(&remote, write.clone()).await.map_err(failed)?;
        let shown = RemoteRef { url: remote.address.clone(), revision: None }.shown();
        let forge = match landing {
            Landing::Protected { .. } if !deed.called.branch.is_empty() => self.client(context, &remote.address)?,
            _ => None,
        };
        let Some(forge) = forge else {
            // Whose branch it is may have more to say of it.
            if !matches!(landing, Landing::Foreign { .. }) {
                refused(&landing, &shown, &branch).map_err(|failure| without_its_port(context, &remote, failure))?;
            }
            return Ok(Written { landing, branch, remote: shown, request: None });
        };
        let own = format!("landfall/{}", deed.called.branch);
        let beside = Write { branch: own.clone(), starts_at: Some(branch.clone()), ..write };
        let landing = writer.write(&remote, beside).await.map_err(failed)?;
        refused(&landing, &shown, &own)?;
        let body = format!("`{branch}` takes no commit from this account, so that this is proposed.");
        let proposal = Proposal { head: own.clone(), base: branch, title: deed.called.title, body };
        let (request, _) = forge.propose(&proposal).await.map_err(|error| {
            Failure::from(
                error.diagnose().note(format!("the branch `{own}` is written; the same command goes on from there")),
            )
        })?;
        Ok(Written { landing, branch: own, remote: shown, request: Some(request) })
    }

    /// The repository, and who asks it.
    pub(crate) fn remote(&self, context: &Context, source: &SourceTree) -> Result<GitRemote, Failure> {
        let none = || {
            Failure::usage(
                Diagnostic::error(code::NO_REMOTE, "this directory comes from no repository that could be pushed to")
                    .help("name one with --remote, or give it an `origin`"),
            )
        };
        let address = self.remote.clone().or_else(|| source.origin()).ok_or_else(none)?;
        let address = match RemoteRef::parse(&address) {
            Some(_) => address,
            // A path, as git takes it: from the top of the working tree.
            None => {
                let from = source.directory_on_disk().unwrap_or(&context.host.directory);
                let path = from.join(&address);
                format!("file://{}", path.canonicalize().map_err(|_| none())?.display())
            }
        };
        Ok(asked_as(context, &address, self.remote.as_deref()))
    }
}

/// A repository's server, asked with the token that belongs to it, where the environment has one; `typed`: an address that the user
/// named in this very call.
pub(crate) fn asked_as(context: &Context, address: &str, typed: Option<&str>) -> GitRemote {
    let is_http = address.starts_with("http://") || address.starts_with("https://");
    let token = forge_token::token_for(address, typed, |name| context.host.env.get(name));
    let login = match token {
        Some(token) if is_http => Login::Password { username: user_of(address).to_owned(), password: token.to_owned() },
        _ if is_http => Login::Nobody,
        // Their own ssh knows them.
        _ => Login::Person,
    };
    let account = Account {
        name: "the environment's token".to_owned(),
        address: address.to_owned(),
        reach: Reach::Repository,
        login,
        ..Account::default()
    };
    Accounts::new(vec![account], Trust::default()).remote(address)
}

/// Who a token belongs to, where the forge looks at that.
fn user_of(address: &str) -> &'static str {
    if address.contains("gitlab") { "oauth2" } else { "x-access-token" }
}

/// Who is said to have made the commit, as git's own variables say.
fn author(context: &Context) -> Person {
    let said = |names: [&str; 2]| {
        names.into_iter().find_map(|name| context.host.env.get(name).filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let usual = Person::default();
    Person {
        name: said(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"]).unwrap_or(usual.name),
        email: said(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"]).unwrap_or(usual.email),
    }
}

/// Variables by which a forge's pipelines say whose account has started them.
pub(crate) const OF_FORGES: [&str; 2] = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN"];

/// Who asks for something, for a commit's last lines.
pub(crate) fn actor(context: &Context) -> String {
    let person = OF_FORGES
        .into_iter()
        .chain(["USER"])
        .find_map(|name| context.host.env.get(name).filter(|name| !name.is_empty()));
    person.unwrap_or("local").to_owned()
}

/// What is said of a repository that asks for a login.
pub(crate) fn no_token(remote: &GitRemote) -> Diagnostic {
    no_token_for(&RemoteRef { url: remote.address.clone(), revision: None }.shown())
}

fn no_token_for(shown: &str) -> Diagnostic {
    let text = format!("published, not deployed: {shown} asks for a login, and there is no token for it");
    Diagnostic::error(code::NOT_DEPLOYED, text)
        .note("nothing was written; what is published stays published")
        .help("set LANDFALL_FORGE_TOKEN and LANDFALL_FORGE_HOST, or the forge's own GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN")
}

/// A failure for want of a token, with what is wrong with the name of the host that has one.
fn without_its_port(context: &Context, remote: &GitRemote, mut failure: Failure) -> Failure {
    let said = forge_token::without_its_port(&remote.address, |name| context.host.env.get(name));
    if let (Some(said), Some(told)) = (said, failure.diagnostics.first_mut())
        && told.code == code::NOT_DEPLOYED
    {
        *told = told.clone().note(said);
    }
    failure
}

/// What is said where others have written to a branch that is Landfall's own.
pub(crate) fn foreign(branch: &str, commits: &[String]) -> Diagnostic {
    let text = format!("`{branch}` has commits of others, which would go along");
    Diagnostic::refused(code::FOREIGN_COMMITS, text)
        .listing("they are", commits.iter().map(String::as_str))
        .note("nothing was written")
        .help(format!("git push --delete origin {branch}, and the same command again"))
}

fn refused(landing: &Landing, remote: &str, branch: &str) -> Result<(), Failure> {
    let diagnostic = match landing {
        Landing::Pushed { .. } | Landing::Nothing { .. } => return Ok(()),
        Landing::NoToken => no_token_for(remote),
        Landing::Protected { said } => Diagnostic::refused(
            code::BRANCH_PROTECTED,
            format!("{remote} takes no commit on `{branch}` from this account"),
        )
        .note(said.clone())
        .help("push to another one with --branch, and open a pull request from it"),
        Landing::Foreign { commits, .. } => foreign(branch, commits),
        Landing::Echo { commit } => Diagnostic::refused(
            code::OWN_ECHO,
            format!("{commit} was made by Landfall itself, and leads to no further commit"),
        ),
    };
    Err(Failure::from(diagnostic))
}

impl Written {
    /// The edits that are on the branch now: none of ours where there was nothing to do there.
    pub(crate) fn landed(&self, lines: Vec<EditLine>) -> Vec<EditLine> {
        if matches!(self.landing, Landing::Nothing { .. }) { Vec::new() } else { lines }
    }

    /// For programs.
    pub(crate) fn data(&self) -> Value {
        match &self.landing {
            Landing::Pushed { commit, parent, files, attempts } => json!({
                "result": "pushed", "remote": self.remote, "branch": self.branch, "commit": commit, "parent": parent,
                "files": files, "attempts": attempts, "request": self.request,
            }),
            Landing::Nothing { head, why } => json!({
                "result": "nothing", "remote": self.remote, "branch": self.branch, "head": head, "why": why,
                "request": self.request,
            }),
            // What was refused is told as a failure.
            Landing::Protected { .. } | Landing::NoToken | Landing::Echo { .. } | Landing::Foreign { .. } => {
                Value::Null
            }
        }
    }

    /// For people.
    pub(crate) fn text(&self, ui: &Ui) {
        match &self.landing {
            Landing::Pushed { commit, .. } => {
                ui.line(&format!("{} is on {} of {}", short(commit), self.branch, self.remote));
            }
            // It was written before, and the request may have been made just now.
            Landing::Nothing { head, .. } if self.request.is_some() => {
                ui.line(&format!("{} is on {} of {} already", short(head), self.branch, self.remote));
            }
            Landing::Nothing { why, .. } => ui.line(&format!("nothing to do on {}: {why}", self.branch)),
            Landing::Protected { .. } | Landing::NoToken | Landing::Echo { .. } | Landing::Foreign { .. } => {}
        }
        if let Some(request) = &self.request {
            ui.folded(&format!("pull request {}: {}", request.number, request.url));
        }
    }
}

/// Edits of the working tree itself, or of a branch elsewhere, with what became of them.
pub(crate) struct Outcomes<'a> {
    /// Each as `FILE:LINE path: from -> to`.
    pub(crate) lines: Vec<EditLine>,
    /// What is true besides: an older one was left alone.
    pub(crate) notes: Vec<String>,
    pub(crate) written: Option<&'a Written>,
    /// Whether nothing was to be changed.
    pub(crate) dry_run: bool,
}

/// What is said where nothing would be changed here: only the deed asks the branch, which may say something else by now.
pub(crate) fn unasked(lines: &[EditLine]) -> Vec<String> {
    let said = "here it is so already; what the branch itself says is asked without --dry-run";
    if lines.is_empty() { vec![said.to_owned()] } else { Vec::new() }
}

/// One edit.
#[derive(Debug, Clone)]
pub(crate) struct EditLine {
    pub(crate) file: String,
    pub(crate) line: Option<usize>,
    pub(crate) path: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Report for Outcomes<'_> {
    const KIND: &'static str = "Edits";

    fn data(&self) -> Value {
        let edits = self
            .lines
            .iter()
            .map(|it| json!({"file": it.file, "line": it.line, "path": it.path, "from": it.from, "to": it.to}));
        json!({
            "edits": edits.collect::<Vec<_>>(), "notes": self.notes, "dry_run": self.dry_run,
            "written": self.written.map(Written::data),
        })
    }

    fn text(&self, ui: &Ui) {
        for it in &self.lines {
            let line = it.line.map(|line| format!(":{line}")).unwrap_or_default();
            let from = if it.from.is_empty() { "(nothing)" } else { it.from.as_str() };
            ui.folded(&format!("{}{line}  {}: {from} -> {}", it.file, it.path, it.to));
        }
        self.notes.iter().for_each(|note| ui.folded(note));
        match self.written {
            Some(written) => written.text(ui),
            None if self.dry_run && !self.lines.is_empty() => ui.line("nothing was changed (--dry-run)"),
            None if self.lines.is_empty() && self.notes.is_empty() => ui.line("nothing to do: it is so already"),
            None => {}
        }
    }

    fn names(&self, ui: &Ui) {
        self.lines.iter().for_each(|it| ui.name(&it.file));
    }
}

/// Sees that no file which would be changed is a link: put in its place, the file would end it, and what it led to would stay as it was.
pub(crate) fn unlinked<'p>(source: &SourceTree, paths: impl IntoIterator<Item = &'p str>) -> Result<(), Failure> {
    let Some(root) = source.directory_on_disk() else { return Ok(()) };
    for path in paths {
        if let Ok(to) = root.join(path).read_link() {
            let text = format!("`{path}` would be changed, which is a link");
            let told = Diagnostic::refused(code::WRITE_OUTSIDE, text).note("nothing was written");
            return Err(Failure::from(
                told.help(format!("name the file itself where `{path}` is named: it leads to {}", to.display())),
            ));
        }
    }
    Ok(())
}

/// Writes files of the working tree, each beside its place and renamed.
pub(crate) fn write_here(source: &SourceTree, files: &[(String, String)]) -> Result<(), Failure> {
    let root = source.directory_on_disk().ok_or_else(|| {
        Failure::usage(
            Diagnostic::error(code::NO_REMOTE, "what is delivered is no working tree that could be edited")
                .help("push to its branch with --push"),
        )
    })?;
    unlinked(source, files.iter().map(|(path, _)| path.as_str()))?;
    for (path, text) in files {
        let file = root.join(path);
        let failed = |error: std::io::Error| {
            Failure::from(
                Diagnostic::error(code::UNREADABLE_FILE, format!("`{path}` cannot be written")).note(error.to_string()),
            )
        };
        let mode = std::fs::metadata(&file).map_err(failed)?.permissions();
        let partial = file.with_extension(format!("landfall-{}", std::process::id()));
        std::fs::write(&partial, text).map_err(failed)?;
        std::fs::set_permissions(&partial, mode).map_err(failed)?;
        std::fs::rename(&partial, &file).map_err(failed)?;
    }
    Ok(())
}

/// A change as a function that is asked for each tip.
pub(crate) fn change(
    on: impl Fn(&SourceTree) -> Result<landfall_source::Edited, Diagnostic> + Send + Sync + 'static,
) -> Change {
    Arc::new(on)
}

/// Prints what became of edits.
pub(crate) fn report(context: &Context, outcomes: &Outcomes<'_>, started: Instant) -> Exit {
    context.report(outcomes, Exit::Done, started);
    Exit::Done
}

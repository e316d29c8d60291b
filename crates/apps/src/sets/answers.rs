use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_source::SourceTree;
use serde_json::{Map, Value};

/// Something that has to be found out before a set can be expanded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// The files of a git repository.
    Files {
        /// Its address.
        repository: String,
        /// A branch, tag or commit; `HEAD` when empty.
        revision: String,
    },
    /// The clusters that Argo CD's Secrets name.
    Clusters,
    /// Open pull requests of a repository.
    PullRequests(PullRequestQuery),
    /// What a service answers.
    Plugin(PluginQuery),
}

/// What a service is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginQuery {
    /// The ConfigMap beside the ApplicationSet that names the service.
    pub config_map: String,
    /// The generator's parameters for it, as JSON.
    pub parameters: String,
}

/// Pull requests, as a generator asks for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PullRequestQuery {
    /// Whose.
    pub forge: Forge,
    /// The address of its API; the forge's own when empty.
    pub api: String,
    /// `owner/repository`; of GitLab the project's path or number.
    pub project: String,
    /// Only those that carry all of these labels.
    pub labels: Vec<String>,
    /// GitLab's state; any when empty.
    pub state: String,
    /// The token, a key of a Secret beside the ApplicationSet.
    pub token: Option<SecretRef>,
}

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// The Secret.
    pub name: String,
    /// The key.
    pub key: String,
}

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forge {
    /// GitHub, and GitHub Enterprise.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

/// A pull or merge request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// The branch that is to be merged.
    pub branch: String,
    /// The branch that it is to be merged into.
    pub target_branch: String,
    /// The branch's commit.
    pub head_sha: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Who opened it.
    pub author: String,
}

/// A cluster that one of Argo CD's Secrets names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its address.
    pub server: String,
    /// The project that it belongs to; any when empty.
    pub project: String,
    /// The Secret's labels.
    pub labels: BTreeMap<String, String>,
    /// The Secret's annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Files that are shared, or lent for as long as they are asked for.
#[derive(Debug, Clone)]
pub enum FileTree<'t> {
    /// They are shared.
    Shared(Arc<SourceTree>),
    /// They are lent.
    Lent(&'t SourceTree),
}

impl From<Arc<SourceTree>> for FileTree<'_> {
    fn from(tree: Arc<SourceTree>) -> Self {
        FileTree::Shared(tree)
    }
}

impl<'t> From<&'t SourceTree> for FileTree<'t> {
    fn from(tree: &'t SourceTree) -> Self {
        FileTree::Lent(tree)
    }
}

impl std::ops::Deref for FileTree<'_> {
    type Target = SourceTree;

    fn deref(&self) -> &SourceTree {
        match self {
            FileTree::Shared(tree) => tree,
            FileTree::Lent(tree) => tree,
        }
    }
}

/// The files of a repository at one commit.
#[derive(Debug, Clone)]
pub struct Files<'t> {
    tree: FileTree<'t>,
    root: String,
    /// All paths below the root, in order.
    paths: Arc<Vec<String>>,
}

impl<'t> Files<'t> {
    /// The files of a tree below `root`, which stands for the repository's own root.
    ///
    /// # Errors
    /// The tree cannot be listed.
    pub fn of(tree: impl Into<FileTree<'t>>, root: &str) -> Result<Self, String> {
        let tree = tree.into();
        let pattern = if root.is_empty() { "**/*".to_owned() } else { format!("{root}/**/*") };
        let found = tree.glob(&pattern).map_err(|error| error.to_string())?;
        let inside = |path: String| match root {
            "" => path,
            root => path[root.len() + 1..].to_owned(),
        };
        let paths = found.into_iter().map(inside).collect();
        Ok(Files { tree, root: root.to_owned(), paths: Arc::new(paths) })
    }

    /// All paths, in order.
    pub(crate) fn paths(&self) -> &[String] {
        &self.paths
    }

    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let at = if self.root.is_empty() { path.to_owned() } else { format!("{}/{path}", self.root) };
        let read = self.tree.read(&at).map_err(|error| error.to_string())?;
        read.ok_or_else(|| format!("{path} is no file"))
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The forge says that there is no such repository.
    #[error("{0}")]
    NoRepository(String),
    /// Anything else, in words.
    #[error("{0}")]
    Failed(String),
}

/// What is known, each answer or why there is none.
#[derive(Debug, Clone, Default)]
pub struct Answers<'t> {
    files: BTreeMap<Question, Result<Files<'t>, Unanswered>>,
    clusters: Option<Result<Vec<Cluster>, Unanswered>>,
    requests: BTreeMap<Question, Result<Vec<PullRequest>, Unanswered>>,
    plugins: BTreeMap<Question, Result<Vec<Map<String, Value>>, Unanswered>>,
}

impl<'t> Answers<'t> {
    /// The files of a repository at a revision.
    pub fn files(&mut self, repository: &str, revision: &str, files: Result<Files<'t>, Unanswered>) {
        let question = Question::Files { repository: repository.to_owned(), revision: revision.to_owned() };
        self.files.insert(question, files);
    }

    /// The clusters that Secrets name; the one that all lives in has one only where somebody has made it.
    pub fn clusters(&mut self, clusters: Result<Vec<Cluster>, Unanswered>) {
        self.clusters = Some(clusters);
    }

    /// The pull requests that a query finds.
    pub fn pull_requests(&mut self, query: PullRequestQuery, found: Result<Vec<PullRequest>, Unanswered>) {
        self.requests.insert(Question::PullRequests(query), found);
    }

    /// The sets of parameters that a service answers with.
    pub fn plugin(&mut self, query: PluginQuery, found: Result<Vec<Map<String, Value>>, Unanswered>) {
        self.plugins.insert(Question::Plugin(query), found);
    }

    pub(crate) fn plugin_of(&self, question: &Question) -> Option<&Result<Vec<Map<String, Value>>, Unanswered>> {
        self.plugins.get(question)
    }

    /// What was asked so far.
    pub fn questions(&self) -> BTreeSet<Question> {
        let clusters = self.clusters.as_ref().map(|_| Question::Clusters);
        self.files.keys().chain(self.requests.keys()).chain(self.plugins.keys()).cloned().chain(clusters).collect()
    }

    pub(crate) fn files_of(&self, question: &Question) -> Option<&Result<Files<'t>, Unanswered>> {
        self.files.get(question)
    }

    pub(crate) fn known_clusters(&self) -> Option<&Result<Vec<Cluster>, Unanswered>> {
        self.clusters.as_ref()
    }

    pub(crate) fn requests_of(&self, question: &Question) -> Option<&Result<Vec<PullRequest>, Unanswered>> {
        self.requests.get(question)
    }
}

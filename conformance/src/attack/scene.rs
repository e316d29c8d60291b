//! An attack, or its twin, as data: what lies there, what is called, and how it must end.

use super::server::Answer;

/// What is made before anything runs. In texts `@ROOT@`, `@HOME@`, `@OUT@`, `@BIN@`, `@MARK@`, `@CALLS@`, `@HOST@`,
/// `@OTHER@`, `@SECURE@` stand for places and servers of this run (see [`super::ground::Ground`]).
#[derive(Debug, Clone)]
pub(super) enum Make {
    /// A file; a path that is not absolute lies in the system.
    File(String, Vec<u8>),
    /// A file that may be run.
    Program(String, String),
    /// A symbolic link: where it lies, where it leads.
    Link(String, String),
    /// git with these words in the system.
    Git(Vec<String>),
    /// All that lies there is committed.
    Commit(&'static str),
    /// A server answers this below a path.
    Answer(Where, String, Answer),
    /// The landfall binary is run with these words, and must end well.
    Before(Vec<String>),
    /// Something that has no other name.
    Do(fn(&super::ground::Ground) -> anyhow::Result<()>),
}

/// Which server on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Where {
    /// The one that the user means: `@HOST@`.
    Host,
    /// One at another address: `@OTHER@`.
    Other,
    /// A stranger's forge, with TLS of an authority that the user trusts, behind the proxy `@SECURE@`.
    Secure,
}

/// How the last call must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// With 0.
    Well,
    /// With one of these.
    With(&'static [i32]),
    /// With any code but a panic's.
    Anyhow,
}

/// One side of an attack.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) makes: Vec<Make>,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) act: Vec<String>,
    /// Where it is called: below the system.
    pub(super) directory: &'static str,
    pub(super) ends: Ends,
    /// Each must be said, on one of both streams.
    pub(super) says: Vec<String>,
    /// Must not be said.
    pub(super) hides: Vec<String>,
    /// Files that must be left as they were made.
    pub(super) keeps: Vec<String>,
    /// A file that must be there afterwards, and hold a text.
    pub(super) leaves: Vec<(String, String)>,
    /// Must not be there afterwards.
    pub(super) spares: Vec<String>,
    /// Must stand in what recording programs were called with.
    pub(super) calls: Vec<String>,
    /// Must have been asked of a server.
    pub(super) asks: Vec<String>,
    /// Must not have been sent to `@OTHER@`.
    pub(super) withholds: Vec<String>,
    /// Must not be said in Markdown but within code.
    pub(super) fences: Vec<String>,
    /// A file with the number of a process that must still be there.
    pub(super) lives: Option<&'static str>,
    /// What is asked of the served cluster in place of a call of the binary.
    pub(super) talk: Option<fn(&super::ground::Ground) -> anyhow::Result<String>>,
}

impl Scene {
    /// A scene in which a call is made.
    pub(super) fn new(act: &[&str]) -> Self {
        Scene {
            makes: Vec::new(),
            environment: Vec::new(),
            act: owned(act),
            directory: "",
            ends: Ends::Anyhow,
            says: Vec::new(),
            hides: Vec::new(),
            keeps: Vec::new(),
            leaves: Vec::new(),
            spares: Vec::new(),
            calls: Vec::new(),
            asks: Vec::new(),
            withholds: Vec::new(),
            fences: Vec::new(),
            lives: None,
            talk: None,
        }
    }

    pub(super) fn file(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.makes.push(Make::File(path.to_owned(), text.into()));
        self
    }

    pub(super) fn program(mut self, path: &str, script: &str) -> Self {
        self.makes.push(Make::Program(path.to_owned(), script.to_owned()));
        self
    }

    pub(super) fn link(mut self, path: &str, target: &str) -> Self {
        self.makes.push(Make::Link(path.to_owned(), target.to_owned()));
        self
    }

    pub(super) fn git(mut self, words: &[&str]) -> Self {
        self.makes.push(Make::Git(owned(words)));
        self
    }

    pub(super) fn commit(mut self, message: &'static str) -> Self {
        self.makes.push(Make::Commit(message));
        self
    }

    pub(super) fn answer(mut self, server: Where, path: &str, answer: Answer) -> Self {
        self.makes.push(Make::Answer(server, path.to_owned(), answer));
        self
    }

    pub(super) fn before(mut self, words: &[&str]) -> Self {
        self.makes.push(Make::Before(owned(words)));
        self
    }

    pub(super) fn make(mut self, make: fn(&super::ground::Ground) -> anyhow::Result<()>) -> Self {
        self.makes.push(Make::Do(make));
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(Self) -> Self) -> Self {
        self = change(self);
        self
    }

    pub(super) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub(super) fn below(mut self, directory: &'static str) -> Self {
        self.directory = directory;
        self
    }

    /// The last call is refused, with one of these codes and all of these words.
    pub(super) fn refused(mut self, codes: &'static [i32], words: &[&str]) -> Self {
        self.ends = Ends::With(codes);
        self.says(words)
    }

    /// The last call ends well and says this.
    pub(super) fn well(mut self, words: &[&str]) -> Self {
        self.ends = Ends::Well;
        self.says(words)
    }

    /// How the last call ends is not what is asked here.
    pub(super) fn ends_anyhow(mut self) -> Self {
        self.ends = Ends::Anyhow;
        self
    }

    /// The last call ends as a comparison does: with 0 or, where something differs, with 10.
    pub(super) fn ends_well_or_differs(mut self) -> Self {
        self.ends = Ends::With(&[0, 1, 10]);
        self
    }

    pub(super) fn says(mut self, words: &[&str]) -> Self {
        self.says.extend(owned(words));
        self
    }

    pub(super) fn hides(mut self, words: &[&str]) -> Self {
        self.hides.extend(owned(words));
        self
    }

    pub(super) fn keeps(mut self, paths: &[&str]) -> Self {
        self.keeps.extend(owned(paths));
        self
    }

    pub(super) fn leaves(mut self, path: &str, text: &str) -> Self {
        self.leaves.push((path.to_owned(), text.to_owned()));
        self
    }

    pub(super) fn spares(mut self, paths: &[&str]) -> Self {
        self.spares.extend(owned(paths));
        self
    }

    pub(super) fn calls(mut self, words: &[&str]) -> Self {
        self.calls.extend(owned(words));
        self
    }

    pub(super) fn asks(mut self, words: &[&str]) -> Self {
        self.asks.extend(owned(words));
        self
    }

    pub(super) fn withholds(mut self, words: &[&str]) -> Self {
        self.withholds.extend(owned(words));
        self
    }

    pub(super) fn fences(mut self, words: &[&str]) -> Self {
        self.fences.extend(owned(words));
        self
    }

    pub(super) fn lives(mut self, file: &'static str) -> Self {
        self.lives = Some(file);
        self
    }

    /// A scene in which the embedded cluster is asked something.
    pub(super) fn talk(talk: fn(&super::ground::Ground) -> anyhow::Result<String>) -> Self {
        let scene = Scene::new(&["cluster", "status"]).before(&["cluster", "start"]);
        Scene { talk: Some(talk), ..scene }
    }

    /// Whether more is asked of it than that nothing bad happens anyhow.
    #[cfg(test)]
    pub(super) fn expects_something(&self) -> bool {
        let asked = [&self.says, &self.hides, &self.keeps, &self.spares, &self.withholds, &self.calls, &self.fences];
        self.ends != Ends::Anyhow || asked.into_iter().any(|it| !it.is_empty()) || self.lives.is_some()
    }

    /// Whether it ends well and something shows it.
    #[cfg(test)]
    pub(super) fn shows_something(&self) -> bool {
        let shown = [&self.says, &self.calls, &self.asks].into_iter().any(|it| !it.is_empty());
        // That a server was asked with it is proof enough, whatever that server then answered.
        let may_end_well = match self.ends {
            Ends::Well => true,
            Ends::With(codes) => codes.contains(&0),
            Ends::Anyhow => !self.asks.is_empty(),
        };
        may_end_well && (shown || !self.leaves.is_empty())
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

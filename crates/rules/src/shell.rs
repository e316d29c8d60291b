//! The commands of a shell's script, as far as they can be told apart without running it.

use std::ops::Range;

/// A command: its words, and the files that it reads and writes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The program and its arguments, without the quotes around them.
    pub(crate) words: Vec<String>,
    /// The files that its output goes to.
    pub(crate) into: Vec<String>,
    /// The files that its input comes from.
    pub(crate) from: Vec<String>,
    /// The text behind it that is its input: `<<EOF`.
    pub(crate) document: Option<String>,
    /// Whether the script is prepared for its failure: it is asked for by `if`, or followed by `||`.
    pub(crate) may_fail: bool,
}

impl Command {
    /// The name of its program, without the directory.
    pub(crate) fn program(&self) -> &str {
        self.words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word))
    }
}

/// A text that stands in a script and is a command's input.
pub(crate) struct Document {
    /// The line that ends it.
    pub(crate) end: String,
    /// Where it stands, that line with it.
    pub(crate) range: Range<usize>,
    /// Whether that line is there.
    pub(crate) is_ended: bool,
}

/// The commands of a script, in their order.
pub(crate) fn commands(script: &str) -> Vec<Command> {
    read(script).found
}

/// The documents of a script, in their order; those of substitutions left out.
pub(crate) fn documents(script: &str) -> Vec<Document> {
    read(script).documents
}

fn read(script: &str) -> Reader<'_> {
    let mut reader = Reader {
        text: script,
        at: 0,
        found: Vec::new(),
        current: Command::default(),
        announced: Vec::new(),
        documents: Vec::new(),
    };
    while let Some(letter) = reader.letter() {
        reader.step(letter);
    }
    reader.end(false);
    reader
}

/// Where a document ends that was announced, and whether tabs in front of it are left out.
struct Announced {
    end: String,
    is_indented: bool,
    /// The command that it is for.
    command: Option<usize>,
}

struct Reader<'s> {
    text: &'s str,
    at: usize,
    found: Vec<Command>,
    current: Command,
    announced: Vec<Announced>,
    documents: Vec<Document>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn letter(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn step(&mut self, letter: char) {
        // Within `[[ … ]]` these signs compare.
        let is_asked = self.current.words.first().is_some_and(|word| word == "[[");
        match letter {
            '\n' => {
                self.at += 1;
                self.end(false);
                self.read_documents();
            }
            ' ' | '\t' | '\r' => self.at += 1,
            '\\' if self.rest().starts_with("\\\n") => self.at += 2,
            '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
            '<' | '>' if is_asked => self.at += 1,
            '>' => self.redirected(1),
            '<' => self.taken_in(),
            '&' if self.rest().starts_with("&>") => self.redirected(2),
            '|' if self.rest().starts_with("||") => {
                self.at += 2;
                self.end(true);
            }
            ';' | '&' | '|' | '(' | ')' => {
                self.at += 1;
                self.end(false);
            }
            _ => {
                let word = self.word();
                // `2> file`: the number is no word.
                let is_number = !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit());
                if !(is_number && self.rest().starts_with(['<', '>'])) {
                    self.current.words.push(word);
                }
            }
        }
    }

    /// Output that goes to a file: what stands behind `>`, `>>` or `&>`.
    fn redirected(&mut self, length: usize) {
        self.at += length;
        if self.rest().starts_with(['>', '|']) {
            self.at += 1;
        }
        if self.rest().starts_with('&') {
            self.at += 1;
            self.word();
            return;
        }
        self.skip_blanks();
        let file = self.word();
        self.current.into.push(file);
    }

    /// Input: a file, a document or a word.
    fn taken_in(&mut self) {
        let signs = self.rest().bytes().take_while(|it| *it == b'<').count().min(3);
        self.at += signs;
        let is_indented = signs == 2 && self.rest().starts_with('-');
        self.at += usize::from(is_indented);
        self.skip_blanks();
        let word = self.word();
        match signs {
            1 => self.current.from.push(word),
            2 => self.announced.push(Announced { end: word, is_indented, command: None }),
            _ => {}
        }
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// The command that is read has ended.
    fn end(&mut self, is_excused: bool) {
        let mut command = std::mem::take(&mut self.current);
        command.may_fail |= is_excused;
        without_keywords(&mut command);
        let announced = self.announced.iter_mut().filter(|it| it.command.is_none());
        let mut is_needed = !command.words.is_empty() || !command.into.is_empty();
        for document in announced {
            document.command = Some(self.found.len());
            is_needed = true;
        }
        if is_needed {
            self.found.push(command);
        }
    }

    /// The documents that were announced in the line that has ended.
    fn read_documents(&mut self) {
        for document in std::mem::take(&mut self.announced) {
            let (mut text, from, mut is_ended) = (String::new(), self.at, false);
            while self.at < self.text.len() {
                let line = self.rest().split_inclusive('\n').next().unwrap_or_default();
                let bare = line.trim_end_matches(['\n', '\r']);
                let is_end = if document.is_indented { bare.trim_start_matches('\t') } else { bare } == document.end;
                if !is_end {
                    text.push_str(line);
                }
                self.at += line.len();
                if is_end {
                    is_ended = true;
                    break;
                }
            }
            self.documents.push(Document { end: document.end, range: from..self.at, is_ended });
            if let Some(command) = document.command.and_then(|at| self.found.get_mut(at)) {
                command.document = Some(text);
            }
        }
    }

    /// The word that begins here, without its quotes; what it substitutes stays as it is written.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self.letter() {
            match letter {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\\' => {
                    self.at += 1;
                    if let Some(next) = self.letter() {
                        self.at += next.len_utf8();
                        if next != '\n' {
                            word.push(next);
                        }
                    }
                }
                '\'' => {
                    let inner = self.rest()[1..].split('\'').next().unwrap_or_default().to_owned();
                    self.at = (self.at + inner.len() + 2).min(self.text.len());
                    word.push_str(&inner);
                }
                '"' => self.quoted(&mut word),
                '$' | '`' => self.substituted(&mut word),
                _ => {
                    self.at += letter.len_utf8();
                    word.push(letter);
                }
            }
        }
        word
    }

    /// What stands between double quotes.
    fn quoted(&mut self, word: &mut String) {
        self.at += 1;
        while let Some(letter) = self.letter() {
            match letter {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    self.at += 1;
                    if let Some(next) = self.letter() {
                        self.at += next.len_utf8();
                        word.push(next);
                    }
                }
                '$' | '`' => self.substituted(word),
                _ => {
                    self.at += letter.len_utf8();
                    word.push(letter);
                }
            }
        }
    }

    /// A substitution to its end, as it is written: `$(…)`, `${…}`, `` `…` ``; of `$NAME` its sign alone.
    fn substituted(&mut self, word: &mut String) {
        let rest = self.rest();
        let length = match rest.as_bytes() {
            [b'$', open @ (b'(' | b'{'), ..] => closed(&rest[1..], *open).map(|it| it + 1),
            [b'`', ..] => rest[1..].find('`').map(|it| it + 2),
            _ => Some(1),
        };
        let length = length.unwrap_or(rest.len());
        word.push_str(&rest[..length]);
        self.at += length;
    }
}

/// The length of a text in brackets, the outermost included.
fn closed(text: &str, open: u8) -> Option<usize> {
    let close = if open == b'(' { b')' } else { b'}' };
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

/// Words of the shell's own that a command stands behind.
const KEYWORDS: &[&str] =
    &["if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "time", "exec", "sudo", "command"];

/// Takes the shell's own words and the variables of one command away from in front of it.
fn without_keywords(command: &mut Command) {
    let is_set = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        })
    };
    let in_front = command.words.iter().take_while(|word| KEYWORDS.contains(&word.as_str()) || is_set(word)).count();
    let taken: Vec<String> = command.words.drain(..in_front).collect();
    command.may_fail |= taken.iter().any(|word| matches!(word.as_str(), "if" | "elif" | "while" | "until" | "!"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<String> {
        commands(script).iter().map(|it| it.words.join(" ")).collect()
    }

    #[test]
    fn commands_are_told_apart() {
        let script = concat!(
            "set -e\n# no 'command\nif [ -d /a ]; then\n",
            "  cp \"/a/x\"* /b && A=1 exec run \\\n    --c 'd e' | tee -a /f\nfi\n",
        );
        assert_eq!(words(script), ["set -e", "[ -d /a ]", "cp /a/x* /b", "run --c d e", "tee -a /f", "fi"]);
        assert!(commands(script)[1].may_fail);
        assert!(commands("cp a /b || true").first().is_some_and(|it| it.may_fail));
        assert_eq!(words("echo \"$(date +\"%s\")\" ${A:-b c} `d e`"), ["echo $(date +\"%s\") ${A:-b c} `d e`"]);
        assert_eq!(words("echo 'not closed"), ["echo not closed"]);
        assert_eq!(words("[[ $a > /b ]]"), ["[[ $a /b ]]"]);
    }

    #[test]
    fn files_are_read_and_written() {
        let command = &commands("envsubst < /a/b 2>/dev/null >> \"/c/d\" 2>&1")[0];
        assert_eq!(command.words, ["envsubst"]);
        assert_eq!(
            (command.from.clone(), command.into.clone()),
            (vec!["/a/b".into()], vec!["/dev/null".into(), "/c/d".into()])
        );
    }

    #[test]
    fn a_document_is_the_input_of_its_command() {
        let found = commands("psql -v A=\"'$B'\" <<-EOSQL\n  CREATE;\n  \tEOSQL\n\tEOSQL\ncat <<'E' | sh; x\ny\nE\n");
        assert_eq!(found[0].words, ["psql", "-v", "A='$B'"]);
        assert_eq!(found[0].document.as_deref(), Some("  CREATE;\n  \tEOSQL\n"));
        assert_eq!(found.iter().map(Command::program).collect::<Vec<_>>(), ["psql", "cat", "sh", "x"]);
        assert_eq!(found[1].document.as_deref(), Some("y\n"));
    }
}

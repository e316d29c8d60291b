//! What `docs/architecture.md` says that can be checked: its table of rooms, and the lines beneath it that name rooms.

use std::collections::BTreeSet;
use std::path::Path;

/// The page, from the repository's root.
pub(super) const PAGE: &str = "docs/architecture.md";

const HEAD: &str = "| level | room | what it is | uses |";
/// How the line begins that names the rooms without I/O.
const PURE: &str = "**Without I/O, clock and randomness**:";
/// How the line begins that names the rooms, and the files of theirs, where I/O is but time comes from outside.
const CLOCKLESS: &str = "**Without clock and randomness** of their own:";
/// How a reason begins why a crate may be as long as it is, after the crate's name.
const LARGE: &str = "` is above 20,000 lines*";

/// The page as far as it is checked.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rooms: Vec<Room>,
    /// Rooms without I/O.
    pub(super) pure: BTreeSet<String>,
    /// Rooms that do I/O, and look at no clock of their own.
    pub(super) clockless: BTreeSet<String>,
    /// The files in those where the clock is.
    pub(super) clocks: BTreeSet<String>,
    /// Crates that are larger than others, for a reason that the page tells.
    pub(super) large: BTreeSet<String>,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) level: u8,
    pub(super) name: String,
    pub(super) uses: Uses,
    /// Where the row stands, from 1.
    pub(super) line: usize,
}

/// What a room may use, with the rooms that those may use.
#[derive(Debug)]
pub(super) enum Uses {
    All,
    Named(Vec<String>),
}

impl Uses {
    pub(super) fn named(&self) -> &[String] {
        match self {
            Self::All => &[],
            Self::Named(named) => named,
        }
    }
}

impl Page {
    pub(super) fn load(root: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(root.join(PAGE)).map_err(|cause| format!("{PAGE}: {cause}"))?;
        Self::parse(&text)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rows = text.lines().enumerate().skip_while(|(_, line)| *line != HEAD).skip(2);
        let rooms = rows
            .take_while(|(_, line)| line.starts_with('|'))
            .map(|(index, line)| {
                room(line, index + 1).ok_or_else(|| format!("{PAGE}:{}: this is no row of rooms: {line}", index + 1))
            })
            .collect::<Result<Vec<Room>, String>>()?;
        if rooms.is_empty() {
            return Err(format!("{PAGE} has no table that begins with {HEAD:?}"));
        }
        let (clocks, clockless) = named_after(text, CLOCKLESS).partition(|name| name.contains('/'));
        Ok(Self {
            rooms,
            pure: named_after(text, PURE).collect(),
            clockless,
            clocks,
            large: text.lines().filter_map(large).collect(),
        })
    }

    pub(super) fn room(&self, name: &str) -> Option<&Room> {
        self.rooms.iter().find(|room| room.name == name)
    }
}

fn room(line: &str, at: usize) -> Option<Room> {
    let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
    let (level, name, _what, uses) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let uses = match uses {
        "all" => Uses::All,
        "–" => Uses::Named(Vec::new()),
        named => Uses::Named(named.split(',').map(|name| name.trim().to_owned()).collect()),
    };
    let name = name.strip_prefix('`')?.strip_suffix('`')?.to_owned();
    cells.next().is_none().then_some(Room { level: level.parse().ok()?, name, uses, line: at })
}

/// What stands in backticks in the paragraph that begins so.
fn named_after<'a>(text: &'a str, beginning: &str) -> impl Iterator<Item = String> + 'a {
    let paragraph = text.split_once(beginning).map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or(rest));
    paragraph.split('`').skip(1).step_by(2).map(str::to_owned)
}

fn large(line: &str) -> Option<String> {
    let (name, _reason) = line.strip_prefix("- *`")?.split_once(LARGE)?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_read() {
        let text = format!(
            "words\n\n{HEAD}\n|---|---|---|---|\n| 0 | `diag` | x | – |\n| 3 | `chart` | y | sprig, yaml |\n| 9 | `landfall` | z | all |\n\n\
             {PURE} `diag`,\n`chart`.\n\n{CLOCKLESS} `engine` but `engine/src/clock.rs`.\n\n- *`engine{LARGE}: because.\n"
        );
        let page = Page::parse(&text).expect("read");
        let chart = page.room("chart").expect("a row");
        assert_eq!((chart.level, chart.line, chart.uses.named().join(" ").as_str()), (3, 6, "sprig yaml"));
        assert!(matches!(page.room("landfall").expect("a row").uses, Uses::All));
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!((page.pure, page.clockless), (set(&["diag", "chart"]), set(&["engine"])));
        assert_eq!((page.clocks, page.large), (set(&["engine/src/clock.rs"]), set(&["engine"])));
    }

    #[test]
    fn a_page_without_its_table_or_with_a_broken_row_is_refused() {
        assert!(Page::parse("no table\n").is_err());
        let broken = format!("{HEAD}\n|---|---|---|---|\n| zero | `diag` | x | – |\n");
        assert!(Page::parse(&broken).is_err_and(|told| told.contains(":3: ")));
    }
}

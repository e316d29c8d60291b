use crate::Inks;

/// A table without borders: columns two spaces apart. Where it is wider than the terminal its widest columns are folded,
/// and where that does not help each row becomes a list of its cells; nothing is cut off.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Row>,
    indent: usize,
}

#[derive(Debug)]
enum Row {
    /// A cell for each column.
    Cells(Vec<String>),
    /// A line of its own, which no column is wide for.
    Line(String),
}

/// Columns between two columns.
const GAP: usize = 2;
/// A column that is folded to less than this is not read any more.
const NARROWEST: usize = 16;

impl Table {
    /// A table with a head.
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Table { head: head.iter().map(|&cell| cell.to_owned()).collect(), ..Table::default() }
    }

    /// A table with a head that is not known before it is made.
    pub fn with_head(head: Vec<String>) -> Self {
        Table { head, ..Table::default() }
    }

    /// Rows that need no head, so far from the left.
    pub fn headless(indent: usize) -> Self {
        Table { indent, ..Table::default() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.cells(cells.into());
    }

    /// Adds a row of as many cells as the head has.
    pub fn cells(&mut self, cells: Vec<String>) {
        // Before they are folded: of a value that is known no part would be known any more.
        let cells = cells.into_iter().map(|cell| landfall_diag::without_known(&cell).into_owned()).collect();
        self.rows.push(Row::Cells(cells));
    }

    /// Adds a line between the rows.
    pub fn line(&mut self, text: String) {
        self.rows.push(Row::Line(landfall_diag::without_known(&text).into_owned()));
    }

    /// The table as lines, one trailing newline; empty without rows. Columns are as wide as their cells will be shown, and
    /// all of them no wider than `columns`, where that is known.
    pub(super) fn render(&self, inks: &Inks, columns: Option<usize>) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let whole = columns.unwrap_or(usize::MAX).saturating_sub(self.indent).max(NARROWEST);
        let widths = self.natural(inks);
        let gaps = GAP * widths.len().saturating_sub(1);
        let all = |cap: usize| widths.iter().map(|width| (*width).min(cap)).sum::<usize>() + gaps;
        let widest = widths.iter().copied().max().unwrap_or(0);
        // As wide as can be: the widest that may stay so without the sum being too much.
        let cap = (NARROWEST..=widest.max(NARROWEST)).rev().find(|cap| all(*cap) <= whole);
        let mut out = String::new();
        if let Some(cap) = cap {
            let widths: Vec<usize> = widths.iter().map(|width| (*width).min(cap)).collect();
            if !self.head.is_empty() {
                self.folded(inks, &self.head, &widths, &mut out);
            }
            for row in &self.rows {
                match row {
                    Row::Cells(cells) => self.folded(inks, cells, &widths, &mut out),
                    Row::Line(text) => self.whole_line(inks, text, whole, &mut out),
                }
            }
        } else {
            for row in &self.rows {
                match row {
                    Row::Cells(cells) => self.listed(inks, cells, whole, &mut out),
                    Row::Line(text) => self.whole_line(inks, text, whole, &mut out),
                }
            }
        }
        out
    }

    /// How wide each column would be if there were room.
    fn natural(&self, inks: &Inks) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|cell| inks.width(cell)).collect();
        for row in &self.rows {
            let Row::Cells(cells) = row else { continue };
            widths.resize(widths.len().max(cells.len()), 0);
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(inks.width(&on_a_line(cell)));
            }
        }
        widths
    }

    /// A row with each cell folded to its column.
    fn folded(&self, inks: &Inks, cells: &[String], widths: &[usize], out: &mut String) {
        let folded: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(cell, width)| inks.fold(&on_a_line(cell), *width)).collect();
        let lines = folded.iter().map(Vec::len).max().unwrap_or(1);
        for at in 0..lines {
            let mut line = " ".repeat(self.indent);
            for (index, (cell, width)) in folded.iter().zip(widths).enumerate() {
                let piece = cell.get(at).map_or("", String::as_str);
                line.push_str(piece);
                if index + 1 < folded.len() {
                    line.push_str(&" ".repeat(width.saturating_sub(inks.width(piece)) + GAP));
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    /// A row as a list of its cells: the first as what it is about, the others below it with what they are.
    fn listed(&self, inks: &Inks, cells: &[String], columns: usize, out: &mut String) {
        let label = self.head.iter().skip(1).map(|cell| inks.width(cell.trim())).max().unwrap_or(0);
        for (index, cell) in cells.iter().enumerate() {
            let cell = on_a_line(cell);
            if inks.width(cell.trim()) == 0 {
                continue;
            }
            let front = match self.head.get(index) {
                _ if index == 0 => String::new(),
                Some(head) => format!("    {:<label$}  ", head.trim()),
                None => "    ".to_owned(),
            };
            let hanging = " ".repeat(self.indent + if index == 0 { 4 } else { front.len() });
            let room = columns.saturating_sub(front.len().max(4)).max(NARROWEST);
            for (at, piece) in inks.fold(&cell, room).iter().enumerate() {
                if at == 0 {
                    out.push_str(&" ".repeat(self.indent));
                    out.push_str(&front);
                } else {
                    out.push_str(&hanging);
                }
                out.push_str(piece.trim_end());
                out.push('\n');
            }
        }
    }

    fn whole_line(&self, inks: &Inks, text: &str, columns: usize, out: &mut String) {
        for piece in inks.fold(&on_a_line(text), columns) {
            out.push_str(&" ".repeat(self.indent));
            out.push_str(&piece);
            out.push('\n');
        }
    }
}

/// What somebody else named cannot begin a row of its own.
fn on_a_line(cell: &str) -> String {
    cell.replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Colour, Ink};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_is_shown() {
        let inks = Inks::new();
        let mut table = Table::new(["NAME", "STATUS"]);
        table.row(["w\u{7}eb\n".to_owned(), "Ready".to_owned()]);
        table.row([inks.paint(Ink::Green, "api-gateway"), "Ready".to_owned()]);
        assert_eq!(
            inks.show(&table.render(&inks, None), Colour::On),
            "NAME         STATUS\nw\\x07eb\\n    Ready\n\u{1b}[32mapi-gateway\u{1b}[39m  Ready\n"
        );
    }

    #[test]
    fn a_table_without_rows_is_nothing() {
        assert_eq!(Table::new(["NAME", "STATUS"]).render(&Inks::new(), None), "");
    }

    fn pods(inks: &Inks) -> Table {
        let mut table = Table::new(["  POD", "READY", "STATUS", "NODE"]);
        table.row([
            "~ api-gateway-6d5b9c7f4-abcde".to_owned(),
            "1/1".to_owned(),
            inks.paint(Ink::Green, "Running and well, as it has been"),
            "landfall-0".to_owned(),
        ]);
        table
    }

    #[test]
    fn a_table_that_is_too_wide_is_folded_at_words_with_its_paint_on_every_line() {
        let inks = Inks::new();
        let table = pods(&inks).render(&inks, Some(60));
        let line = |pod: &str, ready: &str, status: &str, node: &str| {
            format!("{}\n", format!("{pod:<21}{ready:<7}{status:<21}{node}").trim_end())
        };
        assert_eq!(
            inks.show(&table, Colour::Off),
            [
                line("  POD", "READY", "STATUS", "NODE"),
                line("~ api-gateway-", "1/1", "Running and well,", "landfall-0"),
                line("  6d5b9c7f4-abcde", "", "as it has been", ""),
            ]
            .concat()
        );
        let coloured = inks.show(&table, Colour::On);
        assert!(coloured.contains("\u{1b}[32mRunning and well,\u{1b}[39m"), "{coloured:?}");
        assert!(coloured.contains("\u{1b}[32mas it has been\u{1b}[39m"), "{coloured:?}");
    }

    #[test]
    fn where_folding_does_not_help_a_row_is_a_list_of_its_cells() {
        let inks = Inks::new();
        let mut table = Table::new(["ENVIRONMENT", "CLUSTER", "DELIVERS", "VALUES", "SYNC"]);
        table.row(
            ["production", "k3d-shop-prod (protected)", "shop, observability", "values.prod.yaml", ""]
                .map(str::to_owned),
        );
        assert_eq!(
            inks.show(&table.render(&inks, Some(40)), Colour::Off),
            "production\n    CLUSTER   k3d-shop-prod (protected)\n    DELIVERS  shop, observability\n    VALUES    values.prod.yaml\n"
        );
    }

    #[test]
    fn whatever_the_width_no_line_is_longer_and_no_word_is_lost() {
        let inks = Inks::new();
        for columns in 30..120 {
            let shown = inks.show(&pods(&inks).render(&inks, Some(columns)), Colour::Off);
            let longest = shown.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(longest <= columns, "{columns}: {shown}");
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
            let cells = "~api-gateway-6d5b9c7f4-abcde1/1Runningandwell,asithasbeenlandfall-0";
            assert!(letters(&shown) >= letters(cells), "{columns}: {shown}");
        }
    }

    #[test]
    fn a_line_between_rows_makes_no_column_wider() {
        let inks = Inks::new();
        let mut table = Table::headless(2);
        table.row(["+ Deployment/web".to_owned(), "is new".to_owned()]);
        table.line("    spec.replicas was written by kubectl-scale, which is a long story".to_owned());
        table.row(["- Job/x".to_owned(), "is gone".to_owned()]);
        assert_eq!(
            inks.show(&table.render(&inks, None), Colour::Off),
            "  + Deployment/web  is new\n      spec.replicas was written by kubectl-scale, which is a long story\n  - Job/x           is gone\n"
        );
    }
}

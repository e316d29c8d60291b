use crate::Inks;

/// A table without borders: columns two spaces apart, cut nowhere.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a head.
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Table { head: head.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The table as lines, one trailing newline; empty without rows. Columns are as wide as their cells will be shown.
    pub(super) fn render(&self, inks: &Inks) -> String {
        // What somebody else named cannot begin a row of its own.
        let cells = |row: &Vec<String>| -> Vec<String> {
            row.iter().map(|cell| cell.replace('\n', "\\n").replace('\t', "\\t")).collect()
        };
        let rows: Vec<Vec<String>> = std::iter::once(&self.head).chain(&self.rows).map(cells).collect();
        let mut widths = vec![0; self.head.len()];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(inks.width(cell));
            }
        }
        let mut out = String::new();
        for row in &rows {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                line.push_str(cell);
                if index + 1 < row.len() {
                    line.push_str(&" ".repeat(widths[index] - inks.width(cell) + 2));
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
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
            inks.show(&table.render(&inks), Colour::On),
            "NAME         STATUS\nw\\x07eb\\n    Ready\n\u{1b}[32mapi-gateway\u{1b}[39m  Ready\n"
        );
    }
}

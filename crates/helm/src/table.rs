//! Tables as Helm prints them: cells padded to their column's width, joined by tabs (gosuri/uitable).

/// Rows of cells.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// How wide a column may be; 0 for any width.
    limit: usize,
}

impl Table {
    /// A table whose columns are at most so wide.
    pub(super) fn at_most(limit: usize) -> Self {
        Table { rows: Vec::new(), limit }
    }

    /// Adds a row.
    pub(super) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table's text, ended by a newline.
    pub(super) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.flat_map(|cell| cell.split('\n')).map(width).max().unwrap_or(0).min(if self.limit == 0 {
                    usize::MAX
                } else {
                    self.limit
                })
            })
            .collect();
        let lines: Vec<String> = self.rows.iter().flat_map(|row| row_lines(row, &widths)).collect();
        format!("{}\n", lines.join("\n"))
    }
}

/// A cell with several lines makes its row as high. It is brought to its column's width twice: as a whole, which cuts it
/// off when its lines together are wider, and line by line.
fn row_lines(row: &[String], widths: &[usize]) -> Vec<String> {
    let whole: Vec<String> = row.iter().zip(widths).map(|(cell, width)| resized(cell, *width)).collect();
    let cells: Vec<Vec<&str>> = whole.iter().map(|cell| cell.split('\n').collect()).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    (0..height)
        .map(|line| {
            let parts: Vec<String> = cells
                .iter()
                .zip(widths)
                .map(|(cell, width)| match cell.get(line) {
                    Some(text) => resized(text, *width),
                    None => " ".repeat((*width).max(1)),
                })
                .collect();
            parts.join("\t")
        })
        .collect()
}

/// Padded to a width, or cut off behind it with three dots (gosuri/uitable, strutil.Resize).
fn resized(text: &str, to: usize) -> String {
    let wide = width(text);
    if to == 0 || wide == to {
        return text.to_owned();
    }
    if wide < to {
        return format!("{text}{}", " ".repeat(to - wide));
    }
    let mut cut = String::new();
    let mut taken = 0;
    for c in text.chars() {
        cut.push(c);
        let own = usize::from(!c.is_control());
        if taken + own >= to.saturating_sub(3) {
            break;
        }
        taken += own;
    }
    cut.push_str("...");
    cut
}

fn width(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn the_last_column_is_padded_too() {
        let mut table = Table::default();
        table.row(["NAME", "STATUS"]);
        table.row(["a", "deployed"]);
        assert_eq!(table.text(), "NAME\tSTATUS  \na   \tdeployed\n");
    }
}

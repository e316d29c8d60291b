use std::fmt;

use super::Element;

/// A field another manager owns with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The owner as messages name it: `"m"`, `"m" using apps/v1`, `"m" with subresource "status" using apps/v1`.
    pub manager: String,
    /// The field.
    pub path: Vec<Element>,
}

impl Conflict {
    /// The field as messages write it: `.spec.containers[name="c"].image`.
    pub fn field(&self) -> String {
        self.path.iter().map(ToString::to_string).collect()
    }

    /// The text of the cause the API server reports for it.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

/// All conflicts of one apply; at least one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// In the order of their managers.
    pub list: Vec<Conflict>,
}

impl fmt::Display for Conflicts {
    /// As kube-apiserver says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [conflict] = self.list.as_slice() {
            return write!(f, "Apply failed with 1 conflict: {}: {}", conflict.message(), conflict.field());
        }
        write!(f, "Apply failed with {} conflicts: ", self.list.len())?;
        let mut last = None;
        for conflict in &self.list {
            if last != Some(&conflict.manager) {
                if last.is_some() {
                    f.write_str("\n")?;
                }
                write!(f, "conflicts with {}:", conflict.manager)?;
                last = Some(&conflict.manager);
            }
            write!(f, "\n- {}", conflict.field())?;
        }
        Ok(())
    }
}

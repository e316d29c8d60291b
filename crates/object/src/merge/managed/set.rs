use serde_json::{Map, Value};

use super::Element;
use crate::schema::{ListKind, Node, Structure};

/// A set of fields. A field may be in it with or without what is below it.
///
/// Every write to an object reads, compares and writes such sets, so that a level is one sorted list and no tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Sorted by element; none that is neither a member nor has one below.
    branches: Vec<Branch>,
}

/// An element of a level.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Branch {
    element: Element,
    /// Whether the element itself is in the set.
    is_member: bool,
    /// What is in it below the element.
    below: FieldSet,
}

impl FieldSet {
    /// The set of these paths of field names.
    pub fn of_names(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let path: Vec<Element> = path.iter().map(|name| Element::Field((*name).to_owned())).collect();
            set.insert(&path);
        }
        set
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }

    /// The branch of an element, made if there is none: the caller puts something into it.
    fn branch(&mut self, element: Element) -> &mut Branch {
        let at = match self.branches.last() {
            // Most sets are filled in order.
            Some(last) if last.element < element => self.branches.len(),
            _ => match self.branches.binary_search_by(|branch| branch.element.cmp(&element)) {
                Ok(at) => return &mut self.branches[at],
                Err(at) => at,
            },
        };
        self.branches.insert(at, Branch { element, is_member: false, below: Self::default() });
        &mut self.branches[at]
    }

    fn find(&self, element: &Element) -> Option<&Branch> {
        let at = self.branches.binary_search_by(|branch| branch.element.cmp(element)).ok()?;
        Some(&self.branches[at])
    }

    /// Adds a path; the empty path is not a field.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut set = self;
        for parent in parents {
            set = &mut set.branch(parent.clone()).below;
        }
        set.branch(last.clone()).is_member = true;
    }

    /// Whether exactly this path is in it.
    pub fn has(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.has_member(last),
            [first, rest @ ..] => self.find(first).is_some_and(|branch| branch.below.has(rest)),
        }
    }

    pub(super) fn has_member(&self, element: &Element) -> bool {
        self.find(element).is_some_and(|branch| branch.is_member)
    }

    /// What is in it below an element.
    pub(super) fn child(&self, element: &Element) -> Option<&Self> {
        self.find(element).map(|branch| &branch.below).filter(|below| !below.is_empty())
    }

    pub(super) fn add_member(&mut self, element: Element) {
        self.branch(element).is_member = true;
    }

    /// Gives an element what is below it; an empty set is nothing below.
    pub(super) fn add_child(&mut self, element: Element, child: Self) {
        if !child.is_empty() {
            self.branch(element).below = child;
        }
    }

    /// All paths, members of a level before what is below.
    pub fn paths(&self) -> Vec<Vec<Element>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Vec<Element>, paths: &mut Vec<Vec<Element>>) {
        for branch in self.branches.iter().filter(|branch| branch.is_member) {
            paths.push(prefix.iter().chain([&branch.element]).cloned().collect());
        }
        for branch in self.branches.iter().filter(|branch| !branch.below.is_empty()) {
            prefix.push(branch.element.clone());
            branch.below.collect(prefix, paths);
            prefix.pop();
        }
    }

    /// What is in this and not in the other, which is most often empty.
    #[must_use]
    pub(super) fn without(self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() { self } else { self.difference(other) }
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut branches = Vec::with_capacity(self.branches.len().max(other.branches.len()));
        let mut theirs = other.branches.iter().peekable();
        for own in &self.branches {
            while let Some(branch) = theirs.next_if(|branch| branch.element < own.element) {
                branches.push(branch.clone());
            }
            branches.push(match theirs.next_if(|branch| branch.element == own.element) {
                Some(branch) => Branch {
                    element: own.element.clone(),
                    is_member: own.is_member || branch.is_member,
                    below: own.below.union(&branch.below),
                },
                None => own.clone(),
            });
        }
        branches.extend(theirs.cloned());
        Self { branches }
    }

    /// The set made of each branch with the other set's branch of the same element.
    fn with_each(&self, other: &Self, join: impl Fn(&Branch, Option<&Branch>) -> (bool, Self)) -> Self {
        let mut theirs = other.branches.iter().peekable();
        let joined = self.branches.iter().map(|own| {
            while theirs.next_if(|branch| branch.element < own.element).is_some() {}
            let (is_member, below) = join(own, theirs.next_if(|branch| branch.element == own.element));
            (own, is_member, below)
        });
        let branches = joined
            .filter(|(_, is_member, below)| *is_member || !below.is_empty())
            .map(|(own, is_member, below)| Branch { element: own.element.clone(), is_member, below })
            .collect();
        Self { branches }
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.with_each(other, |own, branch| match branch {
            Some(branch) => (own.is_member && branch.is_member, own.below.intersection(&branch.below)),
            None => (false, Self::default()),
        })
    }

    /// What is in this and not in the other; what is below a field of the other stays.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.with_each(other, |own, branch| match branch {
            Some(branch) => (own.is_member && !branch.is_member, own.below.difference(&branch.below)),
            None => (own.is_member, own.below.clone()),
        })
    }

    /// What is in this, and neither in the other nor below a field of it.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.with_each(other, |own, branch| match branch {
            Some(branch) if branch.is_member => (false, Self::default()),
            Some(branch) => (own.is_member, own.below.recursive_difference(&branch.below)),
            None => (own.is_member, own.below.clone()),
        })
    }

    /// The set with every declared field on the way to a member a member itself.
    #[must_use]
    pub(super) fn with_named_fields(&self, schema: Node<'_>) -> Self {
        let declared = matches!(schema.structure(), Structure::Fields { .. });
        let branches = self.branches.iter().map(|branch| {
            if branch.below.is_empty() {
                return branch.clone();
            }
            let mut is_member = branch.is_member;
            let node = match &branch.element {
                Element::Field(name) => {
                    is_member |= declared && schema.field_names().any(|field| field == name);
                    schema.field(name).unwrap_or_else(Node::deduced)
                }
                Element::Key(_) => schema.item(),
                _ => Node::deduced(),
            };
            Branch { element: branch.element.clone(), is_member, below: branch.below.with_named_fields(node) }
        });
        Self { branches: branches.collect() }
    }

    /// Brings the set up to a schema that has since made a granular value atomic: what was owned inside is owned whole.
    pub(super) fn reconcile(&mut self, schema: Node<'_>) {
        for branch in self.branches.iter_mut().filter(|branch| !branch.below.is_empty()) {
            let node = match &branch.element {
                Element::Field(name) => schema.field(name),
                _ => Some(schema.item()),
            };
            let Some(node) = node else { continue };
            match node.structure() {
                Structure::Fields { atomic: true }
                | Structure::Map { atomic: true }
                | Structure::List(ListKind::Atomic) => {
                    branch.is_member = true;
                    branch.below = Self::default();
                }
                _ => branch.below.reconcile(node),
            }
        }
    }

    /// The set as `fieldsV1` writes it.
    pub fn to_fields_v1(&self) -> Value {
        let fields = self.branches.iter().map(|branch| {
            let mut below = branch.below.to_fields_v1();
            if let Value::Object(map) = &mut below
                && branch.is_member
                && !map.is_empty()
            {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (branch.element.encode(), below)
        });
        Value::Object(fields.collect())
    }

    /// Reads `fieldsV1`.
    pub fn from_fields_v1(value: &Value) -> Result<Self, String> {
        Self::read(value, 0)
    }

    fn read(value: &Value, depth: usize) -> Result<Self, String> {
        let mut set = Self::default();
        if depth > 200 {
            return Err("fields are nested too deeply".to_owned());
        }
        let Value::Object(map) = value else { return Err("fields must be a map".to_owned()) };
        set.branches.reserve_exact(map.len());
        for (key, below) in map {
            if key == "." {
                continue;
            }
            let element = Element::decode(key)?;
            let child = Self::read(below, depth + 1)?;
            let branch = set.branch(element);
            branch.is_member |= child.is_empty() || below.get(".").is_some();
            branch.below = child;
        }
        Ok(set)
    }
}

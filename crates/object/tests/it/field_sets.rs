//! Sets of fields against the sets of their paths.

use std::collections::BTreeSet;

use landfall_object::merge::managed::{Element, FieldSet, Scalar};
use proptest::prelude::*;

/// A set as the list of its paths, which is all that its operations may depend on.
fn paths() -> impl Strategy<Value = BTreeSet<Vec<Element>>> {
    let element = prop_oneof![
        "[ab]".prop_map(Element::Field),
        "[ab]".prop_map(|name| Element::Key(vec![("name".to_owned(), Scalar::Text(name))])),
        (0..2_i64).prop_map(|number| Element::Value(Scalar::Number(number.into()))),
    ];
    prop::collection::btree_set(prop::collection::vec(element, 1..4), 0..12)
}

fn set_of(paths: &BTreeSet<Vec<Element>>) -> FieldSet {
    let mut set = FieldSet::default();
    paths.iter().rev().for_each(|path| set.insert(path));
    set
}

fn paths_of(set: &FieldSet) -> BTreeSet<Vec<Element>> {
    set.paths().into_iter().collect()
}

proptest! {
    #[test]
    fn field_sets_are_the_sets_of_their_paths(one in paths(), other in paths()) {
        let (a, b) = (set_of(&one), set_of(&other));
        prop_assert_eq!(paths_of(&a), one.clone());
        prop_assert_eq!(paths_of(&a.union(&b)), one.union(&other).cloned().collect());
        prop_assert_eq!(paths_of(&a.intersection(&b)), one.intersection(&other).cloned().collect());
        prop_assert_eq!(paths_of(&a.difference(&b)), one.difference(&other).cloned().collect());
        let covered = |path: &[Element]| (1..=path.len()).any(|length| other.contains(&path[..length]));
        let rest: BTreeSet<_> = one.iter().filter(|path| !covered(path)).cloned().collect();
        prop_assert_eq!(paths_of(&a.recursive_difference(&b)), rest);
        prop_assert!(one.iter().all(|path| a.has(path)) && other.iter().all(|path| a.has(path) == one.contains(path)));
        prop_assert_eq!(a.is_empty(), one.is_empty());
        let written = a.to_fields_v1();
        prop_assert_eq!(FieldSet::from_fields_v1(&written).expect("reads what it wrote"), a);
    }
}

//! Two systems of one repository and one book, whose environments have the same names and run the same image.

use super::super::sandbox::{Ran, ran};
use super::town::TOKEN;
use super::{PROPOSED, Place, place};

/// The system of a place twice, in `a/` and in `b/`.
fn two() -> Place {
    let place = place(PROPOSED);
    let root = place.shop.root().to_owned();
    let text = place.shop.read("landfall.yaml");
    for (name, renamed) in [("a", "name: shop\n"), ("b", "name: store\n")] {
        std::fs::create_dir_all(root.join(name).join("chart/templates")).expect("made");
        for file in
            ["chart/Chart.yaml", "chart/values.yaml", "chart/templates/all.yaml", "test.yaml", "production.yaml"]
        {
            std::fs::copy(root.join(file), root.join(name).join(file)).expect("copied");
        }
        let text = text.replacen("name: shop\n", renamed, 1).replace("shop-test", &format!("{name}-test"));
        place
            .shop
            .write(&format!("{name}/landfall.yaml"), &text.replace("namespace: shop,", &format!("namespace: {name},")));
    }
    for gone in ["landfall.yaml", "test.yaml", "production.yaml"] {
        std::fs::remove_file(root.join(gone)).expect("gone");
    }
    place.push("two systems");
    place
}

impl Place {
    fn within(&self, directory: &str, words: &[&str]) -> Ran {
        let mut command = self.shop.command(&[words, &["--state", "../.landfall"]].concat());
        command.current_dir(self.shop.root().join(directory));
        command.env("USER", "ada").env("LANDFALL_FORGE_TOKEN", TOKEN).env("LANDFALL_FORGE_HOST", self.town.host());
        ran(command.output().expect("the binary runs"))
    }

    fn states(&self, directory: &str) -> Vec<String> {
        let history = self.within(directory, &["history", "--promotions", "-o", "json"]).exits(0).json();
        let lines = history["data"].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| line["state"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

const WORDS: [&str; 8] = ["promote", "--from", "test", "--to", "production", "--forge", "gitea", "--yes"];

#[test]
fn what_one_system_shows_and_does_is_not_its_neighbours() {
    let place = two();
    place.within("a", &["up", "--env", "test"]).exits(0);
    place.within("a", &["smoke", "--env", "test"]).exits(0);
    place.within("a", &WORDS).exits(0);
    // Of the very same image nothing was seen there.
    place.within("b", &[&WORDS[..], &["--recorded"]].concat()).exits(5).says("LF0974");
    place.within("b", &["up", "--env", "test"]).exits(0);
    place.within("b", &WORDS).exits(0);
    let branches: Vec<String> =
        place.town.pulls().iter().map(|pull| pull["head"]["ref"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(branches, ["landfall/promote-a-production-0.5.0", "landfall/promote-b-production-0.5.0"]);
    assert!(place.states("a").contains(&"proposed".to_owned()), "{:?}", place.states("a"));
    // What is held back there may go here.
    place.within("b", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0).says("is withdrawn");
    assert!(place.states("a").contains(&"proposed".to_owned()), "{:?}", place.states("a"));
    assert!(place.states("b").contains(&"withdrawn".to_owned()), "{:?}", place.states("b"));
    place.within("a", &["hold"]).exits(0).says("nothing is held back");
    place.within("b", &WORDS).exits(5).says("LF0973");
    place.within("a", &WORDS).exits(0);
}

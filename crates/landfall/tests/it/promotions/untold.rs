//! A promotion that is withdrawn while its forge does not answer: said meanwhile, told later, and no pull request is forgotten.

use serde_json::Value;

use super::super::scales::git;
use super::super::serving::serve;
use super::town::TOKEN;
use super::{PROPOSED, Place, place};

const BRANCH: &str = "landfall/promote-production-0.5.0";

impl Place {
    fn first(&self) -> Value {
        self.shop.run(&["history", "--promotions", "-o", "json"]).exits(0).json()["data"][0].clone()
    }

    fn head_is_red(&self) {
        let (statuses, head) = (self.town.statuses(), git(&self.bare, &["rev-parse", BRANCH]));
        let last = statuses.last().expect("something was said");
        assert_eq!((last["commit"].as_str(), last["state"].as_str()), (Some(head.trim()), Some("failure")));
    }

    /// The branch has moved on, and it is promoted again while the forge takes no status.
    fn again_at_a_deaf_forge(&self) {
        self.promote(&[]).exits(0);
        self.shop.edit("test.yaml", "# test", "# of the tests");
        self.push("moved on");
        self.town.is_deaf(usize::MAX);
        assert_ne!(self.promote(&[]).code, 0);
        let line = self.first();
        assert_eq!((&line["state"], &line["detail"]["request"]["number"]), (&Value::from("proposed"), &Value::from(1)));
        let head = git(&self.bare, &["rev-parse", BRANCH]);
        assert_eq!(line["detail"]["commit"].as_str(), Some(head.trim()));
    }
}

#[test]
fn a_promotion_that_is_withdrawn_while_its_forge_is_away_says_so_and_is_told_by_the_next_command() {
    let place = place(PROPOSED).delivered();
    place.again_at_a_deaf_forge();
    let held = place.run_as("ada", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0);
    assert!(held.all().contains("is not told"), "{}", held.all());
    let line = place.first();
    let said = line["events"].as_array().and_then(|it| it.last()).map(|it| it["said"].to_string()).unwrap_or_default();
    assert!(
        line["state"] == "withdrawn" && said.contains("is not told") && said.contains("tries it again"),
        "{line:#}"
    );
    place.town.is_deaf(0);
    let told = place.run_as("ada", &["smoke", "--env", "test"]).exits(0);
    assert!(told.all().contains("its pull request is told by now"), "{}", told.all());
    place.head_is_red();
    assert!(place.first()["detail"]["untold"].is_null());
}

#[test]
fn what_is_told_at_once_is_not_said_to_be_told_by_now() {
    let place = place(PROPOSED).delivered();
    place.promote(&[]).exits(0);
    let held = place.run_as("ada", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0);
    assert!(!held.all().contains("by now"), "{}", held.all());
    let line = place.first();
    assert!(line["state"] == "withdrawn" && line["detail"]["untold"].is_null(), "{line:#}");
    let said = line["events"].to_string();
    assert!(said.contains("its pull request is red") && !said.contains("by now"), "{said}");
}

#[test]
fn what_a_command_could_not_tell_the_next_server_tells() {
    let place = place(PROPOSED).delivered();
    place.again_at_a_deaf_forge();
    place.run_as("ada", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0);
    place.town.is_deaf(0);
    let host = place.town.url("");
    let variables =
        [("LANDFALL_FORGE_TOKEN", TOKEN), ("LANDFALL_FORGE_HOST", host.as_str()), ("LANDFALL_FORGE_KIND", "gitea")];
    let server = serve(&place.shop, &["--env", "test"], &variables);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let (name, token) = server.own_token();
    loop {
        let (_, told) = server.ask("GET", "/api/v1/promotions", &[(name, token.as_str())], "");
        if told.contains("its pull request is told by now") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{told}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    place.head_is_red();
}

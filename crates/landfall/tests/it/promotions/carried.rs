//! What was sealed goes to the forge with the forge's token, as whatever else is written there.

use super::super::bootstraps::{End, luckyplans};
use super::super::sandbox::{Ran, Sandbox, ran};
use super::super::scales::git;
use super::town::{TOKEN, Town};

fn bootstrap(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Ran {
    let words = ["bootstrap", "--env", "prod", "--yes", "--plain", "../plain.env", "--allow-unsimulated"];
    let mut command = sandbox.command(&words);
    ran(command.envs(variables.iter().copied()).output().expect("the binary runs"))
}

#[test]
fn bootstrap_pushes_with_the_forges_token_and_over_nobodys_commits() {
    let sandbox = luckyplans();
    let above = sandbox.root().parent().expect("a parent").to_owned();
    let town = Town::open(above.join("git"));
    let bare = above.join("git/acme/shop.git");
    std::fs::create_dir_all(above.join("git/acme")).expect("made");
    std::fs::rename(above.join("origin.git"), &bare).expect("moved");
    git(&bare, &["config", "http.receivepack", "true"]);
    sandbox.git(&["remote", "set-url", "--push", "origin", &town.url("acme/shop.git")]);
    // Nobody whom the forge knows, and a token for another one.
    let host = town.host();
    let told = bootstrap(&sandbox, &[("LANDFALL_FORGE_TOKEN", TOKEN), ("LANDFALL_FORGE_HOST", "git.example.com")]);
    assert!(told.code != 0 && !End::of(&sandbox).is_pushed, "{}", told.all());
    told.says("LANDFALL_FORGE_TOKEN");
    // What others have put there meanwhile is not pushed over.
    let variables = [("LANDFALL_FORGE_TOKEN", TOKEN), ("LANDFALL_FORGE_HOST", host.as_str())];
    let there = git(&bare, &["rev-parse", "main"]).trim().to_owned();
    let tree = git(&bare, &["rev-parse", "main^{tree}"]).trim().to_owned();
    let identity = ["-c", "user.name=eve", "-c", "user.email=eve@example.com"];
    let words = [&identity[..], &["commit-tree", "-p", &there, "-m", "by somebody", &tree]].concat();
    let theirs = git(&bare, &words).trim().to_owned();
    git(&bare, &["update-ref", "refs/heads/main", &theirs]);
    let told = bootstrap(&sandbox, &variables);
    assert!(told.code != 0 && !told.all().contains(TOKEN), "{}", told.all());
    assert_eq!(git(&bare, &["rev-parse", "main"]).trim(), theirs);
    git(&bare, &["update-ref", "refs/heads/main", &there]);
    bootstrap(&sandbox, &variables).exits(4).says("pushed to origin/main");
    let end = End::of(&sandbox);
    assert!(end.is_pushed, "{end:?}");
    let head = std::process::Command::new("git").args(["rev-parse", "HEAD"]).current_dir(sandbox.root()).output();
    let head = String::from_utf8(head.expect("git runs").stdout).expect("text");
    assert_eq!(git(&bare, &["rev-parse", "main"]), head);
    bootstrap(&sandbox, &variables).exits(4);
    assert_eq!(git(&bare, &["rev-parse", "main"]), head);
}

//! A look that somebody asks for: what it has shown stands in the Application when its annotation goes.

use super::*;

const REFRESH: &str = "argocd.argoproj.io/refresh";

#[test]
fn a_look_at_a_repository_that_is_gone_tells_so_and_one_that_is_back_tells_nothing() {
    let forge = Forge::shop(AUTOMATED);
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    server.until(&cluster, &key, |it| is_synced(it, &revision));
    let away = forge.bare.with_extension("away");
    std::fs::rename(&forge.bare, &away).expect("moved");
    for words in [&["app", "refresh", "shop"][..], &["app", "refresh", "shop", "--hard"], &["app", "get", "shop"]] {
        forge.sandbox.run(words).exits(0).says("ComparisonError: ");
    }
    let told = forge.sandbox.run(&["app", "refresh", "shop", "-o", "json"]).exits(0).json();
    let conditions = told["data"][0]["conditions"].as_array().expect("a list");
    assert!(conditions.iter().any(|it| it["kind"] == "ComparisonError"), "{told:#}");
    let looked = server.get(&cluster, &key).expect("there");
    assert_eq!(looked.annotation(REFRESH), None, "the look is over");
    std::fs::rename(&away, &forge.bare).expect("moved");
    let told = forge.sandbox.run(&["app", "refresh", "shop"]).exits(0).says("looked at");
    assert!(!told.all().contains("ComparisonError"), "{}", told.all());
    let told = forge.sandbox.run(&["app", "refresh", "shop", "-o", "json"]).exits(0).json();
    assert_eq!(told["data"][0].get("conditions"), None, "{told:#}");
}

#[test]
fn a_look_that_a_process_has_not_brought_to_its_end_is_had_by_the_next_one() {
    let forge = Forge::shop(AUTOMATED);
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let (cluster, key) = (server.cluster(), application("shop"));
    server.until(&cluster, &key, |it| is_synced(it, &revision));
    // As it stands while a look is under way: whoever took it is none of those that look now.
    server.patch(&cluster, &key, json!({"metadata": {"annotations": {REFRESH: "hard@another"}}}));
    server.until(&cluster, &key, |it| it.annotation(REFRESH).is_none());
    assert_eq!(server.terminate().0, Some(0));
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.patch(&cluster, &key, json!({"metadata": {"annotations": {REFRESH: "normal"}}}));
    server.until(&cluster, &key, |it| it.annotation(REFRESH).is_none() && is_synced(it, &revision));
}

//! `landfall version check` and `version next`: the rules of versions and channels, from outside.

use super::sandbox::Sandbox;

#[test]
fn se_21_se_22_se_23_se_24_se_25_se_26_se_27_se_28_the_table_of_versions_is_sixteen_of_sixteen() {
    let here = Sandbox::empty();
    let mut rows = 0;
    for (from, to, code, says) in [
        (Some("1.5.2"), "1.5.2", 0, "unchanged"),
        (Some("1.5.2"), "1.5.3", 0, "a patch"),
        (Some("1.5.2"), "1.5.9", 0, "a patch"),
        (Some("1.5.2"), "1.6.0", 0, "the next minor version"),
        (Some("1.5.2"), "2.0.0", 0, "the next major version"),
        (Some("0.4.0"), "0.3.1", 1, "lower than the version before it"),
        (Some("1.5.2"), "1.5.1", 1, "lower than the version before it"),
        (Some("1.5.2"), "1.7.0", 1, "leaves a minor version out"),
        (Some("1.5.2"), "1.6.1", 1, "minor step needs patch 0"),
        (Some("1.5.2"), "3.0.0", 1, "leaves a major version out"),
        (Some("1.5.2"), "2.1.0", 1, "major step needs minor and patch 0"),
        (Some("1.5.2"), "1.6.0-alpha.1", 2, "must be a stable one"),
        (Some("1.5.2"), "1.6.0+build", 2, "build metadata"),
        (Some("0.9.9"), "1.0.0", 0, "the next major version"),
        (None, "0.1.0", 0, "there is no version before it"),
        (Some("1.5.2"), "v1.5.3", 2, "`v` in front"),
    ] {
        let mut words = vec!["version", "check", "--to", to];
        words.extend(from.iter().flat_map(|from| ["--from", from]));
        here.run(&words).exits(code).says(says);
        rows += 1;
    }
    assert_eq!(rows, 16);
    here.run(&["version", "check", "--from", "1.5.2", "--to", "2.0.1"])
        .exits(1)
        .says("major step needs minor and patch 0");
    let accepted = here.run(&["version", "check", "v1.5.3", "-o", "json"]).exits(0).json();
    assert_eq!(accepted["data"]["tag"], "1.5.3", "an input of a release may have a v");
}

#[test]
fn se_09_se_10_se_14_se_17_se_18_a_tag_that_may_not_run_is_refused_with_its_own_reason() {
    let here = Sandbox::empty();
    let long = format!("0.5.0-alpha.1.{}", "1".repeat(128));
    for (tag, channel, says) in [
        ("latest", "alpha", "another image after each build"),
        ("main", "alpha", "name of a branch"),
        ("test", "alpha", "name of a channel"),
        ("git-abc1234", "alpha", "beginning of a commit's hash"),
        ("0123456789abcdef0123456789abcdef01234567", "alpha", "full hash of a commit"),
        ("sha-91cbcb6", "alpha", "policy: commit-sha"),
        ("0.5.0", "alpha", "finished version"),
        ("0.5.0+x", "alpha", "build metadata"),
        ("1.2", "alpha", "three numbers"),
        ("01.2.3", "alpha", "leading zero"),
        ("0.5.0-beta.1", "alpha", "channels are alpha, rc and stable"),
        ("0.5.0-rc.1", "alpha", "no shape that the channel alpha takes"),
        ("0.5.0-alpha.1.1", "stable", "finished versions alone"),
        (long.as_str(), "alpha", "at most 128"),
    ] {
        here.run(&["version", "check", tag, "--channel", channel]).exits(5).says(says).says("LF0962");
    }
    for (tag, channel) in [("0.5.0-alpha.123.1", "alpha"), ("0.5.0-rc.1", "rc"), ("v0.5.0", "stable")] {
        here.run(&["version", "check", tag, "--channel", channel]).exits(0).says(&format!("may run as {channel}"));
    }
    here.run(&["version", "check", "1.2.3"]).exits(0).says("no channel and no environment was asked");
    here.run(&["version", "check", "0.5.0", "--channel", "test"]).exits(2).says("alpha, rc and stable");
    here.run(&["version", "check"]).exits(2);
}

#[test]
fn se_12_se_13_the_next_build_is_called_by_the_version_of_its_repository() {
    let here = Sandbox::empty();
    here.run(&["version", "next", "--channel", "alpha", "--run", "1"]).exits(2).says("--file");
    here.write("package.json", "{\"name\": \"sens\", \"version\": \"0.5.0\"}\n");
    here.commit("first");
    let next = here.run(&["version", "next", "--channel", "alpha", "--run", "123", "--attempt", "1"]).exits(0);
    assert_eq!(next.stdout, "0.5.0-alpha.123.1\n");
    here.run(&["version", "next", "--channel", "rc", "--run", "4", "--attempt", "2"]).exits(2).says("count the run up");
    here.run(&["version", "next", "--channel", "alpha"]).exits(2).says("--run");
    for root in ["0.5.0-rc.1", "0.5.0+x", "v0.5.0"] {
        here.run(&["version", "next", "--from", root, "--channel", "alpha", "--run", "1"]).exits(2).says("LF0963");
    }
    // Against the version that git has.
    here.write("package.json", "{\"name\": \"sens\", \"version\": \"0.7.0\"}\n");
    here.run(&["version", "check", "--base", "HEAD"]).exits(1).says("0.7.0 may not follow 0.5.0");
    here.write("package.json", "{\"name\": \"sens\", \"version\": \"0.6.0\"}\n");
    here.run(&["version", "check", "--base", "HEAD"]).exits(0).says("0.6.0 may follow 0.5.0");
    here.run(&["version", "check", "--base", "HEAD", "--file", "other.json", "--to", "0.1.0"]).exits(0);
    here.run(&["version", "--short"]).exits(0);
}

#[test]
fn t36_a_merge_that_takes_a_step_back_is_taken_where_that_version_was_published() {
    let here = Sandbox::empty();
    for version in ["1.5.2", "1.6.0"] {
        here.write("package.json", &format!("{{\"version\": \"{version}\"}}\n"));
        here.commit(version);
    }
    let check = |version: &str, more: &[&str]| {
        here.write("package.json", &format!("{{\"version\": \"{version}\"}}\n"));
        here.run(&[&["version", "check", "--base", "HEAD"], more].concat())
    };
    check("1.5.2", &[]).exits(1).says("LF0964").says("--allow-revert");
    let back = check("1.5.2", &["--allow-revert", "-o", "json"]).exits(0).json();
    assert_eq!(back["data"]["step"]["step"], "revert", "{back:#}");
    check("1.5.1", &["--allow-revert"]).exits(1).says("it was never published");
    here.git(&["tag", "v1.5.1", "HEAD~1"]);
    check("1.5.1", &["--allow-revert"]).exits(0).says("back to what was published before");
    // It allows no other step.
    check("1.8.0", &["--allow-revert"]).exits(1).says("leaves a minor version out");
}

//! `landfall images set`, `list` and `scan`: a tag is written into the line that sets it and into nothing else.

use std::process::{Command, Stdio};

use super::sandbox::Sandbox;
use super::scales::{git, shop};

#[test]
fn lp_29_the_line_that_sets_each_images_tag_is_listed() {
    let (shop, _bare) = shop();
    let listed = shop.run(&["images", "list", "--env", "prod", "-o", "json"]).exits(0).json();
    assert_eq!(listed["data"]["images"][0]["set_at"], serde_json::json!(["prod.yaml:4:1"]));
    shop.run(&["images", "--env", "prod"]).exits(0).says("prod.yaml:4");
}

#[test]
fn lp_30_a_tag_is_set_in_the_working_tree_with_quotes_and_all_other_bytes_kept() {
    let (shop, bare) = shop();
    let before = shop.read("prod.yaml");
    shop.run(&["images", "set", "1.1.0", "--env", "prod", "--dry-run"]).exits(0).says("1.0.0 -> 1.1.0");
    assert_eq!(shop.read("prod.yaml"), before);
    shop.run(&["images", "set", "v1.1.0", "--env", "prod"]).exits(0).says("prod.yaml:4  image: 1.0.0 -> 1.1.0");
    assert_eq!(shop.read("prod.yaml"), before.replace("web:1.0.0'", "web:1.1.0'"));
    shop.run(&["images", "set", "1.1.0", "--env", "prod"]).exits(0).says("it is so already");
    shop.run(&["images", "set", "1.0.9", "--env", "prod"]).exits(0).says("1.0.9 is older than 1.1.0, which stays");
    shop.run(&["images", "set", "1.0.9", "--env", "prod", "--allow-older"]).exits(0).says("1.1.0 -> 1.0.9");
    shop.run(&["images", "set", "1.2.0", "--env", "prod", "--service", "api"]).exits(1).says("no image belongs to api");
    shop.run(&["images", "set", "1.2.0", "--env", "prod", "--service", "web"]).exits(0);
    assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), "1", "nothing was pushed");
}

#[test]
fn tags_that_may_not_run_are_refused_before_anything_is_read_or_written() {
    let (shop, _bare) = shop();
    let before = shop.read("prod.yaml");
    for tag in [
        "latest",
        "main",
        "prod",
        "git-abc1234",
        "sha-91cbcb6",
        "1.2.0-alpha.1.1",
        "1.2.0+x",
        "1.2",
        "v1\n  evil: 1",
        "{{ x }}",
    ] {
        shop.run(&["images", "set", tag, "--env", "prod"]).exits(5).says("LF0962").says("nothing was written");
    }
    assert_eq!(shop.read("prod.yaml"), before);
}

#[test]
fn every_tag_beside_a_repository_of_ours_is_set_in_a_named_file_without_a_landfall_yaml() {
    let (shop, _bare) = shop();
    std::fs::remove_file(shop.root().join("landfall.yaml")).expect("removed");
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    let values = "web:\n  image:\n    repository: ghcr.io/acme/web\n    tag: \"sha-1234567\" # one\n\napi: {image: {repository: ghcr.io/acme/api, tag: sha-1234567}}\nredis:\n  image: {repository: docker.io/bitnami/redis, tag: 7.2.0}\n";
    shop.write("values.prod.yaml", values);
    shop.run(&["images", "set", "sha-7654321", "--file", "values.prod.yaml"]).exits(0);
    assert_eq!(shop.read("values.prod.yaml"), values.replace("1234567", "7654321"));
    shop.run(&["images", "set", "sha-0000001", "--file", "values.prod.yaml", "--service", "api"]).exits(0);
    assert!(shop.read("values.prod.yaml").contains("tag: \"sha-7654321\""));
    shop.run(&["images", "set", "sha-0000001", "--file", "../none.yaml"]).exits(2).says("cannot be read");
    std::fs::write(shop.root().join("../elsewhere.yaml"), "image: {tag: a}\n").expect("written");
    shop.run(&["images", "set", "sha-0000001", "--file", "../elsewhere.yaml"]).exits(2).says("outside the repository");
}

#[test]
fn ez_16_a_role_stays_in_front_of_commits_too() {
    let (shop, _bare) = shop();
    std::fs::remove_file(shop.root().join("landfall.yaml")).expect("removed");
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    let values = |tags: [&str; 3]| {
        let [app, scheduler, horizon] = tags;
        format!(
            "app: {{image: {{repository: ghcr.io/acme/site, tag: {app}}}}}\nscheduler: {{image: {{repository: ghcr.io/acme/site, tag: {scheduler}}}}}\nhorizon: {{image: 'ghcr.io/acme/site:{horizon}'}}\n"
        )
    };
    shop.write("values.yaml", &values(["app-v1.2.2", "scheduler-latest", "horizon-sha-1234567"]));
    for (tag, wanted) in [
        ("sha-7654321", ["app-sha-7654321", "scheduler-sha-7654321", "horizon-sha-7654321"]),
        ("v1.2.4", ["app-v1.2.4", "scheduler-v1.2.4", "horizon-v1.2.4"]),
        ("app-sha-7654321", ["app-sha-7654321", "scheduler-sha-7654321", "horizon-sha-7654321"]),
    ] {
        shop.run(&["images", "set", tag, "--file", "values.yaml"]).exits(0);
        assert_eq!(shop.read("values.yaml"), values(wanted), "{tag}");
    }
}

/// A database's image is nobody's of this repository, however it is written.
#[test]
fn a_named_file_without_a_landfall_yaml_keeps_what_others_own() {
    let (shop, _bare) = shop();
    std::fs::remove_file(shop.root().join("landfall.yaml")).expect("removed");
    let set = |tag: &str, file: &str| shop.run(&["images", "set", tag, "--file", file]);
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    // Names alone: ours are those with a tag of their own, unless others are the owner's.
    let values = "web:\n  image:\n    repository: web\n    tag: latest\nredis:\n  image: redis:7-alpine\ncache: {image: \"memcached:1.6\"}\n";
    shop.write("values.yaml", values);
    set("sha-7654321", "values.yaml").exits(0);
    assert_eq!(shop.read("values.yaml"), values.replace("tag: latest", "tag: sha-7654321"));
    let values = "web: {image: \"ghcr.io/acme/web:1.0.0\"}\nredis: {image: {repository: redis, tag: 7.2.0}}\nother: {image: {repository: quay.io/acme-tools/x, tag: 1.0.0}}\n";
    shop.write("values.yaml", values);
    set("1.1.0", "values.yaml").exits(0);
    assert_eq!(shop.read("values.yaml"), values.replace("web:1.0.0", "web:1.1.0"));
    shop.run(&["images", "set", "7.4.0", "--file", "values.yaml", "--service", "redis"]).exits(0);
    assert!(shop.read("values.yaml").contains("redis, tag: 7.4.0"));
    // Without an origin nobody says whose they are.
    shop.git(&["remote", "remove", "origin"]);
    let before = shop.read("values.yaml");
    set("1.2.0", "values.yaml").says("which images of values.yaml are ours").says("acme, acme-tools").says("--service");
    assert_eq!(shop.read("values.yaml"), before);
    shop.write("one.yaml", "web: {image: {repository: ghcr.io/acme/web, tag: 1.0.0}}\ndb: {image: \"postgres:17\"}\n");
    set("1.2.0", "one.yaml").exits(0);
    assert_eq!(
        shop.read("one.yaml"),
        "web: {image: {repository: ghcr.io/acme/web, tag: 1.2.0}}\ndb: {image: \"postgres:17\"}\n"
    );
}

#[test]
fn a_named_file_is_its_environments_where_several_are_declared_and_takes_the_tags_of_all_that_read_it() {
    let (shop, _bare) = shop();
    shop.write("prod.yaml", "web: {image: {repository: ghcr.io/acme/web, tag: 1.0.0}}\n");
    shop.write("both.yaml", "web: {image: {repository: ghcr.io/acme/web, tag: 1.0.0}}\n");
    shop.write("nobodys.yaml", "web: {image: {repository: ghcr.io/acme/web, tag: 1.0.0}}\n");
    let declared = shop.read("landfall.yaml");
    let both = |text: &str| {
        text.replace("[prod.yaml]", "[both.yaml, prod.yaml]").replace("[test.yaml]", "[both.yaml, test.yaml]")
    };
    shop.write("landfall.yaml", &both(&declared));
    shop.git(&["remote", "set-url", "origin", "https://git.example.com/acme/shop.git"]);
    let set = |tag: &str, file: &str| shop.run(&["images", "set", tag, "--file", file]);
    // Production alone reads it, and takes versions of its channel.
    set("1.1.0", "prod.yaml").exits(0);
    assert!(shop.read("prod.yaml").contains("tag: 1.1.0"));
    set("sha-1234567", "prod.yaml").exits(5).says("LF0962");
    // Nobody does: it is no environment's.
    set("sha-1234567", "nobodys.yaml").exits(0);
    assert!(shop.read("nobodys.yaml").contains("tag: sha-1234567"));
    // Two do, and which one is written for is not said.
    set("1.1.0", "both.yaml").exits(2).says("LF0813").says("prod, test");
    shop.run(&["images", "set", "1.1.0", "--file", "both.yaml", "--env", "test"]).exits(0);
    // Where a command means `local` unless it is told otherwise, what production reads is held against production's rule all the same.
    shop.write("landfall.yaml", &both(&declared).replace("  test:\n", "  local:\n"));
    set("sha-1234567", "both.yaml").exits(5).says("LF0962");
    set("sha-1234567", "prod.yaml").exits(5).says("LF0962");
    set("1.2.0", "both.yaml").exits(0);
    assert!(shop.read("both.yaml").contains("tag: 1.2.0"));
}

#[test]
fn a_values_file_that_is_a_link_is_refused_here_as_it_is_on_the_branch() {
    let (shop, bare) = shop();
    std::fs::rename(shop.root().join("prod.yaml"), shop.root().join("real.yaml")).expect("moved");
    std::os::unix::fs::symlink("real.yaml", shop.root().join("prod.yaml")).expect("linked");
    shop.commit("a link");
    shop.git(&["push", "-q", "origin", "HEAD:main"]);
    let before = shop.read("real.yaml");
    for more in [&[][..], &["--push", "--unchecked"], &["--dry-run"]] {
        let words = [&["images", "set", "1.1.0", "--env", "prod"], more].concat();
        let refused = shop.run(&words).exits(5).says("LF0522").says("which is a link").says("nothing was written");
        refused.says("it leads to real.yaml");
    }
    let kind = shop.root().join("prod.yaml").symlink_metadata().expect("there").file_type();
    assert!(kind.is_symlink() && shop.read("real.yaml") == before);
    assert_eq!(git(&bare, &["show", "main:real.yaml"]), before);
}

#[test]
fn a_late_older_build_is_skipped_also_where_tags_are_commits() {
    let (shop, bare) = shop();
    shop.edit("landfall.yaml", "{policy: semver, channel: stable}", "{policy: commit-sha}");
    let commits: Vec<String> = (0..2)
        .map(|number| {
            shop.commit(&format!("build {number}"));
            git(&shop.root().to_owned(), &["rev-parse", "HEAD"]).trim()[..7].to_owned()
        })
        .collect();
    shop.git(&["push", "-q", "origin", "HEAD:main"]);
    let set = |commit: &str| {
        let tag = format!("sha-{commit}");
        shop.run(&["images", "set", &tag, "--env", "prod", "--push", "--unchecked"]).exits(0)
    };
    set(&commits[1]).says("is on main of");
    set(&commits[0]).says("is older than");
    assert!(git(&bare, &["show", "main:prod.yaml"]).contains(&format!("web:sha-{}'", commits[1])));
}

#[test]
fn lp_129_commits_and_versions_run_where_both_are_declared_and_neither_is_older_than_the_other() {
    let (shop, _bare) = shop();
    shop.edit("landfall.yaml", "{policy: semver, channel: stable}", "{policy: commit-sha-or-semver, channel: stable}");
    let set = |tag: &str| shop.run(&["images", "set", tag, "--env", "prod"]);
    set("sha-1234567").exits(0).says("1.0.0 -> sha-1234567");
    set("v1.2.0").exits(0).says("sha-1234567 -> 1.2.0");
    set("1.1.0").exits(0).says("1.1.0 is older than 1.2.0, which stays");
    let before = shop.read("prod.yaml");
    for tag in
        ["latest", "main", "git-abc1234", "0123456789abcdef0123456789abcdef01234567", "1.2", "1.3.0-rc.1", "sha-123"]
    {
        set(tag).exits(5).says("LF0962").says("nothing was written");
    }
    assert_eq!(shop.read("prod.yaml"), before);
}

#[test]
fn lp_104_a_commit_of_ours_skips_ci_if_asked_and_is_never_what_the_next_one_is_built_from() {
    let (shop, bare) = shop();
    shop.edit("landfall.yaml", "{policy: semver, channel: stable}", "{policy: commit-sha}");
    shop.commit("tags are commits");
    shop.git(&["push", "-q", "origin", "HEAD:main"]);
    let built = git(&shop.root().to_owned(), &["rev-parse", "HEAD"]).trim().to_owned();
    let set = |commit: &str, more: &[&str]| {
        let tag = format!("sha-{}", &commit[..7]);
        let words = ["images", "set", tag.as_str(), "--env", "prod", "--push", "--unchecked", "--skip-ci"];
        shop.run(&[&words[..], more].concat())
    };
    set(&built, &["--commit", &built]).exits(0);
    let ours = git(&bare, &["rev-parse", "main"]).trim().to_owned();
    let told = git(&bare, &["log", "-1", "--format=%s%n%b", "main"]);
    assert!(told.lines().next().is_some_and(|subject| subject.ends_with("[skip ci]")), "{told}");
    let image = format!("Landfall-Image: ghcr.io/acme/web:sha-{}", &built[..7]);
    for line in ["Landfall-Change: ", "Landfall-Cause: image", &image, &format!("Product-Commit: {built}")] {
        assert!(told.contains(line), "{line}: {told}");
    }
    // A pipeline that was started by it all the same: whether it says of which commit it builds, or its tag alone does.
    shop.git(&["pull", "-q", "--ff-only", "origin", "main"]);
    for more in [&["--commit", ours.as_str()][..], &["--commit", &ours[..8]], &[]] {
        set(&ours, more).says("LF0528");
        assert_eq!(git(&bare, &["rev-parse", "main"]).trim(), ours, "{more:?}");
    }
}

#[test]
fn se_35_without_a_token_what_is_published_is_not_deployed_and_that_is_said() {
    let (shop, _bare) = shop();
    // A forge that asks everybody for a login.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/acme/shop.git", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut head = [0; 4096];
            let _read = std::io::Read::read(&mut stream, &mut head);
            let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _written = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    shop.git(&["remote", "set-url", "origin", &address]);
    let told = shop.run(&["images", "set", "1.1.0", "--env", "prod", "--push", "--unchecked"]).exits(4);
    let told = told.says("published, not deployed").says("GITHUB_TOKEN").says("LF0526");
    assert!(!told.all().contains("fatal"), "{}", told.all());
    let json =
        shop.run(&["images", "set", "1.1.0", "--env", "prod", "--push", "--unchecked", "-o", "json"]).exits(4).json();
    assert_eq!(json["data"]["diagnostics"][0]["code"], "LF0526");
}

#[test]
fn lp_105_ten_pipelines_at_once_end_with_the_newest_and_one_line_of_history() {
    let (shop, bare) = shop();
    let mut running = Vec::new();
    for number in 1..=10 {
        let tag = format!("1.0.{number}");
        let state = format!("--state=../state-{number}");
        let mut command = shop.command(&["images", "set", &tag, "--env", "prod", "--push", "--unchecked", &state]);
        running.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs"));
    }
    for child in running {
        let output = child.wait_with_output().expect("ended");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let parents = git(&bare, &["rev-list", "--parents", "main"]);
    assert!(parents.lines().rev().skip(1).all(|line| line.split(' ').count() == 2), "{parents}");
    let values = git(&bare, &["show", "main:prod.yaml"]);
    assert!(values.contains("'ghcr.io/acme/web:1.0.10' # by the pipeline"), "{values}");
    // Each commit went upwards.
    let log = git(&bare, &["log", "--reverse", "--format=%s", "main"]);
    let patches: Vec<u32> =
        log.lines().filter_map(|line| line.rsplit_once("1.0.")?.1.split(' ').next()?.parse().ok()).collect();
    assert!(patches.is_sorted() && patches.last() == Some(&10), "{log}");
    git(&bare, &["fsck", "--strict"]);
}

#[test]
fn se_34_a_pipeline_that_is_killed_anywhere_and_begun_again_writes_one_commit() {
    let (shop, bare) = shop();
    for (number, after) in [5u64, 20, 40, 60, 80, 120].into_iter().enumerate() {
        let tag = format!("1.{}.0", number + 1);
        let words = ["images", "set", tag.as_str(), "--env", "prod", "--push", "--unchecked"];
        let mut child = shop.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs");
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        // Nobody sends: it is the time that is waited.
        let _waited = receiver.recv_timeout(std::time::Duration::from_millis(after));
        drop(sender);
        let _ended = Command::new("kill").args(["-9", &child.id().to_string()]).status();
        let _ended = child.wait();
        shop.run(&words).exits(0);
        assert_eq!(git(&bare, &["rev-list", "--count", "main"]).trim(), (number + 2).to_string());
    }
    git(&bare, &["fsck", "--strict"]);
}

/// LuckyPlans' migration waits for the database with the database's own image.
#[test]
fn lp_30_what_else_runs_in_a_services_object_keeps_its_tag() {
    let plans = Sandbox::luckyplans();
    plans.edit("landfall.yaml", "{context: k3d-luckyplans-prod, protected: true}", "embedded");
    plans.git(&["remote", "add", "origin", "https://git.example.com/luckyplans/luckyplans.git"]);
    let set = |more: &[&str]| {
        let words =
            [&["images", "set", "sha-1234567", "--env", "prod", "--dry-run", "--allow-older", "-o", "json"], more];
        let lines = plans.run(&words.concat()).exits(0).json();
        lines["data"]["edits"].as_array().expect("edits").iter().map(|line| line.to_string()).collect::<Vec<_>>()
    };
    let lines = set(&[]);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("postgres")), "{lines:#?}");
    let named = set(&["--service", "prisma-migrate"]);
    assert_eq!(named.len(), 1, "{named:#?}");
}

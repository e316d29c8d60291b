//! A chart that draws a password without looking for the one that lives (A18).

use landfall_object::Object;
use serde_json::json;

use super::super::sandbox::small_chart;
use super::*;

const DRAWN: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {PASSWORD: {{ randAlphaNum 24 | quote }}, USER: {{ .Values.user | quote }}}\ndata: {TOKEN: {{ randAlphaNum 24 | b64enc | quote }}}\n";

fn keys() -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "Secret"), Some("shop"), "keys")
}

fn value(secret: &Object, key: &str) -> String {
    secret.str_at(&format!("/data/{key}")).expect("a value").to_owned()
}

fn warning(application: &Object) -> Option<&str> {
    let conditions = application.list_at("/status/conditions");
    conditions.iter().find(|one| one["type"] == "DrawnValueWarning")?["message"].as_str()
}

/// What a template draws anew with each rendering is drawn once: a sync, self-heal and a new revision leave what lives, and the
/// Application says so. Whoever deletes it has another one.
#[test]
fn rand_in_template_is_write_once() {
    let forge = Forge::shop(AUTOMATED);
    forge.sandbox.write("chart/templates/keys.yaml", DRAWN);
    let values = forge.sandbox.read("chart/values.yaml");
    forge.sandbox.write("chart/values.yaml", &format!("{values}user: first\n"));
    forge.sandbox.commit("a password that is drawn");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let born = server.get(&cluster, &keys()).expect("there");
    let told = server.until(&cluster, &application("shop"), |it| warning(it).is_some());
    let told = warning(&told).expect("told");
    assert!(told.starts_with("Secret/keys: PASSWORD, TOKEN, as it lives, stays"), "{told}");
    assert!(told.contains("templates/keys.yaml") && told.contains("LF101"), "{told}");

    let revision = forge.change("chart/values.yaml", "user: first", "user: second");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let synced = server.until(&cluster, &keys(), |it| value(it, "USER") != value(&born, "USER"));
    for key in ["PASSWORD", "TOKEN"] {
        assert_eq!(value(&synced, key), value(&born, key), "{key} was rotated by a sync");
    }
    // What somebody has changed by hand is not what was drawn either: it lives.
    server.patch(&cluster, &keys(), json!({"stringData": {"PASSWORD": "changed with the database's"}}));
    let revision = forge.change("chart/values.yaml", "user: second", "user: third");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let healed = server.get(&cluster, &keys()).expect("there");
    assert_ne!(value(&healed, "PASSWORD"), value(&born, "PASSWORD"));
    assert_eq!(value(&healed, "TOKEN"), value(&born, "TOKEN"));
    // Gone, it is drawn anew.
    server.delete(&cluster, &keys());
    let again = server.until(&cluster, &keys(), |it| it.uid() != born.uid());
    assert_ne!(value(&again, "TOKEN"), value(&born, "TOKEN"));
    drop(server);

    // A command does the same.
    let repository = format!("{SHOP}=.");
    let up = ["up", "apps", "--repo", &repository, "--yes"];
    forge.sandbox.run(&up).exits(0);
    forge.sandbox.run(&up).exits(0).says("no changes").says("Secret/keys: PASSWORD, TOKEN, as it lives, stays");
}

/// Where what is drawn goes elsewhere, too, the two would no longer fit together: it is told and left as it is drawn. So are
/// certificates, which run out.
#[test]
fn what_is_drawn_for_others_too_is_told_and_drawn_anew() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "chart", "web");
    let text = |template: &str| {
        format!(
            "{{{{ $drawn := {template} }}}}\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\ndata: {{PASSWORD: {{{{ $drawn | b64enc | quote }}}}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: given}}\ndata: {{given: {{{{ $drawn | quote }}}}}}\n"
        )
    };
    sandbox.write(
        "apps/shop.yaml",
        &format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: chart}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n"
        ),
    );
    sandbox.write("chart/templates/keys.yaml", &text("randAlphaNum 24"));
    sandbox.commit("drawn for two");
    let repository = format!("{SHOP}=.");
    let up = || sandbox.run(&["up", "apps", "--repo", &repository, "--yes"]).exits(0);
    let live = || {
        let state = super::super::inspection::end_state(&sandbox.root().join(".landfall"), "shop");
        let line = state.into_iter().find(|line| line.starts_with("Secret keys "));
        line.expect("there")
    };
    up();
    let before = live();
    up().says("Secret/keys: PASSWORD, changes, as what is drawn goes into ConfigMap/given, too");
    assert_ne!(live(), before);

    sandbox.write("chart/templates/keys.yaml", &text("(genSelfSignedCert \"a\" nil nil 365).Cert"));
    up();
    let before = live();
    let told = up();
    assert!(!told.all().contains("Secret/keys: "), "{}", told.all());
    assert_ne!(live(), before);
}

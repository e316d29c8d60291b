//! What Argo CD's users say beside their source, and find acted on.

use serde_json::json;

use super::*;

/// A shop whose source has these settings for Helm and these sync options, and whose chart these objects besides.
fn shop(helm: &str, options: &str, objects: &str) -> Forge {
    let policy = "{automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true";
    let forge = Forge::shop(&format!("{policy}{options}]}}"));
    forge.sandbox.edit("apps/shop.yaml", "path: chart}", &format!("path: chart{helm}}}"));
    forge.sandbox.write("chart/templates/more.yaml", objects);
    forge.sandbox.commit("settings");
    forge.push();
    forge
}

fn in_shop(api: (&str, &str), kind: &str, name: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new(api.0, api.1, kind), Some("shop"), name)
}

#[test]
fn variables_of_the_build_environment_are_filled_in() {
    let helm = ", helm: {valueFiles: [\"values-$ARGOCD_APP_NAME.yaml\"], parameters: [\
        {name: settings.app, value: $ARGOCD_APP_NAME}, {name: settings.revision, value: \"${ARGOCD_APP_REVISION}\", forceString: true}, \
        {name: settings.home, value: \"-$HOME-\"}, {name: settings.cost, value: \"$$5\"}]}";
    let forge = shop(helm, "", "");
    forge.sandbox.write("chart/values-shop.yaml", "settings: {file: shop}\n");
    forge.sandbox.commit("values by name");
    let revision = forge.push();
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let map = server.get(&cluster, &in_shop(("", "v1"), "ConfigMap", "shop")).expect("there");
    let expected =
        json!({"app": "shop", "color": "blue", "cost": "$5", "file": "shop", "home": "--", "revision": revision});
    assert_eq!(map.at("/data"), Some(&expected));
}

//! With what each command is called, in the order in which a user could: what is delivered first is looked at next.

use std::collections::BTreeSet;

use super::tree::Known;

/// A call of the binary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// Its words; `@FORMAT@` is the format's name, so that what may be made once is made once for each.
    pub(super) words: &'static str,
    /// Why it shows values of Secrets: that is its job.
    pub(super) shows: Option<&'static str>,
    /// A canary that it shows in Helm's voice, because Helm does.
    pub(super) as_helm: Option<&'static str>,
    /// Why it need not end well, on a sound system.
    pub(super) fails: Option<&'static str>,
    /// Whether it works until it is interrupted.
    pub(super) serves: bool,
}

impl Call {
    const fn shows(mut self, why: &'static str) -> Self {
        self.shows = Some(why);
        self
    }

    const fn as_helm(mut self, canary: &'static str) -> Self {
        self.as_helm = Some(canary);
        self
    }

    const fn fails(mut self, why: &'static str) -> Self {
        self.fails = Some(why);
        self
    }

    const fn serves(mut self) -> Self {
        self.serves = true;
        self
    }
}

const fn call(words: &'static str) -> Call {
    Call { words, shows: None, as_helm: None, fails: None, serves: false }
}

/// What a command says of itself.
pub(super) const HELP: Call = call("--help");

/// Helm's own output, which holds the manifest: who asks for it gets what Helm prints.
const RENDERED: &str = "rendering's own output, as Helm prints it";
/// The release as Helm prints it.
const RECORD: &str = "the release's record, as Helm prints it";
const OWN_VALUES: &str = "the chart's own values, asked for by name";
const NO_APPLICATION: &str = "the system is no Application";
/// Edges are asked of a server alone.
const NO_FLEET: &str = "no server runs here that would know of edges";
const PROBES: &str = "it finds faults of the place";

/// All calls.
pub(super) const CALLS: &[Call] = &[
    call("schema"),
    call("completion bash"),
    call("completion elvish"),
    call("completion fish"),
    call("completion powershell"),
    call("completion zsh"),
    call("help"),
    call("help cluster start"),
    call("help --man up"),
    call("bootstrap --dry-run"),
    call("__complete -- explain ="),
    call("__complete -- up --namespace ="),
    call("version"),
    call("version --env"),
    call("rules"),
    call("cluster start"),
    call("cluster status"),
    call("cluster operator off cert-manager"),
    call("cluster kubeconfig"),
    call("cluster kubeconfig --path"),
    call("cluster kubeconfig --merge"),
    call("env"),
    call("env list"),
    call("env diff local other"),
    call("images"),
    call("images list"),
    call("images list ./web --set key=@SET@"),
    call("images set 1.0.1 --dry-run").fails("no image of its own is known"),
    call("images set 1.0.1 --push --remote http://me:@ADDRESS@@127.0.0.1:1/shop.git").fails("nobody answers there"),
    call("images scan").fails("no policy is declared"),
    call("promote --to other --dry-run").fails("no promotion is declared"),
    call("promote --to other --yes --remote http://me:@ADDRESS@@127.0.0.1:1/shop.git").fails("nobody answers there"),
    call("hold"),
    call("hold 1.0.0 --reason bad"),
    call("hold --release 1.0.0"),
    call("pipeline"),
    call("pipeline abcdef0").fails("nothing is known of that commit"),
    call("history --promotions"),
    call("migrate images"),
    call("scale web=2 --dry-run").fails("the system may have no such workload"),
    call("scale web=2 --remote http://me:@ADDRESS@@127.0.0.1:1/shop.git").fails("nobody answers there"),
    call("version check --from 1.5.2 --to 1.6.0"),
    call("version next --from 1.5.2 --channel alpha --run 1"),
    call("graph"),
    call("graph ./web -n shop --set key=@SET@"),
    call("state"),
    call("explain LF103"),
    call("explain password --chart ./web"),
    call("explain plain --chart ./web --set open=true"),
    call("explain secret/keys --chart ./web -f secret-values.yaml --set key=@SET@ --blame"),
    call("explain secret/keys stringData.KEY --chart ./web --set key=@SET@"),
    call("explain deploy/web --chart ./web --set key=@SET@"),
    call("explain ./web deploy/web --set key=@SET@"),
    call("explain token --chart ./web -f secret-values.yaml --set token=@SET@"),
    call("helm completion bash"),
    call("helm completion fish"),
    call("helm completion powershell"),
    call("helm completion zsh"),
    call("helm version"),
    call("helm env"),
    call("helm plugin list"),
    call("helm create made"),
    call("helm lint ./web -f secret-values.yaml --set key=@SET@"),
    call("helm template web ./web -f secret-values.yaml --set key=@SET@").shows(RENDERED),
    call("helm template web ./web --set key=@SET@ --output-dir rendered"),
    call("helm template web ./web --post-renderer @HERE@/bin/own").shows(RENDERED),
    call("helm show all ./web").shows(OWN_VALUES),
    call("helm show values ./web").shows(OWN_VALUES),
    call("helm show chart ./web"),
    call("helm show crds ./web"),
    call("helm show readme ./web"),
    call("helm package ./web -d again"),
    call("helm dependency list ./web"),
    call("helm dependency build ./web"),
    call("helm dependency update ./web"),
    call("helm verify packed/web-0.1.0.tgz").fails("nobody has signed it"),
    call("helm repo add shop http://@HOST@/charts --username me --password @REGISTRY@ --pass-credentials"),
    call("helm repo add gone http://me:@ADDRESS@@127.0.0.1:1/charts").fails("nobody answers there"),
    call("helm repo add inside http://me:@ADDRESS@@@HOST@/charts"),
    call("helm repo list").as_helm("ADDRESS"),
    call("helm repo update"),
    call("helm repo index packed --url http://@HOST@/charts"),
    call("helm search repo web"),
    call("helm pull shop/web --untar --untardir fetched"),
    call("helm pull web --repo http://@HOST@/charts --username me --password @REGISTRY@ -d packed"),
    call("helm pull http://me:@ADDRESS@@127.0.0.1:1/web.tgz").fails("nobody answers there"),
    call("helm registry login @HOST@ --plain-http -u me -p @REGISTRY@"),
    call("helm push packed/web-0.1.0.tgz oci://@HOST@/charts --plain-http").fails("the registry takes nothing"),
    call("helm registry logout @HOST@"),
    call("helm repo remove shop").fails("it is removed once"),
    call("plan ./web -n shop --set key=@SET@ -f secret-values.yaml"),
    call("plan"),
    call("plan http://me:@ADDRESS@@127.0.0.1:1/shop.git").fails("nobody answers there"),
    call("diff ./web -n shop -f secret-values.yaml --set key=@SET@"),
    call("rehearse ./web -n shop -f secret-values.yaml --set key=@SET@"),
    call("rehearse HEAD~1..HEAD"),
    call("preview HEAD~1..HEAD"),
    call("preview HEAD~1..HEAD ./web -f secret-values.yaml --set key=@SET@"),
    call("build --dry-run"),
    call("build"),
    call("up ./web -n bare --release bare -f secret-values.yaml --set key=@SET@ --yes"),
    // What SOPS opens: in clear objects, in whatever form, and what stood there before beside it.
    call("up ./web -n opened --release opened -f sops-before.yaml --set open=true,plain=x --yes"),
    call("plan ./web -n opened --release opened -f sops-values.yaml --set open=true,plain=y"),
    call("plan ./web -n opened --release opened -f sops-values.yaml --set open=true,plain=y,moved=true"),
    call("plan ./web -n opened --release opened -f sops-values.yaml"),
    call("diff ./web -n opened --release opened -f sops-values.yaml --set open=true,plain=y,moved=true"),
    call(
        "plan ./web -n opened --release opened -f sops-values.yaml --set open=true,plain=y --out opened-@FORMAT@.plan",
    ),
    call("explain opened --chart ./web -f sops-values.yaml --set open=true"),
    call("explain configmap/open --chart ./web -f sops-values.yaml --set open=true,plain=y"),
    call("rehearse ./web -n opened -f sops-values.yaml --set open=true,plain=y"),
    // Whoever opens no file reads a ConfigMap as it is on the cluster: none is to be there from here on.
    call("helm uninstall opened -n opened").fails("it is uninstalled once"),
    call("init").fails("a landfall.yaml is there"),
    call("plan ./web -n saved --release saved -f secret-values.yaml --out saved-@FORMAT@.plan"),
    call("apply saved-@FORMAT@.plan --yes").fails("the second format's plan is of what the first has delivered"),
    call("up --yes"),
    call("up ./web -n bare --release bare -f secret-values.yaml --set key=changed --dry-run"),
    call("plan ./web -n bare --release bare -f other-values.yaml --set key=changed,password=other"),
    call("diff ./web -n bare --release bare -f other-values.yaml --set key=changed,password=other"),
    call("explain secret/keys --deployed"),
    call("status"),
    call("status ./web -n bare"),
    call("logs web"),
    call("logs web -n system --tail 3"),
    call("smoke").fails("nothing is declared that can be checked here"),
    call("history"),
    call("history system -n system"),
    call("rehearse --from live"),
    call("cluster snapshot"),
    call("cluster snapshot before.json"),
    call("rehearse --from before.json"),
    call("doctor tools security facts docs host repo").fails(PROBES),
    call("doctor cluster dns ports tls registry secrets").fails(PROBES),
    call("secrets seal --cert cert.pem -f sealing.yaml"),
    call("secrets restore saved.age --identity key.txt --yes"),
    call("secrets backup keys-@FORMAT@.age --recipients-file ops.txt"),
    call("secrets drill saved.age --identity key.txt"),
    call("secrets set --env other --from-file own.env --yes"),
    call("secrets set TOKEN=@SET@ --env other --yes"),
    call("secrets init --env other --yes"),
    call("secrets rotate MADE --env other --yes"),
    call("secrets check --env other"),
    call("secrets cert").fails("nobody may seal here"),
    call("secrets audit --env other"),
    call("secrets pending --env other"),
    call("secrets bootstrap --env other --yes").fails("it is bootstrapped already"),
    call("forward web -n system").serves(),
    call("addon list"),
    call("addon status"),
    call("addon install cert-manager --chart ./web --set key=@SET@ --dry-run").fails("it is no addon's chart"),
    call("cluster create shop --driver k3d --http-port 0 --https-port 0").fails("the stand-in makes none"),
    call("cluster delete shop --driver k3d --yes").fails("there is none"),
    call("cluster fork ../fork-@FORMAT@"),
    call("helm install web ./web -n web-@FORMAT@ --create-namespace -f secret-values.yaml --set key=@SET@ --dry-run")
        .shows(RENDERED),
    call("helm install web ./web -n web-@FORMAT@ --create-namespace -f secret-values.yaml --set key=@SET@")
        .shows(RECORD),
    call("helm upgrade web ./web -n web-table -f secret-values.yaml --set key=other-@SET@ --dry-run").shows(RENDERED),
    call("helm upgrade web ./web -n web-table --reuse-values --set password=other-@SET@").shows(RECORD),
    call("helm list -A"),
    call("helm history web -n web-table"),
    call("helm status web -n web-table").shows(RECORD),
    call("helm status web -n web-table --show-resources").shows(RECORD),
    call("helm get all web -n web-table").shows(RECORD),
    call("helm get hooks web -n web-table").shows(RECORD),
    call("helm get manifest web -n web-table").shows(RECORD),
    call("helm get metadata web -n web-table"),
    call("helm get notes web -n web-table"),
    call("helm get values web -n web-table").shows(RECORD),
    call("helm get values web -n web-table --all").shows(RECORD),
    call("helm test web -n web-table").shows("with `--debug` the release's record, as Helm prints it"),
    call("helm rollback web 1 -n web-table"),
    call("helm uninstall web -n web-table"),
    call("rollback system -n system --yes").fails("there may be one delivery only"),
    call("rollback --dry-run").fails("there may be one delivery only"),
    call("down ./web -n bare --release bare --yes --dry-run"),
    call("cluster stop"),
    call("cluster serve").serves(),
    call("serve --listen 127.0.0.1:0").serves(),
    call("serve install --dry-run").fails("the embedded cluster runs no containers"),
    call("repo add http://me:@ADDRESS@@127.0.0.1:1/shop.git --token-file secret-values.yaml")
        .fails("nobody answers there"),
    call("repo list --credentials"),
    call("repo remove http://me:@ADDRESS@@127.0.0.1:1/shop.git").fails("no login was written"),
    call("app list"),
    call("app get system").fails(NO_APPLICATION),
    call("app diff system").fails(NO_APPLICATION),
    call("app explain system").fails(NO_APPLICATION),
    call("app events system").fails(NO_APPLICATION),
    call("app history system").fails(NO_APPLICATION),
    call("app logs system").fails(NO_APPLICATION),
    call("app sync system").fails(NO_APPLICATION),
    call("app rollback system").fails(NO_APPLICATION),
    call("app pin system").fails(NO_APPLICATION),
    call("app policy system --accept").fails(NO_APPLICATION),
    call("app pause system").fails(NO_APPLICATION),
    call("app delete system --yes").fails(NO_APPLICATION),
    call("app refresh system").fails(NO_APPLICATION),
    call("app wait system").fails(NO_APPLICATION),
    call("app terminate system").fails(NO_APPLICATION),
    call("app list --server http://127.0.0.1:1").fails("no token is given, and nobody answers there"),
    call("edge import none").fails("there is no file"),
    call("edge list").fails(NO_FLEET),
    call("edge get one").fails(NO_FLEET),
    call("edge explain one").fails(NO_FLEET),
    call("edge enable one --yes").fails(NO_FLEET),
    call("edge disable one --yes").fails(NO_FLEET),
    call("edge quarantine one --yes").fails(NO_FLEET),
    call("edge reenroll one --yes").fails(NO_FLEET),
    call("edge rotate one --yes").fails(NO_FLEET),
    call("edge revoke one --yes").fails(NO_FLEET),
    call("edge label one site=berlin").fails(NO_FLEET),
    call("edge remove one --yes").fails(NO_FLEET),
    call("edge token create workshop").fails(NO_FLEET),
    call("edge token list").fails(NO_FLEET),
    call("edge token revoke one").fails(NO_FLEET),
    call("edge keys init keys").fails(NO_FLEET),
    call("edge keys show").fails(NO_FLEET),
    call("edge keys renew --targets-key none").fails("there is no key"),
    call("edge release list").fails(NO_FLEET),
    call("edge release yank 1.0.0 --yes").fails(NO_FLEET),
    call("edge campaign create 1.0.0").fails(NO_FLEET),
    call("edge campaign list").fails(NO_FLEET),
    call("edge campaign get one").fails(NO_FLEET),
    call("edge campaign start one").fails(NO_FLEET),
    call("edge campaign pause one").fails(NO_FLEET),
    call("edge campaign resume one").fails(NO_FLEET),
    call("edge campaign approve one").fails(NO_FLEET),
    call("edge campaign abort one --yes").fails(NO_FLEET),
    call("edge campaign retry one").fails(NO_FLEET),
    call("edge campaign rollback one --yes").fails(NO_FLEET),
    call("edge release add none").fails("there is no manifest"),
    call("edge release consent 1.0.0 --key-file none").fails("there is no key"),
    call("edge release build --release 1.0.0 --artifact linux/x64=none --key-file none --out none")
        .fails("there is no key"),
    call("access matrix"),
    call("access prove --as nobody").fails("no project is protected"),
    call("access kubeconfig --service-account default/default").fails("no cluster runs that it could lead to"),
    call("account create anna-@FORMAT@ --role role:readonly"),
    call("account list"),
    call("account password anna-table"),
    call("account disable anna-table"),
    call("account enable anna-table"),
    call("token create ci --scope sync --project system"),
    call("token list"),
    call("webhook secret rotate --overlap 1h"),
    call("agent enroll --root edge").fails("there is nobody to be asked for the server"),
    call("agent run --root edge").fails("nobody enrolled here"),
    call("agent status --root edge").fails("nobody enrolled here"),
    call("agent work --root edge").fails("this machine is not enrolled"),
    call("agent install --root edge").fails("a service runs the small binary"),
    call("agent uninstall --root edge"),
    call("agent legacy-launcher --print-unit"),
    call("migrate argocd --yes").fails("no Argo CD is there"),
    call("migrate argocd --back --yes").fails("no Argo CD is there"),
    call("smoke --external --only nothing").fails("nothing is declared that can be checked here"),
    call("token revoke ci").fails("it is revoked once"),
    call("down --yes --keep-data"),
    call("cluster reset --yes"),
    call("down --yes"),
];

/// Helm's verbs that are called without `helm` too, and then speak in our words.
const BARE: [&str; 17] = [
    "template",
    "lint",
    "show",
    "create",
    "package",
    "dependency",
    "repo",
    "search",
    "pull",
    "push",
    "registry",
    "install",
    "upgrade",
    "uninstall",
    "list",
    "get",
    "test",
];

/// A call with the command that it calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'k> {
    pub(super) call: Call,
    pub(super) command: &'k Known,
}

impl Row<'_> {
    /// The same in our own voice, where Helm's verb has one.
    pub(super) fn bare(&self) -> &'static str {
        let bare = self.call.words.strip_prefix("helm ");
        bare.filter(|words| BARE.contains(&words.split(' ').next().unwrap_or_default())).unwrap_or(self.call.words)
    }
}

/// The calls of commands that are there.
pub(super) fn rows(commands: &[Known]) -> Vec<Row<'_>> {
    CALLS.iter().filter_map(|call| Some(Row { call: *call, command: called(call, commands)? })).collect()
}

fn called<'k>(call: &Call, commands: &'k [Known]) -> Option<&'k Known> {
    let fits = |known: &&Known| {
        call.words.strip_prefix(&known.name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    commands.iter().filter(fits).max_by_key(|known| known.name.len())
}

/// Where table and binary differ: a command without a call, a call without a command.
pub(super) fn differences(commands: &[Known]) -> Vec<String> {
    let called_ones: BTreeSet<&Known> = CALLS.iter().filter_map(|call| called(call, commands)).collect();
    let uncalled = commands.iter().filter(|known| !called_ones.contains(known)).map(|known| {
        format!("`landfall {}` is not looked at: give it a line in conformance/src/canary/table.rs", known.name)
    });
    let unknown = CALLS.iter().filter(|call| called(call, commands).is_none());
    uncalled.chain(unknown.map(|call| format!("there is no command `landfall {}`", call.words))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_a_call_and_a_call_without_a_command_are_told() {
        let known = |name: &str| Known { name: name.to_owned(), formats: Vec::new(), takes_context: false };
        let mut commands: Vec<Known> = vec![known("brag"), known("plan")];
        let told = differences(&commands);
        assert!(told[0].contains("`landfall brag` is not looked at"), "{told:?}");
        assert!(told.iter().any(|line| line.contains("no command `landfall schema`")), "{told:?}");
        assert!(!told.iter().any(|line| line.contains("`landfall plan")), "{told:?}");
        commands.push(known("helm get values"));
        commands.push(known("helm get"));
        let row =
            rows(&commands).into_iter().find(|row| row.call.words.starts_with("helm get values")).expect("called");
        assert_eq!((row.command.name.as_str(), row.bare()), ("helm get values", "get values web -n web-table"));
    }
}

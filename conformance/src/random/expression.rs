//! Random expressions over Go's builtins and everything that Helm exposes, mostly of the right types.

use landfall_chart::Dialect;

use super::tree::{Kind, Piece};
use crate::dice::Dice;

/// What an expression should give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Any,
    Str,
    Int,
    Number,
    Bool,
    List,
    Map,
}

/// Functions as `result name parameters`: s string, i int, n number, b bool, l list, m map, a anything; a parameter in
/// quotes is meant as it stands. Not asked for: what differs by chance (`keys`, `now`), and `fromToml`, whose errors are
/// in the words of another library.
const FUNCTIONS: &str = r#"
s abbrev i s
s trim s
s trimAll s s
s trimSuffix s s
s trimPrefix s s
s upper s
s lower s
s title s
s untitle s
s repeat "3" s
s substr i i s
s nospace s
s trunc i s
s initials s
s wrap i s
s wrapWith i s s
b contains s s
b hasPrefix s s
b hasSuffix s s
s quote a
s quote a a
s squote a
s cat a a
s cat a a a
s indent "2" s
s nindent "4" s
s replace s s s
s plural s s i
s snakecase s
s camelcase s
s kebabcase s
s swapcase s
s toString a
s join s l
s join s a
l splitList s s
m split s s
m splitn s i s
l sortAlpha l
l toStrings l
i atoi s
i int a
n int64 a
n float64 a
n toDecimal s
n add n n
n add n n n
n sub n n
n div n n
n mod n n
n mul n n
n add1 n
n max n n
n min n n
n ceil n
n floor n
n round n "2"
n addf n n
n subf n n
n mulf n n
n divf n n
n maxf n n
n minf n n
l until "4"
l untilStep i i i
s seq i i
a default a a
b empty a
a coalesce a a a
b all a a
b any a a
a ternary a a b
m fromJson s
m fromYaml s
l fromYamlArray s
l fromJsonArray s
s toJson a
s toPrettyJson a
s toRawJson a
s toYaml a
s toYamlPretty m
s toYamlPretty l
s toYamlPretty a
s mustToJson a
l list a a
l list a a a
l tuple a
m dict s a
m dict s a s a
a get m s
m set m s a
m unset m s
b hasKey m s
l pluck s m m
l sortAlpha (keys m)
m pick m s s
m omit m s
m merge m m
m mergeOverwrite m m
m merge m m m
a dig s a m
a dig s s a m
a first l
a last l
l rest l
l initial l
l append l a
l prepend l a
l concat l l
l reverse l
l uniq l
l without l a
b has a l
l compact l
l slice l i
l slice l i i
l chunk "2" l
l mustAppend l a
a deepCopy a
b deepEqual a a
s typeOf a
s kindOf a
b kindIs s a
b typeIs s a
s b64enc s
s b64dec s
s b32enc s
s b32dec s
s sha256sum s
s sha1sum s
s sha512sum s
s adler32sum s
b semverCompare s s
a semver s
b regexMatch s s
s regexFind s s
l regexFindAll s s i
s regexReplaceAll s s s
s regexReplaceAllLiteral s s s
l regexSplit s s i
s regexQuoteMeta s
s base s
s dir s
s clean s
s ext s
b isAbs s
s osBase s
m urlParse s
s urlJoin m
s printf "%s-%v" a a
s printf "%d" i
s printf "%5.2f|%q" a a
s printf "%v %v" a a
s printf "%T" a
s printf "%#v" a
s print a a
s println a
s html s
s js s
s urlquery s
i len l
i len s
i len m
a index l i
a index m s
b eq a a
b eq s s
b eq i i
b eq n n n
b ne s s
b lt i i
b le s s
b gt n n
b ge i i
b not a
a and a a
a or a a
b and b b
b or b b
a required s a
a lookup "v1" "Pod" s s
s include "named.a" a
s include "named.b" a
s include "named.list" l
s tpl "{{ . }}" a
s tpl "{{ .Values.str | quote }}-{{ include `named.a` . }}" $
s tpl s $
s htmlDate (toDate "2006-01-02" s)
s date "Mon Jan 2 15:04:05 2006" (toDate "2006-01-02" s)
s dateInZone "2006-01-02T15:04:05Z07:00" i "UTC"
s unixEpoch (toDate "2006-01-02" s)
s duration a
s durationRound a
s toToml m
s randAlphaNum "12"
s uuidv4
s derivePassword "1" "long" s s s
s genPrivateKey "ed25519"
a fail s
s abbrevboth i i s
s trimall s s
s osDir s
s osClean s
s osExt s
b osIsAbs s
n add1f n
s repeat i s
s indent i s
s nindent i s
l until i
s seq i
s seq i i i
s htmlDateInZone i "Asia/Tokyo"
s date "2006-01-02 15:04:05 MST" i
a dateModify "1h" (toDate "2006-01-02" s)
s toString (dateModify "-36h30m" (toDate "2006-01-02" s))
s dateInZone "Mon, 02 Jan 2006 15:04:05 -0700 MST" (toDate "2006-01-02" s) "America/New_York"
s dateInZone "3:04PM .000 __2 002" i "Europe/Berlin"
a toDate "2006-01-02" s
a mustToDate "2006-01-02" s
b typeIsLike s a
b mustRegexMatch s s
s mustRegexFind s s
l mustRegexFindAll s s i
s mustRegexReplaceAll s s s
l mustRegexSplit s s i
l mustUniq l
l mustReverse l
l mustRest l
l mustInitial l
a mustFirst l
a mustLast l
l mustCompact l
l mustWithout l a a
b mustHas a l
l mustSlice l i i
l mustPrepend l a
l push l a
m mustMerge m m
m mustMergeOverwrite m m
m mergeOverwrite m m m
m merge (dict s a) m
m mergeOverwrite (deepCopy m) m
a mustFromJson s
s mustToPrettyJson a
s mustToRawJson a
a mustDeepCopy a
m dict s a s a s a
l sortAlpha (values m)
l concat l l l
a dig s s s a m
a index l i i
a index m s s
b eq a a a
b lt n n
b gt s s
b ge s s
b le i i
s toJson (list a a)
s toYaml (dict s a s a)
s toYaml (list a a)
s toPrettyJson m
s printf "%d %o %x %X %b" a a a a a
s printf "%e %E %f %g %G" a a a a a
s printf "%s|%10s|%-10s|%.3s" a s s s
s printf "%q %#q %+q" a s s
s printf "%x % x %#x %X" s s s s
s printf "%t %c %U" a a a
s printf "%v %+v" a a
s printf "%05d %+d %-5d|% d" i i i i
s printf "%08.3f %+.2e" n n
s printf "%*d %[2]v %[1]v" i i
s printf "%d %s"
s printf "%z %!" a
s printf s a a
l $.Files.Lines s
s $.Files.Get s
a $.Files.GetBytes s
a $.Files.Glob s
b $.Capabilities.APIVersions.Has s
m $.Values.Table s
a $.Values.PathValue s
s include "named.rec" (dict "n" i "v" a)
s include "named.ctx" (dict "ctx" $ "v" a)
s include "named.yaml" a
s include s a
s tpl "{{ range $k, $v := . }}{{ $k }}={{ $v }};{{ else }}none{{ end }}" m
s tpl "{{ define `named.tpl` }}T{{ . }}{{ end }}{{ include `named.tpl` .str }}" $.Values
s tpl "{{ .v | toYaml | indent 2 }}" (dict "v" a)
"#;

/// What Helm 4 has besides.
const FUNCTIONS_4: &str = r#"
s mustToYaml a
s mustToToml m
a mustToDuration a
n durationSeconds a
n durationMilliseconds a
n durationMicroseconds a
n durationNanoseconds a
n durationMinutes a
n durationHours a
n durationDays a
n durationWeeks a
a durationRoundTo a a
a durationTruncateTo a s
"#;

const RARE: &[&str] = &["fail ", "randAlphaNum ", "uuidv4", "derivePassword ", "genPrivateKey "];

const STRINGS: &[&str] = &[
    r#""""#,
    r#""a""#,
    r#""str""#,
    r#""map""#,
    r#""Hello World""#,
    r#""foo-bar_baz Qux""#,
    r#""1.2.3""#,
    r#""v1.20.4-rc.1+b""#,
    r#"">=1.2.0-0""#,
    r#""^1""#,
    r#""true""#,
    r#""null""#,
    r#""12""#,
    r#""012""#,
    r#""0x1F""#,
    r#""-3.5e2""#,
    r#""a,b,,c""#,
    r#"",""#,
    r#""é日本語ß""#,
    r#""one\ntwo\n""#,
    r#""one\n\n  two""#,
    r#""  padded ""#,
    r#""- item""#,
    r#""key: value""#,
    r#""a: {b: [1, 2, x]}""#,
    r#""[1, \"b\", null]""#,
    r#""{\"x\": 1.0, \"y\": [true]}""#,
    r#""@home""#,
    r#""it's \"quoted\"""#,
    r#""😀 smile""#,
    r#""tab\there""#,
    r#""[a-z]+""#,
    r#""(\\w+)-(\\d*)""#,
    r#""${1}x$2""#,
    r#""2020-02-29""#,
    r#""https://user:pw@example.com:8080/a/b?q=1&r=2#frag""#,
    r#""../a//b/./c.tar.gz""#,
    r#""/etc/x.yaml""#,
    r#""1h30m5s""#,
    r#""yes""#,
    r#""~""#,
    r#""0""#,
    r#""the quick brown fox jumps over the lazy dog and runs away from the very angry bear behind it""#,
    r#""string""#,
    r#""slice""#,
    r#""%d items""#,
    r#""x\\y""#,
    r#""<a href='x'>&amp;</a>""#,
    r#""{{ .Values.int }}/{{ len .Values.list }}""#,
    r#""aGVsbG8=""#,
    r#""trailing\n\n""#,
    r##""#comment""##,
    r#""1_000""#,
    r#""12:30:45""#,
    r#""HTTPServer2Go""#,
    r#""v1""#,
    r#""apps/v1""#,
    r#""data/one.txt""#,
    r#""data/*""#,
    r#""named.b""#,
    r#""~1.2 || >3.0 <4""#,
    r#""1.2.x""#,
    r#""1.2.3+meta""#,
    r#""(?i)^([a-z])(\\d)?$""#,
    r#""(?P<name>o+)|(x)""#,
    r#""$name-$1""#,
    r#""2h45m30.5s""#,
    r#""-1.5h""#,
    r#""1.5""#,
    r#""2021-13-40""#,
    r#""mailto:a@b.c?subject=x%20y""#,
    r#""//host/path;p?a=b&c=d%zz""#,
    r#""a: |\n  literal\n  text\nb: >-\n  folded\n  text\n""#,
    r#""- 1\n- two\n- {three: 3.0}\n""#,
    r#""a: &x [1, 2]\nb: *x\nc: {<<: {d: 1}, e: 2}""#,
    r#""yes: no\non: off\n~: null\n1: 0o14\n2.5: 0x1f\n""#,
    r#""a: b: c""#,
    r#""\ta: 1""#,
    r#""{\"a\": [1, {\"b\": null}], \"c\": \"\\u00e9\"}""#,
    r#""{\"a\": }""#,
    r#""2021-05-06T07:08:09Z""#,
    r#""\x00\x07\x1b""#,
    r#""\xff\xfe""#,
    r#""- a\n-b\n""#,
    r#""'a' \"b\"""#,
    r#""a\u00a0b\u2028c""#,
    r#""> folded""#,
    r#""| literal""#,
    r#""ends with colon:""#,
    r#""* star""#,
    r#""!tag x""#,
    r#""01""#,
    r#""1e3""#,
    r#"".5""#,
    r#""+.inf""#,
    r#""off""#,
    r#""N""#,
];
const INTS: &[&str] = &["0", "1", "2", "3", "5", "7", "10", "-1", "-4", "12", "0x10", "'a'"];
const NUMBERS: &[&str] =
    &["1", "2", "-3", "1.5", "0.1", "1e6", "123456789", "0", "2.5", "-0.75", "1e21", "1e-7", "9007199254740993"];
const PATHS: &[(&str, Want)] = &[
    (".Values.str", Want::Str),
    (".Values.text", Want::Str),
    (".Values.empty", Want::Str),
    (".Values.int", Want::Number),
    (".Values.float", Want::Number),
    (".Values.big", Want::Number),
    (".Values.yes", Want::Bool),
    (".Values.no", Want::Bool),
    (".Values.list", Want::List),
    (".Values.names", Want::List),
    (".Values.elist", Want::List),
    (".Values.map", Want::Map),
    (".Values.deep", Want::Map),
    (".Values.emap", Want::Map),
    (".Values.deep.a", Want::Any),
    (".Values.deep.b.c", Want::Any),
    (".Values.nope", Want::Any),
    (".Values.nil", Want::Any),
    (".Values.global.g", Want::Any),
    (".Values.global", Want::Map),
    (".Release.Name", Want::Str),
    (".Release.Namespace", Want::Str),
    (".Release.Revision", Want::Int),
    (".Release.IsInstall", Want::Bool),
    (".Chart.Name", Want::Str),
    (".Chart.Version", Want::Str),
    (".Chart.AppVersion", Want::Str),
    (".Template.Name", Want::Str),
    (".Capabilities.KubeVersion.Version", Want::Str),
    (".Capabilities.KubeVersion", Want::Any),
    (".Capabilities.KubeVersion.Minor", Want::Str),
    (".Files.Get \"data/one.txt\"", Want::Str),
    ("(.Files.Lines \"data/two.txt\")", Want::List),
    ("(.Files.Glob \"data/*.txt\").AsConfig", Want::Str),
    ("(.Files.Glob \"data/**\").AsSecrets", Want::Str),
    (".Values", Want::Map),
    (".Values.plain", Want::Any),
    (".Values.block", Want::Str),
    (".Values.folded", Want::Str),
    (".Values.merged", Want::Map),
    (".Values.rows", Want::List),
    (".Values.deep.b", Want::Any),
    (".Chart.Description", Want::Str),
    (".Chart.Home", Want::Str),
    (".Chart.Type", Want::Str),
    (".Chart.Keywords", Want::Any),
    (".Chart.Annotations", Want::Any),
    (".Chart.Annotations.note", Want::Str),
    (".Chart.Deprecated", Want::Bool),
    (".Chart.IsRoot", Want::Bool),
    (".Chart.Nope", Want::Any),
    (".Chart.Sources", Want::Any),
    (".Release", Want::Map),
    (".Release.Service", Want::Str),
    (".Release.IsUpgrade", Want::Bool),
    (".Release.Nope", Want::Any),
    (".Template.BasePath", Want::Str),
    (".Subcharts", Want::Any),
    ("(.Capabilities.APIVersions.Has \"apps/v1\")", Want::Bool),
    (".Capabilities.KubeVersion.Major", Want::Str),
    (".Capabilities.KubeVersion.GitVersion", Want::Str),
    (".Capabilities.HelmVersion.Version", Want::Str),
    (".Capabilities.HelmVersion", Want::Any),
    ("(semver \"v1.20.4-rc.1+b\").Prerelease", Want::Str),
    ("(semver \"1.20\").Minor", Want::Any),
    ("(semver \"1.2.3\").IncMinor", Want::Any),
    ("(urlParse \"https://u:p@h:1/p?q=1#f\").host", Want::Str),
    ("(split \",\" \"a,b,c\")._1", Want::Str),
    ("(toDate \"2006-01-02\" \"2021-05-06\").Year", Want::Int),
    ("(dict \"x\" (dict \"y\" (list 1 2))).x.y", Want::List),
    ("$x", Want::Any),
    (".", Want::Any),
];

fn want_of(letter: u8) -> Want {
    match letter {
        b's' => Want::Str,
        b'i' => Want::Int,
        b'n' => Want::Number,
        b'b' => Want::Bool,
        b'l' => Want::List,
        b'm' => Want::Map,
        _ => Want::Any,
    }
}

/// Makes expressions; `root` is the name under which the file's own scope is known where dot may be something else.
pub(super) struct Expressions {
    functions: Vec<(Want, &'static str)>,
}

impl Expressions {
    pub(super) fn new(dialect: Dialect) -> Self {
        let more = if dialect == Dialect::V4 { FUNCTIONS_4 } else { "" };
        let lines = FUNCTIONS.lines().chain(more.lines()).filter(|line| !line.is_empty());
        Expressions { functions: lines.map(|line| (want_of(line.as_bytes()[0]), &line[2..])).collect() }
    }

    /// An expression fit to stand as an argument.
    pub(super) fn argument(&self, dice: &mut Dice, want: Want, depth: u8) -> Piece {
        // Now and then something of the wrong type: refusals must agree too.
        let want = if dice.percent(1) { Want::Any } else { want };
        if depth >= 3 || dice.percent(45) {
            return Self::leaf(dice, want);
        }
        Piece::text(Kind::Expression, "(").with(self.call(dice, want, depth)).and(")")
    }

    /// A pipeline, not in parentheses.
    pub(super) fn pipeline(&self, dice: &mut Dice, want: Want, depth: u8) -> Piece {
        if dice.percent(25) { Self::leaf(dice, want) } else { self.call(dice, want, depth) }
    }

    fn leaf(dice: &mut Dice, want: Want) -> Piece {
        let literal = |dice: &mut Dice, want: Want| -> String {
            match want {
                Want::Str => dice.pick(STRINGS).to_owned(),
                Want::Int => dice.pick(INTS).to_owned(),
                Want::Number => dice.pick(NUMBERS).to_owned(),
                Want::Bool => dice.pick(&["true", "false"]).to_owned(),
                Want::List => dice.pick(&["list", ".Values.list", ".Values.names", "(list 1 \"b\" nil)"]).to_owned(),
                Want::Map => dice.pick(&["dict", ".Values.map", ".Values.deep", "(dict \"k\" 1)"]).to_owned(),
                Want::Any => match dice.below(8) {
                    0 => "nil".to_owned(),
                    1 | 2 => dice.pick(STRINGS).to_owned(),
                    3 => dice.pick(NUMBERS).to_owned(),
                    _ => PATHS[dice.below(PATHS.len())].0.to_owned(),
                },
            }
        };
        let paths: Vec<&str> =
            PATHS.iter().filter(|(_, kind)| *kind == want || want == Want::Any).map(|(path, _)| *path).collect();
        let text = if !paths.is_empty() && dice.percent(55) {
            let path = dice.pick(&paths).to_owned();
            if path.starts_with(".Files") { format!("({path})") } else { path }
        } else {
            literal(dice, want)
        };
        // Dot is not always the file's scope.
        let text = if dice.percent(92) { rooted(&text) } else { text };
        Piece::text(Kind::Expression, text)
    }

    fn call(&self, dice: &mut Dice, want: Want, depth: u8) -> Piece {
        let fitting: Vec<&str> = self
            .functions
            .iter()
            .filter(|(gives, _)| *gives == want || (want == Want::Any) || (want == Want::Number && *gives == Want::Int))
            .map(|(_, line)| *line)
            .collect();
        let mut line = dice.pick(&fitting);
        // Slow ones, random ones and the end of everything come rarely.
        if RARE.iter().any(|rare| line.starts_with(rare)) && dice.percent(85) {
            line = "quote a";
        }
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut arguments = Vec::new();
        for parameter in parameters(rest) {
            arguments.push(self.parameter(dice, parameter, depth + 1));
        }
        let piped = !arguments.is_empty() && dice.percent(30);
        let last = if piped { arguments.pop() } else { None };
        let mut piece = Piece::new(Kind::Expression);
        if let Some(last) = last {
            piece = piece.with(last).and(" | ");
        }
        piece = piece.and(name);
        for argument in arguments {
            piece = piece.and(" ").with(argument);
        }
        piece
    }

    fn parameter(&self, dice: &mut Dice, parameter: &str, depth: u8) -> Piece {
        match parameter.as_bytes() {
            [letter] if letter.is_ascii_lowercase() => self.argument(dice, want_of(*letter), depth),
            [b'"', .., b'"'] => {
                // Numbers in quotes are numbers.
                let inner = &parameter[1..parameter.len() - 1];
                let text = if inner.bytes().all(|byte| byte.is_ascii_digit()) { inner } else { parameter };
                Piece::text(Kind::Expression, text)
            }
            [b'(', .., b')'] => {
                let inner = &parameter[1..parameter.len() - 1];
                let (name, rest) = inner.split_once(' ').unwrap_or((inner, ""));
                let mut piece = Piece::text(Kind::Expression, format!("({name}"));
                for parameter in parameters(rest) {
                    piece = piece.and(" ").with(self.parameter(dice, parameter, depth));
                }
                piece.and(")")
            }
            _ => Piece::text(Kind::Expression, parameter),
        }
    }
}

/// Splits at spaces outside quotes and parentheses.
fn parameters(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut quoted, mut start) = (0u32, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b' ' if !quoted && depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found.retain(|parameter| !parameter.is_empty());
    found
}

/// The same path from the root variable.
fn rooted(path: &str) -> String {
    match path.strip_prefix("(.") {
        Some(rest) => format!("($.{rest}"),
        _ if path.starts_with('.') && path.len() > 1 => format!("${path}"),
        _ => path.to_owned(),
    }
}
